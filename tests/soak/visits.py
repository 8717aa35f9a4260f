"""Months of shop days: who comes, what they take and put back, and what the cameras make of it.

Owns the truth: what a right receipt of every visit says. The same seed gives the same days. People
come and go on a clock that jumps over the hours in which nobody is there.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from calibration.format import Calibration, Point2
from calibration.planogram import Planogram
from edge.checkout.correcting import Verdict
from edge.events import Evidence, InteractionEvent, InteractionKind
from edge.evidence import day_of
from edge.interaction.shelf import Seen, StoredCrop
from edge.shop.shelves import Sighting
from edge.tracking.track import Track, TrackState

OPEN_S: Final = 12 * 3600.0
DAY_S: Final = 24 * 3600.0
STEP_S: Final = 0.5
_BEFORE_THE_SHELF_M: Final = 0.5
_AT_THE_DOOR_S: Final = 2.0
_BEFORE_A_REACH_S: Final = 2.0
_REACH_S: Final = 1.0
_AFTER_A_REACH_S: Final = 1.0
_ON_THE_WAY_OUT_S: Final = 1.0


@dataclass(frozen=True)
class Place:
    """Where something can be taken.

    Attributes:
        camera: That sees it.
        fixture: Its fixture.
        facing: Its facing.
        sku: What stands there.
        stands_m: Where on the floor whoever reaches for it stands.
    """

    camera: str
    fixture: str
    facing: str
    sku: str
    stands_m: Point2


@dataclass(frozen=True)
class Act:
    """One reach.

    Attributes:
        event_id: Of the interaction event that it becomes.
        kind: Taken or put back.
        place: Where.
        quantity: Pieces.
    """

    event_id: str
    kind: InteractionKind
    place: Place
    quantity: int


@dataclass
class Visit:
    """One shopper, from the door to the door.

    Attributes:
        name: The check-in's id, and the session's.
        comes_s: When they stand at the entry, as planned.
        acts: What they do.
        checked_in: Whether the shop has said so.
        touched: Faults that fell into the visit and may make it ask a person.
        given: Ids of events that a camera saw and the shop was told.
        unseen: Ids of events that no camera saw.
    """

    name: str
    comes_s: float
    acts: tuple[Act, ...]
    checked_in: bool = False
    touched: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)

    def truth(self) -> dict[str, int]:
        """Pieces by SKU on a right receipt; what no camera saw is on none."""
        pieces: dict[str, int] = {}
        for act in self.acts:
            pieces[act.place.sku] = pieces.get(act.place.sku, 0) + self._counts(act, pieces)
        return {sku: count for sku, count in pieces.items() if count}

    def verdict(self, event_id: str) -> Verdict:
        """What somebody who knows the truth says of a review."""
        pieces: dict[str, int] = {}
        for act in self.acts:
            change = self._counts(act, pieces)
            if act.event_id == event_id:
                sku = act.place.sku if change else None
                return Verdict("maria", sku, self.name if sku else None, abs(change))
            pieces[act.place.sku] = pieces.get(act.place.sku, 0) + change
        raise KeyError(event_id)

    def _counts(self, act: Act, held: Mapping[str, int]) -> int:
        if act.event_id in self.unseen:
            return 0
        if act.kind == "take":
            return act.quantity
        # Nobody puts back what the shop does not know them to have.
        return -act.quantity if held.get(act.place.sku, 0) >= act.quantity else 0

    @property
    def token(self) -> str:
        """What is shown at the door."""
        return f"token of {self.name}"


def places_of(calibration: Calibration, planogram: Planogram) -> dict[str, list[Place]]:
    """Where something can be taken, by fixture."""
    found: dict[str, list[Place]] = {}
    for name, facing in sorted(planogram.facings.items()):
        fixture = calibration.fixtures[facing.fixture]
        right, up = np.array(fixture.right), np.array(fixture.up)
        middle = np.array(fixture.origin_m) + right * (facing.u_m + facing.width_m / 2)
        x_m, y_m, _ = middle + np.cross(right, up) * _BEFORE_THE_SHELF_M
        place = Place(
            fixture.cameras[0], facing.fixture, name, facing.sku, (float(x_m), float(y_m))
        )
        found.setdefault(facing.fixture, []).append(place)
    return found


def days(
    count: int, visits_a_day: int, places: Mapping[str, Sequence[Place]], seed: int
) -> Iterator[list[Visit]]:
    """The visits of one day after the other, in the order in which they come."""
    chance = random.Random(seed)
    number = 0
    for day in range(count):
        visits: list[Visit] = []
        fixture = ""
        comings = sorted(chance.uniform(0, OPEN_S - 600) for _ in range(visits_a_day))
        for place, coming_s in enumerate(comings):
            number += 1
            name = f"c-{number:05d}"
            comes_s = round(day * DAY_S + coming_s, 1)
            # Every third comes close behind another and goes to another shelf.
            beside = place % 3 == 2
            if beside:
                comes_s = round(visits[-1].comes_s + chance.uniform(5.0, 9.0), 1)
            fixture = chance.choice(sorted(places.keys() - ({fixture} if beside else set())))
            visits.append(Visit(name, comes_s, _acts(name, chance, places[fixture])))
        yield visits


def _acts(name: str, chance: random.Random, places: Sequence[Place]) -> tuple[Act, ...]:
    acts: list[Act] = []
    for number in range(chance.randint(1, 4)):
        taken = [each for each in acts if each.kind == "take"]
        event_id = f"soak-{name}-{number}"
        if taken and chance.random() < 0.15:
            back = chance.choice(taken)
            held = sum(
                each.quantity if each.kind == "take" else -each.quantity
                for each in acts
                if each.place.sku == back.place.sku
            )
            if held >= back.quantity:
                acts.append(Act(event_id, "put_back", back.place, back.quantity))
                continue
        place = chance.choice(places)
        acts.append(Act(event_id, "take", place, chance.choice([1, 1, 1, 2])))
    return tuple(acts)


@dataclass
class Walk:
    """A visit under way: where its shopper is, and what they do at each moment.

    Attributes:
        visit: Whose.
        track: Name that the floor's cameras have given them; another one after a restart.
        found_inside: Whether they were found inside rather than seen to come in.
        over: Whether they have gone out.
    """

    visit: Visit
    at_s: float
    entry_m: Point2
    exit_m: Point2
    track: str
    found_inside: bool = False
    over: bool = False
    _act: int = 0
    _phase: str = "door"
    _phase_s: float = 0.0

    def __post_init__(self) -> None:
        self._phase_s = self.at_s
        self.first_seen_s = self.at_s

    @property
    def is_at_door(self) -> bool:
        """Whether they stand at the entry."""
        return self._phase == "door"

    @property
    def wants_in(self) -> bool:
        """Whether they stand at the door and show their token."""
        return (
            self._phase == "door"
            and not self.visit.checked_in
            and self.at_s - self._phase_s >= STEP_S
        )

    def seen_anew(self, track: str) -> None:
        """The floor's cameras begin anew: nobody knows any more who they are."""
        self.track, self.found_inside, self.first_seen_s = track, True, self.at_s

    def step(self, at_s: float) -> tuple[Track, Act | None, float]:
        """Go on.

        Returns:
            Where they are, what they have done by now if anything, and when they began to.
        """
        self.at_s = at_s
        done: Act | None = None
        began_s = self._phase_s
        gone_s = at_s - self._phase_s
        state: TrackState = "followed"
        if self._phase == "door" and self.visit.checked_in and gone_s >= _AT_THE_DOOR_S:
            self._to("shelf", at_s)
        elif self._phase == "shelf" and gone_s >= _BEFORE_A_REACH_S + _REACH_S:
            done, began_s = self.visit.acts[self._act], at_s - _REACH_S
            self._act += 1
            self._to("after", at_s)
        elif self._phase == "after" and gone_s >= _AFTER_A_REACH_S:
            self._to("shelf" if self._act < len(self.visit.acts) else "exit", at_s)
        elif self._phase == "exit" and gone_s >= _ON_THE_WAY_OUT_S:
            state, self.over = "left", True
        return self._told(at_s, state), done, began_s

    def _to(self, phase: str, at_s: float) -> None:
        self._phase, self._phase_s = phase, at_s

    def _told(self, at_s: float, state: TrackState) -> Track:
        if self._phase == "door":
            place = self.entry_m
        elif self._phase == "exit":
            place = self.exit_m
        else:
            act = self._act if self._phase == "shelf" else self._act - 1
            place = self.visit.acts[act].place.stands_m
        return Track(
            track_id=self.track,
            at_s=at_s,
            position_m=place,
            velocity_m_s=(0.0, 0.0),
            covariance_m2=((0.01, 0.0), (0.0, 0.01)),
            state=state,
            first_seen_s=self.first_seen_s,
            last_seen_s=at_s,
            found_inside=self.found_inside,
            swaps=(),
            cameras=("overhead-1",),
            reason="scripted",
        )


def sighting_of(act: Act, began_s: float, at_s: float, wall_s: float) -> Sighting:
    """What a shelf camera makes of a reach, with two small pictures."""
    day = day_of(wall_s)
    shade = sum(act.event_id.encode()) % 256
    crops = tuple(
        StoredCrop(f"{day}/{act.event_id}-{when}.jpg", np.full((24, 16, 3), shade, np.uint8))
        for when in ("before", "after")
    )
    event = InteractionEvent(
        event_id=act.event_id,
        kind=act.kind,
        camera=act.place.camera,
        fixture=act.place.fixture,
        facing=act.place.facing,
        started_at_s=began_s,
        ended_at_s=at_s,
        floor_m=act.place.stands_m,
        sku=act.place.sku,
        quantity=act.quantity,
        outcome="accept",
        candidates=(),
        evidence=Evidence(
            crops=tuple(each.name for each in crops),
            clip=f"{act.place.camera} {began_s:.2f}-{at_s:.2f}",
            recognition=None,
            reason="scripted",
        ),
        contact_at_s=began_s + _REACH_S / 2,
        floor_sd_m=0.1,
    )
    return Sighting(Seen(event, crops), at_s, camera_sick=False)


def middle_of(polygon: Sequence[Point2]) -> Point2:
    """The middle of a zone."""
    return (
        math.fsum(x for x, _ in polygon) / len(polygon),
        math.fsum(y for _, y in polygon) / len(polygon),
    )
