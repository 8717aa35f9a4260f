"""The floor of a shop, watched: frames of the overhead cameras in, tracks out.

Owns which frames belong to one moment. The floor is looked at a few times a second; a moment is
complete when every camera that is alive has given a frame for it, and it does not wait for one that
has fallen silent. Frames in, values out: no clock, no threads, so a recording gives the same tracks
however fast it is played.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from calibration.format import Floor, Point2
from edge.errors import TrackingError
from edge.events import Frame
from edge.tracking.observations import FloorScan
from edge.tracking.track import Track, TrackingSettings
from edge.tracking.tracks import Tracks


class FloorObserver(Protocol):
    """Whatever finds people on the floor in pictures taken at one moment."""

    def observe(
        self,
        images: Mapping[str, NDArray[np.uint8]],
        at_s: float,
        followed_m: tuple[Point2, ...] = (),
    ) -> FloorScan:
        """Everybody that the cameras see, given where people are expected."""
        ...


@dataclass(frozen=True, eq=False)
class FloorMoment:
    """The floor at one moment.

    Attributes:
        scan: Who was seen.
        tracks: Who is where because of it.
        cameras: Whose frames it rests on; a silent camera is missing.
        astray: Overhead cameras that are known not to be where they were calibrated: where only
            they look, nobody's place is known well enough.
    """

    scan: FloorScan
    tracks: tuple[Track, ...]
    cameras: tuple[str, ...]
    astray: tuple[str, ...] = ()


class FloorWatch:
    """Follows everybody on the floor from the frames of the overhead cameras.

    Args:
        observer: Finds people, for example ``ForegroundFloor``.
        floor: With its zones.
        cameras: Names of the overhead cameras.
        rate_hz: How often the floor is looked at; frames between are left out.
        silent_after_s: A camera this far behind the others is no longer waited for.
        settings: Of the tracks.
    """

    def __init__(
        self,
        observer: FloorObserver,
        floor: Floor,
        cameras: Collection[str],
        *,
        rate_hz: float = 7.5,
        silent_after_s: float = 0.6,
        settings: TrackingSettings | None = None,
    ) -> None:
        self.tracks = Tracks(floor, settings)
        self._observer = observer
        self._rate_hz = rate_hz
        self._silent_after_s = silent_after_s
        self._waiting: dict[str, deque[Frame]] = {name: deque() for name in cameras}
        self._latest_s = -math.inf
        self._tick = -1
        self._astray: tuple[str, ...] = ()
        self._left_out: frozenset[str] = frozenset()

    def see_by(self, observer: FloorObserver) -> None:
        """Find people by something else from now on; whoever is followed is followed on."""
        self._observer = observer

    def trust(self, astray: Collection[str]) -> None:
        """Say which cameras are known to have been moved; they are left out while others look.

        Where all are astray all are used: whoever is inside must still be seen to leave.
        """
        self._astray = tuple(sorted(astray))
        others = self._waiting.keys() - set(astray)
        self._left_out = frozenset(astray) if others else frozenset()
        for name in self._left_out:
            self._waiting[name].clear()

    def wants(self, camera: str, captured_at_s: float) -> bool:
        """Whether a frame of this time would be looked at; the others need no decoding."""
        waiting = self._waiting.get(camera)
        last = self._tick_of(waiting[-1].captured_at_s) if waiting else self._tick
        return self._tick_of(captured_at_s) > max(last, self._tick)

    def add(self, frame: Frame) -> tuple[FloorMoment, ...]:
        """Take a frame in; frames of one camera come in order.

        Returns:
            The moments that this frame completed, most often none or one.

        Raises:
            TrackingError: The frame is of a camera that is not watched.
        """
        if frame.camera not in self._waiting:
            raise TrackingError(
                f"camera {frame.camera} is not one of the overhead cameras "
                f"{', '.join(sorted(self._waiting))}; send its frames elsewhere"
            )
        if frame.camera in self._left_out:
            return ()
        if self.wants(frame.camera, frame.captured_at_s):
            self._waiting[frame.camera].append(frame)
        self._latest_s = max(self._latest_s, frame.captured_at_s)
        moments = []
        while self._complete():
            moments.append(self._look())
        return tuple(moments)

    def flush(self) -> tuple[FloorMoment, ...]:
        """Look at what still waits, at the end of a recording."""
        moments = []
        while any(self._waiting.values()):
            moments.append(self._look())
        return tuple(moments)

    def _tick_of(self, at_s: float) -> int:
        # A little late, so that frames at exact multiples do not fall to either side by rounding.
        return int(at_s * self._rate_hz + 1e-6)

    def _complete(self) -> bool:
        oldest_s = [queue[0].captured_at_s for queue in self._waiting.values() if queue]
        if not oldest_s:
            return False
        everybody = len(oldest_s) == len(self._waiting) - len(self._left_out)
        return everybody or self._latest_s - min(oldest_s) >= self._silent_after_s

    def _look(self) -> FloorMoment:
        ticks = {
            name: self._tick_of(queue[0].captured_at_s)
            for name, queue in self._waiting.items()
            if queue
        }
        self._tick = min(ticks.values())
        now = {
            name: self._waiting[name].popleft()
            for name in sorted(ticks)
            if ticks[name] == self._tick
        }
        at_s = max(frame.captured_at_s for frame in now.values())
        images = {name: frame.image for name, frame in now.items()}
        scan = self._observer.observe(images, at_s, self.tracks.predicted_m(at_s))
        return FloorMoment(scan, self.tracks.update(scan), tuple(now), self._astray)
