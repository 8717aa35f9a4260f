"""One camera's pictures of a scene: a standing picture kept, and what moves drawn over it.

Owns lens and projection. A view is drawn as a wide ideal pinhole picture and bent by the camera's
lens afterwards, so the distorted picture is exact. What stands is drawn once, colour and depth are
kept, and each frame draws only the rectangle where something moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import moderngl
import numpy as np
from numpy.typing import NDArray

from calibration.format import Camera
from tests.simulators.shop.studio import Light, Matrix, Studio, Thing

Picture = NDArray[np.uint8]

NEAR_M = 0.08
FAR_M = 14.0


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels: left, top, right and bottom, the last two outside of it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def empty(self) -> bool:
        """Whether it holds no pixel."""
        return self.right <= self.left or self.bottom <= self.top

    def overlaps(self, other: Window) -> bool:
        """Whether both hold a pixel."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    def joined(self, other: Window) -> Window:
        """The smallest that holds both."""
        if self.empty:
            return other
        if other.empty:
            return self
        return Window(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


class View:
    """One camera's pictures of a scene.

    Args:
        studio: Where it is drawn.
        camera: The calibrated camera, distortion and all.
        light: Of the scene.
        oversample: Pixels drawn for each pixel of the picture, along each axis.
    """

    def __init__(
        self, studio: Studio, camera: Camera, light: Light, oversample: float = 1.15
    ) -> None:
        self._studio = studio
        self.camera = camera
        self._light = light
        width, height = camera.image_size_px
        self._matrix = np.array(camera.matrix)
        self._distortion = np.array(camera.distortion)
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        pixels = np.stack([columns, rows], axis=-1).reshape(-1, 1, 2).astype(np.float64)
        ideal = _undistorted(pixels, self._matrix, self._distortion).reshape(height, width, 2)
        self._focal = float(self._matrix[0, 0]) * oversample
        low = ideal.reshape(-1, 2).min(axis=0) - 3 / self._focal
        high = ideal.reshape(-1, 2).max(axis=0) + 3 / self._focal
        self._origin = -low * self._focal
        wide, tall = (int(np.ceil(each)) for each in (high - low) * self._focal)
        self.drawn_px = wide, tall
        self._map = (ideal * self._focal + self._origin).astype(np.float32)
        self._fixed_map = cv2.convertMaps(self._map[..., 0], self._map[..., 1], cv2.CV_16SC2)
        self._rotation = np.array(camera.rotation)
        self._shift = np.array(camera.translation_m)
        self._view_projection = self._projection() @ self._pose()
        gl = studio.gl
        buffers: list[tuple[moderngl.Renderbuffer, moderngl.Renderbuffer]] = [
            (gl.renderbuffer((wide, tall), 4), gl.depth_renderbuffer((wide, tall)))
            for _ in range(2)
        ]
        self._standing, self._moving = (
            gl.framebuffer([colour], depth) for colour, depth in buffers
        )
        self._buffers = buffers
        self._drawn: Picture = np.zeros((tall, wide, 3), np.uint8)
        self.standing_picture: Picture = np.zeros((height, width, 3), np.uint8)

    def stand(self, things: list[Thing], window: Window | None = None) -> None:
        """Draw what stands, all of it or only a window of drawn pixels, and keep it."""
        wide, tall = self.drawn_px
        window = window or Window(0, 0, wide, tall)
        if window.empty:
            return
        self._standing.use()
        self._scissor(self._standing, window)
        self._standing.clear(0.55, 0.55, 0.53, depth=1.0)
        self._studio.light(self._light, self.camera.position_m, self._view_projection)
        self._studio.draw(each for each in things if self._touches(each, window))
        self._read(self._standing, window, self._drawn)
        shown = self.shown(window)
        if not shown.empty:
            rows, columns = slice(shown.top, shown.bottom), slice(shown.left, shown.right)
            self.standing_picture[rows, columns] = self._bent(self._drawn, shown)

    def close(self) -> None:
        """Give the view's pictures back."""
        self._standing.release()
        self._moving.release()
        for colour, depth in self._buffers:
            colour.release()
            depth.release()

    def over(self, takes: Sequence[Sequence[Thing]], window: Window) -> Picture:
        """What moves drawn over what stands, in a window of drawn pixels.

        Args:
            takes: What moves, at one or more moments of the exposure; their mean is the picture.
            window: Holds all of it.

        Returns:
            uint8 RGB of the window ``shown(window)``.
        """
        rows, columns = slice(window.top, window.bottom), slice(window.left, window.right)
        layer = self._drawn.copy()
        total: NDArray[np.uint16] | None = None
        for things in takes:
            self._studio.gl.copy_framebuffer(self._moving, self._standing)
            self._moving.use()
            self._studio.light(self._light, self.camera.position_m, self._view_projection)
            self._studio.draw(things)
            self._read(self._moving, window, layer)
            if len(takes) > 1:
                part = layer[rows, columns].astype(np.uint16)
                total = part if total is None else total + part
        if total is not None:
            layer[rows, columns] = (total + len(takes) // 2) // len(takes)
        # The lens bends the window's edges, so pixels around it are asked for too.
        return self._bent(layer, self.shown(window))

    def window_of(self, boxes_m: NDArray[np.float64]) -> Window:
        """Drawn pixels that hold boxes, given by their corners, shape ``(N, 8, 3)``."""
        inside = boxes_m @ self._rotation.T + self._shift
        wide, tall = self.drawn_px
        inside = inside[(inside[..., 2] > NEAR_M).any(axis=1)].reshape(-1, 3)
        if len(inside) == 0:
            return Window(0, 0, 0, 0)
        # A corner behind the lens is as far out in its direction as a picture can show.
        depth = np.maximum(inside[:, 2:], NEAR_M)
        seen = inside[:, :2] / depth * self._focal + self._origin
        low, high = seen.min(axis=0), seen.max(axis=0)
        return Window(
            int(np.clip(low[0] - 2, 0, wide)),
            int(np.clip(low[1] - 2, 0, tall)),
            int(np.clip(high[0] + 3, 0, wide)),
            int(np.clip(high[1] + 3, 0, tall)),
        )

    def shown(self, window: Window) -> Window:
        """Pixels of the picture that a window of drawn pixels reaches."""
        if window.empty:
            return Window(0, 0, 0, 0)
        steps = np.linspace(0, 1, 17)
        xs = window.left + (window.right - window.left) * steps
        ys = window.top + (window.bottom - window.top) * steps
        grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
        ideal = (grid - self._origin) / self._focal
        points = np.concatenate([ideal, np.ones((len(ideal), 1))], axis=1)
        pixels = cv2.projectPoints(
            points, np.zeros(3), np.zeros(3), self._matrix, self._distortion
        )[0].reshape(-1, 2)
        width, height = self.camera.image_size_px
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        return Window(
            int(np.clip(low[0] - 1, 0, width)),
            int(np.clip(low[1] - 1, 0, height)),
            int(np.clip(high[0] + 2, 0, width)),
            int(np.clip(high[1] + 2, 0, height)),
        )

    def speed_px(self, before_m: NDArray[np.float64], after_m: NDArray[np.float64]) -> float:
        """How far the fastest of points ``(N, 3)`` moves in the drawn picture, in pixels."""
        seen = []
        for points in (before_m, after_m):
            inside = points @ self._rotation.T + self._shift
            seen.append(inside[:, :2] / np.maximum(inside[:, 2:], 0.3) * self._focal)
        return float(np.linalg.norm(seen[1] - seen[0], axis=1).max(initial=0.0))

    def _touches(self, thing: Thing, window: Window) -> bool:
        return self.window_of(thing.corners_m[None]).overlaps(window)

    def _bent(self, drawn: Picture, shown: Window) -> Picture:
        rows, columns = slice(shown.top, shown.bottom), slice(shown.left, shown.right)
        whole, fraction = self._fixed_map
        return np.asarray(
            cv2.remap(
                drawn,
                np.ascontiguousarray(whole[rows, columns]),
                np.ascontiguousarray(fraction[rows, columns]),
                cv2.INTER_LINEAR,
            )
        )

    def _scissor(self, target: moderngl.Framebuffer, window: Window) -> None:
        tall = self.drawn_px[1]
        width, height = window.right - window.left, window.bottom - window.top
        target.scissor = window.left, tall - window.bottom, width, height

    def _read(self, source: moderngl.Framebuffer, window: Window, into: Picture) -> None:
        tall = self.drawn_px[1]
        width, height = window.right - window.left, window.bottom - window.top
        raw = source.read(
            (window.left, tall - window.bottom, width, height), components=3, alignment=1
        )
        picture = np.frombuffer(raw, np.uint8).reshape(height, width, 3)[::-1]
        into[window.top : window.bottom, window.left : window.right] = picture

    def _pose(self) -> Matrix:
        # OpenGL looks along -z with y up; the camera's frame has z forward and y down.
        pose = np.eye(4)
        pose[:3, :3] = np.diag([1.0, -1, -1]) @ self._rotation
        pose[:3, 3] = np.diag([1.0, -1, -1]) @ self._shift
        return pose

    def _projection(self) -> Matrix:
        wide, tall = self.drawn_px
        # The middle of the first pixel is 0 here and half a pixel from the border in OpenGL.
        centre_x, centre_y = self._origin + 0.5
        projection = np.zeros((4, 4))
        projection[0, 0] = 2 * self._focal / wide
        projection[1, 1] = 2 * self._focal / tall
        projection[0, 2] = 1 - 2 * centre_x / wide
        projection[1, 2] = 2 * centre_y / tall - 1
        projection[2, 2] = -(FAR_M + NEAR_M) / (FAR_M - NEAR_M)
        projection[2, 3] = -2 * FAR_M * NEAR_M / (FAR_M - NEAR_M)
        projection[3, 2] = -1
        return projection


def _undistorted(pixels: Matrix, matrix: Matrix, distortion: Matrix) -> Matrix:
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-10)
    return np.asarray(
        cv2.undistortPointsIter(pixels, matrix, distortion, np.eye(3), np.eye(3), criteria)
        if hasattr(cv2, "undistortPointsIter")
        else cv2.undistortPoints(pixels, matrix, distortion, criteria=criteria)
    )
