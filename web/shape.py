"""What all shapes of the APIs share: closed frozen values, refusals, and lists in pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

API: Final = "/api/v1"
_T = TypeVar("_T")


class Shape(BaseModel):
    """A frozen value that knows all of its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


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
