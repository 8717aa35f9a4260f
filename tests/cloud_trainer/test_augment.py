"""Random views."""

from __future__ import annotations

import numpy as np
import pytest

from cloud_trainer.augment import Augmentation, random_view

STILL = Augmentation(1.0, 0.0, 0.0, 0.0)


def _photo(height: int = 90, width: int = 120) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows * 2, columns * 2, (rows + columns)], axis=2).astype(np.uint8)


def test_the_same_generator_state_gives_the_same_view() -> None:
    views = [random_view(_photo(), 48, np.random.default_rng(3), Augmentation()) for _ in range(2)]
    assert np.array_equal(views[0], views[1])
    other = random_view(_photo(), 48, np.random.default_rng(4), Augmentation())
    assert not np.array_equal(views[0], other)


@pytest.mark.parametrize("shape", [(90, 120), (120, 90), (48, 48), (9, 400)])
def test_views_have_the_size_asked_for_whatever_the_photo(shape: tuple[int, int]) -> None:
    for seed in range(20):
        view = random_view(_photo(*shape), 48, np.random.default_rng(seed), Augmentation())
        assert view.shape == (48, 48, 3)
        assert view.dtype == np.uint8


def test_a_view_without_change_shows_the_photo() -> None:
    photo = np.full((60, 60, 3), (10, 120, 240), np.uint8)
    view = random_view(photo, 48, np.random.default_rng(0), STILL)
    assert np.abs(view.astype(int) - (10, 120, 240)).max() <= 1


def test_a_view_keeps_up_up_and_left_left() -> None:
    view = random_view(_photo(), 48, np.random.default_rng(0), STILL).astype(int)
    assert (view[-1, :, 0] > view[0, :, 0]).all()
    assert (view[:, -1, 1] > view[:, 0, 1]).all()


def test_colours_are_clipped_rather_than_wrapped() -> None:
    white = np.full((60, 60, 3), 250, np.uint8)
    strong = Augmentation(1.0, 0.0, 0.5, 0.0)
    for seed in range(30):
        view = random_view(white, 32, np.random.default_rng(seed), strong)
        assert view.min() > 100


def test_erasing_paints_a_patch_over_part_of_the_view() -> None:
    photo = np.full((60, 60, 3), 100, np.uint8)
    view = random_view(photo, 50, np.random.default_rng(1), Augmentation(1.0, 0.0, 0.0, 1.0))
    painted = (view != 100).any(axis=2).mean()
    assert 0.005 < painted < 0.2
