"""A lens from views of a board: the least squares fit, and which distortion terms it needs.

Owns the fit, the choice of the model by cross-validation, and the views that are dropped as
outliers. Pure. How far the result can be trusted is ``calibration.intrinsics.trust``'s business.

Method: Zhang 2000 as ``cv2.calibrateCameraExtended``. Models are ordered from few terms to many;
the simplest whose error on views that it was not fitted to is within 2 % of the best is taken,
because terms that do not earn their place bend the border of the picture where no view reached
(mrcal's odd-even comparison shows it). A fisheye that beats them all clearly is refused: the shop's
camera model has no place for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import CalibrationError
from calibration.lens import Lens, matrix3
from calibration.targets import View

FEWEST_VIEWS: Final = 5
_FOLDS: Final = 4
_EARNS: Final = 1.02
_OUTLIER_TIMES: Final = 3.0
_OUTLIER_PX: Final = 0.5
_FISHEYE_BEATS: Final = 0.7
_FISHEYE_FROM_PX: Final = 0.4
_FISHEYE_FOCAL_SHARES: Final = (0.25, 0.3, 0.36, 0.42, 0.5)

_NO_K3: Final = cv2.CALIB_FIX_K3
_NO_TANGENT: Final = cv2.CALIB_ZERO_TANGENT_DIST
MODELS: Final[dict[str, int]] = {
    "none": _NO_TANGENT | cv2.CALIB_FIX_K1 | cv2.CALIB_FIX_K2 | _NO_K3,
    "k1": _NO_TANGENT | cv2.CALIB_FIX_K2 | _NO_K3,
    "k1 k2": _NO_TANGENT | _NO_K3,
    "k1 k2 p1 p2": _NO_K3,
    "k1 k2 p1 p2 k3": 0,
}
"""Distortion terms that are fitted, by name, the fewest first."""


@dataclass(frozen=True)
class Fit:
    """A lens fitted to views.

    Attributes:
        lens: The result.
        model: Its distortion terms, a key of `MODELS`.
        rms_px: Root mean square of all corners.
        view_rms_px: Of each view, in order.
        focal_sigma_px: Standard deviations of fx and fy.
        centre_sigma_px: Of cx and cy.
        rotations: Of each view, board to camera, ``(V, 3, 3)``.
        translations_m: The same, ``(V, 3)``.
    """

    lens: Lens
    model: str
    rms_px: float
    view_rms_px: tuple[float, ...]
    focal_sigma_px: tuple[float, float]
    centre_sigma_px: tuple[float, float]
    rotations: NDArray[np.float64]
    translations_m: NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """A chosen model.

    Attributes:
        fit: With the model that earned its place, on the views that were kept.
        views: Those.
        dropped: Names of the outliers with the reason.
        held_out_px: Error of each model on views it was not fitted to.
        fisheye_px: The same of a fisheye model; None where it was not tried or did not converge.
    """

    fit: Fit
    views: tuple[View, ...]
    dropped: tuple[tuple[str, str], ...]
    held_out_px: dict[str, float]
    fisheye_px: float | None


def fit_lens(views: Sequence[View], model: str) -> Fit:
    """Fit a lens to views.

    Raises:
        CalibrationError: Too few views, or they do not fix a lens.
    """
    if len(views) < 2:
        raise CalibrationError("a lens needs at least two views of the board")
    try:
        rms, k, d, turns, shifts, sigmas, _, per_view = cv2.calibrateCameraExtended(
            [view.points_m.astype(np.float32) for view in views],
            [view.pixels.astype(np.float32) for view in views],
            views[0].size_px,
            np.eye(3),
            np.zeros(5),
            flags=MODELS[model],
        )
    except cv2.error as err:
        raise CalibrationError(
            "these views do not fix a lens: tilt the board in several directions and show it in "
            f"all parts of the picture ({err.err})"
        ) from err
    terms = [float(each) for each in np.asarray(d).ravel()[:5]]
    spread = np.asarray(sigmas).ravel()
    matrix = np.asarray(k, np.float64)
    if not (np.isfinite(matrix).all() and matrix[0, 0] > 0 and matrix[1, 1] > 0):
        raise CalibrationError("these views do not fix a lens: tilt the board more, and add views")
    return Fit(
        lens=Lens(
            image_size_px=views[0].size_px,
            matrix=matrix3(matrix),
            distortion=(terms[0], terms[1], terms[2], terms[3], terms[4]),
        ),
        model=model,
        rms_px=float(rms),
        view_rms_px=tuple(float(each) for each in np.asarray(per_view).ravel()),
        focal_sigma_px=(float(spread[0]), float(spread[1])),
        centre_sigma_px=(float(spread[2]), float(spread[3])),
        rotations=np.array([cv2.Rodrigues(each)[0] for each in turns]),
        translations_m=np.array([np.asarray(each).ravel() for each in shifts]),
    )


def choose_lens(views: Sequence[View]) -> Choice:
    """Choose the model by cross-validation, drop outliers, and fit.

    Raises:
        CalibrationError: Too few views, views of several sizes, or a fisheye lens.
    """
    if len({view.size_px for view in views}) > 1:
        raise CalibrationError("views of different picture sizes are not of one camera setting")
    if len(views) < FEWEST_VIEWS:
        raise CalibrationError(
            f"{len(views)} usable views are too few for a lens; at least {FEWEST_VIEWS} are needed "
            "and 15 are good: near and far, in all corners, tilted in all directions"
        )
    kept, dropped = _without_outliers(list(views))
    held_out = {name: held_out_px(kept, name) for name in MODELS}
    best = min(held_out.values())
    model = next(name for name, error in held_out.items() if error <= best * _EARNS)
    fit = fit_lens(kept, model)
    fisheye = _fisheye_px(kept) if best > _FISHEYE_FROM_PX else None
    if fisheye is not None and fisheye < best * _FISHEYE_BEATS:
        raise CalibrationError(
            f"this is a fisheye lens (it fits to {fisheye:.2f} px as one and to {best:.2f} px as "
            "none); use a lens of less than about 110 degrees, or let the camera straighten its "
            "picture"
        )
    return Choice(fit, tuple(kept), tuple(dropped), held_out, fisheye)


def held_out_px(views: Sequence[View], model: str) -> float:
    """RMS of a model on views that it was not fitted to, each fold its turn."""
    folds = min(_FOLDS, len(views))
    squares, count = 0.0, 0
    for fold in range(folds):
        rest = [view for place, view in enumerate(views) if place % folds != fold]
        try:
            lens = fit_lens(rest, model).lens
        except CalibrationError:
            return float("inf")
        for view in views[fold::folds]:
            off = _pose_off_px(lens, view)
            squares += float((off**2).sum())
            count += len(off)
    return float(np.sqrt(squares / count))


def _pose_off_px(lens: Lens, view: View) -> NDArray[np.float64]:
    """How far the corners of a view miss, after its board's pose alone was fitted."""
    _, turn, shift = cv2.solvePnP(view.points_m, view.pixels, lens.k, lens.d)
    seen, _ = cv2.projectPoints(view.points_m, turn, shift, lens.k, lens.d)
    return np.asarray(np.linalg.norm(np.asarray(seen).reshape(-1, 2) - view.pixels, axis=1))


def _without_outliers(views: list[View]) -> tuple[list[View], list[tuple[str, str]]]:
    """Drop views that fit much worse than the others, the worst first."""
    dropped: list[tuple[str, str]] = []
    while len(views) > FEWEST_VIEWS:
        rms = np.array(fit_lens(views, "k1 k2 p1 p2").view_rms_px)
        worst, usual = int(rms.argmax()), float(np.median(rms))
        if rms[worst] <= max(_OUTLIER_TIMES * usual, _OUTLIER_PX):
            break
        dropped.append(
            (
                views[worst].name,
                f"its corners miss by {rms[worst]:.2f} px, those of other views by {usual:.2f}: "
                "moved while it was taken, bent, or wrongly found",
            )
        )
        del views[worst]
    return views, dropped


def _fisheye_px(views: Sequence[View]) -> float | None:
    """RMS of OpenCV's fisheye model (Kannala and Brandt 2006); None where it does not converge."""
    flags = cv2.CALIB_RECOMPUTE_EXTRINSIC | cv2.CALIB_FIX_SKEW | cv2.CALIB_USE_INTRINSIC_GUESS
    width, height = views[0].size_px
    found: list[float] = []
    # It converges from nearby only, so several focal lengths are tried.
    for share in _FISHEYE_FOCAL_SHARES:
        focal = width * share
        try:
            rms, k, _, _, _ = cv2.fisheye.calibrate(
                [view.points_m.reshape(1, -1, 3) for view in views],
                [view.pixels.reshape(1, -1, 2) for view in views],
                (width, height),
                np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]),
                np.zeros(4),
                flags=flags,
            )
        except cv2.error:
            continue
        if np.isfinite(k).all():
            found.append(float(rms))
    return min(found, default=None)
