from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.errors import EmbedderError, RuntimeUnavailableError
from edge.events import EmbedderDescription
from edge.runtime import driver
from edge.runtime.base import Embedder
from edge.runtime.golden import check_golden
from edge.runtime.machine import Machine, look_around
from edge.runtime.onnxruntime import OnnxRuntimeEmbedder
from edge.runtime.opening import open_embedder, open_embedders
from edge.runtime.settings import RuntimeSettings
from edge.runtime.standby import StandbyEmbedder
from edge.runtime.tensorrt_build import Tell
from models.bundle import Bundle
from tests.simulators.bundles import make_bundle, tiny_network
from tests.simulators.cuda import make_driver


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """This machine, as if it had a card that TensorRT for RTX takes, and pycuda."""
    folder = tmp_path_factory.mktemp("driver")
    found = look_around(Path("/"), str(make_driver(folder)))
    assert found.driver is not None
    gpu = replace(found.driver.gpus[0], name="RTX A2000", compute_capability=(8, 6))
    return replace(
        found,
        driver=replace(found.driver, gpus=(gpu,)),
        versions={**found.versions, "pycuda": "2026.1"},
    )


def test_one_network_is_opened_for_each_embedding_space(
    bundle: Bundle, foreign_bundle: Bundle
) -> None:
    opened = open_embedders([bundle, foreign_bundle, bundle], threads=1)
    assert sorted(each.space_id for each in opened) == sorted(
        {bundle.manifest.space_id, foreign_bundle.manifest.space_id}
    )


def test_a_backend_that_fails_when_it_is_opened_is_replaced_aloud(
    bundle: Bundle, machine: Machine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # The machine was promised a GPU, and there is no driver when TensorRT asks for it.
    settings = RuntimeSettings(backend="tensorrt_rtx", cache=tmp_path)
    with caplog.at_level(logging.ERROR):
        embedder = open_embedder(bundle, settings, threads=1, machine=machine)
    assert embedder.describe().backend.startswith("onnxruntime ")
    assert embedder.describe().why.startswith(
        "fallback: tensorrt_rtx cannot work here: there is no"
    )
    assert any(record.levelno == logging.ERROR for record in caplog.records)
    with pytest.raises(RuntimeUnavailableError, match="no NVIDIA driver"):
        strict = settings.model_copy(update={"fallback": False})
        open_embedder(bundle, strict, threads=1, machine=machine)


@pytest.mark.parametrize(("seed", "precision"), [(0, "int8"), (1, "fp32")])
def test_an_int8_network_that_comes_out_wrong_here_is_replaced_aloud_by_fp32(
    seed: int, precision: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = make_bundle(tmp_path / "bundle", int8=tiny_network(32, 32, seed))
    with caplog.at_level(logging.WARNING):
        embedder = open_embedder(bundle, RuntimeSettings(backend="openvino"), threads=1)
    assert embedder.describe().precision == precision
    assert ("golden crops come out" in embedder.describe().why) == (precision == "fp32")
    assert ("golden crops come out" in caplog.text) == (precision == "fp32")
    check_golden(bundle, embedder)
    asked = RuntimeSettings(backend="openvino", precision="int8")
    assert open_embedder(bundle, asked, threads=1).describe().precision == "int8"


def test_an_engine_that_was_built_and_cannot_be_run_leaves_the_cpu_serving(
    bundle: Bundle, tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that says there is a GPU, a child that builds, and no way to run what it built."""
    monkeypatch.setattr(driver, "LIBRARY", str(make_driver(tmp_path)))
    monkeypatch.setattr(driver.DriverLibrary.__init__, "__defaults__", (driver.LIBRARY,))
    monkeypatch.setenv("LIBCUDA_SM", "86")
    settings = RuntimeSettings(backend="tensorrt_rtx", cache=tmp_path / "engines", batches=(1,))
    told: list[str] = []
    embedder = open_embedder(
        bundle, settings, 1, machine=machine, tell=lambda phase, percent: told.append(phase)
    )
    assert embedder.describe().why.startswith("fallback: tensorrt_rtx cannot work here: ")
    np.testing.assert_allclose(
        embedder.embed(bundle.golden.crops), bundle.golden.embeddings, atol=1e-4
    )


@pytest.mark.parametrize(
    ("backend", "precision", "words"),
    [
        ("onnxruntime", "bf16", "does not compute in bf16"),
        ("onnxruntime", "fp16", "does not gain from fp16"),
        ("onnxruntime", "int8", "ships no INT8"),
        ("openvino", "fp16", "does not compute in fp16"),
        ("openvino", "int8", "ships no INT8"),
    ],
)
def test_a_precision_that_cannot_be_had_is_an_error(
    bundle: Bundle, backend: str, precision: str, words: str
) -> None:
    settings = RuntimeSettings.model_validate(
        {"backend": backend, "precision": precision, "fallback": False}
    )
    with pytest.raises(EmbedderError, match=words):
        open_embedder(bundle, settings, threads=1)


def test_nothing_optional_is_imported_before_it_is_chosen() -> None:
    script = (
        "import sys, edge.runtime.opening as o; o.this_machine();"
        "print([n for n in ('openvino', 'tensorrt', 'tensorrt_rtx', 'pycuda') if n in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


class _Marked(Embedder):
    """The bundle's own network under another name; where asked, turned away from the truth."""

    def __init__(self, bundle: Bundle, *, wrong: bool = False) -> None:
        self._real = OnnxRuntimeEmbedder.from_bundle(bundle, threads=1)
        super().__init__(self._real.space_id, self._real.input_size_px, self._real.embedding_dim)
        self._wrong = wrong

    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        embeddings = self._real.embed(crops)
        return -embeddings if self._wrong else embeddings

    def describe(self) -> EmbedderDescription:
        return replace(self._real.describe(), backend="marked 1.0")


def _standby(bundle: Bundle, open_own: Callable[[Tell], Embedder]) -> StandbyEmbedder:
    stand_in = OnnxRuntimeEmbedder.from_bundle(bundle, threads=1)
    return StandbyEmbedder(bundle, stand_in, open_own, "tensorrt")


def test_the_stand_in_serves_while_the_engine_is_built_and_shows_how_far_it_is(
    bundle: Bundle,
) -> None:
    half_way, go_on = threading.Event(), threading.Event()

    def open_own(tell: Tell) -> Embedder:
        tell("Timing tactics", 50.0)
        half_way.set()
        assert go_on.wait(10)
        return _Marked(bundle)

    standby = _standby(bundle, open_own)
    assert half_way.wait(10)
    described = standby.describe()
    assert described.backend.startswith("onnxruntime ")
    assert "tensorrt is being built: 50 % (Timing tactics)" in described.why
    before = standby.embed(bundle.golden.crops)
    go_on.set()
    assert standby.settled(10)
    assert standby.describe().backend == "marked 1.0"
    assert "being built" not in standby.describe().why
    np.testing.assert_allclose(standby.embed(bundle.golden.crops), before, atol=1e-6)


@pytest.mark.parametrize("failure", [EmbedderError("no memory"), MemoryError("no memory")])
def test_a_failed_build_leaves_the_stand_in_and_says_so(
    bundle: Bundle, failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def open_own(tell: Tell) -> Embedder:
        raise failure

    standby = _standby(bundle, open_own)
    assert standby.settled(10)
    assert "fallback: tensorrt cannot work here: no memory" in standby.describe().why
    assert standby.embed(bundle.golden.crops).shape == bundle.golden.embeddings.shape
    assert any(record.levelno == logging.ERROR for record in caplog.records)


def test_an_engine_that_embeds_otherwise_never_serves(bundle: Bundle) -> None:
    standby = _standby(bundle, lambda tell: _Marked(bundle, wrong=True))
    assert standby.settled(10)
    assert standby.describe().backend.startswith("onnxruntime ")
    assert "golden crops" in standby.describe().why


def test_no_batch_is_lost_while_engines_change(bundle: Bundle) -> None:
    ready = threading.Event()

    def open_own(tell: Tell) -> Embedder:
        assert ready.wait(10)
        return _Marked(bundle)

    standby = _standby(bundle, open_own)
    served: set[str] = set()
    for turn in range(60):
        if turn == 20:
            ready.set()
        if turn == 40:
            assert standby.settled(10)
        found = standby.embed(bundle.golden.crops)
        served.add(standby.describe().backend.split()[0])
        np.testing.assert_allclose(found, bundle.golden.embeddings, atol=1e-4)
    assert served == {"onnxruntime", "marked"}
