"""Whether points lie well enough apart, and where another one would help most.

Owns the judgement of point sets before a camera is placed by them. Pure. Points on one spot or one
line fit perfectly and say nothing of the rest: six spread floor marks give 2 cm at the 95th
percentile, six in a cluster 10 to 13 cm at the same RMS. So a set is judged by what its pose is
worth over the whole region, and a refusal names the place whose point would improve that most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.format import CalibrationError
from calibration.lens import Lens
from calibration.poses import Plane, Pose, expected_p95_m, project, solve_pose

_ON_ONE_LINE: Final = 0.08
_SMALL_SHARE: Final = 0.35


def too_close(points: NDArray[np.float64], region: NDArray[np.float64]) -> str | None:
    """Why points ``(N, 2)`` of a plane are no good for a region ``(M, 2)``; None if they are."""
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) / np.sqrt(len(points))
    whole = np.linalg.svd(region - region.mean(axis=0), compute_uv=False) / np.sqrt(len(region))
    if spread[1] < _ON_ONE_LINE * spread[0]:
        return "the points lie nearly on one line"
    if spread[0] < _SMALL_SHARE * whole[0]:
        return "the points lie close together"
    return None


def best_addition(
    lens: Lens,
    pose: Pose,
    plane: Plane,
    points_m: NDArray[np.float64],
    region_m: NDArray[np.float64],
    noise_px: float,
    noise_m: float = 0.0,
) -> tuple[NDArray[np.float64], float]:
    """The point of the region that improves the pose most, and the error it would leave.

    Args:
        lens: Of the camera.
        pose: As found from the points.
        plane: They lie on.
        points_m: The points there are ``(N, 3)``.
        region_m: Points that could be added, and over which the error counts ``(M, 3)``.
        noise_px: How exactly a pixel is known.
        noise_m: How exactly a point is known.

    Returns:
        The point ``(3,)`` and the expected p95 error with it.
    """
    best = region_m[0], np.inf
    for extra in region_m:
        more = np.vstack([points_m, extra])
        seen = project(lens, pose.rotation, pose.translation_m, more)
        try:
            better = solve_pose(lens, more, seen, noise_px, noise_m)
        except CalibrationError:
            continue
        left_m = expected_p95_m(lens, better, plane, region_m)
        if left_m < best[1]:
            best = extra, left_m
    return best


def picture_place(pixel: NDArray[np.float64], size_px: tuple[int, int]) -> str:
    """Where in a picture, in words: ``top left``, ``middle``, ``bottom right``."""
    column = int(np.clip(pixel[0] / size_px[0] * 3, 0, 2))
    row = int(np.clip(pixel[1] / size_px[1] * 3, 0, 2))
    words = (("top", "", "bottom")[row] + " " + ("left", "", "right")[column]).strip()
    return words or "middle"


def refuse_or_warn(
    what: str, why: str | None, expected_m: float, limit_m: float, advice: Callable[[], str]
) -> None:
    """Raise where a set of points is not good enough.

    Raises:
        CalibrationError: It is not; the message says where to add a point.
    """
    if why is None and expected_m <= limit_m:
        return
    reason = why or "the points do not fix it well"
    raise CalibrationError(
        f"{what}: {reason}; the error to expect is {min(expected_m, 99.0) * 1000:.0f} mm (p95), at "
        f"most {limit_m * 1000:.0f} mm is allowed. {advice()}"
    )
