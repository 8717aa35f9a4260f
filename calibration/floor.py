"""An overhead camera's place, from marks on the floor whose place in the shop is known.

Owns the pose of one overhead camera in shop metres and the refusal of marks that do not carry it.
Pure. Several cameras joined by a board that is walked around are ``calibration.walked``'s, their
agreement ``calibration.consistency``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.format import CalibrationError, Camera, Floor, Zone
from calibration.lens import Lens, in_picture
from calibration.poses import FLOOR, Pose, expected_p95_m, on_plane, project, solve_pose
from calibration.spread import best_addition, picture_place, refuse_or_warn, too_close

MARK_NOISE_PX: Final = 2.0
MARK_NOISE_M: Final = 0.01
LIMIT_M: Final = 0.05
_MISFIT_PX: Final = 15.0
_REGION_STEPS: Final = 9
_FARTHEST_M: Final = 6.0
"""Floor further from the camera than this is another camera's business."""


@dataclass(frozen=True)
class Marks:
    """Marks on the floor as one camera sees them.

    Attributes:
        pixels: Where they are seen ``(N, 2)``.
        floor_m: Their shop x, y (and z, where a mark is not on the floor) ``(N, 2)`` or ``(N, 3)``.
    """

    pixels: NDArray[np.float64]
    floor_m: NDArray[np.float64]

    @property
    def points_m(self) -> NDArray[np.float64]:
        """Shop points ``(N, 3)``."""
        flat = np.asarray(self.floor_m, np.float64)
        if flat.shape[1] == 3:
            return flat
        return np.column_stack([flat, np.zeros(len(flat))])


@dataclass(frozen=True)
class PlacedOverhead:
    """An overhead camera that was placed.

    Attributes:
        camera: In shop metres.
        rms_px: Of the marks.
        expected_p95_m: What the pose is worth over the floor it sees.
        held_out_p95_m: Each mark left out once; None with fewer than five.
        worst: Place of the mark that fits worst, in the order given.
        worst_px: How far it misses.
    """

    camera: Camera
    rms_px: float
    expected_p95_m: float
    held_out_p95_m: float | None
    worst: int
    worst_px: float


def place_by_marks(lens: Lens, floor: Floor, marks: Marks, name: str) -> PlacedOverhead:
    """Place an overhead camera by at least four marks on the floor.

    Raises:
        CalibrationError: Too few, clustered, nearly on one line, or they do not fit.
    """
    points, pixels = marks.points_m, np.asarray(marks.pixels, np.float64)
    if len(points) < 4:
        raise CalibrationError(
            f"{name}: {len(points)} marks are too few; give at least four, six are good, spread "
            "over the floor it sees"
        )
    try:
        pose = solve_pose(lens, points, pixels, MARK_NOISE_PX, MARK_NOISE_M)
    except CalibrationError as err:
        raise CalibrationError(f"{name}: {err}") from err
    limit_px = _MISFIT_PX * max(1.0, lens.image_size_px[0] / 1280)
    worst = int(pose.off_px.argmax())
    if pose.rms_px > limit_px or pose.position_m[2] <= 0:
        raise CalibrationError(
            f"{name}: the marks do not fit (they miss by {pose.rms_px:.0f} px, worst mark "
            f"{worst + 1} at ({points[worst][0]:.2f}, {points[worst][1]:.2f}) m): was a mark "
            "mistaken for another, x and y exchanged, or the lens another camera's?"
        )
    camera = lens.placed("overhead", pose.rotation, pose.translation_m)
    region = seen_floor(camera, floor)
    if len(region) < 4:
        raise CalibrationError(
            f"{name}: as the marks say, it sees no floor within the shop's outline; check the "
            "marks' x and y against the floor plan"
        )
    expected = expected_p95_m(lens, pose, FLOOR, region)

    def advice() -> str:
        where, left_m = best_addition(
            lens, pose, FLOOR, points, region, MARK_NOISE_PX, MARK_NOISE_M
        )
        pixel = project(lens, pose.rotation, pose.translation_m, where[None])[0]
        return (
            f"Add a mark near ({where[0]:.1f}, {where[1]:.1f}) m, at the "
            f"{picture_place(pixel, lens.image_size_px)} of the picture: it would leave "
            f"{left_m * 100:.1f} cm"
        )

    why = too_close(points[:, :2], region[:, :2])
    refuse_or_warn(f"{name}: the floor", why, expected, LIMIT_M, advice)
    return PlacedOverhead(
        camera, pose.rms_px, expected, _held_out(lens, points, pixels), worst, pose.off_px[worst]
    )


def place_several(
    lenses: Mapping[str, Lens], floor: Floor, marks: Mapping[str, Marks]
) -> dict[str, PlacedOverhead]:
    """Place several overhead cameras, each by its own marks.

    Raises:
        CalibrationError: As `place_by_marks`; and where two cameras' marks fit each other's
            pictures, it says that they are swapped.
    """
    placed: dict[str, PlacedOverhead] = {}
    failed: dict[str, CalibrationError] = {}
    for name, each in marks.items():
        if name not in lenses:
            raise CalibrationError(f"{name}: has marks but no lens; calibrate its lens first")
        try:
            placed[name] = place_by_marks(lenses[name], floor, each, name)
        except CalibrationError as err:
            failed[name] = err
    for name, refused in failed.items():
        for other in marks:
            if other != name and _fits(lenses[name], marks[name], marks[other]):
                raise CalibrationError(
                    f"{name} and {other} are swapped: the places of {other}'s marks fit {name}'s "
                    "pixels; exchange their cables, addresses or names"
                ) from refused
        raise refused
    return placed


def floor_grid(floor: Floor) -> NDArray[np.float64]:
    """Points ``(M, 3)`` of the walkable floor, a coarse grid within the outline."""
    outline = np.array(floor.outline)
    low, high = outline.min(axis=0), outline.max(axis=0)
    whole = Zone(name="floor", kind="no_go", polygon=floor.outline)
    return np.array(
        [
            (x, y, 0.0)
            for y in np.linspace(low[1], high[1], _REGION_STEPS).tolist()
            for x in np.linspace(low[0], high[0], _REGION_STEPS).tolist()
            if whole.contains(x, y)
        ]
    ).reshape(-1, 3)


def seen_floor(camera: Camera, floor: Floor) -> NDArray[np.float64]:
    """Points ``(M, 3)`` of the `floor_grid` that a camera sees."""
    points = floor_grid(floor)
    near = np.linalg.norm(points - camera.position_m, axis=1) <= _FARTHEST_M
    return np.asarray(points[near & in_picture(camera, points)])


def _fits(lens: Lens, mine: Marks, other: Marks) -> bool:
    if len(mine.pixels) != len(other.pixels):
        return False
    try:
        pose = solve_pose(lens, other.points_m, mine.pixels, MARK_NOISE_PX, MARK_NOISE_M)
    except CalibrationError:
        return False
    return pose.rms_px < 3 * MARK_NOISE_PX and bool(pose.position_m[2] > 0)


def _held_out(lens: Lens, points: NDArray[np.float64], pixels: NDArray[np.float64]) -> float | None:
    if len(points) < 5:
        return None
    off = []
    for place in range(len(points)):
        rest = np.arange(len(points)) != place
        pose: Pose = solve_pose(lens, points[rest], pixels[rest], MARK_NOISE_PX, MARK_NOISE_M)
        there = on_plane(lens, pose.rotation, pose.translation_m, pixels[[place]], FLOOR)[0]
        off.append(float(np.linalg.norm(there - points[place])) if points[place][2] == 0 else 0.0)
    return float(np.percentile(np.nan_to_num(off, nan=1e3), 95))
