"""What this machine has for running networks: processor, GPU, JetPack, libraries. Facts, no choice.

Nothing of NVIDIA's is imported to find out, since that may end a process without a driver; the
driver is asked by ``edge.runtime.driver`` and versions are read from what was installed.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

import onnxruntime

from edge.errors import RuntimeUnavailableError
from edge.runtime.driver import LIBRARY, Driver, look_for_gpus

_L4T_FILE: Final = Path("etc/nv_tegra_release")
_BOARD_FILE: Final = Path("proc/device-tree/model")
_POWER_FILE: Final = Path("var/lib/nvpmodel/status")
_CPU_FILE: Final = Path("proc/cpuinfo")
# JetPack by the Jetson Linux it brings; R36.4 and later need a look at the package.
_JETPACK_OF_L4T: Final = (
    ((38, 0), "7"),
    ((36, 5), "6.2.2"),
    ((36, 4, 4), "6.2.1"),
    ((36, 4, 3), "6.2"),
    ((36, 4), "6.1"),
    ((36, 0), "6.0"),
    ((35, 0), "5"),
)
_DISTRIBUTIONS: Final = {
    "tensorrt": ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"),
    "tensorrt_rtx": ("tensorrt-rtx-cu13", "tensorrt-rtx-cu12", "tensorrt-rtx"),
    "pycuda": ("pycuda",),
    "openvino": ("openvino",),
}


@dataclass(frozen=True)
class Jetson:
    """A Jetson's own software.

    Attributes:
        board: Which one.
        l4t: Version of Jetson Linux, for example ``36.4.3``.
        jetpack: The JetPack it belongs to, as far as Jetson Linux tells.
        power_mode: Number of the power mode in use; ``None`` where the board does not say.
    """

    board: str
    l4t: str
    jetpack: str
    power_mode: str | None


@dataclass(frozen=True)
class Machine:
    """What there is.

    Attributes:
        processor: Its name.
        architecture: ``x86_64`` or ``aarch64``.
        cores: That this process may use.
        python: Version of Python.
        driver: What the NVIDIA driver says; ``None`` without one.
        driver_trouble: Why there is no GPU to use, and what to do; empty where there is one.
        jetson: ``None`` on anything else.
        onnxruntime: Version of ONNX Runtime.
        onnxruntime_providers: What it can run on.
        versions: Of optional libraries that are installed, by module.
    """

    processor: str
    architecture: str
    cores: int
    python: str
    driver: Driver | None
    driver_trouble: str
    jetson: Jetson | None
    onnxruntime: str
    onnxruntime_providers: tuple[str, ...]
    versions: dict[str, str]


def look_around(root: Path = Path("/"), driver_library: str = LIBRARY) -> Machine:
    """Find out what this machine has.

    Args:
        root: Where the system's files begin.
        driver_library: Name of the NVIDIA driver's library.
    """
    driver, trouble = None, ""
    try:
        driver = look_for_gpus(driver_library)
    except RuntimeUnavailableError as err:
        trouble = str(err)
    return Machine(
        processor=_processor(root),
        architecture=platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        driver=driver,
        driver_trouble=trouble,
        jetson=_jetson(root),
        onnxruntime=onnxruntime.__version__,
        onnxruntime_providers=tuple(onnxruntime.get_available_providers()),
        versions={
            module: version
            for module in _DISTRIBUTIONS
            if (version := _installed_version(module)) is not None
        },
    )


def _installed_version(module: str) -> str | None:
    """Version of a library that could be imported; ``None`` where it could not."""
    try:
        if importlib.util.find_spec(module) is None:
            return None
    except (ImportError, ValueError):
        return None
    for name in _DISTRIBUTIONS[module]:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "of unknown version"


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip("\x00\n ")
    except OSError:
        return ""


def _processor(root: Path) -> str:
    names = re.findall(r"^model name\s*:\s*(.+)$", _read(root / _CPU_FILE), re.MULTILINE)
    return names[0].strip() if names else platform.processor() or platform.machine()


def _jetson(root: Path) -> Jetson | None:
    found = re.match(r"# R(\d+) \(release\), REVISION: ([\d.]+)", _read(root / _L4T_FILE))
    if found is None:
        return None
    l4t = f"{found[1]}.{found[2]}"
    numbers = tuple(int(part) for part in l4t.split("."))
    jetpack = next((name for least, name in _JETPACK_OF_L4T if numbers >= least), "older than 5")
    mode = re.search(r"pmode:(\d+)", _read(root / _POWER_FILE))
    return Jetson(
        board=_read(root / _BOARD_FILE) or "unknown board",
        l4t=l4t,
        jetpack=jetpack,
        power_mode=mode[1] if mode else None,
    )
