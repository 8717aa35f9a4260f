from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.config_file import load_config
from edge.errors import ConfigError
from edge.shop.premises import open_premises
from tests.edge.shop.devices import split

Change = Callable[[Path], None]


def edited(name: str, edit: Callable[[dict[str, Any]], object]) -> Change:
    def change(folder: Path) -> None:
        values = json.loads((folder / name).read_text(encoding="utf-8"))
        edit(values)
        (folder / name).write_text(json.dumps(values), encoding="utf-8")

    return change


def reworded(before: str, after: str) -> Change:
    def change(folder: Path) -> None:
        text = (folder / "store.yaml").read_text(encoding="utf-8")
        assert before in text
        (folder / "store.yaml").write_text(text.replace(before, after), encoding="utf-8")

    return change


def removed(name: str) -> Change:
    return lambda folder: (folder / name).unlink()


def test_a_recorded_shop_opens(recorded_shop: Path) -> None:
    premises = open_premises(load_config(recorded_shop), recorded_shop)
    assert premises.cameras_of("shelf") == ("shelf-1",)
    assert premises.cameras_of("overhead") == ("overhead-1",)
    assert [each.checkin_id for each in premises.checkins] == ["c-1", "c-2"]
    assert len(premises.bundles) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (removed("calibration.json"), "calibration: .*calibration.json: cannot be read"),
        (removed("planogram.json"), "planogram: .*planogram.json: cannot be read"),
        (removed("checkins.json"), "checkins: .*checkins.json: No such file"),
        (removed("catalogue/products.csv"), "catalogue: product .* has no price"),
        (reworded("catalogue: catalogue", "catalogue: nowhere"), "catalogue: "),
        (reworded("bundles: ['", "bundles: ['/nowhere"), "bundles.0: "),
        (reworded("  shelf-1:", "  shelf-7:"), "cameras.shelf-7: it is not in calibration.json"),
        (
            edited("calibration.json", lambda c: c["floor"].update(zones=[])),
            "the floor has no entry zone",
        ),
        (
            edited("checkins.json", lambda c: c["checkins"][0].pop("token")),
            "checkins: .*checkins.0.token",
        ),
        (
            edited(
                "planogram.json", lambda p: next(iter(p["facings"].values())).update(sku="ghost")
            ),
            "planogram: facing .* holds SKU ghost",
        ),
    ],
)
def test_what_does_not_fit_is_named(
    recorded_shop: Path, tmp_path: Path, change: Change, said: str
) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(recorded_shop, folder, ignore=shutil.ignore_patterns("*.mp4"))
    change(folder)
    with pytest.raises(ConfigError, match=said):
        open_premises(load_config(folder), folder)


def test_a_shop_needs_cameras_of_both_kinds(recorded_shop: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(recorded_shop, folder, ignore=shutil.ignore_patterns("*.mp4"))
    reworded("  overhead-1: {kind: file, path: overhead-1.mp4}", "")(folder)
    with pytest.raises(ConfigError, match="none is calibrated as overhead"):
        open_premises(load_config(folder), folder)


def test_a_shelf_device_and_a_hub_need_only_their_own_cameras(
    recorded_shop: Path, tmp_path: Path
) -> None:
    split(recorded_shop, tmp_path, 1883, {"shelf-a": ("shelf-1",)})
    shelf = open_premises(load_config(tmp_path / "shelf-a.yaml"), tmp_path)
    hub = open_premises(load_config(tmp_path / "hub.yaml"), tmp_path)
    assert (shelf.cameras_of("shelf"), shelf.cameras_of("overhead")) == (("shelf-1",), ())
    assert (hub.cameras_of("shelf"), hub.cameras_of("overhead")) == ((), ("overhead-1",))


def test_an_overhead_camera_of_a_shelf_device_is_refused(
    recorded_shop: Path, tmp_path: Path
) -> None:
    split(recorded_shop, tmp_path, 1883, {"shelf-a": ("shelf-1", "overhead-1")})
    with pytest.raises(ConfigError, match=r"cameras\.overhead-1: an overhead camera is the hub's"):
        open_premises(load_config(tmp_path / "shelf-a.yaml"), tmp_path)
