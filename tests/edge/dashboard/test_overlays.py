from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.format import Calibration, read_calibration
from calibration.planogram import read_planogram
from edge.dashboard.overlays import Drawing, decisions_in, polygon_in, shoppers_in, zones_of
from edge.dashboard.views.events import ShownEvent
from edge.dashboard.views.floor import ShownShopper


@pytest.fixture(scope="module")
def calibration(recorded_shop: Path) -> Calibration:
    return read_calibration(recorded_shop / "calibration.json")


def shopper_at(x_m: float, y_m: float) -> ShownShopper:
    return ShownShopper(
        track="t-1", at_m=(x_m, y_m), state="followed", shopper="ann", session="s", role="shopper"
    )


def event_at(facing: str, camera: str, at: float) -> ShownEvent:
    return ShownEvent(
        event_id=f"e-{at}",
        kind="take",
        happened_at=at,
        started_at=at - 1,
        camera=camera,
        fixture="fixture-1",
        facing=facing,
        sku="milk",
        name="Oat milk",
        quantity=1,
        outcome="accept",
        result="counted",
        whose=(),
        attribution="",
        reason="",
        review=None,
        crops=(),
        trace="0" * 32,
    )


def test_zones_lie_in_a_picture_where_the_camera_sees_them(calibration: Calibration) -> None:
    camera = calibration.cameras["overhead-1"]
    drawn = {zone.name: zone for zone in zones_of(camera, calibration)}
    for zone in calibration.floor.zones:
        middle = np.mean(zone.polygon, axis=0)
        at = camera.project(np.array([[*middle, 0.0]]))[0] / camera.image_size_px
        polygon = np.array(drawn[zone.name].polygon)
        assert (polygon.min(axis=0) - 0.01 <= at).all()
        assert (at <= polygon.max(axis=0) + 0.01).all()


def test_what_is_behind_a_camera_is_not_drawn(calibration: Calibration) -> None:
    for camera in calibration.cameras.values():
        x, y, z = camera.position_m
        away = camera.rays(np.array([[camera.image_size_px[0] / 2, camera.image_size_px[1] / 2]]))
        behind = np.array([x, y, z]) - 3 * away[0]
        corners = behind + np.array([[0, 0, 0], [0.3, 0, 0], [0.3, 0.3, 0]])
        assert polygon_in(camera, corners) == ()


def test_people_are_drawn_from_their_feet_to_their_heads(calibration: Calibration) -> None:
    camera = calibration.cameras["overhead-1"]
    middle = camera.on_plane(np.array([camera.image_size_px]) / 2, height_m=0.8)[0]
    (drawn,) = shoppers_in(camera, [shopper_at(*middle), shopper_at(90.0, 90.0)])
    feet = camera.project(np.array([[*middle, 0.0]]))[0] / camera.image_size_px
    assert drawn.feet == pytest.approx(feet, abs=0.01)
    assert drawn.head != drawn.feet
    assert drawn.shopper == "ann"


def test_decisions_are_drawn_for_a_while_where_they_were_made(
    calibration: Calibration, recorded_shop: Path
) -> None:
    planogram = read_planogram(recorded_shop / "planogram.json")
    facing = sorted(planogram.facings)[0]
    events = [event_at(facing, "shelf-1", 100.0), event_at(facing, "elsewhere", 99.0)]
    events.append(event_at(facing, "shelf-1", 50.0))

    def drawn(camera: str) -> list[float]:
        found = decisions_in(Drawing(camera, calibration, planogram), events, 105.0)
        assert all(len(each.polygon) == 4 for each in found)
        return [each.age_s for each in found]

    assert drawn("shelf-1") == [5.0]
    assert drawn("overhead-1") == [5.0, 6.0]
