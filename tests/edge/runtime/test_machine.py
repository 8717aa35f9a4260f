from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest

from edge.runtime.machine import look_around
from tests.simulators.cuda import make_driver


def _jetson(root: Path, release: str) -> Path:
    for name, text in (
        ("etc/nv_tegra_release", release),
        ("proc/device-tree/model", "NVIDIA Jetson Orin Nano Developer Kit\0"),
        ("var/lib/nvpmodel/status", "pmode:0002"),
        ("proc/cpuinfo", "processor\t: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\n"),
    ):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("release", "l4t", "jetpack"),
    [
        ("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic", "36.4.3", "6.2"),
        ("# R36 (release), REVISION: 4.0, GCID: 37537400, BOARD: generic", "36.4.0", "6.1"),
        ("# R36 (release), REVISION: 2.0, GCID: 34956989, BOARD: generic", "36.2.0", "6.0"),
        ("# R38 (release), REVISION: 2.1, GCID: 1, BOARD: generic", "38.2.1", "7"),
        ("# R35 (release), REVISION: 6.0, GCID: 1, BOARD: t186ref", "35.6.0", "5"),
    ],
)
def test_a_jetson_is_told_by_its_own_files(
    tmp_path: Path, release: str, l4t: str, jetpack: str
) -> None:
    found = look_around(_jetson(tmp_path, release), str(make_driver(tmp_path)))
    assert found.jetson is not None
    assert (found.jetson.l4t, found.jetson.jetpack) == (l4t, jetpack)
    assert found.jetson.board == "NVIDIA Jetson Orin Nano Developer Kit"
    assert found.jetson.power_mode == "0002"
    assert found.processor == "ARMv8 Processor rev 1 (v8l)"
    assert found.driver is not None
    assert found.driver.gpus[0].name == "Orin"


def test_a_machine_without_anything_says_so(tmp_path: Path) -> None:
    found = look_around(tmp_path, str(tmp_path / "libcuda.so.1"))
    assert found.jetson is None
    assert found.driver is None
    assert "no NVIDIA driver" in found.driver_trouble
    assert found.onnxruntime == onnxruntime.__version__
    assert "CPUExecutionProvider" in found.onnxruntime_providers
    assert found.cores >= 1


def test_optional_libraries_are_found_without_importing_them(tmp_path: Path) -> None:
    versions = look_around(tmp_path, str(tmp_path / "libcuda.so.1")).versions
    assert versions["openvino"][0].isdigit()
    assert versions["tensorrt_rtx"][0].isdigit()
    assert "tensorrt" not in versions
