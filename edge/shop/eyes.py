"""A device's cameras and what looks at its shelves: the part that every kind of device has.

Owns when second 0 of a recording is: as late as can be, so that opening networks costs no frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from edge.cameras.clock import Clock, RecordingStart
from edge.cameras.newest import CameraState, NewestFrame
from edge.cameras.settings import open_camera
from edge.looking import LookingAtShelves
from edge.queues import Inbox
from edge.shop.premises import Premises
from edge.shop.replay import run_name
from edge.shop.shelves import ShelfCamera
from edge.stages import StageClock
from edge.workers import Pulse, Worker

WATCHDOG_S: Final = 30.0
STARTS_AFTER_S: Final = 0.5
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Eyes:
    """Cameras, and the worker that looks at those before shelves.

    Args:
        premises: The shop.
        clock: The device's time.
        inbox: Where sightings go.
        stages: Counts what it costs.
        begin: When a recording's second 0 is; asked last.
    """

    def __init__(
        self,
        premises: Premises,
        clock: Clock,
        inbox: Inbox,
        stages: StageClock,
        begin: Callable[[], RecordingStart],
    ) -> None:
        self._premises = premises
        self._clock = clock
        self._stages = stages
        config = premises.config
        watches = premises.make_shelves(stages)
        self._zero = begin() if config.is_recorded else RecordingStart(0.0, 0.0)
        self.cameras = self._make_cameras()
        begins_s = 0.0 if config.is_recorded else self.now_s()
        run = run_name(datetime.fromtimestamp(self.wall_time_s(begins_s), timezone.utc))
        shelves = {
            name: ShelfCamera(watch, run, config.cameras[name].stall_after_s)
            for name, watch in watches.items()
        }
        self.shelves = LookingAtShelves(self.of(tuple(shelves)), inbox, stages, shelves)

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
        return tuple(newest.state for newest in self.cameras.values())

    def workers(self) -> tuple[Worker, ...]:
        """A worker a camera, and the one that looks at shelves."""
        cameras = (
            Worker(f"camera {name}", self._camera_body(newest))
            for name, newest in self.cameras.items()
        )
        return (*cameras, Worker("shelves", self.shelves.run, watchdog_s=WATCHDOG_S))

    def _make_cameras(self) -> dict[str, NewestFrame]:
        cameras = {}
        for name, settings in sorted(self._premises.config.cameras.items()):
            source = open_camera(
                name, settings, self._clock, folder=self._premises.folder, start=self._zero
            )
            cameras[name] = NewestFrame(source, self._clock, settings.watch)
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
