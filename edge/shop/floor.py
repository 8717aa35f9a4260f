"""The overhead cameras, and whether each is where it was calibrated.

Owns what a moved overhead camera means for the floor: it is left out while another one looks, every
moment says which cameras are astray, and one that is calibrated again finds people by its new pose
from the next moment on.
"""

from __future__ import annotations

from collections.abc import Callable

from calibration.format import Calibration
from edge.events import Frame
from edge.shop.places import Places
from edge.tracking.watch import FloorMoment, FloorObserver, FloorWatch


class FloorCameras:
    """Looks at the floor. Used by one thread.

    Args:
        watch: Follows people.
        cameras: Names of the overhead cameras.
        places: Where the cameras are.
        observer: What finds people by a calibration.
    """

    def __init__(
        self,
        watch: FloorWatch,
        cameras: tuple[str, ...],
        places: Places,
        observer: Callable[[Calibration], FloorObserver],
    ) -> None:
        self._watch = watch
        self._cameras = cameras
        self._places = places
        self._observer = observer
        self._revision = places.revision
        self._seen_by = self._own(places.calibration)
        self._astray: frozenset[str] = frozenset()

    def wants(self, camera: str, captured_at_s: float) -> bool:
        """Whether a frame of this time would be looked at."""
        return self._watch.wants(camera, captured_at_s)

    def look(self, frame: Frame) -> tuple[FloorMoment, ...]:
        """Take a frame in; the moments that it completed.

        Raises:
            TrackingError: The frame is of a camera that is not watched.
        """
        if self._places.revision != self._revision:
            self._take_up()
        self._places.look(frame)
        astray = frozenset(n for n in self._cameras if self._places.place(n).is_astray)
        if astray != self._astray:
            self._astray = astray
            self._watch.trust(astray)
        return self._watch.add(frame)

    def flush(self) -> tuple[FloorMoment, ...]:
        """Look at what still waits, at the end of a recording."""
        return self._watch.flush()

    def _take_up(self) -> None:
        self._revision = self._places.revision
        calibration = self._places.calibration
        # A shelf camera's new pose changes nothing here, and a new observer has to learn the shop.
        if self._own(calibration) != self._seen_by:
            self._seen_by = self._own(calibration)
            self._watch.see_by(self._observer(calibration))

    def _own(self, calibration: Calibration) -> tuple[object, ...]:
        return tuple(calibration.cameras[name] for name in self._cameras)
