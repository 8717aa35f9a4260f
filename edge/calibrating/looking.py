"""Looking through a camera while a technician stands before it: for the board, or for markers.

Owns what has been seen in one sitting. Pure but for its locks: pictures and times come in. Several
threads ask, one looks.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.coverage import Coverage
from calibration.format import Fixture
from calibration.markers import find_markers
from calibration.targets import Missed
from calibration.wizard.lenses import LensCollector, Looked
from calibration.wizard.work import Board, KeptView

Grey = NDArray[np.uint8]

STEADY_LOOKS: Final = 5
_STEADY_PX: Final = 1.5
_REASONS: Final = 4


class LensLook:
    """A board is walked about before a camera.

    Args:
        board: The board.
        views: Kept before.

    Raises:
        CalibrationError: There is no such board.
    """

    def __init__(self, board: Board, views: tuple[KeptView, ...]) -> None:
        self.board = board
        self._guard = threading.Lock()
        self._collector = LensCollector(board, views)
        self._last: Looked | None = None
        self._looks = 0

    def look(self, grey: Grey, at_s: float | None) -> bool:
        """Look at a picture; whether a view was kept."""
        with self._guard:
            self._last = self._collector.look(grey, at_s)
            self._looks += 1
            return self._last.kept

    @property
    def views(self) -> tuple[KeptView, ...]:
        """Those kept."""
        with self._guard:
            return self._collector.views

    @property
    def missed(self) -> tuple[Missed, ...]:
        """Pictures that could not be used lately."""
        with self._guard:
            return self._collector.missed

    @property
    def pictures(self) -> dict[str, Grey]:
        """Some that were kept."""
        with self._guard:
            return self._collector.pictures

    def told(self) -> tuple[int, Looked | None, Coverage]:
        """How many looks there were, the last one, and what has been seen so far."""
        with self._guard:
            return self._looks, self._last, self._collector.coverage()

    def usual_reasons(self) -> tuple[tuple[str, int], ...]:
        """Why pictures could not be used, the most frequent first."""
        with self._guard:
            counted = Counter(each.reason for each in self._collector.missed)
        return tuple(counted.most_common(_REASONS))


@dataclass(frozen=True, eq=False)
class _Sight:
    grey: Grey
    found: dict[int, NDArray[np.float64]]


class MarkerLook:
    """A fixture's markers are looked for until they are seen again and again at the same spots.

    Args:
        fixture: With the markers that are stuck to it.
    """

    def __init__(self, fixture: Fixture) -> None:
        self.wanted = tuple(each.id for each in fixture.markers)
        self._guard = threading.Lock()
        self._sights: deque[_Sight] = deque(maxlen=STEADY_LOOKS)
        self._last: dict[int, NDArray[np.float64]] = {}
        self._looks = 0

    def look(self, grey: Grey, at_s: float | None) -> bool:
        """Look at a picture; whether the markers are steady now."""
        found = find_markers(grey)
        with self._guard:
            self._looks += 1
            self._last = found
            if any(each in found for each in self.wanted):
                self._sights.append(_Sight(grey, found))
            return self._is_steady()

    def told(self) -> tuple[int, dict[int, NDArray[np.float64]], bool]:
        """How many looks there were, what the last one found, whether all wanted are steady."""
        with self._guard:
            return self._looks, dict(self._last), self._is_steady()

    def steady(self) -> tuple[dict[int, NDArray[np.float64]], Grey] | None:
        """Each marker's corners and the picture, as medians of the last looks."""
        with self._guard:
            if not self._sights:
                return None
            seen = {
                marker: np.median(
                    np.stack([each.found[marker] for each in self._sights if marker in each.found]),
                    axis=0,
                )
                for marker in {name for each in self._sights for name in each.found}
            }
            # Whoever walks by is in some of the pictures only.
            grey = np.median(np.stack([each.grey for each in self._sights]), axis=0)
            return seen, grey.astype(np.uint8)

    def _is_steady(self) -> bool:
        if len(self._sights) < STEADY_LOOKS or not self.wanted:
            return False
        for marker in self.wanted:
            corners = [each.found[marker] for each in self._sights if marker in each.found]
            if len(corners) < STEADY_LOOKS:
                return False
            if float(np.ptp(np.stack(corners), axis=0).max()) > _STEADY_PX:
                return False
        return True
