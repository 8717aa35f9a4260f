"""Where in a picture something may stand: rectangles around what holds together. Pure, no network.

The picture is cut into a few hundred small pieces along its edges (a watershed from a regular grid
of seeds: Machairas et al., "Waterpixels", 2015). Neighbours that differ least are joined, again and
again, until one is left (Uijlings et al., "Selective Search for Object Recognition", 2013). A piece
that came early and was joined late stands out from what surrounds it; by this persistence pieces
are ranked. What they show is for a recogniser to say, which turns most of them down.

Good for goods that stand apart from their ground; a row of equal packs side by side comes as one.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.search.region import Image, Region

_WORK_PX: Final = 240  # longest side of the picture that is looked at
_SEED_EVERY_PX: Final = 8
_SMALLEST_SHARE: Final = 0.012  # of the picture's area
_LARGEST_SHARE: Final = 0.8
_SLIMMEST: Final = 0.2  # shorter side by longer
_SAME: Final = 0.7  # overlap from which two rectangles are one
_EDGE_WEIGHT: Final = 0.6
_BORDER_COST: Final = 0.6  # a piece that the picture's border cuts is seldom a whole product
_FULL_SHARE: Final = 0.03  # pieces below this share of the picture are joined early
_LARGER_FIRST: Final = 0.25
_MARGIN: Final = 0.06  # of a rectangle's sides: photos show a little of the ground too

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Pieces of a work picture and what lies between neighbours.

    Attributes:
        colours: Mean Lab colour of each piece, ``(N, 3)``.
        areas_px: ``(N,)``.
        boxes: Left, top, right, bottom of each piece, ``(N, 4)``.
        pairs: Neighbours, ``(E, 2)``, the smaller number first.
        lengths_px: Of the border between them, ``(E,)``.
        edges: Sum of the gradient along it, ``(E,)``.
    """

    colours: NDArray[np.float64]
    areas_px: NDArray[np.float64]
    boxes: NDArray[np.int64]
    pairs: NDArray[np.int64]
    lengths_px: NDArray[np.float64]
    edges: NDArray[np.float64]


def propose(picture: Image, most: int) -> tuple[Region, ...]:
    """Rectangles that something may stand in, the most promising first.

    Args:
        picture: uint8 BGR ``(H, W, 3)``.
        most: How many at most.
    """
    height, width = picture.shape[:2]
    scale = _WORK_PX / max(height, width)
    size = (
        max(2 * _SEED_EVERY_PX, round(width * scale)),
        max(2 * _SEED_EVERY_PX, round(height * scale)),
    )
    work = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    scored = _Joining(_cut_into_pieces(work), size).all_pieces()
    order = np.argsort([-score for score, _ in scored], kind="stable")
    chosen: list[Region] = []
    for place in order:
        region = _in_picture(scored[place][1], size, (width, height))
        if all(region.overlap(other) < _SAME for other in chosen):
            chosen.append(region)
            if len(chosen) == most:
                break
    return tuple(chosen)


def _cut_into_pieces(work: Image) -> _Pieces:
    height, width = work.shape[:2]
    lab = cv2.cvtColor(cv2.bilateralFilter(work, 5, 30, 5), cv2.COLOR_BGR2LAB).astype(np.float32)
    across = cv2.Sobel(lab, cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(lab, cv2.CV_32F, 0, 1, ksize=3)
    gradient = np.sqrt((across**2 + down**2).sum(axis=2)) / 8
    labels = _watershed(gradient)
    count = int(labels.max()) + 1
    flat = labels.ravel()
    areas = np.bincount(flat, minlength=count).astype(np.float64)
    colours = np.stack(
        [np.bincount(flat, lab[..., channel].ravel(), count) for channel in range(3)], axis=1
    )
    ys, xs = np.divmod(np.arange(height * width), width)
    boxes = np.empty((count, 4), np.int64)
    boxes[:, 0], boxes[:, 1] = width, height
    boxes[:, 2], boxes[:, 3] = 0, 0
    np.minimum.at(boxes[:, 0], flat, xs)
    np.minimum.at(boxes[:, 1], flat, ys)
    np.maximum.at(boxes[:, 2], flat, xs + 1)
    np.maximum.at(boxes[:, 3], flat, ys + 1)
    pairs, lengths, edges = _borders(labels, gradient, count)
    return _Pieces(colours / np.maximum(areas, 1)[:, None], areas, boxes, pairs, lengths, edges)


def _watershed(gradient: NDArray[np.float32]) -> NDArray[np.int64]:
    """Piece of each pixel, numbered from 0: flooded from one seed in each cell of a grid."""
    height, width = gradient.shape
    markers = np.zeros((height, width), np.int32)
    number = 0
    half = _SEED_EVERY_PX // 2
    for top in range(half // 2, height, _SEED_EVERY_PX):
        for left in range(half // 2, width, _SEED_EVERY_PX):
            cell = gradient[top : top + half, left : left + half]
            y, x = np.unravel_index(int(cell.argmin()), cell.shape)
            number += 1
            markers[top + y, left + x] = number
    relief = np.clip(gradient * 4, 0, 255).astype(np.uint8)
    cv2.watershed(cv2.merge([relief] * 3), markers)
    # Its lines between pieces go to the piece beside them.
    grown = cv2.dilate(np.maximum(markers, 0).astype(np.float32), np.ones((3, 3), np.uint8))
    labels = np.where(markers > 0, markers, grown).astype(np.int64)
    return np.asarray(np.unique(labels, return_inverse=True)[1].reshape(labels.shape), np.int64)


def _borders(
    labels: NDArray[np.int64], gradient: NDArray[np.float32], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    sides = [
        (labels[:, :-1], labels[:, 1:], np.maximum(gradient[:, :-1], gradient[:, 1:])),
        (labels[:-1], labels[1:], np.maximum(gradient[:-1], gradient[1:])),
    ]
    first = np.concatenate([np.minimum(a, b).ravel() for a, b, _ in sides])
    second = np.concatenate([np.maximum(a, b).ravel() for a, b, _ in sides])
    strength = np.concatenate([each.ravel() for _, _, each in sides])
    apart = first != second
    keys, place = np.unique(first[apart] * count + second[apart], return_inverse=True)
    lengths = np.bincount(place).astype(np.float64)
    edges = np.bincount(place, strength[apart]).astype(np.float64)
    pairs = np.stack([keys // count, keys % count], axis=1).astype(np.int64)
    return pairs, lengths, edges


class _Joining:
    """Joins pieces step by step, and remembers how much each of them stood out."""

    def __init__(self, pieces: _Pieces, size: tuple[int, int]) -> None:
        self._size = size
        self._picture_px = float(pieces.areas_px.sum())
        self._colour = dict(enumerate(pieces.colours))
        self._area_px: dict[int, float] = dict(enumerate(pieces.areas_px.tolist()))
        self._box: dict[int, Box] = {
            number: (left, top, right, bottom)
            for number, (left, top, right, bottom) in enumerate(pieces.boxes.tolist())
        }
        self._born_at = dict.fromkeys(self._box, 0.0)
        self._beside: dict[int, dict[int, tuple[float, float]]] = {each: {} for each in self._box}
        borders = zip(
            pieces.pairs.tolist(), pieces.lengths_px.tolist(), pieces.edges.tolist(), strict=True
        )
        for (one, other), length, edge in borders:
            self._beside[one][other] = self._beside[other][one] = (length, edge)

    def all_pieces(self) -> list[tuple[float, Box]]:
        """Every piece that ever was and how much it stood out, those that may be goods."""
        queue = [
            (self._difference(one, other), one, other)
            for one, beside in self._beside.items()
            for other in beside
            if one < other
        ]
        heapq.heapify(queue)
        scored: list[tuple[float, Box]] = []
        number, height = len(self._box), 0.0
        while queue:
            difference, one, other = heapq.heappop(queue)
            if one not in self._beside or other not in self._beside:
                continue
            height = max(height, difference)
            for each in (one, other):
                score = self._standing_out(each, height)
                if score > 0:
                    scored.append((score, self._box[each]))
            self._join(one, other, number, height)
            for neighbour in self._beside[number]:
                heapq.heappush(queue, (self._difference(number, neighbour), neighbour, number))
            number += 1
        return scored

    def _difference(self, one: int, other: int) -> float:
        """How unlike two neighbours are: their colours and the edge between; small ones first."""
        length, edge = self._beside[one][other]
        colour = float(np.abs(self._colour[one] - self._colour[other]).sum())
        smaller = min(self._area_px[one], self._area_px[other]) / self._picture_px
        early = min(1.0, math.sqrt(smaller / _FULL_SHARE))
        return (colour + _EDGE_WEIGHT * edge / length) * early

    def _join(self, one: int, other: int, number: int, height: float) -> None:
        area = self._area_px[one] + self._area_px[other]
        self._colour[number] = (
            self._colour[one] * self._area_px[one] + self._colour[other] * self._area_px[other]
        ) / area
        self._area_px[number] = area
        a, b = self._box[one], self._box[other]
        self._box[number] = (
            min(a[0], b[0]),
            min(a[1], b[1]),
            max(a[2], b[2]),
            max(a[3], b[3]),
        )
        self._born_at[number] = height
        beside: dict[int, tuple[float, float]] = {}
        for gone in (one, other):
            for neighbour, (length, edge) in self._beside.pop(gone).items():
                if neighbour in (one, other):
                    continue
                before = beside.get(neighbour, (0.0, 0.0))
                beside[neighbour] = (before[0] + length, before[1] + edge)
                del self._beside[neighbour][gone]
        self._beside[number] = beside
        for neighbour, border in beside.items():
            self._beside[neighbour][number] = border

    def _standing_out(self, piece: int, joined_at: float) -> float:
        """How much later a piece was joined than it came; 0 where it cannot be a product."""
        left, top, right, bottom = self._box[piece]
        width, height = right - left, bottom - top
        share = width * height / (self._size[0] * self._size[1])
        if not _SMALLEST_SHARE <= share <= _LARGEST_SHARE:
            return 0.0
        if min(width, height) < _SLIMMEST * max(width, height):
            return 0.0
        cut_off = (left == 0) + (top == 0) + (right == self._size[0]) + (bottom == self._size[1])
        filled = self._area_px[piece] / (width * height)
        persistence = joined_at - self._born_at[piece]
        cost = math.pow(_BORDER_COST, cut_off) * math.pow(share, _LARGER_FIRST)
        return persistence * filled * cost


def _in_picture(box: Box, work: tuple[int, int], size: tuple[int, int]) -> Region:
    """A rectangle of the work picture in the whole one, with a little of the ground around it."""
    x, y = size[0] / work[0], size[1] / work[1]
    left, top, right, bottom = box
    beside, above = (right - left) * _MARGIN, (bottom - top) * _MARGIN
    return Region(
        max(0, round((left - beside) * x)),
        max(0, round((top - above) * y)),
        min(size[0], round((right + beside) * x)),
        min(size[1], round((bottom + above) * y)),
    )
