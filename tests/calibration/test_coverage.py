"""What a technician is told while showing the board to a camera."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from calibration.board import fit_board
from calibration.coverage import CoverageState, view_shape
from calibration.intrinsics.select import most_telling
from calibration.intrinsics.solve import choose_lens
from calibration.lens import Lens
from calibration.targets import View
from tests.simulators.calibration import poses_in_front

LENS = Lens(image_size_px=(640, 480), matrix=((600, 0, 320), (0, 600, 240), (0, 0, 1)))
SPEC = fit_board("A4")
PLACES = np.array(
    [(x, y, 0.0) for y in range(1, SPEC.squares_y) for x in range(1, SPEC.squares_x)]
) * (SPEC.square_mm / 1000)


def view(name: str, turn: tuple[float, ...], shift: tuple[float, ...]) -> View:
    seen, _ = cv2.projectPoints(
        PLACES, np.array(turn, float), np.array(shift, float), LENS.k, LENS.d
    )
    return View(
        name,
        np.arange(len(PLACES)),
        PLACES,
        np.asarray(seen, np.float64).reshape(-1, 2),
        (640, 480),
        2.0,
    )


def test_a_view_like_one_that_is_there_is_not_kept_and_a_tilted_one_is() -> None:
    state = CoverageState()
    assert state.feed(view("a", (0, 0, 0), (-0.09, -0.12, 0.5))) is None
    refused = state.feed(view("b", (0, 0, 0), (-0.085, -0.12, 0.5)))
    assert refused is not None
    assert "like a view that is there" in refused
    assert state.feed(view("c", (0, 0.6, 0), (-0.09, -0.12, 0.5))) is None
    assert [each.name for each in state.views] == ["a", "c"]


def test_a_board_that_moves_fast_is_not_kept_until_it_rests() -> None:
    state = CoverageState()
    assert state.feed(view("a", (0, 0, 0), (-0.20, -0.12, 0.5)), 0.0) is None
    fast = state.feed(view("b", (0, 0, 0), (0.05, -0.12, 0.5)), 0.2)
    assert fast is not None
    assert "too fast" in fast
    assert state.feed(view("c", (0, 0, 0), (0.05, -0.12, 0.5)), 0.4) is None


def test_coverage_says_what_is_missing_and_when_it_is_complete() -> None:
    state = CoverageState()
    state.feed(view("a", (0, 0, 0), (-0.09, -0.12, 0.5)))
    first = state.coverage()
    assert not first.complete
    assert "tilt the board to the left and right and up and down" in first.next
    for number, (rotation, shift) in enumerate(poses_in_front(LENS, SPEC, 60, 5)):
        turn = cv2.Rodrigues(rotation)[0].ravel().tolist()
        state.feed(view(str(number), tuple(turn), tuple(shift.tolist())))
    state.feed(view("near", (0, 0, 0), (-0.09, -0.12, 0.28)))
    last = state.coverage()
    assert last.heat_share >= 0.8
    assert last.tilts == {"left", "right", "up", "down"}
    assert last.complete, last.next


@pytest.mark.parametrize(
    ("turn", "tilt"),
    [((0, 0.5, 0), {"left", "right"}), ((0.5, 0, 0), {"up", "down"}), ((0, 0.05, 0), {None})],
)
def test_tilts_are_told_from_each_other(
    turn: tuple[float, float, float], tilt: set[object]
) -> None:
    one = view_shape(view("a", turn, (-0.09, -0.12, 0.5)))
    assert one.tilt in tilt


def test_of_many_views_those_that_tell_most_are_taken() -> None:
    views = [view(f"flat {n}", (0, 0, 0), (-0.09 + 1e-3 * n, -0.12, 0.5)) for n in range(30)]
    rng = np.random.default_rng(0)
    for number, (rotation, shift) in enumerate(poses_in_front(LENS, SPEC, 12, 5)):
        turn = cv2.Rodrigues(rotation)[0].ravel().tolist()
        views.append(view(f"tilted {number}", tuple(turn), tuple(shift.tolist())))
    views = [
        View(v.name, v.ids, v.points_m, v.pixels + rng.normal(0, 0.1, v.pixels.shape), v.size_px, 2)
        for v in views
    ]
    chosen = most_telling(views, 12)
    assert sum(each.name.startswith("tilted") for each in chosen) >= 9
    fit = choose_lens(chosen).fit
    assert fit.lens.matrix[0][0] == pytest.approx(600, rel=0.003)
