"""``walkout-trainer enrol`` and ``withdraw`` as a person or a script runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from cloud_trainer.cli import enrol
from models.bundle import Bundle, open_bundle
from tests.simulators.bundles import make_bundle
from tests.simulators.photos import draw_photo, write_photo


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Four drawn cartons; nobody changes it."""
    return make_bundle(tmp_path_factory.mktemp("base") / "bundle")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three photos of a carton that the bundle does not know."""
    folder = tmp_path_factory.mktemp("photos")
    for photo in range(3):
        write_photo(folder / f"{photo}.png", draw_photo(7, photo))
    return folder


def run(*arguments: str | Path) -> Result:
    app = typer.Typer()
    enrol.register(app)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_product_is_enrolled_from_a_folder(bundle: Bundle, photos: Path, tmp_path: Path) -> None:
    result = run(
        "enrol", "--bundle", bundle.path, "--sku", "kale", "--photos", photos,
        "--out", tmp_path / "out", "--name", "Kale", "--price", "2.49", "--currency", "EUR",
        "--gtin", "4006381333931",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert "kale enrolled from 3 photos; version 1+1 with 5 products" in result.stdout
    product = open_bundle(tmp_path / "out").manifest.products[-1]
    assert (product.sku, product.name, product.gtin) == ("kale", "Kale", "4006381333931")
    assert (str(product.price), product.currency) == ("2.49", "EUR")


def test_json_is_one_document_that_says_what_was_used_and_what_was_not(
    bundle: Bundle, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"")

    result = run(
        "enrol", "--bundle", bundle.path, "--sku", "kale", "--out", tmp_path / "out", "--json",
        "--photos", photos / "0.png", photos / "1.png", tmp_path / "broken.jpg",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["photos_used"] == [str(photos / "0.png"), str(photos / "1.png")]
    assert [aside["path"] for aside in document["set_aside"]] == [str(tmp_path / "broken.jpg")]
    assert "empty" in document["set_aside"][0]["reason"]
    assert document["space_id"] == bundle.manifest.space_id
    assert (document["sku"], document["version"], document["products"]) == ("kale", "1+1", 5)
    assert document["close_to"] == []


def test_a_look_alike_is_warned_of(tmp_path: Path, photos: Path, bundle: Bundle) -> None:
    first = tmp_path / "first"
    run("enrol", "--bundle", bundle.path, "--sku", "kale", "--photos", photos, "--out", first)

    result = run(
        "enrol", "--bundle", first, "--sku", "twin", "--photos", photos, "--out", tmp_path / "both"
    )

    assert result.exit_code == 0, result.output
    assert "kale is only " in result.stdout
    assert "expect more reviews" in result.stdout


def test_set_aside_photos_are_listed(bundle: Bundle, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_text("no photo")

    result = run(
        "enrol", "--bundle", bundle.path, "--sku", "kale", "--photos", photos,
        "--photos", tmp_path / "broken.jpg", "--out", tmp_path / "out",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert f"set aside {tmp_path / 'broken.jpg'}" in result.stdout


def test_replacing_keeps_what_is_known_of_the_product(
    bundle: Bundle, photos: Path, tmp_path: Path
) -> None:
    result = run(
        "enrol", "--bundle", bundle.path, "--sku", "carton-02", "--photos", photos, "--replace",
        "--price", "3.10", "--currency", "EUR", "--out", tmp_path / "out",
    )  # fmt: skip

    assert result.exit_code == 0, result.output
    product = open_bundle(tmp_path / "out").manifest.products[-1]
    assert (product.name, str(product.price), product.photos) == ("Carton 2", "3.10", 3)
    assert product.enrolled


def test_a_product_is_withdrawn(bundle: Bundle, tmp_path: Path) -> None:
    result = run("withdraw", "--bundle", bundle.path, "--sku", "carton-00", "--out", tmp_path / "a")
    as_json = run(
        "withdraw", "--bundle", bundle.path, "--sku", "carton-00", "--out", tmp_path / "b", "--json"
    )

    assert "carton-00 withdrawn; version 1+1 with 3 products" in result.stdout
    document = json.loads(as_json.stdout)
    assert (document["sku"], document["products"]) == ("carton-00", 3)
    assert open_bundle(tmp_path / "a").skus == open_bundle(tmp_path / "b").skus


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--sku", "carton-00"], "carton-00 is in the bundle already"),
        (["--sku", "kale", "--gtin", "4006381333932"], "--gtin: "),
        (["--sku", "kale", "--price", "cheap"], "--price: "),
        (["--sku", "kale", "--currency", "euros"], "--currency: "),
        (["--sku", "kale", "nowhere.jpg"], "nowhere.jpg: no such photo"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    bundle: Bundle, photos: Path, tmp_path: Path, options: list[str], complaint: str
) -> None:
    result = run(
        "enrol", "--bundle", bundle.path, "--photos", photos, "--out", tmp_path / "out", *options
    )

    assert result.exit_code == 2
    assert result.stderr.startswith("walkout-trainer: ")
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_damaged_bundle_is_one_line_and_exit_code_2(photos: Path, tmp_path: Path) -> None:
    damaged = make_bundle(tmp_path / "damaged").path
    (damaged / "vectors.safetensors").unlink()

    result = run(
        "enrol", "--bundle", damaged, "--sku", "kale", "--photos", photos, "--out", tmp_path / "out"
    )

    assert result.exit_code == 2
    assert "walkout-trainer: " in result.stderr
    assert "lacks vectors.safetensors" in result.stderr
