"""Which devices are expected, and which identities were given: a record file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from cloud_trainer.record_file import RecordFile

REGISTER_NAME: Final = "devices.sqlite"
_APPLICATION_ID: Final = 0x574C4B44  # "WLKD"
_VERSION: Final = 1
_SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS expected (
        device_id TEXT PRIMARY KEY,
        until_s REAL NOT NULL,
        spent INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE IF NOT EXISTS identities (
        serial TEXT PRIMARY KEY,
        device_id TEXT NOT NULL,
        public_sha256 TEXT NOT NULL,
        issued_at_s REAL NOT NULL,
        ends_at_s REAL NOT NULL,
        registered INTEGER NOT NULL DEFAULT 0,
        revoked_at_s REAL
    );
    CREATE INDEX IF NOT EXISTS identities_by_device ON identities (device_id, issued_at_s)
"""


@dataclass(frozen=True)
class Given:
    """An identity that was given.

    Attributes:
        serial: Serial number of its certificate.
        device_id: Whose.
        public_sha256: Of its public key.
        issued_at: When.
        ends_at: Until when it is good.
        is_registered: Whether its owner has come back with it.
        revoked_at: When it was taken away; ``None`` while it is good.
    """

    serial: int
    device_id: str
    public_sha256: str
    issued_at: datetime
    ends_at: datetime
    is_registered: bool
    revoked_at: datetime | None


class Register:
    """The register of devices; safe to use from several threads.

    Args:
        folder: Where its file is; made where there is none.

    Raises:
        RecordError: It cannot be opened.
    """

    def __init__(self, folder: Path) -> None:
        self.file = RecordFile(
            folder / REGISTER_NAME,
            application_id=_APPLICATION_ID,
            version=_VERSION,
            schema=_SCHEMA,
        )

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def expect(self, device_id: str, until: datetime) -> None:
        """Let a device ask for its first identity, or for one that replaces what it had."""
        with self.file.transaction() as connection:
            connection.execute(
                "INSERT INTO expected (device_id, until_s, spent) VALUES (?, ?, 0)"
                " ON CONFLICT (device_id) DO UPDATE SET until_s = excluded.until_s, spent = 0",
                (device_id, until.timestamp()),
            )

    def is_expected(self, device_id: str, now: datetime) -> bool:
        """Whether a device may ask by a claim."""
        rows = self.file.rows(
            "SELECT 1 FROM expected WHERE device_id = ? AND spent = 0 AND until_s > ?",
            (device_id, now.timestamp()),
        )
        return bool(rows)

    def give(self, given: Given) -> None:
        """Remember an identity before it is handed out."""
        with self.file.transaction() as connection:
            connection.execute(
                "INSERT INTO identities (serial, device_id, public_sha256, issued_at_s, ends_at_s)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    f"{given.serial:x}",
                    given.device_id,
                    given.public_sha256,
                    given.issued_at.timestamp(),
                    given.ends_at.timestamp(),
                ),
            )

    def register(self, serial: int, device_id: str) -> bool:
        """The owner of an identity is back with it: its claim is spent; whether it is known."""
        with self.file.transaction() as connection:
            known = connection.execute(
                "UPDATE identities SET registered = 1 WHERE serial = ? AND device_id = ?"
                " AND revoked_at_s IS NULL",
                (f"{serial:x}", device_id),
            ).rowcount
            if known:
                connection.execute(
                    "UPDATE expected SET spent = 1 WHERE device_id = ?", (device_id,)
                )
        return bool(known)

    def holds_key(self, device_id: str, public_sha256: str) -> bool:
        """Whether a device was given an identity for this key before, which is good still."""
        return any(
            each.public_sha256 == public_sha256 and each.revoked_at is None
            for each in self.identities(device_id)
        )

    def revoke(self, device_id: str, now: datetime, keep_newest: bool = False) -> int:
        """Take a device's identities away.

        Args:
            device_id: The device.
            now: When.
            keep_newest: All but the newest one, after a replacement has its own.

        Returns:
            How many were taken.
        """
        found = [each for each in self.identities(device_id) if each.revoked_at is None]
        if keep_newest:
            found = found[:-1]
        with self.file.transaction() as connection:
            for each in found:
                connection.execute(
                    "UPDATE identities SET revoked_at_s = ? WHERE serial = ?",
                    (now.timestamp(), f"{each.serial:x}"),
                )
        return len(found)

    def identities(self, device_id: str | None = None) -> tuple[Given, ...]:
        """Identities that were given, of one device or of all, the oldest first."""
        rows = self.file.rows(
            "SELECT serial, device_id, public_sha256, issued_at_s, ends_at_s, registered,"
            " revoked_at_s FROM identities WHERE ? IS NULL OR device_id = ?"
            " ORDER BY device_id, issued_at_s, rowid",
            (device_id, device_id),
        )
        return tuple(
            Given(
                int(str(serial), 16),
                str(owner),
                str(public),
                _utc(issued),
                _utc(ends),
                bool(registered),
                None if revoked is None else _utc(revoked),
            )
            for serial, owner, public, issued, ends, registered, revoked in rows
        )


def _utc(at_s: object) -> datetime:
    return datetime.fromtimestamp(float(str(at_s)), timezone.utc)
