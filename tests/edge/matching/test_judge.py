from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge.matching.judge import judge, locate
from edge.matching.serving import ServingSet, serve
from models.bundle import Bundle
from models.decision import Decision
from tests.edge.bundles import embedder_of, part_of, with_thresholds
from tests.edge.matching.vectors import directions, off


def _judged(served: ServingSet, query: NDArray[np.float32]) -> Decision:
    return judge(query, locate(query[None], (served,))[0], crops=1)


def _served(bundle: Bundle) -> ServingSet:
    return serve(bundle, embedder_of(bundle))


def test_a_centroid_itself_is_accepted_at_once(bundle: Bundle) -> None:
    decision = _judged(_served(bundle), bundle.vectors.centroids[2])
    assert (decision.outcome, decision.stage, decision.sku) == ("accept", "at_once", "carton-02")
    assert decision.candidates[0].anchor_distance is None
    assert len(decision.candidates) == 5


def test_what_is_far_from_everything_is_rejected_at_once(bundle: Bundle) -> None:
    served = _served(with_thresholds(bundle, -2, -2, 0.1))
    decision = _judged(served, directions(1, 32, seed=3)[0])
    assert (decision.outcome, decision.sku) == ("reject", None)


def test_between_the_thresholds_every_candidate_is_held_against_its_anchors(bundle: Bundle) -> None:
    served = _served(with_thresholds(bundle, -5, 2, 2))
    query = bundle.vectors.anchors[bundle.vectors.anchor_products == 3][0]
    decision = _judged(served, query)
    assert (decision.outcome, decision.stage, decision.sku) == ("accept", "full_check", "carton-03")
    for candidate in decision.candidates:
        row = bundle.skus.index(candidate.sku)
        own = bundle.vectors.anchors[bundle.vectors.anchor_products == row]
        assert candidate.anchor_distance is not None
        assert abs(candidate.anchor_distance - float((1 - own @ query).min())) < 1e-5


def test_nearer_to_a_negative_than_to_any_anchor_is_never_accepted(bundle: Bundle) -> None:
    query = off(bundle.vectors.centroids[1:2], 0.1)
    vectors = replace(bundle.vectors, negatives=query, negative_products=np.array([1], np.int32))
    without, with_negative = _served(bundle), _served(replace(bundle, vectors=vectors))
    assert _judged(without, query[0]).outcome == "accept"
    decision = _judged(with_negative, query[0])
    assert (decision.outcome, decision.sku) == ("review", "carton-01")
    assert "marked as not carton-01" in decision.reason


def test_a_negative_of_another_product_or_farther_off_changes_nothing(bundle: Bundle) -> None:
    query = off(bundle.vectors.centroids[1:2], 0.1)
    vectors = replace(
        bundle.vectors,
        negatives=np.concatenate([query, directions(1, query.shape[1])]),
        negative_products=np.array([2, 1], np.int32),
    )
    assert _judged(_served(replace(bundle, vectors=vectors)), query[0]).outcome == "accept"


def test_categories_of_one_space_are_one_search_and_one_margin(bundle: Bundle) -> None:
    embedder = embedder_of(bundle)
    left = serve(part_of(bundle, [0, 2, 4], "left"), embedder)
    right = serve(part_of(bundle, [1, 3, 5], "right"), embedder)
    query = off(bundle.vectors.centroids[3:4], 0.3)
    together = locate(query, (left, right))[0]
    whole = locate(query, (_served(bundle),))[0]
    assert [each.sku for each in together] == [each.sku for each in whole]
    assert together[0].served.category == "right"


def test_a_product_of_two_categories_counts_once(bundle: Bundle) -> None:
    embedder = embedder_of(bundle)
    sets = (
        serve(part_of(bundle, [0, 1, 2], "left"), embedder),
        serve(part_of(bundle, [2, 1], "right"), embedder),
    )
    located = locate(bundle.vectors.centroids[1:2], sets)[0]
    assert sorted(each.sku for each in located) == ["carton-00", "carton-01", "carton-02"]


def test_a_category_of_one_product_is_judged_without_a_runner_up(bundle: Bundle) -> None:
    only = part_of(bundle, [4], "single")
    decision = _judged(_served(only), only.vectors.centroids[0])
    assert decision.margin == 0
    assert decision.outcome == "accept"
