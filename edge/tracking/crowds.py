"""People who stand close together, placed jointly: the set of bodies that explains a crowd best.

Alone, the cell between two people is filled by both of them and looks better than either true one.
Together, bodies must cover what differs from the empty shop and must not cover floor that is seen
empty, and a body more has to be worth it. The set is searched from what was found one by one and
from where people are expected: by moving one body at a time, by splitting, adding and leaving out.
In spirit Ge and Collins, "Marked Point Processes for Crowd Counting" (CVPR 2009), descending
instead of sampling. Pure; where single people are found is ``occupancy``'s to know.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Camera, Fixture, Point2
from edge.tracking.columns import SLICES, hidden_by, project_within

FILLED_FROM: Final = 100  # of 255: what is at least so likely foreground is
_EMPTY_COST: Final = 1.0
# Shoppers are not all as tall: floor seen where the head should be says little.
_EMPTY_HEAD_COST: Final = 0.3
_LEAST_AREA_PX: Final = 300.0
# What a body has to explain, in bodies as one camera sees them: nobody expected, somebody expected.
_NEW_COST: Final = 0.6
_EXPECTED_COST: Final = 0.15
_EXPECTED_WITHIN_M: Final = 0.45
_OFF_COST: Final = 0.1
_OFF_SD_M: Final = 0.25
_APART_M: Final = 0.25
_MOVES_WITHIN_M: Final = 0.25
_ROUNDS: Final = 6
_CHANGES: Final = 3
_SPLIT_M: Final = 0.18
_SPLIT_ANGLES: Final = (0.0, 0.25, 0.5, 0.75)
_BLURRED_WITHIN_M: Final = 0.15
_BLUR: Final = 0.06
_BETTER: Final = 1e-6
_REMEMBERED_PLACES: Final = 256

Cells = tuple[int, ...]


class Bodies:
    """The pixels that a body at each cell covers in each camera's small picture.

    Pixels are flat indices. What they are worth is looked up in an array of what legs and trunk are
    worth there, what a head is worth there, and a last zero.
    """

    def __init__(
        self,
        cells_m: NDArray[np.float64],
        cameras: Mapping[str, Camera],
        fixtures: Sequence[Fixture],
        sizes_px: Mapping[str, tuple[int, int]],
    ) -> None:
        self.cells_m = cells_m
        self._cameras = dict(cameras)
        self._fixtures = tuple(fixtures)
        self._sizes_px = dict(sizes_px)
        self._drawn: dict[tuple[str, int], NDArray[np.int32]] = {}
        self._around: dict[int, NDArray[np.intp]] = {}
        self._together: dict[tuple[str, int], tuple[NDArray[np.int32], NDArray[np.intp]]] = {}

    def worth(
        self, camera: str, picture: NDArray[np.uint8], others: Sequence[int]
    ) -> NDArray[np.float32]:
        """What covering a pixel is worth, given what others cover."""
        filled = picture.ravel() > FILLED_FROM
        trunk = np.where(filled, np.float32(1), np.float32(-_EMPTY_COST))
        head = np.where(filled, np.float32(1), np.float32(-_EMPTY_HEAD_COST))
        worth = np.concatenate([trunk, head, np.zeros(1, np.float32)])
        for other in others:
            self.cover(worth, camera, other)
        return worth

    def cover(self, worth: NDArray[np.float32], camera: str, cell: int) -> None:
        """Take what a body covers away from what is left to cover."""
        pixels = self.pixels(camera, cell)
        half = len(worth) // 2
        worth[pixels] = 0.0
        worth[np.where(pixels < half, pixels + half, pixels - half)] = 0.0

    def pixels(self, camera: str, cell: int) -> NDArray[np.int32]:
        """Indices into the worth of a body's pixels; the first one is the zero."""
        known = self._drawn.get((camera, cell))
        if known is None:
            known = self._drawn[camera, cell] = self._draw(camera, cell)
        return known

    def around(self, cell: int) -> NDArray[np.intp]:
        """The cells that a body moves to from one cell."""
        known = self._around.get(cell)
        if known is None:
            away_m = np.hypot(*(self.cells_m - self.cells_m[cell]).T)
            known = self._around[cell] = np.flatnonzero(away_m <= _MOVES_WITHIN_M + 1e-6)
        return known

    def worth_around(
        self, worth: NDArray[np.float32], camera: str, cell: int
    ) -> NDArray[np.float32]:
        """What a body is worth in each of the cells around one."""
        known = self._together.get((camera, cell))
        if known is None:
            each = [self.pixels(camera, near) for near in self.around(cell).tolist()]
            starts = np.cumsum([0, *map(len, each[:-1])])
            known = self._together[camera, cell] = np.concatenate(each), starts
            while len(self._together) > _REMEMBERED_PLACES:
                del self._together[next(iter(self._together))]
        pixels, starts = known
        return np.asarray(np.add.reduceat(worth.take(pixels), starts))

    def nearest(self, place: NDArray[np.float64]) -> int:
        """Index of the cell nearest to a floor position."""
        return int(((self.cells_m - place) ** 2).sum(axis=1).argmin())

    def _draw(self, name: str, cell: int) -> NDArray[np.int32]:
        camera, (width, height) = self._cameras[name], self._sizes_px[name]
        around = np.linspace(0, 2 * np.pi, 8, endpoint=False)
        ring = np.column_stack([np.cos(around), np.sin(around)])
        picture = np.zeros((height, width), np.uint8)
        for k in reversed(range(len(SLICES))):
            bottom_m, top_m, radius_m, _ = SLICES[k]
            middle = np.array([[*self.cells_m[cell], (bottom_m + top_m) / 2]])
            if any(hidden_by(each, camera.position_m, middle)[0] for each in self._fixtures):
                continue
            rim = self.cells_m[cell] + radius_m * ring
            corners = np.vstack([np.column_stack([rim, np.full(8, z)]) for z in (bottom_m, top_m)])
            small = (project_within(camera, corners) + 0.5) * (width / camera.image_size_px[0])
            if np.isfinite(small).all():
                hull = cv2.convexHull(np.floor(small).astype(np.int32))
                cv2.fillConvexPoly(picture, hull, 2 if k == len(SLICES) - 1 else 1)
        flat = picture.ravel()
        zero = np.array([2 * flat.size])
        trunk, head = np.flatnonzero(flat == 1), np.flatnonzero(flat == 2) + flat.size
        return np.concatenate([zero, trunk, head]).astype(np.int32)


class Crowd:
    """One crowd at one moment.

    Args:
        bodies: Where bodies are seen.
        foreground: By camera, how much a pixel is foreground, uint8.
        others: Cells of the people who stand apart; their pixels do not count.
        found: Cells of the crowd as they were found one by one, at least one.
        expected_m: Where people of the crowd should be.
    """

    def __init__(
        self,
        bodies: Bodies,
        foreground: Mapping[str, NDArray[np.uint8]],
        others: Sequence[int],
        found: Sequence[int],
        expected_m: Sequence[Point2],
    ) -> None:
        self._bodies = bodies
        self._found = tuple(found)
        self._expected_m = np.array(expected_m, np.float64).reshape(-1, 2)
        self._worth = {
            name: bodies.worth(name, picture, others) for name, picture in foreground.items()
        }
        self._area_px = {
            name: max(
                _LEAST_AREA_PX, float(np.mean([len(bodies.pixels(name, each)) for each in found]))
            )
            for name in foreground
        }
        self._left: dict[frozenset[int], dict[str, NDArray[np.float32]]] = {}
        self._known: dict[tuple[frozenset[int], int], NDArray[np.float64]] = {}

    def explained(self) -> Cells:
        """The cells of the bodies that explain the crowd best."""
        starts = [self._found]
        missing = self._missing(self._found)
        if missing:
            starts.append((*self._found, *missing))
        if len(self._expected_m) > 1:
            starts.append(tuple(self._bodies.nearest(each) for each in self._expected_m))
        best, score = self._found, -math.inf
        for start in dict.fromkeys(starts):
            cells, reached = self._descend(start)
            if reached > score + _BETTER:
                best, score = cells, reached
        for _ in range(_CHANGES):
            better = self._changed(best, score)
            if better is None:
                break
            best, score = better
        return best

    def place(self, cells: Cells, which: int) -> Point2:
        """Where one of the bodies stands between cells, given the others."""
        near, worth = self._options(cells, which)
        places = self._bodies.cells_m[near]
        close = np.hypot(*(places - self._bodies.cells_m[cells[which]]).T) <= _BLURRED_WITHIN_M
        close &= np.isfinite(worth)
        if not close.any():  # hemmed in on all sides
            close = near == cells[which]
            worth = np.zeros(len(near))
        weight = np.exp((worth[close] - worth[close].max()) / _BLUR)
        x_m, y_m = (weight[:, None] * places[close]).sum(axis=0) / weight.sum()
        return float(x_m), float(y_m)

    def _changed(self, cells: Cells, score: float) -> tuple[Cells, float] | None:
        """The best set with one body more or less, when it is better."""
        tries: list[Cells] = []
        for k, cell in enumerate(cells):
            rest = cells[:k] + cells[k + 1 :]
            if rest:
                tries.append(rest)
            split = [(*rest, *self._halves(cell, angle)) for angle in _SPLIT_ANGLES]
            tries.append(max(split, key=self._score))
        best = None
        for each in dict.fromkeys(tries):
            changed, reached = self._descend(each)
            if reached > score + _BETTER:
                best, score = (changed, reached), reached
        return best

    def _halves(self, cell: int, angle: float) -> Cells:
        step = _SPLIT_M * np.array([math.cos(angle * math.pi), math.sin(angle * math.pi)])
        at = self._bodies.cells_m[cell]
        return self._bodies.nearest(at + step), self._bodies.nearest(at - step)

    def _descend(self, start: Cells) -> tuple[Cells, float]:
        """Move one body at a time until none wants to."""
        cells = start
        for _ in range(_ROUNDS):
            before = cells
            for k in range(len(cells)):
                near, worth = self._options(cells, k)
                if np.isfinite(worth).any():
                    cells = (*cells[:k], int(near[worth.argmax()]), *cells[k + 1 :])
            if cells == before:
                break
        return cells, self._score(cells)

    def _score(self, cells: Cells) -> float:
        """What a set of bodies explains, less what it costs."""
        places = self._bodies.cells_m[list(cells)]
        for one, other in itertools.combinations(places, 2):
            if math.dist(one, other) < _APART_M - 1e-6:
                return -math.inf
        total = 0.0
        for name, worth in self._worth.items():
            left = worth.copy()
            for cell in cells:
                covered = float(left[self._bodies.pixels(name, cell)].sum())
                self._bodies.cover(left, name, cell)
                total += covered / self._area_px[name]
        gains, _ = self._expected_gains(cells)
        return total - _NEW_COST * len(cells) + gains

    def _options(self, cells: Cells, which: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Cells around one of the bodies, and what it is worth in each, given the others."""
        cell, others = cells[which], cells[:which] + cells[which + 1 :]
        near = self._bodies.around(cell)
        key = frozenset(others), cell
        worth = self._known.get(key)
        if worth is not None:
            return near, worth
        left = self._left.get(key[0])
        if left is None:
            left = self._left[key[0]] = {name: each.copy() for name, each in self._worth.items()}
            for name, other in itertools.product(left, others):
                self._bodies.cover(left[name], name, other)
        places = self._bodies.cells_m[near]
        worth = np.zeros(len(near))
        for name, each in left.items():
            worth += self._bodies.worth_around(each, name, cell) / self._area_px[name]
        _, free = self._expected_gains(others)
        if len(free):
            worth += self._gains(places, free).max(axis=1)
        for other in others:
            close = np.hypot(*(places - self._bodies.cells_m[other]).T) < _APART_M - 1e-6
            worth[close] = -math.inf
        self._known[key] = worth
        return near, worth

    def _gains(
        self, places: NDArray[np.float64], expected_m: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """What less a body costs at each place for each expected person it may be."""
        off_m = np.hypot(*(places[:, None] - expected_m[None]).transpose(2, 0, 1))
        gains = _NEW_COST - _EXPECTED_COST - _OFF_COST * (off_m / _OFF_SD_M) ** 2
        return np.where(off_m <= _EXPECTED_WITHIN_M, np.maximum(gains, 0.0), 0.0)

    def _expected_gains(self, cells: Cells) -> tuple[float, NDArray[np.float64]]:
        """What less these bodies cost for those they were expected as; and who is still missing."""
        gains = self._gains(self._bodies.cells_m[list(cells)], self._expected_m)
        total, missing = 0.0, list(range(len(self._expected_m)))
        while gains.size and gains.max() > 0:
            row, column = np.unravel_index(int(gains.argmax()), gains.shape)
            total += float(gains[row, column])
            missing.remove(int(column))
            gains[row, :] = gains[:, column] = 0.0
        return total, self._expected_m[missing]

    def _missing(self, cells: Cells) -> Cells:
        return tuple(self._bodies.nearest(each) for each in self._expected_gains(cells)[1])
