from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from cloud_trainer.quality import (
    SET_ASIDE_FILE,
    SetAside,
    count_products,
    judge_photo,
    usable,
    write_set_aside,
)
from models.catalogue import CatalogueError, load_catalogue
from tests.simulators.photos import draw_photo, make_catalogue, write_photo


def _blurred(photo: NDArray[np.uint8], sigma_px: float = 3) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(photo, (0, 0), sigma_px), np.uint8)


def _set_aside(root: Path) -> dict[str, SetAside]:
    _, set_aside = usable(load_catalogue(root))
    return {aside.photo.path.relative_to(root).as_posix(): aside for aside in set_aside}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_catalogue(tmp_path / "shop", products=2, photos=4)


def test_good_photos_are_all_used(shop: Path) -> None:
    catalogue = load_catalogue(shop)
    advances: list[None] = []
    good, set_aside = usable(catalogue, lambda: advances.append(None))

    assert good == catalogue
    assert set_aside == ()
    assert len(advances) == len(catalogue.photos)


@pytest.mark.parametrize(
    ("photo", "told"),
    [
        (_blurred(draw_photo(5, 0)), "blurred or blank"),
        (_blurred(draw_photo(5, 0, size_px=1200), 14), "blurred or blank"),
        (np.full((300, 300, 3), 230, np.uint8), "blurred or blank"),
        ((draw_photo(5, 0) * 0.12).astype(np.uint8), "too dark"),
        (draw_photo(5, 0)[:50], r"too small"),
    ],
)
def test_a_bad_photo_is_told_why(photo: NDArray[np.uint8], told: str) -> None:
    assert told in "; ".join(judge_photo(photo))


def test_softness_that_only_shows_at_full_resolution_does_no_harm() -> None:
    assert judge_photo(_blurred(draw_photo(5, 0, size_px=1200), 3)) == ()
    assert judge_photo(_blurred(draw_photo(5, 0, size_px=256), 3)) != ()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "damaged"),
        (b"just words", "is not a JPEG, PNG, WebP or BMP photo"),
    ],
)
def test_an_unreadable_file_is_set_aside_with_its_reason(
    shop: Path, content: bytes, told: str
) -> None:
    (shop / "carton-00/900.jpg").write_bytes(content)
    aside = _set_aside(shop)["carton-00/900.jpg"]

    assert aside.fault == "unreadable"
    assert told in aside.reason


def test_a_one_pixel_image_is_set_aside(shop: Path) -> None:
    write_photo(shop / "carton-00/900.png", np.zeros((1, 1, 3), np.uint8))

    assert _set_aside(shop)["carton-00/900.png"].fault == "unreadable"


def test_of_copies_the_first_is_kept_even_when_they_were_scaled_and_saved_again(
    shop: Path,
) -> None:
    shutil.copy(shop / "carton-00/000.jpg", shop / "carton-00/copy-1.jpg")
    photo = cv2.imread(str(shop / "carton-00/000.jpg"))
    assert photo is not None
    smaller = np.asarray(cv2.resize(photo, (180, 180), interpolation=cv2.INTER_AREA), np.uint8)
    write_photo(shop / "carton-00/copy-2.webp", smaller)
    set_aside = _set_aside(shop)

    assert {name: aside.fault for name, aside in set_aside.items()} == {
        "carton-00/copy-1.jpg": "duplicate",
        "carton-00/copy-2.webp": "duplicate",
    }
    assert "000.jpg" in set_aside["carton-00/copy-1.jpg"].reason


def test_the_same_shelf_photographed_twice_is_no_copy(tmp_path: Path) -> None:
    still = draw_photo(3, 0)
    for step in range(4):
        moved = np.roll(still, 3 * step, axis=1)
        write_photo(tmp_path / f"milk/{step}.jpg", moved)

    assert _set_aside(tmp_path) == {}


def test_a_photo_under_two_skus_is_set_aside_under_both(shop: Path) -> None:
    shutil.copy(shop / "carton-00/001.jpg", shop / "carton-01/stray.jpg")
    set_aside = _set_aside(shop)

    assert set(set_aside) == {"carton-00/001.jpg", "carton-01/stray.jpg"}
    assert {aside.fault for aside in set_aside.values()} == {"two_skus"}
    assert "carton-01" in set_aside["carton-00/001.jpg"].reason


def test_products_that_cannot_be_told_apart_may_share_photos(shop: Path) -> None:
    shutil.copy(shop / "carton-00/001.jpg", shop / "carton-01/shared.jpg")
    (shop / "products.csv").write_text("sku,view_group\ncarton-00,twins\ncarton-01,twins\n")

    assert _set_aside(shop) == {}


def test_a_photo_of_one_product_may_be_what_another_is_not(shop: Path) -> None:
    (shop / "carton-01/negative").mkdir()
    shutil.copy(shop / "carton-00/001.jpg", shop / "carton-01/negative/1.jpg")

    assert _set_aside(shop) == {}


def test_a_photo_that_both_is_and_is_not_the_product_is_set_aside(shop: Path) -> None:
    (shop / "carton-00/negative").mkdir()
    shutil.copy(shop / "carton-00/001.jpg", shop / "carton-00/negative/1.jpg")

    assert {name: aside.fault for name, aside in _set_aside(shop).items()} == {
        "carton-00/001.jpg": "contradiction",
        "carton-00/negative/1.jpg": "contradiction",
    }


def test_no_file_is_touched(shop: Path) -> None:
    write_photo(shop / "carton-00/900.jpg", _blurred(draw_photo(0, 9)))
    before = {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()}
    usable(load_catalogue(shop))

    assert {path: path.read_bytes() for path in shop.rglob("*") if path.is_file()} == before


def test_a_person_has_the_last_word(shop: Path) -> None:
    write_photo(shop / "carton-00/900.jpg", _blurred(draw_photo(0, 9)))
    write_photo(shop / "carton-01/900.jpg", _blurred(draw_photo(1, 9)))
    catalogue = load_catalogue(shop)
    _, set_aside = usable(catalogue)
    write_set_aside(shop / SET_ASIDE_FILE, catalogue, set_aside)
    listed = (shop / SET_ASIDE_FILE).read_text(encoding="utf-8")
    assert listed.splitlines()[0] == "path,sku,fault,reason,keep"

    rows = listed.splitlines()
    edited = [rows[0], f"{rows[1]}1", rows[2], "carton-01/000.jpg,carton-01,by_hand,wrong item,"]
    (shop / SET_ASIDE_FILE).write_text("\n".join(edited), encoding="utf-8")

    second = _set_aside(shop)
    assert set(second) == {"carton-01/000.jpg", "carton-01/900.jpg"}
    assert second["carton-01/000.jpg"].reason == "wrong item"
    # Written again, the list forgets nothing that was decided.
    write_set_aside(shop / SET_ASIDE_FILE, catalogue, tuple(second.values()))
    assert _set_aside(shop) == second


def test_a_photo_replaced_by_a_good_one_is_used_again(shop: Path) -> None:
    write_photo(shop / "carton-00/900.jpg", _blurred(draw_photo(0, 9)))
    catalogue = load_catalogue(shop)
    write_set_aside(shop / SET_ASIDE_FILE, catalogue, usable(catalogue)[1])
    write_photo(shop / "carton-00/900.jpg", draw_photo(0, 9))

    assert _set_aside(shop) == {}


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a.jpg,a,,,perhaps", r"set-aside\.csv, line 2, column keep: write 1 or leave it empty"),
        ("a.jpg,a,ugly,,", r"line 2, column fault: unknown fault 'ugly'; write by_hand"),
    ],
)
def test_a_review_that_cannot_be_understood_is_refused(shop: Path, row: str, told: str) -> None:
    (shop / SET_ASIDE_FILE).write_text(f"path,sku,fault,reason,keep\n{row}\n", encoding="utf-8")

    with pytest.raises(CatalogueError, match=told):
        usable(load_catalogue(shop))


def test_products_are_counted_even_when_nothing_of_theirs_is_left(shop: Path) -> None:
    write_photo(shop / "mist/0.jpg", _blurred(draw_photo(7, 0)))
    write_photo(shop / "carton-00/negative/0.jpg", draw_photo(8, 0))
    catalogue = load_catalogue(shop)
    good, set_aside = usable(catalogue)
    counts = {count.sku: count for count in count_products(catalogue, good, set_aside)}

    assert (counts["mist"].photos, counts["mist"].usable) == (1, 0)
    assert counts["mist"].faults == {"blurred": 1}
    assert (counts["carton-00"].photos, counts["carton-00"].usable) == (5, 4)
    assert counts["carton-00"].negatives == 1
