"""Records a scene with cameras into H.264 files.

Frame i is taken at i / fps seconds. What stands is drawn again only where it changed; every frame
draws only the rectangles in which somebody is, blurred where they move fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

from calibration.format import Camera
from tests.simulators.shop.camera_effects import Picture, Sensor
from tests.simulators.shop.scene import Scene
from tests.simulators.shop.studio import Light, Studio, Thing, corners_of
from tests.simulators.shop.view import View, Window

SHUTTER_S = 1 / 60
_BLUR_FROM_PX = 6.0
_BLUR_MORE_PX = 40.0


@dataclass(frozen=True)
class Film:
    """How a recording is encoded.

    Attributes:
        fps: Frames a second.
        seconds: Length.
        crf: Constant rate factor of x264: lower is better and larger.
    """

    fps: int
    seconds: float
    crf: int = 28

    @property
    def frames(self) -> int:
        """How many there are."""
        return round(self.seconds * self.fps)


@dataclass(frozen=True)
class Shot:
    """One camera's part of a recording.

    Attributes:
        path: Of its file.
        camera: From where it looks.
        sensor: With which electronics.
    """

    path: Path
    camera: Camera
    sensor: Sensor


def frames(
    studio: Studio, scene: Scene, camera: Camera, sensor: Sensor, film: Film, first: int = 0
) -> Iterator[Picture]:
    """Pictures of a camera, uint8 BGR, from frame ``first`` on."""
    view = View(studio, camera, Light())
    before_s = first / film.fps
    view.stand(scene.standing(before_s))
    for index in range(first, film.frames):
        now_s = index / film.fps
        changes = scene.changed(before_s, now_s)
        if changes:
            standing = scene.standing(now_s)
            for corners in changes:
                view.stand(standing, view.window_of(corners))
        before_s = now_s
        yield sensor.seen(_moving(view, scene, now_s), index, now_s)


def _moving(view: View, scene: Scene, now_s: float) -> Picture:
    names = [
        name
        for name, box_m in scene.present(now_s).items()
        if not view.window_of(box_m[None]).empty
    ]
    if not names:
        return view.standing_picture
    groups, later = scene.moving(now_s, names), scene.moving(now_s + SHUTTER_S, names)
    takes = [groups]
    if _alike(groups, later):
        speed = view.speed_px(_corners(groups), _corners(later))
        exposures = 3 if speed > _BLUR_MORE_PX else 2 if speed > _BLUR_FROM_PX else 1
        between = [scene.moving(now_s + SHUTTER_S / 2, names)] if exposures == 3 else []
        if exposures > 1 and all(_alike(groups, each) for each in between):
            takes += [*between, later]
    picture = view.standing_picture.copy()
    for window, members in _windows(view, takes):
        shown = view.shown(window)
        if not shown.empty:
            drawn = view.over(
                [[thing for member in members for thing in take[member]] for take in takes], window
            )
            picture[shown.top : shown.bottom, shown.left : shown.right] = drawn
    return picture


def _corners(groups: list[list[Thing]]) -> NDArray[np.float64]:
    return corners_of([thing for group in groups for thing in group]).reshape(-1, 3)


def _alike(one: list[list[Thing]], other: list[list[Thing]]) -> bool:
    """Whether the same people hold the same things."""
    return [len(group) for group in one] == [len(group) for group in other]


def _windows(view: View, takes: list[list[list[Thing]]]) -> list[tuple[Window, list[int]]]:
    """Rectangles that hold everybody, with who is in them; joined where they overlap."""
    found: list[tuple[Window, list[int]]] = []
    for number in range(len(takes[0])):
        window, members = Window(0, 0, 0, 0), [number]
        for take in takes:
            window = window.joined(view.window_of(corners_of(take[number])))
        if window.empty:
            continue
        overlapping = [each for each in found if each[0].overlaps(window)]
        while overlapping:
            found = [each for each in found if each not in overlapping]
            for other, others in overlapping:
                window, members = window.joined(other), members + others
            overlapping = [each for each in found if each[0].overlaps(window)]
        found.append((window, sorted(members)))
    return found


def record(
    shots: Sequence[Shot],
    scene: Scene,
    film: Film,
    advance: Callable[[int], None] = lambda _: None,
    first: int = 0,
) -> None:
    """Write the videos of some cameras, frame by frame beside each other.

    Args:
        shots: Who films, and into which file; files are overwritten.
        scene: What happens.
        film: How long and how fine.
        advance: Called with 1 after each frame of each camera.
        first: Number of the first frame.
    """
    studio = Studio()
    try:
        with ExitStack() as files:
            reels = [
                (
                    _Reel(files.enter_context(av.open(str(shot.path), "w")), shot.camera, film),
                    frames(studio, scene, shot.camera, shot.sensor, film, first),
                )
                for shot in shots
            ]
            # All cameras look at a moment before the next comes: people are posed once for all.
            for index in range(first, film.frames):
                for reel, pictures in reels:
                    reel.add(index - first, next(pictures))
                    advance(1)
            for reel, _ in reels:
                reel.end()
    finally:
        studio.close()


class _Reel:
    """An H.264 file being written."""

    def __init__(self, container: OutputContainer, camera: Camera, film: Film) -> None:
        self._container = container
        self._step = Fraction(1, film.fps)
        self._stream = container.add_stream("libx264", rate=film.fps)
        self._stream.width, self._stream.height = camera.image_size_px
        self._stream.pix_fmt, self._stream.time_base = "yuv420p", self._step
        # One thread: the same frames give the same bytes, and recordings run side by side.
        self._stream.codec_context.thread_count = 1
        self._stream.options = {
            "crf": str(film.crf),
            "preset": "veryfast",
            "g": str(film.fps * 4),
            # Like a camera's own encoder, it looks at no frame before its turn: half the work.
            # And its assembly for macroblock trees gives other bytes from run to run.
            "x264-params": "mbtree=0:rc-lookahead=0:bframes=0:scenecut=0:weightp=0",
        }

    def add(self, index: int, picture: Picture) -> None:
        yuv = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).astype(np.uint8, copy=False)
        frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
        frame.pts, frame.time_base = index, self._step
        self._container.mux(self._stream.encode(frame))

    def end(self) -> None:
        self._container.mux(self._stream.encode())
