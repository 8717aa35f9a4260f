"""A recorded shop that was played once, and dashboards before copies of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.edge.dashboard.serving import Site, make_doubtful, play, served


@pytest.fixture(scope="session")
def played_state(recorded_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """State of the small recorded shop after its recording; not to be written to."""
    state = tmp_path_factory.mktemp("played") / "state"
    play(recorded_shop, state)
    return state


def copied(shop: Path, state: Path, where: Path) -> tuple[Path, Path]:
    """A shop and its state to be written to: who calibrates cameras changes the shop's files."""
    shutil.copytree(shop, where / "shop", ignore=shutil.ignore_patterns("state"))
    shutil.copytree(state, where / "state")
    return where / "shop", where / "state"


@pytest.fixture(scope="module")
def site(
    recorded_shop: Path, played_state: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A dashboard for the tests of one file, which share what they change."""
    with served(*copied(recorded_shop, played_state, tmp_path_factory.mktemp("site"))) as site:
        yield site


@pytest.fixture
def own_site(recorded_shop: Path, played_state: Path, tmp_path: Path) -> Iterator[Site]:
    """A dashboard for one test alone."""
    with served(*copied(recorded_shop, played_state, tmp_path)) as site:
        yield site


@pytest.fixture(scope="session")
def doubtful_shop(recorded_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small recorded shop, but nothing is charged without a person; played, in ``state``."""
    folder = tmp_path_factory.mktemp("doubtful") / "shop"
    make_doubtful(recorded_shop, folder)
    play(folder, folder / "state")
    return folder


@pytest.fixture
def doubtful_site(doubtful_shop: Path, tmp_path: Path) -> Iterator[Site]:
    """A dashboard for one test alone, with open reviews."""
    with served(*copied(doubtful_shop, doubtful_shop / "state", tmp_path)) as site:
        yield site
