from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.consensus import consensus
from models.decision import pool
from tests.edge.matching.vectors import directions, off


def _around(direction: int, count: int, by: float = 0.25, seed: int = 4) -> np.ndarray:
    return off(np.repeat(directions(8)[direction : direction + 1], count, axis=0), by, seed)


def test_crops_that_agree_are_averaged() -> None:
    crops = _around(0, 5)
    agreed = consensus(crops)
    assert agreed.kept.all()
    np.testing.assert_array_equal(agreed.embedding, pool(crops))
    assert 0 < agreed.spread < 0.1


def test_a_frame_that_shows_something_else_does_not_count() -> None:
    crops = np.concatenate([_around(0, 2), _around(3, 1), _around(0, 2, seed=5)])
    agreed = consensus(crops)
    assert agreed.kept.tolist() == [True, True, False, True, True]
    np.testing.assert_allclose(agreed.embedding, pool(crops[agreed.kept]), atol=1e-6)


def test_of_two_that_differ_both_count() -> None:
    assert consensus(np.concatenate([_around(0, 1), _around(3, 1)])).kept.all()


def test_one_crop_is_its_own_consensus() -> None:
    crop = _around(2, 1)
    agreed = consensus(crop)
    np.testing.assert_allclose(agreed.embedding, crop[0], atol=1e-6)
    assert abs(agreed.spread) < 1e-6


def test_the_same_picture_many_times_is_one_look() -> None:
    still = consensus(np.repeat(_around(0, 1), 10, axis=0))
    assert still.kept.sum() == 10
    assert still.looks == 1
    assert consensus(_around(0, 5)).looks == 5


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 12), seed=st.integers(0, 10_000))
def test_at_least_half_always_count_and_the_query_has_unit_length(count: int, seed: int) -> None:
    agreed = consensus(directions(count, 16, seed))
    assert agreed.kept.sum() * 2 >= count
    assert abs(float(np.linalg.norm(agreed.embedding)) - 1) < 1e-5


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(7)))
def test_the_order_of_the_crops_does_not_matter(order: list[int]) -> None:
    crops = np.concatenate([_around(0, 5), _around(3, 2)])
    straight, shuffled = consensus(crops), consensus(crops[order])
    np.testing.assert_allclose(straight.embedding, shuffled.embedding, atol=1e-6)
