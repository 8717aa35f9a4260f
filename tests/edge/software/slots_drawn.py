"""Slots whose program only says which release it is, and how it was told to behave."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from edge.software import launcher
from edge.software.slots import Slot, Slots


def program(path: Path, words: str, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {words} $*\nexit {code}\n")
    path.chmod(0o755)
    return path


def fill(slots: Slots, release: int, code: int = 0) -> None:
    """A slot that is there as a whole."""
    path = slots.clear(release)
    program(path / "bin" / launcher.PROGRAM, f"release-{release}", code)
    slots.complete(Slot(release=release, version=f"0.{release}"))


def start(folder: Path) -> str:
    """Start the device as its service does; what its program said."""
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            launcher.__file__,
            "--software",
            str(folder),
            "--shipped",
            str(program(folder.parent / "shipped", "shipped")),
            "--",
            "run",
            "store.yaml",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split(" ")[0]
