"""What a camera costs beyond decoding, and whether a recorded shop keeps up with the clock.

A camera that nobody looks at is held against a bare ``grab`` and ``retrieve`` of every frame of the
same video, in processor time of one thread. A shop is played once, as ``walkout-edge replay`` does.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import numpy as np

from edge.bench.rounds import Figure, measure, ratio_figure
from edge.cameras.clock import RecordingStart, SystemClock
from edge.cameras.file import FileCamera
from edge.cameras.newest import NewestFrame
from edge.config_file import load_config
from edge.shop.premises import open_premises
from edge.shop.replay import replay

_SIZE_PX = (1280, 720)
_FPS = 15
_FRAMES = 90


def idle_cost(rounds: int, frames: int = _FRAMES) -> list[Figure]:
    """A camera at rest, and one whose every picture is taken, against a bare read of all frames.

    Args:
        rounds: Of the comparison.
        frames: Of the video.
    """
    with film(frames) as video:
        timings = measure(
            {
                "bare": lambda: _bare(video),
                "idle": _through_newest_frame(video, rests=True),
                "busy": _through_newest_frame(video, rests=False),
            },
            rounds,
            clock=time.thread_time,
        )
    detail = f"H.264, 1280 x 720, {timings.median_ms('bare') / frames:.2f} ms a frame bare"
    return [
        ratio_figure(
            "idle camera / bare grab and retrieve, processor time",
            timings.ratios("idle", "bare"),
            gate=1.2,
            sense="at most",
            detail=detail,
        ),
        ratio_figure(
            "camera whose every frame is wanted / bare grab and retrieve",
            timings.ratios("busy", "bare"),
        ),
    ]


def shop_pace(folder: Path) -> list[Figure]:
    """A recorded shop against the clock, every frame of every shelf camera looked at.

    Args:
        folder: The recorded shop.
    """
    premises = open_premises(load_config(folder), folder)
    with tempfile.TemporaryDirectory(prefix="walkout-shop-") as state:
        cost = replay(premises, Path(state)).cost
    stages = ", ".join(f"{name} {spent:.1f}" for name, spent in cost.stages_s.items())
    skipped = ", ".join(f"{each.camera} {each.skipped} of {each.frames}" for each in cost.cameras)
    return [
        Figure(
            f"real-time factor of {len(cost.cameras)} cameras",
            cost.real_time_factor,
            gate=1.0,
            detail=f"{cost.shop_s:.0f} s of shop; CPU s: {stages}; frames skipped: {skipped}",
        )
    ]


@contextmanager
def film(frames: int = _FRAMES) -> Iterator[Path]:
    """A video in H.264 of 1280 x 720 at 15 frames a second, until it is not needed any more."""
    with tempfile.TemporaryDirectory(prefix="walkout-cameras-") as folder:
        video = Path(folder) / "shelf.mp4"
        _film(video, frames)
        yield video


def _film(video: Path, frames: int) -> None:
    """A shelf of blocks that a hand passes, with the noise of a sensor."""
    width, height = _SIZE_PX
    dice = np.random.default_rng(1)
    blocks = dice.integers(30, 220, (18, 32, 3), np.uint8)
    shelf = cv2.resize(blocks, _SIZE_PX, interpolation=cv2.INTER_NEAREST).astype(np.int16)
    with av.open(str(video), "w") as file:
        stream = file.add_stream("libx264", rate=_FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "26", "preset": "veryfast", "threads": "1"}
        for index in range(frames):
            picture = shelf.copy()
            left = int(index / frames * (width - 200))
            picture[300:600, left : left + 200] = (150, 170, 210)
            picture += np.asarray(dice.normal(0, 2.5, picture.shape), np.int16)
            image = np.clip(picture, 0, 255).astype(np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)


def _bare(video: Path) -> None:
    capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    while capture.grab():
        capture.retrieve()
    capture.release()


def _through_newest_frame(video: Path, rests: bool) -> Callable[[], None]:
    def play() -> None:
        source = FileCamera(
            "shelf", video, SystemClock(), RecordingStart(0.0, 0.0), pace="as_fast_as_possible"
        )
        newest = NewestFrame(source, SystemClock())
        if rests:
            newest.rest()
        newest.run(threading.Event())

    return play
