"""A shop's load on this very device: cameras decoded in real time, crops of every frame recognised.

Owns the play and its account. Every camera is a real one (``FileCamera`` behind ``NewestFrame``)
that is read on a thread of its own; another takes its newest frame, cuts crops out of it and has
them recognised, each crop an item of its own, as the workers of a shop do. That crops of several
cameras go together is the recogniser's affair. A frame that a newer one replaces first was not kept
up with. Crops are cut elsewhere in every frame and for every camera, so that none is like another,
unless they are asked to stay where they are, as those of a facing do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.bench.power import peak_memory_mib, watts
from edge.cameras.clock import RecordingStart, SystemClock
from edge.cameras.file import FileCamera
from edge.cameras.newest import NewestFrame
from edge.errors import CameraEndedError, CameraStalledError
from edge.events import Frame

Image = NDArray[np.uint8]

_WARM_UP_S: Final = 1.0
_WAITS_S: Final = 0.05
_KEPT_UP_SHARE: Final = 0.99
_CROP_OF_FRAME: Final = (0.4, 0.22)
_MOST_CAMERAS: Final = 64


class RecognisesMany(Protocol):
    """What crops are given to: ``edge.matching.recogniser.Recogniser``, or a rival of it."""

    def recognise_many(self, items: Sequence[Sequence[Image]]) -> object:
        """Recognise items, each by its crops."""


@dataclass(frozen=True)
class Demand:
    """What is asked of the device.

    Attributes:
        cameras: How many there are.
        fps: Frames a second of each; the video's.
        crops_a_frame: Crops cut from every frame.
        seconds: How long, after a second of warming up.
        still: Whether crops are cut at the same places of every frame.
    """

    cameras: int = 4
    fps: float = 15.0
    crops_a_frame: int = 3
    seconds: float = 10.0
    still: bool = False


@dataclass(frozen=True)
class Sustained:
    """How the device did.

    Attributes:
        demand: What was asked.
        frames_seen: Frames whose crops were recognised.
        frames_lost: Frames that were replaced by newer ones before that.
        crops_s: Crops recognised a second.
        late_p50_ms: From the moment of a frame to the decisions about its crops.
        late_p99_ms: From the moment of a frame to the decisions about its crops.
        cores: Processor seconds of the whole process for every second.
        memory_mib: Most memory so far.
        watts: What the board drew at the end; ``None`` where nothing tells.
    """

    demand: Demand
    frames_seen: int
    frames_lost: int
    crops_s: float
    late_p50_ms: float
    late_p99_ms: float
    cores: float
    memory_mib: float
    watts: float | None

    @property
    def kept_up(self) -> bool:
        """Whether hardly a frame was lost, and as many came as were asked for."""
        due = self.demand.cameras * self.demand.fps * self.demand.seconds
        seen = self.frames_seen
        return seen >= _KEPT_UP_SHARE * (seen + self.frames_lost) and seen >= 0.95 * due


def play(recogniser: RecognisesMany, video: Path, demand: Demand) -> Sustained:
    """Play a video as so many cameras and recognise crops of all their frames.

    Args:
        recogniser: What recognises.
        video: Of ``demand.fps`` frames a second; played in a loop.
        demand: What is asked.
    """
    with (
        _cameras(video, demand.cameras) as (cameras, start_s),
        ThreadPoolExecutor(demand.cameras, "looking") as lookers,
    ):

        def look(seconds: float) -> list[float]:
            end_s = time.monotonic() + seconds
            each = partial(_look, recogniser, demand, start_s, end_s)
            numbered = lookers.map(each, cameras, range(demand.cameras))
            return [late_ms for some in numbered for late_ms in some]

        look(_WARM_UP_S)
        lost_before = _lost(cameras)
        began_s, cpu_before_s = time.monotonic(), time.process_time()
        late_ms = look(demand.seconds)
        took_s = time.monotonic() - began_s
        cpu_s = time.process_time() - cpu_before_s
        lost = _lost(cameras) - lost_before
        drawn_watts = watts()
    seen = len(late_ms)
    return Sustained(
        demand=demand,
        frames_seen=seen,
        frames_lost=lost,
        crops_s=seen * demand.crops_a_frame / took_s,
        late_p50_ms=float(np.median(late_ms)) if late_ms else float("inf"),
        late_p99_ms=float(np.percentile(late_ms, 99)) if late_ms else float("inf"),
        cores=cpu_s / took_s,
        memory_mib=peak_memory_mib(),
        watts=drawn_watts,
    )


def density(
    recogniser: RecognisesMany, video: Path, demand: Demand
) -> tuple[Sustained | None, tuple[Sustained, ...]]:
    """How many cameras the device carries.

    Doubles them until it does not keep up, then searches between the last two numbers.

    Args:
        recogniser: What recognises.
        video: As for ``play``.
        demand: Of each try, but for the number of cameras.

    Returns:
        The most that it kept up with, if any, and all tries.
    """
    tries: list[Sustained] = []

    def keeps_up(cameras: int) -> bool:
        tries.append(play(recogniser, video, replace(demand, cameras=cameras)))
        return tries[-1].kept_up

    most = most_that(keeps_up, _MOST_CAMERAS)
    kept = [each for each in tries if each.kept_up and each.demand.cameras == most]
    return (kept[0] if kept else None), tuple(tries)


def most_that(works: Callable[[int], bool], limit: int) -> int:
    """The largest number up to a limit that works, where smaller ones do as well; 0 for none."""
    good, bad = 0, limit + 1
    step = 1
    while step < bad and works(step):
        good, step = step, step * 2
    bad = min(bad, step)
    while bad - good > 1:
        middle = (good + bad) // 2
        if works(middle):
            good = middle
        else:
            bad = middle
    return good


@contextmanager
def _cameras(video: Path, count: int) -> Iterator[tuple[list[NewestFrame], float]]:
    """Cameras that are read, and the moment of their second 0."""
    clock, stop = SystemClock(), threading.Event()
    start = RecordingStart(clock.monotonic_s(), clock.wall_time_s())
    cameras = [
        NewestFrame(FileCamera(f"camera-{number}", video, clock, start, loop=True), clock)
        for number in range(1, count + 1)
    ]
    threads = [
        threading.Thread(target=camera.run, args=(stop,), name=camera.name, daemon=True)
        for camera in cameras
    ]
    for thread in threads:
        thread.start()
    try:
        yield cameras, start.monotonic_s
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _look(
    recogniser: RecognisesMany,
    demand: Demand,
    start_s: float,
    end_s: float,
    camera: NewestFrame,
    number: int,
) -> list[float]:
    """Look at a camera's newest frames; how late the decisions about each were, ms."""
    late_ms: list[float] = []
    while time.monotonic() < end_s:
        try:
            frame = camera.take(_WAITS_S)
        except CameraStalledError:
            continue
        except CameraEndedError:
            break
        recogniser.recognise_many([[crop] for crop in _cut(frame, demand, number)])
        late_ms.append((time.monotonic() - start_s - frame.captured_at_s) * 1000)
    return late_ms


def _cut(frame: Frame, demand: Demand, camera: int) -> Iterator[Image]:
    """Pieces of a frame as large as products; other ones for each camera: all play one video."""
    moved = 0 if demand.still else frame.index
    height, width = frame.image.shape[:2]
    tall, wide = int(height * _CROP_OF_FRAME[0]), int(width * _CROP_OF_FRAME[1])
    first = camera * demand.crops_a_frame
    for number in range(first, first + demand.crops_a_frame):
        top = (moved * 31 + number * 97) % (height - tall)
        left = (moved * 53 + number * 211) % (width - wide)
        yield frame.image[top : top + tall, left : left + wide]


def _lost(cameras: Sequence[NewestFrame]) -> int:
    return sum(
        camera.state.counters.frames_dropped + camera.state.counters.frames_missed
        for camera in cameras
    )
