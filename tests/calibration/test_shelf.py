"""Shelf cameras placed by a fixture's front, repaired after a knock, and what is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.drift.effect import turned_camera
from calibration.drift.registration import Registration
from calibration.drift.repair import repair_by_markers, repair_by_turn
from calibration.format import Calibration, CalibrationError, Camera, Fixture, Floor
from calibration.lens import lens_of
from calibration.markers import corner_markers
from calibration.plane import front_corners, place_by_clicks, place_by_markers
from tests.simulators.shop.layout import looking

FIXTURE = Fixture(
    origin_m=(0.6, 3.57, 0.45),
    right=(1, 0, 0),
    up=(0, 0, 1),
    width_m=1.3,
    height_m=1.08,
    depth_m=0.4,
    cameras=("shelf-1",),
    markers=corner_markers((4, 5, 6, 7), 1.3, 1.08, 0.06),
)
TRUTH = looking(
    "shelf",
    np.array([2.1, 2.3, 2.3]),
    np.array([1.3, 3.57, 1.0]),
    960.0,
    (1280, 720),
    (-0.17, 0.035, 0.0006, -0.0005, 0.0),
)
SHOP = Calibration(
    floor=Floor(outline=((0, 0), (5, 0), (5, 4), (0, 4))),
    cameras={"shelf-1": TRUTH},
    fixtures={"fixture-1": FIXTURE},
)


def seen_markers(camera: Camera, noise_px: float = 0.1) -> dict[int, NDArray[np.float64]]:
    rng = np.random.default_rng(1)
    return {
        each.id: camera.project(FIXTURE.to_shop(each.corners_m)) + rng.normal(0, noise_px, (4, 2))
        for each in FIXTURE.markers
    }


def clicks(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    return TRUTH.project(FIXTURE.to_shop(np.column_stack([points_m, np.zeros(len(points_m))])))


def turned(degrees: float) -> Camera:
    turn = cv2.Rodrigues(np.radians(degrees) * np.array([0.3, 0.9, 0.3]) / 0.995)[0]
    return turned_camera(TRUTH, np.asarray(turn, np.float64))


def test_markers_place_the_camera_to_a_millimetre_and_three_are_enough() -> None:
    found = seen_markers(TRUTH)
    for several in (found, {key: found[key] for key in (4, 5, 7)}):
        placed = place_by_markers(lens_of(TRUTH), FIXTURE, FIXTURE.markers, several)
        assert np.linalg.norm(placed.camera.position_m - TRUTH.position_m) < 0.003
        assert placed.held_out_p95_m is not None
        assert placed.held_out_p95_m < (0.003 if len(several) == 4 else 0.01)


def test_one_marker_is_too_few_and_the_missing_are_named() -> None:
    found = {4: seen_markers(TRUTH)[4]}
    with pytest.raises(CalibrationError, match="1 of 4 markers are seen.*5, 6, 7 are missing"):
        place_by_markers(lens_of(TRUTH), FIXTURE, FIXTURE.markers, found)


def test_clustered_clicks_are_refused_with_where_to_add_one() -> None:
    cluster = np.array([[0.1, 0.1], [0.35, 0.1], [0.35, 0.3], [0.1, 0.3]])
    with pytest.raises(CalibrationError, match=r"close together.*Add one at u .* of the picture"):
        place_by_clicks(lens_of(TRUTH), FIXTURE, cluster, clicks(cluster))


def test_corners_clicked_in_another_order_are_called_so() -> None:
    corners = front_corners(FIXTURE)
    with pytest.raises(CalibrationError, match="fit in another order: click bottom left"):
        place_by_clicks(lens_of(TRUTH), FIXTURE, corners, clicks(corners)[[1, 0, 3, 2]])


def test_three_clicks_and_clicks_outside_of_the_picture_are_refused() -> None:
    corners = front_corners(FIXTURE)
    with pytest.raises(CalibrationError, match="3 clicks are too few"):
        place_by_clicks(lens_of(TRUTH), FIXTURE, corners[:3], clicks(corners)[:3])
    with pytest.raises(CalibrationError, match="outside of the 1280 x 720 picture"):
        place_by_clicks(lens_of(TRUTH), FIXTURE, corners, clicks(corners) * 2)


def test_a_front_of_other_measures_does_not_fit() -> None:
    corners = front_corners(FIXTURE)
    wide = FIXTURE.model_copy(update={"width_m": 1.9})
    with pytest.raises(CalibrationError, match="do not fit the front"):
        place_by_clicks(lens_of(TRUTH), wide, front_corners(wide), clicks(corners))


@pytest.mark.parametrize("degrees", [0.25, 1.0, 3.0])
def test_a_small_knock_is_put_right_by_the_fixtures_markers(degrees: float) -> None:
    moved = turned(degrees)
    repair = repair_by_markers("shelf-1", SHOP, seen_markers(moved))
    assert repair.turn_deg == pytest.approx(degrees, abs=0.05)
    assert repair.by == "markers 4, 5, 6, 7 of fixture-1"
    front = FIXTURE.to_shop(np.array([[0, 0, 0], [1.3, 0, 0], [1.3, 1.08, 0], [0, 1.08, 0]]))
    assert repair.camera.project(front) == pytest.approx(moved.project(front), abs=0.5)


def test_a_large_knock_and_a_moved_marker_are_left_to_a_person() -> None:
    with pytest.raises(CalibrationError, match="too far to be put right by itself"):
        repair_by_markers("shelf-1", SHOP, seen_markers(turned(8.0)))
    found = seen_markers(TRUTH)
    found[6] = found[6] + (25.0, 10.0)
    with pytest.raises(CalibrationError, match="do not fit"):
        repair_by_markers("shelf-1", SHOP, found)
    with pytest.raises(CalibrationError, match="2 markers of fixture-1 are seen, 3 are needed"):
        repair_by_markers("shelf-1", SHOP, {key: seen_markers(TRUTH)[key] for key in (4, 5)})


def test_a_fixture_without_markers_asks_for_a_calibration_by_hand() -> None:
    bare = SHOP.model_copy(update={"fixtures": {"f": FIXTURE.model_copy(update={"markers": ()})}})
    with pytest.raises(CalibrationError, match="watches no fixture with markers"):
        repair_by_markers("shelf-1", bare, {})


def test_a_measured_turn_puts_the_camera_right_if_a_person_says_that_it_only_turned() -> None:
    turn = np.asarray(cv2.Rodrigues(np.radians([0.0, 1.0, 0.0]))[0], np.float64)
    seen = Registration(30, 25, 25 / 30, turn, True, 0.3, (17.0, 0.0), 1.0)
    repair = repair_by_turn("shelf-1", SHOP, seen)
    assert repair.camera.position_m == pytest.approx(TRUTH.position_m)
    assert np.array(repair.camera.rotation) == pytest.approx(turn @ np.array(TRUTH.rotation))
    lost = Registration(30, 2, 2 / 30, np.eye(3), False, 0.0, (0.0, 0.0), 0.0)
    with pytest.raises(CalibrationError, match="does not show enough"):
        repair_by_turn("shelf-1", SHOP, lost)
