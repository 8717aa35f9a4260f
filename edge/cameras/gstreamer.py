"""A camera that is a GStreamer pipeline, run as a child process that writes raw frames into a pipe.

OpenCV's wheels are built without GStreamer, and a decoder that crashes takes only its own process
along. Frames keep their timestamps on the way. A live pipeline drops what is not fetched in time,
and the gap in the timestamps shows it; a recording drops none.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import selectors
import shutil
import subprocess
from collections import deque
from collections.abc import Iterable
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.cameras.base import CameraSource, Shot
from edge.cameras.clock import Clock, RecordingStart
from edge.cameras.gdp import (
    PACKET_HEADER_BYTES,
    Packet,
    VideoCaps,
    parse_caps,
    parse_packet,
)
from edge.cameras.i420 import Layout, to_bgr
from edge.cameras.pipelines import PACKAGE_OF_ELEMENT, Pipeline
from edge.cameras.timing import LiveTiming, RecordedTiming
from edge.errors import (
    CameraEndedError,
    CameraError,
    CameraLostError,
    CameraSetupError,
    CameraUnavailableError,
)

logger: Final = logging.getLogger(__name__)

_LAUNCHER: Final = "gst-launch-1.0"
_PIPE_BYTES: Final = 1 << 20
_COMPLAINTS_KEPT: Final = 20
_FAREWELL_S: Final = 2.0
_FPS_WHEN_UNKNOWN: Final = 25


class GstreamerCamera(CameraSource):
    """A GStreamer pipeline."""

    def __init__(
        self,
        name: str,
        pipeline: Pipeline,
        clock: Clock,
        start: RecordingStart,
        *,
        open_timeout_s: float = 10.0,
        read_timeout_s: float = 3.0,
        real_time: bool = False,
    ) -> None:
        """Nothing is started yet.

        Args:
            name: Name of the camera.
            pipeline: What to run.
            clock: What live frames are stamped with.
            start: When a recording's second 0 is played.
            open_timeout_s: Until the first frame.
            read_timeout_s: Between two frames.
            real_time: A recording's frames come when they were taken.
        """
        super().__init__(name)
        self.is_live = pipeline.is_live
        self._pipeline = pipeline
        self._clock = clock
        self._start = start
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._real_time = real_time
        self._child: subprocess.Popen[bytes] | None = None
        self._frames_fd = -1
        self._selector: selectors.BaseSelector | None = None
        self._complaints: deque[str] = deque(maxlen=_COMPLAINTS_KEPT)
        self._layout: Layout | None = None
        self._frame = bytearray()
        self._timing = LiveTiming()
        self._recorded_timing = RecordedTiming(_FPS_WHEN_UNKNOWN)
        self._first_timestamp_s: float | None = None
        self._next_index = 0
        self._had_frames = False

    def _open(self) -> None:
        launcher = shutil.which(_LAUNCHER)
        if launcher is None:
            raise CameraSetupError(
                f"camera {self.name}: {_LAUNCHER} is not installed; apt-get install "
                f"gstreamer1.0-tools {' '.join(sorted(_packages(self._pipeline)))}"
            )
        self._complaints.clear()
        self._layout = None
        self._first_timestamp_s = None
        self._had_frames = False
        self._timing.interrupt()
        self._next_index = 0
        self._frames_fd, child_fd = os.pipe()
        fcntl.fcntl(self._frames_fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        sink = ["!", "gdppay", "!", "fdsink", f"fd={child_fd}", "sync=false"]
        try:
            self._child = subprocess.Popen(
                [launcher, "-q", *self._pipeline.words, *sink],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(child_fd,),
                # Ctrl-C at the terminal is for the device, which then closes its cameras in order.
                start_new_session=True,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
            )
        finally:
            os.close(child_fd)
        assert self._child.stderr is not None
        os.set_blocking(self._child.stderr.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._frames_fd, selectors.EVENT_READ)
        self._selector.register(self._child.stderr.fileno(), selectors.EVENT_READ)
        self._await_format()

    def _await_format(self) -> None:
        """Read up to the first format, so that an open camera is one that has pictures."""
        while self._layout is None:
            packet = self._next_packet(self._open_timeout_s)
            if packet.kind == "buffer":
                raise self._out_of_step("a frame came before its format")

    def _grab(self) -> Shot:
        packet = self._next_packet(
            self._read_timeout_s if self._had_frames else self._open_timeout_s
        )
        while packet.kind != "buffer":
            packet = self._next_packet(self._read_timeout_s)
        assert self._layout is not None
        if packet.payload_bytes != self._layout.frame_bytes:
            raise self._out_of_step(
                f"a frame has {packet.payload_bytes} bytes instead of {self._layout.frame_bytes}"
            )
        self._read_into(memoryview(self._frame), self._read_timeout_s)
        self._had_frames = True
        return self._arrived(packet) if self.is_live else self._recorded(packet)

    def _next_packet(self, timeout_s: float) -> Packet:
        """Read a packet's header, and its payload too unless it is a frame."""
        header = self._read(PACKET_HEADER_BYTES, timeout_s)
        try:
            packet = parse_packet(header)
            if packet.kind == "buffer":
                return packet
            payload = self._read(packet.payload_bytes, timeout_s)
            if packet.kind == "caps":
                self._take_format(parse_caps(payload))
        except ValueError as err:
            raise self._out_of_step(str(err)) from err
        return packet

    def _take_format(self, caps: VideoCaps) -> None:
        rate = caps.frames_per_s or Fraction(_FPS_WHEN_UNKNOWN)
        if self._layout is None:
            self._recorded_timing = RecordedTiming(float(rate))
        self._layout = Layout(caps.width_px, caps.height_px)
        self._frame = bytearray(self._layout.frame_bytes)

    def _out_of_step(self, why: str) -> CameraLostError:
        return CameraLostError(
            f"camera {self.name}: what its pipeline writes cannot be read: {why}"
        )

    def _arrived(self, packet: Packet) -> Shot:
        index, captured_at_s = self._timing.stamp(self._clock.monotonic_s(), packet.timestamp_s)
        self._missed = self._timing.frames_missed
        ago_s = self._clock.monotonic_s() - captured_at_s
        return Shot(index, captured_at_s, self._clock.wall_time_s() - ago_s)

    def _recorded(self, packet: Packet) -> Shot:
        timestamp_s = packet.timestamp_s or 0.0
        if self._first_timestamp_s is None:
            self._first_timestamp_s = timestamp_s
        captured_at_s = self._recorded_timing.stamp(timestamp_s - self._first_timestamp_s)
        if self._real_time:
            due_s = self._start.monotonic_s + captured_at_s
            self._clock.sleep(due_s - self._clock.monotonic_s())
        index, self._next_index = self._next_index, self._next_index + 1
        return Shot(index, captured_at_s, self._start.wall_time_s + captured_at_s)

    def _read(self, size: int, timeout_s: float) -> bytes:
        buffer = bytearray(size)
        self._read_into(memoryview(buffer), timeout_s)
        return bytes(buffer)

    def _read_into(self, view: memoryview, timeout_s: float) -> None:
        """Fill a buffer from the pipe, listening to what the child complains about meanwhile."""
        assert self._selector is not None
        until_s = self._clock.monotonic_s() + timeout_s
        while len(view):
            left_s = until_s - self._clock.monotonic_s()
            ready = {key.fd for key, _ in self._selector.select(max(0.0, left_s))}
            if not ready and left_s <= 0:
                raise self._fault(f"gave no frame for {timeout_s:g} s")
            if self._frames_fd in ready:
                count = os.readv(self._frames_fd, [view])
                if not count:
                    raise self._end()
                view = view[count:]
            elif ready:
                self._listen()

    def _listen(self) -> None:
        assert self._child is not None
        assert self._child.stderr is not None
        assert self._selector is not None
        said = self._child.stderr.read()
        if said:
            self._complaints += self._pipeline.masked(said.decode("utf-8", "replace")).splitlines()
        elif said == b"":
            self._selector.unregister(self._child.stderr.fileno())

    def _end(self) -> CameraError:
        """The pipe is closed: the child has ended, or is about to."""
        assert self._child is not None
        try:
            status = self._child.wait(_FAREWELL_S)
        except subprocess.TimeoutExpired:
            return self._fault("closed its pipe and hangs")
        assert self._child.stderr is not None
        said = self._child.stderr.read() or b""
        self._complaints += self._pipeline.masked(said.decode("utf-8", "replace")).splitlines()
        if status == 0 and self._had_frames and not self.is_live:
            return CameraEndedError(
                f"camera {self.name}: the recording ended after {self._next_index} frames"
            )
        return self._fault(f"ended with status {status}")

    def _fault(self, what: str) -> CameraError:
        said = "\n".join(self._complaints)
        missing = re.search(r'no element "([^"]+)"', said)
        if missing:
            package = PACKAGE_OF_ELEMENT.get(missing[1], "the GStreamer plugin that has it")
            return CameraSetupError(
                f"camera {self.name}: GStreamer has no element {missing[1]}; install {package}"
            )
        first = _complaint(self._complaints)
        text = f"camera {self.name}: its pipeline {what}" + (f": {first}" if first else "")
        if "erroneous pipeline" in said:
            return CameraSetupError(f"{text}; correct the pipeline")
        if not self.is_live and not self._had_frames:
            return CameraSetupError(f"{text}; check the file")
        return (CameraLostError if self._had_frames else CameraUnavailableError)(text)

    def _retrieve(self) -> NDArray[np.uint8]:
        assert self._layout is not None
        return to_bgr(self._frame, self._layout)

    def _close(self) -> None:
        if self._selector is not None:
            self._selector.close()
            self._selector = None
        if self._frames_fd >= 0:
            os.close(self._frames_fd)
            self._frames_fd = -1
        if self._child is not None:
            child, self._child = self._child, None
            _stop(child)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End the child, gently first, and leave no zombie."""
    child.terminate()
    try:
        child.wait(_FAREWELL_S)
    except subprocess.TimeoutExpired:
        logger.warning("a GStreamer pipeline (pid %d) does not end; it is killed", child.pid)
        child.kill()
        child.wait()
    if child.stderr is not None:
        child.stderr.close()


def _complaint(lines: Iterable[str]) -> str:
    """What GStreamer said went wrong, the line that names the cause before the general ones."""
    telling = (r"from element|erroneous", r"No such|does not exist|[Nn]ot found|refused", r"ERROR")
    lines = [line.strip() for line in lines if line.strip()]
    found = [next((line for line in lines if re.search(mark, line)), "") for mark in telling]
    return " ".join(dict.fromkeys(filter(None, found[:2]))) or found[2] or " ".join(lines[:1])


def _packages(pipeline: Pipeline) -> set[str]:
    """Debian packages of a pipeline's elements."""
    words = {*pipeline.words, "gdppay"}
    return {PACKAGE_OF_ELEMENT[word] for word in words if word in PACKAGE_OF_ELEMENT}
