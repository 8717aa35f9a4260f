"""A part of a picture: what a polygon encloses, as whole pixels and as shares of the picture. Pure.

A crop is a rectangle, as those that networks were trained on, so a polygon stands for the smallest
rectangle around it that lies within the picture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import SearchError
from models.photos import MIN_SIDE_PX
from models.preprocess import Preprocessing, photo_region

Image = NDArray[np.uint8]
Point = tuple[float, float]

_WHOLE_PX: Final = 1e-6


@dataclass(frozen=True, order=True)
class Region:
    """A rectangle of a picture.

    Attributes:
        left_px: First column.
        top_px: First row.
        right_px: Column after the last.
        bottom_px: Row after the last.
    """

    left_px: int
    top_px: int
    right_px: int
    bottom_px: int

    @property
    def corners_px(self) -> tuple[Point, Point, Point, Point]:
        """Top left, top right, bottom right, bottom left, in pixels."""
        return (
            (self.left_px, self.top_px),
            (self.right_px, self.top_px),
            (self.right_px, self.bottom_px),
            (self.left_px, self.bottom_px),
        )

    @property
    def area_px(self) -> int:
        """Pixels within."""
        return (self.right_px - self.left_px) * (self.bottom_px - self.top_px)

    def cut(self, picture: Image) -> Image:
        """The pixels within, as a view ``(h, w, 3)`` of the picture ``(H, W, 3)``."""
        return picture[self.top_px : self.bottom_px, self.left_px : self.right_px]

    def common_px(self, other: Region) -> int:
        """Pixels that both have."""
        width = min(self.right_px, other.right_px) - max(self.left_px, other.left_px)
        height = min(self.bottom_px, other.bottom_px) - max(self.top_px, other.top_px)
        return max(width, 0) * max(height, 0)

    def overlap(self, other: Region) -> float:
        """Intersection over union."""
        common = self.common_px(other)
        return common / (self.area_px + other.area_px - common)


def around(points_px: Sequence[Point], width_px: int, height_px: int) -> Region:
    """The smallest rectangle around a polygon, within the picture.

    Args:
        points_px: At least three corners, pixels of the picture.
        width_px: Width of the picture.
        height_px: Its height.

    Raises:
        SearchError: The polygon has too few corners or encloses too little of the picture.
    """
    if len(points_px) < 3:
        raise SearchError(
            f"a bounding polygon has at least 3 corners, not {len(points_px)}; "
            "leave it out to search with the whole picture"
        )
    across, down = [x for x, _ in points_px], [y for _, y in points_px]
    region = Region(
        _limited(math.floor(min(across) + _WHOLE_PX), width_px),
        _limited(math.floor(min(down) + _WHOLE_PX), height_px),
        _limited(math.ceil(max(across) - _WHOLE_PX), width_px),
        _limited(math.ceil(max(down) - _WHOLE_PX), height_px),
    )
    sides = region.right_px - region.left_px, region.bottom_px - region.top_px
    if min(sides) < MIN_SIDE_PX:
        raise SearchError(
            f"the bounding polygon encloses {sides[0]} x {sides[1]} pixels of a picture of "
            f"{width_px} x {height_px}: nothing can be recognised on less than "
            f"{MIN_SIDE_PX} x {MIN_SIDE_PX}; draw it around the product"
        )
    return region


def middle(picture: Image, preprocessing: Preprocessing) -> Region:
    """What is looked at of a photo with the product in its middle, as training and evaluation do.

    Args:
        picture: Shape ``(H, W, 3)``.
        preprocessing: Says how much.
    """
    kept = photo_region(picture, preprocessing)
    height, width = kept.shape[:2]
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return Region(left, top, left + width, top + height)


def _limited(value: int, largest: int) -> int:
    return min(max(value, 0), largest)
