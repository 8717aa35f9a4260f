"""A copy of an SQLite database as it is at one moment, while others write to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from edge.errors import KeepingError

_MAGIC: Final = b"SQLite format 3\0"
_WAIT_FOR_OTHERS_S: Final = 20.0


def is_database(path: Path) -> bool:
    """Whether a file is an SQLite database."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def copy_database(source: Path, target: Path) -> None:
    """Copy a database by SQLite's online backup (https://www.sqlite.org/backup.html).

    The copy is whole and of one moment, and needs no journal beside it. The source is only read.

    Raises:
        KeepingError: It cannot be copied, or is damaged.
    """
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as held,
            closing(sqlite3.connect(target)) as copy,
        ):
            held.execute(f"PRAGMA busy_timeout = {_WAIT_FOR_OTHERS_S * 1000:.0f}")
            held.backup(copy)  # all pages in one step: nobody writes in between
            copy.execute("PRAGMA journal_mode = DELETE")
            (complaint,) = copy.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as err:
        raise KeepingError(
            f"{source} cannot be copied: {err}; see whether the disk is full"
        ) from err
    if complaint != "ok":
        raise KeepingError(f"{source} is damaged ({complaint}); an older backup is the better one")
