"""Which views of a board are worth keeping, while a technician walks about with it.

Owns coverage (where, how near and how tilted the board has been seen), the gates for speed and
novelty, and what to do next in words. Pure: views and times come in. `CoverageState` is fed frame
by frame by the command line on a video, and by whoever shows a live picture.

A view is described by four numbers between 0 and 1, as in ROS camera_calibration: X and Y of the
board's middle, its size and its skew; it is kept if it differs from all kept ones. Beside them: a
heat map of 5 x 5 cells over the picture, and the directions the board was tilted in, because boards
that are all seen flat leave focal length and distance exchangeable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.targets import View

Measure = Literal["x", "y", "size", "skew"]
Tilt = Literal["left", "right", "up", "down"]

CELLS: Final = 5
NOVEL: Final = 0.2
"""Sum of the four differences that makes a view a new one."""
FASTEST_PER_S: Final = 0.15
"""Of the picture's width, that the board may move in a second."""
TILTED_DEG: Final = 12.0
GOALS: Final[dict[Measure, float]] = {"x": 0.6, "y": 0.6, "size": 0.3, "skew": 0.35}
HEAT_GOAL: Final = 0.8
TILTS: Final[tuple[Tilt, ...]] = ("left", "right", "up", "down")
_ADVICE: Final[dict[str, str]] = {
    "x": "move the board to the left and right edges",
    "y": "move the board to the upper and lower edges",
    "size": "bring the board nearer, and further away",
    "skew": "tilt the board more",
    "heat": "fill the corners of the picture",
    "tilts": "tilt the board to the {}",
}


@dataclass(frozen=True)
class ViewShape:
    """Where, how near and how tilted a board is seen; x, y, size and skew from 0 to 1."""

    x: float
    y: float
    size: float
    skew: float
    tilt_deg: float
    tilt: Tilt | None


@dataclass(frozen=True)
class Coverage:
    """What has been seen so far.

    Attributes:
        views: How many were kept.
        progress: Of x, y, size and skew, from 0 to 1.
        heat: Corners seen in each cell of the picture, ``(5, 5)``.
        heat_share: Share of the cells with corners.
        tilts: Directions the board was tilted in.
        steepest_deg: The largest tilt.
        complete: Whether all goals are met.
        next: What to do next, the most needed first; empty when complete.
    """

    views: int
    progress: dict[Measure, float]
    heat: NDArray[np.int64]
    heat_share: float
    tilts: frozenset[Tilt]
    steepest_deg: float
    complete: bool
    next: tuple[str, ...]


class CoverageState:
    """Keeps the views that add something."""

    def __init__(self) -> None:
        self._kept: list[tuple[View, ViewShape]] = []
        self._last: tuple[float, NDArray[np.float64]] | None = None

    @property
    def views(self) -> tuple[View, ...]:
        """Those kept, in order."""
        return tuple(view for view, _ in self._kept)

    def feed(self, view: View, at_s: float | None = None) -> str | None:
        """Offer a view.

        Args:
            view: What was found.
            at_s: When, where views come from one moving picture; None switches the speed gate off.

        Returns:
            None if it was kept, else why not.
        """
        middle = view.pixels.mean(axis=0)
        last, self._last = self._last, (at_s, middle) if at_s is not None else None
        if last is not None and at_s is not None and at_s > last[0]:
            speed = float(np.linalg.norm(middle - last[1])) / view.size_px[0] / (at_s - last[0])
            if speed > FASTEST_PER_S:
                return "too fast: hold the board still for a moment"
        shape = view_shape(view)
        if any(_difference(shape, kept) < NOVEL for _, kept in self._kept):
            return "like a view that is there already: move or tilt the board"
        self._kept.append((view, shape))
        return None

    def coverage(self) -> Coverage:
        """What has been seen so far."""
        return _coverage(self._kept)


def coverage_of(views: tuple[View, ...]) -> Coverage:
    """The coverage of given views, all of them counted."""
    return _coverage([(view, view_shape(view)) for view in views])


def view_shape(view: View) -> ViewShape:
    """Describe where, how near and how tilted a board is seen."""
    width, height = view.size_px
    hull = cv2.convexHull(view.pixels.astype(np.float32))
    area = float(cv2.contourArea(hull))
    side = float(np.sqrt(area))
    middle = view.pixels.mean(axis=0)
    x = float(np.clip((middle[0] - side / 2) / max(width - side, 1), 0, 1))
    y = float(np.clip((middle[1] - side / 2) / max(height - side, 1), 0, 1))
    normal = _normal(view)
    tilt_deg = float(np.degrees(np.arccos(np.clip(abs(normal[2]), 0, 1))))
    tilt: Tilt | None = None
    if tilt_deg >= TILTED_DEG:
        across, down = normal[0], normal[1]
        if abs(across) >= abs(down):
            tilt = "left" if across < 0 else "right"
        else:
            tilt = "up" if down < 0 else "down"
    size = float(np.sqrt(area / (width * height)))
    return ViewShape(x, y, size, float(min(1.0, tilt_deg / 60)), tilt_deg, tilt)


def _normal(view: View) -> NDArray[np.float64]:
    """The board's normal towards the camera, with a guessed focal length of the picture's width."""
    width, height = view.size_px
    k = np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1]], np.float64)
    h, _ = cv2.findHomography(view.points_m[:, :2], view.pixels)
    columns = np.linalg.inv(k) @ np.asarray(h, np.float64)
    a, b = (columns[:, each] / np.linalg.norm(columns[:, each]) for each in (0, 1))
    normal = np.cross(a, b)
    normal /= np.linalg.norm(normal)
    # Against the line of sight to the board, not the optical axis: off the middle a board that
    # faces the lens is not tilted.
    middle = columns @ np.array([*view.points_m[:, :2].mean(axis=0), 1.0])
    sight = middle / np.linalg.norm(middle)
    turn = cv2.Rodrigues(np.cross(sight, [0.0, 0.0, 1.0]))[0]
    facing = np.asarray(turn @ normal).ravel()
    return facing if facing[2] < 0 else -facing


def _difference(a: ViewShape, b: ViewShape) -> float:
    turned = 0.1 if a.tilt != b.tilt else 0.0
    return abs(a.x - b.x) + abs(a.y - b.y) + abs(a.size - b.size) + abs(a.skew - b.skew) + turned


def _coverage(kept: list[tuple[View, ViewShape]]) -> Coverage:
    heat = np.zeros((CELLS, CELLS), np.int64)
    for view, _ in kept:
        cells = np.floor(view.pixels / view.size_px * CELLS).astype(int).clip(0, CELLS - 1)
        np.add.at(heat, (cells[:, 1], cells[:, 0]), 1)
    values: dict[Measure, list[float]] = {
        "x": [shape.x for _, shape in kept],
        "y": [shape.y for _, shape in kept],
        "size": [shape.size for _, shape in kept],
        "skew": [0.0, *(shape.skew for _, shape in kept)],
    }
    progress = {
        measure: min(1.0, (max(each) - min(each)) / GOALS[measure]) if each else 0.0
        for measure, each in values.items()
    }
    share = float((heat > 0).mean())
    tilts = frozenset(shape.tilt for _, shape in kept if shape.tilt is not None)
    lacking = sorted((value, measure) for measure, value in progress.items() if value < 1)
    advice = [_ADVICE[measure] for _, measure in lacking]
    if share < HEAT_GOAL:
        advice.append(_ADVICE["heat"])
    missing = [each for each in TILTS if each not in tilts]
    if missing:
        advice.append(_ADVICE["tilts"].format(" and ".join(missing)))
    steepest = max((shape.tilt_deg for _, shape in kept), default=0.0)
    return Coverage(len(kept), progress, heat, share, tilts, steepest, not advice, tuple(advice))
