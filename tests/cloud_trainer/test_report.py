from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from markupsafe import Markup

from cloud_trainer.charts import Cut, Dot, Series, curve, histogram, interval_bar, scatter
from cloud_trainer.embedding_map import embedding_map
from cloud_trainer.evaluate import evaluate
from cloud_trainer.evaluation import Evaluation
from cloud_trainer.report import render_report, write_report
from models.bundle import open_bundle
from models.catalogue import Photo
from tests.simulators.bundles import make_bundle, reseal
from tests.simulators.photos import draw_photo, make_catalogue, sku_of, write_photo

HOSTILE = "<script>alert('x')</script> & \"Co\""
TAGS_WITHOUT_END = {"meta", "img"}


class Page(HTMLParser):
    """Every tag with its attributes and all text of a page; refuses tags that do not nest."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in TAGS_WITHOUT_END:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report")
    make_bundle(root / "b", products=6, category="Drinks & <i>more")

    def rename(manifest: dict[str, Any]) -> None:
        for product in manifest["products"]:
            product["name"] = f"{HOSTILE} {product['sku']}"
        manifest["provenance"]["notes"] = HOSTILE

    reseal(root / "b", rename)
    make_catalogue(root / "c", products=6, photos=5)
    for product in range(20, 24):
        write_photo(root / "u" / f"{product}.jpg", draw_photo(product, 0))
    return root


def photos_below(folder: Path) -> list[Photo]:
    return [Photo(path, path.parent.name) for path in sorted(folder.rglob("*.jpg"))]


def mislabelled(photos: list[Photo]) -> list[Photo]:
    """The photos, those of the first product said to show the second: sure to be confused."""
    first, second = sku_of(0), sku_of(1)
    named = [replace(photo, sku=second) if photo.sku == first else photo for photo in photos]
    return sorted(named, key=lambda photo: photo.sku)


@pytest.fixture(scope="module")
def evaluation(folder: Path) -> Evaluation:
    return evaluate(
        open_bundle(folder / "b"),
        mislabelled(photos_below(folder / "c")),
        unknown=photos_below(folder / "u"),
    )


@pytest.fixture(scope="module")
def page(evaluation: Evaluation) -> Page:
    return Page(render_report(evaluation))


def test_names_from_a_catalogue_cannot_become_markup(page: Page) -> None:
    assert {tag for tag, _ in page.tags} & {"script", "i", "b", "iframe", "link"} == set()
    assert HOSTILE in page.text
    assert "Drinks & <i>more" in page.text
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)


def test_the_page_needs_nothing_from_anywhere(page: Page, evaluation: Evaluation) -> None:
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "action"):
            source = attributes.get(name)
            assert source is None or source.startswith("data:image/jpeg;base64,")
    assert not re.search(r"url\(|@import|https?:", render_report(evaluation))


def test_every_section_and_the_photos_of_confusions_are_there(
    page: Page, evaluation: Evaluation
) -> None:
    for heading in ("Distances and thresholds", "Confusions", "Map", "Products", "Thresholds"):
        assert heading in page.text
    for line in ("TL", "TH", "area under the curve", "vouches"):
        assert line in page.text
    assert evaluation.confusions
    assert sum(tag == "img" for tag, _ in page.tags) >= len(evaluation.confusions[:12])
    assert sum(tag == "polygon" for tag, _ in page.tags) == 6
    dots = [a for tag, a in page.tags if tag == "circle" and "dot" in (a.get("class") or "")]
    assert len(dots) == len(evaluation.queries)


def test_both_light_and_dark_are_drawn(evaluation: Evaluation) -> None:
    assert "prefers-color-scheme: dark" in render_report(evaluation)


def test_a_report_without_unknown_products_says_what_is_missing(folder: Path) -> None:
    told = Page(render_report(evaluate(open_bundle(folder / "b"), photos_below(folder / "c"))))
    assert "--unknown" in told.text


def test_a_report_of_unknown_products_alone_is_written(folder: Path) -> None:
    alone = evaluate(open_bundle(folder / "b"), [], unknown=photos_below(folder / "u"))
    assert "No photos of known products" in Page(render_report(alone)).text


def test_pooled_queries_show_both_kinds_of_window(folder: Path) -> None:
    pooled = evaluate(open_bundle(folder / "b"), photos_below(folder / "c"), pool_size=2)
    assert "sliding by one photo" in Page(render_report(pooled)).text


def test_a_photo_that_has_gone_leaves_a_gap_but_no_error(folder: Path, tmp_path: Path) -> None:
    make_catalogue(tmp_path, products=6, photos=5)
    evaluation = evaluate(open_bundle(folder / "b"), mislabelled(photos_below(tmp_path)))
    for path in tmp_path.rglob("*.jpg"):
        path.unlink()
    assert 'class="gone"' in render_report(evaluation)


def test_an_older_report_is_replaced_and_nothing_else_is_left(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(evaluation, path)
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_in_no_folder_is_an_error(evaluation: Evaluation, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_report(evaluation, tmp_path / "nowhere" / "report.html")


@pytest.mark.parametrize(
    "chart",
    [
        histogram([Series("right", np.array([0.1]))], [Cut("TL", 0.1)], "x", HOSTILE),
        histogram([Series("right", np.zeros(9)), Series("wrong", np.ones(1))], [], "x", "t"),
        curve(np.array([0.5]), np.array([0.1]), title=HOSTILE, x_label="x", y_label="y"),
        curve(
            np.linspace(0, 1, 9), np.zeros(9), title="t", x_label="x", y_label="y",
            y_high=0.03, level=Cut(HOSTILE, 0.01), diagonal=True, mark=(0.9, 0.0, HOSTILE),
        ),
        scatter([Dot(0, 1, None, False, HOSTILE), Dot(1, 0, 9, True, "")], [(0, 0, HOSTILE)], "t"),
        interval_bar(1.0, 0.9, 1.0),
    ],
)  # fmt: skip
def test_charts_are_well_formed_whatever_they_are_given(chart: Markup) -> None:
    root = ElementTree.fromstring(str(chart))
    assert root.tag == "svg"
    assert "script" not in {element.tag for element in root.iter()}
    assert "nan" not in str(chart)


def test_charts_of_nothing_are_empty() -> None:
    empty = np.zeros(0)
    assert histogram([Series("right", empty)], [], "x", "t") == ""
    assert curve(empty, empty, title="t", x_label="x", y_label="y") == ""
    assert scatter([], [], "t") == ""


def test_alike_embeddings_lie_together_on_the_map() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5, 32))
    group = np.arange(100) % 5
    embeddings = (centres[group] + 0.15 * rng.normal(size=(100, 32))).astype(np.float32)
    places = embedding_map(embeddings)
    between = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(between, np.inf)
    assert (group[between.argmin(axis=1)] == group).mean() > 0.95
    assert places.min() >= 0
    assert places.max() <= 1
    np.testing.assert_array_equal(places, embedding_map(embeddings))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 12])
def test_few_or_equal_embeddings_have_places_too(count: int) -> None:
    rng = np.random.default_rng(count)
    for embeddings in (rng.normal(size=(count, 8)), np.ones((count, 8))):
        places = embedding_map(embeddings.astype(np.float32))
        assert places.shape == (count, 2)
        assert np.isfinite(places).all()
