"""Writes a shop's story from a seed: who comes, what they do, where every piece is. Pure.

Everybody's story is written in turns: whoever's is written least far goes next and sees what the
others will do as far as theirs is written. So nobody reaches for what somebody else has in hand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tests.simulators.shop.acts import Actor, Acts, Interaction, stance
from tests.simulators.shop.layout import Shop
from tests.simulators.shop.looks import looks
from tests.simulators.shop.motion import HandKey, Person, PieceKey, Walk
from tests.simulators.shop.paths import chained, clearance_m, way
from tests.simulators.shop.stock import Size, Stock
from tests.simulators.shop.story import CheckIn, Story, UnknownObject

BEHAVIOURS = ("take", "put_back", "take_two", "touch", "misplace", "slow_lift", "reach_over")
_WEIGHTS = (0.30, 0.14, 0.13, 0.11, 0.10, 0.11, 0.11)
_APART_M = 0.52


@dataclass(eq=False)
class _Role:
    """Somebody's plans."""

    actor: Actor
    plan: list[str]
    speed_m_s: float
    token: str
    stage: str = "coming"
    acts: int = 0


def write_story(
    shop: Shop,
    sizes_m: dict[str, Size],
    unknown: list[str],
    *,
    shoppers: int,
    seconds: float,
    seed: int,
    behaviours: tuple[str, ...] = BEHAVIOURS,
    staff: bool = True,
) -> Story:
    """The story of a recording.

    Args:
        shop: Where it happens.
        sizes_m: Of every model by its key, unknown objects as ``unknown/<object>``.
        unknown: Keys of those.
        shoppers: How many come.
        seconds: How long it should be; it is longer when somebody is still inside then.
        seed: Fixes everything.
        behaviours: Which of them may happen.
        staff: Whether somebody comes to restock.
    """
    return _Writer(shop, sizes_m, unknown, seconds, seed, behaviours).write(shoppers, staff)


class _Writer:
    def __init__(
        self,
        shop: Shop,
        sizes_m: dict[str, Size],
        unknown: list[str],
        seconds: float,
        seed: int,
        behaviours: tuple[str, ...],
    ) -> None:
        self._shop = shop
        self._rng = np.random.default_rng((seed, 11))
        self._stock = Stock(shop, sizes_m, np.random.default_rng((seed, 12)))
        self._interactions: list[Interaction] = []
        self._acts = Acts(shop, self._stock, self._rng, self._interactions.append)
        self._unknown = unknown
        self._seconds = seconds
        self._seed = seed
        self._behaviours = behaviours
        self._may_take = "take" in behaviours
        self._roles: list[_Role] = []
        self._checkins: list[CheckIn] = []
        self._brought: dict[str, tuple[str, str, float]] = {}
        self._left_at: dict[str, str] = {}

    def write(self, shoppers: int, staff: bool) -> Story:
        self._cast(shoppers, staff)
        while True:
            rest = [role for role in self._roles if role.stage != "gone"]
            if not rest:
                break
            self._go_on(min(rest, key=lambda role: (role.actor.now_s, role.actor.name)))
        people = tuple(
            Person(
                role.actor.name,
                role.actor.looks,
                chained(role.actor.walks),
                tuple(role.actor.right),
                tuple(role.actor.left),
            )
            for role in self._roles
        )
        last = max((float(person.walk.at_s[-1]) for person in people), default=0.0)
        brought = tuple(
            UnknownObject(thing, shopper, from_s, self._left_at.get(piece))
            for piece, (thing, shopper, from_s) in self._brought.items()
        )
        return Story(
            max(self._seconds, last + 0.8),
            people,
            self._stock.pieces(),
            tuple(sorted(self._interactions, key=lambda each: (each.at_s, each.shopper))),
            tuple(sorted(self._checkins, key=lambda each: each.at_s)),
            brought,
            self._stock.counted(),
        )

    # --- who comes ---

    def _cast(self, shoppers: int, staff: bool) -> None:
        rng = self._rng
        latest = max(3.0, self._seconds * 0.52)
        gaps = np.linspace(1.8, latest, shoppers) if shoppers > 1 else np.array([1.8])
        group_of: dict[int, int] = {}
        if shoppers >= 4:
            first = int(rng.integers(0, shoppers - 1))
            group_of[first + 1] = first
        plans = self._plans(shoppers)
        for number in range(shoppers):
            name = f"shopper-{number + 1}"
            comes = float(gaps[number]) + float(rng.uniform(-0.4, 0.4))
            group = name
            if number in group_of:
                leader = self._roles[-1].actor
                group, comes = leader.name, leader.now_s + 1.5
            self._roles.append(self._role(name, "shopper", group, comes, plans[number]))
        if staff:
            comes = self._seconds * float(rng.uniform(0.12, 0.3)) + 2.0
            self._roles.append(self._role("staff-1", "staff", "staff-1", comes, ["restock"] * 2))
        if self._unknown and shoppers >= 2:
            carrier = self._roles[int(rng.integers(shoppers))]
            thing = self._unknown[int(rng.integers(len(self._unknown)))]
            self._give(carrier, thing)

    def _plans(self, shoppers: int) -> list[list[str]]:
        """Every behaviour once over all shoppers where there is time for it, the rest by weight."""
        rng = self._rng
        each = 4 if self._seconds >= 45 else 3 if self._seconds >= 30 else 1
        deck = [str(each) for each in rng.permutation(list(self._behaviours))]
        weights = np.array([_WEIGHTS[BEHAVIOURS.index(name)] for name in self._behaviours])
        while len(deck) < each * shoppers:
            deck.append(str(rng.choice(list(self._behaviours), p=weights / weights.sum())))
        plans = [deck[number::shoppers][: each + 1] for number in range(shoppers)]
        for plan in plans:
            del plan[int(rng.integers(max(2, each - 1), each + 2)) :]
        return plans

    def _role(self, name: str, role: str, group: str, comes: float, plan: list[str]) -> _Role:
        rng = self._rng
        index = len(self._roles)
        x, y = self._shop.door_m
        start = (x + float(rng.uniform(-0.25, 0.25)), y)
        look = looks(np.random.default_rng((self._seed, 20 + index)), staff=role == "staff")
        actor = Actor(name, role, group, look, comes, start, np.pi / 2)
        token = f"tok-{int(rng.integers(10**8)):08d}"
        return _Role(actor, plan, float(rng.uniform(0.95, 1.25)), token)

    def _give(self, role: _Role, thing: str) -> None:
        actor = role.actor
        piece = self._stock.bring(thing)
        self._stock.move(piece, PieceKey(0.0, "gone"))
        self._brought[piece] = thing.removeprefix("unknown/"), actor.name, actor.now_s
        actor.held.append(piece)
        actor.arm[0] = piece
        x, y, z = actor.pose((-0.10, 0.27, 1.03))
        self._stock.move(piece, PieceKey(actor.now_s, "arm", (x, y, z), 0.0, actor.name))
        if self._rng.random() < 0.5:
            role.plan.insert(int(self._rng.integers(len(role.plan) + 1)), "unknown_object")

    # --- what they do ---

    def _go_on(self, role: _Role) -> None:
        if role.stage == "coming":
            self._enter(role)
            return
        # What there is no time for any more is left out, not the rest of the plan with it.
        fits = [each for each in role.plan if self._time_for(role, each)]
        if not fits and role.acts < 2 and role.actor.role == "shopper" and self._may_take:
            # Nobody comes for next to nothing.
            role.plan.append("take")
            fits = ["take"] if self._time_for(role, "take") else []
        role.acts += 1
        if fits:
            behaviour = fits[0]
            role.plan.remove(behaviour)
            done = {
                "restock": self._restock,
                "misplace": self._misplace,
                "put_back": self._put_back,
                "unknown_object": self._leave_object,
            }.get(behaviour)
            if done is None:
                self._take(role, behaviour)
            else:
                done(role)
        else:
            self._leave(role)

    def _time_for(self, role: _Role, behaviour: str) -> bool:
        actor = role.actor
        way_out = np.array(self._shop.way_out_m)
        to_exit_s = float(np.linalg.norm(np.array(actor.floor_m) - way_out)) / role.speed_m_s
        needs_s = {"misplace": 14, "put_back": 12, "restock": 12, "slow_lift": 10}
        ends = actor.now_s + needs_s.get(behaviour, 7) + to_exit_s + 4
        return ends < self._seconds or (not self._interactions and behaviour != "restock")

    def _enter(self, role: _Role) -> None:
        actor = role.actor
        spots = [
            (1.0 + float(self._rng.uniform(-0.45, 0.45)), float(self._rng.uniform(0.35, 0.75)))
            for _ in range(4)
        ]
        self._come_in(role, spots)
        actor.started()
        if actor.arm:
            actor.left[-1] = HandKey(actor.now_s, "body", actor.pose((-0.06, 0.27, 1.00)))
        actor.now_s = float(actor.walks[-1].at_s[-1])
        arrived = actor.now_s
        actor.stand_until(arrived + float(self._rng.uniform(0.7, 1.1)))
        number = len(self._checkins) + 1
        own = f"c-{number}"
        group = next(
            (each.checkin_id for each in self._checkins if each.shopper == actor.group), own
        )
        self._checkins.append(
            CheckIn(own, arrived + 0.3, role.token, actor.name, actor.role, group)
        )
        role.stage = "inside"

    def _come_in(self, role: _Role, spots: list[tuple[float, float]]) -> None:
        """Through the door to one of some spots, later when somebody is in the way."""
        actor = role.actor
        others = [each.actor.where for each in self._others(role)]
        best: tuple[float, Walk, tuple[float, float]] | None = None
        for later_s in np.arange(0.0, 12.0, 0.75):
            for spot in spots:
                walk = way(
                    actor.now_s + float(later_s),
                    actor.floor_m,
                    actor.heading,
                    spot,
                    None,
                    speed_m_s=role.speed_m_s,
                    others=(),
                    floor_m=self._shop.floor_m,
                )
                near = clearance_m(walk.at_s, walk.floor_m, others)
                if best is None or near > best[0]:
                    best = near, walk, spot
            if best is not None and best[0] > _APART_M:
                break
        assert best is not None
        _, walk, actor.floor_m = best
        actor.walks.append(walk)
        actor.now_s, actor.heading = float(walk.at_s[0]), float(walk.heading[-1])
        for piece in actor.held:
            key = self._stock.last(piece)
            self._stock.move(piece, replace(key, at_s=actor.now_s))

    def _leave(self, role: _Role) -> None:
        actor = role.actor
        x, y = self._shop.way_out_m
        spread = float(self._rng.uniform(-0.35, 0.35))
        self._walk(role, (x + spread, 0.45), None)
        self._walk(role, (x + spread, y), None)
        for piece in actor.held:
            self._stock.move(piece, PieceKey(actor.now_s, "gone"))
        role.stage = "gone"
        actor.gone = True

    def _walk(self, role: _Role, goal: tuple[float, float], heading: float | None) -> None:
        actor = role.actor
        others = [each.actor.where for each in self._others(role)]
        walk = way(
            actor.now_s,
            actor.floor_m,
            actor.heading,
            goal,
            heading,
            speed_m_s=role.speed_m_s,
            others=others,
            floor_m=self._shop.floor_m,
        )
        actor.walks.append(walk)
        actor.now_s = float(walk.at_s[-1])
        actor.floor_m = goal
        actor.heading = float(walk.heading[-1])

    def _others(self, role: _Role) -> list[_Role]:
        return [each for each in self._roles if each is not role and each.actor.walks]

    def _go_to(self, role: _Role, facing: str, u_m: float, *, over: bool = False) -> bool:
        """Walk to where a place of a facing is in reach; false when others stand there."""
        rng = self._rng
        away = float(rng.uniform(0.47, 0.56))
        for aside in (0.16, 0.28, 0.04, 0.40, -0.12):
            aside_m = (0.42 if over else aside) + float(rng.uniform(-0.04, 0.04))
            spot, heading = stance(self._shop, facing, u_m, aside_m, away)
            if all(
                np.hypot(*(np.array(spot) - np.array(each.actor.floor_m))) > _APART_M
                for each in self._others(role)
                if each.stage == "inside"
            ):
                near = np.hypot(*(np.array(spot) - np.array(role.actor.floor_m))) < 0.08
                if not near:
                    self._walk(role, spot, heading)
                return True
        return False

    def _facing_order(self, role: _Role) -> list[str]:
        """Facings to try, those of the fixture that is best to go to next first."""
        names = list(self._shop.planogram.facings)
        order = [names[index] for index in self._rng.permutation(len(names))]
        here = role.actor.floor_m

        def far(facing: str) -> float:
            fixture = self._stock.fixture(facing)
            middle = fixture.to_shop(np.array([(fixture.width_m / 2, 0.0, -0.5)]))[0][:2]
            return float(np.linalg.norm(middle - np.array(here)))

        noise = {facing: float(self._rng.uniform(0, 2.0)) for facing in order}
        fixtures = {facing: self._shop.planogram.facings[facing].fixture for facing in order}
        drawn = sorted(set(fixtures.values()))
        joint = {fixture: float(self._rng.uniform(0, 2.5)) for fixture in drawn}
        return sorted(order, key=lambda each: far(each) + joint[fixtures[each]] + noise[each] * 0.2)

    def _take(self, role: _Role, behaviour: str) -> list[str]:
        """Take, take two, touch, lift slowly or reach over; the pieces taken, if any."""
        actor = role.actor
        count = 2 if behaviour == "take_two" else 1
        for facing in self._facing_order(role):
            if not self._stock.free(facing, actor.now_s):
                continue
            for column in self._rng.permutation(self._stock.columns(facing)):
                pieces = self._stock.frontmost(facing, int(column))[:count]
                if len(pieces) < count or not self._grippable(pieces):
                    continue
                u_m = self._u_of(facing, int(column))
                self._stock.lock(facing, actor.now_s + 60)
                if not self._go_to(role, facing, u_m, over=behaviour == "reach_over"):
                    self._stock.lock(facing, actor.now_s)
                    break
                if behaviour == "touch":
                    self._acts.touch(actor, facing, pieces[0])
                    return []
                self._acts.take(actor, facing, pieces, behaviour)
                self._keep(role, pieces)
                return pieces
        return []

    def _grippable(self, pieces: list[str]) -> bool:
        models = {self._stock.model(piece) for piece in pieces}
        if any(piece in self._brought for piece in pieces):
            return False
        if len(pieces) == 1:
            return True
        sizes = [self._stock.sizes_m[model] for model in models]
        return len(models) == 1 and sizes[0][1] < 0.115 and sizes[0][0] < 0.2

    def _u_of(self, facing: str, column: int) -> float:
        return next(place.u_m for place in self._shop.places[facing] if place.column == column)

    def _keep(self, role: _Role, pieces: list[str]) -> None:
        known = [each for each in role.plan if each != "unknown_object"]
        if known or self._rng.random() < 0.6 or role.plan:
            self._acts.stow(role.actor, pieces)

    def _put_back(self, role: _Role) -> None:
        """Take something, think again, and put it back to its like, at once or after a while."""
        taken = self._take(role, "take")
        if not taken:
            return
        self._set_down(role, taken[0], "put_back", own=True)

    def _misplace(self, role: _Role) -> None:
        taken = self._take(role, "take")
        if taken:
            self._set_down(role, taken[0], "misplace", own=False)

    def _leave_object(self, role: _Role) -> None:
        brought = [piece for piece in role.actor.held if piece in self._brought]
        if brought:
            self._set_down(role, brought[0], "unknown_object", own=False)

    def _set_down(self, role: _Role, piece: str, behaviour: str, *, own: bool) -> None:
        actor = role.actor
        model = self._stock.model(piece)
        for facing in self._facing_order(role):
            matches = self._shop.planogram.facings[facing].sku == model
            if matches is not own or not self._stock.free(facing, actor.now_s):
                continue
            for column in self._stock.columns(facing):
                place = self._stock.room(facing, column, model)
                if place is None:
                    continue
                self._stock.lock(facing, actor.now_s + 60)
                if not self._go_to(role, facing, place.u_m):
                    self._stock.lock(facing, actor.now_s)
                    break
                if self._stock.last(piece).where != "hand":
                    self._acts.fetch(actor, piece)
                self._acts.put(actor, facing, place, piece, "put_back", behaviour)
                if piece in self._brought:
                    self._left_at[piece] = facing
                return

    def _restock(self, role: _Role) -> None:
        """Fill the emptiest facing that nobody is at."""
        actor = role.actor
        facings = self._shop.planogram.facings
        counts = self._stock.counted()

        def missing(facing: str) -> int:
            return facings[facing].capacity - sum(counts[facing].values())

        wanted = [each for each in facings if missing(each) and self._stock.free(each, actor.now_s)]
        for facing in sorted(wanted, key=lambda each: (-missing(each), each)):
            sku = facings[facing].sku
            columns = [
                column
                for column in self._stock.columns(facing)
                if self._stock.room(facing, column, sku)
            ]
            if not columns:
                continue
            self._stock.lock(facing, actor.now_s + 60)
            if not self._go_to(role, facing, self._u_of(facing, columns[0])):
                self._stock.lock(facing, actor.now_s)
                continue
            for _ in range(min(3, missing(facing))):
                places = [self._stock.room(facing, column, sku) for column in columns]
                place = next((each for each in places if each is not None), None)
                if place is None or not self._time_for(role, "take"):
                    break
                piece = self._stock.bring(sku)
                self._stock.move(piece, PieceKey(0.0, "gone"))
                actor.held.append(piece)
                self._acts.fetch(actor, piece)
                self._acts.put(actor, facing, place, piece, "restock", "restock")
                self._stock.lock(facing, actor.now_s + 60)
            self._stock.lock(facing, actor.now_s)
            return
