"""How many frames a second: counters of cameras, looked at from time to time."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Final

from edge.cameras.newest import CameraCounters, CameraState
from edge.dashboard.views.cameras import CameraRates

# Shorter than this, a rate says more about the moment than about the camera.
_OVER_S: Final = 2.0


class FrameRates:
    """Rates of all cameras; safe to use from several threads."""

    def __init__(self) -> None:
        self._using = threading.Lock()
        self._since: dict[str, tuple[float, CameraCounters]] = {}
        self._rates: dict[str, CameraRates] = {}

    def of(self, states: Iterable[CameraState], now_s: float) -> dict[str, CameraRates]:
        """Frames a second by camera, over the last seconds in which somebody asked.

        Args:
            states: How the cameras are.
            now_s: On a clock that never jumps.
        """
        with self._using:
            for state in states:
                since_s, before = self._since.setdefault(state.camera, (now_s, state.counters))
                if now_s - since_s >= _OVER_S:
                    self._rates[state.camera] = _rates(before, state.counters, now_s - since_s)
                    self._since[state.camera] = (now_s, state.counters)
            return {state.camera: self._rates.get(state.camera, CameraRates()) for state in states}


def _rates(before: CameraCounters, now: CameraCounters, over_s: float) -> CameraRates:
    return CameraRates(
        grabbed_fps=round((now.frames_grabbed - before.frames_grabbed) / over_s, 2),
        looked_at_fps=round((now.frames_taken - before.frames_taken) / over_s, 2),
        skipped_fps=round((now.frames_dropped - before.frames_dropped) / over_s, 2),
    )
