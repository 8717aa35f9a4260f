"""Which wheels a device takes of a release for many."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from packaging.tags import Tag

from edge.errors import ReleaseRefusedError
from edge.software.wheels import fitting
from models.delivery import SoftwareRelease, software_release

NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)
JETSON = (
    Tag("cp310", "cp310", "manylinux_2_35_aarch64"),
    Tag("cp310", "cp310", "manylinux2014_aarch64"),
    Tag("cp39", "abi3", "manylinux2014_aarch64"),
    Tag("py3", "none", "any"),
)
NAMES = (
    "walkout-0.2.0-py3-none-any.whl",
    "numpy-2.2.0-cp310-cp310-manylinux_2_35_aarch64.whl",
    "numpy-2.2.0-cp310-cp310-manylinux2014_aarch64.whl",
    "numpy-2.2.0-cp312-cp312-manylinux2014_x86_64.whl",
    "cryptography-45.0-cp39-abi3-manylinux2014_aarch64.whl",
)


def release(*names: str) -> SoftwareRelease:
    wheels = tuple((name, 10, f"{number:064x}") for number, name in enumerate(names))
    return software_release(wheels, "0.2.0", release=3, not_before=NOW)


def test_each_thing_comes_once_in_the_form_that_fits_best() -> None:
    assert [file.name for file in fitting(release(*NAMES), JETSON).files] == [
        "cryptography-45.0-cp39-abi3-manylinux2014_aarch64.whl",
        "numpy-2.2.0-cp310-cp310-manylinux_2_35_aarch64.whl",
        "walkout-0.2.0-py3-none-any.whl",
    ]


def test_this_interpreter_finds_what_runs_everywhere() -> None:
    assert "walkout-0.2.0-py3-none-any.whl" in {
        file.name for file in fitting(release(*NAMES)).files
    }


def test_a_release_without_walkout_for_this_device_is_refused() -> None:
    with pytest.raises(ReleaseRefusedError, match="no walkout for this device"):
        fitting(release("walkout-0.2.0-cp312-cp312-manylinux2014_x86_64.whl"), JETSON)


def test_a_wheel_names_no_other_place() -> None:
    for name in ("../walkout-0.2.0-py3-none-any.whl", "walkout.tar.gz", "walkout-0.2.0.whl"):
        with pytest.raises(ValueError, match="name"):
            release(name)
