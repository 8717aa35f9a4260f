"""Reading the pictures a calibration is made from: folders, single pictures, videos.

Owns files and their refusals: missing, empty, corrupt, of mixed sizes. Knows nothing of boards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import CalibrationError

PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
VIDEO_SUFFIXES: Final = frozenset({".mp4", ".mkv", ".avi", ".mov", ".m4v", ".webm"})


class PictureError(CalibrationError):
    """Pictures cannot be read, or do not belong together."""


@dataclass(frozen=True)
class Picture:
    """A grey picture.

    Attributes:
        name: Of its file, or of the video's frame.
        grey: uint8 ``(H, W)``.
        at_s: Its time in a video; None for a picture of its own.
    """

    name: str
    grey: NDArray[np.uint8]
    at_s: float | None = None


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Read one picture as grey levels ``(H, W)``.

    Raises:
        PictureError: It cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as err:
        raise PictureError(f"{path}: cannot be read: {err.strerror or err}") from err
    # As stored: a camera does not turn its stream by the EXIF of a still.
    flags = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
    grey = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    if grey is None:
        raise PictureError(f"{path}: is empty or no picture; take it again")
    return np.asarray(grey, np.uint8)


def read_pictures(path: Path, every_s: float = 0.2) -> Iterator[Picture]:
    """Pictures of a folder in the order of their names, or frames of a video.

    Args:
        path: A folder, a picture or a video.
        every_s: Between two frames that are taken of a video.

    Raises:
        PictureError: There is nothing to be read, a file is corrupt, or sizes differ.
    """
    if path.is_dir():
        yield from _folder(path)
    elif path.suffix.lower() in VIDEO_SUFFIXES and path.is_file():
        yield from _video(path, every_s)
    else:
        yield Picture(path.name, read_picture(path))


def _folder(path: Path) -> Iterator[Picture]:
    names = sorted(each for each in path.iterdir() if each.suffix.lower() in PICTURE_SUFFIXES)
    if not names:
        raise PictureError(f"{path}: holds no pictures; name the folder they lie in")
    first: Picture | None = None
    for each in names:
        picture = Picture(each.name, read_picture(each))
        if first is not None and picture.grey.shape != first.grey.shape:
            raise PictureError(
                f"{path}: {each.name} is {picture.grey.shape[1]} x {picture.grey.shape[0]}, "
                f"{first.name} is {first.grey.shape[1]} x {first.grey.shape[0]}: pictures of "
                "different sizes are not of one camera setting; sort them into folders"
            )
        first = first or picture
        yield picture


def _video(path: Path, every_s: float) -> Iterator[Picture]:
    video = cv2.VideoCapture(str(path))
    try:
        rate = float(video.get(cv2.CAP_PROP_FPS))
        step = max(1, round(every_s * rate)) if rate > 0 else 1
        count = 0
        while video.grab():
            if count % step == 0:
                good, frame = video.retrieve()
                if good:
                    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
                    at_s = count / rate if rate > 0 else None
                    yield Picture(f"frame {count}", np.asarray(grey, np.uint8), at_s)
            count += 1
    finally:
        video.release()
    if count == 0:
        raise PictureError(f"{path}: is empty or no video; record it again")
