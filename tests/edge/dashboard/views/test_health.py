from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from edge.cameras.base import CameraStatus
from edge.cameras.place import PlaceState
from edge.checkout.outbox import OutboxCounts
from edge.dashboard.views.health import health_shape, troubles_of
from edge.health import Health
from edge.link.hub import DeviceStatus
from edge.workers import WorkerStatus
from tests.edge.test_health import WELL, camera, device, worker

CALM = replace(
    WELL,
    cameras=(replace(camera("running"), reason="", place=PlaceState("green")),),
    outbox={"till": OutboxCounts(waiting=4, acknowledged=5, parked=0)},
)


def test_a_device_that_is_well_has_no_troubles() -> None:
    shown = health_shape(CALM)
    assert (shown.level, shown.ready, shown.troubles) == ("well", True, ())
    assert shown.deliveries[0].waiting == 4


@pytest.mark.parametrize(
    ("health", "code", "level"),
    [
        (replace(CALM, cameras=(camera("stalled"),)), "camera_stalled", "bad"),
        (replace(CALM, cameras=(camera("connecting"),)), "camera_connecting", "watch"),
        (replace(CALM, devices=(device("silent"),)), "device_silent", "bad"),
        (replace(CALM, devices=(device("awaited"),)), "device_awaited", "watch"),
        (replace(CALM, workers=(worker("given_up"),)), "worker_given_up", "bad"),
        (replace(CALM, workers=(worker("crashed"),)), "worker_crashed", "watch"),
        (replace(CALM, ledger_trouble="the disk is full"), "ledger_trouble", "bad"),
        (replace(CALM, link_trouble="no hub"), "link_trouble", "bad"),
        (replace(CALM, outbox={"till": OutboxCounts(0, 0, 2)}), "delivery_parked", "bad"),
    ],
)
def test_a_trouble_says_what_it_is_and_what_to_do(health: Health, code: str, level: str) -> None:
    (trouble,) = troubles_of(health)
    assert (trouble.code, trouble.level) == (code, level)
    assert trouble.what.endswith(".")
    assert trouble.to_do.endswith(".")
    assert health_shape(health).level == level


def test_a_camera_that_was_moved_is_told_though_it_runs() -> None:
    moved = replace(camera("running"), reason="", place=PlaceState("red", "it turned by 3 deg"))
    (trouble,) = troubles_of(replace(CALM, cameras=(moved,)))
    assert (trouble.code, trouble.level, trouble.reason) == (
        "place_red",
        "bad",
        "it turned by 3 deg",
    )


def test_there_are_words_for_every_status() -> None:
    for status in get_args(CameraStatus):
        well = status in ("running", "ended")
        assert bool(troubles_of(replace(CALM, cameras=(camera(status),)))) != well
    for each in get_args(DeviceStatus):
        assert bool(troubles_of(replace(CALM, devices=(device(each),)))) == (each != "well")
    for each in get_args(WorkerStatus):
        told = bool(troubles_of(replace(CALM, workers=(worker(each),))))
        assert told == (each in ("crashed", "stuck", "given_up"))


def test_the_worst_comes_first() -> None:
    both = replace(CALM, cameras=(camera("connecting"), replace(camera("lost"), camera="shelf-2")))
    assert [each.about for each in troubles_of(both)] == ["shelf-2", "shelf-1"]
