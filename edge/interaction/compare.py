"""A facing before and after: what changed, whether it went or came, where it stood.

Pure: two pictures and a mask in, a ``Change`` out. How many pieces it was is found in ``rows``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.planogram import Facing
from edge.interaction.facings import FacingsView

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Direction = Literal["vanished", "appeared", "unclear"]

_CLEAR_LEAD: Final = 0.06
_CRUMBS_LEAD: Final = 0.12
_CRUMBS: Final = 0.5  # of the hull around them
_CLEAR_FOOT: Final = 0.12
_STILL_THERE: Final = 0.7
_MOVED_BY: Final = 0.12  # of its size
_FOOT_PX: Final = 2
_LEAST_FOOT_PX: Final = 8
_SAME_OUTLINES: Final = 0.85
_THIN_M: Final = 0.01


@dataclass(frozen=True, eq=False)
class Change:
    """What became of the goods in one place.

    Attributes:
        opening: Index of the board's opening.
        fixture: Its fixture.
        facing: Facing it belongs to.
        direction: Whether goods went or came.
        lead: How much clearer the object's outline is in one of the pictures, -1 to 1: positive
            when it was there before.
        u_m: Where it stood along the front.
        w_m: How far its front stood behind the fixture's.
        width_m: How wide it is.
        mask: Its pixels in the work picture.
    """

    opening: int
    fixture: str
    facing: str
    direction: Direction
    lead: float
    u_m: float
    w_m: float
    width_m: float
    mask: Mask


def compare(view: FacingsView, mask: Mask, before: Picture, after: Picture) -> tuple[Change, ...]:
    """What a settled change means for the goods.

    Args:
        view: How the camera sees the facings.
        mask: Changed pixels, bool ``(H, W)`` of the work picture.
        before: uint8 BGR ``(H, W, 3)``, the work picture as it was.
        after: The same as it is.

    Returns:
        One change a board; none where the changed pixels show no board.
    """
    changes = []
    labels = view.opening_at[mask]
    for opening in np.unique(labels[labels >= 0]):
        own = mask & (view.opening_at == opening)
        if np.count_nonzero(own) < max(24, 0.15 * np.count_nonzero(mask)):
            continue
        changes.append(_change(view, int(opening), own, before, after))
    return tuple(changes)


def merged(
    view: FacingsView, changes: Sequence[Change], before: Picture, after: Picture
) -> tuple[Change, ...]:
    """Changes that are parts of one: settled together, on one facing, one before the other.

    Args:
        view: How the camera sees the facings.
        changes: All that one frame has settled.
        before: As for ``compare``.
        after: As for ``compare``.
    """
    whole: list[Change] = []
    for change in changes:
        parts = [
            other
            for other in whole
            if other.facing == change.facing
            and abs(other.u_m - change.u_m) < (other.width_m + change.width_m) / 4
        ]
        if not parts:
            whole.append(change)
            continue
        mask = np.any([change.mask, *(part.mask for part in parts)], axis=0)
        whole = [other for other in whole if all(other is not part for part in parts)]
        whole.append(_change(view, change.opening, mask, before, after))
    return tuple(whole)


def _change(view: FacingsView, opening: int, mask: Mask, before: Picture, after: Picture) -> Change:
    u_m, w_m, width_m = _footprint(view, mask)
    lead = outline_lead(mask, before, after)
    if abs(lead) < _CLEAR_LEAD:
        # What stands behind has an outline there too; at the foot there is only the board.
        foot = outline_lead(mask, before, after, foot=True)
        shown, bare = (before, after) if foot > 0 else (after, before)
        if abs(foot) >= _CLEAR_FOOT and still_there(mask, shown, bare) < _STILL_THERE:
            lead = foot
    facing = view.facing_at(opening, u_m)
    direction: Direction = "unclear"
    if (
        abs(lead) >= (_CRUMBS_LEAD if is_crumbs(mask) else _CLEAR_LEAD)
        and same_outlines(mask, before, after) < _SAME_OUTLINES
        and not _is_a_rim(view.facings[facing], mask, width_m)
    ):
        direction = "vanished" if lead > 0 else "appeared"
    return Change(
        opening=opening,
        fixture=view.openings[opening].fixture,
        facing=facing,
        direction=direction,
        lead=lead,
        u_m=u_m,
        w_m=w_m,
        width_m=width_m,
        mask=mask,
    )


def _footprint(view: FacingsView, mask: Mask) -> tuple[float, float, float]:
    """Where the lowest pixels of a change meet the board: u of its middle, w, width."""
    w = view.base_w_m[mask]
    u = view.base_u_m[mask]
    front = float(np.percentile(w, 3))
    near = w <= front + 0.05
    left, right = np.percentile(u[near], (4, 96))
    return float(left + right) / 2, front, float(right - left)


def _is_a_rim(facing: Facing, mask: Mask, width_m: float) -> bool:
    """Whether a change is too thin to be a piece: one that stands there has been moved or turned.

    What was taken and put back while nobody could see it, a little aside or another side in front,
    differs along its rim and where its print is.
    """
    rows, columns = np.nonzero(mask)
    window = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    closed = cv2.morphologyEx(
        cv2.copyMakeBorder(mask[window].astype(np.uint8), 3, 3, 3, 3, cv2.BORDER_CONSTANT),
        cv2.MORPH_CLOSE,
        np.ones((5, 5), np.uint8),
    )
    half_px = float(cv2.distanceTransform(closed, cv2.DIST_L2, 3).max())
    half_m = half_px * width_m / (columns.max() - columns.min() + 1)
    narrow = width_m < 0.35 * facing.width_m / facing.capacity
    return bool(half_m < (2 * _THIN_M if narrow else _THIN_M))


def is_crumbs(mask: Mask) -> bool:
    """Whether a change is scattered pixels rather than the shape of a piece.

    A highlight or a shadow that has moved on an uneven surface leaves such. A piece before goods
    that look like it may, too, and then its outline must be the clearer.
    """
    around = np.zeros(mask.shape, np.uint8)
    points = np.argwhere(mask)[:, ::-1].astype(np.int32)
    cv2.fillConvexPoly(around, np.asarray(cv2.convexHull(points), np.int32), 1)
    return bool(np.count_nonzero(mask) < _CRUMBS * np.count_nonzero(around))


def outline_lead(mask: Mask, before: Picture, after: Picture, *, foot: bool = False) -> float:
    """In which picture an object fills a mask, by where its outline is.

    An object brings its outline along; without it, what is behind it runs on through the outline's
    place (the test for abandoned and removed objects of Connell et al., "Detection and tracking in
    the IBM PeopleVision system", 2004).

    Args:
        mask: Changed pixels.
        before: The work picture as it was.
        after: As it is.
        foot: Only where the object stands, along the lower edge of the mask.

    Returns:
        -1 to 1; positive when ``before`` has the outline.
    """
    rows, columns = np.nonzero(mask)
    window = np.s_[
        max(0, rows.min() - 4) : rows.max() + 5, max(0, columns.min() - 4) : columns.max() + 5
    ]
    own = mask[window].astype(np.uint8)
    kernel = np.ones((3, 3), np.uint8)
    ring = (cv2.dilate(own, kernel) - cv2.erode(own, kernel)) > 0
    if foot:
        lowest = len(own) - 1 - np.argmax(own[::-1], axis=0)
        ring &= np.abs(np.arange(len(own))[:, None] - lowest) <= _FOOT_PX
        ring &= own.any(axis=0)
        if np.count_nonzero(ring) < _LEAST_FOOT_PX:
            return 0.0
    strengths = [float(_edges(picture[window])[ring].mean()) for picture in (before, after)]
    return (strengths[0] - strengths[1]) / (sum(strengths) + 6.0)


def still_there(mask: Mask, shown: Picture, bare: Picture) -> float:
    """How well the picture without an object shows it a little aside, -1 to 1.

    What was taken and put back stands a little otherwise; what stands behind is further away.

    Args:
        mask: Changed pixels.
        shown: The work picture with the object.
        bare: The one without it.
    """
    rows, columns = np.nonzero(mask)
    top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    by = max(2, round(_MOVED_BY * min(bottom - top, right - left)))
    around = cv2.copyMakeBorder(bare, by, by, by, by, cv2.BORDER_REPLICATE)
    scores = cv2.matchTemplate(
        around[top : bottom + 2 * by, left : right + 2 * by],
        shown[top:bottom, left:right],
        cv2.TM_CCOEFF_NORMED,
        mask=mask[top:bottom, left:right].astype(np.uint8),
    )
    return float(scores[np.isfinite(scores)].max(initial=-1.0))


def same_outlines(mask: Mask, before: Picture, after: Picture) -> float:
    """How far the outlines inside a mask are the same in both pictures, -1 to 1.

    Where only the light has changed, by a shadow or a reflection, everything in it still has its
    outlines in their places, weaker or stronger.
    """
    rows, columns = np.nonzero(mask)
    window = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    own = mask[window]
    one, other = (
        np.stack(
            [cv2.Sobel(picture[window], cv2.CV_32F, *axis)[own] for axis in ((1, 0), (0, 1))]
        ).ravel()
        for picture in (before, after)
    )
    norm = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum() / norm) if norm > 1e-6 else 0.0


def _edges(picture: Picture) -> NDArray[np.float32]:
    """Strength of edges, the strongest of the three channels, ``(H, W)``."""
    across = cv2.Sobel(picture, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(picture, cv2.CV_32F, 0, 1)
    return np.asarray(np.sqrt(across**2 + down**2).max(axis=2), np.float32)
