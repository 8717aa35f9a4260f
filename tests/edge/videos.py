"""Short clips of drawn products, as real files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.simulators.photos import draw_photo

Image = NDArray[np.uint8]


def write_clip(path: Path, frames: Iterable[Image], fps: float = 12) -> Path:
    """Write frames as MJPG (``.avi``) or MPEG-4 (``.mp4``)."""
    codec = "MJPG" if path.suffix == ".avi" else "mp4v"
    writer: cv2.VideoWriter | None = None
    for frame in frames:
        if writer is None:
            size = (frame.shape[1], frame.shape[0])
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, size)
            assert writer.isOpened(), f"cv2 cannot write {path.suffix}"
        writer.write(frame)
    assert writer is not None
    writer.release()
    return path


def product_frames(product: int, frames: int, seed: int = 0) -> list[Image]:
    """Frames that show one product, the camera shaking a little."""
    return [draw_photo(product, frame % 4, seed, 96) for frame in range(frames)]


def thin(video: Path, out: Path, fps: float) -> Path:
    """The same seconds with fewer frames, as MPEG-4."""
    capture = cv2.VideoCapture(str(video))
    step = round(capture.get(cv2.CAP_PROP_FPS) / fps)

    def frames() -> Iterator[Image]:
        at = 0
        while capture.grab():
            if at % step == 0:
                yield np.asarray(capture.retrieve()[1], np.uint8)
            at += 1

    try:
        return write_clip(out, frames(), fps)
    finally:
        capture.release()


def frame_count(path: Path) -> int:
    """Frames of a video that can be decoded."""
    capture, count = cv2.VideoCapture(str(path)), 0
    while capture.grab():
        count += 1
    capture.release()
    return count
