"""The device's time, as something that is handed in.

Nothing in ``edge.cameras`` asks the operating system for the time: whoever builds the device hands
a clock in, and a test hands in one that it turns itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Three things a camera asks about time."""

    def monotonic_s(self) -> float:
        """Seconds on a clock that never jumps; its zero means nothing."""

    def wall_time_s(self) -> float:
        """Seconds since 1970; may jump when the device's clock is set."""

    def sleep(self, seconds: float) -> None:
        """Wait; not at all for 0 or less."""


class SystemClock:
    """The operating system's time."""

    def monotonic_s(self) -> float:
        """Seconds since some moment before the process began."""
        return time.monotonic()

    def wall_time_s(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait; not at all for 0 or less."""
        if seconds > 0:
            time.sleep(seconds)


@dataclass(frozen=True)
class RecordingStart:
    """When second 0 of a recorded shop is played: the same for all of its cameras.

    Attributes:
        monotonic_s: The moment it is played, on ``Clock.monotonic_s``.
        wall_time_s: What the shop's clock showed, seconds since 1970.
    """

    monotonic_s: float
    wall_time_s: float
