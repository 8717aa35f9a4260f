"""How many pieces a change was: rows of like pieces that stand one behind the other. Pure.

Seen straight from above, on the plane of its board, a piece that stands further back looks like the
one in front of it, moved back by the distance of the rows (every level of it by nearly the same,
whatever the camera's angle). So when pieces have gone and others stand behind them, the picture
without them holds, further back, what the picture with them shows in front. Whether that is one row
further back or two follows from the width of a piece, since rows stand about as close as pieces are
wide, and from whether the whole row repeats itself at half that distance.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.planogram import Facing
from edge.interaction.compare import Change
from edge.interaction.facings import FacingsView

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Above = NDArray[np.float32]

_CELL_M: Final = 0.004
_TEMPLATES_M: Final = (0.05, 0.08)  # a small piece's front, then a larger one's
_TWIN_M: Final = 0.10
_LEAST_PITCH_M: Final = 0.032
_LEAST_PITCH: Final = 0.5  # of a piece's width
_ALIKE: Final = 0.72
_PRIOR: Final = (0.865, 0.13, 0.005)
_PITCH_USUAL: Final = -0.15  # logarithm of the rows' distance over a piece's width
_PITCH_SPREAD: Final = 0.35
_LEAD_WEIGHT: Final = 10.0
_EDGE: Final = 60.0  # change of grey level from which a cell has an outline in it
_BESIDE_M: Final = 0.015  # how far from the middle of its column a piece stands
_REPEATS: Final = 0.35  # outlines of a single piece repeat themselves less
_REPEATS_WEIGHT: Final = 25.0
_SAME_COLOUR: Final = 30.0  # grey levels that a twin's mean colour may be off


def numbers(
    view: FacingsView, change: Change, before: Picture, after: Picture
) -> tuple[tuple[int, float], ...]:
    """How likely each number of pieces is, likeliest first; shares sum to 1.

    Args:
        view: How the camera sees the facings.
        change: What changed; its direction must be clear.
        before: uint8 BGR, the whole picture ``(H, W, 3)`` as it was, in full size.
        after: As it is.
    """
    facing = view.facings[change.facing]
    if facing.capacity == 1:
        return ((1, 1.0),)
    shown, bare = (before, after) if change.direction == "vanished" else (after, before)
    with_object, inside, seen = from_above(view, change, shown, facing.depth_m + 0.35)
    without, _, _ = from_above(view, change, bare, facing.depth_m + 0.35)
    if not inside.any():
        return ((1, 1.0),)
    back_m = moved_back(with_object, without, inside, facing.depth_m)
    width_m = max(change.width_m, _LEAST_PITCH_M)
    doubt = np.log(np.array(_PRIOR))
    for number in range(1, len(_PRIOR) + 1):
        if back_m is not None:
            pitch_m = back_m / number
            doubt[number - 1] -= (
                0.5 * ((np.log(pitch_m / width_m) - _PITCH_USUAL) / _PITCH_SPREAD) ** 2
            )
            doubt[number - 1] += np.log(_room_for(facing, change, pitch_m))
            lead = _repeats(with_object, seen, pitch_m) - _repeats(with_object, seen, back_m)
            doubt[number - 1] += _LEAD_WEIGHT * lead
        elif number > 1:
            longest_m = _end(inside) * _CELL_M / number
            least_m = max(_LEAST_PITCH_M, _LEAST_PITCH * width_m)
            lags = np.arange(least_m, longest_m, _CELL_M)
            own = seen & (np.arange(len(seen)) < _end(inside))[:, None]
            score = max((_repeats(with_object, own, float(lag)) for lag in lags), default=0.0)
            doubt[number - 1] += _REPEATS_WEIGHT * (score - _REPEATS)
    shares = np.exp(doubt - doubt.max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")
    return tuple((int(each) + 1, float(shares[each])) for each in order)


def _room_for(facing: Facing, change: Change, pitch_m: float) -> float:
    """How likely rows so far apart are, given that the facing's capacity fits it, 0 to 1.

    Pieces stand in columns that share the width evenly; how many there are shows in where the
    piece stood. What is left of the capacity stands one behind the other in its depth.
    """
    room, total = 0.0, 0.0
    for columns in range(1, facing.capacity + 1):
        column_m = facing.width_m / columns
        if facing.capacity % columns or (columns > 1 and column_m < 0.95 * change.width_m):
            continue
        place = (change.u_m - facing.u_m) / column_m
        beside_m = abs(place - np.floor(place) - 0.5) * column_m
        weight = float(np.exp(-0.5 * (beside_m / _BESIDE_M) ** 2) + 0.01) / columns
        total += weight
        fits = pitch_m * facing.capacity / columns <= 1.08 * facing.depth_m
        room += weight * (1.0 if fits else 0.02)
    return room / total if total else 1.0


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
        ``(D, U, 3)``, the front first, with ``_CELL_M`` a cell, which cells show the change, and
        which show the room above this board at all.
    """
    opening = view.openings[change.opening]
    fixture = view.fixtures[change.fixture]
    left, right = span_m or np.percentile(view.base_u_m[change.mask], (1, 99))
    front = change.w_m if from_w_m is None else from_w_m
    grid_u, grid_w = np.meshgrid(
        np.arange(left, right + _CELL_M, _CELL_M),
        np.arange(front, front + deep_m, _CELL_M),
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
    end = min(_end(inside), round(_TWIN_M / _CELL_M))
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


def moved_back(with_object: Above, without: Above, inside: Mask, depth_m: float) -> float | None:
    """How much further back the picture without the object shows what its front looks like.

    Args:
        with_object: From above, the object's front edge first, ``(D, U, 3)``.
        without: The same place without it.
        inside: Which cells show the change, ``(D, U)``.
        depth_m: How deep goods can stand.

    Returns:
        Metres, or ``None`` where nothing like it stands behind it.
    """
    for template_m in _TEMPLATES_M:
        rows = round(template_m / _CELL_M)
        farthest = min(len(without) - rows, round(depth_m / _CELL_M))
        scores = [
            (
                alike(with_object[:rows], without[start : start + rows], inside[:rows]),
                start * _CELL_M,
            )
            for start in range(round(_LEAST_PITCH_M / _CELL_M), farthest)
        ]
        score, back_m = max(scores, default=(0.0, 0.0))
        if score >= _ALIKE:
            return back_m
    return None


def _repeats(above: Above, where: Mask, lag_m: float) -> float:
    """How well outlines seen from above repeat themselves so much further back, -1 to 1."""
    rows = round(lag_m / _CELL_M)
    edges = np.concatenate(
        [cv2.Sobel(above, cv2.CV_32F, 0, 1), cv2.Sobel(above, cv2.CV_32F, 1, 0)], axis=2
    )
    best = 0.0
    for lag in range(max(4, rows - 1), min(rows + 3, len(above) - 4)):
        near, far = edges[:-lag], edges[lag:]
        both = where[:-lag] & where[lag:]
        both &= np.abs(near).max(axis=2) + np.abs(far).max(axis=2) > _EDGE
        if np.count_nonzero(both) < 30:
            continue
        a, b = near[both], far[both]
        best = max(best, float((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum() + 1e-6)))
    return best


def _end(inside: Mask) -> int:
    """Row behind the last that shows a change in some breadth."""
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
