from __future__ import annotations

import csv
import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from cloud_trainer.__main__ import app
from tests.simulators.photos import draw_photo, make_catalogue, write_photo


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["catalogue", "check", *map(str, arguments)])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_catalogue(tmp_path / "shop", products=3, photos=3)


def _spoil(shop: Path) -> None:
    """One photo of every fault that a stranger's folder may hold."""
    folder = shop / "carton-00"
    photo = draw_photo(0, 8)
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "words.jpg").write_bytes(b"words")
    content = cv2.imencode(".jpg", photo)[1].tobytes()
    (folder / "broken.jpg").write_bytes(content[: len(content) // 2])
    write_photo(folder / "dot.png", np.zeros((1, 1, 3), np.uint8))
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (folder / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    write_photo(folder / "dark.jpg", (photo * 0.1).astype(np.uint8))
    write_photo(folder / "mist.jpg", np.asarray(cv2.GaussianBlur(photo, (0, 0), 6), np.uint8))
    (folder / "twice.jpg").write_bytes((folder / "000.jpg").read_bytes())


def test_a_good_catalogue_passes(shop: Path) -> None:
    result = _run(shop)

    assert result.exit_code == 0, result.output
    assert "3 products, 9 photos, 0 set aside" in result.stdout
    assert result.stderr == ""


def test_every_bad_photo_is_named_with_its_reason_and_the_good_ones_are_enough(shop: Path) -> None:
    _spoil(shop)
    result = _run(shop)

    assert result.exit_code == 0, result.output
    for name, told in [
        ("empty.jpg", "is empty (0 bytes)"),
        ("words.jpg", "is not a JPEG, PNG, WebP or BMP photo"),
        ("broken.jpg", "damaged"),
        ("dot.png", "1 x 1 pixels"),
        ("bomb.png", "60000 x 60000"),
        ("dark.jpg", "too dark"),
        ("mist.jpg", "blurred"),
        ("twice.jpg", "the same picture as"),
    ]:
        line = next(line for line in result.stdout.splitlines() if f"/{name}" in line)
        assert told in line
    assert "3 products, 17 photos, 8 set aside" in result.stdout


def test_json_says_the_same_in_one_document(shop: Path) -> None:
    _spoil(shop)
    document = json.loads(_run(shop, "--json").stdout)

    assert (document["photos"], document["usable"], document["warnings"]) == (17, 9, [])
    assert document["products"][0] == {
        "sku": "carton-00",
        "category": "all",
        "photos": 11,
        "usable": 3,
        "negatives": 0,
        "set_aside": {"unreadable": 5, "dark": 1, "blurred": 1, "duplicate": 1},
    }
    assert {Path(aside["path"]).name for aside in document["set_aside"]} == {
        *("empty.jpg", "words.jpg", "broken.jpg", "dot.png"),
        *("bomb.png", "dark.jpg", "mist.jpg", "twice.jpg"),
    }


def test_a_one_photo_product_is_named_and_fails_the_check(shop: Path) -> None:
    write_photo(shop / "lonely/1.jpg", draw_photo(7, 0))
    result = _run(shop)

    assert result.exit_code == 1
    assert "lonely has 1 usable photo: at least 2 are needed" in result.stdout


def test_a_one_product_category_is_named(tmp_path: Path) -> None:
    make_catalogue(tmp_path / "shop/Dairy", products=2, photos=2)
    for photo in range(2):
        write_photo(tmp_path / f"shop/Tea/green-tea/{photo}.jpg", draw_photo(9, photo))
    result = _run(tmp_path / "shop")

    assert result.exit_code == 0, result.output
    assert "category Tea has one product, which there is nothing to tell apart" in result.stdout


def test_the_list_of_photos_set_aside_is_written(shop: Path, tmp_path: Path) -> None:
    _spoil(shop)
    target = tmp_path / "lists/aside.csv"
    assert _run(shop, "--set-aside", target).exit_code == 0

    with target.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert {row["sku"] for row in rows} == {"carton-00"}
    assert ("carton-00/mist.jpg", "blurred") in {(row["path"], row["fault"]) for row in rows}


def test_a_kept_photo_counts_again(shop: Path) -> None:
    _spoil(shop)
    target = shop / "set-aside.csv"
    _run(shop, "--set-aside", target)
    text = target.read_text(encoding="utf-8").splitlines()
    text = [f"{line}1" if "mist.jpg" in line else line for line in text]
    target.write_text("\n".join(text), encoding="utf-8")

    assert json.loads(_run(shop, "--json").stdout)["usable"] == 10


@pytest.mark.parametrize("place", ["file/aside.csv", "shop", "/proc/aside.csv"])
def test_a_list_that_cannot_be_written_is_refused_before_any_work(
    shop: Path, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").touch()
    result = _run(shop, "--set-aside", tmp_path / place)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("walkout-trainer: ")
    assert len(result.stderr.splitlines()) == 1
    assert any(told in result.stderr for told in ("cannot write", "is a folder: name a file"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("path\na.jpg\n", "line 1: column 'sku' is missing"),
        ("path,sku\ngone.jpg,milk\n", "line 2, column path: there is no file"),
    ],
)
def test_a_wrong_csv_is_one_line_on_stderr(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "catalogue.csv").write_text(text)
    result = _run(tmp_path / "catalogue.csv")

    assert result.exit_code == 2
    assert result.stderr.startswith("walkout-trainer: ")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_unknown_sku_in_the_products_table_is_one_line_on_stderr(shop: Path) -> None:
    (shop / "products.csv").write_text("sku,name\ncarton-0,Oats\n")
    result = _run(shop)

    assert result.exit_code == 2
    assert "there are no photos of 'carton-0'; did you mean 'carton-0" in result.stderr
