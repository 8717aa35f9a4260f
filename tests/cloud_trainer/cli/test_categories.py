from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner, Result

from cloud_trainer.__main__ import app
from tests.simulators.photos import draw_photo, make_catalogue, write_photo


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["categories", "suggest", *map(str, arguments)])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_catalogue(tmp_path_factory.mktemp("shop"), products=6, photos=2)


def test_a_suggestion_is_a_table_to_edit_and_a_picture(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "new/categories.csv"
    result = _run(shop, "--out", out, "--categories", "2")

    assert result.exit_code == 0, result.output
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["sku"] for row in rows) == [f"carton-{n:02d}" for n in range(6)]
    assert {row["category"] for row in rows} == {"looks-1", "looks-2"}
    assert cv2.imread(str(out.with_suffix(".png"))) is not None
    assert "looks-1" in result.stdout


def test_fewer_categories_than_asked_for_are_explained(shop: Path, tmp_path: Path) -> None:
    result = _run(shop, "--out", tmp_path / "c.csv", "--categories", "3")
    made = result.stdout.count("looks-")

    assert result.exit_code == 0, result.output
    assert (made < 3) == ("no category is left with one product" in result.stdout)


def test_json_names_the_categories_and_the_files(shop: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "categories.csv", tmp_path / "clusters.svg"
    result = _run(shop, "--out", out, "--picture", picture, "--json")

    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert sum(map(len, document["categories"].values())) == 6
    assert (document["file"], document["picture"]) == (str(out), str(picture))
    assert picture.read_text(encoding="utf-8").startswith("<?xml")


def test_unreadable_photos_do_not_stand_in_the_way(tmp_path: Path) -> None:
    for number in range(2):
        write_photo(tmp_path / f"shop/milk/{number}.jpg", draw_photo(0, number))
    (tmp_path / "shop/milk/broken.jpg").write_bytes(b"words")

    assert _run(tmp_path / "shop", "--out", tmp_path / "c.csv").exit_code == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--out", "{tmp}/file/c.csv"], "cannot write"),
        (["--out", "{tmp}"], "is a folder: name a file"),
        (["--out", "{tmp}/c.csv", "--picture", "{tmp}/c.doc"], "ends in .png, .pdf, .svg"),
        (["--out", "{tmp}/c.csv", "--categories", "4"], "6 products make at most 3 categories"),
    ],
)
def test_what_cannot_be_done_is_one_line_on_stderr(
    shop: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    (tmp_path / "file").touch()
    result = _run(shop, *[option.format(tmp=tmp_path) for option in options])

    assert result.exit_code == 2
    assert result.stderr.startswith("walkout-trainer: ")
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_product_without_a_usable_photo_is_named(shop: Path, tmp_path: Path) -> None:
    for number in range(2):
        write_photo(tmp_path / f"shop/milk/{number}.jpg", draw_photo(0, number))
    (tmp_path / "shop/tea").mkdir()
    (tmp_path / "shop/tea/1.jpg").write_bytes(b"words")
    result = _run(tmp_path / "shop", "--out", tmp_path / "c.csv")

    assert result.exit_code == 2
    assert "no usable photo of tea: add photos or take the product out" in result.stderr
