"""What people do at a shelf: reaching, gripping, setting down, stowing away. One person at a time.

Owns the keys of hands and the moments of each act. Does not choose who does what (``script``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tests.simulators.shop.layout import CLEAR_HEIGHT_M, Place, Shop
from tests.simulators.shop.motion import HandKey, Looks, PieceKey, Walk, to_body
from tests.simulators.shop.paths import chained, standing
from tests.simulators.shop.stock import Stock

_REST_RIGHT = (0.24, 0.06, 0.80)
_REST_LEFT = (-0.24, 0.06, 0.80)
_BAG_HANDLE = (-0.27, 0.10, 0.78)
_BAG_MOUTH = (-0.20, 0.20, 0.80)
_LOOK_AT = (0.14, 0.36, 1.16)
_SUPPORT = (-0.06, 0.27, 1.00)
_CRATE_HOLD = (-0.10, 0.36, 0.98)
_CRATE_MOUTH = (0.04, 0.36, 1.08)
_ARM_SLOTS = ((-0.10, 0.27, 1.03), (-0.19, 0.24, 1.05), (-0.06, 0.20, 1.06))
_BEFORE_M = 0.14


@dataclass(frozen=True)
class Interaction:
    """Something somebody did at a shelf, as it truly was.

    Attributes:
        at_s: When the hand gripped or let go; for a touch, when it arrived.
        started_at_s: When the hand came before the front.
        ended_at_s: When it had gone from there.
        kind: ``take``, ``put_back``, ``touch`` or ``restock``.
        behaviour: The same in more detail.
        shopper: Who.
        fixture: Where.
        facing: Where on it.
        sku: What; ``None`` for a thing the shop does not sell.
        quantity: Pieces; 0 for a touch.
        camera: Which shelf camera watches.
    """

    at_s: float
    started_at_s: float
    ended_at_s: float
    kind: str
    behaviour: str
    shopper: str
    fixture: str
    facing: str
    sku: str | None
    quantity: int
    camera: str


@dataclass(eq=False)
class Actor:
    """Somebody while their script is written.

    Attributes:
        name: ``shopper-1``.
        role: ``shopper`` or ``staff``.
        group: Name of the first member of their group.
        looks: What they look like.
        now_s: Until when their script is written.
        floor_m: Where they then are.
        heading: Radians they then face.
        walks: How they came there.
        right: Keys of the right hand.
        left: Keys of the left hand.
        held: Pieces they have.
        arm: Pieces on the left arm, by slot.
        gone: Whether their script is written to its end.
    """

    name: str
    role: str
    group: str
    looks: Looks
    now_s: float
    floor_m: tuple[float, float]
    heading: float
    walks: list[Walk] = field(default_factory=list)
    right: list[HandKey] = field(default_factory=list)
    left: list[HandKey] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    arm: dict[int, str] = field(default_factory=dict)
    gone: bool = False
    _written: tuple[int, Walk | None] = (0, None)

    @property
    def scale(self) -> float:
        """Their height against that of the poses."""
        return self.looks.height_m / 1.75

    def pose(self, place_m: tuple[float, float, float]) -> tuple[float, float, float]:
        """A place in the body's frame for somebody of their height."""
        return place_m[0], place_m[1], place_m[2] * self.scale

    def started(self) -> None:
        """Both hands at rest from now on."""
        resting_left = _REST_LEFT if self.looks.bag is None else _BAG_HANDLE
        if self.role == "staff":
            resting_left = _CRATE_HOLD
        self.right.append(HandKey(self.now_s, "body", self.pose(_REST_RIGHT)))
        self.left.append(HandKey(self.now_s, "body", self.pose(resting_left)))

    def stand_until(self, until_s: float) -> None:
        """Stand still until a moment."""
        if until_s - self.now_s > 1e-3:
            self.walks.append(
                standing(self.now_s, self.floor_m, self.heading, until_s - self.now_s)
            )
            self.now_s = until_s

    def where(self, moments_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places ``(N, 2)`` at moments ``(N,)``, as far as the script is written.

        After that they stay where they stopped; NaN before they come and once they are gone.
        """
        if self._written[0] != len(self.walks):
            self._written = len(self.walks), chained(self.walks)
        walk = self._written[1]
        assert walk is not None
        places = np.stack(
            [np.interp(moments_s, walk.at_s, walk.floor_m[:, axis]) for axis in (0, 1)], axis=1
        )
        absent = moments_s < walk.at_s[0]
        if self.gone:
            absent |= moments_s > walk.at_s[-1]
        places[absent] = np.nan
        return places


class Acts:
    """Lets actors act at the shelves of a shop.

    Args:
        shop: Where.
        stock: What stands on the shelves; changed by every act.
        rng: Varies the moments.
        saw: Called with each interaction.
    """

    def __init__(
        self,
        shop: Shop,
        stock: Stock,
        rng: np.random.Generator,
        saw: Callable[[Interaction], None],
    ) -> None:
        self._shop = shop
        self._stock = stock
        self._rng = rng
        self._saw = saw

    def take(self, actor: Actor, facing: str, pieces: list[str], behaviour: str) -> None:
        """Reach in, grip one or more pieces of a column, pull them out and look at them."""
        first = pieces[0]
        width, depth, height = self._stock.sizes_m[self._stock.model(first)]
        grip_height = _grip_height(height)
        front, inward = self._axes(facing)
        base = self._stock.placed(first)
        grip = base - inward * depth / 2 + [0, 0, grip_height]
        slow = self._rng.uniform(3.2, 4.5) if behaviour == "slow_lift" else 1.0
        started, arrived = self._reach(actor, facing, grip, over=behaviour == "reach_over")
        gripped = arrived + self._rng.uniform(0.18, 0.35)
        lift = np.array([0, 0, min(0.03, max(0.008, CLEAR_HEIGHT_M - height))])
        lifted = gripped + 0.22 * slow
        outside = self._before(grip, front) + lift
        out = lifted + (0.38 + 0.1 * self._rng.random()) * slow
        self._right(actor, gripped, grip)
        self._right(actor, lifted, grip + lift)
        self._right(actor, out, outside)
        facing_yaw = np.degrees(actor.heading)
        for piece in pieces:
            key = self._stock.last(piece)
            away = to_body(
                np.array(key.place_m) - grip + [*actor.floor_m, 0], actor.floor_m, actor.heading
            )
            self._stock.remove(
                piece, _held("hand", gripped, away, key.yaw_deg - facing_yaw, actor.name)
            )
            actor.held.append(piece)
        self._tell(
            actor, gripped, started, out, "take", behaviour, facing,
            self._stock.model(first), len(pieces),
        )  # fmt: skip
        looked = out + 0.5
        self._body(actor, looked, _LOOK_AT)
        self._body(actor, looked + self._rng.uniform(0.2, 0.7), _LOOK_AT)
        self._done(actor, facing, out)

    def stow(self, actor: Actor, pieces: list[str]) -> None:
        """Put what the right hand has into the bag or onto the left arm."""
        now = actor.now_s
        free = [slot for slot in range(len(_ARM_SLOTS)) if slot not in actor.arm]
        if actor.looks.bag is not None or len(free) < len(pieces):
            self._body(actor, now + 0.5, _BAG_MOUTH)
            for piece in pieces:
                self._stock.move(piece, PieceKey(now + 0.5, "bag", holder=actor.name))
        else:
            hold = actor.pose(_ARM_SLOTS[free[0]])
            _, depth, height = self._stock.sizes_m[self._stock.model(pieces[0])]
            self._body(actor, now + 0.5, (hold[0] + 0.05, hold[1], _ARM_SLOTS[free[0]][2] + 0.1))
            for slot, piece in zip(free, pieces, strict=False):
                actor.arm[slot] = piece
                place = np.array(actor.pose(_ARM_SLOTS[slot]))
                self._stock.move(piece, _held("arm", now + 0.5, place, 0.0, actor.name))
            actor.left.append(HandKey(now, "body", actor.left[-1].place_m))
            actor.left.append(HandKey(now + 0.4, "body", actor.pose(_SUPPORT)))
        self._body(actor, now + 0.95, _REST_RIGHT)
        actor.stand_until(now + 0.95)

    def fetch(self, actor: Actor, piece: str) -> None:
        """Take a held piece out of the bag or off the arm into the right hand."""
        now = actor.now_s
        slots = [slot for slot, each in actor.arm.items() if each == piece]
        if slots:
            x, y, z = _ARM_SLOTS[slots[0]]
            self._body(actor, now + 0.5, (x + 0.05, y, z + 0.1))
            del actor.arm[slots[0]]
            if not actor.arm and actor.role != "staff":
                actor.left.append(HandKey(now + 0.7, "body", actor.pose(_SUPPORT)))
                rest = _REST_LEFT if actor.looks.bag is None else _BAG_HANDLE
                actor.left.append(HandKey(now + 1.1, "body", actor.pose(rest)))
        else:
            self._body(actor, now + 0.5, _CRATE_MOUTH if actor.role == "staff" else _BAG_MOUTH)
        self._into_hand(actor, piece, now + 0.5)
        self._body(actor, now + 1.0, _LOOK_AT)
        actor.stand_until(now + 1.0)

    def put(
        self, actor: Actor, facing: str, place: Place, piece: str, kind: str, behaviour: str
    ) -> None:
        """Set a piece that is in the right hand down on a facing."""
        model = self._stock.model(piece)
        _, depth, height = self._stock.sizes_m[model]
        front, inward = self._axes(facing)
        target = self._stock.target(facing, place)
        down = target - inward * depth / 2 + [0, 0, _grip_height(height)]
        lift = np.array([0, 0, min(0.025, max(0.006, CLEAR_HEIGHT_M - height))])
        started = actor.now_s + 0.6
        self._right(actor, started, self._before(down, front) + lift)
        self._right(actor, started + 0.45, down + lift)
        let_go = started + 0.45 + self._rng.uniform(0.18, 0.3)
        self._right(actor, let_go, down)
        self._right(actor, let_go + self._rng.uniform(0.12, 0.25), down)
        out = let_go + self._rng.uniform(0.55, 0.75)
        self._right(actor, out, self._before(down, front))
        self._stock.put(piece, let_go, facing, place)
        actor.held.remove(piece)
        sku = None if model.startswith("unknown/") else model
        self._tell(actor, let_go, started, out, kind, behaviour, facing, sku, 1)
        self._body(actor, out + 0.5, _REST_RIGHT)
        self._done(actor, facing, out)

    def touch(self, actor: Actor, facing: str, piece: str) -> None:
        """Reach in, feel a piece, and leave it."""
        _, depth, height = self._stock.sizes_m[self._stock.model(piece)]
        front, inward = self._axes(facing)
        grip = self._stock.placed(piece) - inward * depth / 2 + [0, 0, _grip_height(height)]
        started, arrived = self._reach(actor, facing, grip, over=False)
        until = arrived + self._rng.uniform(0.5, 1.1)
        self._right(actor, until, grip + [0, 0, 0.015])
        out = until + 0.4
        self._right(actor, out, self._before(grip, front))
        model = self._stock.model(piece)
        self._tell(actor, arrived, started, out, "touch", "touch", facing, model, 0)
        self._body(actor, out + 0.5, _REST_RIGHT)
        self._done(actor, facing, out)

    def _into_hand(self, actor: Actor, piece: str, at_s: float) -> None:
        _, depth, height = self._stock.sizes_m[self._stock.model(piece)]
        away = np.array([0.0, depth / 2, -_grip_height(height)])
        self._stock.move(piece, _held("hand", at_s, away, -90.0, actor.name))

    def _reach(
        self, actor: Actor, facing: str, grip: NDArray[np.float64], *, over: bool
    ) -> tuple[float, float]:
        """The right hand to a grip; when it came before the front, when it arrived."""
        front, inward = self._axes(facing)
        now = actor.now_s
        self._right_here(actor, now)
        started = now + self._rng.uniform(0.5, 0.65)
        if over:
            # In over the goods of the neighbour first, then sideways.
            side = -1.0 if to_body(grip, actor.floor_m, actor.heading)[0] > 0 else 1.0
            right = np.array(self._stock.fixture(facing).right)
            beside = grip + right * side * 0.28 + [0, 0, 0.05]
            self._right(actor, started, self._before(beside, front))
            started_in = started + 0.3
            self._right(actor, started_in, beside - inward * 0.02)
            arrived = started_in + 0.4
        else:
            self._right(actor, started, self._before(grip, front) + [0, 0, 0.03])
            arrived = started + self._rng.uniform(0.35, 0.5)
        self._right(actor, arrived, grip)
        return started, arrived

    def _before(self, grip: NDArray[np.float64], front: float) -> NDArray[np.float64]:
        """A place before the front from which a hand reaches straight in."""
        return np.asarray(grip - self._inward * (float(grip @ self._inward) - front + _BEFORE_M))

    def _axes(self, facing: str) -> tuple[float, NDArray[np.float64]]:
        fixture = self._stock.fixture(facing)
        self._inward = fixture.inward
        return float(np.array(fixture.origin_m) @ fixture.inward), fixture.inward

    def _tell(
        self, actor: Actor, at_s: float, started: float, ended: float, kind: str, behaviour: str,
        facing: str, sku: str | None, quantity: int,
    ) -> None:  # fmt: skip
        fixture = self._shop.planogram.facings[facing].fixture
        camera = self._shop.calibration.fixtures[fixture].cameras[0]
        self._saw(
            Interaction(
                at_s, started, ended, kind, behaviour, actor.name, fixture, facing, sku, quantity,
                camera,
            )
        )  # fmt: skip

    def _done(self, actor: Actor, facing: str, until_s: float) -> None:
        self._stock.lock(facing, until_s)
        actor.stand_until(actor.right[-1].at_s)

    def _right_here(self, actor: Actor, at_s: float) -> None:
        last = actor.right[-1]
        actor.right.append(HandKey(at_s, last.frame, last.place_m))

    def _right(self, actor: Actor, at_s: float, place_m: NDArray[np.float64]) -> None:
        if actor.right[-1].at_s < actor.now_s:
            self._right_here(actor, actor.now_s)
        x, y, z = (float(each) for each in place_m)
        actor.right.append(HandKey(at_s, "shop", (x, y, z)))

    def _body(self, actor: Actor, at_s: float, place_m: tuple[float, float, float]) -> None:
        if actor.right[-1].at_s < actor.now_s:
            self._right_here(actor, actor.now_s)
        actor.right.append(HandKey(at_s, "body", actor.pose(place_m)))


def _grip_height(height_m: float) -> float:
    return float(min(max(height_m * 0.62, 0.02), height_m - 0.005))


def _held(
    where: str, at_s: float, away: NDArray[np.float64], yaw_deg: float, holder: str
) -> PieceKey:
    x, y, z = (float(each) for each in away)
    return PieceKey(at_s, where, (x, y, z), float(yaw_deg), holder)  # type: ignore[arg-type]


def stance(
    shop: Shop, facing: str, u_m: float, aside_m: float, away_m: float
) -> tuple[tuple[float, float], float]:
    """Where to stand to reach a place of a facing, and which way to face."""
    fixture = shop.calibration.fixtures[shop.planogram.facings[facing].fixture]
    side = shop.camera_side[shop.planogram.facings[facing].fixture]
    u = float(np.clip(u_m - side * aside_m, 0.05, fixture.width_m - 0.05))
    x, y, _ = fixture.to_shop(np.array([(u, 0.0, -away_m)]))[0]
    return (float(x), float(y)), float(np.arctan2(fixture.inward[1], fixture.inward[0]))
