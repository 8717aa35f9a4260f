from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.cameras.base import CameraStatus
from edge.config_file import load_config
from edge.events import Frame
from edge.shop.premises import Premises, open_premises
from edge.shop.replay import recorded_cameras
from edge.shop.shelves import Sighting
from edge.stages import StageClock

GAP_S = 3.0


@pytest.fixture(scope="module")
def premises(recorded_shop: Path) -> Premises:
    return open_premises(load_config(recorded_shop), recorded_shop)


@pytest.fixture(scope="module")
def frames(premises: Premises) -> list[Frame]:
    (camera,) = (c for c in recorded_cameras(premises, 0.0) if c.name == "shelf-1")
    camera.open()
    found = [camera.read() for _ in range(120)]
    camera.close()
    return found


def sightings(
    premises: Premises,
    frames: list[Frame],
    status: Callable[[Frame], CameraStatus] = lambda frame: "running",
) -> list[Sighting]:
    watches = premises.make_shelves(StageClock())
    shelf = premises.make_shelf_cameras(watches, "run", premises.make_places())["shelf-1"]
    return [each for frame in frames for each in shelf.look(frame, status(frame))]


def test_a_camera_that_is_well_is_trusted(premises: Premises, frames: list[Frame]) -> None:
    found = sightings(premises, frames)
    assert found
    assert not any(each.camera_sick for each in found)
    event = found[0].seen.event
    assert event.event_id.startswith("run-shelf-1-")
    assert event.evidence.crops[0].startswith("1970-01-01/run-shelf-1-")


def test_what_may_have_happened_in_a_gap_is_not_trusted(
    premises: Premises, frames: list[Frame]
) -> None:
    first = sightings(premises, frames)[0].seen.event
    before, after = first.started_at_s - 0.5, first.started_at_s + 0.3
    while after - before <= GAP_S:
        before -= 0.2
    kept = [each for each in frames if not before < each.captured_at_s < after]
    found = sightings(premises, kept)
    assert found
    assert found[0].camera_sick


def test_what_a_frozen_camera_shows_is_not_trusted(premises: Premises, frames: list[Frame]) -> None:
    first = sightings(premises, frames)[0].seen.event
    stuck_s = first.started_at_s

    def status(frame: Frame) -> CameraStatus:
        return "frozen" if abs(frame.captured_at_s - stuck_s) < 0.5 else "running"

    assert sightings(premises, frames, status)[0].camera_sick
