"""Rollouts over 110 devices: real signatures, a real broker with mutual TLS, the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cloud_trainer.rollout.course import Course, DecisionGate, FailureGate, Gates, make_steps
from models.delivery import FailureKind, device_share_percent
from tests.simulators.fleet.crowd import Crowd, PlanReader
from tests.simulators.fleet.device import Character, Shares, SimulatedDevice
from tests.simulators.fleet.scene import (
    CATEGORY,
    Scene,
    addresses_of,
    device_names,
    open_scene,
)
from tests.simulators.fleet_broker import NoMosquittoError

DEVICES = device_names(110)
CANARIES = DEVICES[:20]
MIN_FAILED = 2


@contextmanager
def scene_of(tmp_path: Path, published: Path, *failing: str, **usual: object) -> Iterator[Scene]:
    """A scene in which some devices fail with release 2 until they are told to try again."""
    kinds: tuple[FailureKind, ...] = ("watch", "start", "self_test")
    characters = {
        name: Character(
            fails={2: kinds[number % 3]} if name in failing else {},
            mends_at=2,
            **usual,  # type: ignore[arg-type]
        )
        for number, name in enumerate(DEVICES)
    }
    try:
        with open_scene(tmp_path, characters, published=published) as scene:
            yield scene
    except NoMosquittoError as err:
        pytest.skip(str(err))


def course(*percents: float, max_under_way: int | None = None) -> Course:
    return Course(
        steps=make_steps([("canary", tuple(CANARIES))], percents or (50, 100)),
        gates=Gates(
            failures=(FailureGate(max_percent=5.0, min_failed=MIN_FAILED),),
            decisions=DecisionGate(min_decisions=500),
            silent_after_s=20.0,
        ),
        wait_s=0.2,
        max_under_way=max_under_way,
    )


def test_a_tenth_that_fails_is_stopped_at_the_canaries_and_aborting_brings_all_back(
    tmp_path: Path, published: Path
) -> None:
    with scene_of(tmp_path, published, *DEVICES[4::10]) as scene:
        scene.rollouts.start(CATEGORY, 2, course())
        scene.look_until(lambda: "paused" in scene.status(), "the gate to trip")
        assert "2 of" in scene.status()
        assert scene.had(2) <= set(CANARIES)
        assert len(scene.had(2)) <= len(CANARIES) + MIN_FAILED
        assert scene.cloud.plan(CATEGORY).paused

        scene.rollouts.abort(CATEGORY, "tried")
        scene.look_until(lambda: "taken_back" in scene.status(), "the fleet to come back")
        assert scene.serving(1) == set(DEVICES)
        plan = scene.cloud.plan(CATEGORY)
        assert (plan.stable, plan.candidate, plan.withdrawn) == (1, None, (2,))


def test_where_all_canaries_are_well_failures_stop_it_a_few_devices_later(
    tmp_path: Path, published: Path
) -> None:
    # In the order in which the first rollout of release 2 lets them in, every tenth one fails.
    order = sorted(
        DEVICES[len(CANARIES) :], key=lambda name: device_share_percent(f"{CATEGORY}/2/1", name)
    )
    failing, at_a_time = set(order[3::10]), 8
    with scene_of(tmp_path, published, *failing, update_s=0.3) as scene:
        scene.rollouts.start(CATEGORY, 2, course(max_under_way=at_a_time))
        scene.look_until(lambda: "paused" in scene.status(), "the gate to trip")
        # The second one that fails is the 14th; those under way beside it may have taken it too.
        exposed = scene.had(2) - set(CANARIES)
        assert exposed <= set(order[: 14 + at_a_time])

        failed = set(scene.rollouts.overview(CATEGORY).standing.devices("failed"))
        assert failed <= failing
        assert len(failed) >= MIN_FAILED
        assert set(scene.rollouts.retry(CATEGORY).retry) == failed
        scene.rollouts.resume(CATEGORY)
        scene.look_until(lambda: failed <= scene.serving(2), "the failed ones to try again")


def test_a_good_release_reaches_everyone_also_who_comes_late_and_is_rolled_back_from_all(
    tmp_path: Path, published: Path
) -> None:
    with scene_of(tmp_path, published, update_s=0.3) as scene:
        scene.rollouts.start(CATEGORY, 2, course())
        scene.look_until(lambda: scene.status().startswith("done"), "everyone to have it")
        assert len(scene.serving(2)) >= 0.9 * len(DEVICES)
        scene.look_until(lambda: scene.serving(2) == set(DEVICES), "the last ones")
        assert scene.cloud.plan(CATEGORY).stable == 2

        late = SimulatedDevice("late", CATEGORY, 1, Character(update_s=0.1))
        plans = PlanReader(scene.cloud.url, scene.cloud.root, tmp_path / "late", CATEGORY)
        with Crowd([late], addresses_of(scene.broker, ["late"]), CATEGORY, plans):
            scene.look_until(lambda: late.serving == 2, "the late one to have it")
            scene.rollouts.roll_back(CATEGORY, "shoppers complain")
            scene.look_until(lambda: "taken_back" in scene.status(), "the fleet to come back")
            scene.look_until(lambda: late.serving == 1, "the late one to come back")
        assert scene.serving(1) == set(DEVICES)


def test_a_release_that_asks_people_too_often_is_stopped_though_nothing_fails(
    tmp_path: Path, published: Path
) -> None:
    shares = {2: Shares(accepted=0.55, reviewed=0.40)}
    with scene_of(tmp_path, published, shares=shares, decisions_per_s=100.0) as scene:
        scene.rollouts.start(CATEGORY, 2, course().model_copy(update={"wait_s": 60.0}))
        scene.look_until(lambda: "paused" in scene.status(), "the comparison")
        assert "instead of" in scene.status()
        assert scene.rollouts.overview(CATEGORY).rollout.paused_by == "decisions"
        assert scene.had(2) <= set(CANARIES)
