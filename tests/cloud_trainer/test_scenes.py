"""Scenes are found by what surrounds the product, and no split takes one apart."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cloud_trainer.datasets import PhotoStore
from cloud_trainer.scenes import Surroundings, find_scenes, split_by_scene, surroundings
from models.catalogue import Catalogue, Photo, load_catalogue
from tests.simulators.photos import PHOTOS_PER_SCENE, draw_photo, make_catalogue, write_photo

PRODUCTS, PHOTOS = 3, 12


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalogue, dict[Path, int]]:
    """Drawn products whose photos were renamed at random, with the place of each photo."""
    root = tmp_path_factory.mktemp("shuffled")
    rng = np.random.default_rng(5)
    places: dict[Path, int] = {}
    for product in range(PRODUCTS):
        for name, photo in enumerate(rng.permutation(PHOTOS)):
            path = root / f"product-{product}" / f"{name:03d}.jpg"
            write_photo(path, draw_photo(product, int(photo)))
            places[path] = product * PHOTOS + int(photo) // PHOTOS_PER_SCENE
    return load_catalogue(root), places


@pytest.fixture(scope="module")
def scenes(shuffled: tuple[Catalogue, dict[Path, int]]) -> NDArray[np.int32]:
    photos = shuffled[0].photos
    return find_scenes(photos, surroundings(photos, PhotoStore(256)))


def test_photos_of_one_place_share_a_scene_in_whatever_order_they_come(
    shuffled: tuple[Catalogue, dict[Path, int]], scenes: NDArray[np.int32]
) -> None:
    catalogue, places = shuffled
    place = np.array([places[photo.path] for photo in catalogue.photos])
    together = place[:, None] == place[None, :]
    found = scenes[:, None] == scenes[None, :]
    assert found[together].mean() > 0.9
    assert found[~together].mean() < 0.1


def test_products_never_share_a_scene(
    shuffled: tuple[Catalogue, dict[Path, int]], scenes: NDArray[np.int32]
) -> None:
    products: dict[int, set[str]] = {}
    for photo, scene in zip(shuffled[0].photos, scenes.tolist(), strict=True):
        products.setdefault(scene, set()).add(photo.sku)
    assert all(len(skus) == 1 for skus in products.values())


@pytest.mark.parametrize("seed", range(4))
def test_a_split_takes_no_scene_apart_and_leaves_every_product_something_to_learn_from(
    shuffled: tuple[Catalogue, dict[Path, int]], scenes: NDArray[np.int32], seed: int
) -> None:
    catalogue = shuffled[0]
    (split,) = split_by_scene(catalogue, scenes, 0.25, seed)
    assert Counter(split.train) + Counter(split.holdout) == Counter(catalogue.photos)
    assert not set(split.train_scenes) & set(split.holdout_scenes)
    scene_of = dict(zip(catalogue.photos, scenes.tolist(), strict=True))
    assert [scene_of[photo] for photo in split.train] == list(split.train_scenes)
    assert [scene_of[photo] for photo in split.holdout] == list(split.holdout_scenes)
    for product in catalogue.products:
        held = sum(photo.sku == product.sku for photo in split.holdout)
        assert 1 <= held <= PHOTOS / 2


def test_photos_of_a_held_out_scene_lie_side_by_side(
    shuffled: tuple[Catalogue, dict[Path, int]], scenes: NDArray[np.int32]
) -> None:
    order = split_by_scene(shuffled[0], scenes, 0.4, seed=0)[0].holdout_scenes
    changes = sum(one != other for one, other in zip(order, order[1:], strict=False))
    assert changes == len(set(order)) - 1


def test_the_same_seed_gives_the_same_split_and_another_seed_another(
    shuffled: tuple[Catalogue, dict[Path, int]], scenes: NDArray[np.int32]
) -> None:
    first, again, other = (split_by_scene(shuffled[0], scenes, 0.25, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("seed", range(4))
def test_folds_hold_no_scene_out_twice_and_each_leaves_something_to_learn_from(
    shuffled: tuple[Catalogue, dict[Path, int]], scenes: NDArray[np.int32], seed: int
) -> None:
    catalogue = shuffled[0]
    folds = split_by_scene(catalogue, scenes, 0.3, seed, folds=3)
    assert len(folds) == 3
    held = [scene for fold in folds for scene in set(fold.holdout_scenes)]
    assert len(held) == len(set(held))
    for fold in folds:
        assert Counter(fold.train) + Counter(fold.holdout) == Counter(catalogue.photos)
        assert {photo.sku for photo in fold.train} == {each.sku for each in catalogue.products}


def test_products_with_few_photos_are_only_trained_on(tmp_path: Path) -> None:
    catalogue = load_catalogue(make_catalogue(tmp_path, products=2, photos=3))
    assert split_by_scene(catalogue, np.arange(6, dtype=np.int32), 0.3, seed=0) == ()
    write_photo(tmp_path / "carton-00" / "003.jpg", draw_photo(0, 3))
    (split,) = split_by_scene(load_catalogue(tmp_path), np.arange(7, dtype=np.int32), 0.3, seed=0)
    assert {photo.sku for photo in split.holdout} == {"carton-00"}
    assert Counter(photo.sku for photo in split.train)["carton-01"] == 3


def test_a_product_of_one_place_is_cut_where_its_photos_differ_most() -> None:
    photos = [Photo(Path(f"{at}.jpg"), "milk") for at in range(5)]
    angles = np.array([0.0, 0.01, 0.02, 0.3, 0.31])
    alike = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    around = Surroundings(places=alike, colours=np.ones((5, 1), np.float32))
    first, *others = find_scenes(photos, around).tolist()
    assert others == [first, first, 1 - first, 1 - first]


def test_negative_photos_take_no_part(tmp_path: Path) -> None:
    root = make_catalogue(tmp_path, products=2, photos=8)
    write_photo(root / "carton-00" / "negative" / "000.jpg", draw_photo(7, 0))
    catalogue = load_catalogue(root)
    positive = [photo for photo in catalogue.photos if not photo.negative]
    scenes = find_scenes(positive, surroundings(positive, PhotoStore(128)))
    (split,) = split_by_scene(catalogue, scenes, 0.25, seed=0)
    assert not any(photo.negative for photo in (*split.train, *split.holdout))
    assert len(split.train) + len(split.holdout) == 16
