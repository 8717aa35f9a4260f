"""What stands on the shelves as far as it is known: gaps, and goods where they do not belong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from calibration.planogram import Planogram
from edge.checkout.shop import Shop
from edge.interaction.stock import LiveStock
from web.shape import Shape

Level = Literal["empty", "low", "well"]
_LOW_SHARE = 0.34


class ShownFacing(Shape):
    """A facing and what stands on it.

    Attributes:
        facing: Its name.
        fixture: Where.
        sku: What belongs there.
        name: Name of that.
        pieces: How many are believed to stand there.
        capacity: How many fit.
        missing: How many there is room for.
        level: ``empty``, ``low`` (no more than a third) or ``well``.
    """

    facing: str
    fixture: str
    sku: str
    name: str
    pieces: int
    capacity: int
    missing: int
    level: Level


class Misplaced(Shape):
    """A piece where it does not belong.

    Attributes:
        facing: Where it stands.
        fixture: Where that is.
        sku: What it is; ``None`` for an object that nobody knows.
        name: Its name.
        belongs_at: Facings where it belongs.
        event_id: What put it there.
    """

    facing: str
    fixture: str
    sku: str | None
    name: str | None
    belongs_at: tuple[str, ...]
    event_id: str


class ShownStock(Shape):
    """The live planogram.

    Attributes:
        source: ``shelves`` where this device watches them, ``ledger`` where it only hears of them.
        facings: All, by name.
        misplaced: Pieces that belong elsewhere, oldest first.
    """

    source: Literal["shelves", "ledger"]
    facings: tuple[ShownFacing, ...]
    misplaced: tuple[Misplaced, ...]


def stock_shape(
    stock: LiveStock,
    planogram: Planogram,
    name_of: Callable[[str], str],
    source: Literal["shelves", "ledger"],
) -> ShownStock:
    """The live planogram as people see it."""
    fixture_of = {name: facing.fixture for name, facing in planogram.facings.items()}
    return ShownStock(
        source=source,
        facings=tuple(
            ShownFacing(
                facing=name,
                fixture=fixture_of[name],
                sku=sku,
                name=name_of(sku),
                pieces=stock.pieces[name],
                capacity=stock.capacity[name],
                missing=max(0, stock.capacity[name] - stock.pieces[name]),
                level=_level(stock.pieces[name], stock.capacity[name]),
            )
            for name, sku in sorted(stock.belongs.items())
        ),
        misplaced=tuple(
            Misplaced(
                facing=stray.facing,
                fixture=fixture_of[stray.facing],
                sku=stray.sku,
                name=None if stray.sku is None else name_of(stray.sku),
                belongs_at=tuple(
                    name for name, sku in sorted(stock.belongs.items()) if sku == stray.sku
                ),
                event_id=stray.name,
            )
            for stray in stock.strays
        ),
    )


def stock_of_ledger(planogram: Planogram, shop: Shop) -> LiveStock:
    """The live planogram as the ledger tells it, for a device that watches no shelf itself.

    Every interaction counts as the shelf saw it, or as a person settled it.
    """
    stock = LiveStock.of(planogram)
    for event_id, recorded in shop.interactions.items():
        event, review = recorded.event, shop.reviews.get(event_id)
        verdict = None if review is None else review.settlement
        sku = event.sku if verdict is None else verdict.sku
        quantity = event.quantity if verdict is None else verdict.quantity
        facing = event.facing
        if facing is None or facing not in stock.belongs or not quantity:
            continue
        middle_m = planogram.facings[facing].width_m / 2
        if event.kind == "put_back":
            stock = stock.put_back(facing, middle_m, sku, quantity, event_id)
        elif sku == stock.belongs[facing]:
            stock = stock.taken(facing, quantity)
        else:
            for stray in [s for s in stock.strays if (s.facing, s.sku) == (facing, sku)][:quantity]:
                stock = stock.stray_taken(stray)
    return stock


def _level(pieces: int, capacity: int) -> Level:
    if pieces == 0:
        return "empty"
    return "low" if pieces <= _LOW_SHARE * capacity else "well"
