"""How long a change looks: one more piece makes it longer by the distance of the rows. Pure.

Seen straight from above, a piece covers as much of the board as its depth and its height hide.
Several that stood one behind the other cover that, and the distance of the rows for each one more;
and often the picture of the foremost is there once more for each of them. What the length of one
piece is, follows from its width only roughly, and exactly from others of its kind: so it is a
belief, joint with that of the distance of rows (``rows``).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.interaction.above import CELL_M, Above, Mask, alike, end_of

LENGTHS_M: Final = np.geomspace(0.03, 0.7, 80)
TEMPLATES_M: Final = (0.05, 0.08)  # a small piece's front, then a larger one's
_USUAL: Final = 0.45  # logarithm of how long a piece looks over its width
_SPREAD: Final = 0.55
_OFF_M: Final = 0.008
_OFF: Final = 0.05
_WRONG: Final = 0.15  # of changes show only a part of what went, or something more
_WRONG_WITHIN_M: Final = 0.3
_BEYOND: Final = 6  # cells that would show more of it
_CUT_BELOW: Final = 0.35
_REPEATS: Final = 0.65
_REPEATS_AFTER: Final = 0.6  # widths; what repeats sooner is a piece's own pattern
_REPEATS_OFF_M: Final = 0.011
_MOSTLY: Final = 0.8  # of a template must be in what has changed
_REPEAT_SEEN: Final = 0.5  # how often two show as a repetition, and how often one does
_REPEAT_FALSE: Final = 0.005


def usual_lengths(width_m: float) -> NDArray[np.float64]:
    """How likely pieces of a width have each of ``LENGTHS_M``, unscaled."""
    return np.asarray(np.exp(-0.5 * ((np.log(LENGTHS_M / width_m) - _USUAL) / _SPREAD) ** 2))


def fits_length(
    with_object: Above,
    inside: Mask,
    seen: Mask,
    width_m: float,
    pitches_m: NDArray[np.float64],
    most: int,
) -> NDArray[np.float64]:
    """How well numbers, lengths and distances of rows explain how long a change looks.

    Args:
        with_object: From above, the front edge of what changed first, ``(D, U, 3)``.
        inside: Which cells show the change, ``(D, U)``.
        seen: Which cells show the room above the board at all, ``(D, U)``.
        width_m: How wide the change is.
        pitches_m: Distances of rows, ``(P,)``.
        most: How many pieces it may be.

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
    again_m = repeats_after(with_object, inside, width_m)
    if again_m is not None or not cut:
        fits = fits * _fits_repeat(again_m, pitches_m, most)
    return np.asarray(fits)


def repeats_after(with_object: Above, inside: Mask, width_m: float) -> float | None:
    """How much further back a change shows the same again as at its front.

    Args:
        with_object: From above, the front edge of what changed first, ``(D, U, 3)``.
        inside: Which cells show the change, ``(D, U)``.
        width_m: How wide it is; what repeats sooner is a piece's own pattern.

    Returns:
        Metres; ``None`` where nothing repeats.
    """
    best_m, best = None, _REPEATS
    first = round(_REPEATS_AFTER * width_m / CELL_M)
    for template_m in TEMPLATES_M:
        rows = round(template_m / CELL_M)
        front = inside[:rows]
        for start in range(first, min(len(with_object) - rows, end_of(inside))):
            both = front & inside[start : start + rows]
            if np.count_nonzero(both) < _MOSTLY * np.count_nonzero(front):
                continue
            score = alike(with_object[:rows], with_object[start : start + rows], both)
            if score > best:
                best_m, best = start * CELL_M, score
    return best_m


def _fits_repeat(
    again_m: float | None, pitches_m: NDArray[np.float64], most: int
) -> NDArray[np.float64]:
    """How well numbers and distances of rows explain where a change repeats, ``(N, 1, P)``."""
    fits = np.full((most, 1, len(pitches_m)), 1 - _REPEAT_SEEN)
    fits[0] = 1 - _REPEAT_FALSE
    if again_m is not None:
        fits[0] = _REPEAT_FALSE
        fits[1:] = _REPEAT_SEEN * np.exp(-0.5 * ((again_m - pitches_m) / _REPEATS_OFF_M) ** 2)
    return fits


def _length_of(inside: Mask, seen: Mask) -> tuple[float, bool]:
    """How long a change looks, and whether what is in the way cuts it off there."""
    end = end_of(inside)
    columns = inside[:end].any(axis=0)
    beyond = seen[end : end + _BEYOND][:, columns]
    return end * CELL_M, not beyond.size or float(beyond.mean()) < _CUT_BELOW
