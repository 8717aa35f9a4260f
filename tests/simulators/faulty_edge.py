"""``walkout-edge`` with faults that nothing outside the process can cause.

Owns those faults alone: each lasts for as long as a file of its name lies in the folder that
``WALKOUT_FAULTS`` names. All else is the device as it is::

    WALKOUT_FAULTS=/tmp/faults python -m tests.simulators.faulty_edge run shop --port 0
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from edge.__main__ import main
from edge.cameras.newest import CameraState
from edge.cameras.place import PlaceState
from edge.cli import run
from edge.dashboard import shown_store
from edge.events import Evidence, InteractionEvent
from edge.interaction.shelf import Seen, StoredCrop
from edge.queues import SIGHTINGS
from edge.shop.shelves import Sighting
from edge.shop.store import Store
from edge.workers import Pulse, Worker

FOLDER: Final = "WALKOUT_FAULTS"
CRASH: Final = "crash"
LEAK: Final = "leak"
MOVED: Final = "moved"
DOUBT: Final = "doubt"
CLOCK: Final = "clock"
_LEAK_BYTES: Final = 400 * 2**20
_CLOCK_WRONG_S: Final = 3600.0


def _is_on(fault: str) -> bool:
    return (Path(os.environ[FOLDER]) / fault).exists()


class FaultyStore(Store):
    """A shop in which things go wrong."""

    _leaked = b""
    _doubted = False

    def workers(self) -> tuple[Worker, ...]:
        """One worker more, which crashes when it is told to."""
        return (*super().workers(), Worker("faults", self._faults, restart="always"))

    def camera_states(self) -> tuple[CameraState, ...]:
        """As they are, or knocked."""
        states = super().camera_states()
        if not _is_on(MOVED):
            return states
        knocked = PlaceState(light="red", reason="somebody has knocked against it")
        return tuple(replace(each, place=knocked) for each in states)

    def _faults(self, pulse: Pulse) -> None:
        while not pulse.stop.wait(0.05):
            if _is_on(LEAK) and not self._leaked:
                self._leaked = os.urandom(4096) * (_LEAK_BYTES // 4096)
            if _is_on(CRASH):
                raise RuntimeError("it was told to crash")
            if _is_on(DOUBT) and not self._doubted:
                self._doubted = True
                self.inbox.send(SIGHTINGS, self._doubtful())

    def _doubtful(self) -> Sighting:
        """Something that is taken while nobody sees the floor."""
        name, facing = next(iter(self.premises.planogram.facings.items()))
        camera = self.premises.calibration.fixtures[facing.fixture].cameras[0]
        at_s = self.now_s()
        event = InteractionEvent(
            event_id="doubt-1",
            kind="take",
            camera=camera,
            fixture=facing.fixture,
            facing=name,
            started_at_s=at_s - 1,
            ended_at_s=at_s,
            floor_m=(0.0, 0.0),
            sku=facing.sku,
            quantity=1,
            outcome="accept",
            candidates=(),
            evidence=Evidence(("2026-01-01/doubt-1.jpg",), None, None, "told to"),
        )
        crop = StoredCrop("2026-01-01/doubt-1.jpg", np.zeros((8, 8, 3), np.uint8))
        return Sighting(Seen(event, (crop,)), at_s, camera_sick=False)


class _WrongClock:
    """The time, or another one."""

    def __getattr__(self, name: str) -> object:
        return getattr(time, name)

    def time(self) -> float:
        return time.time() + (_CLOCK_WRONG_S if _is_on(CLOCK) else 0.0)


if __name__ == "__main__":
    # Where the command line puts the device together, this one takes the place of the other.
    run.Store = FaultyStore  # type: ignore[attr-defined]
    vars(shown_store)["time"] = _WrongClock()
    main()
