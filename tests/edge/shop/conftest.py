"""A recorded shop that two shelf devices can share, and what one device makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.bundle import Bundle
from tests.edge.shop.shops import write_small_shop
from tests.simulators.shop.errors import SimulatorError


@pytest.fixture(scope="session")
def two_shelf_shop(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Path:
    """See ``shops.write_small_shop``; not to be written to."""
    folder = tmp_path_factory.mktemp("shops") / "two-shelves"
    try:
        write_small_shop(folder, bundle.path)
    except SimulatorError as err:
        pytest.skip(f"no shop can be rendered here: {err}")
    return folder
