"""Photographs of flat things (boards, fronts with markers) by a camera that is known exactly.

Owns the rendering: every pixel's ray is cut with the thing's plane and averaged over sub-pixels, so
lens distortion, perspective, softness and noise are those of the truth and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import BoardSpec, charuco_board
from calibration.lens import Lens
from calibration.markers import marker_dictionary

Grey = NDArray[np.uint8]
_GRID_PX = 8


@dataclass(frozen=True)
class Flat:
    """A flat thing in the world.

    Attributes:
        texture: Grey levels, row 0 at its top.
        px_per_m: Of the texture.
        corner_m: Its top left corner in the world, ``(3,)``.
        right: Unit vector along its rows, ``(3,)``.
        down: Unit vector along its columns, ``(3,)``.
    """

    texture: Grey
    px_per_m: float
    corner_m: NDArray[np.float64]
    right: NDArray[np.float64]
    down: NDArray[np.float64]


class Photographer:
    """Takes pictures with one lens.

    Args:
        lens: The truth.
        seed: Of the noise.
        fine: Sub-pixels along each side of a pixel.
    """

    def __init__(self, lens: Lens, seed: int = 0, fine: int = 2) -> None:
        self.lens = lens
        self._rng = np.random.default_rng(seed)
        self._fine = fine
        width, height = lens.image_size_px
        columns, rows = width // _GRID_PX + 2, height // _GRID_PX + 2
        x, y = np.meshgrid(np.arange(columns) * _GRID_PX, np.arange(rows) * _GRID_PX)
        pixels = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
        coarse = np.asarray(lens.straightened(pixels), np.float32).reshape(rows, columns, 2)
        xs = ((np.arange(width * fine) + 0.5) / fine - 0.5) / _GRID_PX
        ys = ((np.arange(height * fine) + 0.5) / fine - 0.5) / _GRID_PX
        at_x, at_y = np.meshgrid(xs.astype(np.float32), ys.astype(np.float32))
        self._ideal = cv2.remap(
            coarse, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )

    def picture(
        self,
        things: list[Flat],
        rotation: NDArray[np.float64],
        translation_m: NDArray[np.float64],
        *,
        noise: float = 2.0,
        soft_px: float = 0.6,
        background: int = 110,
        onto: NDArray[np.float32] | None = None,
    ) -> Grey:
        """A picture ``(H, W)`` of things, later ones in front.

        Args:
            things: What stands there.
            rotation: World to camera.
            translation_m: World to camera.
            noise: Grey levels of standard deviation.
            soft_px: Blur of the optics, standard deviation.
            background: Grey level of everything else.
            onto: What is behind all of them, a ``canvas``; it stays as it is.
        """
        canvas = (
            np.full(self._ideal.shape[:2], background, np.float32) if onto is None else onto.copy()
        )
        for thing in things:
            self._paint(canvas, thing, rotation, translation_m)
        width, height = self.lens.image_size_px
        seen = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
        if soft_px > 0:
            seen = cv2.GaussianBlur(seen, (0, 0), soft_px)
        seen = seen + self._rng.normal(0, noise, seen.shape)
        return np.asarray(np.clip(np.rint(seen), 0, 255), np.uint8)

    def canvas(
        self,
        things: list[Flat],
        rotation: NDArray[np.float64],
        translation_m: NDArray[np.float64],
        background: int = 110,
    ) -> NDArray[np.float32]:
        """Things that stand still, painted once: sub-pixels ``(H * fine, W * fine)``."""
        canvas = np.full(self._ideal.shape[:2], background, np.float32)
        for thing in things:
            self._paint(canvas, thing, rotation, translation_m)
        return canvas

    def _paint(
        self,
        canvas: NDArray[np.float32],
        thing: Flat,
        rotation: NDArray[np.float64],
        translation_m: NDArray[np.float64],
    ) -> None:
        plane = np.column_stack(
            [
                rotation @ thing.right,
                rotation @ thing.down,
                rotation @ thing.corner_m + translation_m,
            ]
        )
        back = np.linalg.inv(plane).astype(np.float32)
        rows, columns = thing.texture.shape
        part = self._part(plane, columns / thing.px_per_m, rows / thing.px_per_m)
        canvas = canvas[part]
        x, y = self._ideal[part][..., 0], self._ideal[part][..., 1]
        a, b, depth = (back[row, 0] * x + back[row, 1] * y + back[row, 2] for row in range(3))
        with np.errstate(divide="ignore", invalid="ignore"):
            at_x = a / depth * thing.px_per_m - 0.5
            at_y = b / depth * thing.px_per_m - 0.5
        inside = (at_x > -0.5) & (at_x < columns - 0.5) & (at_y > -0.5) & (at_y < rows - 0.5)
        inside &= depth > 0
        texture = thing.texture.astype(np.float32)
        painted = cv2.remap(
            texture,
            np.where(inside, at_x, 0).astype(np.float32),
            np.where(inside, at_y, 0).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        canvas[inside] = painted[inside]

    def _part(
        self, plane: NDArray[np.float64], width_m: float, height_m: float
    ) -> tuple[slice, slice]:
        """The sub-pixels that can show a thing: only they are looked at."""
        steps = np.linspace(0, 1, 9)
        a, b = (each.ravel() for each in np.meshgrid(steps * width_m, steps * height_m))
        points = np.column_stack([a, b, np.ones(len(a))]) @ plane.T
        if (points[:, 2] <= 0.05).any():
            return slice(None), slice(None)
        seen, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), self.lens.k, self.lens.d)
        low = (seen.reshape(-1, 2).min(axis=0) - 20).clip(0) * self._fine
        high = (seen.reshape(-1, 2).max(axis=0) + 20).clip(0) * self._fine
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def board_texture(spec: BoardSpec, px_per_square: int = 80) -> tuple[Grey, float]:
    """A board with a white border of half a square, and its pixels per metre.

    The pattern's top left corner lies half a square inside the texture.
    """
    border = px_per_square // 2
    pattern = charuco_board(spec).generateImage(
        (spec.squares_x * px_per_square, spec.squares_y * px_per_square)
    )
    white = cv2.copyMakeBorder(
        np.asarray(pattern), *(border,) * 4, cv2.BORDER_CONSTANT, value=(235, 235, 235)
    )
    return np.clip(white, 20, 235).astype(np.uint8), px_per_square / (spec.square_mm / 1000)


def chessboard_texture(columns: int, rows: int, px_per_square: int = 80) -> Grey:
    """A chessboard of inner corners with a white border of one square."""
    squares = np.indices((rows + 1, columns + 1)).sum(axis=0) % 2
    pattern = np.kron(squares, np.ones((px_per_square, px_per_square))) * 215 + 20
    white = cv2.copyMakeBorder(
        pattern.astype(np.uint8), *(px_per_square,) * 4, cv2.BORDER_CONSTANT, value=(235, 235, 235)
    )
    return np.asarray(white, np.uint8)


def held_board(spec: BoardSpec) -> Flat:
    """A board in its own frame: pattern from (0, 0), x right, y down, z away from who looks."""
    texture, px_per_m = board_texture(spec)
    half_m = spec.square_mm / 2000
    return Flat(
        texture,
        px_per_m,
        np.array([-half_m, -half_m, 0.0]),
        np.array([1.0, 0.0, 0.0]),
        np.array([0.0, 1.0, 0.0]),
    )


def marker_texture(marker: int, px_per_cell: int = 24) -> Grey:
    """A fixture marker with its white border of one cell; the black square is 6 of 8 cells."""
    square = cv2.aruco.generateImageMarker(marker_dictionary(), marker, 6 * px_per_cell)
    white = cv2.copyMakeBorder(
        np.asarray(square), *(px_per_cell,) * 4, cv2.BORDER_CONSTANT, value=(235, 235, 235)
    )
    return np.clip(white, 20, 235).astype(np.uint8)


def poses_in_front(
    lens: Lens, spec: BoardSpec, count: int, seed: int
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Board-to-camera poses as a technician shows them: everywhere, tilted, near and far."""
    rng = np.random.default_rng(seed)
    width, height = lens.image_size_px
    middle = np.array([spec.squares_x, spec.squares_y, 0]) * spec.square_mm / 2000
    long_m = max(spec.squares_x, spec.squares_y) * spec.square_mm / 1000
    made = []
    for place in range(count):
        column, row = place % 3, place // 3 % 3
        pixel = np.array(
            [
                width * (0.2 + 0.3 * column + rng.uniform(-0.06, 0.06)),
                height * (0.24 + 0.26 * row + rng.uniform(-0.06, 0.06)),
            ]
        )
        tilt = rng.uniform(0.25, 0.7)
        turn = rng.uniform(0, 2 * np.pi)
        about = cv2.Rodrigues(tilt * np.array([np.cos(turn), np.sin(turn), 0.0]))[0]
        roll = cv2.Rodrigues(np.array([0, 0, rng.uniform(-0.5, 0.5)]))[0]
        away_m = long_m * lens.matrix[0][0] / height / rng.uniform(0.5, 0.95)
        ray = lens.straightened(pixel).ravel()
        rotation = np.asarray(about @ roll)
        made.append((rotation, np.array([*ray, 1.0]) * away_m - rotation @ middle))
    return made
