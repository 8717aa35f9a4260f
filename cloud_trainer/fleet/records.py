"""What was last heard of each device: statuses, ends of updates, decisions by release.

Messages are hints from devices about themselves; nothing here decides what a device may run. A
status that is older than the one on record (a retained one after a restart of the broker, one that
overtook another) is not taken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final, cast

from cloud_trainer.fleet.devices import DecisionCounts, HeardDevice
from cloud_trainer.record_file import RecordFile
from models.delivery import CategoryStatus, DeviceStatus, FailureKind, UpdateEvent, decode, encode

SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS devices (
        device_id TEXT PRIMARY KEY,
        heard_at_s REAL NOT NULL,
        retired INTEGER NOT NULL DEFAULT 0,
        status TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS decisions (
        device_id TEXT NOT NULL,
        category TEXT NOT NULL,
        release INTEGER NOT NULL,
        accepts INTEGER NOT NULL,
        reviews INTEGER NOT NULL,
        rejects INTEGER NOT NULL,
        PRIMARY KEY (device_id, category, release)
    );
    CREATE TABLE IF NOT EXISTS update_ends (
        place INTEGER PRIMARY KEY,
        event_id TEXT NOT NULL UNIQUE,
        device_id TEXT NOT NULL,
        category TEXT NOT NULL,
        release INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        kind TEXT,
        reason TEXT NOT NULL,
        at_s REAL NOT NULL
    );
    CREATE INDEX IF NOT EXISTS update_ends_by_device ON update_ends (device_id, category, release)
"""


@dataclass(frozen=True)
class HeardStatus:
    """A status as it came in.

    Attributes:
        status: What the device said.
        heard_at: The cloud's time.
        retained: Whether the broker had kept it: then it may be as old as it says.
    """

    status: DeviceStatus
    heard_at: datetime
    retained: bool = False

    @property
    def said_at(self) -> datetime:
        """When it was true, at the latest: a retained one is believed to be old, not to be new."""
        return min(self.heard_at, self.status.sent_at) if self.retained else self.heard_at


@dataclass(frozen=True)
class UpdateEnd:
    """How an update ended on a device.

    Attributes:
        category: The category.
        release: The release.
        outcome: How it ended.
        kind: What kind of failure it was.
        reason: Why, for people.
        at: The device's time.
    """

    category: str
    release: int
    outcome: str
    kind: str | None
    reason: str
    at: datetime


class FleetRecords:
    """The fleet in an open record file.

    Args:
        file: The file, with the tables of ``SCHEMA``.
    """

    def __init__(self, file: RecordFile) -> None:
        self._file = file
        self._read: dict[str, tuple[str, DeviceStatus]] = {}

    def hear(self, statuses: Iterable[HeardStatus], events: Iterable[UpdateEvent] = ()) -> None:
        """Write down what came in, in one transaction; the same message twice is once."""
        with self._file.transaction():
            for heard in statuses:
                if self._take_status(heard):
                    for agent in heard.status.agents:
                        self._take_decisions(heard.status.device_id, agent)
            for event in events:
                if event.outcome is not None:
                    self._take_end(event)

    def devices(self, *, retired_too: bool = False) -> dict[str, HeardDevice]:
        """Every device that was ever heard, by id, sorted."""
        rows = self._file.rows(
            "SELECT device_id, heard_at_s, status FROM devices WHERE retired <= ?"
            " ORDER BY device_id",
            (int(retired_too),),
        )
        return {
            str(name): HeardDevice(
                self._status(str(name), str(status)),
                datetime.fromtimestamp(float(str(heard_at_s)), timezone.utc),
            )
            for name, heard_at_s, status in rows
        }

    def devices_for(self, category: str) -> dict[str, HeardDevice]:
        """Devices that have a category, each with the kinds of failure that its releases had."""
        kinds: dict[str, dict[int, FailureKind]] = {}
        for device_id, release, kind in self._file.rows(
            "SELECT device_id, release, kind FROM update_ends"
            " WHERE category = ? AND kind IS NOT NULL ORDER BY place",
            (category,),
        ):
            kinds.setdefault(str(device_id), {})[int(str(release))] = cast(FailureKind, str(kind))
        return {
            name: HeardDevice(device.status, device.heard_at, tuple(kinds.get(name, {}).items()))
            for name, device in self.devices().items()
            if device.agent(category) is not None
        }

    def decisions(self, category: str, release: int) -> DecisionCounts:
        """All decisions of a release that devices have told of."""
        ((accepts, reviews, rejects),) = self._file.rows(
            "SELECT COALESCE(SUM(accepts), 0), COALESCE(SUM(reviews), 0),"
            " COALESCE(SUM(rejects), 0) FROM decisions JOIN devices USING (device_id)"
            " WHERE category = ? AND release = ? AND retired = 0",
            (category, release),
        )
        return DecisionCounts(int(str(accepts)), int(str(reviews)), int(str(rejects)))

    def ends(self, device_id: str, limit: int = 20) -> tuple[UpdateEnd, ...]:
        """How the last updates of a device ended, newest first."""
        rows = self._file.rows(
            "SELECT category, release, outcome, kind, reason, at_s FROM update_ends"
            " WHERE device_id = ? ORDER BY place DESC LIMIT ?",
            (device_id, limit),
        )
        return tuple(
            UpdateEnd(
                str(category),
                int(str(release)),
                str(outcome),
                None if kind is None else str(kind),
                str(reason),
                datetime.fromtimestamp(float(str(at_s)), timezone.utc),
            )
            for category, release, outcome, kind, reason, at_s in rows
        )

    def retire(self, device_id: str, *, retired: bool = True) -> bool:
        """Leave a device out of everything, or take it in again; its record stays.

        Returns:
            Whether such a device is on record.
        """
        with self._file.transaction() as connection:
            changed = connection.execute(
                "UPDATE devices SET retired = ? WHERE device_id = ?", (int(retired), device_id)
            ).rowcount
        return changed > 0

    def _status(self, device_id: str, text: str) -> DeviceStatus:
        """A status on record; most do not change from one look to the next."""
        known = self._read.get(device_id)
        if known is None or known[0] != text:
            known = (text, decode(DeviceStatus, text.encode()))
            self._read[device_id] = known
        return known[1]

    def _take_status(self, heard: HeardStatus) -> bool:
        """Whether it says something newer than what is on record."""
        status, said_at_s = heard.status, heard.said_at.timestamp()
        known = self._file.rows(
            "SELECT heard_at_s, status FROM devices WHERE device_id = ?", (status.device_id,)
        )
        if known:
            known_at_s, text = known[0]
            before = self._status(status.device_id, str(text))
            # A device that speaks now is believed, also when it lost count of its starts.
            is_past = heard.retained and said_at_s < float(str(known_at_s))
            if (status.boot < before.boot or is_past) and (heard.retained or not status.online):
                return False
            if not status.online:
                # A last will was written before whatever happened since: it knows that the device
                # is gone, and nothing else.
                status = before.model_copy(update={"online": False})
                said_at_s = float(str(known_at_s))
        with self._file.transaction() as connection:
            connection.execute(
                "INSERT INTO devices (device_id, heard_at_s, status) VALUES (?, ?, ?)"
                " ON CONFLICT (device_id) DO UPDATE SET heard_at_s = excluded.heard_at_s,"
                " status = excluded.status",
                (status.device_id, said_at_s, encode(status).decode()),
            )
        return True

    def _take_decisions(self, device_id: str, agent: CategoryStatus) -> None:
        counts = (agent.accepts, agent.reviews, agent.rejects)
        if agent.serving_release is None or not any(counts):
            return
        with self._file.transaction() as connection:
            # Counts since a swap only grow; smaller ones come from a device that began anew.
            connection.execute(
                "INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (device_id, category, release) DO UPDATE SET"
                " accepts = excluded.accepts, reviews = excluded.reviews,"
                " rejects = excluded.rejects"
                " WHERE excluded.accepts + excluded.reviews + excluded.rejects"
                " > accepts + reviews + rejects",
                (device_id, agent.category, agent.serving_release, *counts),
            )

    def _take_end(self, event: UpdateEvent) -> None:
        with self._file.transaction() as connection:
            connection.execute(
                "INSERT INTO update_ends (event_id, device_id, category, release, outcome, kind,"
                " reason, at_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    event.event_id,
                    event.device_id,
                    event.category,
                    event.release,
                    event.outcome,
                    event.kind,
                    event.reason,
                    event.at.timestamp(),
                ),
            )
