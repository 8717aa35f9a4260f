"""What the fleet hears of a device over a real broker with mutual TLS, and what hints do."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from cloud_trainer.fleet.link import FleetLink
from edge.cameras.clock import SystemClock
from edge.errors import ConfigError
from edge.updates.settings import FleetBrokerSettings
from models.bundle import open_bundle
from models.delivery import DeviceStatus, UpdateEvent
from tests.edge.updates.conftest import CATEGORY, Sodas
from tests.edge.updates.devices import Device
from tests.simulators.cloud import Cloud
from tests.simulators.fleet_broker import FleetBroker, NoMosquittoError

# A broker that was away is tried again after up to 30 s.
PATIENCE_S = 90.0


def wait_for(condition: Callable[[], bool], what: str) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until_s, f"waited {PATIENCE_S:g} s for {what}"
        time.sleep(0.02)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[FleetBroker]:
    folder = tmp_path / "broker"
    folder.mkdir()
    try:
        broker = FleetBroker(folder)
    except NoMosquittoError as err:
        pytest.skip(str(err))
    broker.start()
    yield broker
    broker.kill()


def mqtt(broker: FleetBroker, name: str = "shelf-1") -> dict[str, object]:
    tls = broker.device_address(broker.devices.issue(name)).tls
    assert tls is not None
    return {
        "host": "127.0.0.1",
        "port": broker.device_port,
        "ca": str(tls.ca),
        "certificate": str(tls.certificate),
        "key": str(tls.key),
        "keepalive_s": 5,
    }


@contextmanager
def at_work(device: Device) -> Iterator[None]:
    """The device's own threads, in real time."""
    stop = threading.Event()
    line = device.updates.fleet_line
    assert line is not None
    threads = [
        threading.Thread(target=device.agent.run, args=(stop,)),
        threading.Thread(target=line.run, args=(stop,)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


class Hearer:
    """What the fleet has heard so far."""

    def __init__(self, link: FleetLink) -> None:
        self._link = link
        self.status: DeviceStatus | None = None
        self.events: list[UpdateEvent] = []

    def listen(self) -> DeviceStatus | None:
        statuses, events = self._link.take()
        self.events += events
        for heard in statuses:
            self.status = heard.status
        return self.status

    def serves(self, release: int) -> bool:
        status = self.listen()
        return status is not None and status.agents[0].serving_release == release

    def is_online(self) -> bool:
        status = self.listen()
        return status is not None and status.online


def test_a_hint_starts_an_update_and_the_fleet_hears_all_of_it(
    broker: FleetBroker, cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    device = Device(
        tmp_path / "device",
        cloud.url,
        cloud.root,
        [sodas.first],
        clock=SystemClock(),
        poll_s=10_000,
        watch={"watch_s": 0.2},
        mqtt=mqtt(broker),
    )
    # The broker keeps for the fleet's end what the device tells while that connects again.
    address = replace(broker.cloud_address("cloud.trainer"), keeps_session=True)
    with FleetLink(address, lambda: datetime.now(timezone.utc)) as link:
        link.require_connected(PATIENCE_S)
        fleet = Hearer(link)
        with device, at_work(device):
            wait_for(lambda: fleet.serves(1), "release 1")
            cloud.publish(sodas.more.path, everywhere=True)
            assert link.announce(CATEGORY, cloud.plan(CATEGORY).serial)
            wait_for(lambda: fleet.serves(2), "release 2")
            # Events that nobody can hear wait for the broker's return.
            broker.stop()
            cloud.sign(CATEGORY, stable=1)
            device.agent.hint()
            wait_for(lambda: device.release == 1, "release 1 again, without a broker")
            wait_for(lambda: len(device.events()) >= 5, "events to wait")
            broker.start()
            wait_for(lambda: fleet.serves(1), "the status after the broker came back")
            wait_for(lambda: device.events() == (), "the events to be told")
            assert fleet.is_online()
            assert fleet.status is not None and fleet.status.boot == 1
        wait_for(lambda: not fleet.is_online(), "the good-bye")
    told = [(event.release, event.state) for event in fleet.events if event.outcome is None]
    assert told.count((1, "watching")) >= 2 and (2, "watching") in told
    assert {event.outcome for event in fleet.events} == {None, "serving"}
    ids = [event.event_id for event in fleet.events]
    assert sorted(set(ids), key=ids.index) == sorted(set(ids), key=lambda i: int(i.split(":")[2]))


def test_a_device_that_dies_is_said_to_be_offline_by_its_last_will(
    broker: FleetBroker, cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    cloud.publish(sodas.first.path)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.edge.updates.test_report"])
    place = (tmp_path / "device", cloud.url, cloud.root, sodas.first.path, mqtt(broker))
    address = broker.cloud_address("cloud.trainer")
    with FleetLink(address, lambda: datetime.now(timezone.utc)) as link:
        link.require_connected(PATIENCE_S)
        fleet = Hearer(link)
        process = context.Process(target=_live_on, args=place)
        process.start()
        wait_for(fleet.is_online, "the device")
        process.kill()
        process.join()
        wait_for(lambda: not fleet.is_online(), "the last will")
        assert fleet.status is not None and fleet.status.device_id == "shelf-1"


def _live_on(
    folder: Path, url: str, root: bytes, bundle: Path, settings: dict[str, object]
) -> None:
    """A device's process that does not end by itself."""
    device = Device(folder, url, root, [open_bundle(bundle)], clock=SystemClock(), mqtt=settings)
    with at_work(device):
        threading.Event().wait()


def test_certificates_that_cannot_be_read_are_complained_about(
    broker: FleetBroker, cloud: Cloud, sodas: Sodas, tmp_path: Path
) -> None:
    settings = {**mqtt(broker), "key": str(tmp_path / "no.key")}
    with pytest.raises(ConfigError, match="certificates cannot be used"):
        Device(tmp_path / "d", cloud.url, cloud.root, [sodas.first], mqtt=settings)
    with pytest.raises(ValueError, match="belong together"):
        FleetBrokerSettings(host="h", ca=Path("ca"), key=Path("key"))
