from __future__ import annotations

import subprocess
import sys

import pytest

from edge.runtime.opening import this_machine


@pytest.mark.skipif(this_machine().driver is not None, reason="there is a GPU here: measure it")
def test_without_a_gpu_the_gpu_run_says_that_nothing_was_measured() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.gpu"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith("tests.gpu: not measured: there is no NVIDIA driver")
