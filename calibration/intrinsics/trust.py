"""How far a fitted lens can be trusted, beyond its RMS, as one traffic light with its reason.

Owns the split-half difference map, the check of straight lines, the limits and the words. Pure.

RMS says how well a lens fits where the board was; it says nothing of the rest of the picture. On
OpenCV's published pictures two halves of the views give lenses of the same RMS (0.195 px) that
disagree by many pixels at the border if k3 is fitted. So the views are split into two halves, each
gives a lens, and the map says by how many pixels they disagree over the picture once the turn
between them, which any pose absorbs, is taken out (mrcal's cross-validation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.coverage import HEAT_GOAL, TILTS, Coverage
from calibration.format import CalibrationError
from calibration.intrinsics.solve import Choice, fit_lens
from calibration.lens import Lens
from calibration.targets import View

Light = Literal["green", "amber", "red"]

_STEPS: Final = (24, 16)
GOOD_RMS_PX: Final = 0.5
BAD_RMS_PX: Final = 1.0
GOOD_HALVES: Final = 0.003
"""Of the picture's width: p95 of the split-half difference that is green."""
BAD_HALVES: Final = 0.012
GOOD_FOCAL: Final = 0.003
BAD_FOCAL: Final = 0.01
GOOD_VIEWS: Final = 10
GOOD_LINE_PX: Final = 0.6


@dataclass(frozen=True)
class HalvesMap:
    """Where two halves of the views disagree.

    Attributes:
        difference_px: On a grid over the picture, ``(16, 24)``.
        p95_px: Its 95th percentile.
        middle_p95_px: The same within the inner half of the picture.
    """

    difference_px: NDArray[np.float64]
    p95_px: float
    middle_p95_px: float


@dataclass(frozen=True)
class Verdict:
    """One light and why.

    Attributes:
        light: The worst of all checks.
        reasons: What keeps it from being green, the worst first, each with what to do; empty if
            it is green.
        halves: The split-half map; None if the halves are too small to be fitted.
        line_p95_px: How far corners lie off straight lines in the straightened picture.
        focal_sigma: Standard deviation of the focal length as a share of it.
    """

    light: Light
    reasons: tuple[str, ...]
    halves: HalvesMap | None
    line_p95_px: float
    focal_sigma: float


def split_halves(views: Sequence[View], model: str) -> HalvesMap | None:
    """Compare the lenses of every other view; None if a half is too small."""
    first, second = list(views[0::2]), list(views[1::2])
    if min(len(first), len(second)) < 3:
        return None
    try:
        one, other = fit_lens(first, model).lens, fit_lens(second, model).lens
    except CalibrationError:
        return None
    return difference(one, other)


def difference(one: Lens, other: Lens) -> HalvesMap:
    """By how many pixels two lenses disagree, after the best turn between them."""
    width, height = one.image_size_px
    columns, rows = _STEPS
    grid = np.stack(
        np.meshgrid(np.linspace(0, width - 1, columns), np.linspace(0, height - 1, rows)), axis=2
    ).reshape(-1, 2)
    a, b = one.rays(grid), other.rays(grid)
    # The turn is found in the middle, where both halves have views, and judged everywhere.
    off_middle = np.abs(grid / (width - 1, height - 1) - 0.5).max(axis=1)
    inner = off_middle <= 0.3
    u, _, vt = np.linalg.svd(b[inner].T @ a[inner])
    turn = u @ np.diag([1.0, 1.0, np.linalg.det(u @ vt)]) @ vt
    seen, _ = cv2.projectPoints(a @ turn.T, np.zeros(3), np.zeros(3), other.k, other.d)
    off = np.linalg.norm(np.asarray(seen).reshape(-1, 2) - grid, axis=1)
    return HalvesMap(
        off.reshape(rows, columns),
        float(np.percentile(off, 95)),
        float(np.percentile(off[off_middle <= 0.25], 95)),
    )


def line_p95_px(lens: Lens, views: Sequence[View], lines: Sequence[tuple[int, ...]]) -> float:
    """How far corners lie off the straight lines they belong to, in the straightened picture."""
    off: list[NDArray[np.float64]] = []
    for view in views:
        flat = lens.straightened(view.pixels) * lens.k[[0, 1], [0, 1]]
        straight = dict(zip(view.ids.tolist(), flat, strict=True))
        for line in lines:
            points = np.array([straight[each] for each in line if each in straight])
            if len(points) >= 4:
                centred = points - points.mean(axis=0)
                off.append(np.abs(centred @ np.linalg.svd(centred)[2][1]))
    return float(np.percentile(np.concatenate(off), 95)) if off else float("nan")


def judge(choice: Choice, coverage: Coverage, lines: Sequence[tuple[int, ...]]) -> Verdict:
    """One light for a lens."""
    fit, lens = choice.fit, choice.fit.lens
    width = lens.image_size_px[0]
    halves = split_halves(choice.views, fit.model)
    straight = line_p95_px(lens, choice.views, lines)
    sigma = max(
        fit.focal_sigma_px[0] / lens.matrix[0][0], fit.focal_sigma_px[1] / lens.matrix[1][1]
    )
    red: list[str] = []
    amber: list[str] = []

    def grade(value: float, good: float, bad: float, words: str) -> None:
        if value > good:
            (red if value > bad else amber).append(words)

    if lens.folds():
        red.append("the distortion turns back on itself in the picture: add views at its border")
    grade(
        fit.rms_px,
        GOOD_RMS_PX,
        BAD_RMS_PX,
        f"corners miss by {fit.rms_px:.2f} px: is the board flat, the picture sharp?",
    )
    if halves is not None:
        grade(
            halves.p95_px / width,
            GOOD_HALVES,
            BAD_HALVES,
            f"two halves of the views disagree by {halves.p95_px:.1f} px (p95) over the picture: "
            "add views, above all at its border",
        )
    grade(
        sigma,
        GOOD_FOCAL,
        BAD_FOCAL,
        f"the focal length is known to {sigma * 100:.2f} % only: tilt the board more, add views",
    )
    if np.isfinite(straight):
        grade(
            straight,
            GOOD_LINE_PX * max(1.0, width / 1280),
            3 * GOOD_LINE_PX * max(1.0, width / 1280),
            f"straight lines are bent by {straight:.2f} px: is the board flat?",
        )
    if len(choice.views) < GOOD_VIEWS:
        amber.append(f"{len(choice.views)} views are few: take {GOOD_VIEWS} or more")
    if halves is None:
        amber.append("too few views to compare two halves of them")
    if coverage.heat_share < HEAT_GOAL:
        amber.append(
            f"the board was seen in {coverage.heat_share * 100:.0f} % of the picture: fill its "
            "corners"
        )
    if len(coverage.tilts) < len(TILTS) - 1:
        missing = " and ".join(each for each in TILTS if each not in coverage.tilts)
        amber.append(f"the board was hardly tilted: tilt it to the {missing}")
    light: Light = "red" if red else "amber" if amber else "green"
    return Verdict(light, (*red, *amber), halves, straight, sigma)
