"""Bundles that nobody changes, and a cloud of one's own for each test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.simulators.bundles import make_bundle
from tests.simulators.cloud import Cloud


@dataclass(frozen=True)
class Bundles:
    """Folders of bundles of the category ``soda``.

    Attributes:
        first: Four products.
        product: A fifth product, with the same network.
        network: Another network.
        weights: A network that keeps its weights in a file of their own.
    """

    first: Path
    product: Path
    network: Path
    weights: Path


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    folder = tmp_path_factory.mktemp("bundles")
    return Bundles(
        first=make_bundle(folder / "first", category="soda").path,
        product=make_bundle(folder / "product", products=5, category="soda").path,
        network=make_bundle(folder / "network", seed=1, category="soda").path,
        weights=make_bundle(folder / "weights", category="soda", external_weights=True).path,
    )


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """Keys and an empty repository in a folder."""
    return Cloud.make(tmp_path / "cloud")
