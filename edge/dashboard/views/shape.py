"""What all shapes share: closed frozen values, pictures by address, and lists in pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from edge.events import InteractionEvent

API: Final = "/api/v1"
Point = tuple[float, float]
Polygon = tuple[Point, ...]
_T = TypeVar("_T")
# In the order in which they happened.
_MOMENTS: Final = ("before", "facing-before", "reach", "hand", "during", "after", "facing-after")
_MOMENT: Final = re.compile(rf"(?:^|[-/])({'|'.join(sorted(_MOMENTS, key=len, reverse=True))})\.")


class Shape(BaseModel):
    """A frozen value that knows all of its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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


class Refusal(Shape):
    """Why something was not done.

    Attributes:
        error: What is wrong and what to do.
    """

    error: str

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"error": "there is no review r-7; it may be settled"}]}
    )


class Listed(Shape, Generic[_T]):
    """A page of a list.

    Attributes:
        items: In the order that the list says.
        next: What to give as ``after`` to go on; ``None`` at the end.
    """

    items: tuple[_T, ...]
    next: str | None = None


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


def money(amount: Decimal) -> str:
    """An amount as it travels."""
    return str(amount)


def page_of(
    items: Sequence[_T], names: Iterable[str], after: str | None, limit: int
) -> tuple[tuple[_T, ...], str | None]:
    """A page of a list and where the next one begins.

    Args:
        items: The whole list.
        names: Of its items, in the same order.
        after: Name of the item that the page before ended with; one that is not there (any more)
            begins anew.
        limit: Longest page.
    """
    named = list(names)
    start = named.index(after) + 1 if after in named else 0
    part = tuple(items[start : start + limit])
    more = start + len(part) < len(named)
    return part, named[start + len(part) - 1] if part and more else None


def _place(moment: str) -> int:
    return _MOMENTS.index(moment) if moment in _MOMENTS else len(_MOMENTS)
