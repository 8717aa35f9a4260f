"""A device's cameras and what looks at its shelves: the part that every kind of device has.

Owns when second 0 of a recording is: as late as can be, so that opening networks costs no frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from edge.cameras.clock import Clock, RecordingStart
from edge.cameras.newest import CameraState, NewestFrame
from edge.cameras.settings import open_camera
from edge.errors import NotThereError
from edge.events import Frame
from edge.interaction.shelf import FacingState
from edge.interaction.stock import LiveStock
from edge.looking import LookingAtShelves
from edge.queues import Inbox
from edge.shop.keeping_places import KeepingPlaces
from edge.shop.places import Places
from edge.shop.premises import Premises
from edge.shop.replay import run_name
from edge.stages import StageClock
from edge.workers import Pulse, Worker

WATCHDOG_S: Final = 30.0
STARTS_AFTER_S: Final = 0.5
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class KeptFrame(NewestFrame):
    """A camera whose last frame that was looked at stays there for people to see.

    Attributes:
        last: That frame; ``None`` before the first.
        quiet: The last one in which nothing moved and nobody was, as whoever looked at it said by
            letting the camera rest; ``None`` before the first.
    """

    last: Frame | None = None
    quiet: Frame | None = None

    def take(self, timeout_s: float) -> Frame:
        """The newest frame that was not taken yet; see ``NewestFrame.take``."""
        self.last = super().take(timeout_s)
        return self.last

    def rest(self) -> None:
        """Nothing moves in the frame that was taken; few pictures will do."""
        super().rest()
        self.quiet = self.last


class Eyes:
    """Cameras, and the worker that looks at those before shelves.

    Args:
        premises: The shop.
        clock: The device's time.
        inbox: Where sightings go.
        stages: Counts what it costs.
        places: Where the cameras are.
        begin: When a recording's second 0 is; asked last.
    """

    def __init__(
        self,
        premises: Premises,
        clock: Clock,
        inbox: Inbox,
        stages: StageClock,
        places: Places,
        begin: Callable[[], RecordingStart],
    ) -> None:
        self._premises = premises
        self._clock = clock
        self._stages = stages
        config = premises.config
        self._places = places
        watches = premises.make_shelves(stages)
        self._zero = begin() if config.is_recorded else RecordingStart(0.0, 0.0)
        self.cameras = self._make_cameras()
        begins_s = 0.0 if config.is_recorded else self.now_s()
        run = run_name(datetime.fromtimestamp(self.wall_time_s(begins_s), timezone.utc))
        self._shelves = premises.make_shelf_cameras(watches, run, places)
        names = tuple(self._shelves)
        self.shelves = LookingAtShelves(self.of(names), inbox, stages, self._shelves)

    @property
    def clock_name(self) -> str:
        """Name of the clock of frames: devices that share one give it the same name."""
        return clock_name(self._premises)

    def now_s(self) -> float:
        """Now, on the clock of frames."""
        return self._clock.monotonic_s() - self._zero.monotonic_s

    def wall_time_s(self, captured_at_s: float) -> float:
        """Wall time of a moment on the clock of frames; a recording keeps its own."""
        if self._premises.config.is_recorded:
            return self._zero.wall_time_s + captured_at_s
        return self._clock.wall_time_s() - self.now_s() + captured_at_s

    def of(self, names: tuple[str, ...]) -> Mapping[str, NewestFrame]:
        """Some of the cameras."""
        return {name: self.cameras[name] for name in names}

    def states(self) -> tuple[CameraState, ...]:
        """How the cameras are, by name."""
        return tuple(
            replace(newest.state, place=self._places.state(name))
            for name, newest in self.cameras.items()
        )

    def camera(self, name: str) -> KeptFrame:
        """A camera.

        Raises:
            NotThereError: There is no such camera on this device.
        """
        if name not in self.cameras:
            raise NotThereError(
                f"this device has no camera {name}; it has {', '.join(self.cameras)}"
            )
        return self.cameras[name]

    def newest(self, camera: str) -> Frame | None:
        """The frame of a camera that was looked at last; ``None`` before the first.

        Raises:
            NotThereError: There is no such camera on this device.
        """
        return self.camera(camera).last

    def facings(self, camera: str) -> tuple[FacingState, ...]:
        """What a shelf camera knows of its facings, by name; none of another camera."""
        shelf = self._shelves.get(camera)
        return () if shelf is None else shelf.watch.state()

    def stock(self) -> LiveStock | None:
        """What stands on the shelves; ``None`` where no camera watches any."""
        return next((shelf.watch.stock for shelf in self._shelves.values()), None)

    def workers(self) -> tuple[Worker, ...]:
        """A worker a camera, one that looks at shelves, and one that keeps cameras' places."""
        cameras = (
            Worker(f"camera {name}", self._camera_body(newest))
            for name, newest in self.cameras.items()
        )
        repairs = self._premises.config.drift.repair_by_markers
        keeping = KeepingPlaces(self._places, repairs, self._clock.wall_time_s)
        return (
            *cameras,
            Worker("shelves", self.shelves.run, watchdog_s=WATCHDOG_S),
            Worker("places", keeping.run, watchdog_s=WATCHDOG_S),
        )

    def _make_cameras(self) -> dict[str, KeptFrame]:
        cameras = {}
        for name, settings in sorted(self._premises.config.cameras.items()):
            source = open_camera(
                name, settings, self._clock, folder=self._premises.folder, start=self._zero
            )
            cameras[name] = KeptFrame(source, self._clock, settings.watch)
        return cameras

    def _camera_body(self, newest: NewestFrame) -> Callable[[Pulse], None]:
        def body(pulse: Pulse) -> None:
            with self._stages.stage("decode"):
                newest.run(pulse.stop)

        return body


def clock_name(premises: Premises) -> str:
    """Name of the clock of frames: a recording's, or of this boot of this machine."""
    store = premises.config.store
    if premises.config.is_recorded:
        return f"recording of {store.id}, {store.opened_at.isoformat()}"
    try:
        return f"boot {_BOOT_ID.read_text(encoding='ascii').strip()}"
    except OSError:
        # Systems without boot ids: a process is sure to share its clock with itself.
        return f"process {time.time_ns()}"
