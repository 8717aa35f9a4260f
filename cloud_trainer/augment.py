"""Random views of a photo for training: crop, small rotation, light and colour, an erased patch.

Geometry is one affine warp and colour one 3x4 matrix on uint8 pixels, so a view costs about as
much as decoding a thumbnail does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Augmentation:
    """How far a view may stray from its photo.

    Attributes:
        smallest_crop_share: Smallest share of the photo's area that a view shows.
        largest_rotation_deg: Rotation to either side.
        colour: Largest relative change of brightness, contrast and saturation.
        erased_probability: Share of views with a random rectangle painted over (Zhong et al. 2020),
            as a hand or a neighbour covers a product.
    """

    smallest_crop_share: float = 0.35
    largest_rotation_deg: float = 15.0
    colour: float = 0.15
    erased_probability: float = 0.3


def random_view(
    photo_bgr: NDArray[np.uint8], size_px: int, rng: np.random.Generator, how: Augmentation
) -> NDArray[np.uint8]:
    """One random view.

    Args:
        photo_bgr: Shape ``(H, W, 3)``.
        size_px: Side of the square view.
        rng: Source of all randomness.
        how: Ranges to draw from.

    Returns:
        Shape ``(size_px, size_px, 3)``, uint8 BGR.
    """
    height, width = photo_bgr.shape[:2]
    side = math.sqrt(rng.uniform(how.smallest_crop_share, 1.0)) * min(height, width)
    stretch = math.exp(rng.uniform(-0.125, 0.125))
    crop_width, crop_height = min(side * stretch, width), min(side / stretch, height)
    centre_x = rng.uniform(crop_width / 2, width - crop_width / 2)
    centre_y = rng.uniform(crop_height / 2, height - crop_height / 2)
    angle = math.radians(rng.uniform(-how.largest_rotation_deg, how.largest_rotation_deg))
    cos, sin = math.cos(angle), math.sin(angle)
    # View pixel -> photo pixel: scale the view to the crop, turn it, move it to the crop's centre.
    step_x, step_y = crop_width / size_px, crop_height / size_px
    to_photo = np.array([[cos * step_x, -sin * step_y], [sin * step_x, cos * step_y]])
    offset = np.array([centre_x, centre_y]) - to_photo @ np.full(2, (size_px - 1) / 2)
    view = cv2.warpAffine(
        photo_bgr,
        np.column_stack([to_photo, offset]),
        (size_px, size_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    view = _recolour(np.asarray(view, dtype=np.uint8), rng, how.colour)
    if rng.random() < how.erased_probability:
        patch = (size_px * rng.uniform(0.1, 0.4, 2)).astype(int)
        top, left = (rng.integers(0, size_px - extent) for extent in patch)
        view[top : top + patch[0], left : left + patch[1]] = rng.integers(0, 256, 3)
    return view


def _recolour(
    view: NDArray[np.uint8], rng: np.random.Generator, colour: float
) -> NDArray[np.uint8]:
    """Change brightness, contrast and saturation by one colour matrix."""
    brightness, contrast, saturation = rng.uniform(1 - colour, 1 + colour, 3)
    mean = float(np.mean(cv2.mean(view)[:3])) * brightness
    mix = (
        brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * np.full((3, 3), 1 / 3))
    )
    shift = np.full(3, mean * (1 - contrast))
    return np.asarray(cv2.transform(view, np.column_stack([mix, shift])), dtype=np.uint8)
