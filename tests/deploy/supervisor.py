"""What systemd does for ``walkout.service``, where there is no systemd: start, listen, start anew.

Restart=always, Type=notify with TimeoutStartSec, WatchdogSec; the environment and socket are those
of ``man sd_notify``.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

_LOOK_AGAIN_S: Final = 0.05


class Supervisor:
    """Keeps one service running; a context manager that ends it.

    Args:
        command: What is started.
        folder: For its socket and its log.
        environment: Of the service.
        start_within_s: It must say that it is ready by then.
        watchdog_s: It must show signs of life so often.
        before: Called before every start.

    Attributes:
        starts: How often it was started.
        codes: How each start ended.
        readies: How often it said that it was ready.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        start_within_s: float = 120.0,
        watchdog_s: float = 60.0,
        before: Callable[[], None] = lambda: None,
    ) -> None:
        self.starts = self.readies = 0
        self.codes: list[int] = []
        self.log = folder / "service.log"
        self._command = list(command)
        self._start_within_s, self._watchdog_s = start_within_s, watchdog_s
        self._before = before
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        # A socket's path is short: 107 bytes.
        self._name = f"\0walkout-{os.getpid()}-{time.monotonic_ns()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._name)
        self._socket.settimeout(_LOOK_AGAIN_S)
        self._environment = {
            **environment,
            "NOTIFY_SOCKET": f"@{self._name[1:]}",
            "WATCHDOG_USEC": str(int(watchdog_s * 1e6)),
        }
        self._thread = threading.Thread(target=self._keep, name="supervisor")

    def __enter__(self) -> Supervisor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._thread.join()
        self._socket.close()

    def kill(self) -> None:
        """SIGKILL, as a power cut or the kernel's killer does it."""
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()

    def said(self) -> str:
        """All that the service wrote."""
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def _keep(self) -> None:
        while not self._ending.is_set():
            self._before()
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command, env=self._environment, stdout=log, stderr=log
                )
            self.starts += 1
            self._listen(self._process)
            self.codes.append(self._process.wait())
            self._ending.wait(0.2)

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        ready, heard_at_s = False, time.monotonic()
        limit_s = self._start_within_s
        ends_at_s: float | None = None
        while process.poll() is None:
            try:
                words = self._socket.recv(4096).decode()
            except TimeoutError:
                words = ""
            now_s = time.monotonic()
            if words == "READY=1":
                ready, limit_s = True, self._watchdog_s
                self.readies += 1
            if words in ("READY=1", "WATCHDOG=1"):
                heard_at_s = now_s
            if words == "STOPPING=1" or self._ending.is_set():
                ends_at_s = now_s + 30.0 if ends_at_s is None else ends_at_s
            late = now_s - heard_at_s > limit_s and not (ready and ends_at_s is not None)
            if late or (ends_at_s is not None and now_s > ends_at_s):
                process.kill()
