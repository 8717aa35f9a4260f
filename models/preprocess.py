"""From a crop to the network's input: the one definition for training and device.

The network takes square uint8 BGR crops and normalises them itself, so preparing a crop is a
resize that keeps its aspect, on a neutral grey ground where the crop is not square.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

_AREA_FROM_SHRINK = 2.0


class Preprocessing(BaseModel):
    """How a bundle wants its crops.

    Attributes:
        input_size_px: Side of the network's square input.
        photo_crop_share: Central share of each side of a photo that is looked at. Photos are taken
            with the product in the middle; crops found by a camera are used whole.
        pad_value: Grey level beside a crop that is not square.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    input_size_px: int = Field(default=256, ge=16, le=2048)
    photo_crop_share: float = Field(default=3 / 4, gt=0, le=1)
    pad_value: int = Field(default=127, ge=0, le=255)


def photo_region(photo_bgr: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """The central part of a photo, as a view.

    Args:
        photo_bgr: Shape ``(H, W, 3)``.
        preprocessing: Says which share of each side is kept.
    """
    height, width = photo_bgr.shape[:2]
    kept_height = max(1, round(height * preprocessing.photo_crop_share))
    kept_width = max(1, round(width * preprocessing.photo_crop_share))
    top, left = (height - kept_height) // 2, (width - kept_width) // 2
    return photo_bgr[top : top + kept_height, left : left + kept_width]


def prepare(crop_bgr: NDArray[np.uint8], out: NDArray[np.uint8], pad_value: int = 127) -> None:
    """Letterbox a crop into ``out``: aspect kept, centred, padded with grey.

    Args:
        crop_bgr: Shape ``(H, W, 3)``, uint8.
        out: Shape ``(S, S, 3)``, uint8, C-contiguous; overwritten.
        pad_value: Grey level of the padding.

    Raises:
        ValueError: A shape or type is not as stated, or the crop is empty.
    """
    if crop_bgr.ndim != 3 or crop_bgr.shape[2] != 3 or crop_bgr.dtype != np.uint8:
        raise ValueError(f"a crop is uint8 (H, W, 3), not {crop_bgr.dtype} {crop_bgr.shape}")
    height, width = crop_bgr.shape[:2]
    size = out.shape[0]
    if out.shape != (size, size, 3) or out.dtype != np.uint8:
        raise ValueError(f"the target is uint8 (S, S, 3), not {out.dtype} {out.shape}")
    if height == 0 or width == 0:
        raise ValueError(f"the crop is empty: {crop_bgr.shape}")
    longest = max(height, width)
    area = longest > _AREA_FROM_SHRINK * size
    interpolation = cv2.INTER_AREA if area else cv2.INTER_LINEAR
    if height == width:
        cv2.resize(crop_bgr, (size, size), dst=out, interpolation=interpolation)
        return
    new_height = max(1, round(height * size / longest))
    new_width = max(1, round(width * size / longest))
    top, left = (size - new_height) // 2, (size - new_width) // 2
    out[:top] = out[top + new_height :] = pad_value
    out[:, :left] = out[:, left + new_width :] = pad_value
    out[top : top + new_height, left : left + new_width] = cv2.resize(
        crop_bgr, (new_width, new_height), interpolation=interpolation
    )


def prepare_batch(
    crops_bgr: Sequence[NDArray[np.uint8]], input_size_px: int, pad_value: int = 127
) -> NDArray[np.uint8]:
    """Network input for several crops, shape ``(B, S, S, 3)``, uint8 BGR."""
    batch = np.empty((len(crops_bgr), input_size_px, input_size_px, 3), dtype=np.uint8)
    for crop, out in zip(crops_bgr, batch, strict=True):
        prepare(crop, out, pad_value)
    return batch
