from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.cameras.base import CameraSource, Shot
from edge.cameras.clock import RecordingStart, SystemClock
from edge.cameras.file import FileCamera
from edge.cameras.newest import CameraCounters, NewestFrame, Watch
from edge.errors import (
    CameraEndedError,
    CameraError,
    CameraLostError,
    CameraSetupError,
    CameraStalledError,
    CameraUnavailableError,
)
from tests.edge.cameras.clips import HandClock, number_in, numbered, running, wait_until
from tests.edge.cameras.clips import write_numbered as write

QUICK = Watch(first_wait_s=0.01, longest_wait_s=0.05)


class PushedCamera(CameraSource):
    """A live camera whose frames, or faults, a test pushes one by one."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__("shelf-1")
        self.clock = clock
        self.refusals: list[CameraError] = []
        self.pictures: dict[int, NDArray[np.uint8]] = {}
        self._pushed: Queue[int | Exception] = Queue()
        self._showing = 0
        self.over = False

    def push(self, *steps: int | Exception) -> None:
        """Let a frame of that number come, or let the camera fail."""
        for step in steps:
            self._pushed.put(step)

    @property
    def all_read(self) -> bool:
        """Whether the reader waits for more."""
        return self._pushed.empty()

    def _open(self) -> None:
        if self.refusals:
            raise self.refusals.pop(0)

    def _grab(self) -> Shot:
        step = self._pushed.get()
        if self.over:
            raise CameraLostError("the test is over")
        if isinstance(step, Exception):
            raise step
        self._showing = step
        return Shot(step, step / 10, 1000 + step / 10)

    def _retrieve(self) -> NDArray[np.uint8]:
        return self.pictures.get(self._showing, numbered(self._showing))

    def _close(self) -> None:
        pass


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def camera(clock: HandClock) -> PushedCamera:
    return PushedCamera(clock)


@contextmanager
def _reading(camera: PushedCamera, watch: Watch = QUICK) -> Iterator[NewestFrame]:
    with running(NewestFrame(camera, camera.clock, watch)) as reader:
        try:
            yield reader
        finally:
            # A reader ends when the frame it waits for comes: let it fail from now on.
            camera.over = True
            camera.push(*range(100))


def _status(reader: NewestFrame) -> str:
    return reader.state.status


def _accounted(counters: CameraCounters, waiting: int) -> bool:
    return counters.frames_grabbed == (
        counters.frames_taken
        + counters.frames_dropped
        + counters.frames_rested
        + counters.decode_errors
        + waiting
    )


def test_only_the_newest_frame_is_taken_and_the_others_are_counted(camera: PushedCamera) -> None:
    with _reading(camera) as reader:
        camera.push(0)
        assert reader.take(5).index == 0
        camera.push(1, 2, 3, 4)
        wait_until(lambda: reader.state.counters.frames_dropped == 3, "three dropped")
        frame = reader.take(5)
        assert (frame.index, number_in(frame.image)) == (4, 4)
        assert _accounted(reader.state.counters, waiting=0)
        camera.push(5)
        wait_until(lambda: _accounted(reader.state.counters, waiting=1), "one waits")


def test_the_same_frame_is_never_taken_twice(camera: PushedCamera) -> None:
    with _reading(camera) as reader:
        camera.push(0)
        reader.take(5)
        with pytest.raises(CameraStalledError, match=r"no newer frame within 0\.05 s"):
            reader.take(0.05)


def test_a_resting_camera_gives_few_pictures_and_wakes_at_once(camera: PushedCamera) -> None:
    with _reading(camera, Watch(idle_frames_per_s=2.0)) as reader:
        camera.push(0)
        reader.take(5)
        reader.rest()
        camera.push(*range(1, 21))
        wait_until(lambda: camera.all_read, "all read")
        camera.push(21)
        wait_until(lambda: reader.state.counters.frames_grabbed == 22, "22 grabbed")
        counted = reader.state.counters
        # 10 frames a second at 2 pictures a second: one in five.
        assert camera.counters.frames_retrieved in (5, 6)
        assert counted.frames_rested >= 16
        assert reader.state.resting is True
        reader.wake()
        camera.push(22)
        wait_until(lambda: reader.take(5).index == 22, "awake")
        assert _accounted(reader.state.counters, waiting=0)


def test_a_camera_that_is_not_up_yet_is_tried_until_it_is(camera: PushedCamera) -> None:
    camera.refusals = [CameraUnavailableError("shelf-1 is off") for _ in range(4)]
    assert NewestFrame(camera, camera.clock).state.status == "connecting"
    with _reading(camera) as reader:
        wait_until(lambda: reader.state.counters.failed_attempts == 4, "four attempts")
        wait_until(lambda: camera.is_open, "open")
        assert _status(reader) == "connecting"
        camera.push(0)
        assert reader.take(5).index == 0
        assert _status(reader) == "running"
        assert reader.state.counters.reconnects == 0


def test_a_lost_camera_is_lost_until_a_new_frame_comes(camera: PushedCamera) -> None:
    with _reading(camera) as reader:
        camera.push(0)
        reader.take(5)
        camera.push(CameraLostError("the cable is out"))
        wait_until(lambda: reader.state.counters.reconnects == 1, "connected again")
        assert _status(reader) == "lost"
        camera.push(9)
        assert reader.take(5).index == 9
        assert (reader.state.status, reader.state.reason) == ("running", "")


def test_waiting_for_a_lost_camera_says_why_it_is_lost(camera: PushedCamera) -> None:
    with _reading(camera, Watch(first_wait_s=20.0)) as reader:
        camera.push(0)
        reader.take(5)
        camera.push(CameraLostError("the cable is out"))
        wait_until(lambda: _status(reader) == "lost", "lost")
        with pytest.raises(CameraStalledError, match="the cable is out"):
            reader.take(0.01)


def test_a_camera_that_sends_nothing_is_stalled_while_its_reader_still_waits(
    camera: PushedCamera,
) -> None:
    with _reading(camera, Watch(stall_after_s=2.0)) as reader:
        camera.push(0)
        reader.take(5)
        camera.clock.now_s += 1.9
        assert _status(reader) == "running"
        camera.clock.now_s += 0.2
        state = reader.state
        assert (state.status, state.reason) == ("stalled", "no frame for 2.1 s")
        assert state.frame_age_s == pytest.approx(2.1)
        camera.push(1)
        reader.take(5)
        assert _status(reader) == "running"


def test_a_frozen_picture_is_noticed_connected_anew_and_noticed_to_move_again(
    camera: PushedCamera,
) -> None:
    with _reading(camera, Watch(5.0, 3.0, 5.0, 0.01, 0.02)) as reader:
        for number in range(5):
            camera.clock.now_s += 1.0
            camera.pictures[number] = numbered(77)
            camera.push(number)
            reader.take(5)
        wait_until(lambda: reader.state.counters.reconnects == 1, "connected anew")
        for number in (5, 6):
            camera.clock.now_s += 1.0
            camera.pictures[number] = numbered(77)
            camera.push(number)
            reader.take(5)
        assert _status(reader) == "frozen"
        assert "has not changed" in reader.state.reason
        camera.clock.now_s += 1.0
        camera.push(8)
        reader.take(5)
        wait_until(lambda: _status(reader) == "running", "moves again")
        assert reader.state.counters.reconnects == 1


def test_a_fault_nobody_thought_of_is_logged_and_the_reader_goes_on(
    camera: PushedCamera, caplog: pytest.LogCaptureFixture
) -> None:
    with _reading(camera) as reader:
        camera.push(ZeroDivisionError("surprise"), 3)
        assert reader.take(5).index == 3
        assert "surprise" in caplog.text


def test_a_camera_with_wrong_settings_is_loud_and_still_tried_again(
    camera: PushedCamera, caplog: pytest.LogCaptureFixture
) -> None:
    camera.refusals = [CameraSetupError("install gstreamer1.0-tools")]
    with _reading(camera) as reader:
        camera.push(0)
        assert reader.take(5).index == 0
        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert "install gstreamer1.0-tools" in errors[0].getMessage()


def test_a_recording_plays_to_its_end_and_its_last_frame_can_still_be_taken(
    tmp_path: Path,
) -> None:
    clock = SystemClock()
    start = RecordingStart(clock.monotonic_s(), 0.0)
    source = FileCamera("a", write(tmp_path / "a.mp4", 12, fps=30), clock, start)
    with running(NewestFrame(source, clock)) as reader:
        taken = []
        with pytest.raises(CameraEndedError, match="ended after 12 frames"):
            while True:
                taken.append(reader.take(5).index)
        state = reader.state
    assert taken[-1] == 11
    assert taken == sorted(set(taken))
    assert state.status == "ended"
    assert _accounted(state.counters, waiting=0)
    assert state.counters.frames_taken == len(taken)


def test_a_recording_that_cannot_be_read_is_not_begun_again(tmp_path: Path) -> None:
    clock = SystemClock()
    source = FileCamera("a", tmp_path / "gone.mp4", clock, RecordingStart(0.0, 0.0))
    with running(NewestFrame(source, clock, QUICK)) as reader:
        with pytest.raises(CameraStalledError, match=r"no video .*gone\.mp4"):
            reader.take(5)
        assert _status(reader) == "lost"
        assert reader.state.counters.failed_attempts == 1


def test_a_stopped_reader_closes_its_camera_and_lets_nobody_wait(camera: PushedCamera) -> None:
    reader, stop = NewestFrame(camera, camera.clock, QUICK), threading.Event()
    thread = threading.Thread(target=reader.run, args=(stop,))
    thread.start()
    camera.push(0)
    reader.take(5)
    stop.set()
    camera.push(1)
    thread.join(10)
    assert not thread.is_alive()
    assert not camera.is_open
    with pytest.raises(CameraStalledError, match="was stopped"):
        while True:
            reader.take(5)
    assert _status(reader) == "lost"
