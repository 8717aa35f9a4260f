"""A camera on the network: a real RTSP server in a process of its own, for tests to mistreat."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Final

import pytest

DEBIAN_PACKAGES: Final = (
    "gir1.2-gst-rtsp-server-1.0",
    "python3-gi",
    "gstreamer1.0-tools",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-ugly",
    "gstreamer1.0-libav",
    "gstreamer1.0-rtsp",
)
SYSTEM_PYTHON: Final = "/usr/bin/python3"
_SCRIPT: Final = Path(__file__).with_name("rtsp_server.py")
_REQUIRED: Final = (
    "import gi; gi.require_version('GstRtspServer', '1.0'); "
    "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    "names = 'x264enc avdec_h264 intervideosrc rtph264pay rtspsrc gdppay h264parse qtdemux'; "
    "missing = [n for n in names.split() if not Gst.ElementFactory.find(n)]; "
    "raise SystemExit(' '.join(missing) or 0)"
)


@lru_cache(maxsize=1)
def _missing() -> str | None:
    if shutil.which("gst-launch-1.0") is None or not Path(SYSTEM_PYTHON).exists():
        return "GStreamer's tools or the system's Python"
    run = subprocess.run(
        [SYSTEM_PYTHON, "-c", _REQUIRED], capture_output=True, text=True, check=False
    )
    return None if run.returncode == 0 else (run.stderr.strip().splitlines() or ["gi"])[-1]


def require_gstreamer() -> None:
    """Skip the test, loudly, when the machine has no GStreamer to test with."""
    missing = _missing()
    if missing:
        pytest.skip(f"{missing} is missing: apt-get install {' '.join(DEBIAN_PACKAGES)}")


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class RtspServer:
    """A running server. Its camera runs at 15 frames a second whether anybody watches or not."""

    def __init__(self, port: int, arguments: tuple[str, ...]) -> None:
        self.port = port
        self._process = subprocess.Popen(
            [SYSTEM_PYTHON, str(_SCRIPT), "--port", str(port), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._expect("ready")

    @property
    def url(self) -> str:
        """Where its stream is."""
        return f"rtsp://127.0.0.1:{self.port}/camera"

    def show(self, pattern: str) -> None:
        """Change what the camera sees: ``ball`` moves, ``snow`` is noise, ``checkers-8`` stands."""
        self._tell(f"pattern {pattern}")

    def resize(self, width_px: int, height_px: int) -> None:
        """Change the resolution under way."""
        self._tell(f"size {width_px} {height_px}")

    def stop_dead(self) -> None:
        """Stop the process in its tracks: connections stay open and nothing comes."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a stopped process go on."""
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """``kill -9``, and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        for stream in (self._stdin, self._stdout):
            stream.close()

    @property
    def _stdin(self) -> IO[str]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def _stdout(self) -> IO[str]:
        assert self._process.stdout is not None
        return self._process.stdout

    def _tell(self, command: str) -> None:
        self._stdin.write(command + "\n")
        self._stdin.flush()
        self._expect("done")

    def _expect(self, word: str) -> None:
        line = self._stdout.readline()
        if not line.startswith(word):
            self.kill()
            raise AssertionError(f"the RTSP server said {line!r} where {word!r} was expected")


@contextmanager
def rtsp_server(*arguments: str, port: int | None = None) -> Iterator[RtspServer]:
    """Run a server for the length of a test; ``arguments`` are those of ``rtsp_server.py``."""
    require_gstreamer()
    server = RtspServer(port or free_port(), arguments)
    try:
        yield server
    finally:
        server.kill()
