"""A GPU without one: ``pycuda.driver`` and ``tensorrt`` over this process's own memory.

Addresses are those of ordinary memory, a stream does at once what is put into it, and an engine is
ONNX Runtime on whatever lies at the addresses it was given. Kept from the real ``pycuda``, against
which this was compared: memory that is let go while its context is not current is never given back,
and ``MemoryError`` is its own. Kept from TensorRT: it answers with ``False`` and ``None``.
"""

from __future__ import annotations

import ctypes
import enum
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from onnxruntime import InferenceSession

from edge.runtime.onnxruntime import INPUT_NAME, OUTPUT_NAME


class SimulatedGpu:
    """The GPU and what happened on it.

    Attributes:
        integrated: Whether it shares its memory with the CPU.
        room: How many pieces of memory it has left; ``None`` never runs out.
        fails: Whether engines fail to run.
        held: Pieces of memory and streams that were not given back.
        runs: Batch of every run of an engine.
        copies: How often anything was copied to or from it.
    """

    def __init__(self, network: Path, *, integrated: bool = False) -> None:
        self.integrated = integrated
        self.room: int | None = None
        self.fails = False
        self.held = 0
        self.runs: list[int] = []
        self.copies = 0
        self.session = InferenceSession(str(network))
        self._current = threading.local()

    @property
    def depth(self) -> int:
        """How many contexts this thread has pushed."""
        return int(getattr(self._current, "depth", 0))

    def _shift(self, by: int) -> None:
        self._current.depth = self.depth + by

    def modules(self) -> dict[str, ModuleType]:
        """What to put into ``sys.modules``."""
        driver, trt = ModuleType("pycuda.driver"), ModuleType("tensorrt")
        _fill_driver(driver, self)
        _fill_tensorrt(trt, self)
        return {"pycuda.driver": driver, "tensorrt": trt}


class _Held:
    """A piece of memory or a stream."""

    def __init__(self, gpu: SimulatedGpu, size: int, error: type[Exception]) -> None:
        if gpu.room is not None and gpu.held >= gpu.room:
            raise error("cuMemAlloc failed: out of memory")
        gpu.held += 1
        self._gpu = gpu
        self.memory = ctypes.create_string_buffer(max(1, size))
        self.handle = 1

    def __int__(self) -> int:
        return ctypes.addressof(self.memory)

    def get_device_pointer(self) -> int:
        return int(self)

    def synchronize(self) -> None:
        assert self._gpu.depth, "a stream is waited for within its context"

    def __del__(self) -> None:
        if hasattr(self, "memory") and self._gpu.depth:
            self._gpu.held -= 1


class _Pinned(np.ndarray[Any, np.dtype[Any]]):
    """Host memory whose ``base`` is what holds it, as ``pycuda`` has it."""

    held: _Held

    @property
    def base(self) -> Any:  # noqa: ANN401 -- as numpy has it
        return self.held


def _at(address: int, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = memoryview((ctypes.c_ubyte * size).from_address(address)).cast("B")
    return np.frombuffer(memory, np.uint8).view(dtype).reshape(shape)


def _fill_driver(driver: Any, gpu: SimulatedGpu) -> None:  # noqa: ANN401
    class Error(Exception):
        pass

    class OutOfMemory(Error):
        pass

    def pagelocked_empty(
        shape: tuple[int, ...], dtype: DTypeLike, mem_flags: int = 0
    ) -> NDArray[Any]:
        held = _Held(gpu, int(np.prod(shape)) * np.dtype(dtype).itemsize, OutOfMemory)
        array = _at(int(held), shape, dtype).view(_Pinned)
        array.held = held
        return array

    def copy(target: NDArray[Any], source: NDArray[Any]) -> None:
        assert gpu.depth, "copies are made within a context"
        gpu.copies += 1
        target[...] = source

    context = SimpleNamespace(push=lambda: gpu._shift(1), detach=lambda: None)
    driver.Error, driver.MemoryError = Error, OutOfMemory
    driver.init = lambda: None
    driver.device_attribute = SimpleNamespace(INTEGRATED=18)
    driver.host_alloc_flags = SimpleNamespace(DEVICEMAP=2)
    driver.Context = SimpleNamespace(pop=lambda: gpu._shift(-1))
    driver.Device = lambda index: SimpleNamespace(
        retain_primary_context=lambda: context, get_attribute=lambda name: int(gpu.integrated)
    )
    driver.Stream = lambda: _Held(gpu, 1, OutOfMemory)
    driver.pagelocked_empty = pagelocked_empty
    driver.mem_alloc = lambda size: _Held(gpu, size, OutOfMemory)
    driver.memcpy_htod_async = lambda to, host, stream: copy(_at(to, host.shape, host.dtype), host)
    driver.memcpy_dtoh_async = lambda host, at, stream: copy(host, _at(at, host.shape, host.dtype))


def _fill_tensorrt(trt: Any, gpu: SimulatedGpu) -> None:  # noqa: ANN401
    class Logger:
        ERROR, INTERNAL_ERROR = 1, 0

    class Strategy(enum.Enum):
        ON_PROFILE_CHANGE = 2

    class Context:
        def __init__(self, log: Any) -> None:  # noqa: ANN401
            self._log = log
            self._at: dict[str, int] = {}

        def set_optimization_profile_async(self, profile: int, stream: int) -> bool:
            return profile >= 0

        def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
            self._shape = shape
            return name == INPUT_NAME

        def set_tensor_address(self, name: str, address: int) -> bool:
            self._at[name] = address
            return name in (INPUT_NAME, OUTPUT_NAME)

        def execute_async_v3(self, stream: int) -> bool:
            if gpu.fails:
                self._log.log(Logger.ERROR, "an illegal memory access was encountered")
                return False
            gpu.runs.append(self._shape[0])
            crops = _at(self._at[INPUT_NAME], self._shape, np.uint8)
            found = gpu.session.run(None, {INPUT_NAME: crops})[0]
            _at(self._at[OUTPUT_NAME], found.shape, np.float32)[...] = found
            return True

    class Runtime:
        def __init__(self, log: Any) -> None:  # noqa: ANN401
            self._log = log

        def deserialize_cuda_engine(self, engine: bytes) -> Any:  # noqa: ANN401
            if not engine.startswith(b"engine"):
                self._log.log(Logger.ERROR, "Magic tag does not match")
                return None
            return SimpleNamespace(create_execution_context=lambda strategy: Context(self._log))

    trt.__version__ = "10.3.0"
    trt.ILogger, trt.Runtime = Logger, Runtime
    trt.ExecutionContextAllocationStrategy = Strategy
