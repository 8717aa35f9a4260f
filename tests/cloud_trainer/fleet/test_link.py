"""The cloud's connection over the deployed broker: what it keeps, and what does not end it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from cloud_trainer.errors import BrokerError
from cloud_trainer.fleet.link import BrokerAddress, FleetLink, NetworkLoop, Tls, make_client
from models.delivery import DeviceStatus, encode, status_topic, update_event_topic
from tests.simulators.fleet_broker import FleetBroker, NoMosquittoError

_PATIENCE_S = 15.0


def now() -> datetime:
    return datetime.now(timezone.utc)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[FleetBroker]:
    try:
        broker = FleetBroker(tmp_path)
    except NoMosquittoError as err:
        pytest.skip(str(err))
    broker.start()
    yield broker
    broker.kill()


def speak(broker: FleetBroker, name: str, *messages: tuple[str, bytes]) -> None:
    """A device connects, says something that stays, and leaves."""
    address = broker.device_address(broker.devices.issue(name), name)
    client, there = make_client(address), threading.Event()
    client.on_connect = lambda *_: there.set()
    loop = NetworkLoop(client, address)
    loop.start()
    assert there.wait(_PATIENCE_S)
    for topic, content in messages:
        client.publish(topic, content, 1, retain=True).wait_for_publish(_PATIENCE_S)
    loop.stop()


def status(name: str, boot: int = 1) -> tuple[str, bytes]:
    said = DeviceStatus(
        device_id=name, online=True, boot=boot, sent_at=now(), walkout_version="0.1.0"
    )
    return status_topic(name), encode(said)


def test_what_the_broker_kept_is_collected_and_marked_as_kept(broker: FleetBroker) -> None:
    for name in ("dev-1", "dev-2"):
        speak(broker, name, status(name))
    with FleetLink(broker.cloud_address("cloud.trainer"), now) as link:
        link.require_connected(_PATIENCE_S)
        link.collect(quiet_s=0.3)
        statuses, events = link.take()
    assert {heard.status.device_id for heard in statuses} == {"dev-1", "dev-2"}
    assert all(heard.retained for heard in statuses)
    assert events == ()


def test_nonsense_is_counted_and_left_and_the_next_message_is_heard(broker: FleetBroker) -> None:
    with FleetLink(broker.cloud_address("cloud.trainer"), now) as link:
        link.require_connected(_PATIENCE_S)
        topic, _ = status("dev-1")
        forged = encode(
            DeviceStatus(
                device_id="dev-2", online=True, boot=9, sent_at=now(), walkout_version="0.1.0"
            )
        )
        speak(
            broker,
            "dev-1",
            (topic, b"\xff\x00"),
            (topic, b'{"schema_version": 2}'),
            (topic, forged),  # a device speaks for another one on its own topic
            (update_event_topic("dev-1"), b"[]"),
            status("dev-1", boot=5),
        )
        link.wait(_PATIENCE_S)
        ((heard,), _) = link.take()
        assert (heard.status.device_id, heard.status.boot) == ("dev-1", 5)
        assert link.lost == 4


def test_an_error_of_ours_does_not_end_the_connection(
    broker: FleetBroker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with FleetLink(broker.cloud_address("cloud.trainer"), now) as link:
        link.require_connected(_PATIENCE_S)
        keep, broken = link._keep, threading.Event()

        def break_once(message: object) -> None:
            if not broken.is_set():
                broken.set()
                raise ZeroDivisionError
            keep(message)  # type: ignore[arg-type]

        monkeypatch.setattr(link, "_keep", break_once)
        speak(broker, "dev-1", status("dev-1"))
        assert broken.wait(_PATIENCE_S)
        link.require_connected(_PATIENCE_S)
        speak(broker, "dev-2", status("dev-2"))
        link.wait(_PATIENCE_S)
        assert "the connection to broker 127.0.0.1 broke" in caplog.text
        assert link.is_connected


def test_a_broker_that_comes_later_or_back_is_found(broker: FleetBroker) -> None:
    broker.kill()
    with FleetLink(broker.cloud_address("cloud.trainer"), now) as link:
        assert not link.announce("soda", 1, patience_s=0.1)
        with pytest.raises(BrokerError, match="does not let us hear the fleet"):
            link.require_connected(0.1)
        for _ in range(2):
            broker.start()
            link.require_connected(_PATIENCE_S)
            assert link.announce("soda", 1)
            broker.kill()
            until = threading.Event()
            while link.is_connected:
                until.wait(0.02)


def test_certificates_that_cannot_be_read_are_said_at_once(tmp_path: Path) -> None:
    tls = Tls(tmp_path / "nothing.crt")
    with pytest.raises(BrokerError, match="the certificates for broker.example cannot be used"):
        FleetLink(BrokerAddress("broker.example", 8884, tls=tls), now)
