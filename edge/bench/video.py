"""A video to measure with where none is given: a shelf that a hand passes, with sensor noise."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from edge.errors import SourceError

SIZE_PX: Final = (1280, 720)
FPS: Final = 15
_SECONDS: Final = 6


def film(path: Path) -> None:
    """Write a video of 1280 x 720 at 15 frames a second, MPEG-4 part 2 (H.264 is not free to make).

    Args:
        path: ``.mp4``.

    Raises:
        SourceError: This OpenCV cannot write videos.
    """
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), FPS, SIZE_PX)
    if not writer.isOpened():
        raise SourceError(f"no video can be written to {path}; give one with --video")
    dice = np.random.default_rng(1)
    blocks = dice.integers(30, 220, (18, 32, 3), np.uint8)
    shelf = cv2.resize(blocks, SIZE_PX, interpolation=cv2.INTER_NEAREST).astype(np.int16)
    noise = dice.normal(0, 2.5, (3, *shelf.shape)).astype(np.int16)
    frames = FPS * _SECONDS
    for index in range(frames):
        picture = shelf.copy()
        left = int(index / frames * (SIZE_PX[0] - 200))
        picture[300:600, left : left + 200] = (150, 170, 210)
        writer.write(np.clip(picture + noise[index % len(noise)], 0, 255).astype(np.uint8))
    writer.release()


def decode_ms(path: Path) -> tuple[float, float]:
    """What decoding costs by itself: processor ms of a frame, and frames a second of the video.

    Raises:
        SourceError: It cannot be read.
    """
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    rate = float(capture.get(cv2.CAP_PROP_FPS))
    frames, began_s = 0, time.thread_time()
    while capture.grab():
        capture.retrieve()
        frames += 1
    took_s = time.thread_time() - began_s
    capture.release()
    if not frames or not 1 <= rate <= 240:
        raise SourceError(f"{path} is no video that can be played as a camera; give another one")
    return took_s * 1000 / frames, rate
