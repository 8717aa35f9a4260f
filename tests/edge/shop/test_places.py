"""A camera that was moved while the shop was open, on recordings with shoppers in them."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.drift.effect import turned_camera
from calibration.format import Calibration, read_calibration
from calibration.history import reference_path, save_calibration, save_reference
from calibration.planogram import read_planogram
from edge.checkout.entries import InteractionRecorded, LineCharged, ReviewOpened
from edge.config_file import load_config
from edge.events import Frame
from edge.shop.places import Places
from edge.shop.premises import Premises, open_premises
from edge.shop.replay import Replayed, replay
from edge.stages import StageClock
from tests.edge.shop.knocked import frames_of, knock, turn, watched_shop
from tests.edge.shop.shops import PLAN

# The facings of this shop are wide: a quarter of one is a large turn of a shelf camera.
KNOCK = turn(6.5, (0.0, 1.0, 0.0))
FLOOR_KNOCK = turn(1.5, (0.0, 1.0, 0.0))
KNOCKED_AT_S = 5.0
# Shopper 1 takes two pieces before shelf-2 until second 18, shopper 2 one before shelf-1 after 25.


@pytest.fixture(scope="module")
def watched(two_shelf_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop with references; not to be written to."""
    return watched_shop(two_shelf_shop, tmp_path_factory.mktemp("watched") / "shop")


def opened(folder: Path) -> Premises:
    return open_premises(load_config(folder), folder)


def played(folder: Path, state: Path) -> Replayed:
    return replay(opened(folder), state, keep_evidence=False)


def charged(replayed: Replayed) -> list[str]:
    """Cameras whose events were charged."""
    by = {
        each.event.event_id: each.event.camera
        for each in replayed.entries
        if isinstance(each, InteractionRecorded)
    }
    return [by[each.event_id] for each in replayed.entries if isinstance(each, LineCharged)]


def reviews(replayed: Replayed) -> list[ReviewOpened]:
    return [each for each in replayed.entries if isinstance(each, ReviewOpened)]


def frames(folder: Path, camera: str) -> list[Frame]:
    return [
        Frame(camera, number, number / PLAN.fps, number / PLAN.fps, image)
        for number, image in enumerate(frames_of(folder / f"{camera}.mp4"))
    ]


def places_of(folder: Path, kept: Path | None = None) -> Places:
    path = folder / "calibration.json"
    calibration = read_calibration(path)
    planogram = read_planogram(folder / "planogram.json")
    return Places(path, calibration, planogram, tuple(sorted(calibration.cameras)), kept)


def lights(folder: Path, camera: str, places: Places) -> list[tuple[float, str]]:
    """The lights of a camera over its recording, each when it came on."""
    found: list[tuple[float, str]] = []
    for frame in frames(folder, camera):
        places.look(frame)
        light = places.state(camera).light
        if not found or found[-1][1] != light:
            found.append((frame.captured_at_s, light))
    return found


def test_a_shop_whose_cameras_are_in_place_sells_as_if_nobody_watched_them(
    two_shelf_shop: Path, watched: Path, tmp_path: Path
) -> None:
    without = played(two_shelf_shop, tmp_path / "without")
    with_it = played(watched, tmp_path / "with")
    assert charged(with_it)
    assert with_it.digest == without.digest


@pytest.mark.parametrize("camera", ["shelf-1", "shelf-2", "overhead-1"])
def test_a_knock_is_red_within_30_s_and_there_is_no_alarm_without_one(
    watched: Path, tmp_path: Path, camera: str
) -> None:
    assert lights(watched, camera, places_of(watched)) == [(0.0, "green")]
    folder = _copied(watched, tmp_path)
    rotation = FLOOR_KNOCK if camera == "overhead-1" else KNOCK
    knock(folder, camera, rotation, KNOCKED_AT_S, PLAN.fps)
    found = lights(folder, camera, places_of(folder))
    assert found[-1][1] == "red"
    assert KNOCKED_AT_S < found[-1][0] <= KNOCKED_AT_S + 30.0


def test_a_moved_shelf_camera_charges_nobody_and_the_others_go_on(
    watched: Path, tmp_path: Path
) -> None:
    folder = _copied(watched, tmp_path)
    knock(folder, "shelf-2", turn(5.0, (0.0, 1.0, 0.0)), 1.0, PLAN.fps)
    result = played(folder, tmp_path / "state")
    assert charged(result) == ["shelf-1"]
    sick = [each for each in reviews(result) if each.why == "camera_sick"]
    assert len(sick) == 2
    # It is looked for where the camera points now, so a person is shown the right product.
    assert {each.skus for each in sick} == {("toy-train",)}
    assert all("seems to have been moved" in each.reason for each in sick)


def test_an_event_right_after_the_knock_is_not_charged_though_red_takes_several_looks(
    watched: Path, tmp_path: Path
) -> None:
    folder = _copied(watched, tmp_path)
    knock(folder, "shelf-2", turn(5.0, (0.0, 1.0, 0.0)), 12.6, PLAN.fps)
    result = played(folder, tmp_path / "state")
    assert charged(result) == ["shelf-1"]
    assert [each.why for each in reviews(result)] == ["camera_sick"]


def test_where_only_a_moved_overhead_camera_looks_nobody_is_charged_and_everybody_is_seen_off(
    watched: Path, tmp_path: Path
) -> None:
    folder = _copied(watched, tmp_path)
    knock(folder, "overhead-1", FLOOR_KNOCK, KNOCKED_AT_S, PLAN.fps)
    result = played(folder, tmp_path / "state")
    assert not charged(result)
    assert any("no other camera overlooks this place" in each.reason for each in reviews(result))
    assert {each.session_id for each in result.departures} == {"c-1", "c-2"}


def test_red_outlives_a_restart_and_ends_with_a_new_calibration(
    watched: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = _copied(watched, tmp_path)
    knock(folder, "shelf-1", KNOCK, 0.0, PLAN.fps)
    kept = tmp_path / "kept"
    assert lights(folder, "shelf-1", places_of(folder, kept))[-1][1] == "red"
    again = places_of(folder, kept)
    place = again.place("shelf-1")
    before = place.state
    assert before.light == "red"
    assert place.is_astray
    assert "has moved" in before.reason
    _calibrate_again(folder, "shelf-1")
    caplog.set_level(logging.INFO)
    assert again.read_again(at_once=True)
    assert place.state.light == "green"
    assert again.revision == 1
    assert "calibration taken up: shelf-1" in caplog.text
    assert {light for _, light in lights(folder, "shelf-1", again)} == {"green"}
    # Another restart does not bring the old red back.
    assert places_of(folder, kept).state("shelf-1").light == "green"
    record = [json.loads(each) for each in (kept / "record.jsonl").read_text().splitlines()]
    assert [each.get("light", "taken up") for each in record][-2:] == ["red", "taken up"]


def test_a_camera_calibrated_while_the_shop_is_open_charges_again(
    watched: Path, tmp_path: Path
) -> None:
    folder = _copied(watched, tmp_path)
    knock(folder, "shelf-1", KNOCK, 0.0, PLAN.fps)
    premises = opened(folder)
    places = premises.make_places()
    watches = premises.make_shelves(StageClock())
    shelf = premises.make_shelf_cameras(watches, "run", places)["shelf-1"]
    sick: list[bool] = []
    for frame in frames(folder, "shelf-1"):
        if frame.index == round(15 * PLAN.fps):
            _calibrate_again(folder, "shelf-1")
            places.read_again(at_once=True)
        sick += [each.camera_sick for each in shelf.look(frame)]
    assert sick
    assert not any(sick[-1:])


def test_what_cannot_be_taken_up_while_the_shop_is_open_says_so(
    watched: Path, tmp_path: Path
) -> None:
    folder = _copied(watched, tmp_path)
    places = places_of(folder)
    path = folder / "calibration.json"
    old = read_calibration(path)
    fixture = next(key for key, each in old.fixtures.items() if "shelf-1" in each.cameras)
    moved = old.fixtures[fixture].model_copy(update={"origin_m": (0.1, 3.0, 0.4)})
    camera = turned_camera(old.cameras["shelf-1"], KNOCK)
    new = old.model_copy(
        update={
            "fixtures": {**old.fixtures, fixture: moved},
            "cameras": {**old.cameras, "shelf-1": camera},
        }
    )
    save_calibration(path, new, "2026-03-02T09:00:00+00:00", "test", "moved the fixture")
    places.read_again(at_once=True)
    # By the old fixture the new pose would be wrong.
    assert places.calibration == old
    assert [each.split(" changed")[0] for each in places.waiting] == [
        f"fixture {fixture}",
        "camera shelf-1",
    ]


def test_a_calibration_that_is_still_being_written_is_left_alone(
    watched: Path, tmp_path: Path
) -> None:
    folder = _copied(watched, tmp_path)
    places = places_of(folder)
    _calibrate_again(folder, "shelf-1")
    assert not places.read_again()
    assert places.read_again()
    (folder / "calibration.json").write_text("{", encoding="utf-8")
    assert not places.read_again(at_once=True)
    assert places.revision == 1


def test_a_camera_without_a_reference_says_that_a_move_would_go_unnoticed(
    two_shelf_shop: Path, tmp_path: Path
) -> None:
    folder = _copied(two_shelf_shop, tmp_path)
    reference_path(folder / "calibration.json", "shelf-1").unlink()
    state = places_of(folder).state("shelf-1")
    assert state.light == "unwatched"
    assert "would not be noticed" in state.reason


def _copied(source: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "knocked"
    shutil.copytree(source, folder)
    return folder


def _calibrate_again(folder: Path, name: str) -> None:
    """As the technician would: the pose the camera has now, and what it sees now."""
    path = folder / "calibration.json"
    old = read_calibration(path)
    cameras = {**old.cameras, name: turned_camera(old.cameras[name], KNOCK)}
    new: Calibration = old.model_copy(update={"cameras": cameras})
    save_calibration(path, new, "2026-03-02T09:00:00+00:00", "test", "knocked")
    first = frames(folder, name)[0].image
    save_reference(path, name, np.asarray(cv2.cvtColor(first, cv2.COLOR_BGR2GRAY), np.uint8))
