"""What pieces of a known size would hide, as boxes: what of a change each of them explains. Pure.

A piece that stands behind another is seen over and beside it. Where a change shows more than the
foremost piece could hide, those behind it have gone or come as well; where it shows nothing of
what one behind would have shown, that one has not. It takes the size of a piece, from the
planogram.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.interaction.compare import Change
from edge.interaction.facings import FacingsView

Mask = NDArray[np.bool_]
Size = tuple[float, float, float]

_GROWN_M: Final = 0.004  # what a box surely hides at most
_CORE: Final = (0.7, 0.7, 0.8)  # of a box, what a piece of any usual shape fills
_SUBPIXEL_BITS: Final = 4
_ENOUGH_PX: Final = 4
_LEAST_WIDTH: Final = 0.5  # of a product's own, of what can be a piece of it
_LEAST_FILLED: Final = 0.2  # of a box
_MOST_OUTSIDE: Final = 0.4  # of a change, whose shadow is part of it
# How often so much of what only one piece further back would show is in a change, where that piece
# is part of it and where it is not.
_SHARES: Final = (0.03, 0.12, 0.25)
_PART_OF_IT: Final = (0.05, 0.05, 0.06, 0.84)
_NOT_OF_IT: Final = (0.97, 0.02, 0.005, 0.005)
_SHADOW: Final = 0.02  # where a third would be shown, what the second hid from the light may be


def box(view: FacingsView, change: Change, size_m: Size, behind_m: float = 0.0) -> Mask:
    """Work pixels that a piece hides which stands where a change is, bool ``(H, W)``.

    Args:
        view: How the camera sees the facings.
        change: Where.
        size_m: Width, depth and height.
        behind_m: How much further back.
    """
    outline = corners(view, change, size_m, (0.0, 0.0, behind_m)) * (1 << _SUBPIXEL_BITS)
    hidden = np.zeros((view.size_px[1], view.size_px[0]), np.uint8)
    hull = cv2.convexHull(np.rint(outline).astype(np.int32))
    cv2.fillConvexPoly(hidden, hull, 1, shift=_SUBPIXEL_BITS)
    return np.asarray((hidden > 0) & (view.opening_at == change.opening))


def corners(
    view: FacingsView, change: Change, size_m: Size, away_m: Size = (0.0, 0.0, 0.0)
) -> NDArray[np.float64]:
    """Where the corners of a piece are seen, work pixels ``(8, 2)``.

    Args:
        view: How the camera sees the facings.
        change: Where a piece is or was.
        size_m: Its width, depth and height.
        away_m: How much further to the right, up and into the fixture it is than the change.
    """
    fixture, opening = view.fixtures[change.fixture], view.openings[change.opening]
    width_m, depth_m, height_m = size_m
    right_m, up_m, in_m = away_m
    of_box = [
        (
            change.u_m + right_m + u * width_m / 2,
            opening.bottom_m + up_m + v * height_m,
            change.w_m + in_m + w,
        )
        for u in (-1, 1)
        for v in (0, 1)
        for w in (0.0, depth_m)
    ]
    pixels = view.camera.project(fixture.to_shop(np.array(of_box)))
    return np.asarray((pixels + 0.5) / view.scale - 0.5)


def fits_size(view: FacingsView, change: Change, size_m: Size) -> bool:
    """Whether what a change shows can be a piece so large, seen whole or in good part.

    Args:
        view: How the camera sees the facings.
        change: What came or went.
        size_m: Width, depth and height.
    """
    if change.width_m < _LEAST_WIDTH * size_m[0]:
        return False
    explained = box(view, change, size_m)
    filled = _share(explained, change.mask)
    outside = _share(change.mask, ~_grown(explained))
    return filled >= _LEAST_FILLED and outside <= _MOST_OUTSIDE


def shares_behind(
    view: FacingsView, change: Change, size_m: Size, pitch_m: float, most: int
) -> tuple[float | None, ...]:
    """Of what only the second, third ... piece would show, how much a change shows.

    Args:
        view: How the camera sees the facings.
        change: The change; its front is that of the foremost piece.
        size_m: Width, depth and height of a piece.
        pitch_m: Distance of the rows.
        most: How many pieces it may be.

    Returns:
        A share for each piece behind the first, ``most - 1`` of them; ``None`` where those in front
        of it, or the board above, leave too little of it to be seen.
    """
    width_m, depth_m, height_m = size_m
    core: Size = (width_m * _CORE[0], depth_m * _CORE[1], height_m * _CORE[2])
    inset_m = depth_m * (1 - _CORE[1]) / 2
    largest: Size = (width_m + 2 * _GROWN_M, depth_m + 2 * _GROWN_M, height_m + _GROWN_M)
    hidden = np.zeros(change.mask.shape, np.bool_)
    shares: list[float | None] = []
    for number in range(1, most):
        hidden |= _grown(box(view, change, largest, (number - 1) * pitch_m - _GROWN_M))
        alone = box(view, change, core, number * pitch_m + inset_m) & ~hidden
        enough = np.count_nonzero(alone) >= _ENOUGH_PX
        shares.append(_share(alone, change.mask) if enough else None)
    return tuple(shares)


def fits_boxes(
    view: FacingsView, change: Change, size_m: Size, pitch_m: float, most: int
) -> NDArray[np.float64]:
    """How well each number of pieces explains what a change shows behind the first, ``(most,)``."""
    fits = np.ones(most)
    for behind, share in enumerate(shares_behind(view, change, size_m, pitch_m, most), start=1):
        if share is not None:
            step = int(np.searchsorted(_SHARES, share, side="right"))
            fits[:behind] *= max(_NOT_OF_IT[step], _SHADOW if behind > 1 else 0.0)
            fits[behind:] *= _PART_OF_IT[step]
    return fits


def _grown(mask: Mask) -> Mask:
    """By a pixel each way."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _share(of: Mask, within: Mask) -> float:
    return int(np.count_nonzero(of & within)) / max(1, int(np.count_nonzero(of)))
