from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from calibration.format import Point2
from edge.events import Evidence, InteractionEvent
from edge.tracking.attribution import Attribution, attribute, whose
from edge.tracking.history import TrackHistory
from edge.tracking.identity import Swap
from edge.tracking.session import CheckIn, Member, Rival, Session
from edge.tracking.silhouettes import Silhouettes
from edge.tracking.within_reach import Explanation, ReachSettings, WithinReach, within_reach
from tests.edge.tracking.pictures import SHELF
from tests.edge.tracking.test_sessions import track

FRONT = (3.0, 4.0)  # in front of the shelf's middle, whose front is at y = 4.6


def event(floor_m: Point2 = FRONT, at_s: float = 10.0) -> InteractionEvent:
    return InteractionEvent(
        event_id="e-1",
        kind="take",
        camera="shelf-1",
        fixture="shelf-a",
        facing="a-1",
        started_at_s=at_s,
        ended_at_s=at_s + 1.2,
        floor_m=floor_m,
        sku="sku-1",
        quantity=1,
        outcome="accept",
        candidates=(),
        evidence=Evidence((), None, None, "drawn"),
    )


def member(number: int, track_id: str | None, may_be: tuple[Rival, ...] = ()) -> Member:
    checkin = CheckIn(f"c-{number}", 1.0, "hash", f"shopper-{number}", "shopper", f"c-{number}")
    return Member(checkin, "bound", track_id, may_be, 1.0)


def session(number: int, *members: Member) -> Session:
    return Session(f"c-{number}", "shopper", 1.0, None, members)


ANNA, BEN = session(1, member(1, "t-1")), session(2, member(2, "t-2"))


def judged(
    places: Mapping[str, Point2],
    sessions: Sequence[Session] = (ANNA, BEN),
    floor_m: Point2 = FRONT,
    **more: Mapping[str, Any],
) -> Attribution:
    history = TrackHistory()
    for k in range(60, 100):
        at_s = k / 7.5
        history.add(
            at_s,
            [
                track(name, at_s, at, **more.get(name.replace("-", ""), {}))
                for name, at in places.items()
            ],
        )
    return attribute(event(floor_m), SHELF, history, sessions)


def test_the_one_who_stands_there_is_charged() -> None:
    found = judged({"t-1": (3.0, 3.95), "t-2": (1.0, 1.0)})
    assert (found.kind, found.session_id) == ("one", "c-1")
    assert found.claims[0].share > 0.95
    assert "c-1" in found.reason


@pytest.mark.parametrize("apart_m", [1.0, 1.3])
def test_two_at_one_shelf_are_told_apart_by_where_the_reach_came_from(apart_m: float) -> None:
    found = judged({"t-1": (2.5, 4.0), "t-2": (2.5 + apart_m, 4.0)}, floor_m=(2.55, 4.05))
    assert (found.kind, found.session_id) == ("one", "c-1")


def test_two_who_both_could_have_are_both_named_and_nobody_is_charged() -> None:
    found = judged({"t-1": (2.8, 4.0), "t-2": (3.2, 4.0)})
    assert (found.kind, found.session_id) == ("several", None)
    assert {claim.session_id for claim in found.claims} == {"c-1", "c-2"}
    assert "5 times likelier" in found.reason


def test_two_of_one_group_are_one_session() -> None:
    family = session(1, member(1, "t-1"), member(3, "t-2"))
    found = judged({"t-1": (2.8, 4.0), "t-2": (3.2, 4.0)}, [family])
    assert (found.kind, found.session_id) == ("one", "c-1")
    assert found.claims[0].track_ids == ("t-1", "t-2")


def test_nobody_near_is_nobody_and_says_how_far_the_nearest_was() -> None:
    found = judged({"t-1": (3.0, 1.0)})
    assert (found.kind, found.claims) == ("none", ())
    assert "3.0 m away" in found.reason


def test_an_empty_floor_is_nobody() -> None:
    found = judged({})
    assert found.kind == "none"
    assert "nobody was within reach of shelf-a" in found.reason


def test_who_has_no_session_is_never_charged_and_stands_in_the_way_of_a_guess() -> None:
    alone = judged({"t-7": (3.0, 4.0)})
    assert (alone.kind, alone.claims[0].session_id) == ("none", None)
    beside = judged({"t-7": (2.9, 4.0), "t-1": (3.1, 4.0)})
    assert beside.kind == "several"


def test_a_track_that_may_be_somebody_else_is_left_to_a_person() -> None:
    swaps = {"swaps": (Swap("t-2", 0.4, 5.0),)}
    found = judged({"t-1": (3.0, 4.0), "t-2": (1.0, 1.0)}, t1=swaps)
    assert found.kind == "several"
    assert {claim.session_id for claim in found.claims} == {"c-1", "c-2"}


def test_a_swap_that_is_unlikely_enough_does_not_stop_a_charge() -> None:
    swaps = {"swaps": (Swap("t-2", 0.03, 5.0),)}
    found = judged({"t-1": (3.0, 4.0), "t-2": (1.0, 1.0)}, t1=swaps)
    assert (found.kind, found.session_id) == ("one", "c-1")


def test_a_swap_within_one_group_does_not_matter() -> None:
    family = session(1, member(1, "t-1"), member(3, "t-2"))
    swaps = {"swaps": (Swap("t-2", 0.5, 5.0),)}
    found = judged({"t-1": (3.0, 4.0), "t-2": (1.0, 1.0)}, [family], t1=swaps)
    assert (found.kind, found.session_id) == ("one", "c-1")


def test_an_uncertain_checkin_is_left_to_a_person() -> None:
    unsure = session(1, member(1, "t-1", may_be=(Rival("t-2", 0.5),)))
    sure = session(2, member(2, "t-2"))
    found = judged({"t-1": (1.0, 1.0), "t-2": (3.0, 4.0)}, [unsure, sure])
    assert found.kind == "several"


def test_a_passer_by_at_the_end_of_the_reach_does_not_take_it_over() -> None:
    history = TrackHistory()
    for k in range(60, 100):
        at_s = k / 7.5
        passing = (0.5 + 0.25 * (k - 72), 3.2)
        history.add(at_s, [track("t-1", at_s, (3.0, 4.05)), track("t-2", at_s, passing)])
    found = attribute(event(), SHELF, history, [ANNA, BEN])
    assert (found.kind, found.session_id) == ("one", "c-1")


def test_the_other_side_of_the_shop_is_out_of_reach_however_vague_the_track() -> None:
    vague = {"covariance_m2": ((1.0, 0.0), (0.0, 1.0)), "state": "hidden"}
    found = judged({"t-1": (3.0, 4.0), "t-2": (1.0, 2.0)}, t2=vague)
    assert (found.kind, found.session_id) == ("one", "c-1")


def test_only_the_moment_of_contact_counts_where_it_is_known() -> None:
    history = TrackHistory()
    for k in range(60, 100):
        at_s = k / 7.5
        first, then = ((3.0, 4.0), (1.0, 1.0)) if at_s < 10.6 else ((1.0, 1.0), (3.0, 4.0))
        history.add(at_s, [track("t-1", at_s, first), track("t-2", at_s, then)])
    whole = attribute(event(), SHELF, history, [ANNA, BEN])
    assert whole.kind == "several"
    for contact_s, session_id in ((10.0, "c-1"), (11.2, "c-2")):
        touched = replace(event(), contact_at_s=contact_s)
        found = attribute(touched, SHELF, history, [ANNA, BEN])
        assert (found.kind, found.session_id) == ("one", session_id)


def test_who_walks_by_did_not_take_it() -> None:
    walking = {"velocity_m_s": (1.1, 0.0)}
    found = judged({"t-1": (2.8, 4.0), "t-2": (3.2, 4.0)}, t2=walking)
    assert (found.kind, found.session_id) == ("one", "c-1")


def test_a_surer_floor_point_tells_two_apart_whom_a_vaguer_one_does_not() -> None:
    history = TrackHistory()
    for k in range(60, 100):
        at_s = k / 7.5
        history.add(at_s, [track("t-1", at_s, (2.75, 4.0)), track("t-2", at_s, (3.25, 4.0))])
    said = event((2.7, 4.0))
    vague, sure = (
        attribute(replace(said, floor_sd_m=sd_m), SHELF, history, [ANNA, BEN])
        for sd_m in (0.5, 0.1)
    )
    assert vague.kind == "several"
    assert (sure.kind, sure.session_id) == ("one", "c-1")


def test_what_is_put_back_was_most_likely_held_before() -> None:
    history = TrackHistory()
    for k in range(60, 100):
        at_s = k / 7.5
        history.add(at_s, [track("t-1", at_s, (2.8, 4.0)), track("t-2", at_s, (3.4, 4.0))])
    back = replace(event(), kind="put_back", floor_m=(3.0, 4.0))
    both = attribute(back, SHELF, history, [ANNA, BEN], held={"c-1": ["sku-1"], "c-2": ["sku-1"]})
    only = attribute(back, SHELF, history, [ANNA, BEN], held={"c-1": ["sku-1"], "c-2": []})
    assert both.kind == "several"
    assert (only.kind, only.session_id) == ("one", "c-1")
    taken = attribute(replace(back, kind="take"), SHELF, history, [ANNA, BEN], held={})
    assert taken.kind == "several"


def test_who_takes_from_a_shelf_beside_staff_is_most_likely_the_shopper() -> None:
    carl = Session("c-3", "staff", 1.0, None, (member(3, "t-2"),))
    near = {"t-1": (2.9, 4.0), "t-2": (3.4, 4.0)}
    assert judged(near).kind == "several"
    assert judged(near, sessions=(ANNA, carl)).session_id == "c-1"
    alone = {"t-1": (5.5, 1.0), "t-2": (3.0, 4.0)}
    assert judged(alone, sessions=(ANNA, carl)).session_id == "c-3"


def test_whoever_has_a_hand_elsewhere_did_not_take_this() -> None:
    history = TrackHistory()
    places = {"t-1": (2.8, 4.0), "t-2": (3.2, 4.0)}
    for k in range(60, 100):
        history.add(k / 7.5, [track(name, k / 7.5, at) for name, at in places.items()])
    here = replace(event((3.0, 4.0)), contact_at_s=10.5)
    there = replace(event((3.25, 4.0)), event_id="e-2", facing="a-2", contact_at_s=10.8)
    there = replace(there, floor_sd_m=0.1)
    late = replace(there, started_at_s=12.2, ended_at_s=12.9, contact_at_s=12.5)
    mine, other, later = (within_reach(each, SHELF, history) for each in (here, there, late))
    both = (ANNA, BEN)
    assert whose(mine, both).kind == "several"
    assert whose(mine, both, meanwhile=(other,)).session_id == "c-1"
    assert whose(mine, both, meanwhile=(later,)).kind == "several"


def _explained(contact_at_s: float | None, **by_track: Mapping[float, float]) -> WithinReach:
    """An event that tracks explain so well at each moment."""
    return WithinReach(
        replace(event(), contact_at_s=contact_at_s),
        {
            name.replace("_", "-"): Explanation(
                track(name.replace("_", "-"), 10.0, FRONT), sum(each.values()), dict(each), 0.1
            )
            for name, each in by_track.items()
        },
        0.1,
    )


def _anna_here_after(apart_s: float) -> float:
    """How likely Anna took here, so long after she surely took at another place."""
    here = _explained(20.0, t_1={20.0: 0.5}, t_2={20.0: 0.5})
    there = _explained(20.0 - apart_s, t_1={20.0 - apart_s: 0.9})
    there = replace(there, event=replace(there.event, event_id="e-2", facing="a-2"))
    claims = whose(here, (ANNA, BEN), meanwhile=(there,)).claims
    return next(each.share for each in claims if each.session_id == "c-1")


def test_the_longer_ago_a_hand_was_elsewhere_the_likelier_it_is_here() -> None:
    shares = [_anna_here_after(apart_s) for apart_s in (0.5, 1.5, 2.5, 4.0, 6.0)]
    assert shares == sorted(shares)
    assert shares[0] < 0.05
    assert shares[-1] == pytest.approx(0.5, abs=0.01)


def test_who_alone_can_have_done_two_things_at_once_did_both() -> None:
    here, there = (_explained(at_s, t_1={at_s: 0.9}) for at_s in (20.0, 20.1))
    there = replace(there, event=replace(there.event, event_id="e-2", facing="a-2"))
    assert whose(here, (ANNA, BEN), meanwhile=(there,)).session_id == "c-1"
    assert whose(there, (ANNA, BEN), meanwhile=(here,)).session_id == "c-1"


def test_where_nobody_who_could_reach_can_have_done_it_nobody_did() -> None:
    found = whose(_explained(20.0, t_1={20.0: 1e-12}), (ANNA, BEN))
    assert (found.kind, found.claims) == ("none", ())
    assert "hands elsewhere" in found.reason


def test_the_arm_of_the_told_moment_says_nothing_of_who_had_none_there_then() -> None:
    arm = {"t-1": 0.02}  # it is hardly Anna's
    then = _explained(20.0, t_1={20.0: 0.5, 16.0: 0.01}, t_2={20.0: 0.05})
    assert whose(then, (ANNA, BEN), dressed=arm).claims[0].session_id == "c-2"
    before = _explained(20.0, t_1={20.0: 0.01, 16.0: 0.5}, t_2={20.0: 0.05})
    assert whose(before, (ANNA, BEN), dressed=arm).session_id == "c-1"


def test_a_moment_that_is_told_wrong_is_looked_for_while_the_place_was_covered() -> None:
    history = TrackHistory()
    for k in range(60, 200):
        at_s = k / 7.5
        # Anna stood there and left; Ben walks by at the moment that is told.
        anna = (3.0, 4.0) if at_s < 14 else (5.5, 1.0)
        ben = track("t-2", at_s, (at_s - 15.0, 4.1), velocity_m_s=(1.0, 0.0))
        history.add(at_s, [track("t-1", at_s, anna), ben])
    covered = replace(event((3.0, 4.0)), ended_at_s=20.0, contact_at_s=18.0)
    found = whose(within_reach(covered, SHELF, history), (ANNA, BEN))
    assert found.session_id == "c-1"


def test_where_nothing_tells_the_moment_whoever_was_there_as_it_began_is_the_likelier() -> None:
    history = TrackHistory()
    for k in range(60, 200):
        at_s = k / 7.5
        first, then = ((3.0, 4.0), (1.0, 1.0)) if at_s < 12 else ((1.0, 1.0), (3.0, 4.0))
        history.add(at_s, [track("t-1", at_s, first), track("t-2", at_s, then)])
    covered = replace(event(), ended_at_s=20.0)
    found = whose(within_reach(covered, SHELF, history), (ANNA, BEN))
    assert [each.session_id for each in found.claims] == ["c-1", "c-2"]
    assert found.kind == "several"  # Ben stood there for four times as long
    evenly = whose(within_reach(covered, SHELF, history, ReachSettings(begins=0.0)), (ANNA, BEN))
    assert [each.session_id for each in evenly.claims] == ["c-2", "c-1"]


def test_who_was_too_close_before_one_of_them_checked_in_does_not_matter() -> None:
    swaps = {"swaps": (Swap("t-2", 0.4, 5.0),)}
    for bound_s, kind in ((4.0, "several"), (6.0, "one")):
        ben = session(2, replace(member(2, "t-2"), bound_at_s=bound_s))
        found = judged({"t-1": (3.0, 4.0), "t-2": (1.0, 1.0)}, [ANNA, ben], t1=swaps)
        assert found.kind == kind


def test_an_exchange_is_in_the_shares_of_checkins_that_were_weighed_together_after_it() -> None:
    swaps = {"swaps": (Swap("t-2", 0.4, 5.0),)}
    for weighed_s, kind in ((4.0, "several"), (6.0, "one")):
        people = [
            session(number, replace(member(number, f"t-{number}"), weighed_at_s=weighed_s))
            for number in (1, 2)
        ]
        found = judged({"t-1": (3.0, 4.0), "t-2": (1.0, 1.0)}, people, t1=swaps)
        assert found.kind == kind


def test_whom_somebody_came_too_close_to_after_they_took_does_not_matter() -> None:
    history = TrackHistory()
    for k in range(60, 100):
        at_s = k / 7.5
        swaps = (Swap("t-2", 0.49, 11.0),) if at_s >= 11.0 else ()
        history.add(at_s, [replace(track("t-1", at_s, (3.0, 4.0)), swaps=swaps)])
    taken = replace(event(), contact_at_s=10.6, ended_at_s=11.2)
    assert whose(within_reach(taken, SHELF, history), (ANNA, BEN)).session_id == "c-1"


@pytest.mark.parametrize(("unseen_s", "may_be_ben"), [(0.2, False), (3.0, True)])
def test_who_has_not_been_seen_for_a_while_may_have_come_to_where_nobody_else_quite_stands(
    unseen_s: float, may_be_ben: bool
) -> None:
    history = TrackHistory()
    for k in range(60, 100):
        at_s = k / 7.5
        beside = track("t-1", at_s, (3.95, 3.9))
        away = track("t-2", at_s, (2.0, 2.6), last_seen_s=at_s - unseen_s)
        history.add(at_s, [beside, away])
    found = whose(within_reach(event(), SHELF, history), (ANNA, BEN))
    assert found.claims[0].session_id == "c-1"
    assert ("c-2" in [each.session_id for each in found.claims]) == may_be_ben


def test_history_forgets_what_is_old_and_gives_the_scans_around_a_short_span() -> None:
    history = TrackHistory(keeps_s=10, keeps_silhouettes_s=3)
    for k in range(400):
        history.add(k / 4, [track("t-1", k / 4)], Silhouettes({}, {}))
    assert history.until_s == 99.75
    assert history.moments(1, 2) == ()
    assert [each.at_s for each in history.moments(95.1, 95.15)] == [95.0, 95.25]
    assert [each.silhouettes is None for each in history.moments(96.6, 96.9)] == [
        True,
        False,
        False,
    ]
