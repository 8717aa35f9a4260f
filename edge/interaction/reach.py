"""When something covered a part of the fixture: the reaches behind a change.

A change is only seen once the hand and the body before it have gone. Which reach made it is found
by looking back: pixels that now show something else were last seen unchanged before that reach, and
have been at rest since it ended. Owns that memory, as small masks of the frames gone by. Knows
pixels and times; what changed is decided elsewhere.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_REDUCE: Final = 4
_REMEMBER_S: Final = 180.0
_LONGEST_HIDDEN_S: Final = 20.0
_COVERED_SHARE: Final = 0.4


@dataclass(frozen=True)
class Reach:
    """The reach that a change came from.

    Attributes:
        started_at_s: When the changed pixels were first covered, at most 20 s before.
        ended_at_s: When they were free again.
    """

    started_at_s: float
    ended_at_s: float


@dataclass(frozen=True, eq=False)
class _Moment:
    at_s: float
    foreground: Mask


class ReachLog:
    """What was covered in the frames gone by.

    Args:
        size_px: Width and height of the work picture.
    """

    def __init__(self, size_px: tuple[int, int]) -> None:
        self._size_px = max(1, size_px[0] // _REDUCE), max(1, size_px[1] // _REDUCE)
        self._moments: deque[_Moment] = deque()

    def add(self, at_s: float, foreground: Mask) -> None:
        """Remember where a frame differed from the settled picture, bool ``(H, W)`` work pixels."""
        self._moments.append(_Moment(at_s, self._reduced(foreground) > 0.3))
        while at_s - self._moments[0].at_s > _REMEMBER_S:
            self._moments.popleft()

    def behind(self, change: Mask, rest_since_s: float) -> Reach:
        """The reach behind a change.

        Args:
            change: Pixels that changed, bool ``(H, W)`` of the work picture.
            rest_since_s: Since when they have been at rest.
        """
        cells = self._reduced(change) > 0.3
        if not cells.any():
            cells = self._reduced(change) > 0
        past = [moment for moment in self._moments if moment.at_s <= rest_since_s + 1e-6]
        covered = [float(moment.foreground[cells].mean()) >= _COVERED_SHARE for moment in past]
        first = len(past)
        while first > 0 and covered[first - 1]:
            first -= 1
        spell = past[first:]
        if not spell:
            return Reach(rest_since_s, rest_since_s)
        return Reach(max(spell[0].at_s, rest_since_s - _LONGEST_HIDDEN_S), rest_since_s)

    def _reduced(self, mask: Mask) -> NDArray[np.float32]:
        small = cv2.resize(mask.astype(np.uint8) * 255, self._size_px, interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32) / np.float32(255)
