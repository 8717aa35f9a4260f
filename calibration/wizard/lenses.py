"""A lens, view by view, from a moving picture: what was found, whether it was kept, why not.

Owns one camera's collection while a board is walked about before it, and the solving of it. Pure:
pictures and times come in. The same functions as ``walkout-calibrate intrinsics`` uses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.coverage import Coverage, CoverageState, coverage_of
from calibration.format import CalibrationError
from calibration.intrinsics.select import most_telling
from calibration.intrinsics.solve import choose_lens
from calibration.intrinsics.trust import judge
from calibration.lens import Lens
from calibration.report import lens_report
from calibration.targets import Missed, View
from calibration.wizard.work import MOST_VIEWS, Board, KeptView, LensFound

_SHOWN = 12


@dataclass(frozen=True, eq=False)
class Looked:
    """What one picture gave.

    Attributes:
        corners_px: Corners that were found ``(N, 2)``; empty where none were.
        kept: Whether it was kept as a view.
        reason: Why it was not; empty where it was.
    """

    corners_px: NDArray[np.float64]
    kept: bool
    reason: str


class LensCollector:
    """Collects views of a board.

    Args:
        board: What is looked for.
        views: Those that were kept before.

    Raises:
        CalibrationError: There is no such board.
    """

    def __init__(self, board: Board, views: tuple[KeptView, ...] = ()) -> None:
        self._target = board.target()
        self._state = CoverageState()
        for each in views:
            self._state.feed(each.view())
        self._pictures: dict[str, NDArray[np.uint8]] = {}
        self._missed: list[Missed] = []
        self._number = len(views)

    @property
    def views(self) -> tuple[KeptView, ...]:
        """Those kept."""
        return tuple(KeptView.of(each) for each in self._state.views)

    @property
    def missed(self) -> tuple[Missed, ...]:
        """Pictures that could not be used lately, and why."""
        return tuple(self._missed)

    @property
    def pictures(self) -> dict[str, NDArray[np.uint8]]:
        """Some of the pictures that were kept, for the report."""
        return dict(self._pictures)

    def coverage(self) -> Coverage:
        """What has been seen so far."""
        return self._state.coverage()

    def look(self, grey: NDArray[np.uint8], at_s: float | None) -> Looked:
        """Look at a picture.

        Args:
            grey: uint8 ``(H, W)``.
            at_s: Its time in a moving picture; ``None`` for a picture by itself.
        """
        name = f"view {self._number + 1}"
        found = self._target.find(grey, name)
        if isinstance(found, Missed):
            self._miss(found)
            return Looked(np.zeros((0, 2)), False, found.reason)
        sizes = {each.size_px for each in self._state.views}
        if sizes and found.size_px not in sizes:
            reason = (
                "the picture's size has changed: set the stream back, or throw the views away and "
                "begin again"
            )
        elif len(self._state.views) >= MOST_VIEWS:
            reason = "there are enough views: let the lens be worked out"
        else:
            reason = self._state.feed(found, at_s) or ""
        if reason:
            self._miss(Missed(name, reason))
            return Looked(found.pixels, False, reason)
        self._number += 1
        if len(self._pictures) < _SHOWN:
            self._pictures[name] = grey
        return Looked(found.pixels, True, "")

    def _miss(self, missed: Missed) -> None:
        self._missed = [*self._missed[-30:], missed]


def find_lens(
    camera: str,
    board: Board,
    kept: tuple[KeptView, ...],
    missed: tuple[Missed, ...] = (),
    pictures: dict[str, NDArray[np.uint8]] | None = None,
    before: Lens | None = None,
) -> tuple[LensFound, str]:
    """Work a lens out of views.

    Returns:
        The lens, whatever its light, and its report as HTML.

    Raises:
        CalibrationError: The views do not make one; with what to do.
    """
    views: list[View] = [each.view() for each in kept]
    choice = choose_lens(most_telling(views))
    coverage = coverage_of(choice.views)
    verdict = judge(choice, coverage, board.target().lines())
    page = lens_report(camera, choice, coverage, verdict, missed, pictures or {}, before)
    halves = verdict.halves
    found = LensFound(
        lens=choice.fit.lens,
        light=verdict.light,
        reasons=verdict.reasons,
        rms_px=choice.fit.rms_px,
        focal_sigma=verdict.focal_sigma,
        halves_p95_px=None if halves is None else halves.p95_px,
        line_p95_px=float(verdict.line_p95_px) if np.isfinite(verdict.line_p95_px) else None,
        model=choice.fit.model,
        heat_share=coverage.heat_share,
        bars=tuple(
            (view.name, rms) for view, rms in zip(choice.views, choice.fit.view_rms_px, strict=True)
        ),
        difference_px=()
        if halves is None
        else tuple(tuple(row) for row in halves.difference_px.round(2).tolist()),
    )
    return found, page


def usable(found: LensFound) -> LensFound:
    """The lens, if its light is not red.

    Raises:
        CalibrationError: It is red.
    """
    if found.light == "red":
        raise CalibrationError(f"this lens cannot be used: {'; '.join(found.reasons)}")
    return found
