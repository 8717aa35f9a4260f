"""A camera's day: people, stock that changes, light that comes and goes, a knock when asked for.

Owns what is done to recorded pictures of a shop, so that drift can be tried for hours: frames of a
recording follow each other at random, goods change places block by block, somebody restocks in
front of the camera, daylight rises and falls, clouds pass, one lamp is switched off, the sensor is
noisy and the stream compressed. A knock turns the camera by an exact rotation before that.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.drift.registration import turned
from calibration.lens import Lens

Grey = NDArray[np.uint8]
_BLOCK_PX = 48
_GRID = (81, 46)


@dataclass(frozen=True)
class Hour:
    """What is going on.

    Attributes:
        daylight: Factor on all light.
        lamp: 1 for on, 0 for off; off leaves a gradient from the other side.
        restocking: Whether somebody stands in front with a crate.
        changed: Share of the blocks whose goods have changed.
    """

    daylight: float
    lamp: float
    restocking: bool
    changed: float


def hour_of(at_s: float, clouds: float) -> Hour:
    """A day: light from 6 to 21, a lamp off at lunch and at night, three times of restocking."""
    hour = at_s / 3600 % 24
    sun = max(0.0, float(np.sin((hour - 6) / 15 * np.pi))) if 6 <= hour <= 21 else 0.0
    lamp = 0.0 if 12.5 <= hour < 13.5 or hour >= 23 else 1.0
    restocking = any(start <= hour < start + 0.25 for start in (7.0, 13.0, 18.5))
    changed = min(0.7, 0.7 * hour / 20)
    return Hour((0.65 + 0.45 * sun) * (1 + clouds), lamp, restocking, changed)


class Day:
    """Makes the pictures of one camera.

    Args:
        frames: Grey pictures ``(H, W)`` of its recording; the first is the reference.
        lens: Of the camera.
        seed: Of everything random.
    """

    def __init__(self, frames: list[Grey], lens: Lens, seed: int) -> None:
        self._frames = frames
        self._lens = lens
        self._rng = np.random.default_rng(seed)
        rows, columns = frames[0].shape
        cells = [
            (x, y)
            for y in range(0, rows - _BLOCK_PX, _BLOCK_PX)
            for x in range(0, columns - _BLOCK_PX, _BLOCK_PX)
        ]
        order = self._rng.permutation(len(cells))
        self._cells = [cells[each] for each in order]
        self._sources = [cells[each] for each in self._rng.permutation(len(cells))]
        self._clouds = 0.0
        self._map: NDArray[np.float32] | None = None

    def knock(self, rotation: NDArray[np.float64]) -> None:
        """From now on the camera is turned by this much against its reference."""
        self._map = warp(self._lens, rotation)

    def picture(self, at_s: float) -> Grey:
        """What the stream shows at a moment."""
        rng = self._rng
        self._clouds = 0.9 * self._clouds + float(rng.normal(0, 0.03))
        hour = hour_of(at_s, self._clouds)
        grey = self._frames[int(rng.integers(len(self._frames)))].copy()
        self._restock(grey, hour.changed)
        if hour.restocking:
            self._stand_in_front(grey)
        if self._map is not None:
            grey = np.asarray(
                cv2.remap(
                    grey,
                    self._map[..., 0],
                    self._map[..., 1],
                    cv2.INTER_CUBIC,
                    borderMode=cv2.BORDER_REFLECT,
                ),
                np.uint8,
            )
        return self._seen(grey, hour)

    def _restock(self, grey: Grey, changed: float) -> None:
        """Other goods in a share of the blocks, the same ones as before and some more."""
        source = self._frames[0]
        for place in range(int(changed * len(self._cells))):
            (x, y), (a, b) = self._cells[place], self._sources[place]
            block = source[b : b + _BLOCK_PX, a : a + _BLOCK_PX]
            grey[y : y + _BLOCK_PX, x : x + _BLOCK_PX] = block[::-1, ::-1]

    def _stand_in_front(self, grey: Grey) -> None:
        rows, columns = grey.shape
        wide = int(columns * 0.3)
        left = int(self._rng.integers(0, columns - wide))
        top = int(self._rng.integers(0, rows // 3))
        texture = self._rng.normal(70, 25, (rows // 16 + 1, wide // 16 + 1)).astype(np.float32)
        body = cv2.resize(texture, (wide, rows - top), interpolation=cv2.INTER_CUBIC)
        grey[top:, left : left + wide] = np.clip(body, 0, 255).astype(np.uint8)

    def _seen(self, grey: Grey, hour: Hour) -> Grey:
        rows, columns = grey.shape
        light = np.full((1, columns), hour.daylight, np.float32)
        if hour.lamp < 1:
            light = light * np.linspace(0.75, 0.2, columns, dtype=np.float32)[None]
        coarse = self._rng.standard_normal((rows // 2 + 1, columns // 2 + 1)).astype(np.float32)
        noise = cv2.resize(coarse * 3, (columns, rows), interpolation=cv2.INTER_NEAREST)
        lit = np.clip(grey * light + noise, 0, 255).astype(np.uint8)
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(self._rng.integers(55, 85))]
        _, encoded = cv2.imencode(".jpg", lit, quality)
        return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), np.uint8)


def warp(lens: Lens, rotation: NDArray[np.float64]) -> NDArray[np.float32]:
    """Where each pixel of the turned camera was seen before, for ``cv2.remap``."""
    width, height = lens.image_size_px
    x, y = np.meshgrid(np.linspace(0, width - 1, _GRID[0]), np.linspace(0, height - 1, _GRID[1]))
    pixels = np.column_stack([x.ravel(), y.ravel()])
    shift = (turned(lens, rotation.T, pixels) - pixels).astype(np.float32)
    at_x, at_y = np.meshgrid(
        np.linspace(0, _GRID[0] - 1, width, dtype=np.float32),
        np.linspace(0, _GRID[1] - 1, height, dtype=np.float32),
    )
    dense = cv2.remap(shift.reshape(_GRID[1], _GRID[0], 2), at_x, at_y, cv2.INTER_LINEAR)
    here = np.stack(
        np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)), axis=2
    )
    return np.asarray(dense + here, np.float32)
