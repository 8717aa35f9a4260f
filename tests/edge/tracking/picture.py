"""Draws the tracks of a real video: ``python -m tests.edge.tracking.picture OUT.jpg``.

The video is ``vtest.avi`` of Debian's opencv-doc: pedestrians on a campus, seen from a pole. No
calibration of it is known; this one is made by hand, so that the boxes of people all over the
picture stand on one plane and are 1.7 m tall.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Camera, Floor, Point2, Vector3, Zone
from edge.events import Frame
from edge.tracking.floor import DetectedFloor
from edge.tracking.foreground import ForegroundFloor
from edge.tracking.onnx_detectors import OnnxDetectorSettings, OnnxPersonDetector
from edge.tracking.track import Track
from edge.tracking.watch import FloorMoment, FloorObserver, FloorWatch

VIDEO = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
REFERENCE = (
    Path(os.environ.get("WALKOUT_DETECTORS", Path(__file__).parents[4] / "shared/data/detectors"))
    / "yolox_nano.onnx"
)
SIZE_PX = (768, 576)
FPS = 10.0
_COLOURS = (
    *((60, 60, 230), (60, 200, 60), (230, 130, 40), (40, 190, 230), (200, 70, 200)),
    *((200, 200, 60), (120, 120, 250), (250, 160, 160), (80, 140, 80), (160, 110, 60)),
)


def campus_camera() -> Camera:
    """The pole: 5.7 m up, 21 degrees down, a lens of 807 pixels, turned by a degree."""
    tilt, roll = 0.3713, -0.0216
    down = np.array(
        [[1, 0, 0], [0, -math.sin(tilt), -math.cos(tilt)], [0, math.cos(tilt), -math.sin(tilt)]]
    )
    turn = np.array(
        [[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]]
    )
    rotation = turn @ down
    rows = [_triple(row) for row in rotation]
    return Camera(
        role="overhead",
        image_size_px=SIZE_PX,
        matrix=((807.5, 0, 384), (0, 807.5, 288), (0, 0, 1)),
        rotation=(rows[0], rows[1], rows[2]),
        translation_m=_triple(-rotation @ np.array([0, 0, 5.71])),
    )


def campus_floor(camera: Camera) -> Floor:
    """What the camera sees of the ground, with doors along the picture's border."""

    def ground(*corners: tuple[float, float]) -> tuple[Point2, ...]:
        places = camera.on_plane(np.array(corners, np.float64), 0.0)
        return tuple((float(x), float(y)) for x, y in places)

    left = ground((0, 150), (110, 150), (110, 575), (0, 575))
    right = ground((658, 150), (767, 150), (767, 575), (658, 575))
    far = ground((0, 110), (767, 110), (767, 170), (0, 170))
    near = ground((0, 500), (767, 500), (767, 575), (0, 575))
    return Floor(
        outline=ground((0, 110), (767, 110), (767, 575), (0, 575)),
        zones=tuple(
            Zone(name=name, kind="entry", polygon=polygon)
            for name, polygon in zip(
                ("left", "right", "far", "near"), (left, right, far, near), strict=True
            )
        ),
    )


def frames(last: int, since: int = 0) -> Iterator[Frame]:
    """The video's frames from one to another."""
    capture = cv2.VideoCapture(str(VIDEO))
    for index in range(last + 1):
        read, image = capture.read()
        assert read, f"{VIDEO} ends before frame {index}"
        if index < since:
            continue
        yield Frame("campus", index, index / FPS, index / FPS, np.asarray(image, np.uint8))
    capture.release()


def by_foreground() -> FloorObserver:
    """The observer that needs no network."""
    camera = campus_camera()
    return ForegroundFloor(
        campus_floor(camera), {"campus": camera}, cell_m=0.25, picture_width_px=384
    )


def by_network(network: Path = REFERENCE) -> FloorObserver:
    """The observer behind the reference network."""
    camera = campus_camera()
    detector = OnnxPersonDetector(OnnxDetectorSettings(family="yolox", network=network))
    return DetectedFloor(campus_floor(camera), {"campus": camera}, {"campus": detector})


def follow(observer: FloorObserver, last: int, since: int = 0) -> list[FloorMoment]:
    """Everybody's tracks over a part of the video."""
    watch = FloorWatch(observer, campus_floor(campus_camera()), ["campus"], rate_hz=5.0)
    return [moment for frame in frames(last, since) for moment in watch.add(frame)]


def drawn(moments: list[FloorMoment], image: NDArray[np.uint8], title: str) -> NDArray[np.uint8]:
    """The last moment's tracks over its picture, each with the way it came in the last 6 s."""
    camera, canvas = campus_camera(), image.copy()
    now = moments[-1]
    for track in now.tracks:
        if track.state in ("left", "lost"):
            continue  # somebody hidden is drawn as a ring alone
        colour = _COLOURS[int(track.track_id[2:]) % len(_COLOURS)]
        way = [
            each.position_m
            for moment in moments
            for each in moment.tracks
            if each.track_id == track.track_id and moment.scan.at_s > now.scan.at_s - 6
        ]
        points = camera.project(np.array([[x, y, 0.0] for x, y in way]))
        cv2.polylines(canvas, [np.round(points).astype(np.int32)], False, colour, 2, cv2.LINE_AA)
        _column(canvas, camera, track, colour)
    cv2.rectangle(canvas, (0, 0), (SIZE_PX[0], 30), (30, 30, 30), -1)
    cv2.putText(
        canvas, title, (8, 21), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (240, 240, 240), 1, cv2.LINE_AA
    )
    return canvas


def _column(
    canvas: NDArray[np.uint8], camera: Camera, track: Track, colour: tuple[int, int, int]
) -> None:
    x, y = track.position_m
    around = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ring = np.column_stack([x + 0.3 * np.cos(around), y + 0.3 * np.sin(around), np.zeros(16)])
    foot = camera.project(ring)
    [head] = camera.project(np.array([[x, y, 1.75]]))
    if not (np.isfinite(foot).all() and np.isfinite(head).all()):
        return
    cv2.polylines(canvas, [np.round(foot).astype(np.int32)], True, colour, 2, cv2.LINE_AA)
    if track.state == "hidden":
        return
    top = (round(float(head[0])), round(float(head[1])))
    bottom = (round(float(foot[:, 0].mean())), round(float(foot[:, 1].mean())))
    cv2.line(canvas, bottom, top, colour, 2, cv2.LINE_AA)
    label = track.track_id + ("?" if track.swaps else "")
    place = (top[0] - 12, top[1] - 6)
    cv2.putText(canvas, label, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(canvas, label, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)


def _triple(row: NDArray[np.float64]) -> Vector3:
    return float(row[0]), float(row[1]), float(row[2])


def main() -> None:
    """Draw both observers' tracks side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--frame", type=int, default=660)
    parser.add_argument("--network", type=Path, default=REFERENCE)
    asked = parser.parse_args()
    *_, last = frames(asked.frame)
    panels = [
        drawn(follow(observer, asked.frame), last.image, title)
        for observer, title in (
            (by_foreground(), "foreground on the calibrated floor, no network"),
            (by_network(asked.network), "YOLOX nano, lifted to the floor"),
        )
    ]
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(asked.out), np.hstack(panels), [cv2.IMWRITE_JPEG_QUALITY, 72])


if __name__ == "__main__":
    main()
