"""Every alert is caused once, by its fault, on a running shop that a real Prometheus scrapes."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from models.bundle import Bundle
from tests.deploy.prometheus import Prometheus, hurried_rules, prometheus, rules
from tests.edge.checkout.brokers import Mosquitto
from tests.edge.checkout.tills import DROP, Till, open_till
from tests.edge.conftest import bundle
from tests.edge.shop.devices import split
from tests.edge.shop.running import ROOT, Device, running
from tests.edge.updates.bad_bundles import nan_weights
from tests.simulators import faulty_edge
from tests.simulators.cloud import Cloud, let_through
from tests.simulators.disks import Disk, disks_are_permitted
from tests.simulators.rtsp import free_port

__all__ = ["bundle"]
DEMO = ROOT / "deploy" / "demo"

# What is looked back at has to hold what happens within it.
SPANS = {
    "WalkoutDeviceRestarting": "300s",
    "WalkoutWorkerRestarting": "60s",
    "WalkoutReleaseRefused": "60s",
    "WalkoutMemoryGrowing": "15s",
    "WalkoutFramesDropped": "10s",
}
PATIENCE_S = 120.0


class Shop:
    """A device that sells, everything around it, and what is done to them."""

    def __init__(self, folder: Path, recorded: Path, bundle: Bundle, opened: ExitStack) -> None:
        self._opened = opened
        self.folder = folder / "shop"
        self.faults = folder / "faults"
        self.faults.mkdir()
        self.till: Till = opened.enter_context(open_till())
        self.cloud = Cloud.make(folder / "cloud", categories=("dairy",))
        self.cloud.publish(bundle.path)
        self.bundle = bundle
        self.disk: Disk | None = None
        self.state = folder / "state"
        if disks_are_permitted():
            self.disk = opened.enter_context(Disk(folder / "disk", 48))
            self.state = self.disk.mounted / "state"
        self.port = free_port()
        _furnish(self.folder, recorded, self.till.url, self.cloud)
        self.device = self.start()

    def start(self) -> Device:
        """Start the device, or start it again."""
        arguments = ("run", str(self.folder), "--port", str(self.port), "--state", str(self.state))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.simulators.faulty_edge", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", faulty_edge.FOLDER: str(self.faults)},
            cwd=ROOT,
        )
        self.device = Device(process, self.state)
        self._opened.callback(self.end)
        until_s = time.monotonic() + PATIENCE_S
        while not self.device.has_told("dashboard: "):
            assert process.poll() is None, "".join(self.device.lines)
            assert time.monotonic() < until_s, "".join(self.device.lines)
            time.sleep(0.05)
        return self.device

    def end(self) -> None:
        """End it, however it is."""
        if self.device.process.poll() is None:
            self.device.kill()
        assert self.device.process.stdout is not None
        self.device.process.stdout.close()

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """See ``faulty_edge``."""
        (self.faults / name).touch()
        yield
        (self.faults / name).unlink()

    def check_in(self, name: str) -> None:
        """Somebody comes in; nobody sees them, so their session ends by its time."""
        told = self.device.asked("api/v1/checkins", {"token": name, "checkin_id": name})
        assert "error" not in told, told


def _furnish(folder: Path, recorded: Path, till_url: str, cloud: Cloud) -> None:
    shutil.copytree(recorded, folder, ignore=shutil.ignore_patterns("*.mp4"))
    values = yaml.safe_load((folder / "store.yaml").read_text("utf-8"))
    del values["checkins"]
    # Nobody answers there.
    values["cameras"] = {
        name: {"kind": "rtsp", "url": "rtsp://127.0.0.1:9/camera", "open_timeout_s": 1}
        for name in values["cameras"]
    }
    values |= {
        "checkout": {"time_out_s": 2},
        "till": {"url": till_url, "timeout_s": 2},
        "updates": {
            "device_id": "shelf-1",
            "repository": cloud.url,
            "root": "root.json",
            "poll_s": 1,
            "watch": {"watch_s": 1},
            "retry_first_s": 0.5,
            "ballast_bytes": 0,
        },
    }
    (folder / "root.json").write_bytes(cloud.root)
    (folder / "store.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


@contextmanager
def throttled(process: subprocess.Popen[str]) -> Iterator[None]:
    """The processor is there for a tenth of the time."""
    over = threading.Event()

    def throttle() -> None:
        while not over.wait(0.1):
            process.send_signal(signal.SIGSTOP)
            over.wait(0.9)
            process.send_signal(signal.SIGCONT)

    thread = threading.Thread(target=throttle)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        process.send_signal(signal.SIGCONT)


class Watched:
    """Notes what fires, and waits for it."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self.fired: set[str] = set()

    def until(self, condition: Callable[[], bool], what: str) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while True:
            self.fired |= self._prometheus.firing()
            if condition():
                return
            assert time.monotonic() < until_s, f"no {what}; so far {sorted(self.fired)}"
            time.sleep(0.2)

    def value(self, query: str) -> str:
        """What an expression is now; the word of Prometheus."""
        return self._prometheus.value(query)

    def until_fired(self, *alerts: str) -> None:
        self.until(lambda: set(alerts) <= self.fired, ", ".join(alerts))


def test_every_alert_is_fired_by_its_fault(bundle: Bundle, tmp_path: Path) -> None:
    recorded = _recorded(tmp_path / "recorded", bundle)
    with ExitStack() as opened:
        broker = Mosquitto(tmp_path)
        broker.start()
        opened.callback(broker.kill)
        shop = Shop(tmp_path, recorded, bundle, opened)
        hub, shelf = _several(tmp_path / "several", recorded, broker.port, opened)
        targets = {
            "store": (f"127.0.0.1:{shop.port}", shop.device._shown()),
            **{
                name: (each.said(r"dashboard: http://([^/\s]+)")[1], each._shown())
                for name, each in (("hub", hub), ("shelf-a", shelf))
            },
        }
        (tmp_path / "prometheus").mkdir()
        watched = Watched(
            opened.enter_context(prometheus(tmp_path / "prometheus", targets, hurried_rules(SPANS)))
        )
        _several_alerts(watched, hub)
        _process_alerts(watched, shop)
        _checkout_alerts(watched, shop)
        _update_alerts(watched, shop, tmp_path)
        _restart_alerts(watched, shop)
    assert watched.fired == {rule["alert"] for rule in rules()}


def _recorded(folder: Path, bundle: Bundle) -> Path:
    """The demo's shop, recognised by a small bundle."""
    shutil.copytree(DEMO, folder, ignore=shutil.ignore_patterns("bundles", "bundle-parts"))
    values = yaml.safe_load((folder / "store.yaml").read_text("utf-8"))
    (folder / "store.yaml").write_text(yaml.safe_dump({**values, "bundles": [str(bundle.path)]}))
    return folder


def _several(folder: Path, recorded: Path, port: int, opened: ExitStack) -> tuple[Device, Device]:
    """A hub with two shelf devices, of which one is never started."""
    split(recorded, folder, port, {"shelf-a": ("shelf-1",), "shelf-b": ("shelf-2",)})
    hub = yaml.safe_load((folder / "hub.yaml").read_text("utf-8"))
    hub["link"]["begins_within_s"] = 2
    (folder / "hub.yaml").write_text(yaml.safe_dump(hub), encoding="utf-8")
    devices = [
        opened.enter_context(
            running(
                str(folder / f"{name}.yaml"), "--port", "0", "--state", str(folder / f"at-{name}")
            )
        )
        for name in ("hub", "shelf-a")
    ]
    return devices[0], devices[1]


def _several_alerts(watched: Watched, hub: Device) -> None:
    watched.until_fired("WalkoutShelfDeviceDown", "WalkoutCameraDown")
    with throttled(hub.process):
        watched.until_fired("WalkoutFramesDropped")
    hub.kill()
    watched.until_fired("WalkoutHubAway", "WalkoutDeviceDown")


def _process_alerts(watched: Watched, shop: Shop) -> None:
    with shop.fault(faulty_edge.MOVED), shop.fault(faulty_edge.CLOCK):
        with shop.fault(faulty_edge.CRASH), shop.fault(faulty_edge.LEAK):
            watched.until_fired("WalkoutMemoryGrowing", "WalkoutWorkerRestarting")
        watched.until_fired("WalkoutCameraMoved", "WalkoutClockWrong")
    pid = shop.device.process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    files = _open_files(pid)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (round(files / 0.85), hard))
    watched.until_fired("WalkoutFilesRunningOut")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))


def _open_files(pid: int) -> int:
    """So many are open all the time; cameras that are tried again open some for a moment."""
    counts = []
    for _ in range(30):
        counts.append(len(list(Path(f"/proc/{pid}/fd").iterdir())))
        time.sleep(0.1)
    return min(counts)


def _checkout_alerts(watched: Watched, shop: Shop) -> None:
    shop.till.answer = lambda path, body: (422, b'{"error": "no such store"}')
    shop.check_in("c-refused")
    watched.until_fired("WalkoutDeliveryRefused")
    shop.till.answer = lambda path, body: (DROP, b"")
    shop.check_in("c-waits")
    watched.until_fired("WalkoutDeliveryStuck")
    with shop.fault(faulty_edge.DOUBT):
        watched.until_fired("WalkoutReviewsWaiting")
    shop.check_in("c-full")
    if shop.disk is None:
        pytest.skip("no disk of its own can be made here: it takes root and loop devices")
    shop.disk.fill()
    watched.until_fired("WalkoutNothingCharged", "WalkoutDiskNearlyFull")
    shop.disk.make_room()


def _update_alerts(watched: Watched, shop: Shop, folder: Path) -> None:
    bad = nan_weights(shop.bundle, folder / "bad")
    shop.cloud.publish(bad, everywhere=True, judge=let_through)
    watched.until_fired("WalkoutReleaseRefused")
    store = folder / "cloud" / "store"
    store.rename(folder / "cloud" / "away")
    watched.until_fired("WalkoutUpdatesAway")


def _restart_alerts(watched: Watched, shop: Shop) -> None:
    def started_at() -> str:
        return watched.value('process_start_time_seconds{instance="store"}')

    for _ in range(3):
        before = started_at()
        shop.end()
        shop.start()
        # A device that is away has no start at all.
        old = ("", before)
        watched.until(lambda old=old: started_at() not in old, "another start")  # type: ignore[misc]
    watched.until_fired("WalkoutDeviceRestarting")
