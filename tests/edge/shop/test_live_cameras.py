"""``walkout-edge run`` with network cameras that come late, go away, stand still and freeze."""

from __future__ import annotations

import json
import re
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from edge.checkout.ledger import Ledger
from edge.checkout.shop import fold
from edge.shop.replay import LEDGER_NAME
from tests.edge.shop.running import Device, running
from tests.simulators.rtsp import RtspServer, free_port, rtsp_server

OUTAGE_S = 60.0
SIZE = ("--width", "320", "--height", "180", "--gop", "15")
SOON = {
    "stall_after_s": 1,
    "frozen_after_s": 3,
    "reconnect_first_s": 0.1,
    "reconnect_longest_s": 0.5,
}


@pytest.fixture
def live(recorded_shop: Path, tmp_path: Path) -> tuple[Path, int, int]:
    """A shop with two network cameras, and the ports of ``shelf-1`` and ``overhead-1``."""
    folder = tmp_path / "live"
    shutil.copytree(recorded_shop, folder, ignore=shutil.ignore_patterns("*.mp4"))
    values = yaml.safe_load((folder / "store.yaml").read_text(encoding="utf-8"))
    del values["checkins"]
    ports = {"shelf-1": free_port(), "overhead-1": free_port()}
    values["camera_defaults"] = SOON
    values["floor"] = {"sessions": {"waits_s": 600}}
    values["cameras"] = {
        name: {
            "kind": "rtsp",
            "url": f"rtsp://127.0.0.1:{port}/camera",
            "open_timeout_s": 2,
            "read_timeout_s": 1.5,
        }
        for name, port in ports.items()
    }
    (folder / "store.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    _nobody_comes_in(folder / values["calibration"])
    return folder, ports["shelf-1"], ports["overhead-1"]


def _nobody_comes_in(path: Path) -> None:
    """What moves in these pictures is nobody: the doors are where no camera looks.

    So a check-in waits through the test, bound to nothing that could walk out.
    """
    calibration = json.loads(path.read_text(encoding="utf-8"))
    for zone in calibration["floor"]["zones"]:
        zone["polygon"] = [[x + 1000.0, y] for x, y in zone["polygon"]]
    path.write_text(json.dumps(calibration), encoding="utf-8")


def reasons(device: Device) -> list[str]:
    told = device.asked("readyz")["reasons"]
    assert isinstance(told, list)
    return told


def is_loud(device: Device, camera: str, status: str) -> None:
    """It is said in the log, on the page, by readiness and by the metrics."""
    device.until(lambda: any(f"camera {camera} is {status}" in each for each in reasons(device)))
    device.said(f"ERROR MainThread: camera {camera} is {status}")
    states = {each["name"]: each["status"] for each in device.asked("api/v1/state")["cameras"]}
    assert states[camera] in (status, "lost", "stalled", "running")
    assert re.search(
        rf'walkout_camera_up{{camera="{camera}",status="\w+"}} [01]', str(device.asked("metrics"))
    )


def is_well(device: Device) -> None:
    device.until(lambda: not reasons(device))


def test_cameras_that_come_late_or_go_away_are_loud_and_come_back_by_themselves(
    live: tuple[Path, int, int], tmp_path: Path
) -> None:
    folder, shelf_port, overhead_port = live
    with ExitStack() as opened:
        overhead = opened.enter_context(rtsp_server(*SIZE, port=overhead_port))
        device = opened.enter_context(
            running(str(folder), "--port", "0", "--state", str(tmp_path / "state"))
        )
        device.said("camera overhead-1 is running")
        # The shelf's camera is slow to start.
        assert any("camera shelf-1 is connecting" in each for each in reasons(device))
        assert device.asked("healthz")["ok"], "a camera that is away is no reason to start anew"
        asked = {"token": "t-1", "checkin_id": "c-1"}
        device.until(lambda: "session_id" in device.asked("api/v1/checkins", asked))

        with rtsp_server(*SIZE, port=shelf_port) as shelf:
            is_well(device)
            shelf.stop_dead()
            is_loud(device, "shelf-1", "stalled")
            shelf.go_on()
            is_well(device)
            _freeze(device, overhead)
        # Its plug is pulled.
        is_loud(device, "shelf-1", "lost")
        time.sleep(OUTAGE_S)
        assert any("camera shelf-1 is lost" in each for each in reasons(device))
        assert device.asked("healthz")["ok"]
        with rtsp_server(*SIZE, port=shelf_port):
            is_well(device)
            assert [each["session"] for each in device.asked("api/v1/state")["baskets"]] == ["c-1"]
            device.process.terminate()
            assert device.ended() == 0
    with Ledger(tmp_path / "state" / LEDGER_NAME, "shop-3") as ledger:
        told = fold(ledger.entries())
    assert [basket.session_id for basket in told.open_baskets()] == ["c-1"]
    assert not told.baskets["c-1"].lines


def _freeze(device: Device, overhead: RtspServer) -> None:
    overhead.show("checkers-8")
    is_loud(device, "overhead-1", "frozen")
    overhead.show("ball")
    is_well(device)
