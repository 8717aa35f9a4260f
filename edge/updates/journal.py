"""What the update agent remembers over restarts: one SQLite file, committed to the disk each time.

Owns rows and transactions, not what they mean. Documents are stored as JSON of closed schemas; one
that cannot be read any more is forgotten, and the agent begins its category anew from what is
signed and what is on the disk. What the receipts rest on is the ledger's, never this file's.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from edge.errors import JournalError
from edge.updates.progress import Progress, Quarantine
from models.delivery import UpdateEvent
from web.transactions import whole_transaction

_LOGGER: Final = logging.getLogger(__name__)
_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS device (name TEXT PRIMARY KEY, number INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS progress (category TEXT PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS quarantine (
        category TEXT NOT NULL, release INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (category, release)
    );
    CREATE TABLE IF NOT EXISTS event (
        place INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL UNIQUE, body TEXT NOT NULL
    );
"""
# Reports that nobody could be told of are kept up to this number, the oldest go first.
_EVENTS_KEPT: Final = 10_000


class Journal:
    """An open journal; safe to use from several threads of one process.

    A file that is damaged is moved aside: floors and what serves are known from elsewhere.

    Args:
        path: The file; its folder exists.

    Raises:
        JournalError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._using = threading.RLock()
        try:
            self._connection = _opened(path)
        except sqlite3.OperationalError as err:
            raise JournalError(f"the updates' journal {path} cannot be opened: {err}") from err
        except sqlite3.DatabaseError:
            _LOGGER.exception("the updates' journal %s is damaged and is begun anew", path)
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                damaged = path.with_name(name)
                if damaged.exists():
                    damaged.replace(path.with_name(f"{name}.damaged"))
            self._connection = _opened(path)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing: what the block writes is on the disk when it ends, or never was.

        Raises:
            JournalError: It could not be written; the journal is as it was before.
        """
        with self._using:
            if self._connection.in_transaction:
                yield  # part of the one around it
                return
            try:
                with whole_transaction(self._connection):
                    yield
            except sqlite3.Error as err:
                raise JournalError(
                    f"the updates' journal {self.path} cannot be written: {err}; "
                    "see whether the disk is full"
                ) from err

    def progress(self, category: str) -> Progress:
        """How far a category is; at the beginning where nothing is known."""
        rows = self._rows("SELECT body FROM progress WHERE category = ?", category)
        try:
            return Progress.model_validate_json(str(rows[0][0])) if rows else Progress()
        except ValidationError:
            _LOGGER.exception("what was remembered of %s cannot be read; it begins anew", category)
            return Progress()

    def categories(self) -> tuple[str, ...]:
        """Categories that anything is known of."""
        return tuple(str(name) for (name,) in self._rows("SELECT category FROM progress"))

    def keep_progress(self, category: str, progress: Progress) -> None:
        """Remember how far a category is."""
        with self.transaction():
            self._connection.execute(
                "INSERT OR REPLACE INTO progress VALUES (?, ?)",
                (category, progress.model_dump_json()),
            )

    def quarantined(self, category: str) -> dict[int, Quarantine]:
        """Releases of a category that failed here."""
        found = {}
        for release, body in self._rows(
            "SELECT release, body FROM quarantine WHERE category = ? ORDER BY release", category
        ):
            try:
                found[int(str(release))] = Quarantine.model_validate_json(str(body))
            except ValidationError:
                _LOGGER.exception("why %s %s is in quarantine cannot be read", category, release)
        return found

    def keep_quarantined(self, category: str, release: int, quarantine: Quarantine) -> None:
        """Remember that a release failed."""
        with self.transaction():
            self._connection.execute(
                "INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?)",
                (category, release, quarantine.model_dump_json()),
            )

    def number(self, name: str) -> int:
        """A number that was remembered, 0 where none was."""
        rows = self._rows("SELECT number FROM device WHERE name = ?", name)
        return int(str(rows[0][0])) if rows else 0

    def raise_number(self, name: str, least: int) -> int:
        """Remember a number that only grows.

        Returns:
            It, at least ``least``.
        """
        with self.transaction():
            grown = max(self.number(name), least)
            self._connection.execute("INSERT OR REPLACE INTO device VALUES (?, ?)", (name, grown))
        return grown

    def keep_event(self, event: UpdateEvent) -> None:
        """Remember an event until the fleet has been told of it."""
        with self.transaction():
            self._connection.execute(
                "INSERT OR IGNORE INTO event (event_id, body) VALUES (?, ?)",
                (event.event_id, event.model_dump_json()),
            )
            self._connection.execute(
                "DELETE FROM event WHERE place <= (SELECT MAX(place) FROM event) - ?",
                (_EVENTS_KEPT,),
            )

    def events(self, at_most: int) -> tuple[UpdateEvent, ...]:
        """The oldest events that the fleet has not been told of."""
        rows = self._rows("SELECT event_id, body FROM event ORDER BY place LIMIT ?", at_most)
        found = []
        for event_id, body in rows:
            try:
                found.append(UpdateEvent.model_validate_json(str(body)))
            except ValidationError:
                _LOGGER.exception("event %s cannot be read and is forgotten", event_id)
                self.forget_event(str(event_id))
        return tuple(found)

    def forget_event(self, event_id: str) -> None:
        """The fleet has been told."""
        with self.transaction():
            self._connection.execute("DELETE FROM event WHERE event_id = ?", (event_id,))

    def close(self) -> None:
        """Close the file."""
        with self._using:
            self._connection.close()

    def _rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with self._using:
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.Error as err:
                raise JournalError(
                    f"the updates' journal {self.path} cannot be read: {err}"
                ) from err


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        (complaint,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if complaint != "ok":
            raise sqlite3.DatabaseError(complaint)
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection
