"""The device's last events that a person has verified, decided again by the old and the new.

A release that serves a fleet well may serve this shop badly; what people here have settled says so
before the swap. The folder of verified events::

    verified/events.jsonl     one JSON object a line, the oldest first:
                              {"event_id": "e1", "kind": "take", "sku": "oat-milk",
                               "crops": ["e1-0.png", "e1-1.png"]}
    verified/e1-0.png         crops as they were recognised

``sku`` is ``null`` for an object that the shop does not sell. A line or a crop that cannot be read
is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import ReleaseRefusedError
from edge.events import InteractionKind
from edge.matching.recogniser import Recogniser

_LOGGER: Final = logging.getLogger(__name__)
EVENTS_NAME: Final = "events.jsonl"
_CROPS_AT_ONCE: Final = 16
_LONGEST_BYTES: Final = 8 * 2**20
_CropName = Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,199}\.png$")]


class VerifiedEvent(BaseModel):
    """An interaction event that a person has settled.

    Attributes:
        event_id: Of the interaction event.
        kind: Taken or put back.
        sku: What it was; ``None`` for an object that the shop does not sell.
        crops: Files of its crops.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    event_id: str = Field(min_length=1)
    kind: InteractionKind
    sku: str | None
    crops: tuple[_CropName, ...] = Field(min_length=1, max_length=64)


@dataclass(frozen=True)
class Verdicts:
    """How a recogniser did on verified events.

    Attributes:
        right: Accepted as what they were.
        wrong: Accepted as something else.
        left: Not accepted: left to a person, or rejected.
    """

    right: int
    wrong: int
    left: int


def read_verified(folder: Path, at_most: int) -> tuple[VerifiedEvent, ...]:
    """The last verified events whose crops are there.

    Args:
        folder: Of the verified events; none are there where it is not.
        at_most: How many.
    """
    path = folder / EVENTS_NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError):
        _LOGGER.exception("verified events in %s cannot be read", path)
        return ()
    by_id: dict[str, VerifiedEvent] = {}
    for number, line in enumerate(lines, 1):
        try:
            event = VerifiedEvent.model_validate_json(line)
        except ValidationError as err:
            _LOGGER.warning("%s:%d is left out: %s", path, number, err.errors()[0]["msg"])
            continue
        by_id.pop(event.event_id, None)  # settled once more: the last word counts
        if all((folder / name).is_file() for name in event.crops):
            by_id[event.event_id] = event
    return tuple(by_id.values())[-at_most:] if at_most else ()


def decide_again(
    recogniser: Recogniser,
    folder: Path,
    events: Sequence[VerifiedEvent],
    not_sold_any_more: frozenset[str] = frozenset(),
) -> Verdicts:
    """Let a recogniser decide verified events.

    Args:
        recogniser: Decides.
        folder: Of the crops.
        events: What to decide.
        not_sold_any_more: Products that cannot be right, and are not missed.
    """
    right = wrong = left = 0
    for event in events:
        crops = [crop for name in event.crops if (crop := _read_crop(folder / name)) is not None]
        if not crops:
            continue
        decision = recogniser.recognise(crops[:_CROPS_AT_ONCE]).decision
        if decision.outcome != "accept":
            left += 1
        elif decision.sku == event.sku:
            right += event.sku not in not_sold_any_more
        else:
            wrong += 1
    return Verdicts(right, wrong, left)


def compare(old: Verdicts, new: Verdicts) -> str:
    """Refuse a release that does worse than what serves.

    Returns:
        What was found, in words.

    Raises:
        ReleaseRefusedError: More wrong accepts, or fewer right ones.
    """
    told = (
        f"of the last verified events the new one accepts {new.right} rightly and {new.wrong} "
        f"wrongly, the serving one {old.right} and {old.wrong}"
    )
    if new.wrong > old.wrong or new.right < old.right:
        raise ReleaseRefusedError("shadow", told)
    return told


def _read_crop(path: Path) -> NDArray[np.uint8] | None:
    try:
        if path.stat().st_size > _LONGEST_BYTES:
            return None
        picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):
        return None
    return None if picture is None else np.asarray(picture, np.uint8)
