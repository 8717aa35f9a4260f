"""Stored pictures by address: what an event rests on, in the order in which it happened.

What all shapes share is ``web.shape``'s business.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from edge.events import InteractionEvent
from web.shape import API, Shape

Point = tuple[float, float]
Polygon = tuple[Point, ...]
# In the order in which they happened.
_MOMENTS: Final = ("before", "facing-before", "reach", "hand", "during", "after", "facing-after")
_MOMENT: Final = re.compile(rf"(?:^|[-/])({'|'.join(sorted(_MOMENTS, key=len, reverse=True))})\.")


class Crop(Shape):
    """A stored picture that an event rests on.

    Attributes:
        name: Below the evidence folder.
        url: Where to get it; 404 once it is older than the shop keeps pictures.
        moment: What it shows: ``before``, ``after``, ``hand`` and whatever else the evidence has;
            ``object`` where its name does not say.
    """

    name: str
    url: str
    moment: str


def crops_of(event: InteractionEvent) -> tuple[Crop, ...]:
    """The pictures of an event in the order in which they happened."""
    crops = [crop_shape(name) for name in event.evidence.crops]
    return tuple(sorted(crops, key=lambda crop: _place(crop.moment)))


def crop_shape(name: str) -> Crop:
    """A stored picture by its name."""
    return Crop(name=name, url=f"{API}/crops/{quote(name)}", moment=moment_of(name))


def moment_of(crop: str) -> str:
    """What a stored crop shows, as its name says."""
    found = _MOMENT.search(crop)
    return found[1] if found else "object"


def _place(moment: str) -> int:
    return _MOMENTS.index(moment) if moment in _MOMENTS else len(_MOMENTS)
