"""A shelf camera's place, from the front of a fixture: markers in its corners, or clicks.

Owns the pose of a shelf camera in shop metres, its held-out check, and the refusal of points that
do not carry it. Pure. The fixture's own place and size are measured with a tape and come in.

Points are in fixture metres (u, v on the front). The held-out check leaves one marker (or click)
out at a time, places the camera by the rest, and says how far the one that was left out lies from
where it should be, in millimetres on the front.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.format import CalibrationError, Camera, Fixture, Marker
from calibration.lens import Lens
from calibration.poses import Plane, Pose, expected_p95_m, on_plane, project, solve_pose
from calibration.spread import best_addition, picture_place, refuse_or_warn, too_close

MARKER_NOISE_PX: Final = 0.3
CLICK_NOISE_PX: Final = 1.5
LIMIT_M: Final = 0.03
"""Expected error (p95) on the front above which points are refused."""
_MISFIT_PX: Final = 12.0
_FRONT_STEPS: Final = 5
_GROUPS_TO_HOLD_OUT: Final = 4
FRONT: Final = Plane(np.zeros(3), np.array([0.0, 0.0, 1.0]))
"""In fixture metres."""


@dataclass(frozen=True)
class PlacedShelf:
    """A shelf camera that was placed.

    Attributes:
        camera: In shop metres.
        rms_px: Of the points.
        worst_px: Of the points.
        expected_p95_m: What the pose is worth over the whole front.
        held_out_p95_m: From the held-out check; None where there are too few points for one.
        points: How many points were used.
    """

    camera: Camera
    rms_px: float
    worst_px: float
    expected_p95_m: float
    held_out_p95_m: float | None
    points: int


def place_by_markers(
    lens: Lens,
    fixture: Fixture,
    markers: tuple[Marker, ...],
    found: Mapping[int, NDArray[np.float64]],
) -> PlacedShelf:
    """Place a shelf camera by markers on a fixture's front.

    Args:
        lens: Of the camera, at the picture's size.
        fixture: In shop metres.
        markers: Where they are stuck.
        found: Of each id, the pixels ``(4, 2)`` of its corners, as `find_markers` gives them.

    Raises:
        CalibrationError: Too few are seen, they are close together, or they do not fit.
    """
    seen = [marker for marker in markers if marker.id in found]
    if len(seen) < 2:
        missing = ", ".join(str(each.id) for each in markers if each.id not in found)
        raise CalibrationError(
            f"{len(seen)} of {len(markers)} markers are seen, two at least are needed; markers "
            f"{missing} are missing: hidden, cut off, too small, or stuck to another fixture?"
        )
    groups = [(marker.corners_m, found[marker.id]) for marker in seen]
    return _place(lens, fixture, groups, MARKER_NOISE_PX)


def place_by_clicks(
    lens: Lens,
    fixture: Fixture,
    points_m: NDArray[np.float64],
    pixels: NDArray[np.float64],
) -> PlacedShelf:
    """Place a shelf camera by points that a person clicked.

    Args:
        lens: Of the camera, at the picture's size.
        fixture: In shop metres.
        points_m: Fixture points ``(N, 2)``, u and v, at least four.
        pixels: Where they were clicked ``(N, 2)``.

    Raises:
        CalibrationError: Too few, close together, in the wrong order, or they do not fit.
    """
    flat = np.asarray(points_m, np.float64).reshape(-1, 2)
    clicked = np.asarray(pixels, np.float64).reshape(-1, 2)
    if len(flat) != len(clicked):
        raise CalibrationError(f"{len(flat)} points and {len(clicked)} clicks: give one click each")
    if len(flat) < 4:
        raise CalibrationError(
            f"{len(flat)} clicks are too few; click the four corners of the front: bottom left, "
            "bottom right, top right, top left"
        )
    on_front = np.column_stack([flat, np.zeros(len(flat))])
    groups = [(on_front[[place]], clicked[[place]]) for place in range(len(flat))]
    return _place(lens, fixture, groups, CLICK_NOISE_PX)


def front_corners(fixture: Fixture) -> NDArray[np.float64]:
    """The corners of a front in fixture metres ``(4, 2)``, in the order they are clicked."""
    width, height = fixture.width_m, fixture.height_m
    return np.array([(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)])


def _place(
    lens: Lens,
    fixture: Fixture,
    groups: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    noise_px: float,
) -> PlacedShelf:
    points = np.vstack([each for each, _ in groups])
    pixels = np.vstack([each for _, each in groups])
    _check_inside(lens, pixels)
    pose = solve_pose(lens, _up(points), pixels, noise_px)
    region = _front(fixture)
    limit_px = _MISFIT_PX * max(1.0, lens.image_size_px[0] / 1280)
    # The camera stands before the front: fixture z (into it) is negative, so z up is positive.
    if pose.rms_px > limit_px or pose.position_m[2] <= 0:
        raise CalibrationError(_misfit(lens, points, groups, pose, noise_px))
    expected = expected_p95_m(lens, pose, FRONT, _up(region))

    def advice() -> str:
        where, left_m = best_addition(lens, pose, FRONT, _up(points), _up(region), noise_px)
        pixel = project(lens, pose.rotation, pose.translation_m, where[None])[0]
        return (
            f"Add one at u {where[0]:.2f} m, v {where[1]:.2f} m, at the "
            f"{picture_place(pixel, lens.image_size_px)} of the picture: it would leave "
            f"{left_m * 1000:.0f} mm"
        )

    why = too_close(points[:, :2], region[:, :2])
    refuse_or_warn("the front", why, expected, LIMIT_M, advice)
    return PlacedShelf(
        camera=_in_shop(lens, fixture, pose),
        rms_px=pose.rms_px,
        worst_px=float(pose.off_px.max()),
        expected_p95_m=expected,
        held_out_p95_m=_held_out(lens, groups, noise_px),
        points=len(points),
    )


def _up(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fixture points with w turned to the shopper: a right-handed frame."""
    return np.asarray(points * np.array([1.0, 1.0, -1.0]))


def _in_shop(lens: Lens, fixture: Fixture, pose: Pose) -> Camera:
    """Chain shop -> fixture (u, v, towards the shopper) -> camera."""
    axes = np.stack([np.array(fixture.right), np.array(fixture.up), -fixture.inward])
    rotation = pose.rotation @ axes
    translation = pose.translation_m - rotation @ np.array(fixture.origin_m)
    # The fixture's axes are orthonormal to 1e-4 only; the camera's must not inherit that.
    u, _, vt = np.linalg.svd(rotation)
    return lens.placed("shelf", u @ vt, translation)


def _front(fixture: Fixture) -> NDArray[np.float64]:
    steps = np.linspace(0, 1, _FRONT_STEPS)
    u, v = (each.ravel() for each in np.meshgrid(steps * fixture.width_m, steps * fixture.height_m))
    return np.column_stack([u, v, np.zeros(len(u))])


def _held_out(
    lens: Lens, groups: list[tuple[NDArray[np.float64], NDArray[np.float64]]], noise_px: float
) -> float | None:
    """Leave each group out once; None where the rest would not carry the camera."""
    single = all(len(points) == 1 for points, _ in groups)
    if len(groups) < (_GROUPS_TO_HOLD_OUT + 1 if single else _GROUPS_TO_HOLD_OUT - 1):
        return None
    off = []
    for place, (points, pixels) in enumerate(groups):
        rest = [each for other, each in enumerate(groups) if other != place]
        pose = solve_pose(
            lens,
            _up(np.vstack([each for each, _ in rest])),
            np.vstack([each for _, each in rest]),
            noise_px,
        )
        there = on_plane(lens, pose.rotation, pose.translation_m, pixels, FRONT)
        off.append(np.linalg.norm(there - points, axis=1))
    return float(np.percentile(np.nan_to_num(np.concatenate(off), nan=1e3), 95))


def _check_inside(lens: Lens, pixels: NDArray[np.float64]) -> None:
    width, height = lens.image_size_px
    outside = (pixels < -0.5).any(axis=1) | (pixels > (width - 0.5, height - 0.5)).any(axis=1)
    if outside.any():
        x, y = pixels[np.flatnonzero(outside)[0]]
        raise CalibrationError(
            f"point ({x:.0f}, {y:.0f}) lies outside of the {width} x {height} picture that the "
            "lens was calibrated for; is it another camera, or another picture size?"
        )


def _misfit(
    lens: Lens,
    points: NDArray[np.float64],
    groups: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    pose: Pose,
    noise_px: float,
) -> str:
    """Say what is wrong where the points do not fit: four clicks in another order, above all."""
    if len(groups) == 4 and len(points) == 4:
        clicked = np.vstack([each for _, each in groups])
        for order in permutations(range(4)):
            try:
                other = solve_pose(lens, _up(points[list(order)]), clicked, noise_px)
            except CalibrationError:
                continue
            if other.rms_px < 4 * CLICK_NOISE_PX and other.position_m[2] > 0:
                return (
                    "the corners fit in another order: click bottom left, bottom right, top right, "
                    "top left, as a shopper sees them"
                )
    worst = int(np.argmax(pose.off_px))
    return (
        f"the points do not fit the front (they miss by {pose.rms_px:.0f} px, worst the one at u "
        f"{points[worst][0]:.2f} m, v {points[worst][1]:.2f} m): check the front's measures, the "
        "markers' ids and size, and that the lens is this camera's"
    )
