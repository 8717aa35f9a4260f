"""A driver of NVIDIA's without a GPU: ``libcuda.c`` beside this file, compiled on demand."""

from __future__ import annotations

import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("libcuda.c")


def make_driver(folder: Path) -> Path:
    """Compile the driver into ``folder``; returns its path."""
    target = folder / "libcuda.so.1"
    command = ["cc", "-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-O1"]
    subprocess.run([*command, "-o", str(target), str(_SOURCE)], check=True)
    return target
