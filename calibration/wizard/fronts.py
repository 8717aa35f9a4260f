"""A fixture's front as it would be seen from straight before it, to be drawn on in metres. Pure."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import CalibrationError, Camera, Fixture
from calibration.lens import resized

PX_PER_M: Final = 600.0
_LARGEST_PX: Final = 1600


def straight_front(image: NDArray[np.uint8], camera: Camera, fixture: Fixture) -> NDArray[np.uint8]:
    """A front without perspective and lens.

    Args:
        image: What the camera sees, grey ``(H, W)`` or BGR ``(H, W, 3)``.
        camera: As it is placed.
        fixture: Whose front it is.

    Returns:
        The front, its upper edge on top, at most `PX_PER_M` pixels a metre.

    Raises:
        CalibrationError: The picture has another shape than the camera was calibrated for.
    """
    seen_by = resized(camera, (image.shape[1], image.shape[0]))
    if not fixture.width_m or not fixture.height_m:
        raise CalibrationError("the fixture's front has no size; measure it again")
    scale = min(PX_PER_M, _LARGEST_PX / max(fixture.width_m, fixture.height_m))
    columns, rows = round(fixture.width_m * scale), round(fixture.height_m * scale)
    u = (np.arange(columns) + 0.5) / scale
    v = fixture.height_m - (np.arange(rows) + 0.5) / scale
    at_u, at_v = np.meshgrid(u, v)
    points = np.column_stack([at_u.ravel(), at_v.ravel(), np.zeros(at_u.size)])
    pixels = seen_by.project(fixture.to_shop(points)).reshape(rows, columns, 2)
    where = np.nan_to_num(pixels, nan=-1e4).astype(np.float32)
    flat = cv2.remap(image, where[..., 0], where[..., 1], cv2.INTER_LINEAR)
    return np.asarray(flat, np.uint8)
