"""Crops small enough for a message: JPEG, coarser step by step until all of them fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import LinkError

Picture = NDArray[np.uint8]

# Quality and scale; the first is what the evidence folder keeps.
_STEPS: Final = ((90, 1.0), (80, 1.0), (70, 0.75), (60, 0.5), (50, 0.35), (40, 0.25))
_LARGEST_SIDE_PX: Final = 4096


def jpegs_within(pictures: Sequence[Picture], limit_bytes: int) -> list[bytes]:
    """Pictures as JPEG that together are no larger than a limit.

    Args:
        pictures: uint8 BGR ``(H, W, 3)``, the most telling first.
        limit_bytes: For all of them.

    Returns:
        As many of the first pictures as fit, all of one quality and scale.
    """
    encoded: list[bytes] = []
    for quality, scale in _STEPS:
        encoded = [_jpeg(picture, quality, scale) for picture in pictures]
        if sum(map(len, encoded)) <= limit_bytes:
            return encoded
    kept: list[bytes] = []
    for each in encoded:
        if sum(map(len, kept)) + len(each) > limit_bytes:
            break
        kept.append(each)
    return kept


def picture_of(jpeg: bytes) -> Picture:
    """The picture of a JPEG, uint8 BGR ``(H, W, 3)``.

    Raises:
        LinkError: It is none.
    """
    try:
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as err:
        raise LinkError(f"a crop cannot be decoded: {' '.join(str(err).split())}") from err
    if image is None or max(image.shape[:2]) > _LARGEST_SIDE_PX:
        raise LinkError("a crop is no JPEG of a crop's size")
    return np.asarray(image, np.uint8)


def _jpeg(picture: Picture, quality: int, scale: float) -> bytes:
    if scale < 1:
        picture = np.asarray(
            cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            if min(picture.shape[:2]) * scale >= 1
            else picture,
            np.uint8,
        )
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
