"""One shelf camera and its health: frames in, events out that say whether to trust them.

Owns the rules of stale pictures and of cameras that were moved. After a gap in a camera's frames,
or while its picture is stuck, nobody knows who did what in between, so what it tells about that
time is not charged without a person. The same holds while it is not where it was calibrated. What
it sees then is not learned, and it is looked for where the camera has turned to, so that the person
who decides is told of the right facing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from calibration.drift.effect import turned_camera
from calibration.drift.registration import angle_deg
from calibration.format import Calibration, Matrix3
from edge.cameras.base import CameraStatus
from edge.events import Frame
from edge.evidence import day_of, named_for
from edge.interaction.shelf import Seen, ShelfWatch
from edge.shop.places import Places

# What settles this long after a gap may have begun in it.
_AFTER_GAP_S: Final = 3.0
_GLANCES_EVERY_S: Final = 1.5
_SAME_TURN_DEG: Final = 0.3


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
        places: Where the cameras are.
        made_anew: What finds the events once the camera was calibrated again.
    """

    def __init__(
        self,
        watch: ShelfWatch,
        run: str,
        gap_s: float,
        places: Places,
        made_anew: Callable[[Calibration], ShelfWatch],
    ) -> None:
        self.watch = watch
        self._run = run
        self._gap_s = gap_s
        self._places = places
        self._place = places.place(watch.camera)
        self._made_anew = made_anew
        self._revision = places.revision
        self._turned: Matrix3 | None = None
        self._glanced_at_s = -math.inf
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
        self._look_at_place(frame)
        before = self.watch.shelves.known()
        found = self.watch.watch(frame)
        moved = bool(found) and self._place.shows_it_moved(frame)
        if moved:
            self.watch.shelves.go_back_to(before)
            self._doubtful_until_s = max(self._doubtful_until_s, math.nextafter(at_s, math.inf))
            found = [self._explained(each) for each in found]
        day = day_of(frame.wall_time_s)
        return [
            Sighting(
                seen=named_for(seen, self._run, day),
                settled_at_s=at_s,
                # A hand that came after the camera was well again is seen as a whole.
                camera_sick=moved or seen.event.started_at_s < self._doubtful_until_s,
            )
            for seen in found
        ]

    def _look_at_place(self, frame: Frame) -> None:
        at_s = frame.captured_at_s
        self._places.look(frame)
        if self.watch.upset and at_s - self._glanced_at_s >= _GLANCES_EVERY_S:
            self._glanced_at_s = at_s
            self._place.shows_it_moved(frame)
        if self._places.revision != self._revision or not _alike(self._place.turned, self._turned):
            self._revision, self._turned = self._places.revision, self._place.turned
            self.watch = self._made_anew(self._believed())
            # What lies before a new watch is no news to it, whoever put it there.
            self._doubtful_until_s = at_s + _AFTER_GAP_S
        if self._place.is_astray:
            self._doubtful_until_s = max(self._doubtful_until_s, math.nextafter(at_s, math.inf))

    def _believed(self) -> Calibration:
        """The calibration, the camera turned as it was seen to have."""
        calibration, name = self._places.calibration, self.watch.camera
        if self._turned is None:
            return calibration
        camera = turned_camera(calibration.cameras[name], np.array(self._turned))
        return calibration.model_copy(update={"cameras": {**calibration.cameras, name: camera}})

    def _explained(self, seen: Seen) -> Seen:
        why = self._place.state.reason or f"{self.watch.camera} seems to have been moved"
        evidence = seen.event.evidence
        reason = f"{evidence.reason}; {why}"
        return replace(seen, event=replace(seen.event, evidence=replace(evidence, reason=reason)))


def _alike(one: Matrix3 | None, other: Matrix3 | None) -> bool:
    if one is None or other is None:
        return one is other
    return angle_deg(np.array(one) @ np.array(other).T) < _SAME_TURN_DEG
