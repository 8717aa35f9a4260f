"""Whether calibrated cameras agree with each other and see what they are there for.

Owns the checks over a whole shop: cameras that see the same spot agree on where it is, overhead
cameras are connected through what they share, the walkable floor is seen. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.floor import floor_grid, seen_floor
from calibration.format import Calibration, CalibrationError

AGREE_WITHIN_M: Final = 0.10


@dataclass(frozen=True)
class Agreement:
    """Two cameras looking at the same spots.

    Attributes:
        cameras: Their names.
        spots: How many spots both see.
        p95_m: How far apart they believe them, 95 % are nearer.
        good: Whether that is within `AGREE_WITHIN_M`.
    """

    cameras: tuple[str, str]
    spots: int
    p95_m: float
    good: bool


def agreement(
    calibration: Calibration,
    seen: Mapping[str, Mapping[str, tuple[float, float]]],
    height_m: float = 0.0,
) -> tuple[Agreement, ...]:
    """Compare where overhead cameras believe the same spots to be.

    Args:
        calibration: Of the shop.
        seen: Of each camera, the pixel of each spot by the spot's name: a mark, a board's corner,
            or somebody's feet at one moment.
        height_m: Of the spots above the floor.

    Raises:
        CalibrationError: A camera is not calibrated.
    """
    floor_m: dict[str, dict[str, NDArray[np.float64]]] = {}
    for name, spots in seen.items():
        if name not in calibration.cameras:
            raise CalibrationError(f"camera {name} is not calibrated; place it first")
        pixels = np.array(list(spots.values()), np.float64).reshape(-1, 2)
        there = calibration.cameras[name].on_plane(pixels, height_m)
        floor_m[name] = dict(zip(spots, there, strict=True))
    found = []
    for a, b in combinations(sorted(floor_m), 2):
        shared = sorted(floor_m[a].keys() & floor_m[b].keys())
        if shared:
            apart = [float(np.linalg.norm(floor_m[a][each] - floor_m[b][each])) for each in shared]
            p95 = float(np.percentile(np.nan_to_num(apart, nan=1e3), 95))
            found.append(Agreement((a, b), len(shared), p95, p95 <= AGREE_WITHIN_M))
    return tuple(found)


def overlaps(calibration: Calibration) -> dict[tuple[str, str], float]:
    """Of each pair of overhead cameras, the share of the smaller one's floor that both see."""
    floors = {
        name: {tuple(point) for point in seen_floor(camera, calibration.floor).tolist()}
        for name, camera in calibration.cameras.items()
        if camera.role == "overhead"
    }
    return {
        (a, b): len(floors[a] & floors[b]) / max(1, min(len(floors[a]), len(floors[b])))
        for a, b in combinations(sorted(floors), 2)
    }


def groups(cameras: Iterable[str], links: Iterable[tuple[str, str]]) -> tuple[frozenset[str], ...]:
    """Cameras that are connected, directly or through others; the largest group first."""
    left = {each: {each} for each in cameras}
    for a, b in links:
        joined = left[a] | left[b]
        for each in joined:
            left[each] = joined
    unique = {frozenset(each) for each in left.values()}
    return tuple(sorted(unique, key=lambda each: (-len(each), sorted(each))))


def check_connected(cameras: Iterable[str], links: Iterable[tuple[str, str]]) -> None:
    """Check that every camera is connected to every other.

    Raises:
        CalibrationError: They fall into groups; the message names two and what to do.
    """
    found = groups(cameras, links)
    if len(found) > 1:
        one, other = (", ".join(sorted(each)) for each in found[:2])
        raise CalibrationError(
            f"nothing joins {one} with {other}: lay the board where a camera of each sees it at "
            "the same time, or give each camera marks of its own"
        )


def unseen_floor(calibration: Calibration) -> float:
    """Share of the walkable floor that no overhead camera sees."""
    whole = {tuple(point) for point in floor_grid(calibration.floor).tolist()}
    seen = {
        tuple(point)
        for camera in calibration.cameras.values()
        if camera.role == "overhead"
        for point in seen_floor(camera, calibration.floor).tolist()
    }
    return len(whole - seen) / max(1, len(whole))
