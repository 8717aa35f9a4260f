"""Files that are whole or not there, also after the power went.

A rename promises only what was brought to the disk before it, and is itself only on the disk when
its folder was (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014).
"""

from __future__ import annotations

import os
from pathlib import Path


def flush(path: Path) -> None:
    """Bring a file to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    flush(folder)


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file: readers see the old content or the new, whatever happens.

    Args:
        path: The file; its folder exists.
        content: All of it.
    """
    draft = path.with_name(f".{path.name}.new")
    with draft.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    draft.replace(path)
    flush_folder(path.parent)
