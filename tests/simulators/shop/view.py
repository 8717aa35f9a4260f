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
from tests.simulators.shop.studio import Light, Matrix, Studio, Thing, corners_of

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
        # What stands as it was drawn, and the same with what moves put into a window of it. Four
        # bytes a pixel, since that is how OpenGL keeps them: three would be three times slower.
        self._drawn: Picture = np.zeros((tall, wide, 4), np.uint8)
        self._layer: Picture = np.zeros((tall, wide, 4), np.uint8)
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
        self._studio.draw(self._within(things, window))
        place = _slices(window)
        self._drawn[place] = self._read(self._standing, window)
        self._layer[place] = self._drawn[place]
        shown = self.shown(window)
        if not shown.empty:
            self.standing_picture[_slices(shown)] = self._bent(self._drawn, shown)

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
        place = _slices(window)
        mean: Picture | None = None
        for number, things in enumerate(takes, start=1):
            box = window.left, window.top, window.right, window.bottom
            self._studio.copy(self._moving, self._standing, box)
            self._scissor(self._moving, window)
            self._studio.light(self._light, self.camera.position_m, self._view_projection)
            self._studio.draw(self._within(things, window), quick=True)
            take = self._read(self._moving, window)
            if mean is None:
                mean = take
            else:
                mean = np.asarray(cv2.addWeighted(mean, 1 - 1 / number, take, 1 / number, 0.0))
        if mean is not None:
            self._layer[place] = mean
        # The lens bends the window's edges, so pixels around it are asked for too.
        bent = self._bent(self._layer, self.shown(window))
        self._layer[place] = self._drawn[place]
        return bent

    def window_of(self, boxes_m: NDArray[np.float64]) -> Window:
        """Drawn pixels that hold boxes, given by their corners, shape ``(N, 8, 3)``."""
        return around(self.windows_of(boxes_m))

    def windows_of(self, boxes_m: NDArray[np.float64]) -> NDArray[np.int64]:
        """Drawn pixels that hold each of some boxes.

        Args:
            boxes_m: Their corners, shape ``(N, 8, 3)``.

        Returns:
            Left, top, right and bottom, int64 ``(N, 4)``; zeros for what is out of sight.
        """
        inside = boxes_m @ self._rotation.T + self._shift
        # A corner behind the lens is as far out in its direction as a picture can show.
        depth = np.maximum(inside[..., 2:], NEAR_M)
        seen = inside[..., :2] / depth * self._focal + self._origin
        limits = np.array(self.drawn_px)
        low = np.clip(seen.min(axis=1) - 2, 0, limits)
        high = np.clip(seen.max(axis=1) + 3, 0, limits)
        found = np.concatenate([low, high], axis=1).astype(np.int64)
        before_lens = (inside[..., 2] > NEAR_M).any(axis=1)
        found[~before_lens | (found[:, 2:] <= found[:, :2]).any(axis=1)] = 0
        return found

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
        """How far the fastest point in sight of ``(N, 3)`` moves in the drawn picture."""
        seen = []
        for points in (before_m, after_m):
            inside = points @ self._rotation.T + self._shift
            seen.append(inside[:, :2] / np.maximum(inside[:, 2:], 0.3) * self._focal)
        drawn = seen[0] + self._origin
        in_sight = ((drawn >= 0) & (drawn <= np.array(self.drawn_px))).all(axis=1)
        return float(np.linalg.norm(seen[1] - seen[0], axis=1).max(initial=0.0, where=in_sight))

    def _within(self, things: Sequence[Thing], window: Window) -> list[Thing]:
        """Those that may be seen in a window."""
        left, top, right, bottom = self.windows_of(corners_of(things)).T
        there = (left < window.right) & (window.left < right)
        there &= (top < window.bottom) & (window.top < bottom)
        return [thing for thing, seen in zip(things, there, strict=True) if seen]

    def _bent(self, drawn: Picture, shown: Window) -> Picture:
        whole, fraction = (each[_slices(shown)] for each in self._fixed_map)
        bent = cv2.remap(drawn, whole, fraction, cv2.INTER_LINEAR)
        return np.asarray(cv2.cvtColor(bent, cv2.COLOR_RGBA2RGB), np.uint8)

    def _scissor(self, target: moderngl.Framebuffer, window: Window) -> None:
        width, height = window.right - window.left, window.bottom - window.top
        target.scissor = window.left, window.top, width, height
        target.use()

    def _read(self, source: moderngl.Framebuffer, window: Window) -> Picture:
        width, height = window.right - window.left, window.bottom - window.top
        raw = source.read((window.left, window.top, width, height), components=4)
        return np.frombuffer(raw, np.uint8).reshape(height, width, 4)

    def _pose(self) -> Matrix:
        # OpenGL looks along -z with y up; the camera's frame has z forward and y down. The
        # projection turns the picture over once more: OpenGL's first row is the lowest.
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
        projection[1, 1] = -2 * self._focal / tall
        projection[0, 2] = 1 - 2 * centre_x / wide
        projection[1, 2] = 1 - 2 * centre_y / tall
        projection[2, 2] = -(FAR_M + NEAR_M) / (FAR_M - NEAR_M)
        projection[2, 3] = -2 * FAR_M * NEAR_M / (FAR_M - NEAR_M)
        projection[3, 2] = -1
        return projection


def around(windows: NDArray[np.int64]) -> Window:
    """The smallest window that holds all of some, given as ``View.windows_of`` gives them."""
    there = windows[windows[:, 2] > windows[:, 0]]
    if len(there) == 0:
        return Window(0, 0, 0, 0)
    left, top = (int(each) for each in there[:, :2].min(axis=0))
    right, bottom = (int(each) for each in there[:, 2:].max(axis=0))
    return Window(left, top, right, bottom)


def _slices(window: Window) -> tuple[slice, slice]:
    return slice(window.top, window.bottom), slice(window.left, window.right)


def _undistorted(pixels: Matrix, matrix: Matrix, distortion: Matrix) -> Matrix:
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-6)
    return np.asarray(
        cv2.undistortPointsIter(pixels, matrix, distortion, np.eye(3), np.eye(3), criteria)
        if hasattr(cv2, "undistortPointsIter")
        else cv2.undistortPoints(pixels, matrix, distortion, criteria=criteria)
    )
