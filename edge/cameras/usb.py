"""A camera at the device itself, by Video4Linux.

Asks for compressed pictures (MJPG) first: at 1280x720 and 15 fps, uncompressed ones are more than a
USB 2 bus carries for two cameras.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cameras.base import CameraSource, Shot
from edge.cameras.capture import Capture
from edge.cameras.clock import Clock
from edge.cameras.timing import LiveTiming
from edge.errors import CameraLostError, CameraSetupError, CameraUnavailableError

_READ_TIMEOUT_S: Final = 3.0


class UsbCamera(CameraSource):
    """A Video4Linux device."""

    def __init__(
        self,
        name: str,
        device: int | Path,
        clock: Clock,
        *,
        width_px: int = 1280,
        height_px: int = 720,
        frames_per_s: float = 15.0,
        pixel_format: str = "MJPG",
    ) -> None:
        """Nothing is opened yet.

        Args:
            name: Name of the camera.
            device: Its number, or its path; a path below ``/dev/v4l/by-path`` stays the same when
                cameras are plugged in in another order.
            clock: What frames are stamped with.
            width_px: Wanted width; the driver takes the nearest it has.
            height_px: Wanted height.
            frames_per_s: Wanted rate.
            pixel_format: Four characters, as ``v4l2-ctl --list-formats`` shows them.
        """
        super().__init__(name)
        self._path = Path(f"/dev/video{device}") if isinstance(device, int) else device
        self._clock = clock
        self._width_px = width_px
        self._height_px = height_px
        self._frames_per_s = frames_per_s
        self._pixel_format = pixel_format
        self._timing = LiveTiming()
        self._capture: Capture | None = None

    def _open(self) -> None:
        self._require_device()
        self._timing.interrupt()
        self._capture = Capture(
            str(self._path),
            cv2.CAP_V4L2,
            {
                # The order matters to drivers: format, size, rate.
                cv2.CAP_PROP_FOURCC: cv2.VideoWriter.fourcc(*self._pixel_format),
                cv2.CAP_PROP_FRAME_WIDTH: self._width_px,
                cv2.CAP_PROP_FRAME_HEIGHT: self._height_px,
                cv2.CAP_PROP_FPS: round(self._frames_per_s),
                cv2.CAP_PROP_READ_TIMEOUT_MSEC: round(_READ_TIMEOUT_S * 1000),
            },
        )
        if not self._capture.is_open:
            raise CameraUnavailableError(
                f"camera {self.name}: {self._path} cannot be opened as a camera; it may be in use "
                "by another program, or give no pictures (v4l2-ctl --list-devices shows which do)"
            )

    def _require_device(self) -> None:
        try:
            mode = self._path.stat().st_mode
        except FileNotFoundError as err:
            raise CameraUnavailableError(
                f"camera {self.name}: there is no {self._path}; is the camera plugged in? "
                "(v4l2-ctl --list-devices shows what is)"
            ) from err
        if not stat.S_ISCHR(mode):
            raise CameraSetupError(
                f"camera {self.name}: {self._path} is no device; give a number or a /dev/ path, "
                "and use kind: file for a video"
            )
        if not os.access(self._path, os.R_OK | os.W_OK):
            raise CameraSetupError(
                f"camera {self.name}: {self._path} may not be read; add the user that runs Walkout "
                "to the group video"
            )

    def _grab(self) -> Shot:
        assert self._capture is not None
        if not self._capture.grab():
            raise CameraLostError(
                f"camera {self.name}: {self._path} gave no frame; it may have been unplugged"
            )
        arrived_at_s = self._clock.monotonic_s()
        timestamp_s = self._capture.timestamp_s
        index, captured_at_s = self._timing.stamp(
            arrived_at_s, timestamp_s if timestamp_s > 0 else None
        )
        self._missed = self._timing.frames_missed
        ago_s = self._clock.monotonic_s() - captured_at_s
        return Shot(index, captured_at_s, self._clock.wall_time_s() - ago_s)

    def _retrieve(self) -> NDArray[np.uint8]:
        assert self._capture is not None
        return self._capture.retrieve(self.name)

    def _close(self) -> None:
        if self._capture is not None:
            self._capture.close()
            self._capture = None
