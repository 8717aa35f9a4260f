from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import MatchingError
from edge.matching.exact import ExactIndex
from tests.edge.matching.vectors import directions, off


@settings(max_examples=40, deadline=None)
@given(
    products=st.integers(1, 40),
    queries=st.integers(0, 130),
    k=st.integers(1, 6),
    seed=st.integers(0),
)
def test_finds_what_sorting_all_distances_finds(
    products: int, queries: int, k: int, seed: int
) -> None:
    centroids, asked = directions(products, 8, seed), directions(queries, 8, seed + 1)
    distances, rows = ExactIndex(centroids).search(asked, k)
    every = 1 - asked @ centroids.T
    expected = np.sort(every, axis=1)[:, :k]
    np.testing.assert_allclose(distances, expected, atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(every, rows, axis=1), expected, atol=1e-6)


def test_a_product_is_never_named_twice() -> None:
    twins = np.repeat(directions(3), 2, axis=0)
    _, rows = ExactIndex(twins).search(twins, 6)
    assert all(sorted(row) == list(range(6)) for row in rows.tolist())


def test_asks_for_no_more_neighbours_than_there_are_products() -> None:
    distances, rows = ExactIndex(directions(2)).search(directions(3), 5)
    assert distances.shape == rows.shape == (3, 2)


def test_a_search_leaves_its_queries_and_the_next_search_alone() -> None:
    index, asked = ExactIndex(directions(50)), directions(4, seed=9)
    before = asked.copy()
    first = index.search(asked, 3)
    again = index.search(asked, 3)
    np.testing.assert_array_equal(asked, before)
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


def test_threads_do_not_share_scratch() -> None:
    centroids = directions(200)
    index = ExactIndex(centroids)

    def nearest(seed: int) -> bool:
        rows = np.random.default_rng(seed).integers(200, size=30)
        found = index.search(off(centroids[rows], 0.1, seed), 2)[1][:, 0]
        return bool((found == rows).all())

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(nearest, range(60)))


def test_queries_of_another_network_are_refused() -> None:
    with pytest.raises(MatchingError, match="another network"):
        ExactIndex(directions(3, 16)).search(directions(1, 8), 1)
