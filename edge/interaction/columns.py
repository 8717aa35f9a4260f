"""How the goods of a facing may stand: columns side by side, rows one behind the other. Pure.

A planogram says how many pieces fit, and it may say how many stand side by side. Where it does not,
pieces stand in columns that share the width evenly, as many as fit, and what is left of the
capacity stands one behind the other in the depth. Where the facing's stock is known, what the front
rows of all its columns leave room for says how many pieces a column can hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.planogram import Facing
from edge.interaction.above import CELL_M, from_above
from edge.interaction.compare import Change
from edge.interaction.facings import FacingsView

Picture = NDArray[np.uint8]

_BESIDE_M: Final = 0.015  # how far from the middle of its column a piece stands
_MORE_WOULD_FIT: Final = 0.4
_TOO_DEEP: Final = 0.005
_UNSEEN: Final = 0.6  # a column in whose front nothing is seen
_MISSED: Final = 0.4  # a column in whose front nothing is seen, though so many must be in use
_FRONT_M: Final = 0.02  # from the fixture's front to the first row
_FRONT_PIECE_M: Final = 0.05
_SAME: Final = 0.6
_STOCK_WRONG: Final = 0.1  # the share of belief that the stock's evidence never takes


@dataclass(frozen=True)
class Layout:
    """A way to stand.

    Attributes:
        columns: Side by side.
        rows: One behind the other.
        weight: How likely it is; the weights of a facing sum to 1.
    """

    columns: int
    rows: int
    weight: float

    def room_for(
        self, pitch_m: NDArray[np.float64], depth_m: float, last_m: float
    ) -> NDArray[np.float64]:
        """How likely distances between rows are, given that just so many rows fit the depth.

        Args:
            pitch_m: The distances.
            depth_m: The depth.
            last_m: How far behind the front a row is known to stand.
        """
        fits = np.where(pitch_m * self.rows <= 1.08 * depth_m, 1.0, _TOO_DEEP)
        fills = np.clip(pitch_m * (self.rows + 1) / (0.92 * depth_m), 0.2, 1.0) ** 2
        rows = (last_m - _FRONT_M) / pitch_m + 1
        holds = np.where(rows <= self.rows + 0.35, 1.0, _TOO_DEEP)
        return np.asarray(fits * fills * holds)


@dataclass(frozen=True)
class Standing:
    """A front row of goods.

    Attributes:
        u_m: The middle of its piece along the fixture's front.
        w_m: How far behind the fixture's front it stands.
    """

    u_m: float
    w_m: float


def fronts(view: FacingsView, change: Change, shown: Picture) -> tuple[Standing, ...]:
    """Where pieces like that of a change are seen to stand foremost on its facing.

    Args:
        view: How the camera sees the facings.
        change: The piece, itself the first of the result.
        shown: uint8 BGR, the whole picture ``(H, W, 3)`` with it.
    """
    facing = view.facings[change.facing]
    found = [Standing(change.u_m, change.w_m)]
    with_object, inside, _ = from_above(view, change, shown, _FRONT_PIECE_M)
    columns = np.nonzero(inside.any(axis=0))[0]
    if not len(columns):
        return tuple(found)
    template = with_object[:, columns[0] : columns[-1] + 1]
    mask = inside[:, columns[0] : columns[-1] + 1]
    span = facing.u_m - 0.01, facing.u_m + facing.width_m + 0.01
    board, _, seen = from_above(view, change, shown, facing.depth_m, span, 0.0)
    if any(have < need for have, need in zip(board.shape[:2], template.shape[:2], strict=True)):
        return tuple(found)
    where = np.repeat(mask[..., None], 3, axis=2).astype(np.float32)
    scores = cv2.matchTemplate(board, template, cv2.TM_CCOEFF_NORMED, mask=where)
    rows, width = scores.shape
    scores = np.where(np.isfinite(scores) & seen[:rows, :width], scores, 0.0)
    foremost = scores.max(axis=0)
    while foremost.max() >= _SAME:
        column = int(foremost.argmax())
        u_m = span[0] + (column + template.shape[1] / 2) * CELL_M
        if all(abs(u_m - each.u_m) >= 0.8 * change.width_m for each in found):
            around = scores[:, max(0, column - 2) : column + 3].max(axis=1)
            row = int(np.nonzero(around >= max(_SAME, foremost[column] - 0.12))[0][0])
            found.append(Standing(u_m, row * CELL_M))
        reach = max(1, round(0.5 * change.width_m / CELL_M))
        foremost[max(0, column - reach) : column + reach + 1] = 0.0
    return tuple(found)


def layouts(
    facing: Facing, seen: Sequence[Standing], width_m: float, pieces: int
) -> tuple[Layout, ...]:
    """The ways in which a facing's goods may stand.

    Args:
        facing: The facing.
        seen: Pieces that stand foremost.
        width_m: How wide they are.
        pieces: How many are believed to have stood on the facing.
    """
    if facing.columns is not None:
        return (Layout(facing.columns, -(-facing.capacity // facing.columns), 1.0),)
    found: list[Layout] = []
    for columns in range(1, facing.capacity + 1):
        column_m = facing.width_m / columns
        if facing.capacity % columns or (columns > 1 and column_m < 0.95 * width_m):
            continue
        weight = 1.0 / columns
        for each in seen:
            place = (each.u_m - facing.u_m) / column_m
            beside_m = abs(place - np.floor(place) - 0.5) * column_m
            weight *= float(np.exp(-0.5 * (beside_m / _BESIDE_M) ** 2) + 0.1)
        if facing.width_m / (columns + 1) > width_m + 0.03:
            weight *= _MORE_WOULD_FIT
        rows = facing.capacity // columns
        needed = min(columns, -(-pieces // rows))
        weight *= _UNSEEN ** max(0, columns - max(needed, len(seen)))
        weight *= _MISSED ** max(0, needed - len(seen))
        found.append(Layout(columns, rows, weight))
    total = sum(each.weight for each in found)
    if not total:
        return (Layout(1, facing.capacity, 1.0),)
    return tuple(Layout(each.columns, each.rows, each.weight / total) for each in found)


def by_column(facing: Facing, seen: Sequence[Standing], layout: Layout) -> tuple[Standing, ...]:
    """Those that stand foremost in a column of a layout each; the first of all stays the first.

    What stands between columns is none of their first rows: a part of something that looks alike.
    """
    column_m = facing.width_m / layout.columns
    first = seen[0]
    own = int((first.u_m - facing.u_m) // column_m)
    found: dict[int, Standing] = {}
    for each in seen[1:]:
        place = (each.u_m - facing.u_m) / column_m
        column = int(place // 1)
        if column == own or abs(place - column - 0.5) * column_m > 2 * _BESIDE_M:
            continue
        if column not in found or each.w_m < found[column].w_m:
            found[column] = each
    return (first, *(found[column] for column in sorted(found)))


def left_by_layout(
    facing: Facing,
    seen: Sequence[Standing],
    options: Sequence[Layout],
    pitch_m: float,
    pieces: int,
) -> NDArray[np.float64]:
    """The same as ``left_in_column``, for all ways in which a facing's goods may stand.

    Args:
        facing: The facing.
        seen: Pieces that stand foremost somewhere, that of the change first.
        options: How the goods may stand.
        pitch_m: Distance of the rows.
        pieces: How many are believed to have stood on the facing.
    """
    held = np.zeros(max(each.rows for each in options))
    for each in options:
        room = float(each.room_for(np.array([pitch_m]), facing.depth_m, seen[0].w_m)[0])
        mine = left_in_column(by_column(facing, seen, each), each, pitch_m, pieces)
        held[: len(mine)] += each.weight * room * mine
    return np.asarray(held / held.sum())


def left_in_column(
    seen: Sequence[Standing], layout: Layout, pitch_m: float, pieces: int
) -> NDArray[np.float64]:
    """How likely each number of pieces is to have stood in the column of a change.

    Args:
        seen: Pieces that stand foremost in their columns, that of the change first.
        layout: How the goods stand.
        pitch_m: Distance of the rows.
        pieces: How many are believed to have stood on the facing.

    Returns:
        Shares for 1, 2, ... pieces, which sum to 1.
    """
    rooms = [
        int(np.clip(layout.rows - round((each.w_m - _FRONT_M) / pitch_m), 1, layout.rows))
        for each in seen
    ]
    any_number = np.full(rooms[0], 1 / rooms[0])
    known = _by_stock(rooms[0], rooms[1:], layout, pieces)
    if known is None:
        return any_number
    return (1 - _STOCK_WRONG) * known + _STOCK_WRONG * any_number


def _by_stock(
    room: int, others: Sequence[int], layout: Layout, pieces: int
) -> NDArray[np.float64] | None:
    """How many pieces a column holds when all columns together hold so many.

    Every way to fill the columns behind their front rows is as likely as any other; a column in
    which nothing was seen is empty, or what stands in it was not known again.
    """
    ways = np.ones(1)
    for other in others:
        ways = np.convolve(ways, np.append(0.0, np.ones(other)))
    unseen = np.append(1.0, np.full(layout.rows, _UNSEEN / layout.rows))
    for _ in range(layout.columns - len(others) - 1):
        ways = np.convolve(ways, unseen)
    left = pieces - np.arange(1, room + 1)
    held = np.where((left >= 0) & (left < len(ways)), ways[np.clip(left, 0, len(ways) - 1)], 0.0)
    return held / held.sum() if held.any() else None
