"""How long a change looks: one more piece makes it longer by the distance of the rows. Pure.

Seen straight from above, a piece covers as much of the board as its depth and its height hide.
Several that stood one behind the other cover that, and the distance of the rows for each one more;
and the picture of one is there once more for each of them: of the foremost its front, where rows
stand far apart, and of the rearmost its top, which nothing hides. What the length of one piece is,
follows from its width only roughly, and exactly from others of its kind: so it is a belief, joint
with that of the distance of rows (``rows``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.interaction.above import CELL_M, Above, Mask, alike_aside, end_of
from edge.interaction.compare import Change
from edge.interaction.facings import FacingsView

LENGTHS_M: Final = np.geomspace(0.03, 0.7, 80)
TEMPLATES_M: Final = (0.05, 0.08)  # a small piece's front, then a larger one's
_USUAL: Final = 0.45  # logarithm of how long a piece looks over its width
_SPREAD: Final = 0.55
_OFF_M: Final = 0.008
_OFF: Final = 0.05
_SIZE_OFF: Final = 0.05
_LEAST_OVER_M: Final = 0.02
_WRONG: Final = 0.15  # of changes show only a part of what went, or something more
_WRONG_WITHIN_M: Final = 0.3
_BEYOND: Final = 6  # cells that would show more of it
_CUT_BELOW: Final = 0.35
_REPEATS: Final = 0.65
_TOP_REPEATS: Final = 0.75
_REPEATS_AFTER: Final = 0.65  # widths; what repeats sooner is a piece's own pattern
_REPEATS_OFF_M: Final = 0.011
_MOSTLY: Final = 0.8  # of a template must be in what has changed
_TOP_MOSTLY: Final = 0.7
_ASIDES: Final = (-2, -1, 0, 1, 2)  # cells that the pieces of a column stand aside of each other
_ABOUT_AS_ALIKE: Final = 0.1
_DIP: Final = 0.25
_RAGGED: Final = 3  # cells that the end of a change is frayed by
_REPEAT_SEEN: Final = 0.65  # how often two show as a repetition, and how often one does
_REPEAT_FALSE: Final = 0.01
_REPEAT_ELSEWHERE: Final = 0.018  # that it is found at another distance than the rows'


def usual_lengths(width_m: float) -> NDArray[np.float64]:
    """How likely pieces of a width have each of ``LENGTHS_M``, unscaled."""
    return np.asarray(np.exp(-0.5 * ((np.log(LENGTHS_M / width_m) - _USUAL) / _SPREAD) ** 2))


def lengths_of(
    view: FacingsView, change: Change, piece_m: tuple[float, float, float]
) -> NDArray[np.float64]:
    """How likely a piece of a known size has each of ``LENGTHS_M`` where a change is, unscaled.

    It hides its depth and, behind that, what the camera would see of the board over its top: as far
    as the middle of it where it is slender on top, as far as its back where it is a box.

    Args:
        view: How the camera sees the facings.
        change: Where the piece stands.
        piece_m: Its width, depth and height.
    """
    _, depth_m, height_m = piece_m
    fixture = view.fixtures[change.fixture]
    away = view.camera.position_m - np.array(fixture.origin_m)
    above_m = float(away @ np.array(fixture.up)) - view.openings[change.opening].bottom_m
    before_m = float(away @ fixture.inward)
    over = above_m / max(above_m - height_m, _LEAST_OVER_M)
    ends_m = [(w_m - before_m) * over + before_m for w_m in _tops(change.w_m, depth_m)]
    nearest_m, farthest_m = (each - change.w_m for each in ends_m)
    beyond_m = np.maximum(nearest_m - LENGTHS_M, 0) + np.maximum(LENGTHS_M - farthest_m, 0)
    return np.asarray(np.exp(-0.5 * (beyond_m / (_OFF_M + _SIZE_OFF * farthest_m)) ** 2))


def _tops(front_m: float, depth_m: float) -> tuple[float, float]:
    """How far into the fixture what is highest of a piece is, at the nearest and the farthest."""
    return front_m + depth_m / 2, front_m + depth_m


def fits_length(
    inside: Mask,
    seen: Mask,
    width_m: float,
    pitches_m: NDArray[np.float64],
    most: int,
    again_m: float | None,
) -> NDArray[np.float64]:
    """How well numbers, lengths and distances of rows explain how long a change looks.

    Args:
        inside: From above, which cells show the change, its front edge first, ``(D, U)``.
        seen: Which cells show the room above the board at all, ``(D, U)``.
        width_m: How wide the change is.
        pitches_m: Distances of rows, ``(P,)``.
        most: How many pieces it may be.
        again_m: How much further back it shows the same again, `repeats_after`.

    Returns:
        For one piece, two ... of each length and distance, ``(N, L, P)``.
    """
    length_m, cut = _length_of(inside, seen)
    expected_m = LENGTHS_M[:, None] + np.arange(most)[:, None, None] * pitches_m
    lacks_m = length_m - expected_m
    if cut:  # it is at least so long
        lacks_m = np.maximum(lacks_m, 0.0)
    off_m = _OFF_M + _OFF * length_m
    right = np.exp(-0.5 * (lacks_m / off_m) ** 2)
    fits = (1 - _WRONG) * right + _WRONG * off_m / _WRONG_WITHIN_M
    if again_m is not None or not cut:
        fits = fits * _fits_repeat(again_m, pitches_m, most, _REPEATS_AFTER * width_m)
    return np.asarray(fits)


def repeats_after(with_object: Above, inside: Mask, width_m: float) -> float | None:
    """How much further back a change shows the same again.

    Args:
        with_object: From above, the front edge of what changed first, ``(D, U, 3)``.
        inside: Which cells show the change, ``(D, U)``.
        width_m: How wide it is; what repeats sooner is a piece's own pattern.

    Returns:
        Metres; ``None`` where nothing repeats.
    """
    first = max(2, round(_REPEATS_AFTER * width_m / CELL_M))
    tops = _top_repeats(with_object, inside, first)
    if tops is not None:
        return tops
    best_m, best = None, _REPEATS
    for template_m in TEMPLATES_M:
        rows, least = round(template_m / CELL_M), 1.0
        for by in range(2, min(len(with_object) - rows, end_of(inside))):
            score = _again(with_object, inside, (0, rows), by, _MOSTLY, (0,))
            least = least if score is None else min(least, score)
            if score is not None and by >= first and score > max(best, least + _DIP):
                best_m, best = by * CELL_M, score
    return best_m


def _top_repeats(with_object: Above, inside: Mask, first: int) -> float | None:
    """How much further in front a change shows the same as at its far end, from ``first`` cells on.

    The far end is the top of the rearmost piece. The nearest of places that look about as alike is
    that of the next row.
    """
    repeated: dict[int, float] = {}
    for end in (end_of(inside), end_of(inside) - _RAGGED):
        for template_m in TEMPLATES_M:
            begin, least = end - round(template_m / CELL_M), 1.0
            for by in (*range(2, min(first, begin + 1), 2), *range(first, begin + 1)):
                score = _again(with_object, inside, (begin, end), -by, _TOP_MOSTLY, _ASIDES)
                least = least if score is None else min(least, score)
                # What is plain looks like itself everywhere; between two tops is something else.
                if score is not None and by >= first and score >= max(_TOP_REPEATS, least + _DIP):
                    repeated[by] = max(score, repeated.get(by, 0.0))
    if not repeated:
        return None
    enough = max(repeated.values()) - _ABOUT_AS_ALIKE
    near = min(by for by, score in repeated.items() if score >= enough)
    around = [by for by in repeated if near <= by <= near + _RAGGED]
    return max(around, key=lambda by: repeated[by]) * CELL_M


def _again(
    with_object: Above,
    inside: Mask,
    rows: tuple[int, int],
    by: int,
    mostly: float,
    asides: Sequence[int],
) -> float | None:
    """How alike some rows of a change and those so many behind them are; ``None``: not in it."""
    here, there = slice(*rows), slice(rows[0] + by, rows[1] + by)
    return alike_aside(
        (with_object[here], inside[here]), (with_object[there], inside[there]), mostly, asides
    )


def _fits_repeat(
    again_m: float | None, pitches_m: NDArray[np.float64], most: int, from_m: float
) -> NDArray[np.float64]:
    """How well numbers and distances of rows explain where a change repeats, ``(N, 1, P)``.

    Rows closer than ``from_m`` are not looked for, so that none were found says nothing of them.
    """
    fits = np.full((most, 1, len(pitches_m)), 1 - _REPEAT_SEEN)
    fits[..., pitches_m < from_m] = 1 - _REPEAT_FALSE
    fits[0] = 1 - _REPEAT_FALSE
    if again_m is not None:
        fits[0] = _REPEAT_FALSE
        right = np.exp(-0.5 * ((again_m - pitches_m) / _REPEATS_OFF_M) ** 2)
        fits[1:] = _REPEAT_SEEN * (right + _REPEAT_ELSEWHERE)
    return fits


def _length_of(inside: Mask, seen: Mask) -> tuple[float, bool]:
    """How long a change looks, and whether what is in the way cuts it off there."""
    end = end_of(inside)
    columns = inside[:end].any(axis=0)
    beyond = seen[end : end + _BEYOND][:, columns]
    return end * CELL_M, not beyond.size or float(beyond.mean()) < _CUT_BELOW
