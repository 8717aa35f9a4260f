from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from cloud_trainer.cli.evaluate import register
from models.bundle import Bundle
from tests.simulators.bundles import make_bundle
from tests.simulators.photos import draw_photo, make_catalogue, write_photo


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle") / "b")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_catalogue(tmp_path_factory.mktemp("c"), products=4, photos=4)


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_a_table_with_intervals_is_printed(bundle: Bundle, photos: Path) -> None:
    result = run("--bundle", bundle.path, "--photos", photos)
    assert result.exit_code == 0, result.output
    assert "nearest centroid right" in result.stdout
    assert "95 % interval" in result.stdout
    assert "of 16" in result.stdout


def test_json_alone_reaches_standard_output(bundle: Bundle, photos: Path) -> None:
    result = run("--bundle", bundle.path, "--photos", photos, "--json", "-")
    told = json.loads(result.stdout)
    assert told["photos"] == 16
    assert told["unknown_auroc"] is None
    assert "nearest centroid right" in result.stderr


def test_json_and_report_are_written_to_files(bundle: Bundle, photos: Path, tmp_path: Path) -> None:
    unknown = tmp_path / "unknown" / "deep" / "er"
    write_photo(unknown / "a.jpg", draw_photo(30, 0))
    write_photo(unknown / "b.jpg", draw_photo(30, 1))
    result = run(
        "--bundle", bundle.path, "--photos", photos, "--unknown", tmp_path / "unknown",
        "--pool", 2, "--json", tmp_path / "e.json", "--report", tmp_path / "e.html",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    told = json.loads((tmp_path / "e.json").read_text())
    assert (told["pool"], told["unknown_photos"], told["unknown_queries"]) == (2, 2, 1)
    assert told["unknown_auroc"] is not None
    assert (tmp_path / "e.html").read_text().startswith("<!doctype html>")
    assert "sliding windows" in result.stdout


def test_photos_set_aside_are_listed(bundle: Bundle, tmp_path: Path) -> None:
    folder = make_catalogue(tmp_path / "c", products=2, photos=3)
    (folder / "carton-00" / "001.jpg").write_bytes(b"")
    result = run("--bundle", bundle.path, "--photos", folder)
    assert result.exit_code == 0, result.output
    assert "set aside" in result.stdout
    assert "001.jpg" in result.stdout


@pytest.mark.parametrize(
    ("bundle_name", "photos_name", "extra"),
    [
        ("nowhere", "c", ()),
        ("b", "nowhere", ()),
        ("b", "c", ("--unknown", "/nowhere")),
        ("b", "c", ("--pool", "9")),
        ("b", "c", ("--precision", "int8")),
        ("b", "c", ("--report", "/nowhere/e.html")),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_2(
    bundle: Bundle, photos: Path, tmp_path: Path, bundle_name: str, photos_name: str,
    extra: tuple[str, ...],
) -> None:  # fmt: skip
    result = run(
        "--bundle", bundle.path if bundle_name == "b" else tmp_path / bundle_name,
        "--photos", photos if photos_name == "c" else tmp_path / photos_name,
        *extra,
    )  # fmt: skip
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert result.stderr.startswith("walkout-trainer: ")
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_unknown_folder_without_photos_is_refused(
    bundle: Bundle, photos: Path, tmp_path: Path
) -> None:
    result = run("--bundle", bundle.path, "--photos", photos, "--unknown", tmp_path)
    assert result.exit_code == 2
    assert "no photos" in result.stderr
