"""TensorRT behind the ``Embedder`` seam, with ``pycuda``: the backend of Jetsons and NVIDIA GPUs.

Owns an engine while it serves. For every batch that the engine was built for there is one execution
context with buffers of its own, made when that batch first comes, run once, and then captured as a
CUDA graph: copy in, compute, copy out become a single launch. Other numbers of crops are filled up
to the next batch. The same code runs TensorRT 10.3 to 11.4 and TensorRT for RTX, which captures
graphs by itself.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import EmbedderError
from edge.events import EmbedderDescription
from edge.runtime.base import Embedder
from edge.runtime.driver import DriverLibrary, Gpu, GraphRun
from edge.runtime.engines import EngineCache, EngineKey
from edge.runtime.lane import Buffer, Lane
from edge.runtime.onnxruntime import INPUT_NAME, OUTPUT_NAME
from edge.runtime.settings import RuntimeSettings
from edge.runtime.tensorrt_build import (
    BuildRequest,
    Tell,
    TensorRtName,
    fingerprint,
    import_tensorrt,
    make_log,
    typed_precision,
)
from edge.runtime.tensorrt_child import build_in_child
from models.bundle import TRT_NAME, Bundle

_LOGGER: Final = logging.getLogger(__name__)


class TensorRtEmbedder(Embedder):
    """A bundle's network as a TensorRT engine.

    Attributes:
        key: What the engine is for.

    Args:
        engine: Serialised, from this device's own cache.
        request: What it was built for.
        gpu: Where it runs.
        library: The GPU's driver.
        space_id: Of the bundle.
        why: Why this backend and precision, in words.
        graphs: Whether runs are captured and replayed.

    Raises:
        RuntimeUnavailableError: The GPU cannot be used.
        EmbedderError: TensorRT does not take the engine, or there is too little memory.
    """

    def __init__(
        self,
        engine: bytes,
        request: BuildRequest,
        gpu: Gpu,
        library: DriverLibrary,
        *,
        space_id: str,
        why: str,
        graphs: bool = True,
    ) -> None:
        key = request.key
        self.key = key
        super().__init__(space_id, key.input_size_px, request.embedding_dim)
        self._trt = import_tensorrt(request.runtime)
        self._own_graphs = self._trt_captures = False
        if graphs:
            self._trt_captures = request.runtime == "tensorrt_rtx"
            self._own_graphs = not self._trt_captures
        self._batches = key.batches
        self._library = library
        self._log = make_log(self._trt)
        self._lane = Lane(gpu.index)
        self._slots: dict[int, _Slot] = {}
        # Memory of the GPU is given back only with its context current; the end of the process
        # gives all of it back by itself.
        weakref.finalize(self, _close, self._lane, self._slots).atexit = False
        with self._lane.current():
            self._runtime = self._trt.Runtime(self._log)
            # Says no by returning None.
            self._engine = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            raise EmbedderError(
                f"TensorRT {self._trt.__version__} does not take the engine built for it: "
                f"{self._log.said()}"
            )
        self._description = EmbedderDescription(
            backend=f"{request.runtime} {self._trt.__version__}",
            providers=(f"{gpu.name} ({gpu.architecture})",),
            precision=key.precision,
            threads=0,
            why=why,
        )

    def describe(self) -> EmbedderDescription:
        """TensorRT's version, the GPU, the precision and why."""
        return self._description

    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        embeddings = np.empty((len(crops), self.embedding_dim), np.float32)
        largest = self._batches[-1]
        with self._lane.current():
            for at in range(0, len(crops), largest):
                some = crops[at : at + largest]
                slot = self._slot(smallest_that_holds(len(some), self._batches))
                embeddings[at : at + len(some)] = slot.run(some)
        return embeddings

    def bare(self, crops: NDArray[np.uint8]) -> Callable[[], object]:
        """The engine alone, as ``trtexec`` runs it: no more crops than the largest batch."""
        with self._lane.current():
            slot = self._slot(smallest_that_holds(len(crops), self._batches))
            slot.run(crops)

        def run() -> None:
            with self._lane.current():
                slot.compute()

        return run

    def _slot(self, batch: int) -> _Slot:
        slot = self._slots.get(batch)
        if slot is None:
            slot = self._slots[batch] = self._make_slot(batch)
        return slot

    def _make_slot(self, batch: int) -> _Slot:
        side = self.input_size_px
        crops = self._lane.buffer((batch, side, side, 3), np.uint8)
        embeddings = self._lane.buffer((batch, self.embedding_dim), np.float32)
        context = self._context()
        said_yes = (
            context is not None
            and context.set_optimization_profile_async(
                self._batches.index(batch), self._lane.handle
            )
            and context.set_input_shape(INPUT_NAME, (batch, side, side, 3))
            and context.set_tensor_address(INPUT_NAME, crops.address)
            and context.set_tensor_address(OUTPUT_NAME, embeddings.address)
        )
        if not said_yes:
            raise EmbedderError(
                f"TensorRT cannot get ready for {batch} crops: {self._log.said()}; if it lacks "
                "memory, lower runtime.batches or end what else uses the GPU"
            )
        slot = _Slot(self._lane, context, crops, embeddings, self._log)
        slot.compute()  # TensorRT settles what it puts off, which must not be captured
        if self._own_graphs:
            try:
                slot.capture(GraphRun(self._library, self._lane.handle))
            except EmbedderError as err:
                _LOGGER.warning(
                    "batches of %d run without a CUDA graph, a little slower: %s", batch, err
                )
        return slot

    def _context(self) -> Any:  # noqa: ANN401 -- TensorRT's own
        # Memory for the profile in use only, not for the largest of all.
        strategy = self._trt.ExecutionContextAllocationStrategy.ON_PROFILE_CHANGE
        if not self._trt_captures:
            return self._engine.create_execution_context(strategy)
        config = self._engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(strategy)
        config.cuda_graph_strategy = self._trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        return self._engine.create_execution_context(config)


def _close(lane: Lane, slots: dict[int, _Slot]) -> None:
    with lane.current():
        slots.clear()
        lane.close()


class _Slot:
    """One batch size, ready to run; used within the lane's ``current``."""

    def __init__(
        self,
        lane: Lane,
        context: Any,  # noqa: ANN401 -- TensorRT's own
        crops: Buffer,
        embeddings: Buffer,
        log: Any,  # noqa: ANN401
    ) -> None:
        self._lane = lane
        self._context = context
        self._crops = crops
        self._embeddings = embeddings
        self._log = log
        self._graph: GraphRun | None = None

    def run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embeddings of at most as many crops as the batch; to be copied before the next run."""
        self._crops.host[: len(crops)] = crops
        self.compute()
        embeddings: NDArray[np.float32] = self._embeddings.host[: len(crops)]
        return embeddings

    def compute(self) -> None:
        """Run on what lies in the buffers, and wait."""
        if self._graph is not None:
            self._graph.launch()
        else:
            self._put()
        self._lane.finish()

    def capture(self, graph: GraphRun) -> None:
        """Capture a run, to replay it from now on."""
        with graph.capturing():
            self._put()
        self._graph = graph

    def _put(self) -> None:
        self._lane.to_gpu(self._crops)
        if not self._context.execute_async_v3(self._lane.handle):
            raise EmbedderError(f"TensorRT failed to run: {self._log.said()}")
        self._lane.from_gpu(self._embeddings)


def smallest_that_holds(crops: int, batches: Sequence[int]) -> int:
    """The smallest batch that has room for so many crops; ``batches`` grow."""
    return next(batch for batch in batches if batch >= crops)


def request_for(
    bundle: Bundle,
    runtime: TensorRtName,
    version: str,
    gpu: Gpu,
    settings: RuntimeSettings,
) -> BuildRequest:
    """What has to be built for a bundle on a GPU.

    Raises:
        EmbedderError: The bundle has no network of the precision that was asked for.
    """
    manifest = bundle.manifest
    network = _network_of(bundle, settings)
    return BuildRequest(
        network=network.resolve(),
        runtime=runtime,
        key=EngineKey(
            network_sha256=fingerprint(bundle, network),
            gpu=gpu.name,
            architecture=gpu.architecture,
            runtime=runtime,
            runtime_version=version,
            precision=typed_precision(network),
            batches=settings.batches,
            input_size_px=manifest.preprocessing.input_size_px,
        ),
        embedding_dim=manifest.embedding_dim,
        workspace_mib=settings.workspace_mib,
        cache=settings.cache.resolve(),
    )


def _network_of(bundle: Bundle, settings: RuntimeSettings) -> Path:
    typed = bundle.path / TRT_NAME if TRT_NAME in bundle.manifest.files else None
    wanted = settings.precision
    if typed is not None and wanted in ("auto", typed_precision(typed)):
        return typed
    if wanted in ("auto", "fp32"):
        return bundle.network_path("fp32")
    raise EmbedderError(
        f"the bundle ships no {wanted} network for TensorRT: use precision auto or fp32"
    )


def kept_tensorrt(
    bundle: Bundle, runtime: TensorRtName, settings: RuntimeSettings, why: str
) -> TensorRtEmbedder | None:
    """A bundle's network on the GPU, if its engine is there; ``None`` where it must be built.

    Raises:
        RuntimeUnavailableError: There is no driver, no GPU, no TensorRT, or one too old.
        EmbedderError: The bundle has no network of the precision that was asked for.
    """
    return _Site(bundle, runtime, settings, why).kept()


def open_tensorrt(
    bundle: Bundle,
    runtime: TensorRtName,
    settings: RuntimeSettings,
    why: str,
    tell: Tell,
) -> TensorRtEmbedder:
    """A bundle's network on the GPU; its engine is built where there is none yet.

    Args:
        bundle: A verified bundle.
        runtime: Which TensorRT.
        settings: How networks run here.
        why: Why this backend, in words.
        tell: Told how building gets on.

    Raises:
        RuntimeUnavailableError: There is no driver, no GPU, no TensorRT, or one too old.
        EmbedderError: The engine cannot be built or opened.
    """
    site = _Site(bundle, runtime, settings, why)
    return site.kept() or site.built(tell)


class _Site:
    """Where an engine is looked for, and built."""

    def __init__(
        self, bundle: Bundle, runtime: TensorRtName, settings: RuntimeSettings, why: str
    ) -> None:
        # The driver first: without one, TensorRT may end the process.
        self._library = DriverLibrary()
        self._gpu = self._library.look().gpus[0]
        version = import_tensorrt(runtime).__version__
        self._request = request_for(bundle, runtime, version, self._gpu, settings)
        self._cache = EngineCache(settings.cache)
        self._settings = settings
        self._space_id = bundle.manifest.space_id
        self._why = why

    def kept(self) -> TensorRtEmbedder | None:
        engine = self._cache.read(self._request.key)
        if engine is None:
            return None
        try:
            return self._opened(engine, "engine from this device's cache")
        except EmbedderError as err:
            _LOGGER.warning("%s; it is built anew", err)
            self._cache.discard(self._request.key)
            return None

    def built(self, tell: Tell) -> TensorRtEmbedder:
        how = build_in_child(self._request, tell, self._settings.build_timeout_s)
        engine = self._cache.read(self._request.key)
        if engine is None:
            raise EmbedderError(
                f"the engine was built and is not in {self._settings.cache}; let only this "
                "device's user write there, and see that the disk has room"
            )
        return self._opened(engine, f"engine {how}")

    def _opened(self, engine: bytes, how: str) -> TensorRtEmbedder:
        return TensorRtEmbedder(
            engine,
            self._request,
            self._gpu,
            self._library,
            space_id=self._space_id,
            why=f"{self._why}; {how}",
            graphs=self._settings.cuda_graphs,
        )
