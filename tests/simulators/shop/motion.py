"""What a timeline is made of: where people stand, where their hands go, where each piece is.

Frozen values that ``script`` writes and ``people``, ``scene`` and ``truth`` read. Pure.

Frame of a body: metres, x to its right, y ahead of it, z up, origin on the floor below it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
PieceWhere = Literal["shelf", "hand", "arm", "bag", "gone"]


@dataclass(frozen=True)
class HandKey:
    """Where a hand is at a moment.

    Attributes:
        at_s: When.
        frame: ``body`` or ``shop``: in which frame the place is given.
        place_m: x, y, z.
    """

    at_s: float
    frame: Literal["body", "shop"]
    place_m: tuple[float, float, float]


@dataclass(frozen=True)
class PieceKey:
    """Where a piece is from a moment on.

    Attributes:
        at_s: From when.
        where: On a shelf, in a right hand, on a left arm, in a bag, or not in the shop.
        place_m: On a shelf, its base in the shop; in a hand, its base from the hand, and on an
            arm, its base from the body, both in the body's frame.
        yaw_deg: Turn about its upright axis, in the shop on a shelf, else against the body.
        holder: Who has it; ``None`` on a shelf.
        facing: On which facing it stands; ``None`` elsewhere.
    """

    at_s: float
    where: PieceWhere
    place_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw_deg: float = 0.0
    holder: str | None = None
    facing: str | None = None


@dataclass(frozen=True)
class Piece:
    """One piece of goods, or a thing somebody brought along.

    Attributes:
        name: Unique.
        model: Key of its mesh: the SKU, or ``unknown/<object>``.
        keys: Where it is, in order of time.
    """

    name: str
    model: str
    keys: tuple[PieceKey, ...]

    def at(self, now_s: float) -> PieceKey:
        """Where it is at a moment."""
        index = bisect_right(self.keys, now_s, key=lambda key: key.at_s)
        return self.keys[max(index - 1, 0)]


@dataclass(frozen=True, eq=False)
class Walk:
    """Where a body is over time.

    Attributes:
        at_s: float64 ``(N,)``, ascending.
        floor_m: float64 ``(N, 2)``.
        heading: float64 ``(N,)``, radians from the shop's x axis, unwrapped.
    """

    at_s: Vector
    floor_m: Vector
    heading: Vector

    def where(self, now_s: float) -> tuple[float, float]:
        """x and y at a moment."""
        x = float(np.interp(now_s, self.at_s, self.floor_m[:, 0]))
        return x, float(np.interp(now_s, self.at_s, self.floor_m[:, 1]))

    def heading_at(self, now_s: float) -> float:
        """Radians at a moment."""
        return float(np.interp(now_s, self.at_s, self.heading))

    def walked_m(self, now_s: float) -> float:
        """The length of the way so far."""
        return float(np.interp(now_s, self.at_s, self._way_m))

    @cached_property
    def _way_m(self) -> Vector:
        steps = np.linalg.norm(np.diff(self.floor_m, axis=0), axis=1)
        return np.concatenate([[0.0], np.cumsum(steps)])


@dataclass(frozen=True)
class Looks:
    """What a person looks like.

    Attributes:
        height_m: From floor to crown.
        girth: Width of the body against the usual, about 1.
        skin: Red, green, blue, 0 to 1.
        hair: The same.
        top: Colour of what they wear above.
        top_print: Second colour of its pattern.
        pattern: ``plain``, ``stripes`` or ``checks``.
        trousers: Colour.
        shoes: Colour.
        sleeves: Whether sleeves are long.
        bag: Colour of the bag at the left; ``None`` without one.
    """

    height_m: float
    girth: float
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    top: tuple[float, float, float]
    top_print: tuple[float, float, float]
    pattern: str
    trousers: tuple[float, float, float]
    shoes: tuple[float, float, float]
    sleeves: bool
    bag: tuple[float, float, float] | None


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody in the shop.

    Attributes:
        name: ``shopper-1``, ``staff-1``.
        looks: What they look like.
        walk: Where they are; they are in the shop from its first to its last moment.
        right_hand: Over time.
        left_hand: Over time.
    """

    name: str
    looks: Looks
    walk: Walk
    right_hand: tuple[HandKey, ...]
    left_hand: tuple[HandKey, ...]

    def present(self, now_s: float) -> bool:
        """Whether they are on the scene."""
        return bool(self.walk.at_s[0] <= now_s <= self.walk.at_s[-1])


def to_shop(
    place_m: tuple[float, float, float], floor_m: tuple[float, float], heading: float
) -> Vector:
    """Shop metres of a place in a body's frame."""
    right = np.array([np.sin(heading), -np.cos(heading), 0.0])
    ahead = np.array([np.cos(heading), np.sin(heading), 0.0])
    base = np.array([floor_m[0], floor_m[1], place_m[2]])
    return np.asarray(base + right * place_m[0] + ahead * place_m[1])


def to_body(place_m: Vector, floor_m: tuple[float, float], heading: float) -> Vector:
    """The place in a body's frame of shop metres."""
    right = np.array([np.sin(heading), -np.cos(heading)])
    ahead = np.array([np.cos(heading), np.sin(heading)])
    away = place_m[:2] - np.array(floor_m)
    return np.array([away @ right, away @ ahead, place_m[2]])


def hand_at(keys: tuple[HandKey, ...], walk: Walk, now_s: float) -> Vector:
    """Where a hand is, shop metres: minimum jerk between keys (Flash and Hogan, 1985)."""
    floor, heading = walk.where(now_s), walk.heading_at(now_s)

    def place(key: HandKey) -> Vector:
        if key.frame == "shop":
            return np.array(key.place_m)
        return to_shop(key.place_m, floor, heading)

    index = bisect_right(keys, now_s, key=lambda key: key.at_s)
    if index == 0:
        return place(keys[0])
    if index == len(keys):
        return place(keys[-1])
    before, after = keys[index - 1], keys[index]
    share = (now_s - before.at_s) / max(after.at_s - before.at_s, 1e-6)
    eased = share**3 * (10 - 15 * share + 6 * share**2)
    return np.asarray(place(before) * (1 - eased) + place(after) * eased)
