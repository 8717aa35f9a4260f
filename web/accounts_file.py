"""Where people, sessions, tokens and the audit log are kept: the seam, and a SQLite file behind it.

Owns the tables, what a store promises (``AccountsStore``) and what SQLite's failures mean; what
rows say is ``accounts``', ``tokens``' and ``audit``'s business, whose SQL is plain enough for any
database. Several processes may have the file open: the command line changes people while the pages
are served. No secret is in it, only hashes; it is the owner's alone to read all the same.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from web.errors import AccountsFileError
from web.transactions import whole_transaction

ACCOUNTS_NAME: Final = "accounts.sqlite"
_VERSION: Final = 2
_WAITS_S: Final = 2.0
_SCHEMA: Final = """
    CREATE TABLE people (
        name TEXT PRIMARY KEY,
        role TEXT NOT NULL,
        password_hash TEXT NOT NULL,
        created_at REAL NOT NULL,
        last_seen_at REAL,
        organisation TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE sessions (
        secret_hash TEXT PRIMARY KEY,
        name TEXT NOT NULL REFERENCES people ON DELETE CASCADE,
        begun_at REAL NOT NULL,
        seen_at REAL NOT NULL
    );
    CREATE TABLE links (
        secret_hash TEXT PRIMARY KEY,
        name TEXT NOT NULL REFERENCES people ON DELETE CASCADE,
        ends_at REAL NOT NULL
    );
    CREATE TABLE tokens (
        token_id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        scopes TEXT NOT NULL,
        secret_hash TEXT NOT NULL UNIQUE,
        created_at REAL NOT NULL,
        last_used_at REAL,
        expires_at REAL,
        organisation TEXT NOT NULL DEFAULT ''
    );
    CREATE TABLE audit (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        at REAL NOT NULL,
        who TEXT NOT NULL,
        action TEXT NOT NULL,
        about TEXT NOT NULL,
        address TEXT NOT NULL,
        outcome TEXT NOT NULL
    );
    CREATE TRIGGER audit_rows_stay BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
    CREATE TRIGGER audit_rows_stay_as_they_are BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
"""
# What a file of an earlier version lacks, by that version.
_LATER: Final = {
    1: (
        "ALTER TABLE people ADD COLUMN organisation TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE tokens ADD COLUMN organisation TEXT NOT NULL DEFAULT ''",
    )
}


class RowRefusedError(Exception):
    """The store does not take a change: the key is there already, or such rows stay as they are."""


class Cursor(Protocol):
    """What came of a statement."""

    @property
    def rowcount(self) -> int:
        """Rows that were changed."""
        ...

    def fetchone(self) -> Any:  # noqa: ANN401
        """The next row that was found; ``None`` where there is none."""
        ...


class Connection(Protocol):
    """An open transaction."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Cursor:
        """Run a statement, its values for the question marks in it.

        Raises:
            RowRefusedError: The store does not take it; the transaction is to be left.
        """
        ...


class AccountsStore(Protocol):
    """Where the tables above are; from any thread.

    SQL is the part that SQLite and PostgreSQL share, with question marks for values.
    """

    def transaction(self) -> AbstractContextManager[Connection]:
        """All that the block writes, or nothing.

        Raises:
            AccountsFileError: It could not be written.
            RowRefusedError: The store does not take a row; nothing was written.
        """
        ...

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """What a query finds.

        Raises:
            AccountsFileError: It cannot be read.
        """
        ...


class AccountsFile:
    """An open file; from any thread.

    Args:
        path: The file; made when it does not exist.

    Raises:
        AccountsFileError: It cannot be opened, is damaged, or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.RLock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as err:
            raise AccountsFileError(f"{path}: {err.strerror}; see that it can be written") from err
        with self._meanings():
            self._connection = sqlite3.connect(
                path, timeout=_WAITS_S, isolation_level=None, check_same_thread=False
            )
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        with self._turn:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that the block writes, or nothing.

        Raises:
            AccountsFileError: It could not be written.
        """
        with self._turn, self._meanings(), whole_transaction(self._connection):
            yield self._connection

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        """What a query finds.

        Raises:
            AccountsFileError: The file cannot be read.
        """
        with self._turn, self._meanings():
            return self._connection.execute(query, values).fetchall()

    def _prepare(self) -> None:
        with self._meanings():
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("PRAGMA foreign_keys = ON")
        with self.transaction() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise AccountsFileError(
                    f"{self.path} was written by a newer version; use that one, or move the file "
                    "away to begin with a new admin"
                )
            missing = _statements(_SCHEMA) if version == 0 else _LATER.get(version, ())
            for statement in missing:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def _meanings(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.IntegrityError as err:
            raise RowRefusedError(str(err)) from err
        except sqlite3.Error as err:
            raise AccountsFileError(
                f"{self.path}: {err}; see disk and permissions. When the file is damaged, move it "
                "away: the next start makes a new admin"
            ) from err


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one; ``executescript`` would commit between them."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
