"""When and from where something reached into the fixture: the reaches behind a change.

A change is only seen once the hand and the body before it have gone. Which reach made it is found
by looking back: pixels that now show something else were last seen unchanged before that reach, and
have been at rest since it ended. Owns that memory, as small masks and pictures of the frames gone
by. Knows pixels and times; what changed is decided elsewhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]

_REDUCE: Final = 4
_REMEMBER_S: Final = 180.0
_PICTURES_S: Final = 20.0
_COVERED_SHARE: Final = 0.4
_STRIDE: Final = 3
_TELLS_APART: Final = 24.0  # grey levels between before and after from which a pixel says which
_LIKE: Final = 0.4  # of that difference
_NEARLY: Final = 0.6  # frames' worth of pixels that may speak against a moment
_CONTRADICTED_S: Final = 0.8
_NARROW_S: Final = 2.0
_AROUND_S: Final = 0.5


@dataclass(frozen=True)
class Reach:
    """The reach that a change came from.

    Attributes:
        started_at_s: When something first covered the pixels that changed.
        ended_at_s: When they were free again.
        contact_at_s: When they turned from what they showed before to what they show now; ``None``
            where that was hidden for too long.
    """

    started_at_s: float
    ended_at_s: float
    contact_at_s: float | None


@dataclass(frozen=True, eq=False)
class _Moment:
    at_s: float
    foreground: NDArray[np.uint8]
    moving: NDArray[np.uint8]


class ReachLog:
    """What was covered in the frames gone by.

    Args:
        size_px: Width and height of the work picture.
    """

    def __init__(self, size_px: tuple[int, int]) -> None:
        self._size_px = max(1, size_px[0] // _REDUCE), max(1, size_px[1] // _REDUCE)
        self._moments: deque[_Moment] = deque()
        self._pictures: deque[tuple[float, Picture]] = deque()

    def add(self, at_s: float, foreground: Mask, moving: Mask, picture: Picture) -> None:
        """Remember a frame.

        Args:
            at_s: When it was taken.
            foreground: Where it differed from the settled picture, bool ``(H, W)`` work pixels.
            moving: Where something moved.
            picture: The work picture, uint8 BGR ``(H, W, 3)``.
        """
        masks = (np.packbits(self._reduced(mask) > 0.3) for mask in (foreground, moving))
        self._moments.append(_Moment(at_s, *masks))
        self._pictures.append((at_s, np.ascontiguousarray(_sparse(picture))))
        while at_s - self._moments[0].at_s > _REMEMBER_S:
            self._moments.popleft()
        while at_s - self._pictures[0][0] > _PICTURES_S:
            self._pictures.popleft()

    def behind(self, change: Mask, before: Picture, after: Picture, rest_since_s: float) -> Reach:
        """The reach behind a change.

        Args:
            change: Pixels that changed, bool ``(H, W)`` of the work picture.
            before: The work picture as it was, uint8 BGR ``(H, W, 3)``.
            after: The same as it is.
            rest_since_s: Since when they have been at rest.
        """
        cells = self._reduced(change) > 0.3
        if not cells.any():
            cells = self._reduced(change) > 0
        past = [moment for moment in self._moments if moment.at_s <= rest_since_s + 1e-6]
        first = len(past)
        while first > 0 and self._covers(past[first - 1], cells):
            first -= 1
        started_s = past[first].at_s if first < len(past) else rest_since_s
        turned = self._turned(change, before, after, started_s - 1.0, rest_since_s)
        if turned is None or turned[1] - turned[0] > _NARROW_S:
            return Reach(started_s, rest_since_s, None)
        contact_s = min(max(sum(turned) / 2, started_s), rest_since_s)
        return Reach(started_s, rest_since_s, contact_s)

    def reaching(self, at_s: float) -> tuple[Mask, ...]:
        """What was before the fixture around a moment and moved meanwhile, a mask a frame.

        Returns:
            bool ``(H / 4, W / 4)``, in the order of time.
        """
        near = [moment for moment in self._moments if abs(moment.at_s - at_s) <= _AROUND_S]
        if not near:
            return ()
        moved = np.mean([self._unpacked(moment.moving) for moment in near], axis=0)
        often = (moved * len(near) >= 0.5).astype(np.uint8)
        around = cv2.dilate(often, np.ones((3, 3), np.uint8)) > 0
        return tuple(self._unpacked(moment.foreground) & around for moment in near)

    def seen_reaching(self, at_s: float) -> tuple[tuple[Mask, Picture], ...]:
        """``reaching`` with pictures of the same frames, as far as they are still there.

        Returns:
            bool ``(H / 4, W / 4)`` with uint8 BGR ``(H / 3, W / 3, 3)``, in the order of time.
        """
        times = (moment.at_s for moment in self._moments if abs(moment.at_s - at_s) <= _AROUND_S)
        pictures = dict(self._pictures)
        return tuple(
            (mask, pictures[moment_s])
            for moment_s, mask in zip(times, self.reaching(at_s), strict=True)
            if moment_s in pictures
        )

    def _turned(
        self, change: Mask, before: Picture, after: Picture, from_s: float, to_s: float
    ) -> tuple[float, float] | None:
        """Between when pixels turned from one picture to the other; ``None``: they do not say.

        Every pixel of every frame that clearly looks like the one or the other speaks against the
        moments by which it should have looked otherwise; what covers it speaks against none.
        """
        where = _sparse(change)
        was, became = (_sparse(each)[where].astype(np.float32) for each in (before, after))
        apart = np.abs(became - was).max(axis=1)
        clear = apart > _TELLS_APART
        past = [each for each in self._pictures if from_s <= each[0] <= to_s + 0.3]
        if np.count_nonzero(clear) < 3 or len(past) < 2:
            return None
        shown = np.stack([picture[where][clear] for _, picture in past]).astype(np.float32)
        from_was = np.abs(shown - was[clear]).max(axis=2)
        from_became = np.abs(shown - became[clear]).max(axis=2)
        limit = _LIKE * apart[clear]
        old = ((from_was < limit) & (from_was < from_became)).mean(axis=1)
        new = ((from_became < limit) & (from_became < from_was)).mean(axis=1)
        against = np.append(0.0, np.cumsum(new)) + np.append(np.cumsum(old[::-1])[::-1], 0.0)
        best = int(against.argmin())
        if against[best] * (past[-1][0] - past[0][0]) / len(past) > _CONTRADICTED_S:
            return None  # what stood before it looked now like the one, now like the other
        likely = against <= against[best] + _NEARLY
        low, high = best, best
        while low > 0 and likely[low - 1]:
            low -= 1
        while high < len(past) and likely[high + 1]:
            high += 1
        if low == 0:
            return None  # it had turned before the first of these pictures
        return past[low - 1][0], past[min(high, len(past) - 1)][0]

    def _covers(self, moment: _Moment, cells: Mask) -> bool:
        return float(self._unpacked(moment.foreground)[cells].mean()) >= _COVERED_SHARE

    def _unpacked(self, packed: NDArray[np.uint8]) -> Mask:
        width, height = self._size_px
        bits = np.unpackbits(packed, count=width * height)
        return bits.reshape(height, width).view(np.bool_)

    def _reduced(self, mask: Mask) -> NDArray[np.float32]:
        small = cv2.resize(mask.view(np.uint8) * 255, self._size_px, interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32) / np.float32(255)


def _sparse(picture: NDArray[np.generic]) -> NDArray[np.generic]:
    """Every third pixel of a picture or mask each way."""
    return picture[1::_STRIDE, 1::_STRIDE]
