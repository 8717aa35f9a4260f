from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cloud_trainer.categories import (
    PHOTOS_PER_PRODUCT,
    cluster,
    imagenet_embeddings,
    mean_silhouette,
    read_categories,
    suggest_categories,
    write_categories,
)
from cloud_trainer.category_picture import draw_categories
from cloud_trainer.errors import WalkoutTrainerError
from models.catalogue import Catalogue, CatalogueError, Photo, load_catalogue, with_categories
from models.photos import PhotoError
from tests.simulators.photos import draw_photo, make_catalogue, sku_of, write_photo


def _looks(*sizes: int, spread: float = 0.05, seed: int = 0) -> NDArray[np.float32]:
    """Looks of products around as many unrelated directions as there are sizes."""
    rng = np.random.default_rng(seed)
    centres = np.eye(len(sizes), 16)
    rows = [
        centre + rng.normal(0, spread, 16)
        for centre, n in zip(centres, sizes, strict=True)
        for _ in range(n)
    ]
    return np.asarray(rows, np.float32)


def _family_embeddings(photos: Sequence[Photo]) -> NDArray[np.float32]:
    """A stand-in network to which every two products in a row look alike."""
    rows = np.full((len(photos), 8), 0.05, np.float32)
    for row, photo in zip(rows, photos, strict=True):
        product = int(photo.sku[-2:])
        row[product // 2] = 1
        row[-1] += 0.1 * (product % 2) + 0.01 * int(photo.path.stem)
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return load_catalogue(make_catalogue(tmp_path_factory.mktemp("shop"), products=6, photos=2))


def _groups(labels: NDArray[np.int32]) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


# --- Clustering ---


def test_products_of_similar_looks_share_a_category() -> None:
    found = cluster(_looks(4, 3, 5))

    assert _groups(found.labels) == {
        frozenset(range(4)),
        frozenset(range(4, 7)),
        frozenset(range(7, 12)),
    }
    assert found.silhouette > 0.5
    assert sorted(found.order.tolist()) == list(range(12))
    assert found.labels[found.order].tolist() == sorted(found.labels.tolist())


def test_a_product_like_no_other_joins_its_nearest_category() -> None:
    looks = np.vstack([_looks(4, 4), np.full((1, 16), 0.3)]).astype(np.float32)
    looks[-1, 0] = 0.7

    labels = cluster(looks, 2).labels
    assert np.bincount(labels).min() >= 2
    assert labels[-1] == labels[0]


@pytest.mark.parametrize("seed", range(5))
def test_every_category_has_two_products_whatever_the_looks(seed: int) -> None:
    looks = np.random.default_rng(seed).normal(size=(23, 8)).astype(np.float32)
    for wanted in (None, 1, 2, 5, 11):
        labels = cluster(looks, wanted).labels
        assert np.bincount(labels).min() >= 2
        assert wanted is None or labels.max() + 1 <= wanted


def test_a_person_may_ask_for_a_number() -> None:
    assert cluster(_looks(4, 3, 5), 3).labels.max() == 2
    assert cluster(_looks(4, 3, 5), 1).labels.max() == 0
    assert cluster(_looks(4, 4, 4, 4), 2).labels.max() == 1


def test_looks_without_structure_stay_together() -> None:
    assert cluster(np.eye(12, dtype=np.float32)).labels.max() == 0


def test_the_same_look_for_all_products_is_one_category() -> None:
    assert cluster(np.ones((6, 4), np.float32)).labels.max() == 0


@pytest.mark.parametrize("products", [1, 2, 3])
def test_a_handful_of_products_is_one_category(products: int) -> None:
    assert cluster(_looks(*[1] * products)).labels.tolist() == [0] * products


def test_more_categories_than_pairs_of_products_are_refused() -> None:
    with pytest.raises(
        WalkoutTrainerError, match=r"12 products make at most 6 categories .* not 7"
    ):
        cluster(_looks(4, 3, 5), 7)


def test_the_silhouette_is_the_textbooks() -> None:
    at = np.array([0.0, 1.0, 5.0, 6.0])
    distances = np.abs(at[:, None] - at[None])
    # by hand: (b - a) / b with a = 1 and b = 5.5, 4.5, 4.5, 5.5
    expected = np.mean([4.5 / 5.5, 3.5 / 4.5, 3.5 / 4.5, 4.5 / 5.5])

    assert mean_silhouette(distances, np.array([0, 0, 1, 1], np.int32)) == pytest.approx(expected)
    assert mean_silhouette(distances, np.zeros(4, np.int32)) == 0


# --- From photos ---


def test_a_suggestion_names_a_category_and_a_typical_photo_for_each_product(
    shop: Catalogue,
) -> None:
    suggestion = suggest_categories(shop, _family_embeddings, 3)

    assert {frozenset(skus) for skus in suggestion.by_category.values()} == {
        frozenset({sku_of(0), sku_of(1)}),
        frozenset({sku_of(2), sku_of(3)}),
        frozenset({sku_of(4), sku_of(5)}),
    }
    assert set(suggestion.by_category) == {"looks-1", "looks-2", "looks-3"}
    assert all(path.parent.name == sku for sku, path in suggestion.typical.items())


def test_a_few_photos_of_each_product_are_looked_at_and_no_negative_ones(tmp_path: Path) -> None:
    for number in range(3 * PHOTOS_PER_PRODUCT):
        (tmp_path / "milk").mkdir(exist_ok=True)
        (tmp_path / f"milk/{number}.jpg").touch()
    (tmp_path / "milk/negative").mkdir()
    (tmp_path / "milk/negative/0.jpg").touch()
    seen: list[Photo] = []

    def embed(photos: Sequence[Photo]) -> NDArray[np.float32]:
        seen.extend(photos)
        return np.ones((len(photos), 3), np.float32)

    suggestion = suggest_categories(load_catalogue(tmp_path), embed)

    assert suggestion.categories == {"milk": "looks-1"}
    assert len(seen) == PHOTOS_PER_PRODUCT
    assert not any(photo.negative for photo in seen)
    assert seen[0].path.name == "0.jpg"
    assert seen[-1].path.name == f"{3 * PHOTOS_PER_PRODUCT - 1}.jpg"


def test_a_product_without_photos_is_named(shop: Catalogue) -> None:
    bare = Catalogue(shop.root, shop.products, shop.photos_of(sku_of(0)))

    with pytest.raises(WalkoutTrainerError, match="no usable photo of carton-01, carton-02"):
        suggest_categories(bare, _family_embeddings)


def test_the_imagenet_network_sees_which_cartons_are_alike(shop: Catalogue) -> None:
    photos = [shop.photos_of(sku_of(product))[0] for product in range(6)]
    advances: list[None] = []
    embeddings = imagenet_embeddings(photos, lambda: advances.append(None))

    assert embeddings.shape == (6, 1280)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, rtol=1e-5)
    assert len(advances) == 6
    np.testing.assert_array_equal(embeddings, imagenet_embeddings(photos))
    again = imagenet_embeddings([shop.photos_of(sku_of(0))[1]])
    assert int(np.argmax(embeddings @ again[0])) == 0


def test_a_photo_that_vanished_is_named(shop: Catalogue) -> None:
    with pytest.raises(PhotoError, match=r"gone\.jpg does not exist"):
        imagenet_embeddings([Photo(shop.root / "gone.jpg", sku_of(0))])


# --- The file ---


def test_the_file_comes_back_as_it_was_written(shop: Catalogue, tmp_path: Path) -> None:
    suggestion = suggest_categories(shop, _family_embeddings, 3)
    write_categories(tmp_path / "categories.csv", suggestion)
    categories = read_categories(tmp_path / "categories.csv", shop)

    assert categories == suggestion.categories
    assert with_categories(shop, categories).categories == ("looks-1", "looks-2", "looks-3")


def test_a_spreadsheets_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "categories.csv"
    path.write_text("\ufeffCategory;SKU\r\nfruit;a\r\nfruit;b\r\n", encoding="utf-8")

    assert read_categories(path) == {"a": "fruit", "b": "fruit"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sku\ncarton-00\n", r"categories\.csv, line 1: column 'category' is missing"),
        ("", r"line 1: column 'sku' is missing"),
        ("sku,category\ncarton-00,\n", r"line 2, column category: the cell is empty"),
        ("sku,category\ncarton-00,a\ncarton-00,b\n", r"line 3, .* is on line 2 already"),
        (
            "sku,category\ncarton-0O,a\n",
            r"line 2, column sku: .* has no SKU 'carton-0O'; did you mean 'carton-0",
        ),
        (
            "sku,category\ncarton-00,a\n",
            r"names no category for 'carton-01' and 4 others: add a line for each",
        ),
    ],
)
def test_a_wrong_file_is_refused_by_line_and_column(
    shop: Catalogue, tmp_path: Path, text: str, told: str
) -> None:
    path = tmp_path / "categories.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(CatalogueError, match=told):
        read_categories(path, shop)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"none\.csv does not exist: .*categories suggest"):
        read_categories(tmp_path / "none.csv")


# --- The picture ---


def test_the_picture_shows_every_product_in_the_colours_of_its_photo(
    shop: Catalogue, tmp_path: Path
) -> None:
    draw_categories(tmp_path / "looks.png", suggest_categories(shop, _family_embeddings, 3))
    picture = cv2.imread(str(tmp_path / "looks.png"))

    assert picture is not None
    assert picture.shape == (1152, 1600, 3)
    coloured = (picture.max(axis=2).astype(int) - picture.min(axis=2)) > 40
    thumbnails_px = 6 * 112 * 112
    assert coloured[560:].sum() > 0.4 * thumbnails_px


def test_odd_names_and_a_single_product_can_be_drawn(tmp_path: Path) -> None:
    write_photo(
        tmp_path / "shop/$_牛奶_^{x}_a-very-long-name-for-one-carton/0.jpg", draw_photo(0, 0)
    )
    catalogue = load_catalogue(tmp_path / "shop")
    draw_categories(
        tmp_path / "one.png",
        suggest_categories(catalogue, lambda photos: np.ones((len(photos), 4), np.float32)),
    )

    assert (tmp_path / "one.png").stat().st_size > 1000
