"""One signed cloud for all tests of rollouts; each works on a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.simulators.fleet.scene import releases


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with keys and a store: three releases, the first of them stable."""
    folder = tmp_path_factory.mktemp("published")
    releases(folder)
    return folder
