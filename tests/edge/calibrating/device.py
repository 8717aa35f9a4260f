"""``walkout-edge calibrate`` in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]


@contextmanager
def setting_up(folder: Path, state: Path) -> Iterator[str]:
    """A shop that is being set up.

    Args:
        folder: With its ``store.yaml``.
        state: Where the work is kept.

    Returns:
        An address that signs the admin in.
    """
    command = [sys.executable, "-m", "edge", "calibrate", str(folder)]
    with subprocess.Popen(
        [*command, "--port", "0", "--state", str(state)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        lines: list[str] = []
        link = None
        for line in process.stdout:
            lines.append(line)
            link = re.search(r"(http://\S+/enter/\S+)", line)
            if link is not None:
                break
        assert link is not None, "".join(lines)
        reader = threading.Thread(target=lines.extend, args=(process.stdout,))
        reader.start()
        try:
            yield link[1]
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            finally:
                reader.join(20)
        assert process.returncode == 0, "".join(lines)
        assert not any("Traceback" in each for each in lines), "".join(lines)
