"""One lane of work on a GPU: a stream, pinned buffers, copies. The one place that knows ``pycuda``.

Each embedder has a lane of its own, so that two never wait for each other. The lane works in the
device's primary context, the one that TensorRT's runtime takes as well. A context belongs to a
thread at a time: whoever uses a lane does so within ``current``, which also lets one thread in
after the other.

On a GPU that shares its memory with the CPU (a Jetson) a buffer is one piece of memory with two
addresses, and nothing is copied.

``pycuda`` ties a context to the thread that made it, and gives memory back only where that context
is current: whoever lets go of buffers does so within ``current`` too, or they leak.
"""

from __future__ import annotations

import atexit
import importlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, Final

from numpy.typing import DTypeLike, NDArray

from edge.errors import EmbedderError, RuntimeUnavailableError

MODULE: Final = "pycuda.driver"


@dataclass(frozen=True, eq=False)
class Buffer:
    """Memory that both sides see, or its two copies.

    Attributes:
        host: Pinned, written and read by the CPU.
        address: Where the GPU has it.
        copied: Whether the GPU's is a copy of its own.
        kept: What must live as long as the address is used.
    """

    host: NDArray[Any]
    address: int
    copied: bool
    kept: Any


class Lane:
    """A stream on a GPU.

    Args:
        gpu: Number of the GPU.

    Raises:
        RuntimeUnavailableError: ``pycuda`` is not installed or does not find the GPU.
    """

    def __init__(self, gpu: int = 0) -> None:
        self._cuda = _pycuda()
        self._lock = threading.Lock()
        try:
            self._context = _primary_context(gpu)
            integrated = self._cuda.device_attribute.INTEGRATED
            self._shared_memory = bool(self._cuda.Device(gpu).get_attribute(integrated))
            with self.current():
                self._stream: Any = self._cuda.Stream()
        except self._cuda.Error as err:
            raise RuntimeUnavailableError(
                f"the GPU cannot be used ({err}): end what else uses it, or start the device again"
            ) from err

    @property
    def handle(self) -> int:
        """The stream as TensorRT and the driver take it."""
        return int(self._stream.handle)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Use the lane from this thread, alone.

        Raises:
            EmbedderError: The GPU failed meanwhile.
        """
        with self._lock:
            self._context.push()
            try:
                yield
            except self._cuda.MemoryError as err:
                raise EmbedderError(
                    f"the GPU has too little memory ({err}): build for smaller batches with "
                    "runtime.batches, or end what else uses it"
                ) from err
            except self._cuda.Error as err:
                raise EmbedderError(f"the GPU failed: {err}") from err
            finally:
                self._cuda.Context.pop()

    def buffer(self, shape: tuple[int, ...], dtype: DTypeLike) -> Buffer:
        """Pinned memory and the GPU's, within ``current``."""
        cuda = self._cuda
        if self._shared_memory:
            host = cuda.pagelocked_empty(shape, dtype, mem_flags=cuda.host_alloc_flags.DEVICEMAP)
            return Buffer(host, int(host.base.get_device_pointer()), copied=False, kept=host.base)
        host = cuda.pagelocked_empty(shape, dtype)
        memory = cuda.mem_alloc(host.nbytes)
        return Buffer(host, int(memory), copied=True, kept=memory)

    def to_gpu(self, buffer: Buffer) -> None:
        """Put a copy to the GPU into the stream, where there is anything to copy."""
        if buffer.copied:
            self._cuda.memcpy_htod_async(buffer.address, buffer.host, self._stream)

    def from_gpu(self, buffer: Buffer) -> None:
        """Put a copy from the GPU into the stream, where there is anything to copy."""
        if buffer.copied:
            self._cuda.memcpy_dtoh_async(buffer.host, buffer.address, self._stream)

    def finish(self) -> None:
        """Wait until all that was put into the stream is done."""
        self._stream.synchronize()

    def close(self) -> None:
        """Give the stream back, within ``current``; the lane is of no use afterwards."""
        self._stream = None


@cache
def _primary_context(gpu: int) -> Any:  # noqa: ANN401 -- pycuda's own
    """The device's primary context, one object for the whole process.

    It is let go at the end by ``detach``: left to its destructor, ``pycuda`` would treat it as a
    context that it had made itself.
    """
    cuda = _pycuda()
    cuda.init()
    context = cuda.Device(gpu).retain_primary_context()
    atexit.register(context.detach)
    return context


def _pycuda() -> ModuleType:
    try:
        return importlib.import_module(MODULE)
    except ImportError as err:
        raise RuntimeUnavailableError(
            f"TensorRT needs pycuda, which cannot be imported here ({err}): with the CUDA toolkit "
            "installed, pip install 'walkout[tensorrt]'"
        ) from err
