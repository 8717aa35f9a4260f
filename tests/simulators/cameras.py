"""Cameras that show noise when they are told to, and fail when they are told to.

Owns what a camera does beyond its plug: whoever reads it is the device's own reader, with its
watchdog, its reconnecting and its eye for pictures that stand still.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge.cameras.base import CameraSource, Shot
from edge.cameras.clock import Clock
from edge.errors import CameraLostError, CameraUnavailableError

Fate = Literal["running", "lost", "frozen", "stalled"]
_SIZE: Final = (36, 64, 3)


class Conductor:
    """Gives all cameras their frames at the same moments; safe to use from several threads.

    Args:
        clock: What frames are dated with.
        cameras: Names of the cameras.
    """

    def __init__(self, clock: Clock, cameras: tuple[str, ...]) -> None:
        self.clock = clock
        self._fates: dict[str, Fate] = dict.fromkeys(cameras, "running")
        self._changed = threading.Condition()
        self._number = 0
        self._closed = False
        self._done: dict[str, int] = {}

    def show(self, fates: Mapping[str, Fate], timeout_s: float = 0.5) -> None:
        """Give every camera its next frame; wait until those that can have handed it on.

        Args:
            fates: What becomes of each camera from now on.
            timeout_s: At most so long; a camera that is being connected again takes none.
        """
        with self._changed:
            self._fates.update(fates)
            self._number += 1
            self._changed.notify_all()
            well = [name for name, fate in self._fates.items() if fate in ("running", "frozen")]
            self._changed.wait_for(
                lambda: all(self._done.get(name, 0) >= self._number for name in well), timeout_s
            )

    def close(self) -> None:
        """Let everybody go who waits for a frame."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def fate(self, camera: str) -> Fate:
        """What a camera is told to do."""
        with self._changed:
            return self._fates[camera]

    def next_frame(self, camera: str, after: int) -> int:
        """Wait for a camera's next frame.

        Args:
            camera: Its name.
            after: Number of the frame that it has handed on.

        Returns:
            Number of the frame.

        Raises:
            CameraLostError: It has lost its connection.
        """
        with self._changed:
            self._done[camera] = after
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: (
                    self._closed
                    or self._fates[camera] == "lost"
                    or (self._number > after and self._fates[camera] != "stalled")
                )
            )
            if self._closed or self._fates[camera] == "lost":
                raise CameraLostError(f"camera {camera}: its plug was pulled")
            return self._number


class ScriptedCamera(CameraSource):
    """A camera that a conductor leads.

    Args:
        name: Its name.
        conductor: Leads it.
    """

    def __init__(self, name: str, conductor: Conductor) -> None:
        super().__init__(name)
        self._conductor = conductor
        self._number = 0
        self._rng = np.random.default_rng(len(name))
        self._picture = self._noise()

    def _open(self) -> None:
        if self._conductor.fate(self.name) == "lost":
            raise CameraUnavailableError(f"camera {self.name}: its plug is not in")

    def _grab(self) -> Shot:
        self._number = self._conductor.next_frame(self.name, self._number)
        clock = self._conductor.clock
        return Shot(self._number, clock.monotonic_s(), clock.wall_time_s())

    def _retrieve(self) -> NDArray[np.uint8]:
        if self._conductor.fate(self.name) != "frozen":
            self._picture = self._noise()
        return self._picture.copy()

    def _close(self) -> None:
        """Nothing is open."""

    def _noise(self) -> NDArray[np.uint8]:
        return self._rng.integers(0, 255, _SIZE, dtype=np.uint8)
