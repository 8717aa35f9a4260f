from __future__ import annotations

import pytest

from cloud_trainer.fleet.devices import DecisionCounts
from cloud_trainer.rollout.course import DecisionGate, FailureGate
from cloud_trainer.rollout.health import (
    Standing,
    Verdict,
    tripped_gate,
    verdict_on,
    worse_decisions,
)
from models.delivery import FailureKind
from tests.cloud_trainer.rollout.devices import NOW, device


@pytest.mark.parametrize(
    ("fields", "attempt", "verdict"),
    [
        ({"serving": 1}, 0, "waiting"),
        ({"serving": None}, 0, "waiting"),
        ({"serving": 1, "state": "fetching", "target": 2}, 0, "under_way"),
        ({"serving": 2, "state": "watching", "target": 2}, 0, "under_way"),
        ({"serving": 2, "state": "done"}, 0, "succeeded"),
        ({"serving": 2}, 0, "succeeded"),
        ({"serving": 1, "failures": 1}, 0, "failed"),
        ({"serving": 1, "failures": 1}, 2, "waiting"),
        ({"serving": 1, "failures": 1, "state": "fetching", "target": 2}, 2, "under_way"),
        ({"serving": 1, "failures": 2}, 2, "failed"),
        ({"serving": 2, "failures": 1}, 2, "succeeded"),
        ({"serving": 2, "online": False}, 0, "unknown"),
        ({"serving": 2, "heard_s_ago": 901.0}, 0, "unknown"),
        ({"serving": 1, "failures": 1, "heard_s_ago": 901.0}, 0, "failed"),
    ],
)
def test_a_verdict_follows_from_what_a_device_said_last_and_when(
    fields: dict[str, object], attempt: int, verdict: Verdict
) -> None:
    found = verdict_on(
        device("d", **fields),  # type: ignore[arg-type]
        "soda",
        2,
        attempt=attempt,
        now=NOW,
        silent_after_s=900.0,
    )
    assert found == verdict


def test_a_device_that_was_never_heard_is_unknown() -> None:
    assert verdict_on(None, "soda", 2, attempt=0, now=NOW, silent_after_s=900.0) == "unknown"


def standing(failed: dict[str, FailureKind | None], succeeded: int, unknown: int = 0) -> Standing:
    verdicts: list[tuple[str, Verdict]] = [(name, "failed") for name in failed]
    verdicts += [(f"ok-{n}", "succeeded") for n in range(succeeded)]
    verdicts += [(f"gone-{n}", "unknown") for n in range(unknown)]
    return Standing(tuple(verdicts), tuple(failed.items()))


@pytest.mark.parametrize(
    ("failed", "succeeded", "trips"),
    [
        (1, 1, False),  # half of them, but one is too few to say anything
        (2, 18, True),
        (2, 38, False),  # 5 % are borne
        (2, 37, True),
    ],
)
def test_a_gate_needs_a_share_and_a_count(failed: int, succeeded: int, trips: bool) -> None:
    gate = FailureGate(max_percent=5.0, min_failed=2)
    found = standing({f"bad-{n}": None for n in range(failed)}, succeeded)
    assert (tripped_gate(found, [gate]) is not None) == trips


def test_silent_devices_do_not_thin_failures_out() -> None:
    gate = FailureGate(max_percent=5.0, min_failed=2)
    found = standing({"a": None, "b": None}, succeeded=10, unknown=1000)
    assert tripped_gate(found, [gate]) is not None


def test_a_gate_may_count_one_kind_of_failure_and_aborting_goes_before_pausing() -> None:
    found = standing({"a": "start", "b": "download", "c": "download"}, succeeded=20)
    pausing = FailureGate(max_percent=5.0, min_failed=2)
    on_start = FailureGate(kind="start", max_percent=1.0, min_failed=1, action="abort")
    on_watch = FailureGate(kind="watch", max_percent=1.0, min_failed=1, action="abort")
    tripped = tripped_gate(found, [pausing, on_start, on_watch])
    assert tripped is not None
    assert tripped[0] == on_start
    assert tripped[1].startswith("1 of 23 devices failed in start")


GATE = DecisionGate()


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ((850, 100, 50), (850, 100, 50), None),
        ((850, 100, 50), (600, 350, 50), "accepted"),
        ((850, 100, 50), (850, 50, 100), "rejected"),
        ((850, 50, 100), (850, 100, 50), "reviewed"),
        ((850, 100, 50), (990, 5, 5), None),  # better is no trouble
        ((8500, 1000, 500), (8300, 1200, 500), None),  # two points are borne
        ((850, 100, 50), (90, 70, 20), None),  # too few to compare
        ((190, 5, 4), (100, 60, 40), None),
    ],
)
def test_worse_decisions_are_noticed_where_they_are_many_and_much_worse(
    before: tuple[int, int, int], after: tuple[int, int, int], word: str | None
) -> None:
    found = worse_decisions(DecisionCounts(*before), DecisionCounts(*after), GATE)
    assert (found is None) if word is None else (found is not None and word in found)


def test_a_difference_that_chance_explains_is_none() -> None:
    before, after = DecisionCounts(170, 20, 10), DecisionCounts(160, 30, 10)
    assert worse_decisions(before, after, GATE) is None
    many = DecisionCounts(16_000, 3_000, 1_000)
    assert worse_decisions(DecisionCounts(17_000, 2_000, 1_000), many, GATE) is not None


def test_decisions_of_one_shop_count_less_than_independent_ones() -> None:
    before, after = DecisionCounts(850, 100, 50), DecisionCounts(805, 145, 50)
    assert worse_decisions(before, after, DecisionGate(design_effect=1.0)) is not None
    assert worse_decisions(before, after, DecisionGate(design_effect=5.0)) is None
