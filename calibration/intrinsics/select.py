"""Which of many views to fit a lens to: those that tell most about it.

Owns the greedy choice. Pure. A video gives hundreds of views, most of them alike; a fit of all
costs minutes and is no better. Each view's information about the lens, after its own pose is taken
out (the Schur complement of its normal equations), is added up, and the view that raises the
determinant most is taken next, as Kalibr (Maye, Furgale, Siegwart 2013) keeps a view only if it
adds information.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.intrinsics.solve import fit_lens
from calibration.targets import View

MOST_VIEWS: Final = 40
_TRIAL: Final = 15
_LENS_TERMS: Final = slice(6, 14)
"""fx, fy, cx, cy, k1, k2, p1, p2 among the columns of OpenCV's Jacobian."""


def most_telling(views: Sequence[View], most: int = MOST_VIEWS) -> tuple[View, ...]:
    """At most so many of the views, in their order; all of them if they are few."""
    if len(views) <= most:
        return tuple(views)
    step = max(1, len(views) // _TRIAL)
    trial = fit_lens(views[::step], "k1 k2").lens
    told = [_information(trial.k, trial.d, view) for view in views]
    scale = np.sqrt(np.mean([np.diag(each) for each in told], axis=0)) + 1e-12
    told = [each / np.outer(scale, scale) for each in told]
    total = np.eye(len(scale)) * 1e-6
    chosen: set[int] = set()
    for _ in range(most):
        gains = [
            -np.inf if place in chosen else float(np.linalg.slogdet(total + each)[1])
            for place, each in enumerate(told)
        ]
        best = int(np.argmax(gains))
        chosen.add(best)
        total = total + told[best]
    return tuple(view for place, view in enumerate(views) if place in chosen)


def _information(k: NDArray[np.float64], d: NDArray[np.float64], view: View) -> NDArray[np.float64]:
    """What a view tells about the lens once its pose is taken out, ``(8, 8)``."""
    _, turn, shift = cv2.solvePnP(view.points_m, view.pixels, k, d)
    _, jacobian = cv2.projectPoints(view.points_m, turn, shift, k, d)
    slopes = np.asarray(jacobian, np.float64)
    pose, lens = slopes[:, :6], slopes[:, _LENS_TERMS]
    shared = pose.T @ lens
    return np.asarray(lens.T @ lens - shared.T @ np.linalg.pinv(pose.T @ pose) @ shared)
