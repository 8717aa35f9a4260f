"""From a camera's person boxes to places on the floor.

Owns the lifting of boxes to shop metres, with how unsure it is, and the observer that does it for
all overhead cameras with one detector each. A box is explained by a column of a shopper's height
and girth: the place, and the height near the usual, whose projection fits the box's sides best.
Sides that the picture's border cuts say nothing, so a person without feet in the picture is placed
by head and shoulders, and less surely. Where the detector knows the foot point, the foot decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Camera, Floor, Point2
from edge.errors import TrackingError
from edge.tracking.detector import PersonDetection, PersonDetector
from edge.tracking.observations import Covariance, FloorObservation, FloorScan, Look, look_of

_HEIGHT_M: Final = 1.70
_HEIGHT_SD_M: Final = 0.10
_RADIUS_M: Final = 0.23
_BODY_SD_M: Final = 0.06
_BORDER_PX: Final = 3.0
_ROUNDS: Final = 8


def lift(
    detection: PersonDetection, camera: Camera, size_px: tuple[int, int]
) -> tuple[Point2, Covariance] | None:
    """Where on the floor a detected person stands.

    Args:
        detection: In pixels of a picture of ``size_px``.
        camera: Calibrated; its own size may be a multiple of the picture's.
        size_px: Width and height of the picture.

    Returns:
        Shop x and y and their covariance; ``None`` when the box looks above the horizon.
    """
    scale = np.array(camera.image_size_px) / np.array(size_px)
    box = np.array(detection.box_px).reshape(2, 2) * scale
    # Detectors place sides to a few hundredths of the box.
    sd_px = 2.0 + 0.04 * float((box[1] - box[0]).max())
    if detection.foot_px is not None:
        return _from_foot(np.array(detection.foot_px) * scale, camera, sd_px)
    sides = box.ravel()
    limits = np.array([0.0, 0.0, *camera.image_size_px])
    free = np.abs(sides - limits) > _BORDER_PX * max(scale)
    return _from_sides(sides, free, camera, sd_px)


def _from_foot(
    foot_px: NDArray[np.float64], camera: Camera, sd_px: float
) -> tuple[Point2, Covariance] | None:
    probes = np.array([foot_px, foot_px + (1, 0), foot_px + (0, 1)])
    place, right, down = camera.on_plane(probes, 0.0)
    slope = np.column_stack([right - place, down - place])
    if not np.isfinite(slope).all():
        return None
    spread = slope @ slope.T * sd_px**2 + np.eye(2) * _BODY_SD_M**2
    return (float(place[0]), float(place[1])), _rows(spread)


def _from_sides(
    sides: NDArray[np.float64], free: NDArray[np.bool_], camera: Camera, sd_px: float
) -> tuple[Point2, Covariance] | None:
    """Gauss-Newton on place and height, the height held by its prior."""
    left, top, right, bottom = sides
    # Between the trunk seen at half height and the feet: a start that no slant makes far off.
    start = camera.on_plane(np.array([[(left + right) / 2, (top + bottom) / 2]]), _HEIGHT_M / 2)[0]
    if not np.isfinite(start).all():
        return None
    unknown = np.array([*start, _HEIGHT_M])
    prior = np.diag([0.0, 0.0, 1 / _HEIGHT_SD_M**2])
    weight = free / sd_px**2
    normal = prior
    for _ in range(_ROUNDS):
        here = _column_sides(unknown, camera)
        steps = np.eye(3) * 0.01
        slope = np.column_stack(
            [(_column_sides(unknown + step, camera) - here) / 0.01 for step in steps]
        )
        if not (np.isfinite(slope).all() and np.isfinite(here).all()):
            return None
        normal = slope.T @ (weight[:, None] * slope) + prior + np.diag([0.04, 0.04, 0.0])
        pull = slope.T @ (weight * (sides - here))
        pull[2] += (_HEIGHT_M - unknown[2]) / _HEIGHT_SD_M**2
        move = np.linalg.solve(normal, pull)
        unknown = unknown + np.clip(move, -1.0, 1.0)
        if np.abs(move).max() < 1e-3:
            break
    spread = np.linalg.inv(normal)[:2, :2] + np.eye(2) * _BODY_SD_M**2
    return (float(unknown[0]), float(unknown[1])), _rows(spread)


def _column_sides(unknown: NDArray[np.float64], camera: Camera) -> NDArray[np.float64]:
    """Left, top, right, bottom of a column's image; ``unknown`` is x, y and height in metres."""
    x_m, y_m, height_m = unknown
    around = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    rim = np.column_stack([x_m + _RADIUS_M * np.cos(around), y_m + _RADIUS_M * np.sin(around)])
    inner = np.column_stack(
        [x_m + 0.5 * _RADIUS_M * np.cos(around), y_m + 0.5 * _RADIUS_M * np.sin(around)]
    )
    rings = [(inner, 0.0), (rim, 0.6 * height_m), (rim, 0.8 * height_m), (inner, height_m)]
    points = np.concatenate([np.column_stack([ring, np.full(12, z)]) for ring, z in rings])
    pixels = camera.project(points)
    return np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])


def _rows(matrix: NDArray[np.float64]) -> Covariance:
    (xx, xy), (yx, yy) = ((matrix + matrix.T) / 2).tolist()
    return (xx, xy), (yx, yy)


class DetectedFloor:
    """Floor observations from one person detector a camera; each camera is a view of its own.

    Args:
        floor: Who is lifted to more than ``margin_m`` outside its outline is left out.
        cameras: The overhead cameras.
        detectors: By camera, for all of them; they may share one.
        margin_m: See ``floor``.

    Raises:
        TrackingError: A camera has no detector.
    """

    def __init__(
        self,
        floor: Floor,
        cameras: Mapping[str, Camera],
        detectors: Mapping[str, PersonDetector],
        *,
        margin_m: float = 0.3,
    ) -> None:
        missing = sorted(cameras.keys() - detectors.keys())
        if missing or not cameras:
            raise TrackingError(
                f"no person detector for camera {', '.join(missing)}; configure one"
                if missing
                else "no overhead camera is calibrated; calibrate one and give it that role"
            )
        self._outline = np.array(floor.outline, np.float32)
        self._cameras = dict(cameras)
        self._detectors = dict(detectors)
        self._margin_m = margin_m

    def observe(
        self,
        images: Mapping[str, NDArray[np.uint8]],
        at_s: float,
        followed_m: Sequence[Point2] = (),
    ) -> FloorScan:
        """Everybody that the detectors see.

        Args:
            images: By camera, uint8 BGR, shape ``(H, W, 3)``. Cameras may be missing.
            at_s: When they were taken.
            followed_m: Not needed here; detectors look at every picture afresh.

        Raises:
            TrackingError: A picture is of a camera that is not known.
            DetectorError: A detector failed.
        """
        views = []
        for name, image in images.items():
            if name not in self._cameras:
                raise TrackingError(
                    f"camera {name} is not calibrated as an overhead camera; "
                    f"calibrated are: {', '.join(sorted(self._cameras))}"
                )
            views.append(self._view(name, image))
        return FloorScan(at_s, tuple(views))

    def _view(self, name: str, image: NDArray[np.uint8]) -> tuple[FloorObservation, ...]:
        seen = []
        size_px = (image.shape[1], image.shape[0])
        for detection in self._detectors[name].detect(image):
            lifted = lift(detection, self._cameras[name], size_px)
            if lifted is None:
                continue
            place, covariance = lifted
            if cv2.pointPolygonTest(self._outline, place, True) < -self._margin_m:
                continue
            look = _look(image, detection)
            looks = {} if look is None else {name: look}
            seen.append(FloorObservation(place, covariance, detection.score, (name,), looks))
        return tuple(seen)


def _look(image: NDArray[np.uint8], detection: PersonDetection) -> Look | None:
    """The look of an upright ellipse in the box: head, trunk and legs by height."""
    left, top, right, bottom = (round(side) for side in detection.box_px)
    crop = image[top:bottom, left:right]
    if min(crop.shape[:2]) < 4:
        return None
    crop = np.asarray(cv2.resize(crop, (24, 48), interpolation=cv2.INTER_AREA), np.uint8)
    down, across = np.mgrid[0:48, 0:24]
    inside = ((across - 11.5) / 9) ** 2 + ((down - 23.5) / 23) ** 2 <= 1
    band = np.where(down < 9, 2, np.where(down < 26, 1, 0)).astype(np.uint8)
    colours = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2HSV), np.uint8)
    return look_of(colours, inside.astype(np.float32), band)
