"""The workers that look at frames: one for all shelf cameras, one for all overhead cameras.

Owns the loop over newest frames and when a camera may rest. What frames show is the business of
``edge.interaction`` and ``edge.tracking``.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Final

from edge.cameras.base import CameraStatus
from edge.cameras.newest import NewestFrame
from edge.errors import CameraEndedError, CameraStalledError
from edge.events import Frame
from edge.queues import MOMENTS, SIGHTINGS, Inbox
from edge.shop.floor import FloorCameras
from edge.shop.shelves import ShelfCamera
from edge.stages import StageClock
from edge.workers import Pulse

_IDLE_S: Final = 0.005


class Looking(ABC):
    """Looks at every newest frame of some cameras until all have ended.

    Args:
        cameras: The cameras by name.
        inbox: Where what was seen goes.
        stages: Counts what it costs.
    """

    def __init__(
        self, cameras: Mapping[str, NewestFrame], inbox: Inbox, stages: StageClock
    ) -> None:
        self.over = threading.Event()
        self._cameras = cameras
        self._inbox = inbox
        self._stages = stages

    def run(self, pulse: Pulse) -> None:
        """Look until told to stop or until all cameras have ended; the body of a worker."""
        looking = dict(self._cameras)
        while looking and not pulse.stop.is_set():
            pulse.beat()
            idle = True
            for name, newest in list(looking.items()):
                try:
                    frame = newest.take(0.0)
                except CameraEndedError:
                    del looking[name]
                except CameraStalledError:
                    continue
                else:
                    idle = False
                    self._look(newest, frame, newest.state.status)
            if idle:
                pulse.stop.wait(_IDLE_S)
        if not pulse.stop.is_set():
            self._end()
            self.over.set()

    @abstractmethod
    def _look(self, newest: NewestFrame, frame: Frame, status: CameraStatus) -> None:
        """Look at a frame."""

    @abstractmethod
    def _end(self) -> None:
        """All cameras have ended: send what still waits."""


class LookingAtShelves(Looking):
    """Looks at shelves.

    Args:
        cameras: The shelf cameras by name.
        inbox: Where sightings go.
        stages: Counts what it costs.
        shelves: What watches each of them.
    """

    def __init__(
        self,
        cameras: Mapping[str, NewestFrame],
        inbox: Inbox,
        stages: StageClock,
        shelves: Mapping[str, ShelfCamera],
    ) -> None:
        super().__init__(cameras, inbox, stages)
        self._shelves = shelves

    def _look(self, newest: NewestFrame, frame: Frame, status: CameraStatus) -> None:
        shelf = self._shelves[frame.camera]
        with self._stages.stage("shelf"):
            sightings = shelf.look(frame, status)
        # While nothing moves, a few pictures a second are enough to see that something begins to.
        if shelf.watch.active:
            newest.wake()
        else:
            newest.rest()
        for sighting in sightings:
            self._inbox.send(SIGHTINGS, sighting)

    def _end(self) -> None:
        """Nothing waits: a change that has not settled yet is none."""


class LookingAtFloor(Looking):
    """Looks at the floor.

    Args:
        cameras: The overhead cameras by name.
        inbox: Where moments go.
        stages: Counts what it costs.
        floor: What watches all of them together.
    """

    def __init__(
        self,
        cameras: Mapping[str, NewestFrame],
        inbox: Inbox,
        stages: StageClock,
        floor: FloorCameras,
    ) -> None:
        super().__init__(cameras, inbox, stages)
        self._floor = floor

    def _look(self, newest: NewestFrame, frame: Frame, status: CameraStatus) -> None:
        if status not in ("running", "ended"):
            return  # a frozen picture would show everybody where they were
        # None of these cameras rests: pictures of one moment must be of one moment, and resting
        # cameras fall out of step.
        with self._stages.stage("floor"):
            moments = self._floor.look(frame)
        for moment in moments:
            self._inbox.send(MOMENTS, moment)

    def _end(self) -> None:
        for moment in self._floor.flush():
            self._inbox.send(MOMENTS, moment)
