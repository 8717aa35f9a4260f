"""What dominates, and where one way of selling becomes cheaper than another. Pure.

One figure is changed at a time, all others stay. That says which figure is worth measuring first;
it does not say how likely the ends are together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cloud_trainer.cost.assumptions import Assumptions
from cloud_trainer.cost.figures import MOST, Figure
from cloud_trainer.cost.model import WAYS

Measure = Callable[[Assumptions], float]

_STEPS: Final = 240
_HALVINGS: Final = 60


@dataclass(frozen=True)
class Swing:
    """How far one figure moves an amount.

    Attributes:
        path: The figure.
        low: Low end of what is likely.
        high: High end of it.
        at_low: The amount there.
        at_high: The amount there.
    """

    path: str
    low: float
    high: float
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        """How far the ends lie apart."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True)
class BreakEven:
    """Where two ways cost the same.

    Attributes:
        path: The figure that is changed.
        against: The other way.
        value: What is reckoned with now.
        at: Where both cost the same, the nearest such place; ``None``: nowhere that makes sense.
        cheaper: Where the walk-out shop is cheaper than the other way: ``above`` or ``below`` that,
            or, where there is none, ``always`` or ``never``.
    """

    path: str
    against: str
    value: float
    at: float | None
    cheaper: str


def saving(against: str) -> Measure:
    """What a walk-out shop saves in a year against another way; negative where it costs more."""
    return lambda a: WAYS[against](a).total - WAYS["walkout"](a).total


def tornado(a: Assumptions, measure: Measure) -> tuple[Swing, ...]:
    """How far each figure moves an amount, the widest first; those that do not are left out."""
    swings = []
    for each in a.figures():
        low, high = each.likely()
        at_low, at_high = (measure(a.having(each.path, value)) for value in (low, high))
        swings.append(Swing(each.path, low, high, at_low, at_high))
    return tuple(
        sorted((s for s in swings if s.width > 0), key=lambda swing: (-swing.width, swing.path))
    )


def break_even(a: Assumptions, path: str, against: str) -> BreakEven:
    """Where a walk-out shop begins to be cheaper than another way, or ceases to be.

    Args:
        a: The figures.
        path: Which one is changed.
        against: ``cashiers`` or ``self_checkout``.
    """
    figure, gain = a.figure(path), saving(against)

    def gain_at(value: float) -> float:
        return gain(a.having(path, value))

    places = _places(figure)
    gains = [gain_at(value) for value in places]
    crossings = [
        _between(gain_at, left, right)
        for left, right, one, other in zip(places, places[1:], gains, gains[1:], strict=False)
        if (one > 0) != (other > 0)
    ]
    if not crossings:
        always = "always" if gains[0] > 0 else "never"
        return BreakEven(path, against, figure.value, None, always)
    at = min(crossings, key=lambda value: abs(value - figure.value))
    step = max(abs(at), 1e-9) * 1e-6
    below = gain_at(max(figure.least, at - step)) > gain_at(min(figure.most, at + step))
    return BreakEven(path, against, figure.value, at, "below" if below else "above")


def _places(figure: Figure) -> list[float]:
    """Where to look: in even proportions, over all that makes sense, and at the ends."""
    top = figure.most if figure.most < MOST else max(figure.high, figure.value) * 100
    bottom = max(figure.least, top * 1e-5)
    ratio = (top / bottom) ** (1 / _STEPS)
    return sorted(
        {figure.least, figure.value, *(bottom * ratio**step for step in range(_STEPS + 1))}
    )


def _between(gain_at: Callable[[float], float], left: float, right: float) -> float:
    """Where the gain changes its sign, by halving; steps (a device more) are found as well."""
    positive = gain_at(left) > 0
    for _ in range(_HALVINGS):
        middle = (left + right) / 2
        if (gain_at(middle) > 0) == positive:
            left = middle
        else:
            right = middle
    return (left + right) / 2
