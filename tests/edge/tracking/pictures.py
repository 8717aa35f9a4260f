"""Overhead pictures of a drawn shop: bodies projected by the calibration, with noise and light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Calibration, Camera, Fixture, Matrix3, Point2, Vector3
from tests.edge.tracking.scripted import SHOP

SIZE_PX = (640, 360)
Bgr = tuple[int, int, int]


def looking(
    eye: Vector3, at: Vector3, *, focal_px: float = 330, distortion: float = -0.05
) -> Camera:
    """A camera somewhere that looks somewhere."""
    forward = np.subtract(at, eye)
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, (0, 0, 1))
    right = right / np.linalg.norm(right)
    down = np.cross(forward, right)
    rotation = np.stack([right, down, forward])
    translation = -rotation @ np.array(eye)
    width, height = SIZE_PX

    def triple(row: NDArray[np.float64]) -> Vector3:
        return float(row[0]), float(row[1]), float(row[2])

    rows: Matrix3 = (triple(rotation[0]), triple(rotation[1]), triple(rotation[2]))
    return Camera(
        role="overhead",
        image_size_px=SIZE_PX,
        matrix=((focal_px, 0, width / 2), (0, focal_px, height / 2), (0, 0, 1)),
        distortion=(distortion, 0, 0, 0, 0),
        rotation=rows,
        translation_m=triple(translation),
    )


SHELF = Fixture(
    origin_m=(2.2, 4.6, 0.0),
    right=(1, 0, 0),
    up=(0, 0, 1),
    width_m=1.6,
    height_m=1.6,
    depth_m=0.4,
)
CALIBRATION = Calibration(
    floor=SHOP,
    cameras={
        "overhead-1": looking((0.2, -0.6, 3.0), (3.2, 3.0, 0.6)),
        "overhead-2": looking((5.8, 5.4, 3.0), (2.8, 2.0, 0.6)),
    },
    fixtures={"shelf-a": SHELF},
)


@dataclass(frozen=True)
class Body:
    """A person to draw, as legs, trunk with shoulders, and head."""

    at_m: Point2
    trunk: Bgr = (40, 40, 170)
    legs: Bgr = (90, 60, 40)
    head: Bgr = (110, 150, 200)
    tall_m: float = 1.75
    shadow: bool = True


@dataclass
class Studio:
    """Draws what the cameras of a calibration see."""

    calibration: Calibration = CALIBRATION
    seed: int = 0
    noise: float = 2.0
    _rng: np.random.Generator = field(init=False)
    _floors: Mapping[str, NDArray[np.float32]] = field(init=False)
    _noises: NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        # Noise is drawn once and shown shifted: drawing it anew takes most of the time.
        self._noises = self._rng.normal(0, self.noise, (SIZE_PX[1], 2 * SIZE_PX[0], 3)).astype(
            np.float32
        )
        self._floors = {name: self._empty(camera) for name, camera in self._overhead().items()}

    def _overhead(self) -> dict[str, Camera]:
        return {n: c for n, c in self.calibration.cameras.items() if c.role == "overhead"}

    def _empty(self, camera: Camera) -> NDArray[np.float32]:
        width, height = camera.image_size_px
        texture = cv2.resize(
            self._rng.normal(0, 9, (height // 8, width // 8, 3)).astype(np.float32),
            (width, height),
            interpolation=cv2.INTER_CUBIC,
        )
        picture = np.full((height, width, 3), (150, 160, 165), np.float32) + texture
        for x in np.arange(0, 6.01, 0.5).tolist():  # tiles
            line = camera.project(np.array([(x, y, 0.0) for y in np.linspace(0, 5, 40).tolist()]))
            line = line[np.isfinite(line).all(axis=1)]
            cv2.polylines(picture, [line.astype(np.int32)], False, (120, 125, 130), 1)
        for fixture in self.calibration.fixtures.values():
            for w in (fixture.depth_m, 0.0):
                corners = [(0.0, 0.0, w), (fixture.width_m, 0.0, w)]
                corners += [(u, fixture.height_m, w) for u in (fixture.width_m, 0.0)]
                _fill(picture, camera, fixture.to_shop(np.array(corners, float)), (70, 90, 120))
        return picture

    def shoot(
        self,
        bodies: Sequence[Body] = (),
        light: float = 1.0,
        exposure: Mapping[str, tuple[float, float, float]] | None = None,
    ) -> dict[str, NDArray[np.uint8]]:
        """One picture a camera."""
        return {
            name: self._shoot(name, camera, bodies, light, (exposure or {}).get(name, (1, 1, 1)))
            for name, camera in self._overhead().items()
        }

    def _shoot(
        self,
        name: str,
        camera: Camera,
        bodies: Sequence[Body],
        light: float,
        exposure: tuple[float, float, float],
    ) -> NDArray[np.uint8]:
        picture = self._floors[name].copy()
        eye = camera.position_m[:2]
        for body in sorted(bodies, key=lambda b: -float(np.hypot(*(np.array(b.at_m) - eye)))):
            if body.shadow:
                shade = np.ones(picture.shape[:2], np.float32)
                x, y = body.at_m
                _fill(shade, camera, _ring(x + 0.25, y + 0.1, 0.0, 0.35), 0.65)
                picture *= cv2.blur(shade, (21, 21))[:, :, None]
            _draw(picture, camera, body)
        picture = picture * light * np.array(exposure, np.float32)
        shift = int(self._rng.integers(0, SIZE_PX[0]))
        picture += np.roll(self._noises[:, shift : shift + SIZE_PX[0]], 7 * shift, axis=0)
        return picture.clip(0, 255).astype(np.uint8)


def _ring(x: float, y: float, z: float, radius: float) -> NDArray[np.float64]:
    around = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    return np.column_stack(
        [x + radius * np.cos(around), y + radius * np.sin(around), np.full(20, z)]
    )


def _fill(
    picture: NDArray[np.float32], camera: Camera, points: NDArray[np.float64], colour: Bgr | float
) -> None:
    pixels = camera.project(points)
    if not np.isfinite(pixels).all() or np.abs(pixels).max() > 4000:
        return
    hull = cv2.convexHull(pixels.astype(np.float32)).astype(np.int32)
    cv2.fillConvexPoly(picture, hull, colour if isinstance(colour, tuple) else (colour,))


def _draw(picture: NDArray[np.float32], camera: Camera, body: Body) -> None:
    x, y = body.at_m
    scale = body.tall_m / 1.75
    parts = [
        (0.0, 0.85, 0.14, 0.17, body.legs),
        (0.8, 1.45, 0.20, 0.23, body.trunk),
        (1.45, 1.75, 0.11, 0.11, body.head),
    ]
    for low, high, narrow, wide, colour in parts:
        hull = np.concatenate([_ring(x, y, low * scale, narrow), _ring(x, y, high * scale, wide)])
        _fill(picture, camera, hull, colour)
