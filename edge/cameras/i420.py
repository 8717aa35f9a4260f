"""Planar 4:2:0 frames as GStreamer lays them out, turned into pictures. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Layout:
    """How a frame lies in memory: brightness, then two colour planes of half the size.

    GStreamer pads rows to four bytes and heights to even ones.

    Attributes:
        width_px: Width of the picture.
        height_px: Height of the picture.
    """

    width_px: int
    height_px: int

    @property
    def row_bytes(self) -> int:
        """From one row of brightness to the next."""
        return _up(self.width_px, 4)

    @property
    def rows(self) -> int:
        """Rows of brightness, padding included."""
        return _up(self.height_px, 2)

    @property
    def colour_row_bytes(self) -> int:
        """From one row of a colour plane to the next."""
        return _up(_up(self.width_px, 2) // 2, 4)

    @property
    def frame_bytes(self) -> int:
        """Size of a frame."""
        return self.row_bytes * self.rows + self.colour_row_bytes * self.rows


def to_bgr(frame: bytes | bytearray | memoryview, layout: Layout) -> NDArray[np.uint8]:
    """Turn a frame into a picture.

    Args:
        frame: At least ``layout.frame_bytes`` bytes.
        layout: How it lies in them.

    Returns:
        A new array, uint8 BGR, shape ``(height_px, width_px, 3)``.
    """
    raw = np.frombuffer(frame, np.uint8, layout.frame_bytes)
    width, height = layout.width_px, layout.height_px
    is_packed = width % 8 == 0 and height % 2 == 0
    packed = raw.reshape(height * 3 // 2, width) if is_packed else _repack(raw, layout)
    bgr = np.asarray(cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420), np.uint8)
    return bgr if bgr.shape[:2] == (height, width) else np.ascontiguousarray(bgr[:height, :width])


def _repack(raw: NDArray[np.uint8], layout: Layout) -> NDArray[np.uint8]:
    """Even-sized planes without padding, which is all that the conversion takes."""
    width, height = layout.width_px, layout.height_px
    even_width = _up(width, 2)
    brightness_bytes = layout.row_bytes * layout.rows
    brightness = raw[:brightness_bytes].reshape(layout.rows, layout.row_bytes)[:height, :width]
    odd = ((0, layout.rows - height), (0, even_width - width))
    colours = raw[brightness_bytes:].reshape(layout.rows, layout.colour_row_bytes)
    colours = colours[:, : even_width // 2]
    flat = np.concatenate([np.pad(brightness, odd, "edge").ravel(), colours.ravel()])
    return flat.reshape(layout.rows * 3 // 2, even_width)


def _up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
