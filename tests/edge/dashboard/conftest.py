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


@pytest.fixture(scope="module")
def site(
    recorded_shop: Path, played_state: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A dashboard for the tests of one file, which share what they change."""
    state = tmp_path_factory.mktemp("site") / "state"
    shutil.copytree(played_state, state)
    with served(recorded_shop, state) as site:
        yield site


@pytest.fixture
def own_site(recorded_shop: Path, played_state: Path, tmp_path: Path) -> Iterator[Site]:
    """A dashboard for one test alone."""
    state = tmp_path / "state"
    shutil.copytree(played_state, state)
    with served(recorded_shop, state) as site:
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
    state = tmp_path / "state"
    shutil.copytree(doubtful_shop / "state", state)
    with served(doubtful_shop, state) as site:
        yield site
