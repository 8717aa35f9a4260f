"""The SQLite file under ledger and outbox: made, opened, locked, written in whole transactions.

Owns the tables, the schema's version and what each of SQLite's failures means. What rows say is
``ledger.py``'s and ``outbox.py``'s business.

The file is in WAL mode with ``synchronous=FULL``: what a transaction wrote before it returned is on
the disk, whatever happens afterwards (https://www.sqlite.org/wal.html). A new file is made under
another name and renamed when complete, so an empty file in its place is damage, not a beginning.
One process writes at a time; others may read with any SQLite tool.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from edge.errors import LedgerConflictError, LedgerDamagedError, LedgerError
from web.transactions import whole_transaction

SCHEMA_VERSION: Final = 1
_APPLICATION_ID: Final = 0x574C4B54  # "WLKT"
_SCHEMA: Final = """
    CREATE TABLE store (store_id TEXT NOT NULL);
    CREATE TABLE ledger (
        sequence INTEGER PRIMARY KEY,
        entry_id TEXT NOT NULL UNIQUE,
        wall_time_s REAL NOT NULL,
        content TEXT NOT NULL,
        hash TEXT NOT NULL
    );
    CREATE TRIGGER ledger_rows_stay BEFORE DELETE ON ledger
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    CREATE TRIGGER ledger_rows_stay_as_they_are BEFORE UPDATE ON ledger
        BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
    CREATE TABLE head (sequence INTEGER NOT NULL, hash TEXT NOT NULL);
    CREATE TABLE outbox (
        place INTEGER PRIMARY KEY,
        message_id TEXT NOT NULL UNIQUE,
        receiver TEXT NOT NULL,
        stream TEXT NOT NULL,
        address TEXT NOT NULL,
        body TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'waiting'
            CHECK (state IN ('waiting', 'acknowledged', 'parked')),
        reason TEXT,
        ended_at_s REAL
    );
    CREATE INDEX outbox_by_state ON outbox (state, receiver, stream, place);
"""


class LedgerFile:
    """An open ledger file; safe to use from several threads.

    Args:
        path: The file; it is made when neither it nor its journal exists.
        store_id: The shop it belongs to.
        origin: Hash that the first row builds on.

    Raises:
        LedgerError: It cannot be opened, another process has it, it belongs to another shop or was
            written by a newer version.
        LedgerDamagedError: It is there but is no ledger or is damaged.
    """

    def __init__(self, path: Path, store_id: str, origin: str) -> None:
        self.path = path
        self._writing = threading.RLock()
        self._lock = _locked(path)
        try:
            if not path.exists():
                _make(path, store_id, origin)
            self._connection = _connect(path)
            try:
                with _meanings(path):
                    _check(self._connection, path, store_id)
                    self._connection.execute("PRAGMA journal_mode = WAL")
                    self._connection.execute("PRAGMA synchronous = FULL")
            except BaseException:
                self._connection.close()
                raise
        except BaseException:
            os.close(self._lock)
            raise
        self._open = True

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: what the block writes is on the disk when it ends, or never was.

        Raises:
            LedgerError: It could not be written; the ledger is as it was before.
        """
        with self._writing, _meanings(self.path), whole_transaction(self._connection):
            yield self._connection

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """What a query finds.

        Raises:
            LedgerError: The file cannot be read.
        """
        with self._writing, _meanings(self.path):
            return self._connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Close the file and let another process have it; closing twice is closing once."""
        with self._writing:
            if self._open:
                self._open = False
                self._connection.close()
                os.close(self._lock)


def _locked(path: Path) -> int:
    """A lock that ends with the process, however it ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as err:
        raise LedgerError(
            f"ledger {path} cannot be opened: {err.strerror}; check the folder and its rights"
        ) from err
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        os.close(lock)
        raise LedgerError(
            f"ledger {path} is open in another process; stop that one, one device writes at a time"
        ) from err
    return lock


def _connect(path: Path) -> sqlite3.Connection:
    # Transactions are begun by hand, threads kept apart by the lock.
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def _make(path: Path, store_id: str, origin: str) -> None:
    journal = path.with_name(f"{path.name}-wal")
    if journal.exists():
        raise LedgerDamagedError(
            f"ledger {path} is gone, but its journal {journal.name} is there; bring the file back, "
            "or move the journal away to begin a new ledger"
        )
    beginning = path.with_name(f"{path.name}.new")
    with _meanings(path):
        try:
            beginning.unlink(missing_ok=True)
            with closing(_connect(beginning)) as connection:
                connection.executescript(
                    f"PRAGMA synchronous = FULL; BEGIN; {_SCHEMA}"
                    f"PRAGMA application_id = {_APPLICATION_ID};"
                    f"PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"
                )
                connection.execute("INSERT INTO store VALUES (?)", (store_id,))
                connection.execute("INSERT INTO head VALUES (0, ?)", (origin,))
            beginning.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as err:
            raise LedgerError(f"ledger {path} cannot be made: {err.strerror}") from err


def _check(connection: sqlite3.Connection, path: Path, store_id: str) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != _APPLICATION_ID:
        raise LedgerDamagedError(
            f"{path} is no ledger; name another file, or bring the ledger back from a copy"
        )
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA_VERSION:
        raise LedgerError(
            f"ledger {path} has schema {version}, this version of Walkout reads {SCHEMA_VERSION}; "
            "update Walkout"
        )
    (complaint,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if complaint != "ok":
        raise LedgerDamagedError(
            f"ledger {path} is damaged ({complaint}); keep the file and bring back a copy"
        )
    (owner,) = connection.execute("SELECT store_id FROM store").fetchone()
    if owner != store_id:
        raise LedgerError(
            f"ledger {path} belongs to store {owner}, not {store_id}; name another file"
        )


@contextmanager
def _meanings(path: Path) -> Iterator[None]:
    """SQLite's failures as errors that say what to do."""
    try:
        yield
    except sqlite3.OperationalError as err:
        raise LedgerError(
            f"ledger {path} cannot be written or read: {err}; what was written before is safe. "
            "Check the room on the disk and the rights of the folder"
        ) from err
    except sqlite3.IntegrityError as err:
        raise LedgerConflictError(
            f"ledger {path} does not allow this: {err}; nothing was written"
        ) from err
    except sqlite3.DatabaseError as err:
        raise LedgerDamagedError(
            f"ledger {path} is damaged or is no ledger ({err}); keep the file and bring back a copy"
        ) from err
