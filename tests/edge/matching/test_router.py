from __future__ import annotations

import pytest

from edge.matching.router import normalised, route
from models.decision import Candidate, Decision, ThresholdPair, Thresholds, decide_at_once


def _decision(sku: str, distance: float, runner_up: float, tl: float, th: float) -> Decision:
    pair = ThresholdPair(
        pool=1,
        tl=tl,
        tl_full=tl,
        th=th,
        accepted_share=0.5,
        accepted_error_bound=0.01,
        rejected_error_bound=0.01,
        fitted_on=100,
    )
    candidates = (Candidate(sku, distance), Candidate("other", runner_up))
    return decide_at_once(candidates, Thresholds(pairs=(pair,)))


def test_one_space_needs_no_routing() -> None:
    only = _decision("milk", 0.3, 0.4, 0.1, 0.8)
    chosen = route([only], ["dairy"])
    assert (chosen.chosen, chosen.decision, chosen.reason) == (0, only, "")


def test_scales_of_different_spaces_do_not_matter_but_the_place_between_thresholds_does() -> None:
    near_but_strict = _decision("milk", 0.30, 0.32, tl=0.05, th=0.4)
    far_but_loose = _decision("pear", 0.60, 0.90, tl=0.10, th=1.2)
    chosen = route([near_but_strict, far_but_loose], ["dairy", "fruit"])
    assert normalised(far_but_loose) < normalised(near_but_strict)
    assert chosen.chosen == 1
    assert "fruit at" in chosen.reason
    assert "dairy at" in chosen.reason


def test_a_category_that_rejects_never_outweighs_one_that_does_not() -> None:
    rejects = _decision("milk", 0.5, 1.9, tl=0.1, th=0.4)
    doubts = _decision("pear", 0.6, 0.6, tl=0.1, th=0.7)
    assert normalised(rejects) < normalised(doubts)
    assert route([rejects, doubts], ["dairy", "fruit"]).chosen == 1


def test_two_spaces_that_accept_different_products_are_reviewed() -> None:
    milk, pear = _decision("milk", 0.1, 0.9, 0.2, 0.8), _decision("pear", 0.1, 0.8, 0.2, 0.8)
    decision = route([milk, pear], ["dairy", "fruit"]).decision
    assert decision.outcome == "review"
    assert "dairy accepts milk and fruit accepts pear" in decision.reason


def test_two_spaces_that_accept_the_same_product_agree() -> None:
    same = _decision("milk", 0.1, 0.9, 0.2, 0.8)
    assert route([same, same], ["dairy", "drinks"]).decision.outcome == "accept"


def test_all_reject_is_a_reject() -> None:
    far = _decision("milk", 0.9, 1.0, 0.2, 0.8)
    assert route([far, far], ["dairy", "fruit"]).decision.outcome == "reject"


@pytest.mark.parametrize(("gated", "expected"), [(0.1, 0.0), (0.5, 1.0), (0.3, 0.5)])
def test_normalised_distance_is_0_at_tl_and_1_at_th(gated: float, expected: float) -> None:
    decision = _decision("milk", gated, gated, tl=0.1, th=0.5)
    assert normalised(decision) == pytest.approx(expected)
