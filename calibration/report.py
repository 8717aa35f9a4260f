"""A camera's calibration as one HTML page that explains itself, pictures included.

Owns what is drawn and the page. Pure: pictures and results in, text out; no file is read, nothing
is fetched by the page. Before and after stand side by side where a camera is calibrated anew.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import jinja2
import numpy as np
from numpy.typing import NDArray

from calibration.coverage import Coverage
from calibration.format import CalibrationError
from calibration.intrinsics.solve import Choice
from calibration.intrinsics.trust import Verdict, difference
from calibration.lens import Lens
from calibration.targets import Missed, View

_THUMBNAIL_PX: Final = 320
_RESIDUAL_TIMES: Final = 30.0


@dataclass(frozen=True)
class Shown:
    """A picture on the page: its words and its bytes as a data address."""

    title: str
    source: str


@dataclass(frozen=True)
class Bar:
    """A view's error as a bar, its length from 0 to 100."""

    name: str
    rms_px: float
    length: float


def lens_report(
    camera: str,
    choice: Choice,
    coverage: Coverage,
    verdict: Verdict,
    missed: Sequence[Missed],
    pictures: dict[str, NDArray[np.uint8]],
    before: Lens | None = None,
) -> str:
    """The page of one camera.

    Args:
        camera: Its name.
        choice: The fitted lens.
        coverage: Of the views that were used.
        verdict: The light.
        missed: Pictures that were refused, with the reason.
        pictures: Grey pictures ``(H, W)`` of views to show, by the view's name.
        before: The lens it had.
    """
    fit = choice.fit
    longest = max(fit.view_rms_px)
    bars = [
        Bar(view.name, rms, 100 * rms / longest)
        for view, rms in zip(choice.views, fit.view_rms_px, strict=True)
    ]
    shown = [
        _view_picture(fit.lens, view, place, choice, pictures[view.name])
        for place, view in enumerate(choice.views)
        if view.name in pictures
    ]
    maps = [Shown("How often the board was seen", _heat(coverage.heat))]
    if verdict.halves is not None:
        maps.append(
            Shown(
                "Where two halves of the views disagree", _difference(verdict.halves.difference_px)
            )
        )
    if shown:
        first = next(view for view in choice.views if view.name in pictures)
        flat = cv2.undistort(pictures[first.name], fit.lens.k, fit.lens.d)
        maps.append(Shown(f"{first.name}, straightened", _source(np.asarray(flat, np.uint8))))
    changed = None
    if before is not None and before.image_size_px == fit.lens.image_size_px:
        changed = difference(before, fit.lens)
        maps.append(Shown("What changes against before", _difference(changed.difference_px)))
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("calibration"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("lens.html").render(
        camera=camera,
        choice=choice,
        fit=fit,
        lens=fit.lens,
        before=before,
        changed=changed,
        coverage=coverage,
        verdict=verdict,
        missed=missed,
        bars=bars,
        shown=shown,
        maps=maps,
    )


def _view_picture(
    lens: Lens, view: View, place: int, choice: Choice, grey: NDArray[np.uint8]
) -> Shown:
    """A view with its corners, and how far each misses, enlarged."""
    fit = choice.fit
    seen, _ = cv2.projectPoints(
        view.points_m,
        cv2.Rodrigues(fit.rotations[place])[0],
        fit.translations_m[place],
        lens.k,
        lens.d,
    )
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    thick = max(1, grey.shape[1] // 500)
    for corner, fitted in zip(view.pixels, np.asarray(seen).reshape(-1, 2), strict=True):
        end = corner + (fitted - corner) * _RESIDUAL_TIMES
        cv2.circle(picture, _at(corner), 3 * thick, (80, 200, 80), thick, cv2.LINE_AA)
        cv2.line(picture, _at(corner), _at(end), (60, 60, 230), thick, cv2.LINE_AA)
    title = f"{view.name}: {fit.view_rms_px[place]:.2f} px"
    return Shown(title, _source(np.asarray(picture, np.uint8)))


def _heat(heat: NDArray[np.int64]) -> str:
    share = heat / max(1, int(heat.max()))
    cells = np.rint(255 * np.sqrt(share)).astype(np.uint8)
    large = cv2.resize(cells, None, fx=48, fy=32, interpolation=cv2.INTER_NEAREST)
    return _source(np.asarray(cv2.applyColorMap(large, cv2.COLORMAP_VIRIDIS), np.uint8))


def _difference(off_px: NDArray[np.float64]) -> str:
    """Dark is none, bright is 5 px and more."""
    cells = np.rint(255 * np.clip(off_px / 5.0, 0, 1)).astype(np.uint8)
    large = cv2.resize(cells, None, fx=12, fy=12, interpolation=cv2.INTER_LINEAR)
    return _source(np.asarray(cv2.applyColorMap(large, cv2.COLORMAP_INFERNO), np.uint8))


def _source(picture: NDArray[np.uint8]) -> str:
    scale = min(1.0, 2 * _THUMBNAIL_PX / picture.shape[1])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    good, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])
    if not good:
        raise CalibrationError("a picture of the report cannot be encoded")
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")


def _at(point: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(point[0])), round(float(point[1]))
