"""Photos and videos through a recogniser, one result after the other.

Owns reading pictures, what of them is looked at, and which of them are pooled into one decision.
What is printed or drawn about a result is decided elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.events import Recognition
from edge.matching.recogniser import Embedded, Recogniser, join
from edge.sources import SetAside, Source, photo_groups
from models.photos import PhotoError, read_photo
from models.preprocess import Preprocessing, photo_region

Image = NDArray[np.uint8]

_CROPS_AT_ONCE: Final = 16
_FRAMES_OF_A_CLIP: Final = 24
_WINDOW_FRAMES_A_SECOND: Final = 3
_USUAL_FPS: Final = 25.0
_READERS: Final = 2


@dataclass(frozen=True)
class Sampling:
    """What of the pictures is looked at, and what is pooled.

    Attributes:
        pool: Consecutive photos of one folder, or consecutive sampled frames, that make one
            decision; ``None``: a photo by itself, a clip as a whole.
        every: Look at every so many frames of a video; ``None``: 24 frames of a clip as a whole,
            3 a second for sliding windows.
        whole_picture: Look at the whole picture instead of its central part.
    """

    pool: int | None = None
    every: int | None = None
    whole_picture: bool = False


@dataclass(frozen=True)
class Result:
    """What was recognised in photos or frames.

    Attributes:
        kind: Photo or video.
        files: The photos that were pooled, or the one video.
        shown_as: Where each file lies below the folder that was given.
        frames: First and last frame of a video behind the decision, counted from 0.
        over: What the decision pools, in words.
        recognition: The decision and all its numbers.
        elapsed_ms: From decoded crops to the decision, this result's share of its batch.
    """

    kind: Literal["photo", "video"]
    files: tuple[Path, ...]
    shown_as: tuple[Path, ...]
    frames: tuple[int, int] | None
    over: str
    recognition: Recognition
    elapsed_ms: float


@dataclass(frozen=True)
class _Item:
    sources: tuple[Source, ...]
    crops: tuple[Image, ...]


def recognise_sources(
    recogniser: Recogniser, sources: Sequence[Source], sampling: Sampling
) -> Iterator[Result | SetAside]:
    """Recognise photos and videos in their order; what cannot be read is set aside, not raised.

    Args:
        recogniser: Recognises.
        sources: Photos and videos.
        sampling: What to look at and what to pool.
    """
    photos = [source for source in sources if source.kind == "photo"]
    yield from recognise_photos(recogniser, photos, sampling)
    for source in sources:
        if source.kind == "video":
            try:
                yield from recognise_video(recogniser, source, sampling)
            except SourceError as err:
                yield SetAside(source.path, str(err))


def recognise_photos(
    recogniser: Recogniser, photos: Sequence[Source], sampling: Sampling
) -> Iterator[Result | SetAside]:
    """Recognise photos, several items in one batch; the next ones are read meanwhile."""
    region = _region(recogniser, sampling)
    groups = iter(list(photo_groups(photos, sampling.pool or 1)))
    groups_at_once = max(1, _CROPS_AT_ONCE // (sampling.pool or 1))
    with ThreadPoolExecutor(_READERS) as readers:

        def read(chunk: list[tuple[Source, ...]]) -> Iterator[Image | SetAside]:
            return readers.map(lambda photo: _read(photo, region), chain.from_iterable(chunk))

        chunk = list(islice(groups, groups_at_once))
        pictures = read(chunk)
        while chunk:
            upcoming = list(islice(groups, groups_at_once))
            items: list[_Item] = []
            for group in chunk:
                read_now = list(zip(group, islice(pictures, len(group)), strict=True))
                for _, picture in read_now:
                    if isinstance(picture, SetAside):
                        yield picture
                readable = [pair for pair in read_now if not isinstance(pair[1], SetAside)]
                if readable:
                    items.append(
                        _Item(
                            tuple(source for source, _ in readable),
                            tuple(crop for _, crop in readable if not isinstance(crop, SetAside)),
                        )
                    )
            pictures, chunk = read(upcoming), upcoming
            yield from _recognise_items(recogniser, items)


def recognise_video(recogniser: Recogniser, source: Source, sampling: Sampling) -> Iterator[Result]:
    """Recognise what a clip shows: once as a whole, or in windows sliding over sampled frames.

    Args:
        recogniser: Recognises.
        source: The video.
        sampling: ``pool`` is the window; without it the whole clip makes one decision.

    Raises:
        SourceError: The file holds no frame that can be decoded.
    """
    region = _region(recogniser, sampling)
    started_s = time.perf_counter()
    frames: list[int] = []
    parts: list[Embedded] = []
    waiting: list[Image] = []
    every, sampled = sample_frames(source.path, sampling)
    for number, frame in sampled:
        frames.append(number)
        waiting.append(region(frame))
        if len(waiting) == _CROPS_AT_ONCE:
            parts.append(recogniser.embed(waiting))
            waiting = []
    if waiting:
        parts.append(recogniser.embed(waiting))
    if not frames:
        raise SourceError("no frame of the video can be decoded; convert it to H.264 MP4")
    window = min(sampling.pool or len(frames), len(frames))
    rows = [range(end - window, end) for end in range(window, len(frames) + 1)]
    recognitions = recogniser.decide(join(parts), rows)
    elapsed_ms = (time.perf_counter() - started_s) * 1000 / len(rows)
    pooled = "the whole clip" if sampling.pool is None else f"windows of {window} sampled frames"
    for row, recognition in zip(rows, recognitions, strict=True):
        yield Result(
            kind="video",
            files=(source.path,),
            shown_as=(source.shown_as,),
            frames=(frames[row[0]], frames[row[-1]]),
            over=f"{pooled}, every {_ordinal(every)} frame looked at",
            recognition=recognition,
            elapsed_ms=elapsed_ms,
        )


def sample_frames(path: Path, sampling: Sampling) -> tuple[int, Iterator[tuple[int, Image]]]:
    """Every so many frames of a video, with their numbers.

    Args:
        path: The video.
        sampling: How densely.

    Returns:
        The step between frames looked at, and frame number with BGR frame ``(H, W, 3)``.

    Raises:
        SourceError: The file cannot be opened as a video.
    """
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise SourceError("the file cannot be opened as a video; convert it to H.264 MP4")
    fps = capture.get(cv2.CAP_PROP_FPS)
    usual_fps = fps if 1 <= fps <= 1000 else _USUAL_FPS
    every = sampling.every or max(1, round(usual_fps / _WINDOW_FRAMES_A_SECOND))
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    if sampling.every is None and (sampling.pool is None or count < every * sampling.pool):
        # A clip too short for one window at the usual density is looked at more densely.
        wanted = sampling.pool or _FRAMES_OF_A_CLIP
        every = max(1, int(count) // wanted) if count > 0 else every
    return every, _frames(capture, every)


def _frames(capture: cv2.VideoCapture, every: int) -> Iterator[tuple[int, Image]]:
    number = 0
    try:
        while capture.grab():
            if number % every == 0:
                decoded, frame = capture.retrieve()
                if decoded:
                    yield number, np.asarray(frame, np.uint8)
            number += 1
    finally:
        capture.release()


def preprocessing_of(recogniser: Recogniser) -> Preprocessing:
    """How photos are looked at: the first bundle says, and the others must agree.

    Raises:
        SourceError: Two bundles look at different parts of a photo.
    """
    each = [served.bundle.manifest.preprocessing for served in recogniser.serving.sets]
    if len({preprocessing.photo_crop_share for preprocessing in each}) > 1:
        raise SourceError(
            "the bundles look at different parts of a photo (photo_crop_share differs); "
            "recognise with one at a time, or with --whole-picture"
        )
    return each[0]


def _region(recogniser: Recogniser, sampling: Sampling) -> Callable[[Image], Image]:
    if sampling.whole_picture:
        return lambda picture: picture
    preprocessing = preprocessing_of(recogniser)
    return lambda picture: photo_region(picture, preprocessing)


def _read(photo: Source, region: Callable[[Image], Image]) -> Image | SetAside:
    try:
        return region(read_photo(photo.path))
    except (PhotoError, OSError) as err:
        # The message begins with the path, which whoever prints it puts in front anyway.
        return SetAside(photo.path, str(err).removeprefix(f"{photo.path} "))


def _recognise_items(recogniser: Recogniser, items: Iterable[_Item]) -> Iterator[Result]:
    every = list(items)
    started_s = time.perf_counter()
    recognitions = recogniser.recognise_many([item.crops for item in every]) if every else ()
    elapsed_ms = (time.perf_counter() - started_s) * 1000 / max(len(every), 1)
    for item, recognition in zip(every, recognitions, strict=True):
        photos = len(item.sources)
        yield Result(
            kind="photo",
            files=tuple(source.path for source in item.sources),
            shown_as=tuple(source.shown_as for source in item.sources),
            frames=None,
            over=f"{photos} photos" if photos > 1 else "one photo",
            recognition=recognition,
            elapsed_ms=elapsed_ms,
        )


def _ordinal(number: int) -> str:
    if number == 1:
        return "single"
    suffix = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
