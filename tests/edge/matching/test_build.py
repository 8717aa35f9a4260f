from __future__ import annotations

from edge.matching.build import choose_index
from edge.matching.exact import ExactIndex
from edge.matching.hnsw import HnswIndex
from tests.edge.matching.vectors import directions


def test_exact_search_stays_where_an_embedding_costs_far_more() -> None:
    choice = choose_index(directions(1500), embedding_ms=1e6)
    assert isinstance(choice.index, ExactIndex)
    assert (choice.kind, choice.recall) == ("exact", 1.0)
    assert "less than a tenth of an embedding" in choice.reason


def test_few_centroids_are_always_searched_exactly() -> None:
    choice = choose_index(directions(300), embedding_ms=0)
    assert isinstance(choice.index, ExactIndex)
    assert choice.reason == "exact: 300 centroids are few"


def test_a_graph_is_tried_where_exact_search_costs_too_much_and_taken_when_better() -> None:
    choice = choose_index(directions(1500, 24), embedding_ms=0)
    if choice.kind == "hnsw":
        assert isinstance(choice.index, HnswIndex)
        assert choice.recall >= 0.995
        assert "recall@1" in choice.reason
    else:
        assert isinstance(choice.index, ExactIndex)
        assert "a graph over 1,500 centroids" in choice.reason
