from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from calibration.format import Floor, Point2
from edge.errors import TrackingError
from edge.tracking.session import CheckIn, Role, SessionChange
from edge.tracking.sessions import Sessions
from edge.tracking.track import Track
from tests.edge.tracking.scripted import SHOP, Stage, Walker

AT_ENTRY = (0.5, 0.5)
INSIDE = (3.0, 3.0)


def track(track_id: str, at_s: float, at: Point2 = AT_ENTRY, **more: object) -> Track:
    whole = Track(
        track_id=track_id,
        at_s=at_s,
        position_m=at,
        velocity_m_s=(0, 0),
        covariance_m2=((0.01, 0), (0, 0.01)),
        state="followed",
        first_seen_s=max(0.0, at_s - 1),
        last_seen_s=at_s,
        found_inside=False,
        swaps=(),
        cameras=("overhead-1",),
        reason="",
    )
    return replace(whole, **more)  # type: ignore[arg-type]


def checkin(number: int, at_s: float, group: int | None = None, role: Role = "shopper") -> CheckIn:
    return CheckIn(
        f"c-{number}", at_s, f"hash-{number}", f"shopper-{number}", role, f"c-{group or number}"
    )


def kinds(changes: Sequence[SessionChange]) -> list[str]:
    return [change.kind for change in changes]


def bindings(sessions: Sessions) -> dict[str, str | None]:
    return {m.checkin.checkin_id: m.track_id for s in sessions.sessions() for m in s.members}


def test_a_checkin_binds_the_track_at_the_entry_and_the_session_ends_at_the_exit() -> None:
    sessions = Sessions(SHOP)
    assert kinds(sessions.check_in(checkin(1, 2.0))) == ["opened"]
    [bound] = sessions.update(2.1, [track("t-1", 2.1), track("t-9", 2.1, INSIDE)])
    assert (bound.kind, bound.track_id, bound.reason) == (
        "bound",
        "t-1",
        "fits best at the entry, 100%",
    )
    assert sessions.update(9.0, [track("t-1", 9.0, INSIDE)]) == ()
    left, closed = sessions.update(20.0, [track("t-1", 20.0, (5.4, 0.5), state="left")])
    assert (left.kind, closed.kind, closed.at_s) == ("left", "closed", 20.0)
    [session] = sessions.sessions()
    assert (session.session_id, session.opened_at_s, session.closed_at_s) == ("c-1", 2.0, 20.0)
    assert sessions.of_track("t-1") == session


def test_a_checkin_before_the_tracker_knows_the_shopper_waits_for_the_track() -> None:
    sessions = Sessions(SHOP)
    sessions.check_in(checkin(1, 2.0))
    assert sessions.update(2.1, []) == ()
    assert kinds(sessions.update(3.5, [track("t-1", 3.5)])) == ["bound"]


def test_a_checkin_with_nobody_at_the_entry_says_so_after_a_while() -> None:
    sessions = Sessions(SHOP)
    sessions.check_in(checkin(1, 2.0))
    assert sessions.update(7.9, [track("t-1", 7.9, INSIDE)]) == ()
    nobody, closed = sessions.update(8.1, [track("t-1", 8.1, INSIDE)])
    assert (nobody.kind, closed.kind) == ("nobody_there", "closed")
    assert "check in again" in nobody.reason
    assert closed.reason == "nobody of it came in"
    assert sessions.update(9.0, [track("t-2", 9.0)]) == ()


def test_a_shopper_who_walks_on_quickly_is_still_theirs() -> None:
    sessions = Sessions(SHOP)
    sessions.update(1.8, [track("t-1", 1.8)])
    sessions.update(2.5, [track("t-1", 2.5, (1.9, 1.9))])
    sessions.check_in(checkin(1, 2.4))  # delivered late
    assert bindings(sessions) == {"c-1": None}
    sessions.update(3.0, [track("t-1", 3.0, INSIDE)])
    assert bindings(sessions) == {"c-1": "t-1"}


def test_who_had_walked_on_while_others_stood_at_the_reader_is_not_bound_beyond_doubt() -> None:
    sessions = Sessions(SHOP)
    sessions.check_in(checkin(1, 1.0))
    sessions.update(1.0, [track("t-1", 1.0)])
    sessions.update(2.0, [track("t-1", 2.0), track("t-2", 2.0)])
    sessions.update(3.0, [track("t-1", 3.0), track("t-2", 3.0, INSIDE)])
    sessions.check_in(checkin(2, 3.1))
    both = [track("t-1", 3.2), track("t-2", 3.2, INSIDE)]
    [bound] = sessions.update(3.2, both)
    assert bound.track_id == "t-2"
    [_, second] = sessions.sessions()
    assert [rival.track_id for rival in second.members[0].may_be] == ["t-1"]


def test_two_at_the_entry_are_bound_in_the_order_they_came_in() -> None:
    sessions = Sessions(SHOP)
    both = [track("t-1", 3.0, first_seen_s=1.0), track("t-2", 3.0, first_seen_s=2.2)]
    sessions.check_in(checkin(1, 2.9))
    assert sessions.update(3.0, both) == ()  # waits for the other one
    sessions.check_in(checkin(2, 3.3))
    sessions.update(4.4, [replace(each, at_s=4.4) for each in both])
    assert bindings(sessions) == {"c-1": "t-1", "c-2": "t-2"}
    assert all(not m.may_be for s in sessions.sessions() for m in s.members)


def test_two_who_came_in_together_are_bound_and_marked_as_exchangeable() -> None:
    sessions = Sessions(SHOP)
    both = [track("t-1", 3.0, first_seen_s=2.0), track("t-2", 3.0, first_seen_s=2.1)]
    sessions.check_in(checkin(1, 2.9))
    sessions.check_in(checkin(2, 2.95))
    for at_s in (3.0, 4.0):
        sessions.update(at_s, [replace(each, at_s=at_s) for each in both])
    first, second = (session.members[0] for session in sessions.sessions())
    [rival] = first.may_be
    assert (first.track_id, second.track_id, rival.track_id) == ("t-1", "t-2", "t-2")
    assert 0.2 < rival.probability < 0.5
    # Whoever is the one is not the other.
    assert second.may_be[0].probability == rival.probability


@pytest.mark.parametrize(("earlier", "shared"), [((0.5, -0.1), True), ((0.5, 0.2), False)])
def test_who_is_first_seen_past_somebody_before_the_door_may_be_who_came_in_first(
    earlier: Point2, shared: bool
) -> None:
    sessions = Sessions(SHOP)
    sessions.update(1.0, [track("t-1", 1.0, earlier, first_seen_s=0.0)])
    first = track("t-1", 2.0, earlier, first_seen_s=0.0)
    sessions.update(2.0, [first, track("t-2", 2.0, (0.7, 0.5), first_seen_s=2.0)])
    sessions.check_in(checkin(1, 3.0))
    sessions.check_in(checkin(2, 3.3))
    for at_s in (3.4, 4.0, 5.0):
        both = track("t-1", at_s, (0.4, 0.4)), track("t-2", at_s, (0.7, 0.5))
        sessions.update(at_s, both)
    members = [member for session in sessions.sessions() for member in session.members]
    assert {member.track_id for member in members} == {"t-1", "t-2"}
    assert all(bool(member.may_be) == shared for member in members)


def test_who_had_gone_before_a_checkin_is_not_taken_for_whoever_stands_there() -> None:
    sessions = Sessions(SHOP)
    sessions.update(3.0, [track("t-1", 3.0), track("t-2", 3.0, (0.5, -0.2), first_seen_s=2.5)])
    gone = track("t-2", 3.6, (0.5, -0.2), state="left")
    sessions.update(3.6, [track("t-1", 3.6), gone])
    sessions.check_in(checkin(1, 3.7))
    sessions.update(4.0, [track("t-1", 4.0), track("t-3", 4.0, (0.9, 0.9), first_seen_s=3.9)])
    sessions.check_in(checkin(2, 5.2))
    for at_s in (5.3, 6.5):
        sessions.update(at_s, [track("t-1", at_s, INSIDE), track("t-3", at_s, (0.9, 0.9))])
    assert bindings(sessions) == {"c-1": "t-1", "c-2": "t-3"}
    assert all(not m.may_be for s in sessions.sessions() for m in s.members)


def test_who_walks_by_the_reader_did_not_check_in_where_somebody_stands() -> None:
    sessions = Sessions(SHOP)
    walking = track("t-1", 3.0, first_seen_s=2.0, velocity_m_s=(1.0, 0.4))
    sessions.update(3.0, [walking, track("t-2", 3.0, (0.9, 0.9), first_seen_s=2.1)])
    sessions.check_in(checkin(1, 3.0))
    inside = track("t-1", 4.2, INSIDE, first_seen_s=2.0)
    [bound] = sessions.update(4.2, [inside, track("t-2", 4.2, (0.9, 0.9), first_seen_s=2.1)])
    assert bound.track_id == "t-2"


def test_a_later_checkin_tells_whose_the_one_before_was() -> None:
    sessions = Sessions(SHOP)
    both = [track("t-1", 3.0, first_seen_s=2.0), track("t-2", 3.0, first_seen_s=2.05)]
    sessions.check_in(checkin(1, 3.0))
    sessions.update(3.0, both)
    [bound] = sessions.update(4.2, [replace(each, at_s=4.2) for each in both])
    assert bound.track_id == "t-1"
    # The other one has walked on, and t-1 is who still stands there when somebody checks in.
    for at_s in (5.0, 6.0, 7.0):
        sessions.update(at_s, [track("t-1", at_s), track("t-2", at_s, INSIDE)])
    sessions.check_in(checkin(2, 6.9))
    changes = sessions.update(7.0, [track("t-1", 7.0), track("t-2", 7.0, INSIDE)])
    changes += sessions.update(8.0, [track("t-1", 8.0), track("t-2", 8.0, INSIDE)])
    assert bindings(sessions) == {"c-1": "t-2", "c-2": "t-1"}
    assert {change.kind for change in changes} == {"bound"}
    assert [sessions.of_track(name) for name in ("t-1", "t-2")] == list(sessions.sessions())[::-1]


def test_who_was_hidden_at_the_entry_and_is_found_farther_in_has_the_checkin_that_is_left() -> None:
    sessions = Sessions(SHOP)
    sessions.check_in(checkin(1, 3.0))
    sessions.update(3.0, [track("t-1", 3.0, first_seen_s=2.0)])
    sessions.update(4.2, [track("t-1", 4.2, first_seen_s=2.0)])
    sessions.check_in(checkin(2, 4.3))
    assert bindings(sessions) == {"c-1": "t-1", "c-2": None}
    # The two had been seen as one; far away, somebody else comes out of nowhere.
    beside = track("t-2", 5.5, (2.4, 2.0), first_seen_s=4.5, found_inside=True)
    far = track("t-3", 5.5, (5.0, 3.8), first_seen_s=4.5, found_inside=True)
    for at_s in (5.5, 6.5):
        here = [track("t-1", at_s, first_seen_s=2.0), beside, far]
        sessions.update(at_s, [replace(each, at_s=at_s) for each in here])
    assert set(bindings(sessions).values()) == {"t-1", "t-2"}


def test_nobody_is_settled_while_whoever_may_be_the_same_is_still_thought_about() -> None:
    sessions = Sessions(SHOP)
    both = [track("t-1", 3.0, first_seen_s=2.0), track("t-2", 3.0, first_seen_s=2.1)]
    sessions.check_in(checkin(1, 3.0))
    sessions.check_in(checkin(2, 5.5))
    for at_s in (3.0, 4.5, 5.5, 6.6, 8.2, 10.0):
        sessions.update(at_s, [replace(each, at_s=at_s) for each in both])
    first, second = (session.members[0] for session in sessions.sessions())
    assert {each.probability for each in first.may_be} == {
        each.probability for each in second.may_be
    }
    assert first.weighed_at_s == second.weighed_at_s == 10.0


def test_whose_track_ends_at_the_entry_as_they_check_in_is_who_is_seen_there_again() -> None:
    sessions = Sessions(SHOP)
    sessions.update(2.4, [track("t-1", 2.4)])
    sessions.update(2.8, [track("t-1", 2.8, (-0.1, 0.6), state="left")])
    sessions.check_in(checkin(1, 3.0))
    for at_s in (4.0, 5.0):
        sessions.update(at_s, [track("t-2", at_s, first_seen_s=3.9)])
    [session] = sessions.sessions()
    [member] = session.members
    assert member.track_id == "t-2"
    assert sum(each.probability for each in member.may_be) < 0.1


def test_who_waits_in_vain_is_told_so_though_others_have_been_bound_since() -> None:
    sessions = Sessions(SHOP)
    sessions.check_in(checkin(1, 2.0))
    sessions.check_in(checkin(2, 2.2))
    told: list[SessionChange] = []
    for at_s in (2.3, 3.3, 7.0, 8.1, 8.3):
        told += sessions.update(at_s, [track("t-1", at_s, first_seen_s=1.0)])
    assert sorted(kinds(told)) == ["bound", "closed", "nobody_there"]


def test_who_stands_at_the_reader_is_the_one_who_checks_in() -> None:
    sessions = Sessions(SHOP, reader_m=(1.0, 1.0))
    both = [track("t-1", 3.0, (0.2, 0.2)), track("t-2", 3.0, (0.95, 0.9))]
    sessions.check_in(checkin(1, 3.0))
    [bound] = sessions.update(3.0, both)
    assert bound.track_id == "t-2"
    assert bound.reason.startswith("fits best at the entry, 99%")


def test_a_group_is_one_session_that_ends_with_its_last_member() -> None:
    sessions = Sessions(SHOP)
    assert kinds(sessions.check_in(checkin(1, 2.0))) == ["opened"]
    sessions.update(2.1, [track("t-1", 2.1)])
    assert kinds(sessions.check_in(checkin(2, 4.0, group=1))) == ["joined"]
    sessions.update(4.1, [track("t-1", 4.1, INSIDE), track("t-2", 4.1)])
    [session] = sessions.sessions()
    assert [member.track_id for member in session.members] == ["t-1", "t-2"]
    gone = track("t-1", 20.0, (5.4, 0.5), state="left")
    assert kinds(sessions.update(20.0, [gone, track("t-2", 20.0, INSIDE)])) == ["left"]
    gone = track("t-2", 22.0, (5.4, 0.5), state="left")
    assert kinds(sessions.update(22.0, [gone])) == ["left", "closed"]


def test_staff_keep_their_role() -> None:
    sessions = Sessions(SHOP)
    sessions.check_in(checkin(1, 2.0, role="staff"))
    assert sessions.sessions()[0].role == "staff"


def test_a_lost_track_leaves_the_session_open_and_may_be_found_again() -> None:
    sessions = Sessions(SHOP)
    sessions.check_in(checkin(1, 2.0))
    sessions.update(2.1, [track("t-1", 2.1)])
    lost = track("t-1", 20.0, INSIDE, state="lost", reason="unseen for 12 s")
    [change] = sessions.update(20.0, [lost])
    assert (change.kind, change.reason) == ("lost", "unseen for 12 s")
    assert sessions.sessions()[0].closed_at_s is None
    assert kinds(sessions.update(30.0, [track("t-1", 30.0, INSIDE)])) == ["found"]


def test_the_same_checkin_delivered_twice_changes_nothing() -> None:
    sessions = Sessions(SHOP)
    sessions.check_in(checkin(1, 2.0))
    assert sessions.check_in(checkin(1, 2.0)) == ()
    sessions.update(2.1, [track("t-1", 2.1)])
    assert sessions.check_in(checkin(1, 2.0)) == ()
    assert len(sessions.sessions()[0].members) == 1


def test_a_long_day_is_forgotten_but_a_late_repetition_still_changes_nothing() -> None:
    sessions = Sessions(SHOP)
    for number in range(1, 40):
        at_s = 100.0 * number
        sessions.check_in(checkin(number, at_s))
        sessions.update(at_s, [track(f"t-{number}", at_s)])
        gone = track(f"t-{number}", at_s + 50, (5.4, 0.5), state="left")
        assert kinds(sessions.update(at_s + 50, [gone])) == ["left", "closed"]
    assert len(sessions.sessions()) < 10
    assert sessions.of_track("t-1") is None
    assert sessions.of_track("t-39") == sessions.sessions()[-1]
    assert sessions.check_in(checkin(1, 100.0)) == ()


def test_who_walks_on_without_a_checkin_is_told() -> None:
    sessions = Sessions(SHOP)
    sessions.check_in(checkin(1, 2.0))
    sessions.update(2.1, [track("t-1", 2.1)])
    walkers = [track("t-1", 9.0, INSIDE), track("t-2", 9.0, INSIDE), track("t-3", 9.0)]
    sessions.update(9.0, walkers)
    assert sessions.unclaimed(walkers) == ("t-2",)


def test_a_whole_visit_from_the_tracker_opens_and_closes_one_session() -> None:
    shopper = Walker("anna", [(0, 0.4, 0.4), (4, 1.5, 3.0), (8, 4.5, 3.0), (12, 5.4, 0.6)])
    stage, sessions = Stage([shopper]), Sessions(SHOP)
    changes = [*sessions.check_in(checkin(1, 0.8))]
    for tracks in stage.run(16).told:
        if tracks:
            changes += sessions.update(tracks[0].at_s, tracks)
    assert kinds(changes) == ["opened", "bound", "left", "closed"]
    assert 12 < changes[-1].at_s < 13.5


def test_a_floor_without_entry_is_refused() -> None:
    with pytest.raises(TrackingError, match="no entry zone"):
        Sessions(Floor(outline=SHOP.outline))
