"""The deployed broker: who gets in, and what each may say and hear. Real mosquitto, mutual TLS."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from paho.mqtt.client import Client

from cloud_trainer.fleet.link import BrokerAddress, FleetLink, NetworkLoop, Tls, make_client
from models.delivery import (
    DeviceStatus,
    announce_topic,
    command_topic,
    encode,
    status_topic,
    update_event_topic,
)
from tests.simulators.certificates import Authority
from tests.simulators.fleet_broker import FleetBroker, NoMosquittoError

_PATIENCE_S = 10.0
# Long enough for a message that is let through to have come: those take milliseconds here.
_SILENCE_S = 0.4


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetBroker]:
    try:
        broker = FleetBroker(tmp_path_factory.mktemp("broker"))
    except NoMosquittoError as err:
        pytest.skip(str(err))
    broker.devices.issue("stolen")
    broker.devices.revoke("stolen")
    broker.start()
    yield broker
    broker.kill()


@dataclass
class Peer:
    """Somebody at the broker."""

    client: Client
    heard: list[tuple[str, bytes]] = field(default_factory=list)
    connects: int = 0
    drops: int = 0
    refused: threading.Event = field(default_factory=threading.Event)
    subscribed: threading.Event = field(default_factory=threading.Event)

    def say(self, topic: str, content: bytes) -> None:
        until_s = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self.client.publish(topic, content, 1).wait_for_publish(_PATIENCE_S)
                return
            except RuntimeError:  # the connection is just being made again
                if time.monotonic() > until_s:
                    raise
                time.sleep(0.05)

    def wait_for(self, topic: str) -> bytes:
        until_s = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until_s:
            for heard, content in list(self.heard):
                if heard == topic:
                    return content
            time.sleep(0.01)
        pytest.fail(f"nothing came on {topic}")


@contextmanager
def peer(address: BrokerAddress, *topics: str, waits: bool = True) -> Iterator[Peer]:
    client = make_client(address)
    client.reconnect_delay_set(1, 1)
    found = Peer(client)

    def on_connect(*arguments: object) -> None:
        found.connects += 1
        client.subscribe([(topic, 1) for topic in topics or ("fleet/v1/announce/soda",)])

    def on_disconnect(*arguments: object) -> None:
        found.drops += 1
        found.refused.set()

    client.on_connect = on_connect
    client.on_connect_fail = lambda *_: found.refused.set()
    client.on_disconnect = on_disconnect
    client.on_subscribe = lambda *_: found.subscribed.set()
    client.on_message = lambda _client, _data, message: found.heard.append(
        (message.topic, bytes(message.payload))
    )
    loop = NetworkLoop(client, address)
    loop.start()
    try:
        if waits:
            assert found.subscribed.wait(_PATIENCE_S), "not let in"
        yield found
    finally:
        loop.stop()


def device(broker: FleetBroker, name: str) -> BrokerAddress:
    return broker.device_address(broker.devices.issue(name), name)


def status_of(name: str) -> bytes:
    status = DeviceStatus(
        device_id=name, online=True, boot=1, sent_at=utc_now(), walkout_version="0.1.0"
    )
    return encode(status)


EVERYTHING = ("fleet/v1/#", "walkout/#")


def test_a_device_speaks_for_itself_and_the_trainer_hears_it(broker: FleetBroker) -> None:
    with ExitStack() as stack:
        link = stack.enter_context(FleetLink(broker.cloud_address("cloud.trainer"), utc_now))
        link.require_connected(_PATIENCE_S)
        own = stack.enter_context(peer(device(broker, "dev-1"), command_topic("dev-1")))
        own.say(status_topic("dev-1"), status_of("dev-1"))
        link.wait(_PATIENCE_S)
        ((heard,), _) = link.take()
        assert heard.status.device_id == "dev-1"


@pytest.mark.parametrize(
    "topic",
    [
        status_topic("dev-2"),
        update_event_topic("dev-2"),
        announce_topic("soda"),
        command_topic("dev-1"),
        command_topic("dev-2"),
        "walkout/dev-2/receipts/s-1",
        "walkout/dev-1/ack/receipt.1",
        "fleet/v2/anything",
    ],
)
def test_a_device_can_say_nothing_that_is_not_its_own(broker: FleetBroker, topic: str) -> None:
    with ExitStack() as stack:
        ears = [
            stack.enter_context(peer(broker.cloud_address(name, f"{name}-ears"), *EVERYTHING))
            for name in ("cloud.trainer", "cloud.receiver")
        ]
        ears.append(stack.enter_context(peer(device(broker, "dev-2"), *EVERYTHING)))
        one = stack.enter_context(peer(device(broker, "dev-1")))
        one.say(topic, b"forged")
        # In order after the forged one on the same connection: when it came, that one would have.
        one.say(status_topic("dev-1"), b"own")
        ears[0].wait_for(status_topic("dev-1"))
        assert not [each for ear in ears for each in ear.heard if each[1] == b"forged"]


def test_a_device_hears_its_own_commands_and_answers_and_nobody_elses(broker: FleetBroker) -> None:
    with ExitStack() as stack:
        one = stack.enter_context(peer(device(broker, "dev-1"), *EVERYTHING))
        trainer = stack.enter_context(peer(broker.cloud_address("cloud.trainer", "t")))
        receiver = stack.enter_context(peer(broker.cloud_address("cloud.receiver", "r")))
        other = stack.enter_context(peer(device(broker, "dev-2")))
        other.say(status_topic("dev-2"), b"private")
        other.say("walkout/dev-2/receipts/s-1", b"private")
        receiver.say("walkout/dev-2/ack/receipt.1", b"private")
        receiver.say("walkout/dev-1/ack/receipt.1", b"kept")
        trainer.say(command_topic("dev-2"), b"private")
        trainer.say(announce_topic("soda"), b"news")
        trainer.say(command_topic("dev-1"), b"look")
        assert one.wait_for(command_topic("dev-1")) == b"look"
        assert one.wait_for(announce_topic("soda")) == b"news"
        assert one.wait_for("walkout/dev-1/ack/receipt.1") == b"kept"
        assert not [each for each in one.heard if each[1] == b"private"]


def test_the_receiver_cannot_announce_and_the_trainer_cannot_answer_for_it(
    broker: FleetBroker,
) -> None:
    with ExitStack() as stack:
        one = stack.enter_context(peer(device(broker, "dev-1"), *EVERYTHING))
        receiver = stack.enter_context(peer(broker.cloud_address("cloud.receiver", "r")))
        trainer = stack.enter_context(peer(broker.cloud_address("cloud.trainer", "t")))
        receiver.say(announce_topic("soda"), b"forged")
        receiver.say(command_topic("dev-1"), b"forged")
        receiver.say("walkout/dev-1/ack/receipt.0", b"last of the receiver")
        trainer.say("walkout/dev-1/ack/receipt.1", b"forged")
        trainer.say(command_topic("dev-1"), b"last of the trainer")
        one.wait_for("walkout/dev-1/ack/receipt.0")
        one.wait_for(command_topic("dev-1"))
        assert not [each for each in one.heard if each[1] == b"forged"]


def test_a_client_id_of_another_device_is_not_taken_over(broker: FleetBroker) -> None:
    with peer(device(broker, "dev-1")) as victim:
        robber = broker.device_address(broker.devices.issue("dev-2"), "dev-1")
        with peer(robber):
            time.sleep(_SILENCE_S)
        assert (victim.connects, victim.drops) == (1, 0)


def test_two_devices_of_one_identity_drive_each_other_out(broker: FleetBroker) -> None:
    with peer(device(broker, "dev-1")) as first, peer(device(broker, "dev-1")):
        assert first.refused.wait(_PATIENCE_S)


def test_nobody_gets_in_without_a_certificate_of_the_right_authority(
    broker: FleetBroker, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path / "foreign").issue("dev-1")
    cloud_side = broker.cloud.issue("dev-1")
    as_trainer = broker.device_address(broker.devices.issue("cloud.trainer"))
    addresses = (
        broker.device_address(Tls()),
        broker.device_address(broker.devices.files_of("stolen")),
        broker.device_address(foreign),
        broker.device_address(cloud_side),
        replace(as_trainer, port=broker.cloud_port),
    )
    with ExitStack() as stack:
        strangers = [stack.enter_context(peer(each, waits=False)) for each in addresses]
        for stranger in strangers:
            assert stranger.refused.wait(_PATIENCE_S)
            assert not stranger.connects


def test_speaking_in_the_clear_is_not_answered(broker: FleetBroker) -> None:
    address = BrokerAddress("127.0.0.1", broker.device_port, "dev-1")
    with peer(address, waits=False) as stranger:
        assert stranger.refused.wait(_PATIENCE_S)
        assert not stranger.connects
