"""The place of a change seen straight from above, on the plane of its board. Pure.

There a piece that stands further back looks like the one in front of it, moved back (every level of
it by nearly the same, whatever the camera's angle), so that pieces can be compared and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.interaction.compare import Change
from edge.interaction.facings import FacingsView

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Above = NDArray[np.float32]

CELL_M: Final = 0.004
_TWIN_M: Final = 0.10
_SAME_COLOUR: Final = 30.0  # grey levels that a twin's mean colour may be off


def from_above(
    view: FacingsView,
    change: Change,
    picture: Picture,
    deep_m: float,
    span_m: tuple[float, float] | None = None,
    from_w_m: float | None = None,
) -> tuple[Above, Mask, Mask]:
    """The place of a change seen straight from above, as if all of it lay on the board.

    Args:
        view: How the camera sees the facings.
        change: Which place on which board.
        picture: uint8 BGR, the whole picture ``(H, W, 3)``.
        deep_m: How deep, measured along the board.
        span_m: From where to where along the front; as wide as the change by default.
        from_w_m: How far behind the fixture's front to begin; at the change's front edge by
            default.

    Returns:
        ``(D, U, 3)``, the front first, with ``CELL_M`` a cell, which cells show the change, and
        which show the room above this board at all.
    """
    opening = view.openings[change.opening]
    fixture = view.fixtures[change.fixture]
    left, right = span_m or np.percentile(view.base_u_m[change.mask], (1, 99))
    front = change.w_m if from_w_m is None else from_w_m
    grid_u, grid_w = np.meshgrid(
        np.arange(left, right + CELL_M, CELL_M),
        np.arange(front, front + deep_m, CELL_M),
    )
    flat = np.stack([grid_u, np.full_like(grid_u, opening.bottom_m), grid_w], axis=-1)
    pixels = view.camera.project(fixture.to_shop(flat.reshape(-1, 3)))
    to_picture = picture.shape[1] / view.camera.image_size_px[0]
    whole = (((pixels + 0.5) * to_picture) - 0.5).reshape(*grid_u.shape, 2).astype(np.float32)
    work = (((pixels + 0.5) / view.scale) - 0.5).reshape(*grid_u.shape, 2).astype(np.float32)
    above = cv2.remap(picture, whole[..., 0], whole[..., 1], cv2.INTER_LINEAR)
    changed, seen = (
        cv2.remap(mask.astype(np.uint8), work[..., 0], work[..., 1], cv2.INTER_NEAREST) > 0
        for mask in (change.mask, view.opening_at == change.opening)
    )
    return np.asarray(above, np.float32), changed, seen


def twin(view: FacingsView, change: Change, shown: Picture, bare: Picture) -> float:
    """How well something that stands on the same facing looks like the object of a change.

    Args:
        view: How the camera sees the facings.
        change: Where the object is.
        shown: uint8 BGR, the whole picture ``(H, W, 3)`` with the object.
        bare: The same without it.

    Returns:
        Normalised correlation of the best place, 0 to 1.
    """
    facing = view.facings[change.facing]
    with_object, inside, _ = from_above(view, change, shown, facing.depth_m + 0.35)
    if np.count_nonzero(inside) < 30:
        return 0.0
    end = min(end_of(inside), round(_TWIN_M / CELL_M))
    template, mask = with_object[:end], inside[:end]
    columns = np.nonzero(mask.any(axis=0))[0]
    template = template[:, columns[0] : columns[-1] + 1]
    mask = mask[:, columns[0] : columns[-1] + 1]
    span = facing.u_m - 0.02, facing.u_m + facing.width_m + 0.25
    board, _, seen = from_above(view, change, bare, facing.depth_m + 0.2, span, 0.0)
    if board.shape[0] < template.shape[0] or board.shape[1] < template.shape[1]:
        return 0.0
    where = np.repeat(mask[..., None], 3, axis=2).astype(np.float32)
    scores = cv2.matchTemplate(board, template, cv2.TM_CCOEFF_NORMED, mask=where)
    rows, columns_ = scores.shape
    scores = np.where(np.isfinite(scores) & seen[:rows, :columns_], scores, 0.0)
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    place = board[row : row + template.shape[0], column : column + template.shape[1]]
    off = float(np.abs(place[mask].mean(axis=0) - template[mask].mean(axis=0)).max())
    return float(np.clip(scores[row, column], 0, 1)) if off < _SAME_COLOUR else 0.0


def end_of(inside: Mask) -> int:
    """Row behind the last that shows a change in some breadth; the change's front is row 0."""
    breadth = inside.sum(axis=1)
    usual = float(np.percentile(breadth[breadth > 0], 70))
    return int(np.nonzero(breadth >= max(1.0, 0.3 * usual))[0][-1]) + 1


def alike(one: Above, other: Above, where: Mask) -> float:
    """Normalised correlation of two pictures of one size in some cells, -1 to 1.

    Colours are compared together, each about its mean, so that light and dark alone count less.
    """
    if np.count_nonzero(where) < 30:
        return 0.0
    a, b = one[where], other[where]
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    norm = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / norm) if norm > 1e-6 else 0.0


def alike_aside(
    one: tuple[Above, Mask], other: tuple[Above, Mask], mostly: float, asides: Sequence[int]
) -> float | None:
    """How alike two pictures of one size are at best, the other one moved a little aside.

    Args:
        one: A picture, and which of its cells count.
        other: Another, and which of its cells can be compared.
        mostly: The share of the first's cells that must be comparable.
        asides: By how many cells it may be moved along the front.

    Returns:
        At least 0; ``None`` where too few cells can be compared.
    """
    needed, best = mostly * np.count_nonzero(one[1]), None
    for by in asides:
        both = one[1] & np.roll(other[1], by, axis=1)
        if np.count_nonzero(both) >= needed:
            best = max(best or 0.0, alike(one[0], np.roll(other[0], by, axis=1), both))
    return best
