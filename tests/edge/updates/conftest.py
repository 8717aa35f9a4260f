"""Bundles of one category, made once, and a cloud that publishes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from models.bundle import Bundle
from tests.simulators.bundles import make_bundle
from tests.simulators.cloud import Cloud

CATEGORY = "soda"


@dataclass(frozen=True)
class Sodas:
    """Editions of one category, and a bundle of another.

    Attributes:
        first: Six products.
        more: One more product, the same network.
        retrained: The same products as ``more``, another network.
        snack: Of another category.
    """

    first: Bundle
    more: Bundle
    retrained: Bundle
    snack: Bundle


@pytest.fixture(scope="session")
def sodas(tmp_path_factory: pytest.TempPathFactory) -> Sodas:
    folder = tmp_path_factory.mktemp("sodas")
    return Sodas(
        make_bundle(folder / "first", products=6, category=CATEGORY),
        make_bundle(folder / "more", products=7, category=CATEGORY),
        make_bundle(folder / "retrained", products=7, dim=48, category=CATEGORY),
        make_bundle(folder / "snack", category="snack"),
    )


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """An empty cloud with keys for soda and snacks."""
    return Cloud.make(tmp_path / "cloud", categories=(CATEGORY, "snack"))
