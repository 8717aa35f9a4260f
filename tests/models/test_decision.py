"""The two-threshold rule, at its borders and over all distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.decision import (
    Candidate,
    ErrorBudget,
    ThresholdPair,
    Thresholds,
    decide_at_once,
    decide_in_full,
    gated_distance,
    pool,
)


def pair(
    pool_size: int = 1, tl: float = 0.1, tl_full: float = 0.2, th: float = 0.6
) -> ThresholdPair:
    return ThresholdPair(
        pool=pool_size,
        tl=tl,
        tl_full=tl_full,
        th=th,
        accepted_share=0.7,
        accepted_error_bound=0.01,
        rejected_error_bound=0.01,
        fitted_on=100,
    )


def rule(*pairs: ThresholdPair, margin_weight: float = 1.5) -> Thresholds:
    return Thresholds(margin_weight=margin_weight, pairs=pairs or (pair(),))


def candidates(*distances: float) -> tuple[Candidate, ...]:
    return tuple(Candidate(f"sku-{row}", distance) for row, distance in enumerate(distances))


def with_anchors(found: tuple[Candidate, ...], *anchors: float | None) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(candidate.sku, candidate.distance, anchor)
        for candidate, anchor in zip(found, anchors, strict=True)
    )


@pytest.mark.parametrize(
    ("distances", "outcome", "sku"),
    [
        ((0.05, 0.9), "accept", "sku-0"),
        ((0.3, 0.9), "accept", "sku-0"),  # far, but far ahead of the second
        ((0.3, 0.31), "review", "sku-0"),  # near, but hardly ahead
        ((0.1, 0.1), "accept", "sku-0"),  # exactly TL
        ((0.6, 1.9), "reject", None),  # exactly TH, whatever the lead
        ((0.59, 0.6), "review", "sku-0"),
        ((1.2, 1.3), "reject", None),
        ((0.1,), "accept", "sku-0"),
        ((0.3,), "review", "sku-0"),  # no runner-up is read as no lead
    ],
)
def test_distances_are_accepted_rejected_or_reviewed(
    distances: tuple[float, ...], outcome: str, sku: str | None
) -> None:
    decision = decide_at_once(candidates(*distances), rule())

    assert (decision.outcome, decision.sku, decision.stage) == (outcome, sku, "at_once")


def test_a_decision_keeps_every_number_that_led_to_it() -> None:
    decision = decide_at_once(candidates(0.3, 0.5, 0.7), rule(), crops=2)

    assert decision.distance == pytest.approx(0.3)
    assert decision.margin == pytest.approx(0.2)
    assert decision.gated == pytest.approx(0.3 - 1.5 * 0.2)
    assert decision.thresholds == pair()
    assert decision.crops == 2
    assert [candidate.sku for candidate in decision.candidates] == ["sku-0", "sku-1", "sku-2"]
    assert "TL 0.100" in decision.reason


@pytest.mark.parametrize(
    ("crops", "applied"), [(0, 1), (1, 1), (2, 1), (3, 3), (4, 3), (5, 5), (50, 5)]
)
def test_the_largest_pool_size_that_the_evidence_fills_is_applied(crops: int, applied: int) -> None:
    assert rule(pair(1), pair(3), pair(5)).for_pool(crops).pool == applied


@pytest.mark.parametrize(
    ("anchors", "outcome", "reason"),
    [
        ((0.2, 0.4), "accept", "anchors agree"),
        ((0.4, 0.2), "review", "nearest anchor says sku-1"),
        ((None, 0.2), "review", "nearest anchor says sku-1"),
        ((None, None), "review", "no anchors"),
    ],
)
def test_the_full_check_accepts_only_where_anchors_agree(
    anchors: tuple[float | None, ...], outcome: str, reason: str
) -> None:
    first = decide_at_once(candidates(0.3, 0.4), rule())
    assert first.outcome == "review"

    decision = decide_in_full(first, with_anchors(first.candidates, *anchors))

    assert (decision.outcome, decision.stage, decision.sku) == (outcome, "full_check", "sku-0")
    assert reason in decision.reason


def test_the_full_check_leaves_a_person_what_is_over_its_own_bound() -> None:
    first = decide_at_once(candidates(0.5, 0.51), rule())

    decision = decide_in_full(first, with_anchors(first.candidates, 0.2, 0.4))

    assert decision.outcome == "review"
    assert "more frames would help" in decision.reason


def test_gated_distances_of_many_queries_match_the_rule_for_one() -> None:
    distances = np.sort(np.random.default_rng(0).uniform(0, 2, (50, 3)), axis=1).astype(np.float32)

    gated = gated_distance(distances, 1.5)

    assert gated.shape == (50,)
    for row, expected in zip(distances, gated, strict=True):
        decision = decide_at_once(candidates(*map(float, row)), rule())
        assert decision.gated == pytest.approx(float(expected), abs=1e-5)


def test_with_a_single_product_the_gated_distance_is_the_distance() -> None:
    distances = np.array([[0.2], [0.7]], np.float32)

    assert gated_distance(distances, 1.5).tolist() == distances[:, 0].tolist()


def test_pooling_gives_a_unit_vector_between_the_crops() -> None:
    pooled = pool(np.array([[1, 0], [0, 1]], np.float32))

    assert pooled == pytest.approx([2**-0.5, 2**-0.5])
    assert pooled.dtype == np.float32


def test_pooling_opposite_crops_does_not_divide_by_zero() -> None:
    assert np.isfinite(pool(np.array([[1, 0], [-1, 0]], np.float32))).all()


@given(
    st.lists(st.floats(0, 2, width=32), min_size=1, max_size=5).map(sorted),
    st.floats(-10, 2),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 10),
)
def test_nothing_is_accepted_at_or_beyond_th_nor_rejected_below_it(
    distances: list[float], tl: float, step: float, step_th: float, margin_weight: float
) -> None:
    th = min(max(tl + step + step_th, 0.0), 2.5)
    tl_full = min(tl + step, th, 2.0)
    thresholds = rule(pair(1, min(tl, tl_full), tl_full, th), margin_weight=margin_weight)

    decision = decide_at_once(candidates(*distances), thresholds)

    assert (decision.outcome == "reject") == (distances[0] >= th)
    assert (decision.sku is None) == (decision.outcome == "reject")
    if decision.outcome == "accept":
        assert decision.gated <= tl


@pytest.mark.parametrize(
    ("tl", "tl_full", "th"), [(0.3, 0.2, 0.6), (0.1, 0.7, 0.6), (0.7, 0.7, 0.6)]
)
def test_thresholds_out_of_order_are_refused_with_their_numbers(
    tl: float, tl_full: float, th: float
) -> None:
    with pytest.raises(ValidationError, match=f"out of order: TL {tl}"):
        pair(1, tl, tl_full, th)


@pytest.mark.parametrize("pools", [(), (3,), (1, 1), (1, 5, 3), (2, 1)])
def test_pool_sizes_that_do_not_ascend_from_one_are_refused(pools: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError):
        Thresholds(pairs=tuple(pair(size) for size in pools))


@pytest.mark.parametrize("value", ["nan", float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["tl", "tl_full", "th", "accepted_share"])
def test_thresholds_that_are_no_numbers_are_refused(name: str, value: float | str) -> None:
    fields = pair().model_dump() | {name: value}

    with pytest.raises(ValidationError):
        ThresholdPair.model_validate(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"accepted_error": 0},
        {"accepted_error": 0.5},
        {"rejected_error": float("nan")},
        {"confidence": 1},
        {"confidence": float("nan")},
        {"surprise": 1},
    ],
)
def test_an_error_budget_that_promises_nothing_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        ErrorBudget.model_validate(fields)
