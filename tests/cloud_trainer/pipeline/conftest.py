"""One signed cloud for all tests of the pipeline; each works on a copy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud_trainer.pipeline.scene import Scene, open_scene, publish_first


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys and a store with one release of four cartons."""
    folder = tmp_path_factory.mktemp("published")
    publish_first(folder)
    return folder


@pytest.fixture
def scene(tmp_path: Path, published: Path) -> Iterator[Scene]:
    """A pipeline between real rollouts and three devices."""
    with open_scene(tmp_path, published) as opened:
        yield opened
