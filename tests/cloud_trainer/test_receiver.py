from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt.client import Client, MQTTMessage

from cloud_trainer.errors import BrokerError, RecordError
from cloud_trainer.fleet.link import BrokerAddress, NetworkLoop, make_client
from cloud_trainer.receiver import ReceivedCounts, ReceivedMessages, Receiver
from edge.checkout.basket import Attribution
from edge.checkout.delivering import ACKNOWLEDGED
from edge.checkout.message import OutgoingMessage
from edge.checkout.mqtt import MqttCourier
from edge.checkout.outbox import Outbox
from edge.config import BrokerSettings
from edge.shop.couriers import broker_of
from models.delivery import MAX_MESSAGE_BYTES, DeliveryFormatError
from models.delivery_receipts import (
    Delivered,
    RefusedDeliveryError,
    acceptance,
    answer_topic,
    parse_delivery,
)
from tests.cloud_trainer.under_fire import under_fire
from tests.edge.checkout.shopping import (
    OPENED_AT_S,
    check_in,
    event,
    moment,
    open_desk,
    open_ledger,
)
from tests.simulators.fleet_broker import FleetBroker, NoMosquittoError

TOPIC = "walkout/dev-1/receipts/anna"
_PATIENCE_S = 15.0


def envelope(
    name: str = "receipt.1", total: str = "2.49", changes: dict[str, object] | None = None
) -> bytes:
    document = {"schema_version": 1, "message_id": name, "type": "receipt"}
    return json.dumps(document | {"receipt": {"total": total}} | (changes or {})).encode()


def delivered(name: str = "receipt.1", total: str = "2.49", topic: str = TOPIC) -> Delivered:
    return parse_delivery(topic, envelope(name, total))


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[ReceivedMessages]:
    kept = ReceivedMessages(tmp_path / "receipts.sqlite")
    yield kept
    kept.close()


def test_a_message_that_comes_again_is_kept_once_and_accepted_again(kept: ReceivedMessages) -> None:
    first = kept.keep([delivered(), delivered("receipt.2")], 1.0)
    again = kept.keep([delivered(), delivered()], 2.0)
    assert {answer.content for answer in (*first, *again)} == {acceptance()}
    assert again[0].topic == "walkout/dev-1/ack/receipt.1"
    assert kept.counts() == ReceivedCounts(messages=2, repeats=2)
    assert list(kept.bodies("walkout/dev-1", "receipt")) == ["receipt.1", "receipt.2"]


def test_an_id_that_comes_with_something_else_is_refused_and_the_first_word_stays(
    kept: ReceivedMessages,
) -> None:
    kept.keep([delivered()], 1.0)
    (answer,) = kept.keep([delivered(total="9.99")], 2.0)
    assert json.loads(answer.content)["status"] == "refused"
    assert kept.bodies("walkout/dev-1", "receipt")["receipt.1"] == delivered().body


def test_two_shops_may_use_the_same_id(kept: ReceivedMessages) -> None:
    kept.keep([delivered(), delivered(topic="walkout/dev-2/receipts/anna")], 1.0)
    assert kept.counts() == ReceivedCounts(2, 0)
    assert kept.counts("walkout/dev-2") == ReceivedCounts(1, 0)


def test_what_cannot_be_written_is_not_answered(kept: ReceivedMessages) -> None:
    kept.file._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(RecordError, match="cannot be read or written"):
        kept.keep([delivered()], 1.0)
    kept.file._connection.execute("PRAGMA query_only = OFF")
    assert kept.counts() == ReceivedCounts(0, 0)


@pytest.mark.parametrize(
    "payload",
    [b"", b"[]", b"{", b'{"message_id": 7}', envelope("a/b"), envelope("#"), envelope("x" * 401)],
)
def test_what_has_no_usable_id_cannot_even_be_refused(payload: bytes) -> None:
    with pytest.raises(DeliveryFormatError) as caught:
        parse_delivery(TOPIC, payload)
    assert not isinstance(caught.value, RefusedDeliveryError)


@pytest.mark.parametrize(
    "changes", [{"schema_version": 2}, {"type": "basket"}, {"receipt": "none"}, {"type": None}]
)
def test_what_has_an_id_and_says_nonsense_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(RefusedDeliveryError) as caught:
        parse_delivery(TOPIC, envelope(changes=changes))
    assert (caught.value.prefix, caught.value.message_id) == ("walkout/dev-1", "receipt.1")


@pytest.mark.parametrize("topic", ["receipts/anna", "walkout/dev-1/ack/x", "a//receipts/", "x"])
def test_other_topics_are_none_of_its_business(topic: str) -> None:
    with pytest.raises(DeliveryFormatError):
        parse_delivery(topic, envelope())


def test_too_large_and_not_utf8_is_left() -> None:
    with pytest.raises(DeliveryFormatError, match="are not read"):
        parse_delivery(TOPIC, envelope(total="9" * MAX_MESSAGE_BYTES))
    with pytest.raises(DeliveryFormatError, match="no JSON"):
        parse_delivery(TOPIC, envelope().decode().encode("utf-16"))


def test_what_a_shop_writes_the_receiver_reads_whatever_sessions_are_called(
    tmp_path: Path, kept: ReceivedMessages
) -> None:
    name = "ben/+#%"
    with open_ledger(tmp_path) as ledger:
        desk = open_desk(ledger, ["mqtt"])
        check_in(desk, name)
        desk.record(event("e1"), Attribution((name,), ""), wall_time_s=OPENED_AT_S + 10)
        desk.leave(name, at=moment(30))
        outbox = Outbox(ledger.file)
        while waiting := outbox.next_messages("mqtt"):
            for each in waiting:
                message = parse_delivery(f"walkout/dev-1/{each.address}", each.body.encode())
                assert message.message_id == each.message_id
                kept.keep([message], 1.0)
                outbox.acknowledge(each.message_id, 1.0)
    assert len(kept.bodies("walkout/dev-1", "receipt")) == 1
    assert len(kept.bodies("walkout/dev-1", "basket")) == 2


@contextmanager
def shop(broker: FleetBroker, name: str) -> Iterator[tuple[Client, dict[str, bytes]]]:
    """A shop's connection, and the answers that it heard."""
    address = broker.device_address(broker.devices.issue(name), name)
    client, answers, ready = make_client(address), dict[str, bytes](), threading.Event()

    def on_message(client: Client, userdata: object, message: MQTTMessage) -> None:
        answers[message.topic.rsplit("/", 1)[1]] = bytes(message.payload)

    def on_connect(*arguments: object) -> None:
        client.subscribe(answer_topic(f"walkout/{name}", "+"), 1)

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = on_message
    loop = NetworkLoop(client, address)
    loop.start()
    assert ready.wait(_PATIENCE_S)
    yield client, answers
    loop.stop()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[FleetBroker]:
    try:
        broker = FleetBroker(tmp_path)
    except NoMosquittoError as err:
        pytest.skip(str(err))
    broker.start()
    yield broker
    broker.kill()


def test_over_the_deployed_broker_shops_are_answered_and_nonsense_stops_nobody(
    broker: FleetBroker, kept: ReceivedMessages
) -> None:
    address = broker.cloud_address("cloud.receiver")
    receiver = Receiver(kept, address, "walkout/+", lambda: 1.0)
    stop = threading.Event()
    thread = threading.Thread(target=receiver.run, args=(stop,))
    thread.start()
    try:
        with shop(broker, "dev-1") as (client, answers):
            until_s = time.monotonic() + _PATIENCE_S
            while not (len(answers) == 2 and receiver.left) and time.monotonic() < until_s:
                # Sent again until answered, as a shop does: the receiver may not listen yet.
                client.publish(TOPIC, b"\xff nonsense", 1)
                client.publish(TOPIC, envelope("receipt.0", changes={"type": "basket"}), 1)
                client.publish(TOPIC, envelope(), 1)
                time.sleep(0.1)
            assert answers["receipt.1"] == acceptance()
            assert json.loads(answers["receipt.0"])["status"] == "refused"
    finally:
        stop.set()
        thread.join()
    assert receiver.left >= 1
    assert list(kept.bodies("walkout/dev-1", "receipt")) == ["receipt.1"]


def test_a_checkout_with_its_certificate_delivers_through_the_deployed_broker(
    broker: FleetBroker, kept: ReceivedMessages
) -> None:
    own = broker.devices.issue("shelf-7-till")
    settings = BrokerSettings(
        host="127.0.0.1",
        port=broker.device_port,
        tls=True,
        ca=Path(broker.devices.certificate.name),
        certificate=own.certificate,
        key=own.key,
    )
    folder = broker.devices.certificate.parent
    checkout = broker_of(
        settings, {}, folder, client_id="shelf-7-till", prefix="walkout/shelf-7-till"
    )
    receiver = Receiver(kept, broker.cloud_address("cloud.receiver"), "walkout/+", lambda: 1.0)
    stop = threading.Event()
    thread = threading.Thread(target=receiver.run, args=(stop,))
    thread.start()
    message = OutgoingMessage("receipt.1", "mqtt", "anna", "receipts/anna", envelope().decode())
    try:
        with MqttCourier(checkout) as courier:
            until_s = time.monotonic() + _PATIENCE_S
            while courier.deliver([message])["receipt.1"] != ACKNOWLEDGED:
                assert time.monotonic() < until_s, "never acknowledged"
                time.sleep(0.1)
    finally:
        stop.set()
        thread.join()
    assert list(kept.bodies("walkout/shelf-7-till", "receipt")) == ["receipt.1"]


@pytest.mark.parametrize("prefix", ["", "walkout/", "#"])
def test_a_prefix_that_begins_no_topic_is_refused(kept: ReceivedMessages, prefix: str) -> None:
    with pytest.raises(BrokerError, match="begins no topic"):
        Receiver(kept, BrokerAddress("127.0.0.1", 1), prefix, time.time)


def test_whatever_is_killed_nothing_is_lost_and_nothing_counted_twice(tmp_path: Path) -> None:
    fire = under_fire(tmp_path, 600, shops=2, seed=1, every_s=0.7)
    assert (fire.kept, fire.sent) == (600, 600)
    assert (fire.lost, fire.wrong) == (0, 0)
    assert fire.total == fire.expected
    assert sum(fire.kills.values()) >= 3
