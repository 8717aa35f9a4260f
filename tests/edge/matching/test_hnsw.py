from __future__ import annotations

import numpy as np
import pytest

from edge.errors import MatchingError
from edge.matching.exact import ExactIndex
from edge.matching.hnsw import HnswIndex, build_hnsw, recall_at_1, tuning_queries
from tests.edge.matching.vectors import directions, off

CENTROIDS = directions(1500, 24)


def test_a_tuned_graph_answers_like_exact_search_in_every_group() -> None:
    index, tuning = build_hnsw(CENTROIDS)
    assert index is not None
    assert tuning.recall >= 0.9975
    exact = ExactIndex(CENTROIDS)
    for queries in tuning_queries(CENTROIDS, count=300, seed=77).values():
        assert recall_at_1(index.search(queries, 1), exact.search(queries, 1)) >= 0.99


def test_near_duplicates_are_told_apart() -> None:
    twins = np.concatenate([CENTROIDS[:700], off(CENTROIDS[:700], 0.02)])
    index, _ = build_hnsw(twins)
    assert index is not None
    queries = off(twins, 0.005, seed=5)
    recall = recall_at_1(index.search(queries, 2), ExactIndex(twins).search(queries, 2))
    assert recall >= 0.99


def test_the_same_vectors_make_the_same_graph() -> None:
    queries = directions(200, 24, seed=3)
    first, second = HnswIndex(CENTROIDS[:500]), HnswIndex(CENTROIDS[:500])
    np.testing.assert_array_equal(first.search(queries, 3)[1], second.search(queries, 3)[1])


def test_an_unreachable_recall_gives_no_index_and_says_how_far_it_came() -> None:
    index, tuning = build_hnsw(CENTROIDS[:200], required_recall=1.01)
    assert index is None
    assert tuning.ef == 2048
    assert tuning.recall > 0.9


def test_a_graph_that_costs_more_than_it_is_worth_is_given_up() -> None:
    index, tuning = build_hnsw(CENTROIDS[:300], worth_ms=0)
    assert index is None
    assert (tuning.ef, tuning.query_ms > 0) == (32, True)


def test_an_answer_at_the_same_distance_is_no_miss() -> None:
    distances = np.array([[0.2], [0.3]], np.float32)
    found = (distances, np.array([[4], [5]]))
    exact = (distances + np.float32(1e-7), np.array([[4], [9]]))
    assert recall_at_1(found, exact) == 1
    worse = (np.array([[0.2], [0.4]], np.float32), np.array([[4], [5]]))
    assert recall_at_1(worse, exact) == 0.5


def test_one_product_makes_a_graph_too() -> None:
    index, _ = build_hnsw(directions(1))
    assert index is not None
    assert index.search(directions(2, seed=8), 5)[1].tolist() == [[0], [0]]


def test_no_queries_no_answers() -> None:
    assert HnswIndex(directions(9)).search(np.empty((0, 32), np.float32), 4)[0].shape == (0, 4)


def test_queries_of_another_network_are_refused() -> None:
    with pytest.raises(MatchingError, match="another network"):
        HnswIndex(directions(9, 16)).search(directions(1, 8), 1)
