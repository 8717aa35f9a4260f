"""Recorded shops one of whose cameras is knocked while it runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Camera, read_calibration
from calibration.history import save_reference
from calibration.lens import lens_of
from tests.edge.videos import write_clip
from tests.simulators.busy_day import warp

Image = NDArray[np.uint8]


def turn(degrees: float, axis: tuple[float, float, float]) -> NDArray[np.float64]:
    """The rotation of a camera that is knocked."""
    return np.asarray(cv2.Rodrigues(np.radians(degrees) * np.array(axis))[0], np.float64)


def frames_of(path: Path) -> Iterator[Image]:
    """All frames of a video."""
    video = cv2.VideoCapture(str(path))
    while True:
        good, frame = video.read()
        if not good:
            break
        yield np.asarray(frame, np.uint8)
    video.release()


def watched_shop(source: Path, folder: Path) -> Path:
    """A copy of a recorded shop whose cameras have references: their first, empty pictures."""
    shutil.copytree(source, folder)
    calibration = folder / "calibration.json"
    for name in read_calibration(calibration).cameras:
        first = next(frames_of(folder / f"{name}.mp4"))
        grey = np.asarray(cv2.cvtColor(first, cv2.COLOR_BGR2GRAY), np.uint8)
        save_reference(calibration, name, grey)
    return folder


def knock(
    folder: Path, name: str, rotation: NDArray[np.float64], from_s: float, fps: float
) -> None:
    """Turn a camera of a recorded shop at a moment."""
    camera = read_calibration(folder / "calibration.json").cameras[name]
    video = folder / f"{name}.mp4"
    turned = folder / f"{name}-turned.mp4"
    write_clip(turned, _turned(frames_of(video), camera, rotation, round(from_s * fps)), fps)
    turned.replace(video)


def _turned(
    frames: Iterator[Image], camera: Camera, rotation: NDArray[np.float64], from_frame: int
) -> Iterator[Image]:
    at = warp(lens_of(camera), rotation)
    for number, frame in enumerate(frames):
        if number < from_frame:
            yield frame
        else:
            moved = cv2.remap(
                frame, at[..., 0], at[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
            )
            yield np.asarray(moved, np.uint8)
