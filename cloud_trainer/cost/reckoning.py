"""The whole answer: what each way costs, what dominates, where it turns; as values and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from cloud_trainer.cost.assumptions import Assumptions
from cloud_trainer.cost.figures import Figure
from cloud_trainer.cost.measured import Measurements, begin
from cloud_trainer.cost.model import (
    WAYS,
    Bill,
    checkouts_per_year,
    device_count,
    product_change,
    turnover_per_year,
)
from cloud_trainer.cost.sensitivity import BreakEven, Swing, break_even, saving, tornado

OTHERS: Final = ("cashiers", "self_checkout")
TURNING_ON: Final = (
    "shop.checkouts_per_day",
    "people.wage_per_hour",
    "people.host_hours_per_day",
    "accuracy.missed_pieces_share",
    "accuracy.lines_in_review_share",
    "people.seconds_per_review",
    "devices.shelf_cameras",
    "devices.life_years",
)
"""Figures for which it is told where one way becomes cheaper than another."""

_SWINGS: Final = 12


@dataclass(frozen=True)
class Way:
    """What a way of selling costs one shop.

    Attributes:
        name: ``walkout``, ``cashiers`` or ``self_checkout``.
        parts: By what it goes into, a year.
        per_year: All of it.
        per_checkout: Of it, on one checkout.
        share_of_turnover: Of it, on what the shop sells for.
    """

    name: str
    parts: Mapping[str, float]
    per_year: float
    per_checkout: float
    share_of_turnover: float


@dataclass(frozen=True)
class Reckoning:
    """Everything that is told of the cost.

    Attributes:
        currency: Of all amounts, ISO 4217.
        figures: What it rests on.
        checkouts_per_year: Of one shop.
        turnover_per_year: Of one shop.
        devices: Of one shop.
        ways: The walk-out shop first.
        product_change: One product that comes, changes or goes, in all shops: by its parts.
        product_change_total: All parts.
        savings: In a year and shop, against each other way; negative where the other is cheaper.
        swings: By what is moved, the widest first: ``walkout`` for its cost, another way for
            what is saved against it.
        turns: Where one way becomes cheaper than another.
    """

    currency: str
    figures: tuple[Figure, ...]
    checkouts_per_year: float
    turnover_per_year: float
    devices: int
    ways: tuple[Way, ...]
    product_change: Mapping[str, float]
    product_change_total: float
    savings: Mapping[str, float]
    swings: Mapping[str, tuple[Swing, ...]]
    turns: tuple[BreakEven, ...]

    def document(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def reckon(assumptions: Assumptions, measured: Measurements | None = None) -> Reckoning:
    """What it costs.

    Args:
        assumptions: What is assumed; figures that nobody named give way to measured ones.
        measured: What the system measured of itself.
    """
    begun = begin(assumptions, measured or Measurements())
    a = begun.assumptions
    changed = product_change(a)
    return Reckoning(
        currency=a.currency,
        figures=tuple(_told(each, begun.sources.get(each.path)) for each in a.figures()),
        checkouts_per_year=checkouts_per_year(a),
        turnover_per_year=turnover_per_year(a),
        devices=device_count(a),
        ways=tuple(_way(a, name, of(a)) for name, of in WAYS.items()),
        product_change=changed.parts,
        product_change_total=changed.total,
        savings={other: saving(other)(a) for other in OTHERS},
        swings={
            "walkout": tornado(a, lambda b: WAYS["walkout"](b).total)[:_SWINGS],
            **{other: tornado(a, saving(other))[:_SWINGS] for other in OTHERS},
        },
        turns=tuple(break_even(a, path, other) for other in OTHERS for path in TURNING_ON),
    )


def _way(a: Assumptions, name: str, bill: Bill) -> Way:
    return Way(
        name,
        bill.parts,
        bill.total,
        bill.total / checkouts_per_year(a),
        bill.total / turnover_per_year(a),
    )


def _told(figure: Figure, source: str | None) -> Figure:
    """A figure that was measured here says so, and is no edit of somebody's."""
    if source is None:
        return figure
    return replace(figure, kind="measured", source=source, as_of="", default=figure.value)
