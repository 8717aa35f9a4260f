"""Whether a bundle may replace the serving one: paired figures in, a verdict with reasons out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_trainer.pipeline.comparing import (
    Compared,
    Sight,
    compare,
    difference,
    error_bound,
    may_enrol,
    may_replace,
)
from cloud_trainer.pipeline.settings import ComparisonRule

RULE = ComparisonRule()


def _sights(right: list[bool], settled: bool = False, wrong: float = 0.0) -> list[Sight]:
    count = round(wrong * len(right))
    return [
        Sight("", each, settled and each, not each and place < count)
        for place, each in enumerate(right)
    ]


def _compared(before: list[bool], after: list[bool], groups: int = 1000) -> Compared:
    names = [str(place % groups) for place in range(len(before))]
    return compare(names, _sights(before), _sights(after), 0.95)


def _shares(queries: int, before: int, after: int) -> Compared:
    """``before`` and ``after`` right ones, the same as far as there are that many."""
    return _compared(
        [place < before for place in range(queries)], [place < after for place in range(queries)]
    )


def test_the_bound_is_that_of_agresti_and_min_by_hand() -> None:
    """100 queries, 12 gained, 4 lost: n* = 102, b* = 12.5, c* = 4.5.

    Difference 8 / 102 = 0.07843; variance (17 - 64 / 102) / 102^2 = 0.0015736, its root 0.039669;
    1.644854 standard deviations are 0.065250.
    """
    before = [False] * 12 + [True] * 88
    after = [True] * 12 + [False] * 4 + [True] * 84
    found = difference([str(place) for place in range(100)], before, after, 0.95)
    assert (found.gained, found.lost) == (12, 4)
    assert found.design_effect == pytest.approx(1.0)
    assert found.low_points == pytest.approx(100 * (0.07843 - 0.06525), abs=0.01)
    assert found.high_points == pytest.approx(100 * (0.07843 + 0.06525), abs=0.01)
    assert found.points == pytest.approx(8.0)


def test_queries_that_change_together_count_less() -> None:
    """Ten groups of ten that flip as one tell what ten queries would, about."""
    before = [False] * 20 + [True] * 80
    after = [True] * 100
    alone = difference([str(place) for place in range(100)], before, after, 0.95)
    grouped = difference([str(place // 10) for place in range(100)], before, after, 0.95)
    assert grouped.design_effect == pytest.approx(11.1, abs=0.2)
    assert grouped.low_points < 0 < alone.low_points


def test_the_bound_covers_the_true_difference_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(400):
        shared = rng.random(30)  # each group has a mood of its own
        right_before = rng.random((30, 8)) < 0.6 + 0.3 * (shared[:, None] - 0.5)
        right_after = rng.random((30, 8)) < 0.7 + 0.3 * (shared[:, None] - 0.5)
        groups = [str(group) for group in range(30) for _ in range(8)]
        found = difference(
            groups, right_before.ravel().tolist(), right_after.ravel().tolist(), 0.95
        )
        missed += found.low_points > 10.0
    assert missed / 400 < 0.08


def test_better_where_it_was_trained_for_and_not_worse_elsewhere_goes_out() -> None:
    verdict = may_replace(_shares(300, 280, 279), _shares(100, 50, 80), "events", RULE)
    assert verdict.passes
    assert all(reason.startswith("held: ") for reason in verdict.reasons)


def test_as_good_as_before_is_not_better() -> None:
    verdict = may_replace(_shares(300, 280, 280), _shares(100, 50, 50), "events", RULE)
    assert not verdict.passes
    assert verdict.reasons[3].startswith("NOT HELD: human-verified events must be better: 50 -> 50")


def test_better_on_events_at_the_cost_of_photos_is_stopped() -> None:
    verdict = may_replace(_shares(300, 280, 265), _shares(100, 50, 80), "events", RULE)
    assert not verdict.passes
    assert "NOT HELD: held-out photos may lose 3 points: 280 -> 265 of 300" in verdict.reasons[0]


def test_a_handful_of_queries_shows_nothing() -> None:
    few = may_replace(_shares(300, 280, 280), None, "events", RULE)
    assert not few.passes
    assert "fewer than 40; it was trained for these" in few.reasons[-1]
    other = may_replace(_shares(300, 200, 260), None, "photos", RULE)
    assert other.passes
    assert "nothing is said of these" in other.reasons[-1]


def test_more_wrong_charges_stop_a_bundle_that_is_right_more_often() -> None:
    names = [str(place) for place in range(300)]
    before = _sights([place < 200 for place in range(300)])
    after = _sights([place < 280 for place in range(300)], wrong=1.0)
    photos = compare(names, before, after, 0.95)
    verdict = may_replace(photos, _shares(100, 50, 80), "events", RULE)
    assert not verdict.passes
    assert any("accepted wrongly" in each and "NOT" in each for each in verdict.reasons)


def test_a_bundle_that_leaves_everything_to_people_is_stopped() -> None:
    right = [True] * 300
    names = [str(place) for place in range(300)]
    photos = compare(names, _sights(right, settled=True), _sights(right), 0.95)
    verdict = may_replace(photos, _shares(100, 50, 80), "events", RULE)
    assert not verdict.passes
    assert any("settled without a person" in each and "NOT" in each for each in verdict.reasons)


def test_an_enrolment_is_stopped_by_harm_that_is_shown_and_not_by_chance() -> None:
    assert may_enrol(_shares(300, 280, 278), None, {}, RULE).passes
    assert not may_enrol(_shares(300, 280, 260), None, {}, RULE).passes
    assert may_enrol(None, None, {"new": (3, 5)}, RULE).passes
    strange = may_enrol(None, None, {"new": (2, 5), "single": (0, 0)}, RULE)
    assert not strange.passes
    assert "new 2 of 5" in strange.reasons[-1]


def test_the_error_bound_lies_below_the_share_and_grows_with_the_evidence() -> None:
    bounds = [
        error_bound(
            [str(place) for place in range(n)], [place % 2 == 0 for place in range(n)], 0.95
        )
        for n in (20, 80, 320)
    ]
    assert bounds == sorted(bounds)
    assert bounds[-1] < 0.5
    assert error_bound([], [], 0.95) == 0.0


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.booleans(), st.booleans()), min_size=1, max_size=80
    )
)
def test_bounds_hold_the_counted_difference_and_mirror_when_bundles_change_places(
    drawn: list[tuple[str, bool, bool]],
) -> None:
    groups = [group for group, _, _ in drawn]
    before, after = [old for _, old, _ in drawn], [new for _, _, new in drawn]
    found = difference(groups, before, after, 0.95)
    mirrored = difference(groups, after, before, 0.95)
    assert -100 <= found.low_points <= found.high_points <= 100
    assert found.low_points == pytest.approx(-mirrored.high_points)
    assert found.design_effect >= 1
