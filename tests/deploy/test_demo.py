"""The demo's shop is whole, as small as promised, credited, and fits the default bundle."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from calibration.format import read_calibration
from edge.config_file import load_config
from edge.shop.premises import open_premises
from models.bundle import compose_bundle
from models.catalogue import load_catalogue

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "deploy" / "demo"
NETWORK = ROOT / "models" / "pretrained" / "groceries"


def test_the_shop_opens_with_its_parts_and_the_default_bundles_network(tmp_path: Path) -> None:
    shop = Path(shutil.copytree(DEMO, tmp_path / "demo", ignore=shutil.ignore_patterns("bundles")))
    bundle = compose_bundle(shop / "bundle-parts", NETWORK, shop / "bundles" / "groceries")
    premises = open_premises(load_config(shop / "store.yaml"), shop)
    assert premises.config.is_recorded
    assert set(bundle.skus) == {product.sku for product in premises.products}
    assert len(premises.cameras_of("shelf")) >= 3
    assert len(premises.cameras_of("overhead")) >= 2


def test_its_story_has_four_shoppers_and_every_kind_of_interaction() -> None:
    told = json.loads((DEMO / "truth.json").read_text(encoding="utf-8"))
    assert 60 <= told["seconds"] <= 90
    assert [each["role"] for each in told["shoppers"]] == ["shopper"] * 4
    behaviours = Counter(each["behaviour"] for each in told["interactions"])
    assert behaviours.keys() >= {
        "take", "put_back", "take_two", "touch", "misplace", "slow_lift", "reach_over",
    }  # fmt: skip
    catalogue = load_catalogue(DEMO / "catalogue")
    assert len(catalogue.products) == 16
    assert len(catalogue.categories) == 4


def test_it_is_under_twenty_megabytes_without_a_second_copy_of_the_network() -> None:
    files = [
        path
        for path in DEMO.rglob("*")
        if path.is_file() and "bundles" not in path.relative_to(DEMO).parts
    ]
    assert sum(path.stat().st_size for path in files) < 20_000_000


@pytest.mark.parametrize("camera", sorted(read_calibration(DEMO / "calibration.json").cameras))
def test_every_camera_has_its_video(camera: str) -> None:
    assert (DEMO / f"{camera}.mp4").stat().st_size > 100_000


def test_whose_models_it_shows_is_said_with_their_licences() -> None:
    credits = (DEMO / "CREDITS.md").read_text(encoding="utf-8").splitlines()
    named = [line for line in credits if line.startswith("- ")]
    assert named
    assert all(", by " in line and "CC" in line for line in named)
