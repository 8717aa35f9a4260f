"""The NVIDIA driver asked directly: is there a GPU, which, and CUDA graphs.

Owns the few calls of the driver's C interface that Walkout makes itself. They come before anything
of NVIDIA's is imported, because ``pycuda`` cannot be imported without a driver and TensorRT's lean
runtime ends the process without one; and CUDA graphs, because ``pycuda`` has none. Memory, streams
and copies are ``edge.runtime.lane``'s. Everything here works with any CUDA from 12 on: the
interface is versioned by name (``_v2``) and never changes under one name.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from edge.errors import EmbedderError, RuntimeUnavailableError

LIBRARY: Final = "libcuda.so.1"
_COMPUTE_CAPABILITY_MAJOR: Final = 75
_COMPUTE_CAPABILITY_MINOR: Final = 76
_INTEGRATED: Final = 18
_CAPTURE_THIS_THREAD: Final = 1
_NO_DEVICE: Final = 100
_REMEDIES: Final = {
    _NO_DEVICE: "no NVIDIA GPU is visible: check nvidia-smi, and that a container has --gpus all "
    "or --runtime nvidia",
    34: "a stub of the driver is installed in its place: take the folder of CUDA stubs out of "
    "LD_LIBRARY_PATH",
    46: "the GPU is in use by a process that has it alone, or is in a prohibited mode",
    802: "the GPU is not ready yet: wait for the fabric manager, or start the device again",
    803: "the driver and its libraries are of different versions: start the device again after an "
    "update of the driver",
    804: "this CUDA is newer than the driver can take: update the driver",
    999: "the driver does not answer: start the device again",
}


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        index: Its number.
        name: As the driver names it.
        compute_capability: Major and minor.
        memory_mib: Of the whole GPU; on a Jetson shared with the system.
        integrated: Whether it shares its memory with the CPU, as on a Jetson.
    """

    index: int
    name: str
    compute_capability: tuple[int, int]
    memory_mib: int
    integrated: bool

    @property
    def architecture(self) -> str:
        """For example ``sm_87``."""
        return "sm_{}{}".format(*self.compute_capability)


@dataclass(frozen=True)
class Driver:
    """What the driver says.

    Attributes:
        cuda_version: Newest CUDA that it takes.
        gpus: All that are visible.
    """

    cuda_version: tuple[int, int]
    gpus: tuple[Gpu, ...]


class DriverLibrary:
    """``libcuda`` itself, initialised.

    Args:
        name: Of the library.

    Raises:
        RuntimeUnavailableError: It is not there, or does not work.
    """

    def __init__(self, name: str = LIBRARY) -> None:
        try:
            self._library = ctypes.CDLL(name)
        except OSError as err:
            raise RuntimeUnavailableError(
                f"there is no NVIDIA driver ({name} cannot be loaded): on a PC install the driver, "
                "on a Jetson JetPack; in a container start it with the NVIDIA runtime"
            ) from err
        self._initialise()

    def _initialise(self) -> None:
        code = int(self._library.cuInit(0))
        if code:
            remedy = _REMEDIES.get(code, "look into dmesg, and start the device again")
            raise RuntimeUnavailableError(
                f"the NVIDIA driver does not start ({self._words(code)}): {remedy}"
            )

    def look(self) -> Driver:
        """What there is.

        Raises:
            RuntimeUnavailableError: The driver refuses to say.
        """
        version, count = ctypes.c_int(), ctypes.c_int()
        self._ask("cuDriverGetVersion", ctypes.byref(version))
        self._ask("cuDeviceGetCount", ctypes.byref(count))
        if not count.value:
            raise RuntimeUnavailableError(
                f"the NVIDIA driver works and has no GPU: {_REMEDIES[_NO_DEVICE]}"
            )
        return Driver(
            (version.value // 1000, version.value % 1000 // 10),
            tuple(self._gpu(index) for index in range(count.value)),
        )

    def _gpu(self, index: int) -> Gpu:
        device, memory = ctypes.c_int(), ctypes.c_size_t()
        name = ctypes.create_string_buffer(256)
        self._ask("cuDeviceGet", ctypes.byref(device), index)
        self._ask("cuDeviceGetName", name, len(name), device)
        self._ask("cuDeviceTotalMem_v2", ctypes.byref(memory), device)
        attributes = []
        for wanted in (_COMPUTE_CAPABILITY_MAJOR, _COMPUTE_CAPABILITY_MINOR, _INTEGRATED):
            value = ctypes.c_int()
            self._ask("cuDeviceGetAttribute", ctypes.byref(value), wanted, device)
            attributes.append(value.value)
        major, minor, integrated = attributes
        return Gpu(
            index,
            name.value.decode(errors="replace"),
            (major, minor),
            memory.value // 2**20,
            bool(integrated),
        )

    def _ask(self, call: str, *arguments: object) -> None:
        code = int(getattr(self._library, call)(*arguments))
        if code:
            raise RuntimeUnavailableError(
                f"the NVIDIA driver refused {call}: {self._words(code)}; start the device again"
            )

    def check(self, call: str, *arguments: object) -> None:
        """Make a call of the interface.

        Raises:
            EmbedderError: It failed.
        """
        code = int(getattr(self._library, call)(*arguments))
        if code:
            raise EmbedderError(f"the GPU failed in {call}: {self._words(code)}")

    def _words(self, code: int) -> str:
        text = ctypes.c_char_p()
        known = self._library.cuGetErrorString(code, ctypes.byref(text)) == 0 and text.value
        return f"error {code}, {text.value.decode()}" if known and text.value else f"error {code}"


def look_for_gpus(library: str = LIBRARY) -> Driver:
    """What the driver says.

    Raises:
        RuntimeUnavailableError: There is no driver, or no GPU; the message says what to do.
    """
    return DriverLibrary(library).look()


class GraphRun:
    """Work of one stream, captured once, to be launched whole; given back when nobody has it.

    Args:
        library: The driver.
        stream: Handle of the stream.
    """

    def __init__(self, library: DriverLibrary, stream: int) -> None:
        self._library = library
        self._stream = ctypes.c_void_p(stream)
        self._graph = ctypes.c_void_p()
        self._run = ctypes.c_void_p()
        # Not at the end of the process, when the driver may be gone already.
        weakref.finalize(self, _give_back, library, self._run, self._graph).atexit = False

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Capture what is put into the stream meanwhile instead of doing it.

        Raises:
            EmbedderError: It cannot be captured; the stream works on as before.
        """
        check = self._library.check
        check("cuStreamBeginCapture_v2", self._stream, _CAPTURE_THIS_THREAD)
        try:
            yield
        except BaseException:
            # A stream that is left capturing swallows everything that follows.
            with suppress(EmbedderError):
                check("cuStreamEndCapture", self._stream, ctypes.byref(self._graph))
            raise
        check("cuStreamEndCapture", self._stream, ctypes.byref(self._graph))
        check(
            "cuGraphInstantiateWithFlags",
            ctypes.byref(self._run),
            self._graph,
            ctypes.c_ulonglong(0),
        )

    def launch(self) -> None:
        """Put the captured work into the stream.

        Raises:
            EmbedderError: The GPU refused.
        """
        self._library.check("cuGraphLaunch", self._run, self._stream)


def _give_back(library: DriverLibrary, run: ctypes.c_void_p, graph: ctypes.c_void_p) -> None:
    with suppress(EmbedderError):
        if run:
            library.check("cuGraphExecDestroy", run)
        if graph:
            library.check("cuGraphDestroy", graph)
