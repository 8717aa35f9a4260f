from __future__ import annotations

from dataclasses import replace

import pytest

from edge.errors import RuntimeUnavailableError
from edge.runtime.choice import choose_backend
from edge.runtime.driver import Driver, Gpu
from edge.runtime.machine import Jetson, Machine
from edge.runtime.settings import RuntimeSettings

PC = Machine(
    processor="Xeon",
    architecture="x86_64",
    cores=2,
    python="3.11.7",
    driver=None,
    driver_trouble="there is no NVIDIA driver: install one",
    jetson=None,
    onnxruntime="1.32.0",
    onnxruntime_providers=("CPUExecutionProvider",),
    versions={},
)
CARD = Driver((13, 0), (Gpu(0, "RTX 4000", (8, 9), 20475, False),))
ORIN = replace(
    PC,
    processor="ARMv8",
    architecture="aarch64",
    driver=Driver((12, 6), (Gpu(0, "Orin", (8, 7), 7620, True),)),
    driver_trouble="",
    jetson=Jetson("Jetson Orin Nano", "36.4.3", "6.2", "0"),
    versions={"tensorrt": "10.3.0", "pycuda": "2026.1"},
)
AUTO = RuntimeSettings()


def test_a_jetson_takes_tensorrt_and_says_why() -> None:
    choice = choose_backend(ORIN, AUTO)
    assert (choice.backend, choice.fell_back, choice.warnings) == ("tensorrt", False, ())
    assert choice.why == "Orin (sm_87) is there, and tensorrt is whole"


def test_a_processor_alone_takes_openvino_where_it_is_installed() -> None:
    assert choose_backend(PC, AUTO).backend == "onnxruntime"
    with_openvino = replace(PC, versions={"openvino": "2026.4.1"})
    choice = choose_backend(with_openvino, AUTO)
    assert choice.backend == "openvino"
    assert [each.backend for each in choice.passed_over] == [
        "tensorrt",
        "tensorrt_rtx",
        "onnxruntime_cuda",
    ]


def test_openvino_is_not_for_arm() -> None:
    arm = replace(PC, architecture="aarch64", versions={"openvino": "2026.4.1"})
    assert choose_backend(arm, AUTO).backend == "onnxruntime"


def test_a_gpu_that_is_not_used_is_warned_about_with_what_to_install() -> None:
    choice = choose_backend(replace(PC, driver=CARD, driver_trouble=""), AUTO)
    assert choice.backend == "onnxruntime"
    assert not choice.fell_back
    assert "RTX 4000 is there and is not used" in choice.warnings[0]
    for package in ("tensorrt-cu13", "walkout[tensorrt-rtx]", "walkout[edge-gpu]"):
        assert package in choice.warnings[0]


def test_tensorrt_without_pycuda_names_pycuda() -> None:
    choice = choose_backend(replace(ORIN, versions={"tensorrt": "10.3.0"}), AUTO)
    assert choice.backend == "onnxruntime"
    assert "walkout[tensorrt]" in choice.passed_over[0].reason


def test_a_card_takes_tensorrt_for_rtx_where_that_is_what_there_is() -> None:
    versions = {"tensorrt_rtx": "1.7.1", "pycuda": "2026.1"}
    card = replace(PC, driver=CARD, driver_trouble="", versions=versions)
    assert choose_backend(card, AUTO).backend == "tensorrt_rtx"


@pytest.mark.parametrize("capability", [(8, 7), (9, 0), (7, 0)])
def test_tensorrt_for_rtx_is_not_taken_for_gpus_it_has_no_kernels_for(
    capability: tuple[int, int],
) -> None:
    gpu = Gpu(0, "H200", capability, 143_771, False)
    versions = {"tensorrt_rtx": "1.7.1", "pycuda": "2026.1"}
    machine = replace(PC, driver=Driver((13, 0), (gpu,)), versions=versions)
    choice = choose_backend(machine, AUTO)
    assert choice.backend == "onnxruntime"
    assert "no kernels for H200" in choice.warnings[0]


def test_cuda_by_onnx_runtime_comes_after_tensorrt() -> None:
    providers = ("CUDAExecutionProvider", "CPUExecutionProvider")
    machine = replace(PC, driver=CARD, onnxruntime_providers=providers)
    assert choose_backend(machine, AUTO).backend == "onnxruntime_cuda"


@pytest.mark.parametrize(
    "backend",
    ["tensorrt", "tensorrt_rtx", "onnxruntime_cuda", "onnxruntime_tensorrt", "openvino"],
)
def test_what_was_asked_for_and_cannot_work_falls_back_aloud(backend: str) -> None:
    settings = RuntimeSettings.model_validate({"backend": backend})
    choice = choose_backend(PC, settings)
    assert (choice.backend, choice.fell_back) == ("onnxruntime", True)
    assert choice.why.startswith(f"fallback: {backend} cannot work here: ")
    assert choice.warnings == (choice.why,)


def test_without_a_fallback_what_cannot_work_is_an_error() -> None:
    with pytest.raises(RuntimeUnavailableError, match="no NVIDIA driver"):
        choose_backend(PC, RuntimeSettings(backend="tensorrt", fallback=False))


def test_what_was_asked_for_and_works_is_taken_though_something_is_faster() -> None:
    choice = choose_backend(ORIN, RuntimeSettings(backend="onnxruntime"))
    assert (choice.backend, choice.why) == ("onnxruntime", "onnxruntime was asked for")


@pytest.mark.parametrize("batches", [(4, 1), (1, 1), (), (0, 1), (1, 1000)])
def test_batches_grow_and_have_bounds(batches: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="batches"):
        RuntimeSettings(batches=batches)
