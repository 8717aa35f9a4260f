"""How long to wait before a camera is tried again. Pure but for the dice, which are handed in."""

from __future__ import annotations

import random


class Backoff:
    """Exponential backoff with jitter.

    Half of a wait is fixed and half is drawn ("equal jitter"), so that the cameras of a shop do not
    all come back to a restarted recorder at the same moment.
    """

    def __init__(self, first_s: float, longest_s: float, dice: random.Random) -> None:
        """Start at the beginning.

        Args:
            first_s: Longest first wait.
            longest_s: No wait is longer.
            dice: Where the jitter comes from.
        """
        self._first_s = first_s
        self._longest_s = longest_s
        self._dice = dice
        self._failures = 0

    def next_wait_s(self) -> float:
        """The wait after one more failure."""
        ceiling_s = min(self._longest_s, self._first_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return ceiling_s * (0.5 + 0.5 * self._dice.random())

    def reset(self) -> None:
        """It worked: the next failure is a first one."""
        self._failures = 0
