"""Scenes, splits that do not leak, and photos kept in memory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cloud_trainer.datasets import PhotoStore, neighbour_similarity, scenes, split_by_scene
from models.catalogue import Catalogue, load_catalogue
from models.photos import PhotoError
from tests.simulators.photos import PHOTOS_PER_SCENE, make_catalogue, write_photo


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return load_catalogue(make_catalogue(tmp_path_factory.mktemp("photos"), products=3, photos=12))


def test_a_split_holds_out_one_run_of_consecutive_photos_of_each_product(
    catalogue: Catalogue,
) -> None:
    split = split_by_scene(catalogue, 0.25, seed=1, store=PhotoStore(96))
    assert set(split.train) | set(split.holdout) == set(catalogue.photos)
    assert not set(split.train) & set(split.holdout)
    for product in catalogue.products:
        order = list(catalogue.photos_of(product.sku))
        places = [order.index(photo) for photo in split.holdout if photo.sku == product.sku]
        assert places == list(range(places[0], places[-1] + 1))
        assert 1 <= len(places) <= 6


def test_the_cut_falls_where_the_scene_changes(tmp_path: Path) -> None:
    """Ten photos of a dark shelf, then ten of a bright one: half of them share no scene."""
    rng = np.random.default_rng(0)
    for at in range(20):
        level = 40 if at < 11 else 200
        noise = rng.integers(0, 30, (80, 80, 3)) + level
        write_photo(tmp_path / "milk" / f"{at:03d}.png", noise.astype(np.uint8))
    catalogue = load_catalogue(tmp_path)
    for seed in range(6):
        split = split_by_scene(catalogue, 0.5, seed, PhotoStore(96))
        places = [int(photo.path.stem) for photo in split.holdout]
        if places[0] != 0 and places[-1] != 19:
            continue
        if abs(places[0] - 11) <= 2 or abs(places[-1] - 10) <= 2:
            assert 11 in (places[0], places[-1] + 1)


def test_the_same_seed_gives_the_same_split_and_another_seed_another(catalogue: Catalogue) -> None:
    store = PhotoStore(96)
    first, again, other = (split_by_scene(catalogue, 0.25, seed, store) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_products_with_few_photos_are_only_trained_on(tmp_path: Path) -> None:
    catalogue = load_catalogue(make_catalogue(tmp_path, products=2, photos=3))
    split = split_by_scene(catalogue, 0.3, seed=0, store=PhotoStore(96))
    assert split.holdout == ()
    assert Counter(photo.sku for photo in split.train) == {"carton-00": 3, "carton-01": 3}


def test_scenes_change_with_the_product_and_never_inside_a_still_scene(
    catalogue: Catalogue,
) -> None:
    numbers = scenes(catalogue.photos, PhotoStore(96))
    skus = [photo.sku for photo in catalogue.photos]
    for at in range(1, len(skus)):
        if skus[at] != skus[at - 1]:
            assert numbers[at] > numbers[at - 1]
    within = neighbour_similarity(catalogue.photos, PhotoStore(96))
    assert within[0] == 0
    assert PHOTOS_PER_SCENE > 1
    assert within.max() > 0.8


def test_kept_photos_are_no_larger_than_training_can_use(catalogue: Catalogue) -> None:
    assert min(PhotoStore(50).pixels(catalogue.photos[0].path).shape[:2]) == 50


def test_photos_beyond_the_budget_are_decoded_anew_and_equal(catalogue: Catalogue) -> None:
    path = catalogue.photos[0].path
    none_kept, kept = PhotoStore(50, budget_bytes=0), PhotoStore(50)
    assert none_kept.pixels(path) is not none_kept.pixels(path)
    assert kept.pixels(path) is kept.pixels(path)
    assert np.array_equal(none_kept.pixels(path), kept.pixels(path))


def test_loading_counts_every_photo_and_refuses_a_broken_one(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    seen: list[int] = []
    PhotoStore(50).load(catalogue.photos, lambda: seen.append(1))
    assert len(seen) == len(catalogue.photos)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    with pytest.raises(PhotoError):
        PhotoStore(50).pixels(broken)
