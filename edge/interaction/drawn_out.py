"""How many pieces a hand draws out: what the pictures right after contact say. Pure.

The board above often hides whether a piece stands behind the foremost one. Drawn out by a hand,
both are in sight. Where pixels show neither the shelf nor the colours of the arm that came is held
against one piece at some place before the shelf, and against two, one behind the other: by how much
the second piece explains more. What looks like two pieces before there was any contact is something
else, and then nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.interaction.boxes import Size, corners
from edge.interaction.compare import Change
from edge.interaction.facings import FacingsView
from edge.interaction.glances import Glance
from edge.interaction.looks import colours_of, shares_at

Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]

LOOKS_BACK_S: Final = 1.6
LOOKS_ON_S: Final = 1.0
_ARM_COMES_S: Final = 0.25  # until so long before contact, all that moves is the arm
_NOT_YET_S: Final = (1.2, 0.3)  # before contact nothing has been drawn out
_OUT_FROM_S: Final = 0.05
_DIFFERS: Final = 18
_AROUND_PX: Final = 7
_ENOUGH_PX: Final = 30
_ENOUGH_ARM_PX: Final = 100
_FACES_UNSEEN: Final = 0.3  # of a piece shows colours that its front does not
# What a pixel that a piece should cover speaks for it.
_PIECE: Final = 1.0
_ARM: Final = -0.25
_SHELF: Final = -1.0
# Where the foremost piece is looked for, metres from where it stood.
_STEP_M: Final = 0.03
_FARTHEST_OUT_M: Final = 0.36  # before the front
_ASIDE_M: Final = (-0.06, -0.03, 0.0, 0.03, 0.06)
_LIFTED_M: Final = (0.0, 0.03, 0.06)
_IS_OUT_M: Final = 0.03  # its front is no farther in
_FITS: Final = 0.2
_LOOKED_LIKE_TWO: Final = 0.2
# How often the second piece explains so much more, of one piece and of two.
_GAINS: Final = (-0.2, 0.15, 0.35, 0.6)
_OF_ONE: Final = (0.79, 0.165, 0.033, 0.008, 0.004)
_OF_TWO: Final = (0.17, 0.2, 0.2, 0.13, 0.3)


@dataclass(frozen=True, eq=False)
class _Place:
    """Where one piece, or two, may be drawn out to, as masks of a part of the work picture."""

    w_m: float
    first: Mask
    second: Mask


def more_likely(gain: float | None) -> float:
    """How much likelier than one piece two are, by what ``second_explains`` found."""
    if gain is None:
        return 1.0
    step = int(np.searchsorted(_GAINS, gain, side="right"))
    return _OF_TWO[step] / _OF_ONE[step]


def second_explains(
    view: FacingsView,
    change: Change,
    size_m: Size,
    pitch_m: float,
    pictures: tuple[Picture, Picture],
    glances: Sequence[Glance],
    contact_at_s: float,
) -> float | None:
    """How much more of what was drawn out a second piece explains.

    Args:
        view: How the camera sees the facings.
        change: What went.
        size_m: Width, depth and height of a piece.
        pitch_m: Distance of the rows.
        pictures: Of the whole fixture before and after, uint8 BGR of any size.
        glances: What was seen from ``LOOKS_BACK_S`` before contact to ``LOOKS_ON_S`` after it.
        contact_at_s: When the hand was at it.

    Returns:
        -1 to 1, of the pixels that the second piece would show: at their best, those that show a
        piece less those that do not; ``None`` where the pictures do not say.
    """
    before, after = (
        cv2.resize(each, view.size_px, interpolation=cv2.INTER_AREA) for each in pictures
    )
    around = (
        cv2.dilate(change.mask.astype(np.uint8), np.ones((_AROUND_PX, _AROUND_PX), np.uint8)) > 0
    )
    of_arm = [
        glance.picture[glance.foreground & ~around]
        for glance in glances
        if glance.at_s <= contact_at_s - _ARM_COMES_S
    ]
    if sum(map(len, of_arm)) < _ENOUGH_ARM_PX:
        return None
    arm = colours_of(np.concatenate(of_arm))
    own = colours_of(np.asarray(before, np.uint8)[change.mask])
    piece = np.asarray((1 - _FACES_UNSEEN) * own + _FACES_UNSEEN / own.size, np.float32)
    window, places = _places(view, change, size_m, pitch_m)
    if not places:
        return None
    then: list[float] = []
    now: list[float] = []
    for glance in glances:
        since_s = glance.at_s - contact_at_s
        if not (since_s > _OUT_FROM_S or _NOT_YET_S[1] < -since_s < _NOT_YET_S[0]):
            continue
        picture = glance.picture[window]
        there = _differs(picture, np.asarray(after, np.uint8)[window])
        there &= (glance.foreground | around)[window]
        likelier = shares_at(picture, piece) > shares_at(picture, arm)
        speaks = np.where(there, np.where(likelier, _PIECE, _ARM), _SHELF).astype(np.float32)
        gain = _gain(speaks, places)
        if gain is not None:
            (now if since_s > 0 else then).append(gain)
    if not now or max(then, default=-1.0) > _LOOKED_LIKE_TWO:
        return None
    return max(now)


def _gain(speaks: NDArray[np.float32], places: Sequence[_Place]) -> float | None:
    """What a second piece explains at its best, in one picture."""
    one, one_share, both, out_m, extra_px = -np.inf, 0.0, -np.inf, np.inf, 1  # of no place at all
    for place in places:
        first = float(speaks[place.first].sum())
        if first > one:
            one, one_share = first, first / max(1, int(np.count_nonzero(place.first)))
        together = first + float(speaks[place.second].sum())
        if together > both:
            both, out_m = together, place.w_m
            extra_px = max(1, int(np.count_nonzero(place.second)))
    if one_share <= _FITS or out_m > _IS_OUT_M:
        return None
    return float((both - one) / extra_px)


def _places(
    view: FacingsView, change: Change, size_m: Size, pitch_m: float
) -> tuple[tuple[slice, slice], list[_Place]]:
    """All places in the order of how far out they are, and the window of the picture they lie in.

    There are none where too little of the piece was seen, or they would be out of sight.
    """
    width, height = view.size_px
    stood = corners(view, change, size_m)
    solid = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(solid, cv2.convexHull(np.rint(stood).astype(np.int32)), 1)
    solid &= change.mask.astype(np.uint8)
    nowhere = np.s_[0:0, 0:0]
    if np.count_nonzero(solid) < _ENOUGH_PX:
        return nowhere, []
    steps = np.arange(0.0, -_FARTHEST_OUT_M - change.w_m, -_STEP_M)
    moves = [(aside, up, float(out)) for out in steps for aside in _ASIDE_M for up in _LIFTED_M]
    seen = [
        (
            corners(view, change, size_m, (aside, up, out)),
            corners(view, change, size_m, (aside, up, out + pitch_m)),
        )
        for aside, up, out in moves
    ]
    everywhere = np.concatenate([each for pair in seen for each in pair])
    left, top = np.clip(everywhere.min(axis=0) - 4, 0, (width - 1, height - 1)).astype(int)
    right, bottom = np.clip(everywhere.max(axis=0) + 4, 1, (width, height)).astype(int)
    if right <= left or bottom <= top:
        return nowhere, []

    def drawn(at: NDArray[np.float64]) -> Mask:
        """What is seen of the piece where it stood, moved as its corners are."""
        known = np.hstack([stood, np.ones((len(stood), 1))])
        affine = np.linalg.lstsq(known, at - (left, top), rcond=None)[0].T
        return np.asarray(cv2.warpAffine(solid, affine, (int(right - left), int(bottom - top))) > 0)

    places = []
    for (_, _, out), (first_at, second_at) in zip(moves, seen, strict=True):
        first = drawn(first_at)
        if first.any():
            places.append(_Place(change.w_m + out, first, drawn(second_at) & ~first))
    return np.s_[top:bottom, left:right], places


def _differs(one: Picture, other: Picture) -> Mask:
    return np.asarray(cv2.absdiff(one, other).max(axis=2) > _DIFFERS)
