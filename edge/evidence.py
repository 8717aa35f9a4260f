"""The device's evidence folder: crops of events, by day, for as long as the shop keeps them.

Owns names, writing and forgetting. Only crops of objects at the fixtures are ever stored, never
whole frames. A picture is whole or not there, also after the power went: it is on the disk before
the ledger names it.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

import cv2

from edge.errors import LedgerError
from edge.interaction.shelf import Seen, StoredCrop
from edge.updates.files import write_whole

_LOGGER: Final = logging.getLogger(__name__)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAY_S: Final = 86_400.0
_QUALITY: Final = 90


def named_for(seen: Seen, run: str, day: str) -> Seen:
    """An event under names that no other run of the device gives, its crops in a day's folder.

    Args:
        seen: As a shelf camera gave it.
        run: Name of the run; the same when the same recording is replayed.
        day: ``YYYY-MM-DD``.
    """
    event = seen.event
    names = {crop.name: f"{day}/{run}-{crop.name}" for crop in seen.crops}
    evidence = replace(
        event.evidence, crops=tuple(names.get(name, name) for name in event.evidence.crops)
    )
    return replace(
        seen,
        event=replace(event, event_id=f"{run}-{event.event_id}", evidence=evidence),
        crops=tuple(StoredCrop(names[crop.name], crop.image) for crop in seen.crops),
    )


def day_of(wall_time_s: float) -> str:
    """The day in UTC, ``YYYY-MM-DD``."""
    return datetime.fromtimestamp(wall_time_s, timezone.utc).strftime("%Y-%m-%d")


class EvidenceFolder:
    """Keeps crops.

    Args:
        folder: Made when it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, seen: Seen) -> None:
        """Write an event's crops.

        Raises:
            LedgerError: One could not be written.
        """
        for crop in seen.crops:
            path = self.folder / crop.name
            _, encoded = cv2.imencode(".jpg", crop.image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
            try:
                path.parent.mkdir(exist_ok=True)
                write_whole(path, encoded.tobytes())
            except OSError as err:
                raise LedgerError(
                    f"evidence {path} cannot be written: {err.strerror}; check the room on the "
                    "disk and the rights of the folder"
                ) from err

    def read(self, name: str) -> bytes | None:
        """A stored crop as JPEG; ``None`` where there is none, or the name leads elsewhere."""
        try:
            path = (self.folder / name).resolve()
            if path.suffix != ".jpg" or not path.is_relative_to(self.folder.resolve()):
                return None
            return path.read_bytes() if path.is_file() else None
        except (OSError, ValueError):
            # Names come from outside: too long for a file, or with a character that none can have.
            return None

    def forgets_at(self, now_wall_s: float, keep_days: float) -> float:
        """The time by which what is too old is judged: the clock's, but a day at a time.

        A clock that shows a month too many would otherwise take all pictures at once, and with them
        every review. Asked every hour, a clock that is right is followed as fast as time passes.

        Args:
            now_wall_s: Seconds since 1970, as the clock shows them.
            keep_days: How long pictures are kept.

        Returns:
            The second after which the oldest day with pictures is due, or the clock's if earlier.
        """
        days = [_begins_s(folder.name) for folder in self._days()]
        return min(now_wall_s, min(days, default=now_wall_s) + (keep_days + 1) * _DAY_S + 1.0)

    def forget(self, now_wall_s: float, keep_days: float) -> int:
        """Delete the crops of days that are over for longer than they are kept.

        Args:
            now_wall_s: Seconds since 1970.
            keep_days: How long they are kept.

        Returns:
            Pictures that were deleted.
        """
        deleted = 0
        for folder in self._days():
            if now_wall_s - (_begins_s(folder.name) + _DAY_S) <= keep_days * _DAY_S:
                continue
            for picture in folder.iterdir():
                picture.unlink()
                deleted += 1
            folder.rmdir()
            _LOGGER.info("evidence of %s is older than %g days: deleted", folder.name, keep_days)
        return deleted

    def _days(self) -> list[Path]:
        """The folders of days, oldest first."""
        return [
            folder
            for folder in sorted(self.folder.iterdir())
            if folder.is_dir() and _DAY.fullmatch(folder.name)
        ]


def _begins_s(day: str) -> float:
    return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=timezone.utc).timestamp()
