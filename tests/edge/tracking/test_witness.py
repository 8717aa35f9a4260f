"""Two at one shelf, told apart by the arms that the shelf camera saw before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from calibration.format import Point2
from edge.events import InteractionEvent
from edge.interaction.sleeves import Sleeve
from edge.tracking.attribution import Attribution
from edge.tracking.identity import Swap
from edge.tracking.observations import FloorScan
from edge.tracking.session import Rival
from edge.tracking.watch import FloorMoment
from edge.tracking.witness import Witness
from tests.edge.tracking.pictures import SHELF
from tests.edge.tracking.test_attribution import ANNA, BEN, event, member, session
from tests.edge.tracking.test_sessions import track

ANNAS_PLACE, BENS_PLACE = (2.8, 4.0), (3.2, 4.0)
AWAY = (1.0, 1.0)
RED, BLUE = (40, 40, 200), (200, 60, 40)


def sleeve(bgr: tuple[int, int, int], camera: str = "shelf-1", seed: int = 1) -> Sleeve:
    rng = np.random.default_rng(seed)
    pixels = np.clip(np.array(bgr) + rng.normal(0, 12, (120, 3)), 0, 255).astype(np.uint8)
    made = Sleeve.of(camera, [pixels])
    assert made is not None
    return made


def judged(
    first: Sleeve | None,
    both_there: Sleeve | None,
    *,
    swaps: tuple[Swap, ...] = (),
    covered_s: float = 1.2,
    beside_s: float | None = None,
) -> Attribution:
    """Anna takes alone at 10 s; at 20 s both stand there and one of them takes.

    Somebody takes from another facing so long after that.
    """
    witness = Witness({"shelf-a": SHELF}, {})
    for k in range(60, 240):
        at_s = k / 7.5
        alone: Mapping[str, Point2] = {"t-1": (3.0, 4.0), "t-2": AWAY}
        places = alone if at_s < 15 else {"t-1": ANNAS_PLACE, "t-2": BENS_PLACE}
        marks = {"t-1": swaps} if at_s < 15 else {}
        tracks = tuple(
            replace(track(name, at_s, place), swaps=marks.get(name, ()))
            for name, place in places.items()
        )
        witness.saw(FloorMoment(FloorScan(at_s, ((),)), tracks, ()))
    camera = "shelf-1" if first is None else first.camera
    earlier = replace(event(), event_id="e-0", camera=camera, contact_at_s=10.6)
    taken = replace(
        event((3.04, 4.0), 20.0), contact_at_s=20.6, ended_at_s=20.0 + covered_s, floor_sd_m=0.5
    )
    for each, seen in ((earlier, first), (taken, both_there)):
        reached = witness.within_reach(each)
        assert reached is not None
        witness.remember(reached, seen)
    if beside_s is not None:
        other = replace(taken, event_id="e-2", facing="a-1", contact_at_s=20.6 + beside_s)
        reached = witness.within_reach(other)
        assert reached is not None
        witness.remember(reached, None)
    recalled = witness.recall("e-1")
    assert recalled is not None
    return witness.whose(recalled, (ANNA, BEN))


def test_the_arm_of_one_who_took_alone_before_is_known_again() -> None:
    assert judged(None, sleeve(RED, seed=2)).kind == "several"
    mine = judged(sleeve(RED), sleeve(RED, seed=2))
    assert mine.claims[0].session_id == "c-1"
    assert mine.claims[0].share > 0.8
    other = judged(sleeve(RED), sleeve(BLUE, seed=2))
    assert (other.kind, other.session_id) == ("one", "c-2")


def test_while_another_reaches_beside_it_may_be_their_arm_that_was_seen() -> None:
    alone = judged(sleeve(RED), sleeve(BLUE, seed=2))
    beside = judged(sleeve(RED), sleeve(BLUE, seed=2), beside_s=1.0)
    assert alone.kind == "one"
    assert beside.kind == "several"
    assert judged(sleeve(RED), sleeve(BLUE, seed=2), beside_s=2.5).kind == "one"


def _alone(acts: Sequence[InteractionEvent], swapped_at_s: float = 0.0) -> Attribution:
    """One who is as likely staff as a shopper does something, alone at the shelf; whose was it?"""
    staff = session(3, member(3, "t-1", (Rival("t-2", 0.5),)))
    people = (
        session(1, member(1, "t-2", (Rival("t-1", 0.5),))),
        replace(staff, role="staff"),
    )
    witness = Witness({"shelf-a": SHELF}, {})
    for k in range(60, 300):
        at_s = k / 7.5
        swaps = (Swap("t-4", 0.03, swapped_at_s),) if 0 < swapped_at_s <= at_s else ()
        here = replace(track("t-1", at_s, (3.0, 4.0)), swaps=swaps)
        witness.saw(FloorMoment(FloorScan(at_s, ((),)), (here,), ()))
    for each in acts:
        reached = witness.within_reach(each)
        assert reached is not None
        witness.remember(reached)
        found = witness.whose(reached, people, {})
    return found


def _takes(number: int) -> list[InteractionEvent]:
    return [
        replace(event(at_s=10.0 + 5 * k), event_id=f"e-{k}", contact_at_s=10.6 + 5 * k)
        for k in range(number)
    ]


def test_who_takes_again_and_again_is_a_shopper_and_who_brings_from_outside_is_staff() -> None:
    once, taken = _alone(_takes(1)), _alone(_takes(3))
    assert (taken.kind, taken.session_id) == ("one", "c-1")
    assert once.claims[0].share < 0.9 < 0.97 < taken.claims[0].share
    brought = _alone([replace(each, kind="put_back") for each in _takes(3)])
    assert (brought.kind, brought.session_id) == ("one", "c-3")


def test_what_somebody_did_before_they_may_have_been_exchanged_says_nothing_of_them() -> None:
    once, known = _alone(_takes(1)), _alone(_takes(2))
    mixed_between = _alone(_takes(2), swapped_at_s=13.0)
    assert mixed_between.claims[0].share <= once.claims[0].share
    assert known.claims[0].share > 0.95


def test_arms_are_compared_in_the_pictures_of_one_camera_alone() -> None:
    assert judged(sleeve(RED, "shelf-2"), sleeve(BLUE, seed=2)).kind == "several"


def test_an_arm_of_one_who_may_have_been_another_says_nothing() -> None:
    unsure = (Swap("t-2", 0.3, 9.0),)
    told = judged(sleeve(RED), sleeve(BLUE, seed=2), swaps=unsure)
    assert told.kind == "several"


def test_where_the_moment_of_contact_may_be_wrong_the_arm_may_be_anothers() -> None:
    short = judged(sleeve(RED), sleeve(BLUE, seed=2))
    long = judged(sleeve(RED), sleeve(BLUE, seed=2), covered_s=11.0)
    assert short.claims[0].share > long.claims[0].share
    assert long.kind == "several"


@pytest.mark.parametrize("pixels", [0, 30])
def test_too_little_of_an_arm_is_no_look(pixels: int) -> None:
    assert Sleeve.of("shelf-1", [np.zeros((pixels, 3), np.uint8)]) is None
