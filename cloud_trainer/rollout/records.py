"""Rollouts as they are written down: the latest of each category, and what happened to it when.

A change is written only where nobody changed the rollout in the meantime, so a person's ``pause``
and the running engine never overwrite each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final

from pydantic import ValidationError

from cloud_trainer.errors import RecordError, RolloutError
from cloud_trainer.record_file import RecordFile
from cloud_trainer.rollout.state import Rollout
from models.bundle.manifest import first_complaint

SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS rollouts (
        category TEXT NOT NULL,
        number INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (category, number)
    );
    CREATE TABLE IF NOT EXISTS rollout_history (
        place INTEGER PRIMARY KEY,
        category TEXT NOT NULL,
        number INTEGER NOT NULL,
        at_s REAL NOT NULL,
        what TEXT NOT NULL,
        reason TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS rollout_history_by_rollout ON rollout_history (category, number)
"""


@dataclass(frozen=True)
class Recorded:
    """A rollout as it was read.

    Attributes:
        rollout: The rollout.
        revision: Counts its changes.
    """

    rollout: Rollout
    revision: int


@dataclass(frozen=True)
class Happened:
    """A line of a rollout's history.

    Attributes:
        at: When.
        what: What was done.
        reason: Why.
    """

    at: datetime
    what: str
    reason: str


class RolloutRecords:
    """The rollouts in an open record file.

    Args:
        file: The file, with the tables of ``SCHEMA``.
    """

    def __init__(self, file: RecordFile) -> None:
        self._file = file

    def latest(self, category: str) -> Recorded | None:
        """The latest rollout of a category, finished or not."""
        rows = self._file.rows(
            "SELECT document, revision FROM rollouts WHERE category = ?"
            " ORDER BY number DESC LIMIT 1",
            (category,),
        )
        return _recorded(*rows[0]) if rows else None

    def categories(self) -> tuple[str, ...]:
        """Categories that have had a rollout, sorted."""
        rows = self._file.rows("SELECT DISTINCT category FROM rollouts ORDER BY category")
        return tuple(str(category) for (category,) in rows)

    def add(self, rollout: Rollout, now: datetime) -> None:
        """Write a new rollout down.

        Raises:
            RolloutError: Somebody began another one at the same moment.
        """
        with self._file.transaction() as connection:
            written = connection.execute(
                "INSERT INTO rollouts VALUES (?, ?, 1, ?) ON CONFLICT DO NOTHING",
                (rollout.category, rollout.number, rollout.model_dump_json()),
            ).rowcount
            if not written:
                raise RolloutError(
                    f"another rollout of {rollout.category} began meanwhile; look at its status"
                )
            self._note(rollout, "start", rollout.reason, now)

    def change(self, before: Recorded, rollout: Rollout, what: str, now: datetime) -> None:
        """Write a changed rollout down.

        Args:
            before: What was read.
            rollout: What it is now.
            what: What was done, one word.
            now: The cloud's time.

        Raises:
            RolloutError: Somebody else changed it since it was read.
        """
        with self._file.transaction() as connection:
            written = connection.execute(
                "UPDATE rollouts SET document = ?, revision = revision + 1"
                " WHERE category = ? AND number = ? AND revision = ?",
                (rollout.model_dump_json(), rollout.category, rollout.number, before.revision),
            ).rowcount
            if not written:
                raise RolloutError(
                    f"the rollout of {rollout.category} was changed by somebody else meanwhile; "
                    "look at its status and try again"
                )
            self._note(rollout, what, rollout.reason, now)

    def history(self, category: str, number: int) -> tuple[Happened, ...]:
        """What happened to a rollout, in order."""
        rows = self._file.rows(
            "SELECT at_s, what, reason FROM rollout_history WHERE category = ? AND number = ?"
            " ORDER BY place",
            (category, number),
        )
        return tuple(
            Happened(datetime.fromtimestamp(float(str(at_s)), timezone.utc), str(what), str(reason))
            for at_s, what, reason in rows
        )

    def _note(self, rollout: Rollout, what: str, reason: str, now: datetime) -> None:
        with self._file.transaction() as connection:
            connection.execute(
                "INSERT INTO rollout_history (category, number, at_s, what, reason)"
                " VALUES (?, ?, ?, ?, ?)",
                (rollout.category, rollout.number, now.timestamp(), what, reason),
            )


def _recorded(document: object, revision: object) -> Recorded:
    try:
        return Recorded(Rollout.model_validate_json(str(document)), int(str(revision)))
    except ValidationError as err:
        raise RecordError(
            f"a rollout cannot be read: {first_complaint(err)}; bring back a copy of the file"
        ) from err
