from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge.cameras.base import CameraStatus
from edge.cameras.newest import CameraCounters, CameraState
from edge.cameras.place import PlaceLight, PlaceState
from edge.checkout.outbox import OutboxCounts
from edge.health import Health, metrics_text
from edge.link.hub import DeviceState, DeviceStatus
from edge.queues import SIGHTINGS, QueueState
from edge.workers import WorkerState, WorkerStatus


def camera(status: CameraStatus) -> CameraState:
    counters = CameraCounters(100, 60, 30, 9, 1, 4, 2, 3)
    return CameraState("shelf-1", status, "no frame for 9.0 s", 0.25, False, counters)


def worker(status: WorkerStatus) -> WorkerState:
    return WorkerState("desk", status, "ValueError: x", 2)


def device(status: DeviceStatus) -> DeviceState:
    return DeviceState("shelf-a", status, "no answer for 9 s", 9.0, 0.002, 3)


WELL = Health(
    cameras=(replace(camera("running"), reason=""),),
    workers=(worker("working"),),
    queues=(QueueState(SIGHTINGS, 3, 20, 0),),
    outbox={"till": OutboxCounts(waiting=4, acknowledged=5, parked=6)},
    stages_s={"shelf": 1.5},
    ledger_trouble=None,
    open_baskets=2,
    open_reviews=1,
    interactions=7,
    receipts=5,
    peak_memory_bytes=123,
    devices=(device("well"),),
)


def test_a_device_that_works_is_well_and_ready() -> None:
    assert (WELL.sick, WELL.not_ready) == ((), ())


@pytest.mark.parametrize(
    ("health", "sick", "said"),
    [
        (replace(WELL, cameras=(camera("stalled"),)), False, "camera shelf-1 is stalled: no frame"),
        (replace(WELL, cameras=(camera("frozen"),)), False, "camera shelf-1 is frozen"),
        (replace(WELL, workers=(worker("crashed"),)), False, "worker desk crashed: ValueError"),
        (replace(WELL, workers=(worker("stuck"),)), True, "worker desk is stuck"),
        (replace(WELL, workers=(worker("given_up"),)), True, "worker desk is given_up"),
        (replace(WELL, ledger_trouble="the disk is full"), False, "the disk is full"),
        (replace(WELL, devices=(device("silent"),)), False, "device shelf-a is silent: no answer"),
        (replace(WELL, devices=(device("sick"),)), False, "device shelf-a is sick: no answer"),
        (replace(WELL, link_trouble="the hub has not asked"), False, "the hub has not asked"),
    ],
)
def test_what_a_right_receipt_lacks_makes_it_unready_with_the_reason(
    health: Health, sick: bool, said: str
) -> None:
    assert health.not_ready[0].startswith(said)
    assert bool(health.sick) == sick


def test_a_recording_that_is_over_is_no_fault() -> None:
    assert replace(WELL, cameras=(camera("ended"),)).not_ready == ()


def test_metrics_are_prometheus_text_with_units() -> None:
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics_text(WELL))
        for sample in family.samples
    }
    assert samples["walkout_camera_up", "shelf-1", "running"] == 1
    assert samples["walkout_camera_frame_age_seconds", "shelf-1"] == 0.25
    assert samples["walkout_camera_frames_total", "shelf-1", "dropped"] == 30
    assert samples["walkout_worker_restarts_total", "desk"] == 2
    assert samples["walkout_queue_waiting_items", "sightings"] == 3
    assert samples["walkout_stage_cpu_seconds_total", "shelf"] == 1.5
    assert samples["walkout_outbox_messages", "till", "parked"] == 6
    assert samples["walkout_receipts_total",] == 5
    assert samples["walkout_ledger_up",] == 1
    assert samples["walkout_device_up", "shelf-a", "well"] == 1
    assert samples["walkout_device_answer_age_seconds", "shelf-a"] == 9
    assert samples["walkout_device_clock_error_seconds", "shelf-a"] == 0.002
    assert samples["walkout_device_events_waiting", "shelf-a"] == 3
    assert samples["walkout_link_up",] == 1


def test_a_sick_camera_shows_in_the_metrics() -> None:
    text = metrics_text(replace(WELL, cameras=(camera("lost"),), ledger_trouble="full"))
    assert 'walkout_camera_up{camera="shelf-1",status="lost"} 0.0' in text
    assert "walkout_ledger_up 0.0" in text


def test_a_camera_that_was_moved_is_no_reason_to_start_anew_but_not_ready() -> None:
    moved = PlaceState("red", "shelf-1 has moved: turn it back or calibrate it again")
    health = replace(WELL, cameras=(replace(camera("running"), reason="", place=moved),))
    assert health.sick == ()
    assert health.not_ready == (moved.reason,)
    assert 'walkout_camera_in_place{camera="shelf-1",light="red"} 0.0' in metrics_text(health)


@pytest.mark.parametrize("light", ["amber", "unwatched"])
def test_what_wants_looking_after_soon_is_a_notice(light: PlaceLight) -> None:
    state = PlaceState(light, "look at its picture")
    health = replace(WELL, cameras=(replace(camera("running"), reason="", place=state),))
    assert health.not_ready == ()
    assert health.notices == ("look at its picture",)
    assert WELL.notices == ()
