"""A camera that watches itself, on a real recording with people in it.

The long form, over a rendered shop and whole days, is ``python -m tests.calibration.drift_day``.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.drift.effect import Outlook
from calibration.drift.registration import Reference
from calibration.drift.watch import DriftSettings, DriftWatch
from calibration.format import Calibration, CalibrationError, Floor
from calibration.lens import lens_of
from tests.calibration.drift_day import frames_of, knocked, quiet_day
from tests.simulators.busy_day import Day, Grey
from tests.simulators.shop.layout import looking

VIDEO = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
NAME = "overhead-1"
CAMERA = looking(
    "overhead",
    np.array([4.0, -1.0, 5.0]),
    np.array([4.0, 4.0, 0.0]),
    600.0,
    (768, 576),
    (-0.1, 0.0, 0.0, 0.0, 0.0),
)
SHOP = Calibration(
    floor=Floor(outline=((0, 0), (8, 0), (8, 7), (0, 7))), cameras={NAME: CAMERA}, fixtures={}
)

pytestmark = pytest.mark.skipif(not VIDEO.exists(), reason="needs Debian's opencv-doc")


@pytest.fixture(scope="module")
def frames() -> list[Grey]:
    return frames_of(VIDEO, 12)


def turn(degrees: float, axis: tuple[float, float, float]) -> NDArray[np.float64]:
    return np.asarray(cv2.Rodrigues(np.radians(degrees) * np.array(axis))[0], np.float64)


@pytest.mark.parametrize(
    ("degrees", "axis"),
    [(0.0, (0, 0, 1)), (0.25, (0, 1, 0)), (1.0, (0, 0, 1)), (2.0, (1, 0, 0)), (6.0, (0, 1, 0))],
)
def test_the_turn_of_a_camera_is_measured_under_walking_people(
    frames: list[Grey], degrees: float, axis: tuple[float, float, float]
) -> None:
    day = Day(frames[1:], lens_of(CAMERA), 1)
    day.knock(turn(degrees, axis))
    seen = Reference(frames[0], lens_of(CAMERA)).register(day.picture(9 * 3600.0))
    assert seen.found
    back = seen.rotation @ turn(degrees, axis).T
    assert np.degrees(np.linalg.norm(cv2.Rodrigues(back)[0])) < 0.06 + 0.03 * degrees


@pytest.mark.parametrize(
    ("degrees", "axis"), [(0.25, (1, 0, 0)), (0.5, (0, 1, 0)), (1.0, (0, 0, 1)), (2.0, (0, 1, 0))]
)
def test_a_knock_that_moves_the_floor_by_3_cm_is_red_within_30_s(
    frames: list[Grey], degrees: float, axis: tuple[float, float, float]
) -> None:
    result = knocked(NAME, SHOP, None, frames, turn(degrees, axis))
    assert result["must"]
    assert result["before"] == "green"
    assert isinstance(result["red_after_s"], float)
    assert result["red_after_s"] <= 30.0


def test_a_day_without_a_knock_raises_no_alarm(frames: list[Grey]) -> None:
    # Every half hour of a whole day: restocking, a lamp switched off, noon and night.
    result = quiet_day(NAME, SHOP, None, frames, hours=24.0, every_s=1750.0)
    assert result["looks"] == 50
    assert (result["amber"], result["red"]) == (0, 0), result["alarms"]


def test_a_look_is_only_taken_when_it_is_due(frames: list[Grey]) -> None:
    watch = DriftWatch(NAME, SHOP, None, frames[0])
    first = watch.feed(frames[1], 10.0)
    assert not watch.due(13.9)
    assert watch.feed(frames[2], 13.9) is first
    assert watch.due(14.0)
    assert watch.feed(frames[2], 14.0).at_s == 14.0


def test_one_disturbed_look_changes_nothing_and_a_camera_put_back_is_green_again(
    frames: list[Grey],
) -> None:
    watch = DriftWatch(NAME, SHOP, None, frames[0])
    still, moved = (Day(frames, lens_of(CAMERA), 2) for _ in range(2))
    moved.knock(turn(1.5, (0, 1, 0)))
    noon = 10 * 3600.0
    at = iter(np.arange(0.0, 400.0, 4.0).tolist())
    lights = [watch.feed(still.picture(noon), next(at)).light for _ in range(4)]
    lights.append(watch.feed(moved.picture(noon), next(at)).light)
    lights.append(watch.feed(still.picture(noon), next(at)).light)
    assert set(lights) == {"green"}
    for _ in range(5):
        state = watch.feed(moved.picture(noon), next(at))
    assert state.light == "red"
    assert "cm off" in state.reason
    assert "wait for a person" in state.reason
    # Red stays until looks in a row are clear: somebody may be turning it right now.
    assert watch.feed(still.picture(noon), next(at)).light == "red"
    for _ in range(12):
        state = watch.feed(still.picture(noon), next(at))
    assert state.light == "green"


def test_a_small_move_is_amber_after_a_minute_and_a_few_looks_at_one_are_nothing(
    frames: list[Grey],
) -> None:
    noon = 10 * 3600.0
    still, moved = (Day(frames, lens_of(CAMERA), 2) for _ in range(2))
    moved.knock(turn(0.1, (0, 1, 0)))
    watch = DriftWatch(NAME, SHOP, None, frames[0])
    at = iter(np.arange(0.0, 400.0, 4.0).tolist())
    lights = [watch.feed(still.picture(noon), next(at)).light for _ in range(12)]
    lights += [watch.feed(moved.picture(noon), next(at)).light for _ in range(7)]
    assert set(lights) == {"green"}
    for _ in range(9):
        state = watch.feed(moved.picture(noon), next(at))
    assert state.light == "amber", state
    assert "calibrate it again soon" in state.reason


def test_a_covered_camera_is_amber_and_one_that_shows_something_else_becomes_red(
    frames: list[Grey],
) -> None:
    settings = DriftSettings(unsure_amber_s=60.0, unsure_red_s=200.0)
    dark = DriftWatch(NAME, SHOP, None, frames[0], settings)
    elsewhere = DriftWatch(NAME, SHOP, None, frames[0], settings)
    black = np.zeros_like(frames[0])
    other = np.ascontiguousarray(frames[0][::-1, ::-1])
    for at_s in np.arange(0.0, 300.0, 20.0).tolist():
        covered = dark.feed(black, at_s)
        away = elsewhere.feed(other, at_s)
    assert covered.light == "amber"
    assert "dark or covered" in covered.reason
    assert away.light == "red"
    assert "turned away, swapped or covered" in away.reason


def test_references_of_another_size_or_without_anything_on_them_are_refused(
    frames: list[Grey],
) -> None:
    with pytest.raises(CalibrationError, match="reference is 384 x 288"):
        Reference(np.ascontiguousarray(frames[0][::2, ::2]), lens_of(CAMERA))
    with pytest.raises(CalibrationError, match="too little to hold on to"):
        Reference(np.full_like(frames[0], 90), lens_of(CAMERA))
    with pytest.raises(CalibrationError, match="stream's settings were changed"):
        Reference(frames[0], lens_of(CAMERA)).register(frames[0][:400])


def test_what_a_turn_does_to_the_floor_grows_with_it() -> None:
    outlook = Outlook(NAME, SHOP)
    off = [outlook.effect(turn(each, (0, 1, 0))).floor_m for each in (0.0, 0.25, 0.5, 1.0)]
    assert off[0] == pytest.approx(0.0, abs=1e-9)
    assert off[1] is not None
    assert off[2] == pytest.approx(2 * off[1], rel=0.1)
    assert off[3] == pytest.approx(4 * off[1], rel=0.15)
