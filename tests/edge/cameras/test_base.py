from __future__ import annotations

import logging

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.cameras.base import CameraSource, Shot
from edge.errors import CameraEndedError, CameraError, CameraLostError, CameraUnavailableError


class BrokenCamera(CameraSource):
    """Does at each step what it is told, which may be to raise."""

    def __init__(self, **faults: Exception) -> None:
        super().__init__("shelf-1")
        self._faults = faults
        self.closed = 0
        self._index = 0

    def _step(self, name: str) -> None:
        if name in self._faults:
            raise self._faults[name]

    def _open(self) -> None:
        self._step("open")

    def _grab(self) -> Shot:
        self._step("grab")
        self._index += 1
        return Shot(self._index - 1, self._index / 10, 1000 + self._index / 10)

    def _retrieve(self) -> NDArray[np.uint8]:
        self._step("retrieve")
        return np.zeros((4, 6, 3), np.uint8)

    def _close(self) -> None:
        self.closed += 1
        self._step("close")


@pytest.mark.parametrize("fault", [OSError("gone"), ZeroDivisionError(), MemoryError("no room")])
@pytest.mark.parametrize("step", ["open", "grab", "retrieve"])
def test_nothing_but_a_camera_error_escapes_and_the_cause_is_kept(
    step: str, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    camera = BrokenCamera(**{step: fault})
    with caplog.at_level(logging.ERROR), pytest.raises(CameraError, match="shelf-1") as raised:
        camera.open()
        camera.read()
    assert raised.value.__cause__ is fault
    assert type(fault).__name__ in caplog.text
    assert not camera.is_open
    assert camera.closed == 1


@pytest.mark.parametrize("fault", [CameraUnavailableError("off"), CameraEndedError("over")])
def test_a_camera_error_passes_as_it_is(fault: CameraError) -> None:
    camera = BrokenCamera(grab=fault)
    camera.open()
    with pytest.raises(type(fault)) as raised:
        camera.read()
    assert raised.value is fault
    assert not camera.is_open


def test_a_camera_that_cannot_even_be_closed_does_no_harm(
    caplog: pytest.LogCaptureFixture,
) -> None:
    camera = BrokenCamera(close=OSError("stuck"))
    camera.open()
    with caplog.at_level(logging.ERROR):
        camera.close()
    assert "stuck" in caplog.text
    assert not camera.is_open


def test_reading_in_the_wrong_order_says_what_to_do() -> None:
    camera = BrokenCamera()
    with pytest.raises(CameraLostError, match="open it before"):
        camera.read()
    camera.open()
    with pytest.raises(CameraLostError, match="grab one before"):
        camera.retrieve()


def test_what_was_done_is_counted_over_all_connections() -> None:
    camera = BrokenCamera()
    for _ in range(2):
        camera.open()
        camera.open()
        camera.grab()
        camera.read()
        camera.close()
    counted = camera.counters
    assert (counted.frames_grabbed, counted.frames_retrieved, counted.connections) == (4, 2, 2)


def test_a_frame_without_a_picture_is_counted() -> None:
    camera = BrokenCamera(retrieve=ValueError("damaged"))
    camera.open()
    with pytest.raises(CameraLostError, match="decoded"):
        camera.read()
    assert camera.counters.decode_errors == 1


def test_nobody_can_paint_on_a_frame() -> None:
    camera = BrokenCamera()
    camera.open()
    frame = camera.read()
    with pytest.raises(ValueError, match="read-only"):
        frame.image[0, 0] = 255
