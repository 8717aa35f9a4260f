from __future__ import annotations

from dataclasses import replace

import pytest

from edge.events import Recognition
from edge.interaction.usual import UsualDistances, distance_to
from models.decision import Candidate, Decision, ThresholdPair

_PAIR = ThresholdPair(
    pool=1, tl=0.2, tl_full=0.3, th=0.6, accepted_share=0.8,
    accepted_error_bound=0.01, rejected_error_bound=0.01, fitted_on=100,
)  # fmt: skip


def _recognised(**distances: float) -> Recognition:
    near = tuple(Candidate(sku, distance) for sku, distance in distances.items())
    decision = Decision(
        "review", "at_once", near[0].sku, near, near[0].distance, 0.1, 0.1, _PAIR, 1, "as asked"
    )
    return Recognition(decision, "groceries", "1", "space-1", "fp32", None, 1, 1, "")


def test_an_object_is_as_far_from_a_product_as_the_network_says_or_beyond_all_it_names() -> None:
    recognition = _recognised(tea=0.3, milk=0.5)
    assert distance_to("milk", recognition) == 0.5
    assert distance_to("jam", recognition) > 0.5


def test_how_far_is_told_against_pieces_that_were_known_to_be_of_the_product() -> None:
    usual = UsualDistances().with_piece("tea", _recognised(tea=0.1, milk=0.6))
    usual = usual.with_piece("tea", _recognised(tea=0.2, milk=0.6))
    usual = usual.with_piece("milk", _recognised(tea=0.5, milk=0.6))
    further = usual.further(_recognised(tea=0.5, milk=0.55))
    assert further == pytest.approx({"tea": 0.35, "milk": -0.05})


def test_only_the_newest_pieces_count() -> None:
    usual = UsualDistances()
    for distance in (0.9, *(8 * [0.2])):
        usual = usual.with_piece("tea", _recognised(tea=distance))
    assert usual.further(_recognised(tea=0.2)) == pytest.approx({"tea": 0.0})


def test_distances_of_another_network_are_not_compared() -> None:
    usual = UsualDistances().with_piece("tea", _recognised(tea=0.1))
    other = replace(_recognised(tea=0.5), space_id="space-2")
    assert usual.further(other) == {}
    anew = usual.with_piece("milk", other)
    assert anew.further(other).keys() == {"milk"}
