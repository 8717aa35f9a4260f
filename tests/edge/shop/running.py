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
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from edge.dashboard.access import WORDS
from web.accounts_file import ACCOUNTS_NAME, AccountsFile
from web.tokens import Tokens

ROOT = Path(__file__).parents[3]


class Device:
    """``walkout-edge run`` in a process of its own, and all it says."""

    def __init__(self, process: subprocess.Popen[str], state: Path | None) -> None:
        self.process = process
        self._state = state
        self._token = ""
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

    def has_told(self, text: str) -> bool:
        """Whether it has said something by now."""
        return any(text in line for line in list(self.lines))

    def until(self, condition: Callable[[], bool]) -> None:
        ends_s = time.monotonic() + 120
        while not condition():
            assert self.process.poll() is None or condition(), "".join(self.lines)
            assert time.monotonic() < ends_s, "".join(self.lines)
            time.sleep(0.02)

    def asked(self, path: str, body: object = None) -> Any:  # noqa: ANN401 -- JSON
        """What its dashboard answers an application that may look and check people in.

        Args:
            path: Without a slash at its beginning.
            body: Is posted as JSON when there is one.
        """
        answer = self._answer(path, body)
        return json.loads(answer) if answer.startswith((b"{", b"[")) else answer.decode()

    def _answer(self, path: str, body: object) -> bytes:
        address = self.said(r"dashboard: (http://\S+)")[1]
        headers = {"Authorization": f"Bearer {self._shown()}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{address}{path}", content, headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as err:
            with err:
                return err.read()

    def _shown(self) -> str:
        """Its token, made as the command line makes them: in the file, while the device runs."""
        if not self._token:
            assert self._state is not None, "only with --state is known where tokens are kept"
            with closing(AccountsFile(self._state / ACCOUNTS_NAME)) as file:
                _, self._token = Tokens(file, WORDS, time.time).create(
                    f"test {self.process.pid}", ["read", "metrics", "checkin"]
                )
        return self._token

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self.process.kill()
        self.ended()

    def ended(self) -> int:
        code = self.process.wait(60)
        self._reader.join(20)
        return code


@contextmanager
def running(*arguments: str, within: Sequence[str] = ()) -> Iterator[Device]:
    """Start it.

    Args:
        arguments: Of ``walkout-edge run``.
        within: What the command begins with, to run it in a network of its own.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*within, sys.executable, "-m", "edge", "run", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    ) as process:
        named = dict(zip(arguments, arguments[1:], strict=False))
        device = Device(process, Path(named["--state"]) if "--state" in named else None)
        try:
            yield device
        finally:
            if process.poll() is None:
                process.kill()
                device.ended()
