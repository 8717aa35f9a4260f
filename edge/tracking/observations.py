"""Where people were seen on the floor at one moment: the values between detection and tracking.

Owns the shape of an observation and how looks are compared. Does not own how either is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.format import Point2
from edge.tracking.silhouettes import Silhouettes

Covariance = tuple[tuple[float, float], tuple[float, float]]
Look = NDArray[np.float32]

# Square roots of three colour histograms, upper body to legs; see ``look_of``.
_HUES: Final = 8
_SATURATIONS: Final = 3
_GREYS: Final = 6
_BANDS: Final = 3
LOOK_LENGTH: Final = _BANDS * (_HUES * _SATURATIONS + _GREYS)
_COLOURED_FROM: Final = 45
_LEAST_PIXELS: Final = 12


@dataclass(frozen=True, eq=False)
class FloorObservation:
    """One person, as seen on the floor.

    Attributes:
        position_m: Shop x and y.
        covariance_m2: Of the position, rows of a 2 x 2 matrix.
        score: How sure the detection is, 0 to 1.
        cameras: Names of the cameras that saw it.
        looks: By camera, what the body looks like there: unit vectors of ``look_of``.
    """

    position_m: Point2
    covariance_m2: Covariance
    score: float
    cameras: tuple[str, ...]
    looks: Mapping[str, Look] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, eq=False)
class FloorScan:
    """Everybody that was seen at one moment.

    Attributes:
        at_s: The moment, on the clock of ``Frame.captured_at_s``.
        views: One group of observations for every independent look at the floor: one a camera, or a
            single one where the cameras were fused before. Within a group nobody appears twice.
        silhouettes: What was not the empty shop, to look back at; ``None`` where nobody knows.
    """

    at_s: float
    views: tuple[tuple[FloorObservation, ...], ...]
    silhouettes: Silhouettes | None = None


def look_of(
    picture: NDArray[np.uint8], weight: NDArray[np.float32], band: NDArray[np.uint8]
) -> Look | None:
    """What a body looks like: colour histograms of its bands, in square root.

    Coloured pixels count by hue and saturation, the others by brightness. The square root makes the
    Euclidean distance of two looks their Hellinger distance times root two.

    Args:
        picture: HSV (OpenCV's uint8), shape ``(H, W, 3)``.
        weight: How much a pixel belongs to the body, shape ``(H, W)``; 0 leaves it out.
        band: Which band of the body a pixel lies in, 0 to 2, shape ``(H, W)``.

    Returns:
        Shape ``(LOOK_LENGTH,)``, unit length; ``None`` where too little of the body is seen.
    """
    seen = weight > 0
    if int(seen.sum()) < _LEAST_PIXELS:
        return None
    hue, saturation, value = picture[seen].astype(np.intp).T
    colour = (hue * _HUES // 180).clip(0, _HUES - 1) * _SATURATIONS + (
        (saturation - _COLOURED_FROM) * _SATURATIONS // (256 - _COLOURED_FROM)
    ).clip(0, _SATURATIONS - 1)
    grey = _HUES * _SATURATIONS + value * _GREYS // 256
    bins = np.where((saturation >= _COLOURED_FROM) & (value >= 30), colour, grey)
    counts = np.bincount(
        band[seen].astype(np.intp) * (LOOK_LENGTH // _BANDS) + bins,
        weights=weight[seen],
        minlength=LOOK_LENGTH,
    )
    total = counts.sum()
    return np.sqrt(counts / total).astype(np.float32) if total > 0 else None


def look_distance(one: Mapping[str, Look], other: Mapping[str, Look]) -> float | None:
    """How differently two bodies look, 0 (same) to 1, on the cameras that saw both.

    The mean Hellinger distance. Only looks of one camera are compared: cameras differ in colour
    more than shoppers do.

    Returns:
        ``None`` when no camera saw both.
    """
    shared = [camera for camera in one if camera in other]
    if not shared:
        return None
    alike = [float(one[camera] @ other[camera]) for camera in shared]
    return float(np.mean([np.sqrt(max(0.0, 1.0 - each)) for each in alike]))


def blend_looks(
    old: Mapping[str, Look], new: Mapping[str, Look], share: float
) -> Mapping[str, Look]:
    """Looks with ``share`` of the new ones mixed in; a camera's first look is taken whole."""
    blended = dict(old)
    for camera, look in new.items():
        if camera in blended:
            mixed = (1 - share) * blended[camera] ** 2 + share * look**2
            blended[camera] = np.sqrt(mixed / mixed.sum()).astype(np.float32)
        else:
            blended[camera] = look
    return MappingProxyType(blended)
