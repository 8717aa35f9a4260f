"""A bundle's folder as a set of plain files of known names and bounded size.

Owns every read from the disk. Nothing is opened before its kind, name and size were looked at, so
that a link, a pipe or a file of absurd size is refused instead of followed, waited for or loaded.
Links above the folder are fine: ``current -> 2026-11-22`` is how devices switch.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from models.bundle.errors import BundleCorruptError, BundleError, BundleIncompleteError, excerpt
from models.bundle.manifest import GOLDEN_FOLDER, MANIFEST_NAME, FileRecord, size_limit_bytes

_CHUNK_BYTES = 1 << 20


def file_sizes(root: Path) -> dict[str, int]:
    """Sizes in bytes of all files of the bundle, by name relative to ``root``.

    Raises:
        BundleIncompleteError: There is no such folder, or it has no manifest.
        BundleCorruptError: The folder holds something that no bundle has.
        BundleError: The folder cannot be read.
    """
    if not root.is_dir():
        raise BundleIncompleteError(f"there is no bundle at {root}: no such folder")
    try:
        sizes = _scan(root, "")
    except OSError as err:
        raise BundleError(f"cannot read the bundle at {root}: {err.strerror}") from err
    if MANIFEST_NAME not in sizes:
        raise BundleIncompleteError(
            f"{root} has no {MANIFEST_NAME}, so it is no bundle; give the folder that "
            "training wrote, or fetch the bundle again"
        )
    return sizes


def _scan(folder: Path, prefix: str) -> dict[str, int]:
    sizes: dict[str, int] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            if name == GOLDEN_FOLDER and entry.is_dir(follow_symlinks=False):
                sizes |= _scan(folder / GOLDEN_FOLDER, f"{GOLDEN_FOLDER}/")
                continue
            limit = size_limit_bytes(name)
            if limit is None or not entry.is_file(follow_symlinks=False):
                raise BundleCorruptError(
                    f"{excerpt(name)!r} does not belong into a bundle (plain files of fixed names "
                    "only); remove it, or fetch the bundle again"
                )
            size_bytes = entry.stat(follow_symlinks=False).st_size
            if size_bytes > limit:
                raise BundleCorruptError(
                    f"{name} has {size_bytes} bytes, more than the {limit} that are read; "
                    "fetch the bundle again"
                )
            sizes[name] = size_bytes
    return sizes


def read_file(root: Path, name: str, size_bytes: int) -> bytes:
    """Bytes of a file whose size is known.

    Raises:
        BundleError: It cannot be read.
        BundleCorruptError: It changed its size meanwhile.
    """
    try:
        with (root / name).open("rb") as stream:
            content = stream.read(size_bytes + 1)
    except OSError as err:
        raise BundleError(f"cannot read {root / name}: {err.strerror}") from err
    if len(content) != size_bytes:
        raise BundleCorruptError(f"{name} changed while it was read; try again")
    return content


def record_of(root: Path, name: str) -> FileRecord:
    """Checksum and size of a file, read in pieces.

    Raises:
        BundleError: It cannot be read.
    """
    digest = hashlib.sha256()
    size_bytes = 0
    try:
        with (root / name).open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
                size_bytes += len(chunk)
    except OSError as err:
        raise BundleError(f"cannot read {root / name}: {err.strerror}") from err
    return FileRecord(sha256=digest.hexdigest(), size_bytes=size_bytes)
