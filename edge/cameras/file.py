"""A camera of a recorded shop: its video file, in real time or as fast as it decodes.

Read as fast as possible, every frame comes, in order, with the same numbers and moments each time:
that is what a replay rests on. In real time, a frame comes no earlier than it was taken; one that
is late comes at once. A camera that is opened while its recording is under way joins where the
recording is by then: what was before, nobody sees any more.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cameras.base import CameraSource, Shot
from edge.cameras.capture import Capture
from edge.cameras.clock import Clock, RecordingStart
from edge.cameras.timing import RecordedTiming
from edge.errors import CameraEndedError, CameraSetupError

logger: Final = logging.getLogger(__name__)

Pace = Literal["real_time", "as_fast_as_possible"]

# Containers without a frame rate report 0 or their tick rate.
_PLAUSIBLE_FPS: Final = (0.1, 1000.0)
_FPS_WHEN_UNKNOWN: Final = 25.0
# Later than this is joining a recording under way, not a slow start.
_JOINS_AFTER_S: Final = 2.0


class FileCamera(CameraSource):
    """A video file."""

    is_live = False

    def __init__(
        self,
        name: str,
        path: Path,
        clock: Clock,
        start: RecordingStart,
        *,
        pace: Pace = "real_time",
        loop: bool = False,
        decoder_threads: int = 1,
    ) -> None:
        """Nothing is opened yet.

        Args:
            name: Name of the camera.
            path: The video.
            clock: What ``real_time`` goes by.
            start: When the recording's second 0 is played; the same for all cameras of a shop.
            pace: Whether frames come when they were taken.
            loop: Begin again at the end, numbers and moments running on.
            decoder_threads: Threads that decode; more than 1 only pays with few cameras.
        """
        super().__init__(name)
        self._path = path
        self._clock = clock
        self._start = start
        self._pace = pace
        self._loop = loop
        self._decoder_threads = decoder_threads
        self._capture: Capture | None = None
        self._timing = RecordedTiming(_FPS_WHEN_UNKNOWN)
        self._period_s = 1 / _FPS_WHEN_UNKNOWN
        self._next_index = 0
        self._round_first_index = 0
        self._round_starts_s = 0.0
        self._last_in_round_s = 0.0

    def _open(self) -> None:
        self._next_index = 0
        self._round_starts_s = 0.0
        self._open_round()
        self._join()

    def _open_round(self) -> None:
        """Open the file for one time through."""
        if not self._path.is_file():
            raise CameraSetupError(
                f"camera {self.name}: there is no video {self._path}; check the camera's path"
            )
        self._capture = Capture(
            str(self._path),
            cv2.CAP_FFMPEG,
            {cv2.CAP_PROP_N_THREADS: self._decoder_threads},
        )
        if not self._capture.is_open:
            raise CameraSetupError(
                f"camera {self.name}: {self._path} is no video that can be read; "
                "record it again, H.264 in MP4 is safe"
            )
        rate = self._capture.frames_per_s
        low, high = _PLAUSIBLE_FPS
        if not low <= rate <= high:
            logger.warning(
                "camera %s: %s has no frame rate (%s); its timestamps alone are used",
                self.name,
                self._path,
                rate,
            )
            rate = _FPS_WHEN_UNKNOWN
        self._period_s = 1 / rate
        self._timing = RecordedTiming(rate)
        self._round_first_index = self._next_index

    def _join(self) -> None:
        """Pass over what was played before the camera was opened."""
        if self._pace != "real_time" or self._ago_s(0.0) < _JOINS_AFTER_S:
            return
        while self._ago_s(self._last_in_round_s + self._period_s) > 0 and self._grab_in_round():
            assert self._capture is not None
            self._last_in_round_s = self._timing.stamp(self._capture.timestamp_s)
            self._next_index += 1
        self._missed += self._next_index

    def _ago_s(self, captured_at_s: float) -> float:
        """How long ago a moment of the recording was played."""
        return self._clock.monotonic_s() - (self._start.monotonic_s + captured_at_s)

    def _grab(self) -> Shot:
        if not self._grab_in_round():
            if not self._loop or self._next_index == self._round_first_index:
                raise CameraEndedError(self._ending())
            self._close()
            self._round_starts_s += self._last_in_round_s + self._period_s
            self._open_round()
            if not self._grab_in_round():
                raise CameraEndedError(self._ending())
        assert self._capture is not None
        self._last_in_round_s = self._timing.stamp(self._capture.timestamp_s)
        captured_at_s = self._round_starts_s + self._last_in_round_s
        if self._pace == "real_time":
            due_s = self._start.monotonic_s + captured_at_s
            self._clock.sleep(due_s - self._clock.monotonic_s())
        index, self._next_index = self._next_index, self._next_index + 1
        return Shot(index, captured_at_s, self._start.wall_time_s + captured_at_s)

    def _grab_in_round(self) -> bool:
        return self._capture is not None and self._capture.grab()

    def _ending(self) -> str:
        assert self._capture is not None
        read, promised = self._next_index - self._round_first_index, self._capture.frames
        if read < promised:
            logger.warning(
                "camera %s: %s ended after %d of %d frames; the file may be cut off",
                self.name,
                self._path,
                read,
                promised,
            )
        return f"camera {self.name}: the recording {self._path} ended after {read} frames"

    def _retrieve(self) -> NDArray[np.uint8]:
        assert self._capture is not None
        return self._capture.retrieve(self.name)

    def _close(self) -> None:
        if self._capture is not None:
            self._capture.close()
            self._capture = None
