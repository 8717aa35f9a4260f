"""Several overhead cameras at once, from a board that lay on the floor here and there.

Owns the joint adjustment of all cameras and all places of the board. Pure. A board that two cameras
see at the same moment ties them together, so few marks (two, far apart) give the whole shop its
place: the board carries the scale.

Method: each camera sees a board's pose; poses are chained from camera to camera, the chain is laid
onto the marks by a rigid motion of the floor, and everything is refined together by
Levenberg-Marquardt on the corners' pixels (bundle adjustment with the boards held to the floor).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.consistency import check_connected
from calibration.floor import MARK_NOISE_M, MARK_NOISE_PX, Marks
from calibration.format import CalibrationError, Camera
from calibration.lens import Lens
from calibration.poses import FLOOR, on_plane, project, solve_pose
from calibration.targets import View

_BOARD_NOISE_PX: Final = 0.5
_FEWEST_MARKS: Final = 2
_MARKS_APART_M: Final = 1.0
_MISFIT_PX: Final = 8.0
_ROUNDS: Final = 30
_STEP: Final = 1e-6
# A printed board's y runs down the sheet and its z into the floor; the shop's z runs up.
_FACE_UP: Final = np.diag([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class WalkedFloor:
    """Cameras placed together.

    Attributes:
        cameras: In shop metres, by name.
        rms_px: Of all board corners.
        mark_off_m: How far each mark is believed from where it should be, all cameras' in order.
    """

    cameras: dict[str, Camera]
    rms_px: float
    mark_off_m: tuple[float, ...]


def place_by_board(
    lenses: Mapping[str, Lens],
    placements: Sequence[Mapping[str, View]],
    marks: Mapping[str, Marks],
) -> WalkedFloor:
    """Place overhead cameras by a board lying flat on the floor, and a few marks.

    Args:
        lenses: By camera.
        placements: For each place of the board, the views of the cameras that saw it there.
        marks: By camera: at least two in all, a metre apart.

    Raises:
        CalibrationError: Cameras are not connected, marks are too few or too close, or the whole
            does not fit: the board was moved between two cameras' pictures, or not flat.
    """
    names = sorted({name for each in placements for name in each})
    missing = [name for name in names if name not in lenses]
    if missing:
        raise CalibrationError(f"{missing[0]}: saw the board but has no lens; calibrate it first")
    check_connected(
        [*lenses], [pair for each in placements for pair in combinations(sorted(each), 2)]
    )
    floor_m = np.vstack([each.points_m[:, :2] for each in marks.values()] or [np.zeros((0, 2))])
    reach = float(np.ptp(floor_m, axis=0).max()) if len(floor_m) else 0.0
    if len(floor_m) < _FEWEST_MARKS or reach < _MARKS_APART_M:
        raise CalibrationError(
            f"{len(floor_m)} marks, {reach:.1f} m apart: the board ties the cameras together, but "
            f"two marks at least {_MARKS_APART_M:g} m apart must say where the shop is"
        )
    start = _onto_marks(lenses, marks, *_chained(lenses, names, placements))
    return _adjusted(lenses, names, placements, marks, start)


def _chained(
    lenses: Mapping[str, Lens], names: list[str], placements: Sequence[Mapping[str, View]]
) -> tuple[dict[str, NDArray[np.float64]], list[NDArray[np.float64]]]:
    """World-to-camera of each camera and board-to-world of each place, as ``(4, 4)``."""
    seen: dict[tuple[str, int], NDArray[np.float64]] = {}
    for place, each in enumerate(placements):
        for name, view in each.items():
            found = solve_pose(lenses[name], view.points_m, view.pixels, _BOARD_NOISE_PX)
            seen[name, place] = _rigid(found.rotation, found.translation_m)
    first = next(place for name, place in seen if name == names[0])
    boards = {first: np.eye(4)}
    cameras: dict[str, NDArray[np.float64]] = {}
    # Breadth first: every pass reaches the cameras and places next to those that are known.
    while len(cameras) < len(names) or len(boards) < len(placements):
        for (name, place), pose in seen.items():
            if place in boards and name not in cameras:
                cameras[name] = pose @ np.linalg.inv(boards[place])
            elif name in cameras and place not in boards:
                boards[place] = np.linalg.inv(cameras[name]) @ pose
    return cameras, [boards[place] for place in range(len(placements))]


def _onto_marks(
    lenses: Mapping[str, Lens],
    marks: Mapping[str, Marks],
    cameras: dict[str, NDArray[np.float64]],
    boards: list[NDArray[np.float64]],
) -> tuple[dict[str, NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Turn and shift the chained world so that the marks lie where they should."""
    up = _rigid(_FACE_UP, np.zeros(3))
    cameras = {name: each @ np.linalg.inv(up) for name, each in cameras.items()}
    boards = [up @ each for each in boards]
    there, should = [], []
    for name, each in marks.items():
        pose = cameras[name]
        points = on_plane(lenses[name], pose[:3, :3], pose[:3, 3], each.pixels, FLOOR)
        there.append(points[:, :2])
        should.append(each.points_m[:, :2])
    a, b = np.vstack(there), np.vstack(should)
    if not np.isfinite(a).all():
        raise CalibrationError("a mark lies above the horizon of its camera; check its pixel")
    u, _, vt = np.linalg.svd((b - b.mean(axis=0)).T @ (a - a.mean(axis=0)))
    turn = u @ np.diag([1.0, np.linalg.det(u @ vt)]) @ vt
    motion = np.eye(4)
    motion[:2, :2] = turn
    motion[:2, 3] = b.mean(axis=0) - turn @ a.mean(axis=0)
    back = np.linalg.inv(motion)
    return {name: each @ back for name, each in cameras.items()}, [motion @ e for e in boards]


def _adjusted(
    lenses: Mapping[str, Lens],
    names: list[str],
    placements: Sequence[Mapping[str, View]],
    marks: Mapping[str, Marks],
    start: tuple[dict[str, NDArray[np.float64]], list[NDArray[np.float64]]],
) -> WalkedFloor:
    """Refine cameras (6 numbers each) and places of the board (x, y, heading) together."""
    cameras, boards = start
    values = [
        np.concatenate([cv2.Rodrigues(cameras[name][:3, :3])[0].ravel(), cameras[name][:3, 3]])
        for name in names
    ]
    values += [np.array([*e[:2, 3], np.arctan2(e[1, 0], e[0, 0])]) for e in boards]
    theta = np.concatenate(values)

    def camera(
        theta: NDArray[np.float64], name: str
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        own = theta[6 * names.index(name) :][:6]
        return np.asarray(cv2.Rodrigues(own[:3])[0]), own[3:]

    def residuals(theta: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = []
        for place, each in enumerate(placements):
            x, y, heading = theta[6 * len(names) + 3 * place :][:3]
            turn = np.asarray(cv2.Rodrigues(np.array([0.0, 0.0, heading]))[0]) @ _FACE_UP
            for name, view in each.items():
                points = view.points_m @ turn.T + (x, y, 0.0)
                off = project(lenses[name], *camera(theta, name), points) - view.pixels
                parts.append(off.ravel() / _BOARD_NOISE_PX)
        for name, mark in marks.items():
            rotation, shift = camera(theta, name)
            depth = (mark.points_m @ rotation.T + shift)[:, 2]
            sigma = np.hypot(MARK_NOISE_PX, MARK_NOISE_M * lenses[name].matrix[0][0] / depth)
            off = project(lenses[name], rotation, shift, mark.points_m) - mark.pixels
            parts.append((off / sigma[:, None]).ravel())
        return np.concatenate(parts)

    theta = _least_squares(residuals, theta)
    corners = sum(len(view.pixels) for each in placements for view in each.values())
    board_px = residuals(theta)[: 2 * corners] * _BOARD_NOISE_PX
    rms_px = float(np.sqrt((board_px**2).sum() / corners))
    if rms_px > _MISFIT_PX:
        raise CalibrationError(
            f"the board's corners miss by {rms_px:.0f} px: did it lie flat on the floor, and still "
            "while all cameras took their pictures? Are two cameras swapped?"
        )
    placed, off_m = {}, []
    for name in names:
        rotation, shift = camera(theta, name)
        placed[name] = lenses[name].placed("overhead", rotation, shift)
        if name in marks:
            mark = marks[name]
            there = placed[name].on_plane(mark.pixels, 0.0)
            off_m += np.linalg.norm(there - mark.points_m[:, :2], axis=1).tolist()
    return WalkedFloor(placed, rms_px, tuple(float(each) for each in off_m))


def _least_squares(
    residuals: Callable[[NDArray[np.float64]], NDArray[np.float64]], theta: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Levenberg-Marquardt with differences for slopes; the problem has tens of unknowns."""
    damping = 1e-3
    off = residuals(theta)
    for _ in range(_ROUNDS):
        slopes = np.stack(
            [(residuals(theta + _STEP * axis) - off) / _STEP for axis in np.eye(len(theta))],
            axis=1,
        )
        normal, gradient = slopes.T @ slopes, slopes.T @ off
        step = -np.linalg.solve(normal + damping * np.diag(np.diag(normal)) + 1e-12, gradient)
        tried = residuals(theta + step)
        if tried @ tried < off @ off:
            gain = 1 - (tried @ tried) / (off @ off)
            theta, off, damping = theta + step, tried, damping / 10
            if gain < 1e-9:
                break
        else:
            damping *= 10
            if damping > 1e6:
                break
    return theta


def _rigid(rotation: NDArray[np.float64], shift: NDArray[np.float64]) -> NDArray[np.float64]:
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = rotation, shift
    return motion
