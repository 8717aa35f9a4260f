from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from edge.errors import EmbedderError, RuntimeUnavailableError
from edge.runtime.driver import DriverLibrary, GraphRun, look_for_gpus
from tests.simulators.cuda import make_driver

_STREAM = 7


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_driver(tmp_path_factory.mktemp("driver")))


def test_a_gpu_is_described(driver: str) -> None:
    found = look_for_gpus(driver)
    assert found.cuda_version == (12, 6)
    gpu = found.gpus[0]
    assert (gpu.name, gpu.architecture, gpu.memory_mib, gpu.integrated) == (
        "Orin",
        "sm_87",
        7620,
        True,
    )


def test_without_a_driver_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"no NVIDIA driver .* JetPack"):
        look_for_gpus(str(tmp_path / "libcuda.so.1"))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (100, "no CUDA-capable device is detected.*nvidia-smi"),
        (803, "driver combination.*start the device again after"),
        (4711, "error 4711.*dmesg"),
    ],
)
def test_a_driver_that_does_not_start_says_why(
    driver: str, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    monkeypatch.setenv("LIBCUDA_INIT", str(code))
    with pytest.raises(RuntimeUnavailableError, match=words):
        look_for_gpus(driver)


def test_a_driver_without_a_gpu_is_no_gpu(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIBCUDA_GPUS", "0")
    with pytest.raises(RuntimeUnavailableError, match="has no GPU"):
        look_for_gpus(driver)


def test_captured_work_is_launched_as_often_as_asked_and_given_back(driver: str) -> None:
    counts = ctypes.CDLL(driver)
    before = counts.walkout_alive(), counts.walkout_launched()
    graph = GraphRun(DriverLibrary(driver), _STREAM)
    with graph.capturing():
        assert counts.walkout_capturing()
    graph.launch()
    graph.launch()
    assert counts.walkout_launched() == before[1] + 2
    del graph
    assert counts.walkout_alive() == before[0]


def test_a_failed_capture_leaves_the_stream_working(
    driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = ctypes.CDLL(driver)
    monkeypatch.setenv("LIBCUDA_CAPTURE", "901")
    graph = GraphRun(DriverLibrary(driver), _STREAM)
    with pytest.raises(EmbedderError, match="previous error during capture"), graph.capturing():
        pass
    assert not counts.walkout_capturing()


def test_an_error_while_capturing_ends_the_capture(driver: str) -> None:
    counts = ctypes.CDLL(driver)
    before = counts.walkout_alive()
    graph = GraphRun(DriverLibrary(driver), _STREAM)
    with pytest.raises(EmbedderError, match="failed to run"), graph.capturing():
        raise EmbedderError("TensorRT failed to run")
    assert not counts.walkout_capturing()
    del graph
    assert counts.walkout_alive() == before
