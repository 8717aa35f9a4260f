"""Which backend runs the networks of this device, and why. Pure: facts in, a choice out.

In order of speed where it is whole: TensorRT, TensorRT for RTX, ONNX Runtime on CUDA, OpenVINO,
ONNX Runtime on the CPU. Whatever is not taken is listed with its reason and what would have to be
done, so that a device that is merely slow can be told from one that lacks a package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from edge.errors import RuntimeUnavailableError
from edge.runtime.machine import Machine
from edge.runtime.settings import BackendName, RuntimeSettings

ORDER: Final[tuple[BackendName, ...]] = (
    "tensorrt",
    "tensorrt_rtx",
    "onnxruntime_cuda",
    "openvino",
    "onnxruntime",
)
ON_GPU: Final[frozenset[BackendName]] = frozenset(
    {"tensorrt", "tensorrt_rtx", "onnxruntime_cuda", "onnxruntime_tensorrt"}
)
LAST_RESORT: Final[BackendName] = "onnxruntime"
PROVIDERS: Final[dict[BackendName, tuple[str, ...]]] = {
    "onnxruntime": ("CPUExecutionProvider",),
    "onnxruntime_cuda": ("CUDAExecutionProvider",),
    "onnxruntime_tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider"),
}
# TensorRT for RTX has no kernels for these: a Jetson Orin, Hopper and Blackwell of data centres.
_NOT_RTX: Final = frozenset({"sm_87", "sm_90", "sm_100", "sm_103", "sm_110"})
_OLDEST_RTX: Final = (7, 5)


@dataclass(frozen=True)
class PassedOver:
    """A backend that is not taken.

    Attributes:
        backend: Which.
        reason: Why, and what to do to have it.
    """

    backend: BackendName
    reason: str


@dataclass(frozen=True)
class Choice:
    """What will run the networks.

    Attributes:
        backend: What is taken.
        why: In words.
        fell_back: Whether something else was asked for.
        passed_over: What would have come before it.
        warnings: What somebody should look at.
    """

    backend: BackendName
    why: str
    fell_back: bool
    passed_over: tuple[PassedOver, ...]
    warnings: tuple[str, ...]


def choose_backend(machine: Machine, settings: RuntimeSettings) -> Choice:
    """Choose.

    Args:
        machine: What there is.
        settings: What is wanted.

    Raises:
        RuntimeUnavailableError: What is wanted cannot work, and nothing may take its place.
    """
    wanted = settings.backend
    if wanted != "auto":
        trouble = obstacle(wanted, machine)
        if trouble is None:
            return Choice(wanted, f"{wanted} was asked for", False, (), ())
        if not settings.fallback or wanted == LAST_RESORT:
            raise RuntimeUnavailableError(f"backend {wanted} cannot work here: {trouble}")
        return fallback_choice(wanted, trouble)
    passed: list[PassedOver] = []
    for backend in ORDER:
        trouble = obstacle(backend, machine)
        if trouble is None:
            unused = _unused_gpu(backend, machine, passed)
            return Choice(backend, _praise(backend, machine), False, tuple(passed), unused)
        passed.append(PassedOver(backend, trouble))
    raise RuntimeUnavailableError(f"backend {passed[-1].backend} cannot work: {passed[-1].reason}")


def fallback_choice(wanted: BackendName, trouble: str) -> Choice:
    """The CPU in place of what cannot work.

    Args:
        wanted: What was asked for or chosen.
        trouble: Why it cannot work.
    """
    why = f"fallback: {wanted} cannot work here: {trouble}"
    return Choice(LAST_RESORT, why, True, (PassedOver(wanted, trouble),), (why,))


def obstacle(backend: BackendName, machine: Machine) -> str | None:
    """Why a backend cannot work on a machine and what to do; ``None`` where it can."""
    if backend in ON_GPU and machine.driver is None:
        return machine.driver_trouble
    if backend in ("tensorrt", "tensorrt_rtx"):
        return _tensorrt_obstacle(backend, machine)
    if backend == "openvino":
        if machine.architecture != "x86_64":
            return f"OpenVINO is for x86 processors, this one is {machine.architecture}"
        if "openvino" not in machine.versions:
            return "OpenVINO is not installed: pip install 'walkout[openvino]'"
        return None
    missing = [
        provider for provider in PROVIDERS[backend] if provider not in machine.onnxruntime_providers
    ]
    if missing:
        return (
            f"this ONNX Runtime {machine.onnxruntime} has no {missing[0]}: install "
            "'walkout[edge-gpu]' in place of 'walkout[edge]'"
        )
    return None


def _tensorrt_obstacle(backend: BackendName, machine: Machine) -> str | None:
    if backend not in machine.versions:
        how = (
            "apt install python3-libnvinfer, in an environment made with --system-site-packages"
            if machine.jetson is not None
            else "pip install 'walkout[tensorrt-rtx]'"
            if backend == "tensorrt_rtx"
            else "pip install tensorrt-cu12 or tensorrt-cu13, by the driver's CUDA"
        )
        return f"{backend} is not installed: {how}"
    if "pycuda" not in machine.versions:
        return "pycuda is not installed: pip install 'walkout[tensorrt]' (needs the CUDA toolkit)"
    gpu = machine.driver.gpus[0] if machine.driver else None
    if backend == "tensorrt_rtx" and gpu is not None:
        unfit = gpu.architecture in _NOT_RTX or gpu.compute_capability < _OLDEST_RTX
        if unfit:
            return (
                f"TensorRT for RTX has no kernels for {gpu.name} ({gpu.architecture}): use tensorrt"
            )
    return None


def _praise(backend: BackendName, machine: Machine) -> str:
    gpu = machine.driver.gpus[0] if machine.driver else None
    if backend in ON_GPU and gpu is not None:
        return f"{gpu.name} ({gpu.architecture}) is there, and {backend} is whole"
    if backend == "openvino":
        return "there is no GPU to use, and OpenVINO is the faster of the backends for x86"
    return "nothing faster is whole on this machine"


def _unused_gpu(
    backend: BackendName, machine: Machine, passed: list[PassedOver]
) -> tuple[str, ...]:
    if machine.driver is None or backend in ON_GPU:
        return ()
    reasons = "; ".join(f"{each.backend}: {each.reason}" for each in passed)
    return (f"{machine.driver.gpus[0].name} is there and is not used: {reasons}",)
