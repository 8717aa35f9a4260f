"""A shelf camera that was moved a little is put right by its fixture's markers, with a record."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.drift.effect import turned_camera
from calibration.format import Calibration, Camera, read_calibration
from calibration.history import read_record, read_reference, save_calibration, save_reference
from calibration.lens import lens_of
from calibration.planogram import Planogram
from edge.events import Frame
from edge.shop.keeping_places import BY, KeepingPlaces
from edge.shop.places import Places
from tests.calibration.test_shelf import FIXTURE, SHOP, TRUTH
from tests.edge.shop.knocked import turn
from tests.simulators.calibration import Photographer
from tests.simulators.uncalibrated import fixture_front, shop_floor

NAME = "shelf-1"
KNOCK = turn(1.5, (0.3, 0.9, 0.3))


def picture(camera: Camera, seed: int = 0) -> NDArray[np.uint8]:
    """What it sees, BGR."""
    photographer = Photographer(lens_of(camera), seed, fine=1)
    grey = photographer.picture(
        [shop_floor(), *fixture_front(FIXTURE)],
        np.array(camera.rotation),
        np.array(camera.translation_m),
    )
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "shop" / "calibration.json"
    path.parent.mkdir()
    save_calibration(path, SHOP, "2026-03-02T09:00:00+00:00", "kim", "placed")
    save_reference(path, NAME, picture(TRUTH)[..., 0])
    return path


def watched(
    path: Path, calibration: Calibration, images: list[NDArray[np.uint8]], repairs: bool = True
) -> Places:
    """The camera over looks at these pictures, each a look."""
    places = Places(path, calibration, Planogram(facings={}), (NAME,))
    keeping = KeepingPlaces(places, repairs, lambda: 1_772_442_000.0)
    for number, image in enumerate(images):
        places.look(Frame(NAME, number, number * 4.0, number * 4.0, image))
        keeping.step()
    return places


def test_a_small_move_is_put_right_by_markers_and_the_record_says_so(path: Path) -> None:
    now = turned_camera(TRUTH, KNOCK)
    moved = picture(now, 1)
    places = watched(path, SHOP, [picture(TRUTH, 2)] * 2 + [moved] * 9)
    assert places.state(NAME).light == "green"
    assert places.revision == 1
    found = read_calibration(path).cameras[NAME]
    assert np.linalg.norm(found.position_m - now.position_m) < 0.005
    change = read_record(path)[-1]
    assert change.by == BY
    assert "had turned by 1.5" in change.why
    assert "markers 4, 5, 6, 7 of fixture-1" in change.why
    assert np.abs(read_reference(path, NAME).astype(int) - moved[..., 0]).mean() < 1.0


def test_without_leave_or_without_markers_a_moved_camera_waits_for_the_technician(
    path: Path,
) -> None:
    moved = [picture(turned_camera(TRUTH, KNOCK), 1)] * 9
    assert watched(path, SHOP, moved, repairs=False).state(NAME).light == "red"
    bare = SHOP.model_copy(
        update={"fixtures": {"fixture-1": FIXTURE.model_copy(update={"markers": ()})}}
    )
    save_calibration(path, bare, "2026-03-02T09:00:00+00:00", "kim", "no markers")
    assert watched(path, bare, moved).state(NAME).light == "red"
    assert [each.by for each in read_record(path)] == ["kim", "kim"]


def test_a_move_that_is_too_large_is_left_to_the_technician(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    far = turned_camera(TRUTH, turn(7.0, (0.0, 0.0, 1.0)))
    assert watched(path, SHOP, [picture(far, 1)] * 9).state(NAME).light == "red"
    assert "too far to be put right by itself" in caplog.text
