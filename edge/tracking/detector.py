"""The seam between a camera's picture and the people in it: one class, one method.

A detector implements ``_find`` only; the base class checks what goes in and what comes out. Pixels
in, pixels out: where on the floor somebody stands is ``floor``'s to say.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import DetectorError

BoxPx = tuple[float, float, float, float]


@dataclass(frozen=True)
class PersonDetection:
    """A person in a picture.

    Attributes:
        box_px: Left, top, right, bottom in pixels of the picture; within it.
        score: How sure the detector is, 0 to 1.
        foot_px: Where the person stands, when the detector knows; ``None`` leaves it to geometry.
    """

    box_px: BoxPx
    score: float
    foot_px: tuple[float, float] | None = None


class PersonDetector(ABC):
    """Finds people in the pictures of one camera."""

    def detect(self, image: NDArray[np.uint8]) -> tuple[PersonDetection, ...]:
        """Find people.

        Args:
            image: uint8 BGR, shape ``(H, W, 3)``.

        Returns:
            Surest first, boxes cut to the picture.

        Raises:
            DetectorError: The picture has another shape or type, or the detector failed.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise DetectorError(
                f"a person detector takes uint8 BGR pictures (H, W, 3), not {image.dtype} "
                f"{image.shape}; hand over the frame's image as it is"
            )
        height, width = image.shape[:2]
        kept = []
        for each in self._find(image):
            numbers = (*each.box_px, each.score, *(each.foot_px or ()))
            if not all(map(math.isfinite, numbers)):
                raise DetectorError(
                    "the detector gave a box that is not finite; its network is damaged or of "
                    "another family than configured"
                )
            box = _cut(each.box_px, width, height)
            if box[2] - box[0] > 1 and box[3] - box[1] > 1:
                kept.append(PersonDetection(box, each.score, each.foot_px))
        return tuple(sorted(kept, key=lambda each: -each.score))

    @abstractmethod
    def _find(self, image: NDArray[np.uint8]) -> Sequence[PersonDetection]:
        """Find people in a checked picture.

        Raises:
            DetectorError: The detector failed.
        """


def _cut(box_px: BoxPx, width: int, height: int) -> BoxPx:
    left, top, right, bottom = box_px
    return (
        min(max(left, 0.0), float(width)),
        min(max(top, 0.0), float(height)),
        min(max(right, 0.0), float(width)),
        min(max(bottom, 0.0), float(height)),
    )
