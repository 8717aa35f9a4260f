"""What a board draws and what this process uses, from the system's own files."""

from __future__ import annotations

import re
import resource
import subprocess
from pathlib import Path
from typing import Final

# The rails that all of a Jetson module's current goes through, by board.
_WHOLE_BOARD: Final = ("VDD_IN", "VIN_SYS_5V0", "VIN")
_MIB_OF_KIB: Final = 1024


def board_watts(root: Path = Path("/")) -> float | None:
    """What a Jetson draws now; ``None`` where no sensor tells.

    Args:
        root: Where the system's files begin.
    """
    for label in sorted(root.glob("sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/in*_label")):
        number = re.sub(r"\D", "", label.name)
        if _read(label) not in _WHOLE_BOARD:
            continue
        try:
            millivolts = float(_read(label.with_name(f"in{number}_input")))
            milliamperes = float(_read(label.with_name(f"curr{number}_input")))
        except ValueError:
            continue
        return millivolts * milliamperes / 1e6
    return None


def card_watts(command: str = "nvidia-smi") -> float | None:
    """What the first NVIDIA card draws now; ``None`` where nothing tells.

    Args:
        command: Of NVIDIA's own tool.
    """
    try:
        found = subprocess.run(
            [command, "--query-gpu=power.draw", "--format=csv,noheader,nounits", "--id=0"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        return float(found.stdout.strip().splitlines()[0])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def watts() -> float | None:
    """What the board or the card draws now; ``None`` where nothing tells."""
    board = board_watts()
    return card_watts() if board is None else board


def peak_memory_mib() -> float:
    """Most memory that this process has had so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB_OF_KIB


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""
