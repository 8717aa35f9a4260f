"""Engines built by TensorRT for RTX's real parser and builder, ahead of time, without a GPU."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import onnx
import pytest

from cloud_trainer.quantise import quantise
from edge.errors import EmbedderError, RuntimeUnavailableError
from edge.runtime import tensorrt_build
from edge.runtime.driver import Gpu
from edge.runtime.engines import EngineCache
from edge.runtime.settings import RuntimeSettings
from edge.runtime.tensorrt import request_for, smallest_that_holds
from edge.runtime.tensorrt_build import (
    BuildRequest,
    build,
    build_into_cache,
    check_types,
    import_tensorrt,
    make_log,
    parse,
    precision_of,
    typed_precision,
)
from edge.runtime.tensorrt_child import build_in_child
from models.bundle import EMBEDDER_NAME, WEIGHTS_NAME, Bundle, open_bundle
from tests.simulators.bundles import make_bundle
from tests.simulators.editions import network_of, with_typed_network

_PRETRAINED = sorted(
    path.parent
    for path in (Path(__file__).parents[3] / "models/pretrained").glob("*/manifest.json")
)
_GPU = Gpu(0, "RTX A2000", (8, 6), 6144, False)


@pytest.fixture(scope="module")
def trt() -> ModuleType:
    return import_tensorrt("tensorrt_rtx")


def _request(bundle: Bundle, cache: Path, **fields: object) -> BuildRequest:
    settings = RuntimeSettings(cache=cache, batches=(1, 4), workspace_mib=256)
    version = import_tensorrt("tensorrt_rtx").__version__
    request = request_for(bundle, "tensorrt_rtx", version, _GPU, settings)
    return request.model_copy(update={"targets": ("SM86",), "niceness": 0, **fields})


@pytest.mark.parametrize("folder", _PRETRAINED, ids=lambda folder: folder.name)
@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_every_shipped_bundle_parses_keeps_its_types_and_builds(
    trt: ModuleType, folder: Path, precision: str, tmp_path: Path
) -> None:
    bundle = open_bundle(folder)
    settings = RuntimeSettings.model_validate(
        {"cache": tmp_path, "batches": (1, 4), "precision": precision, "workspace_mib": 512}
    )
    request = request_for(bundle, "tensorrt_rtx", trt.__version__, _GPU, settings)
    assert request.key.precision == ("fp16" if precision == "auto" else "fp32")
    told: list[float] = []
    engine, timings = build(
        trt,
        request.model_copy(update={"targets": ("SM86",)}),
        tell=lambda phase, percent: told.append(percent),
    )
    assert len(engine) > 2**20
    assert timings == b""
    assert told
    assert 0 <= min(told) <= max(told) <= 100


def test_a_drawn_bundle_builds_for_several_gpus_at_once(
    trt: ModuleType, bundle: Bundle, tmp_path: Path
) -> None:
    one, _ = build(trt, _request(bundle, tmp_path))
    two, _ = build(trt, _request(bundle, tmp_path, targets=("SM86", "SM120")))
    assert len(two) > len(one)


@pytest.mark.parametrize("target", ["SM87", "SM90", "nonsense"])
def test_a_gpu_without_kernels_is_refused_by_name(
    trt: ModuleType, bundle: Bundle, tmp_path: Path, target: str
) -> None:
    with pytest.raises(RuntimeUnavailableError, match=f"cannot build for {target}; use tensorrt"):
        build(trt, _request(bundle, tmp_path, targets=(target,)))


def test_the_int8_network_that_the_trainer_writes_for_tensorrt_is_int8_and_builds(
    trt: ModuleType, tmp_path: Path
) -> None:
    shipped = open_bundle(_PRETRAINED[0])
    quantised = tmp_path / "int8.onnx"
    quantise(network_of(shipped), shipped.golden.crops, quantised, "tensorrt")
    typed = with_typed_network(shipped, tmp_path / "typed", quantised)
    request = _request(typed, tmp_path / "cache")
    assert request.key.precision == "int8"
    _, network = parse(trt, make_log(trt), request.network)
    assert precision_of(trt, network) == "int8"
    assert len(build(trt, request)[0]) > 1000


def test_a_network_of_another_precision_than_promised_is_refused(
    trt: ModuleType, bundle: Bundle, tmp_path: Path
) -> None:
    shipped = with_typed_network(bundle, tmp_path / "typed", bundle.path / EMBEDDER_NAME)
    request = _request(shipped, tmp_path / "cache")
    assert typed_precision(request.network) == "fp16"
    with pytest.raises(EmbedderError, match="computes in fp32 where fp16 was promised"):
        build(trt, request)


def test_a_network_with_another_interface_is_refused(
    trt: ModuleType, bundle: Bundle, tmp_path: Path
) -> None:
    request = _request(bundle, tmp_path)
    _, network = parse(trt, make_log(trt), request.network)
    check_types(trt, network, request)
    with pytest.raises(EmbedderError, match="no Walkout network for TensorRT"):
        check_types(trt, network, request.model_copy(update={"embedding_dim": 7}))


def test_a_file_that_is_no_network_is_refused(
    trt: ModuleType, bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / EMBEDDER_NAME).write_bytes(b"\x08\x07 this is not ONNX")
    request = _request(bundle, tmp_path, network=tmp_path / EMBEDDER_NAME)
    with pytest.raises(EmbedderError, match="cannot read .* export the bundle again"):
        build(trt, request)


def test_the_networks_made_for_onnx_runtime_are_refused_by_the_parser(trt: ModuleType) -> None:
    bundle = open_bundle(_PRETRAINED[0])
    with pytest.raises(EmbedderError, match="cannot read"):
        parse(trt, make_log(trt), bundle.network_path("int8"))


@pytest.mark.parametrize("place", ["../weights.bin", "/etc/passwd", "other.bin"])
def test_weights_from_anywhere_else_are_not_read(
    trt: ModuleType, tmp_path: Path, place: str
) -> None:
    bundle = make_bundle(tmp_path / "bundle", products=2, external_weights=True)
    parse(trt, make_log(trt), bundle.network_path("fp32"))
    model = onnx.load(str(bundle.network_path("fp32")), load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = place
    changed = tmp_path / EMBEDDER_NAME
    changed.write_bytes(model.SerializeToString())
    with pytest.raises(EmbedderError, match=f"only {WEIGHTS_NAME} beside it is read"):
        parse(trt, make_log(trt), changed)


def test_a_runtime_that_is_not_there_says_what_to_install() -> None:
    with pytest.raises(RuntimeUnavailableError, match="python3-libnvinfer"):
        import_tensorrt("tensorrt")


def test_a_version_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tensorrt_build.OLDEST, "tensorrt_rtx", (99, 0))
    with pytest.raises(RuntimeUnavailableError, match="too old, 99.0 is the oldest"):
        import_tensorrt("tensorrt_rtx")


def test_a_child_builds_into_the_cache_and_tells_how_it_gets_on(
    bundle: Bundle, tmp_path: Path
) -> None:
    request = _request(bundle, tmp_path)
    told: list[tuple[str, float]] = []
    words = build_in_child(request, lambda phase, percent: told.append((phase, percent)), 120)
    assert words.startswith("built ")
    assert any(phase == "Building engine" for phase, _ in told)
    engine = EngineCache(tmp_path).read(request.key)
    assert engine is not None
    path = tmp_path / f"{request.key.name}.engine"
    written = path.stat().st_ino
    assert build_into_cache(request, lambda phase, percent: None) == len(engine)
    assert path.stat().st_ino == written, "it was there already, and was built again"


def test_a_child_that_fails_says_why_and_keeps_what_is_there(
    bundle: Bundle, tmp_path: Path
) -> None:
    request = _request(bundle, tmp_path)
    EngineCache(tmp_path).write(request.key, b"an engine")
    other = request.model_copy(
        update={"key": replace(request.key, batches=(2,)), "targets": ("SM87",)}
    )
    with pytest.raises(EmbedderError, match="cannot build for SM87"):
        build_in_child(other, lambda phase, percent: None, 120)
    assert EngineCache(tmp_path).read(request.key) == b"an engine"
    assert EngineCache(tmp_path).read(other.key) is None


def test_a_build_that_takes_too_long_is_given_up(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match=r"longer than 0\.01 s and .* runtime\.build_timeout_s"):
        build_in_child(_request(bundle, tmp_path), lambda phase, percent: None, 0.01)


def test_a_build_that_is_killed_says_that_memory_may_be_short(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(killed))
    with pytest.raises(EmbedderError, match=r"status -9.*not enough memory"):
        build_in_child(_request(bundle, tmp_path), lambda phase, percent: None, 60)


@pytest.mark.parametrize(("crops", "batch"), [(1, 1), (2, 4), (4, 4), (5, 16), (16, 16)])
def test_crops_are_filled_up_to_the_next_batch(crops: int, batch: int) -> None:
    assert smallest_that_holds(crops, (1, 4, 16)) == batch
