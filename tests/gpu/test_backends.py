"""Backends on a real GPU: the contract, numerics against fp32, speed against the bare engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache as remembered
from pathlib import Path

import numpy as np
import pytest

from edge.bench.rounds import measure
from edge.bench.speed import batch_speeds, drawn_crops
from edge.matching.recogniser import Recogniser
from edge.runtime.base import Embedder
from edge.runtime.engines import EngineCache
from edge.runtime.opening import open_embedder
from edge.runtime.settings import BackendName, RuntimeSettings
from edge.runtime.tensorrt import TensorRtEmbedder
from models.bundle import Bundle, open_bundle
from models.preprocess import prepare_batch
from tests.edge.runtime.contract import CONTRACT
from tests.simulators.editions import network_of, with_typed_network

_LEAST_COSINE = {"fp32": 0.9999, "fp16": 0.999, "int8": 0.99}
_LEAST_OF_ENGINE = 0.9


@remembered
def _opened(bundle: Path, backend: BackendName, cache: Path) -> Embedder:
    settings = RuntimeSettings(backend=backend, fallback=False, cache=cache)
    return open_embedder(open_bundle(bundle), settings)


@pytest.mark.parametrize("holds", CONTRACT, ids=lambda each: each.__name__)
def test_a_backend_keeps_the_contract(
    shipped: Bundle,
    cache: Path,
    backend: BackendName,
    holds: Callable[[Embedder, Bundle], None],
) -> None:
    holds(_opened(shipped.path, backend, cache), shipped)


def test_embeddings_are_those_of_fp32(
    shipped: Bundle, cache: Path, backend: BackendName, reference: Embedder
) -> None:
    embedder = _opened(shipped.path, backend, cache)
    crops = np.concatenate(
        [shipped.golden.crops, prepare_batch(drawn_crops(48), embedder.input_size_px)]
    )
    cosines = (embedder.embed(crops) * reference.embed(crops)).sum(axis=1)
    precision = embedder.describe().precision
    print(f"{backend} {precision}: cosine to fp32 at least {cosines.min():.6f}")
    assert float(cosines.min()) >= _LEAST_COSINE[precision]


def test_int8_made_for_tensorrt_is_close_to_fp32(
    shipped: Bundle, cache: Path, backend: BackendName, reference: Embedder, tmp_path: Path
) -> None:
    if backend not in ("tensorrt", "tensorrt_rtx"):
        return
    quantise = pytest.importorskip("cloud_trainer.quantise", reason="needs the trainer").quantise
    quantised = tmp_path / "int8.onnx"
    quantise(network_of(shipped), shipped.golden.crops, quantised, "tensorrt")
    typed = with_typed_network(shipped, tmp_path / "typed", quantised)
    embedder = _opened(typed.path, backend, cache)
    assert embedder.describe().precision == "int8"
    crops = shipped.golden.crops
    cosines = (embedder.embed(crops) * reference.embed(crops)).sum(axis=1)
    print(f"{backend} int8: cosine to fp32 {cosines.mean():.6f}, at least {cosines.min():.6f}")
    assert float(cosines.mean()) >= _LEAST_COSINE["int8"]
    for speed in batch_speeds(typed, embedder, (1, 16, 32), rounds=30):
        print(f"{backend} int8 batch {speed.batch}: engine {speed.engine_crops_s:.0f} crops/s")


def test_embedding_costs_hardly_more_than_the_engine_alone(
    shipped: Bundle, cache: Path, backend: BackendName
) -> None:
    embedder = _opened(shipped.path, backend, cache)
    for speed in batch_speeds(shipped, embedder, (1, 4, 16, 32), rounds=30):
        print(
            f"{backend} {embedder.describe().precision} batch {speed.batch}: engine "
            f"{speed.engine_p50_ms:.3f} ms (p99 {speed.engine_p99_ms:.3f}), "
            f"{speed.engine_crops_s:.0f} crops/s; embed / engine {speed.whole_to_engine:.2f}; crop "
            f"to decision {speed.whole_p50_ms:.3f} ms, {speed.whole_crops_s:.0f} crops/s"
        )
        if speed.batch >= 16:
            assert speed.whole_to_engine >= _LEAST_OF_ENGINE


def test_an_engine_is_taken_from_the_cache_the_second_time(
    shipped: Bundle, cache: Path, backend: BackendName
) -> None:
    if not backend.startswith("tensorrt"):
        return
    _opened(shipped.path, backend, cache)
    settings = RuntimeSettings(backend=backend, fallback=False, cache=cache)
    again = open_embedder(shipped, settings)
    assert "engine from this device's cache" in again.describe().why


def test_an_engine_of_another_gpu_or_version_is_built_anew_and_not_run(
    shipped: Bundle, tmp_path: Path, backend: BackendName
) -> None:
    """What verifies and is no engine: TensorRT says None, and the device builds its own."""
    if not backend.startswith("tensorrt"):
        return
    settings = RuntimeSettings(backend=backend, fallback=False, cache=tmp_path, batches=(1,))
    first = open_embedder(shipped, settings)
    assert isinstance(first, TensorRtEmbedder)
    EngineCache(tmp_path).write(first.key, b"no engine at all" * 1000)
    second = open_embedder(shipped, settings)
    assert "engine built" in second.describe().why


def test_graphs_give_what_plain_runs_give(
    shipped: Bundle, cache: Path, backend: BackendName
) -> None:
    if not backend.startswith("tensorrt"):
        return
    plain = open_embedder(
        shipped,
        RuntimeSettings(backend=backend, fallback=False, cache=cache, cuda_graphs=False),
    )
    captured = _opened(shipped.path, backend, cache)
    crops = shipped.golden.crops
    np.testing.assert_allclose(captured.embed(crops), plain.embed(crops), atol=1e-3)
    one = crops[:1]
    timings = measure(
        {"graph": lambda: captured.embed(one), "plain": lambda: plain.embed(one)}, rounds=30
    )
    print(
        f"{backend}: a graph takes {np.median(timings.ratios('graph', 'plain')):.2f} of a plain run"
    )


def test_engines_change_under_load_without_a_lost_batch(
    shipped: Bundle, cache: Path, backend: BackendName, reference: Embedder
) -> None:
    recogniser = Recogniser([shipped], [reference])
    crops = [[crop] for crop in drawn_crops(4)]
    stop, answered, failed = threading.Event(), [0], []

    def load() -> None:
        while not stop.is_set():
            try:
                answered[0] += len(recogniser.recognise_many(crops))
            except Exception as err:
                failed.append(err)

    workers = [threading.Thread(target=load) for _ in range(2)]
    for worker in workers:
        worker.start()
    recogniser.swap(shipped, _opened(shipped.path, backend, cache))
    recogniser.swap(shipped, reference)
    recogniser.swap(shipped, _opened(shipped.path, backend, cache))
    stop.set()
    for worker in workers:
        worker.join()
    assert not failed
    assert answered[0] > 0
