"""A SQLite file that keeps what the cloud side knows: made, opened, written in whole transactions.

Owns how such a file is opened and what SQLite's failures mean. What its tables hold is the business
of ``rollout/records.py``, ``fleet/records.py`` and ``receiver.py``. Nothing here or there uses more
of SQL than PostgreSQL has, so that a larger fleet can move.

WAL and ``synchronous=FULL``: what a transaction wrote before it returned is on the disk, whatever
happens afterwards (https://www.sqlite.org/wal.html). Several processes may have a file open.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final

from cloud_trainer.errors import RecordError

_WAIT_FOR_OTHERS_S: Final = 20.0


class RecordFile:
    """An open record file; safe to use from several threads. A context manager that closes it.

    Args:
        path: The file; it is made with its folder where there is none.
        application_id: Marks files of this kind.
        version: Version of the schema.
        schema: SQL that makes the tables, each ``IF NOT EXISTS``.

    Raises:
        RecordError: It cannot be opened, is something else, or was written by a newer version.
    """

    def __init__(self, path: Path, *, application_id: int, version: int, schema: str) -> None:
        self.path = path
        self._writing = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as err:
            raise RecordError(
                f"{path} cannot be made ({err.strerror}); name another place"
            ) from err
        with self._meanings():
            self._connection = sqlite3.connect(
                path, timeout=_WAIT_FOR_OTHERS_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")
                self._open(application_id, version, schema)
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> RecordFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: what the block writes is on the disk when it ends, or never was.

        Blocks nest: the outermost one is the transaction.

        Raises:
            RecordError: It could not be written; the file is as it was before.
        """
        with self._writing, self._meanings():
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def rows(self, query: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """What a query finds.

        Raises:
            RecordError: The file cannot be read.
        """
        with self._writing, self._meanings():
            return self._connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Close the file; closing twice is closing once."""
        with self._writing:
            self._connection.close()

    def _roll_back(self) -> None:
        # SQLite itself has rolled back after some failures.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _open(self, application_id: int, version: int, schema: str) -> None:
        with self.transaction() as connection:
            (found_id,) = connection.execute("PRAGMA application_id").fetchone()
            (found_version,) = connection.execute("PRAGMA user_version").fetchone()
            (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            if tables and found_id != application_id:
                raise RecordError(f"{self.path} is another kind of file; name another one")
            if found_version > version:
                raise RecordError(
                    f"{self.path} has schema {found_version}, this version of Walkout reads "
                    f"{version}; update Walkout"
                )
            for statement in schema.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {application_id:d}")
            connection.execute(f"PRAGMA user_version = {version:d}")

    @contextmanager
    def _meanings(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as err:
            raise RecordError(
                f"{self.path} cannot be read or written: {err}; what was written before is safe. "
                "Check the room on the disk, the rights of the folder, and that it is a file of "
                "this kind"
            ) from err
