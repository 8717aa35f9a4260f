"""Records a scene with one camera into an H.264 file.

Frame i is taken at i / fps seconds. What stands is drawn again only where it changed; every frame
draws only the rectangles in which somebody is, blurred where they move fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Camera
from tests.simulators.shop.camera_effects import Picture, Sensor
from tests.simulators.shop.scene import Scene
from tests.simulators.shop.studio import Light, Studio, Thing
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
    groups = scene.moving(now_s)
    if not groups:
        return view.standing_picture
    takes = [groups]
    later = scene.moving(now_s + SHUTTER_S)
    if _alike(groups, later):
        speed = view.speed_px(_corners(groups), _corners(later))
        exposures = 3 if speed > _BLUR_MORE_PX else 2 if speed > _BLUR_FROM_PX else 1
        between = [scene.moving(now_s + SHUTTER_S / 2)] if exposures == 3 else []
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
    return np.concatenate([thing.corners_m for group in groups for thing in group])


def _alike(one: list[list[Thing]], other: list[list[Thing]]) -> bool:
    """Whether the same people hold the same things."""
    return [len(group) for group in one] == [len(group) for group in other]


def _windows(view: View, takes: list[list[list[Thing]]]) -> list[tuple[Window, list[int]]]:
    """Rectangles that hold everybody, with who is in them; joined where they overlap."""
    found: list[tuple[Window, list[int]]] = []
    for number in range(len(takes[0])):
        window, members = Window(0, 0, 0, 0), [number]
        for take in takes:
            corners = np.stack([thing.corners_m for thing in take[number]])
            window = window.joined(view.window_of(corners))
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
    path: Path,
    scene: Scene,
    camera: Camera,
    sensor: Sensor,
    film: Film,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Write a camera's video.

    Args:
        path: Of the file; overwritten.
        scene: What happens.
        camera: From where.
        sensor: With which electronics.
        film: How long and how fine.
        advance: Called with 1 after each frame.
    """
    studio = Studio()
    width, height = camera.image_size_px
    try:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=film.fps)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.time_base = Fraction(1, film.fps)
            # One thread: the same frames give the same bytes, and cameras run side by side.
            stream.codec_context.thread_count = 1
            stream.options = {
                "crf": str(film.crf),
                "preset": "veryfast",
                "g": str(film.fps * 4),
                # Its assembly for macroblock trees gives other bytes from one run to the next.
                "x264-params": "mbtree=0",
            }
            for index, picture in enumerate(frames(studio, scene, camera, sensor, film)):
                yuv = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).astype(np.uint8, copy=False)
                frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
                frame.pts = index
                frame.time_base = Fraction(1, film.fps)
                container.mux(stream.encode(frame))
                advance(1)
            container.mux(stream.encode())
    finally:
        studio.close()
