"""Labelled crops from the shops' review queues: taken in once, used once somebody approves them.

An event is what a shopper did at a shelf once, as people in the shop settled it (``GET
/api/v1/labelled`` of a device). It is known by shop and event id; the same event taken in again
changes nothing, and one that was settled anew waits for approval again. Crops are checked to be
pictures before they are kept.

Which events are never trained on, so that bundles can be compared on them, follows from their
names alone: an event that was held out once always is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.pipeline.seams import CropsStatus, LabelledCrops
from cloud_trainer.record_file import RecordFile
from models.photos import decode_photo

SCHEMA: Final = """
    CREATE TABLE IF NOT EXISTS labelled (
        place INTEGER PRIMARY KEY,
        shop TEXT NOT NULL,
        event_id TEXT NOT NULL,
        category TEXT NOT NULL,
        sku TEXT,
        recognised_sku TEXT,
        camera TEXT,
        reviewer TEXT,
        settled_at_s REAL,
        crops TEXT NOT NULL,
        status TEXT NOT NULL,
        decided_by TEXT,
        gathered_by INTEGER,
        UNIQUE (shop, event_id)
    );
    CREATE INDEX IF NOT EXISTS labelled_by_category ON labelled (category, status, place)
"""

CROPS_FOLDER: Final = "crops"
MOST_CROPS: Final = 64
_MOST_PIXELS: Final = 4_000_000
_SHOP: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_CROP: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,199}\.png")
_EVENT: Final = (
    "SELECT shop, event_id, category, sku, recognised_sku, camera, reviewer, settled_at_s, crops,"
    " status, decided_by FROM labelled"
)
# What a bundle that learned from an event says of it is no measure of anything.
_NOT_LEARNED: Final = (
    "(gathered_by IS NULL OR gathered_by NOT IN (SELECT number FROM runs WHERE status = 'done'))"
)

EventName = tuple[str, str]
"""Shop and event id."""


@dataclass(frozen=True)
class SettledEvent:
    """An event as a shop tells it.

    Attributes:
        event_id: Its id.
        category: Category of the bundle that looked at it.
        sku: What it is; ``None`` for an object that the shop does not sell.
        recognised_sku: The network's best guess then.
        camera: What saw it.
        reviewer: Who settled it.
        settled_at: When.
        crops: Contents of its PNG files by name.
    """

    event_id: str
    category: str
    sku: str | None
    recognised_sku: str | None
    camera: str | None
    reviewer: str | None
    settled_at: datetime | None
    crops: Mapping[str, bytes]


def is_held_out(name: str, percent: float) -> bool:
    """Whether a photo or event of this name is never trained on: always the same answer."""
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return place < percent / 100 * 2**32


class LabelledEvents:
    """Labelled events in the pipeline's record file, their crops in its folder.

    Args:
        file: The open record file, with the table of ``SCHEMA``.
        folder: The pipeline's folder.
    """

    def __init__(self, file: RecordFile, folder: Path) -> None:
        self._file, self._folder = file, folder / CROPS_FOLDER

    def take_in(self, shop: str, event: SettledEvent, status: CropsStatus = "waiting") -> bool:
        """Keep an event; whether it, or what it says, is new.

        Args:
            shop: Where it comes from.
            event: What was settled.
            status: How it stands at first.

        Raises:
            WalkoutTrainerError: A name or a picture in it is none.
            RecordError: It cannot be written.
        """
        if not _SHOP.fullmatch(shop):
            raise WalkoutTrainerError(f"{shop!r} names no shop: lower case, digits and dashes")
        if not 1 <= len(event.crops) <= MOST_CROPS:
            raise WalkoutTrainerError(f"{shop}: event {event.event_id!r} has no crops, or too many")
        known = self._file.rows(
            "SELECT sku FROM labelled WHERE shop = ? AND event_id = ?", (shop, event.event_id)
        )
        if known and known[0][0] == event.sku:
            return False
        for name, content in event.crops.items():
            self._keep(shop, name, content)
        with self._file.transaction() as connection:
            connection.execute(
                "INSERT INTO labelled (shop, event_id, category, sku, recognised_sku, camera,"
                " reviewer, settled_at_s, crops, status) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (shop, event_id) DO UPDATE SET sku = excluded.sku,"
                " reviewer = excluded.reviewer, settled_at_s = excluded.settled_at_s,"
                " status = excluded.status, decided_by = NULL, gathered_by = NULL",
                (
                    shop,
                    event.event_id,
                    event.category,
                    event.sku,
                    event.recognised_sku,
                    event.camera,
                    event.reviewer,
                    event.settled_at.timestamp() if event.settled_at else None,
                    json.dumps(list(event.crops)),
                    status,
                ),
            )
        return True

    def last_id(self, shop: str) -> str | None:
        """The event that was taken in last from a shop."""
        rows = self._file.rows(
            "SELECT event_id FROM labelled WHERE shop = ? ORDER BY place DESC LIMIT 1", (shop,)
        )
        return str(rows[0][0]) if rows else None

    def decide(self, names: Iterable[EventName], status: CropsStatus, by: str) -> int:
        """Approve events for use, or refuse them; how many there were.

        Args:
            names: Which.
            status: What becomes of them.
            by: Who says so.
        """
        decided = 0
        with self._file.transaction() as connection:
            for shop, event_id in names:
                decided += connection.execute(
                    "UPDATE labelled SET status = ?, decided_by = ?"
                    " WHERE shop = ? AND event_id = ?",
                    (status, by, shop, event_id),
                ).rowcount
        return decided

    def shown(
        self,
        category: str | None = None,
        *,
        status: CropsStatus | None = None,
        after: EventName | None = None,
        limit: int = 50,
    ) -> tuple[LabelledCrops, ...]:
        """Events in the order in which they came.

        Args:
            category: Of one category.
            status: Of one status.
            after: Only those that came after this one.
            limit: At most so many.
        """
        shop, event_id = after or (None, None)
        rows = self._file.rows(
            f"{_EVENT} WHERE (category = ? OR ? IS NULL) AND (status = ? OR ? IS NULL)"
            " AND place > COALESCE((SELECT place FROM labelled WHERE shop = ? AND event_id = ?), 0)"
            " ORDER BY place LIMIT ?",
            (category, category, status, status, shop, event_id, limit),
        )
        return tuple(map(self._event, rows))

    def counts(self, category: str) -> dict[CropsStatus, int]:
        """How many events there are by status."""
        rows = self._file.rows(
            "SELECT status, COUNT(*) FROM labelled WHERE category = ? GROUP BY status", (category,)
        )
        found = {str(status): int(str(count)) for status, count in rows}
        return {
            "waiting": found.get("waiting", 0),
            "approved": found.get("approved", 0),
            "refused": found.get("refused", 0),
        }

    def to_measure(self, category: str, newest: int) -> tuple[LabelledCrops, ...]:
        """The newest events that are not refused and that no serving bundle learned from."""
        rows = self._file.rows(
            f"{_EVENT} WHERE category = ? AND status != 'refused' AND {_NOT_LEARNED}"
            " ORDER BY place DESC LIMIT ?",
            (category, newest),
        )
        return tuple(map(self._event, reversed(rows)))

    def approved(self, category: str) -> tuple[LabelledCrops, ...]:
        """Every approved event, in the order in which they came."""
        rows = self._file.rows(
            f"{_EVENT} WHERE category = ? AND status = 'approved' ORDER BY place", (category,)
        )
        return tuple(map(self._event, rows))

    def gather(self, names: Iterable[EventName], run: int) -> None:
        """Write down that a training run learns from events."""
        with self._file.transaction() as connection:
            connection.executemany(
                "UPDATE labelled SET gathered_by = ? WHERE shop = ? AND event_id = ?",
                [(run, shop, event_id) for shop, event_id in names],
            )

    def _keep(self, shop: str, name: str, content: bytes) -> None:
        if not _CROP.fullmatch(name):
            raise WalkoutTrainerError(f"{shop}: {name[:60]!r} names no crop")
        decode_photo(content, f"crop {name} of {shop}", _MOST_PIXELS)
        path = self._folder / shop / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        fresh.replace(path)

    def _event(self, row: Sequence[object]) -> LabelledCrops:
        shop, event_id, category, sku, guess, camera, reviewer, at_s, crops, status, by = row
        return LabelledCrops(
            shop=str(shop),
            event_id=str(event_id),
            category=str(category),
            sku=_text(sku),
            recognised_sku=_text(guess),
            camera=_text(camera),
            reviewer=_text(reviewer),
            settled_at=(
                None if at_s is None else datetime.fromtimestamp(float(str(at_s)), timezone.utc)
            ),
            crops=tuple(self._folder / str(shop) / name for name in json.loads(str(crops))),
            status=cast(CropsStatus, status),
            decided_by=_text(by),
        )


def name_of(event: LabelledCrops) -> str:
    """What an event is called where photos have names as well."""
    return f"event:{event.shop}/{event.event_id}"


def read_crop(path: Path) -> NDArray[np.uint8]:
    """A crop's pixels, BGR.

    Raises:
        PhotoError: It cannot be read.
    """
    return decode_photo(path.read_bytes(), str(path), _MOST_PIXELS)


def as_photo(crop_bgr: NDArray[np.uint8], crop_share: float) -> NDArray[np.uint8]:
    """A photo whose central share is the crop: around it, its edges mirrored.

    Training looks at the middle of a photo, whose border shows what stands beside the product; a
    crop is all product. Without a border, training would cut off what the device sees.

    Args:
        crop_bgr: Shape ``(H, W, 3)``, uint8 BGR.
        crop_share: ``Preprocessing.photo_crop_share``.
    """
    height, width = crop_bgr.shape[:2]
    beyond = (1 / crop_share - 1) / 2
    top, side = round(height * beyond), round(width * beyond)
    return np.asarray(
        cv2.copyMakeBorder(crop_bgr, top, top, side, side, cv2.BORDER_REFLECT_101), np.uint8
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
