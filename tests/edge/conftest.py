"""Two drawn bundles and a small recorded shop, made once for all tests of the device."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.bundle import Bundle
from tests.simulators.bundles import make_bundle
from tests.simulators.shop.errors import SimulatorError
from tests.simulators.shop.recording import Plan, stage, write


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Six cartons, seed 0, category ``dairy``."""
    return make_bundle(tmp_path_factory.mktemp("bundles") / "dairy", products=6, category="dairy")


@pytest.fixture(scope="session")
def foreign_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Four other cartons and another network, seed 5, category ``fruit``."""
    return make_bundle(
        tmp_path_factory.mktemp("bundles") / "fruit", products=4, seed=5, category="fruit"
    )


@pytest.fixture(scope="session")
def recorded_shop(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Path:
    """Two shoppers, one shelf and one overhead camera, small and coarse; not to be written to."""
    folder = tmp_path_factory.mktemp("shops") / "small"
    plan = Plan(
        seed=3,
        shoppers=2,
        products=6,
        shelf_cameras=1,
        overhead_cameras=1,
        size_px=(320, 180),
        fps=5,
        photos=1,
        photo_px=64,
        behaviours=("take",),
        staff=False,
    )
    try:
        write(stage(plan), folder)
    except SimulatorError as err:
        pytest.skip(f"no shop can be rendered here: {err}")
    store = folder / "store.yaml"
    text = store.read_text(encoding="utf-8")
    store.write_text(
        text.replace("bundles: [bundles/groceries]", f"bundles: ['{bundle.path}']"),
        encoding="utf-8",
    )
    return folder
