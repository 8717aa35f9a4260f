"""How many pieces a change was: rows of like pieces that stand one behind the other. Pure.

Seen straight from above, the picture without the pieces holds, further back, what the picture with
them shows in front. How many rows that is follows from the rows' distance. And the more pieces they
were, the longer they look: each one further adds the rows' distance to the length of one. What is
known about distance and length (``lengths``) is a joint belief for each SKU: from the planogram (as
many columns and rows as fit), from the width of a piece, from rows that show further back, and from
every change of it that was seen before. Where nothing stands behind, the column was emptied, and
how many it held follows from its first row and from the stock of the facing too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.planogram import Facing
from edge.interaction.above import CELL_M, Above, Mask, alike_aside, from_above
from edge.interaction.boxes import Size, fits_boxes
from edge.interaction.columns import Layout, Standing, by_column, fronts, layouts, left_by_layout
from edge.interaction.compare import Change
from edge.interaction.facings import FacingsView
from edge.interaction.lengths import (
    LENGTHS_M,
    TEMPLATES_M,
    fits_length,
    lengths_of,
    repeats_after,
    usual_lengths,
)

Picture = NDArray[np.uint8]

_LEAST_PITCH_M: Final = 0.03
_ALIKE: Final = 0.57
_FURTHER: Final = 0.5
_AS_GOOD: Final = 0.12  # the nearest of rows that look about as alike is the next one
_PRIOR: Final = (0.865, 0.13, 0.005)
_PITCHES_M: Final = np.geomspace(_LEAST_PITCH_M, 0.5, 120)
_PITCH_USUAL: Final = -0.15  # logarithm of the rows' distance over a piece's width
_PITCH_SPREAD: Final = 0.35
_ROW_GAP_M: Final = 0.012
_ROW_GAP_SPREAD_M: Final = 0.008
_OFF_M: Final = 0.007
_GAP_OFF_M: Final = 0.011
_GAP_WRONG: Final = 0.2
_HARDLY_NEARER: Final = 0.8  # than what a change repeats after
_SPURIOUS: Final = 0.01  # how easily what stands there looks like a row behind and is none
_PARTLY: Final = 0.35  # of a template must be in sight
_ASIDES: Final = (-2, 0, 2)  # cells that the pieces of a column stand aside of each other
_ENOUGH_M: Final = max(TEMPLATES_M)  # of a piece has to be in sight to know it again
_WHOLLY: Final = 0.95


@dataclass(frozen=True, eq=False)
class RowPitch:
    """What changes of an SKU so far say about the distance of its rows and the length of a piece.

    Attributes:
        likelihood: Of what was seen, for each length and each distance, ``(L, P)``.
        least_m2: The least of its board that a piece has covered, seen straight from above.
    """

    likelihood: NDArray[np.float64]
    least_m2: float = math.inf

    @classmethod
    def unknown(cls) -> RowPitch:
        """Nothing seen yet."""
        return cls(np.ones((len(LENGTHS_M), len(_PITCHES_M))))

    @property
    def is_known(self) -> bool:
        """Whether any change was seen before."""
        return math.isfinite(self.least_m2)

    def and_seen(self, likelihood: NDArray[np.float64], piece_m2: float) -> RowPitch:
        """With another change, of which each piece covered so much of the board."""
        both = self.likelihood * (likelihood / max(float(likelihood.max()), 1e-12) + 0.02)
        return RowPitch(both / both.max(), min(self.least_m2, piece_m2))


@dataclass(frozen=True, eq=False)
class Counted:
    """How many pieces a change was.

    Attributes:
        numbers: How likely each number is, likeliest first; shares sum to 1.
        pitch: What is known about the rows' distance with this change.
        part: How much of the board all of it covered, against the least that a piece did before.
    """

    numbers: tuple[tuple[int, float], ...]
    pitch: RowPitch
    part: float = 1.0


def count(
    view: FacingsView,
    change: Change,
    before: Picture,
    after: Picture,
    pitch: RowPitch,
    pieces: int,
) -> Counted:
    """How likely each number of pieces is.

    Args:
        view: How the camera sees the facings.
        change: What changed; its direction must be clear.
        before: uint8 BGR, the whole picture ``(H, W, 3)`` as it was, in full size.
        after: As it is.
        pitch: What is known about the goods' rows.
        pieces: How many are believed to have stood on the facing before.
    """
    facing = view.facings[change.facing]
    if facing.capacity == 1:
        return Counted(((1, 1.0),), pitch)
    vanished = change.direction == "vanished"
    shown, bare = (before, after) if vanished else (after, before)
    with_object, inside, _ = from_above(view, change, shown, facing.depth_m + 0.35)
    without, _, seen = from_above(view, change, bare, facing.depth_m + 0.35)
    if not inside.any():
        return Counted(((1, 1.0),), pitch)
    standing = fronts(view, change, shown)
    options = layouts(facing, standing, max(change.width_m, _LEAST_PITCH_M), pieces)
    again_m = repeats_after(with_object, inside, max(change.width_m, _LEAST_PITCH_M))
    nearest_m = max(_LEAST_PITCH_M, _HARDLY_NEARER * (again_m or 0.0))
    behind = rows_behind(with_object, without, inside, seen, facing.depth_m, nearest_m)
    likeliest = max(options, key=lambda each: each.weight)
    staggered = _fits_staggered(change, by_column(facing, standing, likeliest))
    usual = _usual(view, change)
    belief = _belief(options, facing, change, usual * pitch.likelihood, 0.0) * staggered
    long_as = fits_length(inside, seen, change.width_m, _PITCHES_M, len(_PRIOR), again_m)
    prior = np.array(_PRIOR)[:, None, None]
    if facing.piece_m is not None:
        rows_m = rows_apart_m(facing.piece_m)
        boxes = fits_boxes(view, change, facing.piece_m, rows_m, len(_PRIOR))
        prior = prior * boxes[:, None, None]
    joint = prior * long_as
    if vanished:
        pitch_m = float(_PITCHES_M[(joint * belief).sum(axis=(0, 1)).argmax()])
        held = left_by_layout(facing, standing, options, pitch_m, pieces)
        joint = joint * _emptied(held, _hidden(seen))[:, None]
    weights = (joint * _normalised(belief)).sum(axis=(1, 2))
    if behind:
        belief = _belief(options, facing, change, usual * pitch.likelihood, behind[0])
        belief = _normalised(belief * staggered)
        seen_as = np.stack([_fits(behind, number) for number in range(1, len(_PRIOR) + 1)])
        joint = prior * seen_as[:, None] * long_as
        weights = (joint * belief).sum(axis=(1, 2)) + _SPURIOUS * weights
    numbers = _shares(weights)
    covered_m2 = float(np.count_nonzero(inside)) * CELL_M**2
    known = pitch.and_seen(joint.sum(axis=0), covered_m2 / numbers[0][0])
    return Counted(numbers, known, covered_m2 / pitch.least_m2 if pitch.is_known else 1.0)


def rows_apart_m(piece_m: Size) -> float:
    """How far apart rows of pieces of a size usually stand."""
    return piece_m[1] + _ROW_GAP_M


def more_than_one(
    numbers: tuple[tuple[int, float], ...], likelier: float
) -> tuple[tuple[int, float], ...]:
    """The numbers of a change where something else says how much likelier several pieces are.

    Args:
        numbers: How likely each is, as ``Counted`` has them.
        likelier: Than one.
    """
    weights = [(number, share * (likelier if number > 1 else 1.0)) for number, share in numbers]
    total = sum(weight for _, weight in weights)
    shares = [(number, weight / total) for number, weight in weights]
    return tuple(sorted(shares, key=lambda each: (-each[1], each[0])))


def rows_behind(
    with_object: Above,
    without: Above,
    inside: Mask,
    seen: Mask,
    depth_m: float,
    nearest_m: float = _LEAST_PITCH_M,
) -> tuple[float, ...]:
    """How much further back the picture without the object shows what its front looks like.

    Args:
        with_object: From above, the object's front edge first, ``(D, U, 3)``.
        without: The same place without it.
        inside: Which cells show the change, ``(D, U)``.
        seen: Which cells show the room above the board at all, ``(D, U)``.
        depth_m: How deep goods can stand.
        nearest_m: No row stands nearer.

    Returns:
        Metres to the next row and to further ones, ascending; empty where nothing like it stands
        behind it.
    """
    alike_at = [
        _alike_behind(with_object, without, inside, seen, depth_m, each) for each in TEMPLATES_M
    ]
    for number, scores in enumerate(alike_at):
        peaks = [each for each in _peaks(scores) if each * CELL_M >= nearest_m]
        best = max((scores[each] for each in peaks), default=0.0)
        if best >= _ALIKE:
            scores = _agreed(scores, alike_at[number + 1 :], peaks)
            best = max(scores[each] for each in peaks)
            least = max(_ALIKE - 0.04, best - _AS_GOOD)
            first = next(each for each in peaks if scores[each] >= least)
            further = [each for each in peaks if each > first and scores[each] >= _FURTHER]
            return tuple(each * CELL_M for each in (first, *further))
    return ()


def _alike_behind(
    with_object: Above, without: Above, inside: Mask, seen: Mask, depth_m: float, template_m: float
) -> NDArray[np.float64]:
    """How alike the front of an object and each place further back are, by cells, at least 0."""
    rows = round(template_m / CELL_M)
    farthest = min(len(without) - rows, round(depth_m / CELL_M))
    scores = np.zeros(max(farthest, 0))
    for start in range(farthest):
        there = slice(start, start + rows)
        score = alike_aside(
            (with_object[:rows], inside[:rows]), (without[there], seen[there]), _PARTLY, _ASIDES
        )
        scores[start] = score or 0.0
    return scores


def _agreed(
    scores: NDArray[np.float64], larger: Sequence[NDArray[np.float64]], peaks: Sequence[int]
) -> NDArray[np.float64]:
    """Scores of a template as larger ones see them, where those know the object again somewhere.

    The front of what is slender looks like much that stands there; more of it does not.
    """
    for each in larger:
        known = [peak for peak in peaks if _about(each, peak) >= _ALIKE]
        if known:
            agreed = scores.copy()
            agreed[list(peaks)] = [(scores[peak] + _about(each, peak)) / 2 for peak in peaks]
            return agreed
    return scores


def _about(scores: NDArray[np.float64], place: int) -> float:
    """The best score within a centimetre of a place."""
    reach = round(0.01 / CELL_M)
    return float(scores[max(0, place - reach) : place + reach + 1].max(initial=0.0))


def _peaks(scores: NDArray[np.float64]) -> list[int]:
    """Places of a row of scores that are the best within 2 cm either way."""
    reach = round(0.02 / CELL_M)
    return [
        place
        for place, score in enumerate(scores[:-1])
        if place and score == scores[max(0, place - reach) : place + reach + 1].max()
    ]


def _shows(seen: Mask, pitch_m: float) -> bool:
    """Whether a piece so far behind would be seen well enough to be known again."""
    row = seen[round(pitch_m / CELL_M) :][: round(_ENOUGH_M / CELL_M)]
    return len(row) > 0 and float(row.mean()) > _WHOLLY


def _usual(view: FacingsView, change: Change) -> NDArray[np.float64]:
    """How likely each length of a piece and distance of rows is before anything of it was seen.

    Where the planogram says how large a piece is, they follow from its size; otherwise, roughly,
    from how wide the change is.

    Returns:
        Unscaled, ``(L, P)``.
    """
    piece_m = view.facings[change.facing].piece_m
    if piece_m is None:
        width_m = max(change.width_m, _LEAST_PITCH_M)
        off = (np.log(_PITCHES_M / width_m) - _PITCH_USUAL) / _PITCH_SPREAD
        return usual_lengths(width_m)[:, None] * np.exp(-0.5 * off**2)
    off = (_PITCHES_M - rows_apart_m(piece_m)) / _ROW_GAP_SPREAD_M
    return lengths_of(view, change, piece_m)[:, None] * np.exp(-0.5 * off**2)


def _belief(
    options: tuple[Layout, ...],
    facing: Facing,
    change: Change,
    known: NDArray[np.float64],
    next_m: float,
) -> NDArray[np.float64]:
    """How likely each length of a piece and distance of rows is, given where they stand.

    Returns:
        Sums to 1, ``(L, P)``.
    """
    room = np.zeros(len(_PITCHES_M))
    for layout in options:
        last_m = change.w_m + next_m
        room += layout.weight * layout.room_for(_PITCHES_M, facing.depth_m, last_m)
    return _normalised(known * room)


def _normalised(belief: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(belief / max(float(belief.sum()), 1e-12))


def _fits_staggered(change: Change, foremost: Sequence[Standing]) -> NDArray[np.float64]:
    """How well each distance of rows explains by how much the columns' first rows are apart."""
    fits = np.ones(len(_PITCHES_M))
    for each in foremost:
        apart_m = abs(each.w_m - change.w_m)
        if apart_m < _LEAST_PITCH_M / 2:
            continue
        rows = np.maximum(np.rint(apart_m / _PITCHES_M), 1.0)
        off_m = apart_m - rows * _PITCHES_M
        fits *= _GAP_WRONG + np.exp(-0.5 * (off_m / _GAP_OFF_M) ** 2) / rows
    return fits


def _fits(behind: tuple[float, ...], number: int) -> NDArray[np.float64]:
    """How well each distance of rows explains what stands behind, if so many are gone."""
    off_m = _OFF_M + 0.02 * behind[0]
    fits = np.exp(-0.5 * ((behind[0] - number * _PITCHES_M) / off_m) ** 2)
    if len(behind) > 1:
        gap_m = behind[1] - behind[0]
        fits *= _GAP_WRONG + np.exp(-0.5 * ((gap_m - _PITCHES_M) / _GAP_OFF_M) ** 2)
    return np.asarray(fits)


def _hidden(seen: Mask) -> NDArray[np.bool_]:
    """For each number that has gone, at which distances of rows the next could not be seen."""
    numbers = range(1, len(_PRIOR) + 1)
    return np.array([[not _shows(seen, n * each) for each in _PITCHES_M] for n in numbers])


def _emptied(held: NDArray[np.float64], hidden: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How well each number that has gone explains that nothing is seen to stand behind.

    Args:
        held: How likely each number of pieces is to have stood in the column.
        hidden: For each number and distance of rows, whether what then stands foremost could not
            be seen, ``(N, P)``.

    Returns:
        ``(N, P)``.
    """
    explains = [
        np.where(unseen, held[number - 1 :].sum(), held[number - 1 : number].sum())
        for number, unseen in enumerate(hidden, start=1)
    ]
    return np.array(explains) + 0.01


def _shares(weights: NDArray[np.float64]) -> tuple[tuple[int, float], ...]:
    if float(weights.sum()) <= 0:
        weights = np.array(_PRIOR)
    shares = weights / weights.sum()
    order = np.argsort(-shares, kind="stable")
    return tuple((int(each) + 1, float(shares[each])) for each in order)
