"""A shelf drawn with OpenCV: goods as boxes on two boards, a shopper as body, arm and hand.

Small and quick, with a real camera's perspective, noise and light; for what needs exact control.
Nothing of it is shared with what it tests but the calibration and the planogram.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Calibration, Camera, Fixture, Floor
from calibration.planogram import Facing, Planogram
from edge.events import Frame

SIZE_PX = (640, 360)
FPS = 10
COLOURS = {
    "tea": (40, 40, 200),
    "milk": (200, 120, 40),
    "soup": (60, 170, 60),
    "jam": (30, 200, 220),
}
PIECE_M = (0.09, 0.08, 0.16)
Point3 = tuple[float, float, float]


def calibration() -> Calibration:
    """A fixture of 1.2 x 0.8 m, seen from above the aisle, a little from the right."""
    eye, target = np.array([1.3, -1.3, 2.1]), np.array([0.62, 0.1, 0.85])
    ahead = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(ahead, right), ahead])
    return Calibration.model_validate(
        {
            "floor": Floor(outline=((-1, -3), (3, -3), (3, 1), (-1, 1))),
            "cameras": {
                "shelf-1": Camera(
                    role="shelf",
                    image_size_px=SIZE_PX,
                    matrix=((660.0, 0.0, 319.5), (0.0, 660.0, 179.5), (0.0, 0.0, 1.0)),
                    rotation=tuple(tuple(float(v) for v in row) for row in rotation),  # type: ignore[arg-type]
                    translation_m=tuple(float(v) for v in -rotation @ eye),  # type: ignore[arg-type]
                )
            },
            "fixtures": {
                "f": Fixture(
                    origin_m=(0.0, 0.0, 0.5), right=(1, 0, 0), up=(0, 0, 1),
                    width_m=1.2, height_m=0.8, depth_m=0.36, cameras=("shelf-1",),
                )
            },
        }
    )  # fmt: skip


def planogram() -> Planogram:
    """Two boards with two facings each."""
    return Planogram(
        facings={
            name: Facing(
                fixture="f", u_m=u_m, v_m=v_m, width_m=0.6, height_m=0.34, depth_m=0.36,
                sku=sku, capacity=9, stock=9,
            )
            for name, u_m, v_m, sku in (
                ("A1", 0.0, 0.02, "tea"), ("A2", 0.6, 0.02, "milk"),
                ("B1", 0.0, 0.42, "soup"), ("B2", 0.6, 0.42, "jam"),
            )
        }
    )  # fmt: skip


@dataclass
class Shelf:
    """The goods, the light, and who stands there; change it between frames.

    Attributes:
        pieces: What stands where: (facing, column, row) to SKU.
        hand: Where the hand is, fixture metres; ``None``: nobody reaches.
        carrying: SKU in the hand.
        carried: Pieces of it, one behind the other.
        body_u_m: Where somebody stands before the front; ``None``: nobody.
        light: Gain of the picture.
        aside_m: How far to the right of its place a piece stands; by default 0.
        shadow: Soft darkening, as a share, over the left of the lower board.
    """

    pieces: dict[tuple[str, int, int], str] = field(default_factory=dict)
    hand: Point3 | None = None
    carrying: str | None = None
    carried: int = 1
    body_u_m: float | None = None
    light: float = 1.0
    shadow: float = 0.0
    aside_m: dict[tuple[str, int, int], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._camera = calibration().cameras["shelf-1"]
        self._fixture = calibration().fixtures["f"]
        self._planogram = planogram()
        self._rng = np.random.default_rng(3)
        shape = (4, SIZE_PX[1], SIZE_PX[0], 3)
        self._noise = self._rng.normal(0, 1.5, shape).astype(np.float32)
        self._count = 0
        if not self.pieces:
            for name, facing in self._planogram.facings.items():
                for column in range(3):
                    for row in range(3):
                        self.pieces[name, column, row] = facing.sku

    def at(self, facing: str, column: int, row: int) -> Point3:
        """Where a piece stands: the middle of its base, fixture metres."""
        own = self._planogram.facings[facing]
        return own.u_m + 0.2 * column + 0.1, own.v_m, 0.02 + PIECE_M[1] / 2 + 0.1 * row

    def frames(self, seconds: float) -> Iterator[Frame]:
        """So many seconds of it as it is now."""
        for _ in range(round(seconds * FPS)):
            at_s = self._count / FPS
            yield Frame("shelf-1", self._count, at_s, 1.7e9 + at_s, self.picture())
            self._count += 1

    def reach(self, start: Point3, end: Point3, seconds: float) -> Iterator[Frame]:
        """The hand moves from one place to another."""
        steps = max(1, round(seconds * FPS))
        for step in range(1, steps + 1):
            share = step / steps
            self.hand = tuple(a + (b - a) * share for a, b in zip(start, end, strict=True))  # type: ignore[assignment]
            yield from self.frames(1 / FPS)

    def picture(self) -> NDArray[np.uint8]:
        """The picture at this moment."""
        image = np.full((SIZE_PX[1], SIZE_PX[0], 3), (96, 104, 100), np.uint8)
        for v_m in (0.0, 0.4):
            self._fill(image, [(0, v_m, 0), (1.2, v_m, 0), (1.2, v_m, 0.36), (0, v_m, 0.36)], 205)
            self._fill(
                image, [(0, v_m - 0.04, 0), (1.2, v_m - 0.04, 0), (1.2, v_m, 0), (0, v_m, 0)], 150
            )
            board = [key for key in self.pieces if (key[0][0] == "B") == (v_m > 0.2)]
            for key in sorted(board, key=lambda each: (-each[2], each[1])):
                u_m, v_m, w_m = self.at(*key)
                place = u_m + self.aside_m.get(key, 0.0), v_m, w_m
                self._box(image, place, COLOURS[self.pieces[key]])
        if self.shadow:
            patch = np.zeros(image.shape[:2], np.float32)
            self._fill(patch, [(0.1, 0, 0), (0.5, 0, 0), (0.5, 0, 0.3), (0.1, 0, 0.3)], 1)
            soft = cv2.GaussianBlur(patch, (61, 61), 0) * self.shadow
            image = np.asarray(image * (1 - soft[..., None]), np.uint8)
        self._person(image)
        noisy = image * np.float32(self.light) + self._noise[int(self._rng.integers(4))]
        return np.asarray(np.clip(noisy, 0, 255), np.uint8)

    def _person(self, image: NDArray[np.uint8]) -> None:
        if self.body_u_m is not None:
            foot, head = self._pixels([(self.body_u_m, -0.6, -0.5), (self.body_u_m, 1.1, -0.5)])
            cv2.line(image, foot, head, (70, 60, 120), 90)
        if self.hand is None:
            return
        u, v, w = self.hand
        if self.carrying is not None:
            for behind in reversed(range(self.carried)):
                place = u, v - 0.1, w + 0.05 + 0.1 * behind
                self._box(image, place, COLOURS[self.carrying])
        shoulder, hand = self._pixels([(u - 0.15, max(v, 0.7), -0.6), (u, v, w)])
        cv2.line(image, shoulder, hand, (90, 130, 190), 16)
        cv2.circle(image, hand, 11, (110, 150, 205), -1)

    def _box(self, image: NDArray[np.uint8], base: Point3, colour: tuple[int, int, int]) -> None:
        width, depth, height = PIECE_M
        u, v, w = base
        low_u, high_u, low_w, high_w = u - width / 2, u + width / 2, w - depth / 2, w + depth / 2
        top = [(low_u, v + height, low_w), (high_u, v + height, low_w),
               (high_u, v + height, high_w), (low_u, v + height, high_w)]  # fmt: skip
        side = [(high_u, v, low_w), (high_u, v, high_w),
                (high_u, v + height, high_w), (high_u, v + height, low_w)]  # fmt: skip
        front = [(low_u, v, low_w), (high_u, v, low_w),
                 (high_u, v + height, low_w), (low_u, v + height, low_w)]  # fmt: skip
        label = [(u - 0.03, v + 0.05, low_w), (u + 0.03, v + 0.05, low_w),
                 (u + 0.03, v + 0.11, low_w), (u - 0.03, v + 0.11, low_w)]  # fmt: skip
        for face, shade in ((side, 0.6), (top, 1.15), (front, 0.9)):
            self._fill(image, face, tuple(min(255.0, each * shade) for each in colour))
        self._fill(image, label, (235, 235, 235))

    def _fill(self, image: NDArray[np.generic], corners: list[Point3], colour: object) -> None:
        value = (colour,) * 3 if isinstance(colour, int) else colour
        cv2.fillConvexPoly(image, np.array(self._pixels(corners), np.int32), value)  # type: ignore[call-overload]

    def _pixels(self, points: list[Point3]) -> list[tuple[int, int]]:
        seen = self._camera.project(self._fixture.to_shop(np.array(points, np.float64)))
        return [(round(float(x)), round(float(y))) for x, y in seen]
