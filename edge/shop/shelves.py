"""One shelf camera and its health: frames in, events out that say whether to trust them.

Owns the rule of stale pictures. After a gap in a camera's frames, or while its picture is stuck,
nobody knows who did what in between, so what it tells about that time is not charged without a
person.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from edge.cameras.base import CameraStatus
from edge.events import Frame
from edge.evidence import day_of, named_for
from edge.interaction.shelf import Seen, ShelfWatch

# What settles this long after a gap may have begun in it.
_AFTER_GAP_S: Final = 3.0


@dataclass(frozen=True, eq=False)
class Sighting:
    """An event, and whether its camera can be trusted to have shown it.

    Attributes:
        seen: The event with its crops, under the names that are kept.
        settled_at_s: When.
        camera_sick: Whether it cannot.
        doubt: Why a person should look at it for another reason; empty for none.
    """

    seen: Seen
    settled_at_s: float
    camera_sick: bool
    doubt: str = ""


class ShelfCamera:
    """Watches a shelf and the camera's health.

    Args:
        watch: Finds the events.
        run: Name of the run; see ``evidence.named_for``.
        gap_s: Frames further apart than this leave a gap.
    """

    def __init__(self, watch: ShelfWatch, run: str, gap_s: float) -> None:
        self.watch = watch
        self._run = run
        self._gap_s = gap_s
        self._last_s = math.nan
        self._doubtful_until_s = -math.inf

    def look(self, frame: Frame, status: CameraStatus = "running") -> list[Sighting]:
        """Look at the camera's next frame.

        Args:
            frame: The frame.
            status: How the camera is.
        """
        at_s = frame.captured_at_s
        if at_s - self._last_s > self._gap_s or status not in ("running", "ended"):
            self._doubtful_until_s = at_s + _AFTER_GAP_S
        self._last_s = at_s
        day = day_of(frame.wall_time_s)
        return [
            Sighting(
                seen=named_for(seen, self._run, day),
                settled_at_s=at_s,
                # A hand that came after the camera was well again is seen as a whole.
                camera_sick=seen.event.started_at_s < self._doubtful_until_s,
            )
            for seen in self.watch.watch(frame)
        ]
