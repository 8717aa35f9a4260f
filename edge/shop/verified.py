"""What people in this shop have settled, kept as pictures with what they show.

Owns the folder of verified events: which crop of an event shows the object, that a line of
``events.jsonl`` names only pictures that are there, and that the folder stays small and forgets.
Its shape is ``edge.updates.shadow``'s, who decides these events again with every new release.

What was settled is in the ledger; this is made of it, and what a power cut kept from being written
here is added at the next start.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from pydantic import ValidationError

from edge.checkout.basket import Review
from edge.checkout.putting_back import RULES
from edge.config import StoreConfig
from edge.events import InteractionEvent
from edge.evidence import EvidenceFolder
from edge.updates.files import write_whole
from edge.updates.shadow import EVENTS_NAME, VerifiedEvent

_LOGGER: Final = logging.getLogger(__name__)
VERIFIED_NAME: Final = "verified"
_DAY_S: Final = 86_400.0
_AT_MOST: Final = 1000
# The folder is tidied when it has grown by this share, not with every answer.
_GROWTH: Final = 1.25
_UNSAFE: Final = re.compile(r"[^0-9A-Za-z._-]")
_PICTURE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,199}\.png")
_LONGEST_NAME: Final = 150
# The crop that shows the object: what was there before it went, what is there since it came.
_SHOWS_IT: Final = {"take": "before", "put_back": "after"}


class VerifiedEvents:
    """The folder of verified events; safe to use from several threads.

    Args:
        folder: Made when the first event comes.
        evidence: Where crops are taken from.
        known: What the ledger knows of reviews; settled ones that are missing here are added.
        at_most: Events that are kept; the oldest go first.
    """

    def __init__(
        self,
        folder: Path,
        evidence: EvidenceFolder,
        *,
        known: Iterable[Review] = (),
        at_most: int = _AT_MOST,
    ) -> None:
        self.folder = folder
        self._evidence = evidence
        self._at_most = at_most
        self._using = threading.Lock()
        self._events = self._read()
        self._catch_up(known)

    def events(self) -> tuple[VerifiedEvent, ...]:
        """All that are kept, in the order in which they were settled."""
        with self._using:
            return tuple(self._events.values())

    def add(self, event: InteractionEvent, sku: str | None) -> bool:
        """Keep what a person has said that an event's crop shows.

        Args:
            event: The interaction event.
            sku: What it is; ``None`` for an object that the shop does not sell.

        Returns:
            Whether it was kept; not without a crop, or where it cannot be written. The ledger has
            it either way.
        """
        stored = (self._evidence.read(name) for name in object_crops(event))
        pictures = [png for each in stored if each is not None and (png := _as_png(each))]
        if not pictures:
            return False
        with self._using:
            try:
                self._keep(event, sku, pictures)
            except OSError as err:
                _LOGGER.error("verified event %s was not kept: %s", event.event_id, err)
                return False
        return True

    def read(self, name: str) -> bytes | None:
        """A kept crop as PNG; ``None`` where there is none of that name."""
        if not _PICTURE.fullmatch(name):
            return None
        path = self.folder / name
        return path.read_bytes() if path.is_file() else None

    def forget(self, now_wall_s: float, keep_days: float) -> int:
        """Forget what was settled longer ago than pictures are kept.

        Args:
            now_wall_s: Seconds since 1970.
            keep_days: How long they are kept.

        Returns:
            Events that were forgotten.
        """
        oldest_s = now_wall_s - keep_days * _DAY_S
        with self._using:
            kept = {
                name: event
                for name, event in self._events.items()
                if self._settled_at_s(event) >= oldest_s
            }
            forgotten = len(self._events) - len(kept)
            if forgotten:
                self._rewrite(kept)
        return forgotten

    def _catch_up(self, reviews: Iterable[Review]) -> None:
        settled = [
            (review.event, review.settlement.sku)
            for review in reviews
            if review.settlement is not None
            and review.settlement.sku is not None
            and not review.settlement.reviewer.startswith(RULES)
        ]
        settled.sort(key=lambda each: each[0].ended_at_s)
        for event, sku in settled[-self._at_most :]:
            if event.event_id not in self._events:
                self.add(event, sku)

    def _keep(self, event: InteractionEvent, sku: str | None, pictures: Sequence[bytes]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        stem, names = _stem(event.event_id), []
        for number, picture in enumerate(pictures):
            name = f"{stem}-{number}.png"
            write_whole(self.folder / name, picture)
            names.append(name)
        kept = VerifiedEvent(event_id=event.event_id, kind=event.kind, sku=sku, crops=tuple(names))
        self._append(kept)
        self._events.pop(kept.event_id, None)  # settled once more: the last word counts
        self._events[kept.event_id] = kept
        if len(self._events) > self._at_most * _GROWTH:
            self._rewrite(dict(list(self._events.items())[-self._at_most :]))

    def _append(self, event: VerifiedEvent) -> None:
        with (self.folder / EVENTS_NAME).open("ab+") as stream:
            # A line that a power cut has torn must not take the next one with it.
            if stream.seek(0, os.SEEK_END) and not self._ends_whole(stream.name):
                stream.write(b"\n")
            stream.write(event.model_dump_json().encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())

    @staticmethod
    def _ends_whole(path: str) -> bool:
        with Path(path).open("rb") as stream:
            stream.seek(-1, os.SEEK_END)
            return stream.read(1) == b"\n"

    def _rewrite(self, kept: dict[str, VerifiedEvent]) -> None:
        """Keep some of the events; pictures go last, so no line ever names one that is gone."""
        lines = "".join(f"{event.model_dump_json()}\n" for event in kept.values())
        write_whole(self.folder / EVENTS_NAME, lines.encode())
        self._events = kept
        named = {name for event in kept.values() for name in event.crops}
        for path in self.folder.glob("*.png"):
            if path.name not in named:
                path.unlink(missing_ok=True)

    def _settled_at_s(self, event: VerifiedEvent) -> float:
        try:
            return (self.folder / event.crops[0]).stat().st_mtime
        except OSError:
            return float("-inf")

    def _read(self) -> dict[str, VerifiedEvent]:
        try:
            lines = (self.folder / EVENTS_NAME).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return {}
        found: dict[str, VerifiedEvent] = {}
        for line in lines:
            try:
                event = VerifiedEvent.model_validate_json(line)
            except ValidationError:
                continue
            found.pop(event.event_id, None)
            if all((self.folder / name).is_file() for name in event.crops):
                found[event.event_id] = event
        return found


def verified_folder(config: StoreConfig, folder: Path, state: Path) -> Path:
    """Where updates look for what people have settled; with the ledger where there are none.

    Args:
        config: Of the device.
        folder: What its paths are relative to.
        state: Where the ledger is.
    """
    return state / VERIFIED_NAME if config.updates is None else folder / config.updates.verified


def object_crops(event: InteractionEvent) -> tuple[str, ...]:
    """Names of the crops that show what was taken or put back, as it was recognised."""
    # The whole facing of the same moment shows other goods too.
    wanted = re.compile(rf"(?<!facing)-{_SHOWS_IT[event.kind]}\.jpg$")
    return tuple(name for name in event.evidence.crops if wanted.search(name))


def _as_png(jpeg: bytes) -> bytes:
    """A stored crop as PNG; nothing where it is damaged."""
    if not jpeg:
        return b""
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return b"" if pixels is None else cv2.imencode(".png", pixels)[1].tobytes()


def _stem(event_id: str) -> str:
    """A file name for an event: its id where that is one, and something like it where not."""
    safe = _UNSAFE.sub("_", event_id)[:_LONGEST_NAME]
    if safe == event_id and safe[0].isalnum():
        return safe
    return f"e{hashlib.sha256(event_id.encode()).hexdigest()[:12]}-{safe}"
