"""Where people stand, from foreground pictures of several cameras: a probabilistic occupancy map.

How far the foreground fills the column of a floor cell says whether somebody stands there. The
likeliest cell is taken, its pixels count as explained, and the rest is asked again; then people who
stand close are each placed anew given the others, and those who crowd jointly (``crowds``). In
spirit Fleuret, Berclaz, Lengagne and Fua, "Multicamera People Tracking with a Probabilistic
Occupancy Map" (PAMI 2008), greedily. Sums over integral images; knows no background and no tracks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Camera, Fixture, Floor, Point2
from edge.tracking.columns import BANDS, ColumnsView, see_columns, walkable_cells
from edge.tracking.crowds import Bodies, Crowd

_FIRST_TALL_SLICE: Final = 4
_SETTLING_ROUNDS: Final = 3
_CROWDED_WITHIN_M: Final = 1.0
_SETTLES_WITHIN_M: Final = 0.35
_CROWD_WITHIN_M: Final = 0.7
_DOOR_MARGIN_M: Final = 0.35
# Share of the least fill of a column below which nobody will be found in it.
_HOPELESS_FILL: Final = 0.7

Window = tuple[slice, slice]


@dataclass(frozen=True)
class Standing:
    """Somebody found on the floor.

    Attributes:
        position_m: Shop x and y.
        cell: Index of the grid cell.
        fill: How far the foreground fills the column, 0 to 1.
        evidence: The sum that decided, in visible slices.
        cameras: Names of the cameras that see the column there.
    """

    position_m: Point2
    cell: int
    fill: float
    evidence: float
    cameras: tuple[str, ...]


class ColumnGrid:
    """The columns of a floor in small pictures of its overhead cameras.

    Attributes:
        cells_m: Floor positions, shape ``(C, 2)``.
        sizes_px: Width and height of each camera's small picture.
    """

    def __init__(
        self,
        floor: Floor,
        cameras: Mapping[str, Camera],
        fixtures: Sequence[Fixture] = (),
        *,
        cell_m: float = 0.1,
        picture_width_px: int = 320,
        margin_m: float = 0.25,
    ) -> None:
        self.cell_m = cell_m
        self.cells_m = walkable_cells(floor, fixtures, cell_m, margin_m)
        self.sizes_px = {
            name: (
                picture_width_px,
                round(picture_width_px * camera.image_size_px[1] / camera.image_size_px[0]),
            )
            for name, camera in cameras.items()
        }
        self._views = {
            name: see_columns(self.cells_m, camera, fixtures, self.sizes_px[name])
            for name, camera in cameras.items()
        }
        self._bodies = Bodies(self.cells_m, cameras, fixtures, self.sizes_px)
        self._doors = [
            np.array(zone.polygon, np.float32)
            for zone in floor.zones
            if zone.kind in ("entry", "exit")
        ]

    def find(
        self,
        foreground: Mapping[str, NDArray[np.uint8]],
        expected_m: Sequence[Point2] = (),
        *,
        least_fill: float = 0.52,
        least_expected_fill: float = 0.36,
        least_evidence: float = 0.5,
        apart_m: float = 0.3,
        at_most: int = 24,
    ) -> list[Standing]:
        """Who stands where.

        Args:
            foreground: By camera, how much a pixel is foreground, uint8, of ``sizes_px``. Cameras
                may be missing.
            expected_m: Where people should be; there, less of a column has to be seen.
            least_fill: Share of a column that must be foreground where nobody is expected.
            least_expected_fill: The same where somebody is.
            least_evidence: Slices by which the filled ones must outweigh the empty ones.
            apart_m: No two stand closer.
            at_most: Stop after so many.

        Returns:
            Surest first.
        """
        rest = {name: picture.copy() for name, picture in foreground.items()}
        hidden = {name: np.zeros_like(picture) for name, picture in foreground.items()}
        allowed = np.full(len(self.cells_m), least_fill, np.float32)
        bonus = np.zeros(len(self.cells_m), np.float32)
        for place in expected_m:
            near_m = np.hypot(*(self.cells_m - np.array(place)).T)
            allowed[near_m < 0.4] = least_expected_fill
            np.maximum(bonus, 0.25 * np.exp(-((near_m / 0.25) ** 2)), out=bonus)
        # Taking pixels away fills no column: what is far from filled now need not be asked again.
        _, fill = self._evidence(rest, hidden, self._views)
        cells = np.nonzero(fill >= _HOPELESS_FILL * least_expected_fill)[0]
        views = self._views_of(cells)
        places_m, allowed = self.cells_m[cells], allowed[cells]
        open_cells = np.ones(len(cells), np.bool_)
        found: list[Standing] = []
        while len(found) < at_most and len(cells):
            evidence, fill = self._evidence(rest, hidden, views)
            ranked = np.where(
                open_cells & (fill >= allowed) & (evidence >= least_evidence),
                evidence + bonus[cells],
                -np.inf,
            )
            best = int(ranked.argmax())
            if not np.isfinite(ranked[best]):
                break
            found.append(self._standing(cells, best, evidence, fill, foreground))
            near_m = np.hypot(*(places_m - np.array(found[-1].position_m)).T)
            open_cells &= near_m >= apart_m
            for name in foreground:
                self._explain(name, found[-1].cell, rest[name], hidden[name])
        return self._together(self._settled(found, foreground, apart_m), foreground, expected_m)

    def body_mask(self, camera: str, position_m: Point2, grow_px: int = 3) -> NDArray[np.bool_]:
        """Pixels of a column in a camera's small picture, shape ``(H, W)``, a little generous."""
        bands = self.body_bands(camera, position_m, grow_px)
        return np.asarray(bands < 255)

    def body_bands(self, camera: str, position_m: Point2, grow_px: int = 0) -> NDArray[np.uint8]:
        """The band (0 legs, 1 trunk, 2 head) of a column's pixels, 255 elsewhere."""
        width, height = self.sizes_px[camera]
        bands = np.full((height, width), 255, np.uint8)
        cell = self.nearest_cell(position_m)
        view = self._views[camera]
        for k, (left, top, right, bottom) in enumerate(view.boxes[cell]):
            if view.weights[cell, k] > 0:
                bands[
                    max(0, top - grow_px) : bottom + grow_px,
                    max(0, left - grow_px) : right + grow_px,
                ] = BANDS[k]
        return bands

    def nearest_cell(self, position_m: Point2) -> int:
        """Index of the cell nearest to a floor position."""
        return int(((self.cells_m - np.array(position_m)) ** 2).sum(axis=1).argmin())

    def _settled(
        self, found: list[Standing], foreground: Mapping[str, NDArray[np.uint8]], apart_m: float
    ) -> list[Standing]:
        """People close to each other, each placed anew given all the others.

        The first one taken of a cluster covers the middle of it best and leaves the others too
        little; given them, it moves to its own side.
        """
        found = list(found)
        for _ in range(_SETTLING_ROUNDS):
            for k, each in enumerate(found):
                others = [other for other in found if other is not each]
                if all(
                    math.dist(each.position_m, other.position_m) > _CROWDED_WITHIN_M
                    for other in others
                ):
                    continue
                rest = {name: picture.copy() for name, picture in foreground.items()}
                hidden = {name: np.zeros_like(picture) for name, picture in foreground.items()}
                for other, name in itertools.product(others, foreground):
                    self._explain(name, other.cell, rest[name], hidden[name])
                places = self.cells_m
                near = np.hypot(*(places - np.array(each.position_m)).T) < _SETTLES_WITHIN_M
                for other in others:
                    near &= np.hypot(*(places - np.array(other.position_m)).T) >= apart_m
                cells = np.nonzero(near)[0]
                if not len(cells):
                    continue
                evidence, fill = self._evidence(rest, hidden, self._views_of(cells))
                best = int(evidence.argmax())
                found[k] = self._standing(cells, best, evidence, fill, foreground)
        return found

    def _together(
        self,
        found: list[Standing],
        foreground: Mapping[str, NDArray[np.uint8]],
        expected_m: Sequence[Point2],
    ) -> list[Standing]:
        """Crowds placed jointly; at a door even one is asked whether somebody is behind them."""
        people = [each.position_m for each in found] + list(expected_m)
        placed = []
        for crowd in _crowds(people, _CROWD_WITHIN_M):
            members = [found[k] for k in crowd if k < len(found)]
            expected = [people[k] for k in crowd if k >= len(found)]
            alone = max(len(members), len(expected)) < 2
            if members and (not alone or self._at_door(members[0].position_m)):
                others = [each.cell for each in found if each not in members]
                members = self._explained(members, others, foreground, expected)
            placed += members
        return sorted(placed, key=lambda each: -each.evidence)

    def _explained(
        self,
        members: list[Standing],
        others: Sequence[int],
        foreground: Mapping[str, NDArray[np.uint8]],
        expected_m: Sequence[Point2],
    ) -> list[Standing]:
        """One crowd, the others standing apart; somebody who is alone stays where they are."""
        taken = [each.cell for each in members]
        crowd = Crowd(self._bodies, foreground, others, taken, expected_m)
        cells = crowd.explained()
        if len(members) == len(cells) == 1:
            return members
        hidden = {name: np.zeros_like(picture) for name, picture in foreground.items()}
        views = self._views_of(np.array(cells, np.intp))
        evidence, fill = self._evidence(foreground, hidden, views)
        return [
            Standing(
                crowd.place(cells, k),
                cell,
                float(fill[k]),
                float(evidence[k]),
                self._seen_by(cell, foreground),
            )
            for k, cell in enumerate(cells)
        ]

    def _seen_by(self, cell: int, cameras: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in cameras if self._views[name].weights[cell].sum() > 0.8)

    def _at_door(self, place: Point2) -> bool:
        """Where people come in behind each other, and one may hide another."""
        return any(
            cv2.pointPolygonTest(door, place, True) >= -_DOOR_MARGIN_M for door in self._doors
        )

    def _views_of(self, cells: NDArray[np.intp]) -> dict[str, ColumnsView]:
        return {name: view.of(cells) for name, view in self._views.items()}

    def _evidence(
        self,
        rest: Mapping[str, NDArray[np.uint8]],
        hidden: Mapping[str, NDArray[np.uint8]],
        views: Mapping[str, ColumnsView],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Of some cells: how much more is filled than empty, and the share that is filled."""
        count = len(next(iter(views.values())).boxes)
        filled = np.zeros(count, np.float32)
        visible = np.zeros(count, np.float32)
        for name, picture in rest.items():
            view = views[name]
            explained = _box_sums(hidden[name], view.corners) / np.maximum(view.boxed_px, 1.0)
            weights = view.weights * (1 - explained)
            expected_px = np.maximum(view.filled_px * (1 - explained), 1.0)
            share = np.minimum(_box_sums(picture, view.corners) / 255 / expected_px, 1.0)
            # A short shopper is no reason against: the head slice counts only for, or half against.
            tall = weights[:, _FIRST_TALL_SLICE:]
            tall *= np.maximum(share[:, _FIRST_TALL_SLICE:], 0.5)
            filled += (weights * share).sum(axis=1)
            visible += weights.sum(axis=1)
        fill = filled / np.maximum(visible, np.float32(1e-6))
        fill[visible < 0.8] = 0.0
        return filled - np.float32(0.5) * visible, np.asarray(fill, np.float32)

    def _standing(
        self,
        cells: NDArray[np.intp],
        best: int,
        evidence: NDArray[np.float32],
        fill: NDArray[np.float32],
        foreground: Mapping[str, NDArray[np.uint8]],
    ) -> Standing:
        """The place between cells: the mean of its neighbours, by how nearly they are as good."""
        places = self.cells_m[cells]
        near = np.hypot(*(places - places[best]).T) < 2.5 * self.cell_m
        weight = np.exp((evidence[near] - evidence[best]) / 0.12)
        x_m, y_m = (weight[:, None] * places[near]).sum(axis=0) / weight.sum()
        cell = int(cells[best])
        return Standing(
            (float(x_m), float(y_m)),
            cell,
            float(fill[best]),
            float(evidence[best]),
            self._seen_by(cell, foreground),
        )

    def _explain(
        self, camera: str, cell: int, rest: NDArray[np.uint8], hidden: NDArray[np.uint8]
    ) -> None:
        view = self._views[camera]
        for k, (left, top, right, bottom) in enumerate(view.boxes[cell]):
            if view.weights[cell, k] > 0:
                grow = max(1, (right - left) // 6)
                rows = slice(max(0, top - grow), bottom + grow)
                columns = slice(max(0, left - grow), right + grow)
                rest[rows, columns] = 0
                hidden[rows, columns] = 1


def _crowds(places_m: Sequence[Point2], within_m: float) -> list[list[int]]:
    """Which places hang together by steps no longer than so much."""
    left = list(range(len(places_m)))
    crowds = []
    while left:
        crowd = [left.pop(0)]
        for each in crowd:
            near = [k for k in left if math.dist(places_m[each], places_m[k]) <= within_m]
            crowd += near
            left = [k for k in left if k not in near]
        crowds.append(sorted(crowd))
    return crowds


def _box_sums(picture: NDArray[np.uint8], corners: NDArray[np.intp]) -> NDArray[np.float32]:
    flat = cv2.integral(picture).ravel()
    plus, right, left, minus = (flat.take(each) for each in corners)
    return np.asarray(plus - right - left + minus, np.float32)
