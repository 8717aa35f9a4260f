"""A network camera: RTSP with its media over the same TCP connection, decoded by FFmpeg.

Owns one connection at a time: opening it, waiting for the first frame that can be decoded, noticing
that it broke. Coming back after that is the reader's part, in ``edge.cameras.newest``.

A client joins in the middle of a group of pictures. FFmpeg holds back what it cannot decode yet;
whatever else comes before the first key frame is dropped here, so that no grey picture is seen.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cameras.address import with_login
from edge.cameras.base import CameraSource, Shot
from edge.cameras.capture import Capture
from edge.cameras.clock import Clock
from edge.cameras.timing import LiveTiming
from edge.errors import CameraLostError, CameraUnavailableError

logger: Final = logging.getLogger(__name__)

# OpenCV takes FFmpeg's options from the environment only. FFmpeg looks at a stream for 5 s before
# it gives the first frame; half a second finds H.264 and H.265, whose headers the server announces.
_OPTIONS_VARIABLE: Final = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_OPTIONS: Final = "rtsp_transport;tcp|analyzeduration;500000"


@dataclass(frozen=True)
class Patience:
    """How long a network camera is waited for.

    Attributes:
        open_s: Until it answers and describes its stream.
        read_s: Between two frames.
        key_frame_s: Until the first frame that can be decoded; longer than its key frames are
            apart.
    """

    open_s: float = 5.0
    read_s: float = 3.0
    key_frame_s: float = 20.0


class RtspCamera(CameraSource):
    """A network camera."""

    def __init__(
        self,
        name: str,
        url: str,
        clock: Clock,
        *,
        user: str | None = None,
        password: str | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            name: Name of the camera.
            url: ``rtsp://`` or ``rtsps://``, without a login.
            clock: What frames are stamped with.
            user: ``None`` for a camera that asks for none.
            password: ``None`` for none.
            patience: How long it is waited for.
        """
        super().__init__(name)
        self._url = url
        self._clock = clock
        self._user = user
        self._password = password
        self._patience = patience or Patience()
        self._timing = LiveTiming()
        self._capture: Capture | None = None
        self._joined_at_s: float | None = None

    def _open(self) -> None:
        os.environ.setdefault(_OPTIONS_VARIABLE, _OPTIONS)
        self._timing.interrupt()
        self._joined_at_s = None
        began_at_s = self._clock.monotonic_s()
        self._capture = Capture(
            with_login(self._url, self._user, self._password),
            cv2.CAP_FFMPEG,
            {
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: round(self._patience.open_s * 1000),
                cv2.CAP_PROP_READ_TIMEOUT_MSEC: round(self._patience.read_s * 1000),
                # Threads that decode several frames at once hold back as many frames.
                cv2.CAP_PROP_N_THREADS: 1,
            },
        )
        if not self._capture.is_open:
            waited_s = self._clock.monotonic_s() - began_at_s
            late = waited_s >= 0.9 * self._patience.open_s
            raise CameraUnavailableError(
                f"camera {self.name}: {self._url} "
                + (
                    f"did not answer within {self._patience.open_s:g} s; check its power, its "
                    "network and whether it is overloaded"
                    if late
                    else "refused the connection; check its address, stream name, user and password"
                )
            )

    def _grab(self) -> Shot:
        if self._joined_at_s is None:
            self._join()
        else:
            self._next_frame()
        assert self._capture is not None
        arrived_at_s = self._clock.monotonic_s()
        index, captured_at_s = self._timing.stamp(arrived_at_s, self._capture.timestamp_s)
        self._missed = self._timing.frames_missed
        ago_s = self._clock.monotonic_s() - captured_at_s
        return Shot(index, captured_at_s, self._clock.wall_time_s() - ago_s)

    def _join(self) -> None:
        """Wait for the first key frame."""
        assert self._capture is not None
        began_at_s = self._clock.monotonic_s()
        dropped = 0
        while True:
            asked_at_s = self._clock.monotonic_s()
            came = self._capture.grab()
            now_s = self._clock.monotonic_s()
            if came and self._capture.is_key_frame:
                break
            if came:
                dropped += 1
            elif now_s - asked_at_s < 0.5 * self._patience.read_s:
                raise CameraLostError(
                    f"camera {self.name}: {self._url} closed the connection before its first frame"
                )
            if now_s - began_at_s > self._patience.key_frame_s:
                raise CameraLostError(
                    f"camera {self.name}: {self._url} sent no key frame within "
                    f"{self._patience.key_frame_s:g} s; let the camera send one every 1 to 4 s"
                )
        if dropped:
            logger.info("camera %s: dropped %d frames before a key frame", self.name, dropped)
        self._joined_at_s = self._clock.monotonic_s()

    def _next_frame(self) -> None:
        assert self._capture is not None
        asked_at_s = self._clock.monotonic_s()
        if self._capture.grab():
            return
        waited_s = self._clock.monotonic_s() - asked_at_s
        raise CameraLostError(
            f"camera {self.name}: {self._url} "
            + (
                f"sent no frame for {waited_s:.1f} s"
                if waited_s >= 0.5 * self._patience.read_s
                else "closed the connection"
            )
        )

    def _retrieve(self) -> NDArray[np.uint8]:
        assert self._capture is not None
        return self._capture.retrieve(self.name)

    def _close(self) -> None:
        if self._capture is not None:
            self._capture.close()
            self._capture = None
