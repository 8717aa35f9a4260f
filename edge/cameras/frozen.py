"""Notices a camera that sends the same picture again and again.

A sensor is never still: light flickers, pixels are noisy. A picture without any change for a while
is an encoder that hangs, or a recorder that repeats its last picture over a lost camera.

One that is encoded over and over is not the same to the bit: a key frame and the frames after it
differ a little. So a picture is new only when it differs from all the different ones seen before.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SAMPLES_ACROSS: Final = 96
_PICTURES_KEPT: Final = 16


class PictureWatch:
    """Since when a camera's picture has not changed.

    Single pixels are compared, not averages: averaging removes the very noise that tells a living
    picture from a frozen one.
    """

    def __init__(self, tolerance_grey: float = 0.05) -> None:
        """Nothing seen yet.

        Args:
            tolerance_grey: Mean absolute difference, in grey levels of 0 to 255, up to which two
                pictures are the same.
        """
        self._tolerance_grey = tolerance_grey
        self._samples: deque[NDArray[np.int16]] = deque(maxlen=_PICTURES_KEPT)
        self._changed_at_s: float | None = None

    def look(self, image: NDArray[np.uint8], at_s: float) -> bool:
        """Look at a picture.

        Args:
            image: uint8, shape ``(H, W, 3)``.
            at_s: When it came; not less than the last time.

        Returns:
            Whether it is new.
        """
        step = max(1, image.shape[1] // _SAMPLES_ACROSS)
        sample = image[::step, ::step].astype(np.int16)
        if any(self._is_same(sample, known) for known in self._samples):
            return False
        self._samples.append(sample)
        self._changed_at_s = at_s
        return True

    def _is_same(self, sample: NDArray[np.int16], known: NDArray[np.int16]) -> bool:
        if sample.shape != known.shape:
            return False
        return float(np.abs(sample - known).mean()) <= self._tolerance_grey

    def unchanged_s(self, now_s: float) -> float:
        """For how long the picture has been the same; 0 before there was one."""
        return 0.0 if self._changed_at_s is None else max(0.0, now_s - self._changed_at_s)
