"""What a turned camera does to the shop: floor centimetres and shares of a facing.

Owns the way from a rotation of a camera to how far everything computed from its pictures is off.
Pure. A rotation in degrees or a shift in pixels says little: the same quarter of a degree is
nothing to a camera close to a shelf and centimetres on a floor seen at a low angle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.format import Calibration, Camera, Fixture, Zone
from calibration.lens import in_picture, matrix3, vector3
from calibration.planogram import Planogram

_FLOOR_STEP_M: Final = 0.25
_FRONT_STEPS: Final = 5
FLOOR_PERCENTILE: Final = 90.0


@dataclass(frozen=True)
class Effect:
    """How far a camera's answers are off.

    Attributes:
        floor_m: Nine tenths of the floor it sees are off by less; None if it sees none.
        front_m: The same on the fronts that it watches; None if it watches none.
        facing_share: Of the facing that suffers most, its displacement as a share of its width;
            None if no facing is seen.
        facing: That facing.
    """

    floor_m: float | None
    front_m: float | None
    facing_share: float | None
    facing: str | None


class Outlook:
    """What one camera sees of the shop, ready to be asked often.

    Args:
        name: Of the camera.
        calibration: Of the shop.
        planogram: Of the shop, or None where there is none yet.
    """

    def __init__(
        self, name: str, calibration: Calibration, planogram: Planogram | None = None
    ) -> None:
        self._camera = calibration.cameras[name]
        self._floor: NDArray[np.float64] = np.zeros((0, 3))
        if self._camera.role == "overhead":
            self._floor = self._in_picture(_floor_points(calibration))
        self._fronts: list[tuple[Fixture, NDArray[np.float64]]] = []
        self._facings: list[tuple[str, float, Fixture, NDArray[np.float64]]] = []
        for key, fixture in calibration.fixtures.items():
            if name not in fixture.cameras:
                continue
            front = self._in_picture(_front_points(fixture))
            if len(front):
                self._fronts.append((fixture, front))
            for each, facing in (planogram.of_fixture(key) if planogram else {}).items():
                corners = self._in_picture(facing.corners_m(fixture)[:4])
                if len(corners):
                    self._facings.append((each, facing.width_m, fixture, corners))

    def effect(self, rotation: NDArray[np.float64]) -> Effect:
        """What it does that the camera has turned; `rotation` as in a `Registration`."""
        moved = turned_camera(self._camera, rotation)
        floor_m = None
        if len(self._floor):
            seen = self._camera.on_plane(moved.project(self._floor), height_m=0.0)
            floor_m = _ninth(np.linalg.norm(seen - self._floor[:, :2], axis=1))
        off_front = [self._off_front(moved, fixture, points) for fixture, points in self._fronts]
        front_m = _ninth(np.concatenate(off_front)) if off_front else None
        worst, named = None, None
        for name, width_m, fixture, corners in self._facings:
            off = self._off_front(moved, fixture, corners)
            share = float(np.nan_to_num(off, nan=np.inf).mean() / width_m)
            if worst is None or share > worst:
                worst, named = share, name
        return Effect(floor_m, front_m, worst, named)

    def _off_front(
        self, moved: Camera, fixture: Fixture, points: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        rays = self._camera.rays(moved.project(points))
        origin = self._camera.position_m
        with np.errstate(divide="ignore", invalid="ignore"):
            along = ((np.array(fixture.origin_m) - origin) @ fixture.inward) / (
                rays @ fixture.inward
            )
        believed = origin + along[:, None] * rays
        return np.asarray(np.linalg.norm(believed - points, axis=1))

    def _in_picture(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return points[in_picture(self._camera, points)]


def turned_camera(camera: Camera, rotation: NDArray[np.float64]) -> Camera:
    """The camera after it has turned about itself by `rotation` (as in a `Registration`)."""
    return camera.model_copy(
        update={
            "rotation": matrix3(rotation @ np.array(camera.rotation)),
            "translation_m": vector3(rotation @ np.array(camera.translation_m)),
        }
    )


def _floor_points(calibration: Calibration) -> NDArray[np.float64]:
    """Points on the floor, a grid within its outline."""
    outline = calibration.floor.outline
    low, high = np.array(outline).min(axis=0), np.array(outline).max(axis=0)
    whole = Zone(name="floor", kind="no_go", polygon=outline)
    xs = np.arange(low[0] + _FLOOR_STEP_M / 2, high[0], _FLOOR_STEP_M)
    ys = np.arange(low[1] + _FLOOR_STEP_M / 2, high[1], _FLOOR_STEP_M)
    inside = [(x, y, 0.0) for y in ys for x in xs if whole.contains(float(x), float(y))]
    return np.array(inside, np.float64).reshape(-1, 3)


def _front_points(fixture: Fixture) -> NDArray[np.float64]:
    steps = np.linspace(0, 1, _FRONT_STEPS)
    u, v = (each.ravel() for each in np.meshgrid(steps * fixture.width_m, steps * fixture.height_m))
    return fixture.to_shop(np.column_stack([u, v, np.zeros(len(u))]))


def _ninth(off_m: NDArray[np.float64]) -> float:
    """Nine tenths are smaller; what meets the plane no more is far off."""
    return float(np.percentile(np.nan_to_num(off_m, nan=1e3), FLOOR_PERCENTILE))
