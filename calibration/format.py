"""What calibration knows about a shop: its floor, its zones, its cameras and its fixtures.

Owns the shape of ``calibration.json`` and the pure geometry that follows from it alone: shop metres
to pixels and back to a plane. Does not own how the numbers were found (the technician's commands)
nor what stands on the fixtures (``calibration.planogram``).

Frames of reference:

- *shop*: metres, x and y on the floor, z up; right-handed.
- *camera*: OpenCV's, x right, y down, z forward; ``x_camera = rotation @ x_shop + translation_m``.
- *pixels*: x right, y down, of the undecoded picture with its lens distortion, the centre of the
  top left pixel at (0, 0).
- *fixture*: u to the right along its front, v up, both in metres from the front's bottom left
  corner as a shopper sees it; w into the fixture, away from the shopper.

Example::

    calibration = read_calibration(Path("calibration.json"))
    camera = calibration.cameras["overhead-1"]
    pixels = camera.project(np.array([[2.0, 1.5, 0.0]]))
    floor_m = camera.on_plane(pixels, height_m=0.0)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

Vector3 = tuple[float, float, float]
Point2 = tuple[float, float]
Matrix3 = tuple[Vector3, Vector3, Vector3]
ZoneKind = Literal["entry", "exit", "no_go"]
CameraRole = Literal["shelf", "overhead"]

_ORTHONORMAL_WITHIN = 1e-4
_STRAIGHTENING = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 60, 1e-9)


class CalibrationError(ValueError):
    """A calibration, or what one is to be made from, cannot be used; the message says what to do.

    ::

        CalibrationError
        +-- BoardError      a board or markers that cannot be printed
        +-- PictureError    a picture, folder or video that cannot be read
    """


class Closed(BaseModel):
    """A frozen value whose fields are all known."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _polygon(points: tuple[Point2, ...]) -> tuple[Point2, ...]:
    if abs(polygon_area_m2(points)) < 1e-4:
        raise ValueError("the corners of a polygon must enclose an area; these lie on one line")
    return points


Polygon = Annotated[tuple[Point2, ...], Field(min_length=3), AfterValidator(_polygon)]


class Zone(Closed):
    """A part of the floor that means something.

    Attributes:
        name: What people call it.
        kind: ``entry`` binds check-ins, ``exit`` closes sessions, ``no_go`` is not for shoppers.
        polygon: Corners in shop metres, in order.
    """

    name: str = Field(min_length=1)
    kind: ZoneKind
    polygon: Polygon

    def contains(self, x_m: float, y_m: float) -> bool:
        """Whether a floor point lies inside or on the border."""
        corners = np.array(self.polygon, np.float32)
        return bool(cv2.pointPolygonTest(corners, (float(x_m), float(y_m)), False) >= 0)


class Floor(Closed):
    """The shop's floor.

    Attributes:
        outline: Corners of the walkable floor in shop metres, in order.
        zones: Parts of it with a meaning.
    """

    outline: Polygon
    zones: tuple[Zone, ...] = ()


class Camera(Closed):
    """A calibrated camera (pinhole with OpenCV's distortion model).

    Attributes:
        role: ``shelf`` cameras watch fixtures, ``overhead`` ones the floor.
        image_size_px: Width and height the matrix was found for.
        matrix: Intrinsic matrix in pixels.
        distortion: k1, k2, p1, p2, k3 of OpenCV's model; zeros for none.
        rotation: Shop to camera.
        translation_m: Shop to camera.
    """

    role: CameraRole
    image_size_px: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
    matrix: Matrix3
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    rotation: Matrix3
    translation_m: Vector3

    @model_validator(mode="after")
    def _rotates(self) -> Camera:
        rotation = np.array(self.rotation)
        if (
            np.abs(rotation @ rotation.T - np.eye(3)).max() > _ORTHONORMAL_WITHIN
            or np.linalg.det(rotation) < 0
        ):
            raise ValueError("rotation is no rotation matrix; calibrate the camera's pose again")
        return self

    @property
    def position_m(self) -> NDArray[np.float64]:
        """Where the camera is, shop metres, shape ``(3,)``."""
        return np.asarray(-np.array(self.rotation).T @ np.array(self.translation_m))

    def project(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels ``(N, 2)`` of shop points ``(N, 3)``; NaN for points behind the camera."""
        points = np.asarray(points_m, np.float64).reshape(-1, 3)
        if len(points) == 0:
            return np.zeros((0, 2))
        rotation = np.array(self.rotation)
        pixels, _ = cv2.projectPoints(
            points,
            cv2.Rodrigues(rotation)[0],
            np.array(self.translation_m),
            np.array(self.matrix),
            np.array(self.distortion),
        )
        flat = np.asarray(pixels, np.float64).reshape(-1, 2)
        depth_m = (points @ rotation.T + np.array(self.translation_m))[:, 2]
        flat[depth_m <= 1e-6] = np.nan
        return flat

    def rays(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Directions ``(N, 3)`` in the shop frame, unit length, seen at pixels ``(N, 2)``."""
        flat = np.asarray(pixels, np.float64).reshape(-1, 1, 2)
        if len(flat) == 0:
            return np.zeros((0, 3))
        ideal = straightened(flat, np.array(self.matrix), np.array(self.distortion))
        in_camera = np.concatenate([ideal, np.ones((len(flat), 1))], axis=1)
        in_shop = in_camera @ np.array(self.rotation)
        return np.asarray(in_shop / np.linalg.norm(in_shop, axis=1, keepdims=True))

    def on_plane(self, pixels: NDArray[np.float64], height_m: float) -> NDArray[np.float64]:
        """Where the rays of pixels ``(N, 2)`` meet the level ``height_m`` above the floor.

        Returns:
            Shop x and y, shape ``(N, 2)``; NaN where a ray does not come down (or up) to it.
        """
        rays = self.rays(pixels)
        origin = self.position_m
        with np.errstate(divide="ignore", invalid="ignore"):
            along = (height_m - origin[2]) / rays[:, 2]
        points = np.asarray(origin[:2] + along[:, None] * rays[:, :2])
        points[~(along > 0)] = np.nan
        return points


class Marker(Closed):
    """A square marker on a fixture's front, stuck upright.

    Attributes:
        id: Which of the dictionary of ``calibration.markers``.
        u_m: Its left edge, from the front's left edge.
        v_m: Its bottom edge, from the front's bottom edge.
        side_m: Of its black square.
    """

    id: Annotated[int, Field(ge=0)]
    u_m: float
    v_m: float
    side_m: Annotated[float, Field(gt=0)]

    @property
    def corners_m(self) -> NDArray[np.float64]:
        """Fixture points ``(4, 3)``: top left, top right, bottom right, bottom left."""
        left, right = self.u_m, self.u_m + self.side_m
        bottom, top = self.v_m, self.v_m + self.side_m
        front = [(left, top), (right, top), (right, bottom), (left, bottom)]
        return np.array([(u, v, 0.0) for u, v in front])


class Fixture(Closed):
    """A shelf, fridge or table, by the rectangle of its front.

    Attributes:
        origin_m: Bottom left corner of its front as a shopper sees it, shop metres.
        right: Unit vector along the front to the shopper's right, shop frame.
        up: Unit vector up the front, shop frame.
        width_m: Extent along ``right``.
        height_m: Extent along ``up``.
        depth_m: How deep goods can stand behind the front.
        cameras: Names of the shelf cameras that watch it.
        markers: Stuck to its front; they allow a moved camera to be put right by itself.
    """

    origin_m: Vector3
    right: Vector3
    up: Vector3
    width_m: Annotated[float, Field(gt=0)]
    height_m: Annotated[float, Field(gt=0)]
    depth_m: Annotated[float, Field(gt=0)]
    cameras: tuple[str, ...] = ()
    markers: tuple[Marker, ...] = ()

    @model_validator(mode="after")
    def _square(self) -> Fixture:
        right, up = np.array(self.right), np.array(self.up)
        if (
            abs(np.linalg.norm(right) - 1) > _ORTHONORMAL_WITHIN
            or abs(np.linalg.norm(up) - 1) > _ORTHONORMAL_WITHIN
            or abs(right @ up) > _ORTHONORMAL_WITHIN
        ):
            raise ValueError("right and up must be unit vectors at a right angle")
        return self

    @property
    def inward(self) -> NDArray[np.float64]:
        """Unit vector into the fixture, away from the shopper, shop frame, shape ``(3,)``."""
        return np.asarray(np.cross(np.array(self.up), np.array(self.right)))

    def to_shop(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shop metres ``(N, 3)`` of fixture points ``(N, 3)``: u, v, w."""
        axes = np.stack([np.array(self.right), np.array(self.up), self.inward])
        return np.asarray(np.array(self.origin_m) + np.asarray(points_m).reshape(-1, 3) @ axes)


class Calibration(Closed):
    """All of ``calibration.json``.

    Attributes:
        schema_version: Of this format.
        floor: The floor.
        cameras: By name.
        fixtures: By name.
    """

    schema_version: Literal[1] = 1
    floor: Floor
    cameras: dict[str, Camera]
    fixtures: dict[str, Fixture] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_exist(self) -> Calibration:
        for name, fixture in self.fixtures.items():
            for camera in fixture.cameras:
                if camera not in self.cameras:
                    raise ValueError(
                        f"fixture {name} is watched by camera {camera}, which is not calibrated"
                    )
        return self


def straightened(
    pixels: NDArray[np.float64], matrix: NDArray[np.float64], distortion: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Where pixels ``(N, 2)`` lie on the plane at distance 1 before the camera, ``(N, 2)``.

    OpenCV stops after five rounds unless told otherwise, which leaves up to 7 px at the border of a
    wide lens (85 degrees, k1 = -0.2).
    """
    flat = np.asarray(pixels, np.float64).reshape(-1, 1, 2)
    if len(flat) == 0:
        return np.zeros((0, 2))
    ideal = cv2.undistortPoints(flat, matrix, distortion, criteria=_STRAIGHTENING)
    return np.asarray(ideal, np.float64).reshape(-1, 2)


def polygon_area_m2(points: tuple[Point2, ...]) -> float:
    """Signed area of a polygon, positive when its corners run counter-clockwise."""
    x, y = np.array(points).T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def parse_calibration(text: str, name: str = "calibration.json") -> Calibration:
    """Read the JSON text of a calibration.

    Raises:
        CalibrationError: It is no calibration; the message names the first wrong field.
    """
    try:
        return Calibration.model_validate(json.loads(text))
    except json.JSONDecodeError as err:
        raise CalibrationError(f"{name}: line {err.lineno} is not JSON: {err.msg}") from err
    except ValidationError as err:
        raise CalibrationError(f"{name}: {first_complaint(err)}") from err


def read_calibration(path: Path) -> Calibration:
    """Read a ``calibration.json``.

    Raises:
        CalibrationError: It cannot be read or is no calibration.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise CalibrationError(f"{path}: cannot be read: {err}") from err
    return parse_calibration(text, str(path))


def first_complaint(err: ValidationError) -> str:
    """The first of pydantic's complaints as ``place: what is wrong``."""
    first = err.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    more = err.error_count() - 1
    also = f" ({more} more like it)" if more else ""
    return f"{place}: {message}{also}" if place else f"{message}{also}"
