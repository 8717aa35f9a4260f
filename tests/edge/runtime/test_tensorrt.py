"""The TensorRT backend with everything of its own, over a simulated GPU."""

from __future__ import annotations

import gc
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.errors import EmbedderError, RuntimeUnavailableError
from edge.runtime import lane, tensorrt
from edge.runtime.base import Embedder
from edge.runtime.driver import DriverLibrary, Gpu
from edge.runtime.engines import EngineCache
from edge.runtime.settings import RuntimeSettings
from edge.runtime.tensorrt import TensorRtEmbedder, open_tensorrt, request_for
from edge.runtime.tensorrt_build import BuildRequest, Tell
from models.bundle import Bundle
from tests.edge.runtime.contract import CONTRACT
from tests.simulators.cuda import make_driver
from tests.simulators.gpu import SimulatedGpu

_GPU = Gpu(0, "Orin", (8, 7), 7620, True)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> DriverLibrary:
    return DriverLibrary(str(make_driver(tmp_path_factory.mktemp("driver"))))


@pytest.fixture(params=[False, True], ids=["card", "shared memory"])
def gpu(
    request: pytest.FixtureRequest, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SimulatedGpu]:
    simulated = SimulatedGpu(bundle.network_path("fp32"), integrated=request.param)
    for name, module in simulated.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    lane._primary_context.cache_clear()
    yield simulated
    gc.collect()
    assert simulated.depth == 0, "a context was left pushed"
    lane._primary_context.cache_clear()


def _request(bundle: Bundle, cache: Path = Path("none")) -> BuildRequest:
    settings = RuntimeSettings(cache=cache, batches=(1, 4, 8))
    return request_for(bundle, "tensorrt", "10.3.0", _GPU, settings)


def _embedder(
    bundle: Bundle, library: DriverLibrary, engine: bytes = b"engine", *, graphs: bool = False
) -> TensorRtEmbedder:
    request = _request(bundle)
    space_id = bundle.manifest.space_id
    return TensorRtEmbedder(
        engine, request, _GPU, library, space_id=space_id, why="a test", graphs=graphs
    )


@pytest.mark.parametrize("holds", CONTRACT, ids=lambda each: each.__name__)
def test_the_contract_of_backends_is_kept(
    bundle: Bundle,
    library: DriverLibrary,
    gpu: SimulatedGpu,
    holds: Callable[[Embedder, Bundle], None],
) -> None:
    holds(_embedder(bundle, library), bundle)


def test_batches_are_filled_up_and_long_ones_cut(
    bundle: Bundle, library: DriverLibrary, gpu: SimulatedGpu
) -> None:
    embedder = _embedder(bundle, library)
    crops = np.concatenate([bundle.golden.crops] * 5)
    for count in (1, 3, 8, 13):
        embedder.embed(crops[:count])
    gpu.runs.clear()
    for count in (1, 3, 8, 13):
        embedder.embed(crops[:count])
    assert gpu.runs == [1, 4, 8, 8, 8]


def test_where_memory_is_shared_nothing_is_copied(
    bundle: Bundle, library: DriverLibrary, gpu: SimulatedGpu
) -> None:
    _embedder(bundle, library).embed(bundle.golden.crops)
    assert (gpu.copies == 0) == gpu.integrated


def test_all_memory_is_given_back_whichever_thread_lets_go(
    bundle: Bundle, library: DriverLibrary, gpu: SimulatedGpu
) -> None:
    made: list[TensorRtEmbedder] = []

    def make() -> None:
        made.append(_embedder(bundle, library))
        made[0].embed(bundle.golden.crops)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    assert gpu.held > 0
    made.clear()
    gc.collect()
    assert gpu.held == 0


def test_an_engine_that_tensorrt_does_not_take_is_an_error_with_its_reason(
    bundle: Bundle, library: DriverLibrary, gpu: SimulatedGpu
) -> None:
    with pytest.raises(EmbedderError, match=r"10\.3\.0 does not take .* Magic tag"):
        _embedder(bundle, library, b"another version's")


def test_too_little_memory_says_what_to_do_and_leaves_the_rest_serving(
    bundle: Bundle, library: DriverLibrary, gpu: SimulatedGpu
) -> None:
    embedder = _embedder(bundle, library)
    embedder.embed(bundle.golden.crops[:1])
    gpu.room = gpu.held
    with pytest.raises(EmbedderError, match=r"too little memory .* runtime\.batches"):
        embedder.embed(bundle.golden.crops[:2])
    assert len(embedder.embed(bundle.golden.crops[:1])) == 1


def test_a_run_that_fails_is_an_error_with_its_reason(
    bundle: Bundle, library: DriverLibrary, gpu: SimulatedGpu
) -> None:
    embedder = _embedder(bundle, library)
    embedder.embed(bundle.golden.crops[:1])
    gpu.fails = True
    with pytest.raises(EmbedderError, match="illegal memory access"):
        embedder.embed(bundle.golden.crops[:1])


def test_a_run_that_cannot_be_captured_goes_on_without(
    bundle: Bundle,
    library: DriverLibrary,
    gpu: SimulatedGpu,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("LIBCUDA_CAPTURE", "901")
    with caplog.at_level(logging.WARNING):
        CONTRACT[0](_embedder(bundle, library, graphs=True), bundle)
    assert "run without a CUDA graph" in caplog.text


def test_runs_that_repeat_are_launched_whole(
    bundle: Bundle, library: DriverLibrary, gpu: SimulatedGpu
) -> None:
    embedder = _embedder(bundle, library, graphs=True)
    embedder.embed(bundle.golden.crops[:1])
    before = len(gpu.runs)
    embedder.embed(bundle.golden.crops[:1])
    assert len(gpu.runs) == before, "the engine was run again instead of its graph launched"


@pytest.fixture
def opened_with(
    bundle: Bundle,
    library: DriverLibrary,
    gpu: SimulatedGpu,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[bytes], list[str]]:
    """Opens a bundle with a child that builds a given engine; returns what was built and why."""
    settings = RuntimeSettings(cache=tmp_path, batches=(1, 4, 8), cuda_graphs=False)
    monkeypatch.setattr(tensorrt, "DriverLibrary", lambda: library)

    def open_with(engine: bytes) -> list[str]:
        built: list[str] = []

        def build(request: BuildRequest, tell: Tell, timeout_s: float) -> str:
            EngineCache(request.cache).write(request.key, engine)
            built.append(request.key.name)
            return "built"

        monkeypatch.setattr(tensorrt, "build_in_child", build)
        embedder = open_tensorrt(bundle, "tensorrt", settings, "a test", lambda phase, done: None)
        return [*built, embedder.describe().why]

    return open_with


def test_an_engine_is_built_once_and_then_kept(opened_with: Callable[[bytes], list[str]]) -> None:
    assert opened_with(b"engine")[1:] == ["a test; engine built"]
    assert opened_with(b"engine") == ["a test; engine from this device's cache"]


def test_a_kept_engine_that_is_refused_is_built_anew(
    opened_with: Callable[[bytes], list[str]],
    tmp_path: Path,
    bundle: Bundle,
    caplog: pytest.LogCaptureFixture,
) -> None:
    opened_with(b"engine")
    kept = next(tmp_path.glob("*.engine"))
    cache, key = EngineCache(tmp_path), _request(bundle, tmp_path).key
    assert kept.stem == key.name
    cache.write(key, b"verifies, and is of another TensorRT")
    assert opened_with(b"engine")[1:] == ["a test; engine built"]
    assert "built anew" in caplog.text
    with pytest.raises(EmbedderError, match="does not take"):
        cache.discard(key)
        opened_with(b"refused again")


def test_without_pycuda_it_says_what_to_install(
    bundle: Bundle, library: DriverLibrary, gpu: SimulatedGpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    with pytest.raises(RuntimeUnavailableError, match=r"pip install 'walkout\[tensorrt\]'"):
        _embedder(bundle, library)
