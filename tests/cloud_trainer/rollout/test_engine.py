from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import ValidationError

from cloud_trainer.errors import RolloutError
from cloud_trainer.fleet.devices import DecisionCounts, HeardDevice
from cloud_trainer.rollout.course import Course, FailureGate, Gates
from cloud_trainer.rollout.engine import (
    Action,
    Fleet,
    after,
    failed_devices,
    next_action,
    standing_of,
)
from cloud_trainer.rollout.state import (
    Rollout,
    begin,
    paused,
    plan_for,
    resumed,
    retried,
    taken_back,
)
from models.delivery import RolloutPlan, takes_candidate
from tests.cloud_trainer.rollout.devices import NOW, PLAN, course, device, fleet_of

NAMES = [f"dev-{number}" for number in range(100)]


def started(course: Course) -> Rollout:
    return begin(PLAN, 2, course, number=1, now=NOW)


def signed_for(rollout: Rollout, plan: RolloutPlan | None = None) -> RolloutPlan:
    """The plan that is signed for a rollout, after the one that it was rolling by."""
    rolling = rollout.model_copy(update={"status": "rolling"})
    before = plan or plan_for(rolling, PLAN, NOW) or PLAN
    return plan_for(rollout, before, NOW) or before


def looked(rollout: Rollout, fleet: Fleet, seconds: float = 0.0) -> tuple[Rollout, Action]:
    """The rollout after everything that follows at once, and why it waits then."""
    now = NOW + timedelta(seconds=seconds)
    while True:
        action = next_action(rollout, fleet, signed_for(rollout), now)
        if action.kind == "wait":
            return rollout, action
        rollout = after(rollout, action, now)


def updated(rollout: Rollout, devices: dict[str, HeardDevice]) -> dict[str, HeardDevice]:
    """Every device that is let in and did not fail serves the release."""
    plan = signed_for(rollout)
    return {
        name: device(name, 2, state="done")
        if takes_candidate(plan, name) and not each.status.agents[0].quarantined
        else each
        for name, each in devices.items()
    }


def test_a_rollout_goes_ring_by_ring_and_share_by_share_to_everyone() -> None:
    rollout = started(course(10, 50, 100, canaries=("dev-1", "dev-2")))
    devices = fleet_of(*map(device, NAMES))
    let_in = []
    for _ in range(4):
        rollout, _ = looked(rollout, Fleet(devices))
        plan = signed_for(rollout)
        let_in.append({name for name in NAMES if takes_candidate(plan, name)})
        devices = updated(rollout, devices)
    rollout, _ = looked(rollout, Fleet(devices))

    assert let_in[0] == {"dev-1", "dev-2"}
    assert all(small < large for small, large in zip(let_in, let_in[1:], strict=False))
    assert let_in[-1] == set(NAMES)
    assert rollout.status == "done"
    final = signed_for(rollout)
    assert (final.stable, final.candidate, final.serial) == (2, None, PLAN.serial + 2)


def test_a_step_lasts_its_time_also_where_all_is_good() -> None:
    rollout = started(course(100, canaries=("dev-1",), wait_s=60.0))
    fleet = Fleet(fleet_of(device("dev-1", 2, state="done"), device("dev-2")))
    waiting, action = looked(rollout, fleet, 59.0)
    assert (waiting.step, action.reason) == (0, "step canary is good; 1 s to go")
    assert looked(rollout, fleet, 60.0)[0].step == 1


def test_an_unheard_fleet_is_not_a_healthy_one() -> None:
    rollout = started(course(1, 100))
    assert looked(rollout, Fleet())[1].reason == "no device has been heard of"
    silent = fleet_of(*(device(name, heard_s_ago=901.0) for name in NAMES))
    assert looked(rollout, Fleet(silent))[1].reason == "no device has been heard of"


def test_silent_devices_hold_a_step_up_where_they_are_many() -> None:
    rollout = started(course(100, canaries=("a", "b", "c")))
    good = device("a", 2, state="done")
    fleet = Fleet(fleet_of(good, device("b", 2, online=False)))
    assert looked(rollout, fleet)[1].reason == "2 of 3 devices are silent"
    fleet = Fleet(fleet_of(good, device("b", 2, online=False), device("c", 2, state="done")))
    assert looked(rollout, fleet)[0].step == 1


def test_failures_pause_and_nobody_else_is_let_in() -> None:
    rollout = started(course(100, canaries=tuple(NAMES[:20])))
    bad = {name: device(name, failures=1) for name in NAMES[:2]}
    devices = updated(rollout, fleet_of(*map(device, NAMES)) | bad)
    rollout, _ = looked(rollout, Fleet(devices))
    assert (rollout.status, rollout.paused_by) == ("paused", "failures")
    assert rollout.reason.startswith("2 of 20 devices failed (10.0 %")
    plan = signed_for(rollout)
    assert plan.paused
    assert plan.candidate == 2


def test_a_step_that_ended_with_too_few_successes_pauses() -> None:
    rollout = started(course(100, canaries=("a", "b")))
    fleet = Fleet(fleet_of(device("a", failures=1), device("b", 2, state="done"), device("c")))
    rollout, _ = looked(rollout, fleet)
    assert (rollout.status, rollout.paused_by) == ("paused", "successes")


def test_a_gate_may_take_a_release_back_by_itself_also_from_a_paused_rollout() -> None:
    gates = Gates(
        failures=(
            FailureGate(max_percent=5.0, min_failed=1),
            FailureGate(kind="start", max_percent=5.0, min_failed=2, action="abort"),
        )
    )
    rollout = started(course(100, canaries=("a", "b", "c"), gates=gates))
    one = fleet_of(device("a", failures=1, kind="start"), device("b", 2), device("c"))
    rollout, _ = looked(rollout, Fleet(one))
    assert rollout.status == "paused"
    two = one | fleet_of(device("b", failures=3, kind="start"))
    rollout, _ = looked(rollout, Fleet(two))
    assert rollout.status == "taken_back"
    plan = signed_for(rollout)
    assert (plan.stable, plan.candidate, plan.withdrawn) == (1, None, (2,))


def test_worse_decisions_pause_and_a_person_may_let_them_pass() -> None:
    rollout = started(course(100, canaries=("a",)))
    fleet = Fleet(
        fleet_of(device("a", 2), device("b")),
        DecisionCounts(850, 100, 50),
        DecisionCounts(500, 450, 50),
    )
    rollout, _ = looked(rollout, fleet)
    assert (rollout.status, rollout.paused_by) == ("paused", "decisions")
    rollout, _ = looked(resumed(rollout, (), NOW), fleet)
    assert (rollout.status, rollout.step) == ("rolling", 1)


def test_after_a_resume_only_further_failures_count() -> None:
    rollout = started(course(100, canaries=("a", "b", "c")))
    fleet = Fleet(
        fleet_of(device("a", failures=1), device("b", failures=1), device("c", 2), device("d"))
    )
    rollout, _ = looked(rollout, fleet)
    assert rollout.status == "paused"
    rollout, _ = looked(resumed(rollout, ("a", "b"), NOW), fleet)
    assert (rollout.status, rollout.step) == ("rolling", 1)
    worse = Fleet(fleet.devices | fleet_of(device("c", failures=1), device("d", failures=1)))
    assert looked(rollout, worse)[0].status == "paused"


def test_a_retry_is_for_the_failed_alone_and_asks_for_more_than_they_tried() -> None:
    rollout = started(course(100))
    fleet = Fleet(fleet_of(device("a", failures=1), device("b", failures=3), device("c", 2)))
    rollout, _ = looked(rollout, fleet)
    again = retried(rollout, failed_devices(rollout, fleet))
    assert again.retry == {"a": 2, "b": 4}
    assert signed_for(again).retry == {"a": 2, "b": 4}
    assert dict(standing_of(again, fleet, PLAN, NOW).verdicts)["a"] == "waiting"
    assert retried(again, {"a": 2}).retry == {"a": 3, "b": 4}
    with pytest.raises(RolloutError, match="failed on no device"):
        retried(rollout, {})


def test_late_devices_may_retry_after_the_end() -> None:
    rollout = started(course(100)).model_copy(update={"status": "done"})
    plan = signed_for(retried(rollout, {"late": 1}), signed_for(rollout))
    assert (plan.stable, plan.candidate, plan.retry) == (2, None, {"late": 2})


def test_a_pace_lets_in_few_at_a_time() -> None:
    rollout = started(course(50, 100, max_under_way=5))
    devices = fleet_of(*map(device, NAMES))
    let_in: list[int] = []
    for _ in range(40):
        rollout, _ = looked(rollout, Fleet(devices))
        if rollout.status == "done":
            break
        plan = signed_for(rollout)
        let_in.append(sum(takes_candidate(plan, name) for name in NAMES))
        devices = updated(rollout, devices)
    assert rollout.status == "done"
    assert all(b - a <= 5 for a, b in zip([0, *let_in], let_in, strict=False))
    assert let_in[-1] >= len(NAMES) - 5


def test_pausing_and_taking_back_end_where_there_is_nothing_to_do() -> None:
    rollout = started(course(100))
    done = rollout.model_copy(update={"status": "done"})
    with pytest.raises(RolloutError, match="is done; there is nothing to pause"):
        paused(done, "person", "")
    with pytest.raises(RolloutError, match="only a paused one goes on"):
        resumed(rollout, (), NOW)
    with pytest.raises(RolloutError, match="is done; roll it back"):
        taken_back(done, "", finished_too=False)
    with pytest.raises(RolloutError, match="is taking back"):
        taken_back(taken_back(done, ""), "")


def test_taking_back_goes_on_until_everybody_heard_is_back() -> None:
    rollout = taken_back(started(course(100)), "bad")
    serving = fleet_of(device("a", 2), device("b", 1, target=2), device("c"))
    assert looked(rollout, Fleet(serving))[1].reason == "2 devices have not gone back yet"
    silent = fleet_of(device("a", 2, online=False), device("b"), device("c"))
    rollout, action = looked(rollout, Fleet(silent))
    assert rollout.status == "taken_back"
    assert "1 silent ones will when they are heard again" in action.reason


def test_a_finished_rollout_is_undone_by_the_plan() -> None:
    done = started(course(100)).model_copy(update={"status": "done"})
    everywhere = signed_for(done)
    plan = plan_for(taken_back(done, "bad"), everywhere, NOW)
    assert plan is not None
    assert (plan.stable, plan.withdrawn, plan.serial) == (1, (2,), everywhere.serial + 1)


def test_a_withdrawn_release_is_taken_back_and_never_signed_again() -> None:
    rollout = started(course(100))
    withdrawn = PLAN.model_copy(update={"withdrawn": (2,)})
    assert plan_for(rollout, withdrawn, NOW) is None
    fleet = Fleet(fleet_of(device("a", 2)))
    assert next_action(rollout, fleet, withdrawn, NOW).kind == "take_back"


def test_whoever_makes_another_release_stable_ends_a_rollout() -> None:
    rollout = started(course(100))
    replaced = PLAN.model_copy(update={"stable": 3})
    assert plan_for(rollout, replaced, NOW) is None
    action = next_action(rollout, Fleet(fleet_of(device("a"))), replaced, NOW)
    assert action.kind == "supersede"
    ended = after(rollout, action, NOW)
    assert plan_for(ended, replaced, NOW) is None


def test_what_the_rollout_does_not_speak_of_stays_in_the_plan() -> None:
    plan = PLAN.model_copy(update={"floor": 1, "withdrawn": (5, 9)})
    signed = signed_for(started(course(100)), plan)
    assert (signed.floor, signed.withdrawn, signed.stable) == (1, (5, 9), 1)
    assert plan_for(started(course(100)), signed, NOW) is None


@pytest.mark.parametrize(
    ("changes", "release", "words"),
    [
        ({}, 1, "may run release 1 of soda already"),
        ({"withdrawn": (2,)}, 2, "is withdrawn"),
        ({"stable": 3, "floor": 3}, 2, "below the floor 3"),
        ({"candidate": 3}, 2, "release 3 of soda is being rolled out"),
    ],
)
def test_a_rollout_begins_only_where_the_plan_allows(
    changes: dict[str, object], release: int, words: str
) -> None:
    with pytest.raises(RolloutError, match=words):
        begin(PLAN.model_copy(update=changes), release, course(100), number=1, now=NOW)


def test_both_releases_withdrawn_is_a_plan_that_nobody_signs() -> None:
    done = started(course(100)).model_copy(update={"status": "done"})
    plan = signed_for(done).model_copy(update={"withdrawn": (1,)})
    with pytest.raises(RolloutError, match="cannot become a plan"):
        plan_for(taken_back(done, "bad"), plan, NOW)


@pytest.mark.parametrize("percents", [(10.0, 5.0, 100.0), (10.0, 50.0), (100.0, 101.0)])
def test_steps_grow_to_everyone(percents: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        course(*percents)


def test_a_device_that_comes_late_is_let_in_like_the_others() -> None:
    rollout = started(course(100))
    early = fleet_of(*(device(name) for name in NAMES[:50]))
    rollout, _ = looked(rollout, Fleet(early))
    rollout, _ = looked(rollout, Fleet(updated(rollout, early)))
    assert rollout.status == "done"
    late = replace(device("late"), heard_at=NOW)
    assert not takes_candidate(signed_for(rollout), late.device_id)
    assert signed_for(rollout).stable == 2
