"""``walkout-edge run`` in a process of its own, and all it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


class Device:
    """``walkout-edge run`` in a process of its own, and all it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        assert process.stdout is not None
        self._reader = threading.Thread(target=self.lines.extend, args=(process.stdout,))
        self._reader.start()

    def said(self, pattern: str) -> re.Match[str]:
        """What it says sooner or later."""
        found: list[re.Match[str]] = []

        def has_said() -> bool:
            found.extend(m for line in list(self.lines) if (m := re.search(pattern, line)))
            return bool(found)

        self.until(has_said)
        return found[0]

    def until(self, condition: Callable[[], bool]) -> None:
        ends_s = time.monotonic() + 60
        while not condition():
            assert self.process.poll() is None or condition(), "".join(self.lines)
            assert time.monotonic() < ends_s, "".join(self.lines)
            time.sleep(0.02)

    def asked(self, path: str) -> Any:  # noqa: ANN401 -- JSON
        """What its page answers, as JSON; it is said, sooner or later, where the page is."""
        address = self.said(r"live page: (http://\S+)")[1]
        try:
            with urllib.request.urlopen(f"{address}{path}", timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as err:
            with err:
                return json.load(err)

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self.process.kill()
        self.ended()

    def ended(self) -> int:
        code = self.process.wait(60)
        self._reader.join(20)
        return code


@contextmanager
def running(*arguments: str) -> Iterator[Device]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "edge", "run", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as process:
        device = Device(process)
        try:
            yield device
        finally:
            if process.poll() is None:
                process.kill()
                device.ended()
