"""Two drawn bundles of different embedding spaces, made once for all tests of the device."""

from __future__ import annotations

import pytest

from models.bundle import Bundle
from tests.simulators.bundles import make_bundle


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
