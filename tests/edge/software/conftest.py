"""A cloud that publishes drawn releases of the software."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cloud_trainer.publishing import Publication, publish_software
from models.delivery import SoftwareRelease
from tests.simulators.cloud import Cloud
from tests.simulators.wheels import walkout_wheel, write_wheel

Publish = Callable[..., Publication[SoftwareRelease]]


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    return Cloud.make(tmp_path / "cloud", categories=("dairy",))


@pytest.fixture
def publish(cloud: Cloud, tmp_path: Path) -> Publish:
    """Publish a version to everybody: a wheel of it, and one that all versions share."""

    def now(version: str) -> Publication[SoftwareRelease]:
        folder = tmp_path / f"wheels-{version}"
        walkout_wheel(folder, version)
        write_wheel(folder, "shared", "1.0", {"shared.py": "SHARED = 1\n"})
        return publish_software(cloud.repository, folder, cloud.now, everywhere=True)

    return now
