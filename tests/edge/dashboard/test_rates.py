from __future__ import annotations

from dataclasses import replace

from edge.cameras.newest import CameraState
from edge.dashboard.rates import FrameRates
from edge.dashboard.views.cameras import CameraRates
from tests.edge.test_health import camera


def after(frames: int, taken: int, dropped: int) -> CameraState:
    state = camera("running")
    counters = replace(
        state.counters,
        frames_grabbed=state.counters.frames_grabbed + frames,
        frames_taken=state.counters.frames_taken + taken,
        frames_dropped=state.counters.frames_dropped + dropped,
    )
    return replace(state, counters=counters)


def test_rates_are_of_the_last_seconds_in_which_somebody_asked() -> None:
    rates = FrameRates()
    assert rates.of([after(0, 0, 0)], 100.0) == {"shelf-1": CameraRates()}
    assert rates.of([after(15, 10, 5)], 101.0) == {"shelf-1": CameraRates()}
    known = CameraRates(grabbed_fps=15, looked_at_fps=10, skipped_fps=5)
    assert rates.of([after(60, 40, 20)], 104.0) == {"shelf-1": known}
    assert rates.of([after(61, 40, 20)], 104.5) == {"shelf-1": known}
    assert rates.of([after(60, 40, 20)], 106.0) == {"shelf-1": CameraRates()}
