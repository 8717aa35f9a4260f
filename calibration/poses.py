"""Where a camera is, from points whose place is known, and how well that is known.

Owns the pose of a lens from point pairs, its uncertainty, and what that uncertainty is worth on a
plane. Pure: arrays in, frozen results out. What the points are (markers, clicks, floor marks) and
when they are refused is the business of ``calibration.plane`` and ``calibration.floor``.

Start: IPPE for points of one plane (Collins and Bartoli 2014) and SQPnP (Terzakis and Lourakis
2020); both give several answers, each is refined by Levenberg-Marquardt and the best that has all
points in front of the camera is kept. Uncertainty: the Gauss-Newton covariance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import CalibrationError
from calibration.lens import Lens

_DRAWS: Final = 80
_CHANCE: Final = 2.5
_FLAT_WITHIN: Final = 1e-6
FEWEST_POINTS: Final = 4


@dataclass(frozen=True)
class Pose:
    """Where a camera is.

    Attributes:
        rotation: World to camera, ``(3, 3)``.
        translation_m: World to camera, ``(3,)``.
        covariance: Of rotation vector and translation, ``(6, 6)``.
        off_px: How far each point's projection misses its pixel, ``(N,)``.
    """

    rotation: NDArray[np.float64]
    translation_m: NDArray[np.float64]
    covariance: NDArray[np.float64]
    off_px: NDArray[np.float64]

    @property
    def rms_px(self) -> float:
        """Root mean square of ``off_px``."""
        return float(np.sqrt((self.off_px**2).mean()))

    @property
    def position_m(self) -> NDArray[np.float64]:
        """Where the camera is in the world, ``(3,)``."""
        return np.asarray(-self.rotation.T @ self.translation_m)


@dataclass(frozen=True)
class Plane:
    """A plane in the world, by a point on it and its unit normal, each ``(3,)``."""

    origin_m: NDArray[np.float64]
    normal: NDArray[np.float64]


FLOOR: Final = Plane(np.zeros(3), np.array([0.0, 0.0, 1.0]))


def solve_pose(
    lens: Lens,
    points_m: NDArray[np.float64],
    pixels: NDArray[np.float64],
    noise_px: float,
    noise_m: float = 0.0,
) -> Pose:
    """Find the pose of a lens from at least four points.

    Args:
        lens: Its intrinsics.
        points_m: World points ``(N, 3)``.
        pixels: Where they are seen ``(N, 2)``.
        noise_px: How exactly a pixel is known; a worse fit than this widens the covariance.
        noise_m: How exactly a world point is known.

    Raises:
        CalibrationError: Too few points, or no camera could see them so.
    """
    points = np.ascontiguousarray(points_m, np.float64).reshape(-1, 3)
    seen = np.ascontiguousarray(pixels, np.float64).reshape(-1, 2)
    if len(points) < FEWEST_POINTS:
        raise CalibrationError(
            f"{len(points)} points do not fix a camera; give at least {FEWEST_POINTS}, spread apart"
        )
    best: Pose | None = None
    for turn, shift in _starts(lens, points, seen):
        fine = cv2.solvePnPRefineLM(points, seen, lens.k, lens.d, turn, shift)
        rotation = np.asarray(cv2.Rodrigues(fine[0])[0], np.float64)
        translation = np.asarray(fine[1], np.float64).ravel()
        if ((points @ rotation.T + translation)[:, 2] <= 0).any():
            continue
        pose = _with_covariance(lens, points, seen, rotation, translation, noise_px, noise_m)
        if best is None or pose.rms_px < best.rms_px:
            best = pose
    if best is None:
        raise CalibrationError(
            "no camera can see these points so: check that each pixel belongs to its point"
        )
    return best


def project(
    lens: Lens,
    rotation: NDArray[np.float64],
    translation_m: NDArray[np.float64],
    points_m: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Pixels ``(N, 2)`` of world points ``(N, 3)`` that are in front of the camera."""
    seen, _ = cv2.projectPoints(
        np.asarray(points_m, np.float64).reshape(-1, 3),
        cv2.Rodrigues(rotation)[0],
        translation_m,
        lens.k,
        lens.d,
    )
    return np.asarray(seen, np.float64).reshape(-1, 2)


def on_plane(
    lens: Lens,
    rotation: NDArray[np.float64],
    translation_m: NDArray[np.float64],
    pixels: NDArray[np.float64],
    plane: Plane,
) -> NDArray[np.float64]:
    """World points ``(N, 3)`` where the rays of pixels ``(N, 2)`` meet a plane."""
    ideal = lens.straightened(pixels)
    directions = np.column_stack([ideal, np.ones(len(ideal))])
    return _meet(directions, rotation, translation_m, plane)


def expected_p95_m(lens: Lens, pose: Pose, plane: Plane, region_m: NDArray[np.float64]) -> float:
    """How far points of a plane will be off, 95 % of them, by what is not known of the pose.

    Args:
        lens: Of the camera.
        pose: With its covariance.
        plane: That pixels are taken to.
        region_m: Points of the plane that matter ``(M, 3)``.
    """
    seen = project(lens, pose.rotation, pose.translation_m, region_m)
    ideal = lens.straightened(seen)
    directions = np.column_stack([ideal, np.ones(len(ideal))])
    # Fixed draws: the same points are always worth the same.
    draws = np.random.default_rng(0).standard_normal((_DRAWS, 6))
    values, vectors = np.linalg.eigh(pose.covariance)
    steps = draws * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    start = cv2.Rodrigues(pose.rotation)[0].ravel()
    off = []
    for step in steps:
        rotation = np.asarray(cv2.Rodrigues(start + step[:3])[0])
        there = _meet(directions, rotation, pose.translation_m + step[3:], plane)
        off.append(np.linalg.norm(there - region_m, axis=1))
    return float(np.percentile(np.nan_to_num(np.concatenate(off), nan=1e3), 95))


def _starts(
    lens: Lens, points: NDArray[np.float64], seen: NDArray[np.float64]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """First guesses of rotation vector and translation."""
    guesses: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    ways = [cv2.SOLVEPNP_SQPNP]
    flat = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if flat[2] <= _FLAT_WITHIN * max(flat[0], 1e-12):
        ways.append(cv2.SOLVEPNP_IPPE)
    for way in ways:
        try:
            _, turns, shifts, _ = cv2.solvePnPGeneric(points, seen, lens.k, lens.d, flags=way)
        except cv2.error:  # degenerate for this way; another may do
            continue
        for turn, shift in zip(turns, shifts, strict=True):
            guess = np.asarray(turn, np.float64), np.asarray(shift, np.float64)
            if all(np.isfinite(each).all() for each in guess):
                guesses.append(guess)
    return guesses


def _with_covariance(
    lens: Lens,
    points: NDArray[np.float64],
    seen: NDArray[np.float64],
    rotation: NDArray[np.float64],
    translation: NDArray[np.float64],
    noise_px: float,
    noise_m: float,
) -> Pose:
    projected, jacobian = cv2.projectPoints(
        points, cv2.Rodrigues(rotation)[0], translation, lens.k, lens.d
    )
    off = np.linalg.norm(np.asarray(projected).reshape(-1, 2) - seen, axis=1)
    depth_m = (points @ rotation.T + translation)[:, 2]
    sigma_px = np.sqrt(noise_px**2 + (noise_m * lens.matrix[0][0] / depth_m) ** 2)
    slopes = np.asarray(jacobian, np.float64)[:, :6] / np.repeat(sigma_px, 2)[:, None]
    freedom = max(2 * len(points) - 6, 1)
    # A fit that is much worse than its stated noise says that the noise is larger; a little worse
    # is chance, with as few points as these.
    ratio = float(((off / sigma_px) ** 2).sum() / freedom)
    worse = ratio if ratio > _CHANCE else 1.0
    covariance = worse * np.linalg.pinv(slopes.T @ slopes, rcond=1e-14)
    return Pose(rotation, translation, np.asarray(covariance), off)


def _meet(
    directions: NDArray[np.float64],
    rotation: NDArray[np.float64],
    translation_m: NDArray[np.float64],
    plane: Plane,
) -> NDArray[np.float64]:
    origin = -rotation.T @ translation_m
    towards = directions @ rotation
    with np.errstate(divide="ignore", invalid="ignore"):
        along = ((plane.origin_m - origin) @ plane.normal) / (towards @ plane.normal)
    points = origin + along[:, None] * towards
    points[~(along > 0)] = np.nan
    return np.asarray(points)
