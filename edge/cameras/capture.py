"""One ``cv2.VideoCapture``, typed, for the cameras that are read through OpenCV."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import CameraLostError

# OpenCV gives a frame's type as a character code.
_KEY_FRAME: Final = ord("I")


class Capture:
    """An opened video or camera. Its calls let other threads run while they wait."""

    def __init__(self, what: str | int, backend: int, parameters: dict[int, int]) -> None:
        """Open it; ``is_open`` says whether that worked.

        Args:
            what: Path, URL or device number.
            backend: One of ``cv2.CAP_*``.
            parameters: ``cv2.CAP_PROP_*`` to open it with.
        """
        flat = [number for pair in parameters.items() for number in pair]
        self._capture = cv2.VideoCapture(what, backend, flat)

    @property
    def is_open(self) -> bool:
        """Whether frames can be asked for."""
        return bool(self._capture.isOpened())

    @property
    def frames_per_s(self) -> float:
        """The nominal frame rate; 0 or nonsense where there is none."""
        return float(self._capture.get(cv2.CAP_PROP_FPS))

    @property
    def frames(self) -> int:
        """How many frames the container promises; 0 or less when it does not say."""
        return int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))

    @property
    def timestamp_s(self) -> float:
        """The timestamp of the frame grabbed last, from the start of the stream."""
        return float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000.0

    @property
    def is_key_frame(self) -> bool:
        """Whether the frame grabbed last can be decoded without any before it."""
        return int(self._capture.get(cv2.CAP_PROP_FRAME_TYPE)) == _KEY_FRAME

    def grab(self) -> bool:
        """Wait for the next frame; ``False`` when none came."""
        return bool(self._capture.grab())

    def retrieve(self, camera: str) -> NDArray[np.uint8]:
        """The picture of the frame grabbed last, uint8 BGR, shape ``(H, W, 3)``.

        Raises:
            CameraLostError: There is none in it.
        """
        there, image = self._capture.retrieve()
        if not there or image is None or image.ndim != 3:
            raise CameraLostError(f"a frame of camera {camera} has no picture in it")
        return np.asarray(image, np.uint8)

    def close(self) -> None:
        """Let go of it."""
        self._capture.release()
