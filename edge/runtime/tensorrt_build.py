"""From a bundle's ONNX file to a serialised TensorRT engine: parsing, checking types, building.

Owns everything that TensorRT does before there is an engine, in words that TensorRT 10.3 to 11.4
and TensorRT for RTX all understand: precision stands in the file, the network is strongly typed,
tensors are named. ``tensorrt`` itself is handed in, since it is one of two modules and on most
machines neither. Run as a program this is the child process that builds; ``tensorrt_child`` starts
it.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from edge.errors import EmbedderError, RuntimeUnavailableError, WalkoutEdgeError
from edge.runtime.engines import EngineCache, EngineKey
from edge.runtime.onnxruntime import INPUT_NAME, OUTPUT_NAME
from models.bundle import TRT_NAME, WEIGHTS_NAME, Bundle

TensorRtName = Literal["tensorrt", "tensorrt_rtx"]

OLDEST: Final[dict[TensorRtName, tuple[int, int]]] = {"tensorrt": (10, 3), "tensorrt_rtx": (1, 2)}
_INSTALL: Final[dict[TensorRtName, str]] = {
    "tensorrt": "on a Jetson: apt install python3-libnvinfer, and make the environment with "
    "--system-site-packages; on a PC: pip install tensorrt-cu12 or tensorrt-cu13, by the driver's "
    "CUDA",
    "tensorrt_rtx": "pip install 'walkout[tensorrt-rtx]'",
}
_REMEMBERED_ERRORS: Final = 3
# external_data of an ONNX tensor as protocol buffers spell it: key "location", then its value.
_LOCATION: Final = re.compile(rb"\x0a\x08location\x12(.)", re.DOTALL)

Tell = Callable[[str, float], None]


class BuildRequest(BaseModel):
    """What is to be built.

    Attributes:
        network: The ONNX file; its weights lie beside it.
        runtime: Which of the two TensorRTs builds.
        key: What the engine will be for, as ``EngineKey`` has it.
        embedding_dim: Length of an embedding.
        workspace_mib: What trying kernels out may use.
        targets: Architectures to build for ahead of time, for example ``SM86`` (TensorRT for RTX
            only); none builds for this machine's GPU.
        cache: Folder of engines that it goes to.
        niceness: How far the build steps back behind whatever else runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: Path
    runtime: TensorRtName
    key: EngineKey
    embedding_dim: int
    workspace_mib: int = 1024
    targets: tuple[str, ...] = ()
    cache: Path
    niceness: int = 10


def import_tensorrt(name: TensorRtName) -> ModuleType:
    """TensorRT's module, of a version that is known to work.

    Raises:
        RuntimeUnavailableError: It is not there, or too old; the message says what to install.
    """
    try:
        trt = importlib.import_module(name)
    except (ImportError, OSError) as err:
        raise RuntimeUnavailableError(
            f"{name} cannot be imported here ({err}): {_INSTALL[name]}"
        ) from err
    found = tuple(int(part) for part in re.findall(r"\d+", trt.__version__)[:2])
    if found < OLDEST[name]:
        oldest = ".".join(map(str, OLDEST[name]))
        raise RuntimeUnavailableError(
            f"{name} {trt.__version__} is too old, {oldest} is the oldest that works: "
            f"{_INSTALL[name]}, or on a Jetson a newer JetPack"
        )
    return trt


def typed_precision(network: Path) -> Literal["fp32", "fp16", "int8"]:
    """The precision that a bundle's network file promises; building checks that it keeps it."""
    if network.name != TRT_NAME:
        return "fp32"
    return "int8" if b"QuantizeLinear" in network.read_bytes() else "fp16"


def fingerprint(bundle: Bundle, network: Path) -> str:
    """What tells a network file and its weights from all others."""
    files = bundle.manifest.files
    weights = files.get(WEIGHTS_NAME)
    return f"{files[network.name].sha256}{weights.sha256 if weights else ''}"


def make_log(trt: ModuleType) -> Any:  # noqa: ANN401 -- TensorRT's own base class
    """A logger for TensorRT that keeps its last complaints, in ``errors``."""
    base: Any = trt.ILogger

    class Log(base):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: deque[str] = deque(maxlen=_REMEMBERED_ERRORS)

        def log(self, severity: Any, message: str) -> None:  # noqa: ANN401
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors.append(" ".join(message.split())[:300])

        def said(self) -> str:
            return "; ".join(self.errors) or "it gave no reason"

    return Log()


def parse(trt: ModuleType, log: Any, network: Path) -> tuple[Any, Any]:  # noqa: ANN401
    """Read a network file.

    Returns:
        The builder and the strongly typed network.

    Raises:
        EmbedderError: It is no network that this TensorRT takes.
    """
    _require_own_weights(network)
    builder = trt.Builder(log)
    definition = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(definition, log)
    if not parser.parse_from_file(str(network)):
        first = parser.get_error(0).desc() if parser.num_errors else log.said()
        raise EmbedderError(
            f"TensorRT {trt.__version__} cannot read {network}: {' '.join(first.split())[:300]}; "
            "export the bundle again, or use backend: onnxruntime"
        )
    return builder, definition


def check_types(trt: ModuleType, network: Any, request: BuildRequest) -> None:  # noqa: ANN401
    """Refuse a network whose interface or precision is not what its bundle promises.

    Raises:
        EmbedderError: It is not.
    """
    side = request.key.input_size_px
    inputs = [network.get_input(each) for each in range(network.num_inputs)]
    outputs = [network.get_output(each) for each in range(network.num_outputs)]
    found = [(each.name, each.dtype, tuple(each.shape)) for each in (*inputs, *outputs)]
    expected = [
        (INPUT_NAME, trt.DataType.UINT8, (-1, side, side, 3)),
        (OUTPUT_NAME, trt.DataType.FLOAT, (-1, request.embedding_dim)),
    ]
    if found != expected:
        raise EmbedderError(
            f"{request.network} is no Walkout network for TensorRT: it has {found} where "
            f"{expected} is expected"
        )
    precision = precision_of(trt, network)
    if precision != request.key.precision:
        raise EmbedderError(
            f"{request.network} computes in {precision} where {request.key.precision} was "
            "promised; export the bundle again"
        )


def precision_of(trt: ModuleType, network: Any) -> str:  # noqa: ANN401
    """What a strongly typed network computes its convolutions in."""
    layers = [network.get_layer(each) for each in range(network.num_layers)]
    if any(layer.type == trt.LayerType.QUANTIZE for layer in layers):
        return "int8"
    types = {
        layer.get_output(0).dtype for layer in layers if layer.type == trt.LayerType.CONVOLUTION
    }
    names = {trt.DataType.HALF: "fp16", trt.DataType.FLOAT: "fp32", trt.DataType.BF16: "bf16"}
    return "+".join(sorted(names.get(each, str(each)) for each in types)) or "nothing"


def build(
    trt: ModuleType,
    request: BuildRequest,
    timings: bytes = b"",
    tell: Tell = lambda phase, percent: None,
) -> tuple[bytes, bytes]:
    """Build an engine in this process.

    One profile for each batch, of that very number of crops: shapes repeat, so kernels are chosen
    for them exactly, and runs can be captured.

    Args:
        trt: TensorRT's module.
        request: What to build.
        timings: Timings of kernels from earlier builds.
        tell: Told the phase and how far along the build is, in percent.

    Returns:
        The serialised engine, and all timings known now.

    Raises:
        EmbedderError: The network is not what it should be, or TensorRT cannot build it.
    """
    log = make_log(trt)
    builder, network = parse(trt, log, request.network)
    check_types(trt, network, request)
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, request.workspace_mib * 2**20)
    monitor = _make_monitor(trt, tell)
    config.progress_monitor = monitor
    if request.targets:
        _set_targets(trt, config, request)
    side = request.key.input_size_px
    for batch in request.key.batches:
        profile = builder.create_optimization_profile()
        profile.set_shape(INPUT_NAME, *((batch, side, side, 3),) * 3)
        if config.add_optimization_profile(profile) < 0:
            raise EmbedderError(f"TensorRT takes no batch of {batch}: {log.said()}")
    cache = config.create_timing_cache(timings) if request.runtime == "tensorrt" else None
    if cache is not None:
        config.set_timing_cache(cache, False)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise EmbedderError(
            f"TensorRT {trt.__version__} could not build {request.network.name}: {log.said()}; "
            "if it lacked memory, end what else runs, lower runtime.workspace_mib or "
            "runtime.batches, or add swap"
        )
    known = bytes(config.get_timing_cache().serialize()) if cache is not None else b""
    return bytes(engine), known


def _set_targets(trt: ModuleType, config: Any, request: BuildRequest) -> None:  # noqa: ANN401
    if not hasattr(trt, "ComputeCapability"):
        raise RuntimeUnavailableError(
            f"{request.runtime} builds only for the GPU that is there; build on the device"
        )
    config.num_compute_capabilities = len(request.targets)
    for place, name in enumerate(request.targets):
        target = getattr(trt.ComputeCapability, name, None)
        if target is None or not config.set_compute_capability(target, place):
            raise RuntimeUnavailableError(
                f"{request.runtime} {trt.__version__} cannot build for {name}; use tensorrt there"
            )


def _require_own_weights(network: Path) -> None:
    """Refuse a network that takes weights from anywhere but the file beside it."""
    try:
        content = network.read_bytes()
    except OSError as err:
        raise EmbedderError(f"{network} cannot be read: {err.strerror}") from err
    for found in _LOCATION.finditer(content):
        place = content[found.end() : found.end() + found[1][0]]
        if place != WEIGHTS_NAME.encode():
            raise EmbedderError(
                f"{network} wants weights from {place[:80]!r}; only {WEIGHTS_NAME} beside it is "
                "read: fetch the bundle again"
            )


def _make_monitor(trt: ModuleType, tell: Tell) -> Any:  # noqa: ANN401 -- TensorRT's own base class
    base: Any = trt.IProgressMonitor

    class Monitor(base):  # type: ignore[misc]
        """Turns TensorRT's phases, nested in each other, into one percentage that grows."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self._open: list[list[Any]] = []
            self._told = ("", -1.0)

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            self._open.append([name, max(steps, 1), 0])
            self._show()

        def step_complete(self, name: str, step: int) -> bool:
            for phase in self._open:
                if phase[0] == name:
                    phase[2] = step + 1
            self._show()
            return True

        def phase_finish(self, name: str) -> None:
            self._open = [phase for phase in self._open if phase[0] != name]

        def _show(self) -> None:
            done, share = 0.0, 1.0
            for _, steps, finished in self._open:
                done += share * min(finished, steps) / steps
                share /= steps
            phase, percent = str(self._open[-1][0]), max(100 * min(done, 1.0), self._told[1])
            if phase != self._told[0] or percent >= self._told[1] + 1:
                self._told = (phase, percent)
                tell(phase, percent)

    return Monitor()


def build_into_cache(request: BuildRequest, tell: Tell) -> int:
    """Build an engine and keep it, unless somebody else did so meanwhile.

    Returns:
        Its size in bytes.

    Raises:
        RuntimeUnavailableError: TensorRT or the folder cannot be used.
        EmbedderError: It cannot be built.
        OSError: It cannot be kept.
    """
    trt = import_tensorrt(request.runtime)
    cache = EngineCache(request.cache)
    with cache.building(request.key):
        kept = cache.read(request.key)
        if kept is not None:
            return len(kept)
        engine, timings = build(trt, request, cache.read_timings(request.key), tell)
        cache.write(request.key, engine)
        if timings:
            cache.write_timings(request.key, timings)
    return len(engine)


def _say(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """The child: build what the only argument says."""
    request = BuildRequest.model_validate_json(sys.argv[1])
    os.nice(request.niceness)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    began_s = time.monotonic()
    try:
        size = build_into_cache(
            request, lambda phase, percent: _say(phase=phase, percent=round(percent, 1))
        )
    except (WalkoutEdgeError, OSError, MemoryError) as err:
        _say(failed=str(err) or type(err).__name__)
    else:
        _say(built_bytes=size, took_s=round(time.monotonic() - began_s, 1))


if __name__ == "__main__":
    main()
