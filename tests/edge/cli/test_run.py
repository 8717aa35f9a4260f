from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import cv2
import pytest

from edge.checkout.ledger import Ledger
from edge.checkout.shop import fold
from tests.edge.shop.running import running
from tests.simulators.bundles import make_bundle
from tests.simulators.cloud import Cloud
from tests.web.client import Client


@pytest.fixture
def shop(recorded_shop: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    shutil.copytree(recorded_shop, folder)
    return folder


def test_a_running_shop_from_the_first_look_to_a_clean_stop(shop: Path, tmp_path: Path) -> None:
    store, state = shop / "store.yaml", tmp_path / "state"
    good = store.read_text(encoding="utf-8")
    with running(str(store), "--port", "0", "--state", str(state), "--log-json") as device:
        device.until(lambda: bool(device.asked("readyz")["ok"]))
        asked = {"token": "t-9", "checkin_id": "c-9"}
        assert device.asked("api/v1/checkins", asked)["session_id"] == "c-9"

        store.write_text(good + "colour: red\n", encoding="utf-8")
        device.process.send_signal(signal.SIGHUP)
        device.said("colour: there is no such setting.*stays as it was")
        store.write_text(good + "evidence_days: 3\nthreads: 2\n", encoding="utf-8")
        device.process.send_signal(signal.SIGHUP)
        device.said("threads changed too and wait for a restart")

        baskets = device.asked("api/v1/state")["baskets"]
        assert "c-9" in [basket["session"] for basket in baskets]
        device.process.send_signal(signal.SIGTERM)
        assert device.ended() == 0
    logged = [json.loads(line) for line in device.lines if line.startswith("{")]
    assert {"at", "level", "logger", "worker", "message"} <= logged[0].keys()
    with Ledger(state / "ledger.sqlite", "shop-3") as ledger:
        assert "c-9" in [each.session_id for each in fold(ledger.entries()).open_baskets()]


def cut(video: Path, frames: int) -> None:
    """Keep only the beginning of a video."""
    capture = cv2.VideoCapture(str(video))
    images = [capture.read()[1] for _ in range(frames)]
    capture.release()
    video.unlink()
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"mp4v"), 5, (width, height))
    for image in images:
        writer.write(image)
    writer.release()


def test_a_recording_ends_with_receipts_and_the_scoreboard(shop: Path, tmp_path: Path) -> None:
    for name in ("shelf-1", "overhead-1"):
        cut(shop / f"{name}.mp4", 24)
    state = tmp_path / "state"
    with running(str(shop), "--no-page", "--state", str(state)) as device:
        assert device.ended() == 0
    output = "".join(device.lines)
    assert "receipt c-1-r1 for shopper-1: 0.00 EUR" in output
    assert "Receipts against truth" in output
    with running(str(shop), "--no-page", "--state", str(state)) as device:
        assert device.ended() == 2
    assert "a recording was played into it before" in "".join(device.lines)


def test_the_dashboard_stays_when_the_recording_is_over(shop: Path, tmp_path: Path) -> None:
    for name in ("shelf-1", "overhead-1"):
        cut(shop / f"{name}.mp4", 24)
    state = tmp_path / "state"
    with running(str(shop), "--port", "0", "--state", str(state), "--stay") as device:
        device.said("the recording is over; the dashboard stays")
        assert "Receipts against truth" in "".join(device.lines)
        told = device.asked("api/v1/receipts")["items"]
        assert [each["total"] for each in told] == ["0.00"]
        device.process.send_signal(signal.SIGTERM)
        assert device.ended() == 0
    assert "".join(device.lines).count("Receipts against truth") == 1


def test_the_terminal_says_once_how_to_get_in(shop: Path, tmp_path: Path) -> None:
    arguments = (str(shop), "--port", "0", "--state", str(tmp_path / "state"))
    with running(*arguments) as device:
        password = device.said(r"sign in as admin with (\S+) \(shown this once\)")[1]
        address = device.said(r"dashboard: (http://\S+)")[1]
        with Client(address) as admin:
            asked = {"name": "admin", "password": password}
            assert admin.post("/api/v1/session", json=asked).json()["role"] == "admin"
        with Client(address) as browser:
            browser.get(device.said(r"once, within 15 minutes: (\S+)")[1])
            assert browser.get("/").status_code == 200
        device.kill()
    with running(*arguments) as device:
        device.said("dashboard: ")
        device.said("camera shelf-1 is")
        assert not any("shown this once" in line or "/enter/" in line for line in device.lines)


def test_a_shop_works_without_its_dashboard(shop: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "accounts.sqlite").write_bytes(b"no database, but longer than its header " * 100)
    with running(str(shop), "--port", "0", "--for", "3", "--state", str(state)) as device:
        device.said("the dashboard is not served, the shop works without it: .*move it away")
        device.said("camera shelf-1 is running")
        assert device.ended() == 0


def test_it_stops_after_the_time_it_was_given(shop: Path) -> None:
    with running(str(shop), "--no-page", "--for", "0.5") as device:
        assert device.ended() == 0
    assert any("0.5 s are over" in line for line in device.lines)


def test_a_shop_at_work_takes_a_new_release_and_goes_on(shop: Path, tmp_path: Path) -> None:
    cloud = Cloud.make(tmp_path / "cloud", categories=("dairy",))
    newer = make_bundle(tmp_path / "newer", products=7, category="dairy")
    cloud.publish(newer.path)
    (shop / "root.json").write_bytes(cloud.root)
    with (shop / "store.yaml").open("a", encoding="utf-8") as store:
        store.write(
            f"updates: {{device_id: shelf-1, repository: '{cloud.url}', root: root.json, "
            "watch: {watch_s: 0.5}}\n"
        )
    pointer = shop / "updates" / "serving.json"
    arguments = (str(shop), "--port", "0", "--state", str(tmp_path / "state"), "--stay")
    with running(*arguments) as device:
        device.until(lambda: pointer.exists() and '"release": 1' in pointer.read_text())
        device.said("receipt c-2-r1")
        device.process.send_signal(signal.SIGTERM)
        assert device.ended() == 0
