"""``python -m tests.gpu``: everything that needs a GPU, and the figures it gives, in one run.

It says what the machine has, runs the tests of this folder with their figures printed, and ends
with ``walkout-edge bench`` on each backend that works. Without a GPU it says so and ends with 2: a
run that measured nothing must not look like one that did.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from edge.runtime.choice import obstacle
from edge.runtime.opening import this_machine
from tests.gpu.conftest import GPU_BACKENDS


def main() -> int:
    """Run; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for figures as JSON")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long cameras are played")
    asked = parser.parse_args()
    machine = this_machine()
    if machine.driver is None:
        sys.stderr.write(f"tests.gpu: not measured: {machine.driver_trouble}\n")
        return 2
    working = []
    for backend in GPU_BACKENDS:
        trouble = obstacle(backend, machine)
        sys.stdout.write(f"{backend}: {trouble or 'works'}\n")
        if trouble is None:
            working.append(backend)
    if not working:
        sys.stderr.write("tests.gpu: not measured: no backend works on this GPU (see above)\n")
        return 2
    folder = str(Path(__file__).parent)
    code = int(pytest.main([folder, "-rA", "-p", "no:cacheprovider", "-s", "-W", "default"]))
    for backend in working:
        target = asked.out / f"bench-{backend}.json"
        command = [sys.executable, "-m", "edge", "bench", "--device", backend, "--json"]
        with target.open("wb") as out:
            ran = subprocess.run(
                [*command, "--density", "--seconds", str(asked.seconds)], stdout=out, check=False
            )
        sys.stdout.write(f"{backend}: figures in {target}\n")
        code = code or ran.returncode
    return code


if __name__ == "__main__":
    sys.exit(main())
