"""Overhead cameras placed by marks: what is good enough, and what is refused with advice."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.consistency import check_connected, overlaps, unseen_floor
from calibration.floor import Marks, place_by_marks, place_several
from calibration.format import Calibration, CalibrationError, Camera, Floor
from calibration.lens import lens_of
from calibration.walked import place_by_board
from tests.simulators.shop.layout import looking

FLOOR = Floor(outline=((0, 0), (5, 0), (5, 4), (0, 4)))
SPREAD = np.array([[0.4, 1.2], [4.6, 1.1], [4.8, 3.6], [0.3, 3.5], [2.5, 2.0], [2.4, 3.8]])


def camera(x_m: float = 2.4, y_m: float = 0.4, towards: tuple[float, float] = (2.5, 2.2)) -> Camera:
    return looking(
        "overhead",
        np.array([x_m, y_m, 3.0]),
        np.array([*towards, 0.0]),
        560.0,
        (1280, 720),
        (-0.19, 0.03, 0.0, 0.0, 0.0),
    )


def marks(truth: Camera, floor_m: NDArray[np.float64], seed: int = 0) -> Marks:
    rng = np.random.default_rng(seed)
    pixels = truth.project(np.column_stack([floor_m, np.zeros(len(floor_m))]))
    return Marks(pixels + rng.normal(0, 1.0, pixels.shape), floor_m)


def test_spread_marks_place_a_camera_and_say_what_to_expect() -> None:
    truth = camera()
    placed = place_by_marks(lens_of(truth), FLOOR, marks(truth, SPREAD), "overhead-1")
    assert np.linalg.norm(placed.camera.position_m - truth.position_m) < 0.05
    assert placed.expected_p95_m < 0.05
    assert placed.held_out_p95_m is not None
    assert placed.held_out_p95_m < 0.10


def test_clustered_marks_are_refused_with_where_to_add_one() -> None:
    truth = camera()
    cluster = np.array([[2.2, 1.9], [2.6, 1.9], [2.6, 2.3], [2.2, 2.3], [2.4, 2.1], [2.3, 2.0]])
    with pytest.raises(CalibrationError, match=r"close together.*Add a mark near \(\d.*picture"):
        place_by_marks(lens_of(truth), FLOOR, marks(truth, cluster), "overhead-1")


def test_marks_nearly_on_one_line_are_refused_with_where_to_add_one() -> None:
    truth = camera()
    line = np.array([[0.9, 2.0], [1.8, 2.02], [2.6, 1.98], [3.4, 2.0], [4.2, 2.03]])
    with pytest.raises(CalibrationError, match=r"nearly on one line.*Add a mark near"):
        place_by_marks(lens_of(truth), FLOOR, marks(truth, line), "overhead-1")


def test_three_marks_and_a_mistaken_mark_are_refused() -> None:
    truth = camera()
    with pytest.raises(CalibrationError, match="3 marks are too few"):
        place_by_marks(lens_of(truth), FLOOR, marks(truth, SPREAD[:3]), "overhead-1")
    wrong = marks(truth, SPREAD)
    exchanged = Marks(wrong.pixels[[1, 0, 2, 3, 4, 5]], wrong.floor_m)
    with pytest.raises(
        CalibrationError, match="overhead-1: (the marks do not fit|no camera can see)"
    ):
        place_by_marks(lens_of(truth), FLOOR, exchanged, "overhead-1")


def test_swapped_cameras_are_called_swapped() -> None:
    one, other = camera(), camera(2.6, 0.3, (2.4, 2.3))
    crooked = SPREAD + np.random.default_rng(1).uniform(-0.2, 0.2, SPREAD.shape)
    right = {"a": marks(one, SPREAD), "b": marks(other, crooked)}
    lenses = {"a": lens_of(one), "b": lens_of(other)}
    assert set(place_several(lenses, FLOOR, right)) == {"a", "b"}
    swapped = {
        "a": Marks(right["b"].pixels, right["a"].floor_m),
        "b": Marks(right["a"].pixels, right["b"].floor_m),
    }
    with pytest.raises(CalibrationError, match="a and b are swapped"):
        place_several(lenses, FLOOR, swapped)


def test_cameras_that_share_nothing_are_named_as_not_connected() -> None:
    check_connected(["a", "b", "c"], [("a", "b"), ("b", "c")])
    with pytest.raises(CalibrationError, match="nothing joins a, b with c"):
        check_connected(["a", "b", "c"], [("a", "b")])
    with pytest.raises(CalibrationError, match="nothing joins"):
        place_by_board({"a": lens_of(camera()), "b": lens_of(camera())}, [], {})


def test_overlap_and_unseen_floor_follow_from_the_cameras() -> None:
    both = Calibration(floor=FLOOR, cameras={"a": camera(), "b": camera(2.6, 3.6, (2.4, 1.6))})
    alone = both.model_copy(update={"cameras": {"a": both.cameras["a"]}})
    assert overlaps(both)["a", "b"] > 0.3
    assert unseen_floor(both) < unseen_floor(alone) < 0.8
    assert unseen_floor(both.model_copy(update={"cameras": {}})) == 1.0
