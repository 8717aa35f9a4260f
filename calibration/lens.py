"""A camera without its place: size, matrix and distortion, found once for a lens and its sensor.

Owns the shape of a lens file and what follows from a lens alone: placing it in the shop, another
picture size, how far its model can be trusted to invert. How the numbers were found is
``calibration.intrinsics``'s business.

Pixels have their centres on whole numbers, so half a pixel must be added before and taken off after
scaling: a camera resized from 1280 to 640 does not simply halve its principal point.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from calibration.format import (
    CalibrationError,
    Camera,
    CameraRole,
    Closed,
    Matrix3,
    Vector3,
    first_complaint,
    straightened,
)

Distortion = tuple[float, float, float, float, float]
_ASPECT_WITHIN: Final = 0.005
_FOLD_STEPS: Final = 400


class Lens(Closed):
    """Intrinsics: a pinhole with OpenCV's distortion.

    Attributes:
        schema_version: Of this format.
        image_size_px: Width and height of the pictures it was found with.
        matrix: Intrinsic matrix in pixels.
        distortion: k1, k2, p1, p2, k3 of OpenCV's model; zeros for none.
    """

    schema_version: Literal[1] = 1
    image_size_px: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]]
    matrix: Matrix3
    distortion: Distortion = (0.0, 0.0, 0.0, 0.0, 0.0)

    @model_validator(mode="after")
    def _is_pinhole(self) -> Lens:
        (fx, skew, _), (zero, fy, _), last = self.matrix
        if fx <= 0 or fy <= 0 or skew != 0 or zero != 0 or last != (0.0, 0.0, 1.0):
            raise ValueError("matrix must be [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], fx and fy > 0")
        return self

    @property
    def k(self) -> NDArray[np.float64]:
        """The matrix, shape ``(3, 3)``."""
        return np.array(self.matrix, np.float64)

    @property
    def d(self) -> NDArray[np.float64]:
        """The distortion, shape ``(5,)``."""
        return np.array(self.distortion, np.float64)

    def straightened(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where pixels ``(N, 2)`` lie on the plane at distance 1 before the camera, ``(N, 2)``."""
        return straightened(pixels, self.k, self.d)

    def rays(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unit directions ``(N, 3)`` in the camera's frame of pixels ``(N, 2)``."""
        ideal = self.straightened(pixels)
        flat = np.column_stack([ideal, np.ones(len(ideal))])
        return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True))

    def placed(
        self, role: CameraRole, rotation: NDArray[np.float64], translation_m: NDArray[np.float64]
    ) -> Camera:
        """This lens somewhere in the shop.

        Args:
            role: What it watches.
            rotation: Shop to camera, ``(3, 3)``.
            translation_m: Shop to camera, ``(3,)``.
        """
        return Camera(
            role=role,
            image_size_px=self.image_size_px,
            matrix=self.matrix,
            distortion=self.distortion,
            rotation=matrix3(rotation),
            translation_m=vector3(translation_m),
        )

    def resized(self, size_px: tuple[int, int]) -> Lens:
        """The same lens for pictures scaled to another size.

        Raises:
            CalibrationError: The shape differs: the picture was cropped, not scaled.
        """
        (was_w, was_h), (width, height) = self.image_size_px, size_px
        if abs(width * was_h / (height * was_w) - 1) > _ASPECT_WITHIN:
            raise CalibrationError(
                f"calibrated at {was_w} x {was_h}, pictures are {width} x {height}: another shape "
                "means that the camera crops; set it back, or calibrate at this size"
            )
        scale = np.diag([width / was_w, height / was_h, 1.0])
        half = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
        return Lens(
            image_size_px=size_px,
            matrix=matrix3(np.linalg.inv(half) @ scale @ half @ self.k),
            distortion=self.distortion,
        )

    def folds(self) -> bool:
        """Whether the distortion turns back on itself inside the picture.

        Then two directions share a pixel and nothing that is computed from that pixel can be
        trusted, however low the RMS: a sign of too many distortion terms for the views at hand.
        """
        width, height = self.image_size_px
        corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
        ideal = (corners - self.k[:2, 2]) / self.k[[0, 1], [0, 1]]
        reach = float(np.linalg.norm(ideal, axis=1).max())
        k1, k2, _, _, k3 = self.distortion
        radius = np.linspace(0, 4 * reach, 4 * _FOLD_STEPS)
        bent = radius * (1 + k1 * radius**2 + k2 * radius**4 + k3 * radius**6)
        falling = np.flatnonzero(np.diff(bent) <= 0)
        return bool(len(falling)) and float(bent[: falling[0] + 1].max()) < reach


def lens_of(camera: Camera) -> Lens:
    """The lens of a calibrated camera."""
    return Lens(
        image_size_px=camera.image_size_px, matrix=camera.matrix, distortion=camera.distortion
    )


def resized(camera: Camera, size_px: tuple[int, int]) -> Camera:
    """The same camera where its stream has another size; its place in the shop stays.

    Raises:
        CalibrationError: As `Lens.resized`.
    """
    if size_px == camera.image_size_px:
        return camera
    lens = lens_of(camera).resized(size_px)
    return lens.placed(camera.role, np.array(camera.rotation), np.array(camera.translation_m))


def in_picture(camera: Camera, points_m: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether shop points ``(N, 3)`` are seen, shape ``(N,)``.

    A distortion that is strong may fold what lies far outside back into the picture: a point counts
    only if its pixel looks back at it.
    """
    pixels = camera.project(points_m)
    width, height = camera.image_size_px
    with np.errstate(invalid="ignore"):
        inside = (
            (pixels[:, 0] >= 0)
            & (pixels[:, 0] <= width - 1)
            & (pixels[:, 1] >= 0)
            & (pixels[:, 1] <= height - 1)
        )
    places = np.flatnonzero(inside)
    if len(places):
        towards = points_m[places] - camera.position_m
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        back = (camera.rays(pixels[places]) * towards).sum(axis=1)
        inside[places] = back > np.cos(np.radians(1.0))
    return np.asarray(inside)


def read_lens(path: Path) -> Lens:
    """Read a lens file.

    Raises:
        CalibrationError: It cannot be read or is no lens.
    """
    try:
        return Lens.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as err:
        raise CalibrationError(f"{path}: cannot be read: {err}") from err
    except json.JSONDecodeError as err:
        raise CalibrationError(f"{path}: line {err.lineno} is not JSON: {err.msg}") from err
    except ValidationError as err:
        raise CalibrationError(f"{path}: {first_complaint(err)}") from err


def matrix3(values: NDArray[np.float64]) -> Matrix3:
    """An array ``(3, 3)`` as a frozen matrix of floats."""
    a, b, c = (vector3(row) for row in np.asarray(values, np.float64).reshape(3, 3))
    return (a, b, c)


def vector3(values: NDArray[np.float64]) -> Vector3:
    """An array ``(3,)`` as a frozen vector of floats."""
    x, y, z = (float(each) for each in np.asarray(values).ravel())
    return (x, y, z)
