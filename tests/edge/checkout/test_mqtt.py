from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from edge.checkout.basket import Attribution
from edge.checkout.delivering import ACKNOWLEDGED, Backoff, Delivery
from edge.checkout.desk import Desk
from edge.checkout.ledger import Ledger
from edge.checkout.message import OutgoingMessage
from edge.checkout.mqtt import MqttCourier
from edge.checkout.outbox import Outbox
from edge.checkout.receipt import Receipt
from edge.errors import DeliveryError
from edge.link.connection import Broker
from models.delivery import MAX_MESSAGE_BYTES
from tests.edge.checkout.brokers import Mosquitto, Subscriber, wait_for
from tests.edge.checkout.processes import forkserver
from tests.edge.checkout.shopping import OPENED_AT_S, Clock, check_in, event, moment, open_desk

PREFIX = "walkout/demo"
HELLO = OutgoingMessage("hello", "mqtt", "s", "receipts/s", '{"message_id":"hello"}')


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def subscriber(mosquitto: Mosquitto) -> Iterator[Subscriber]:
    with Subscriber(mosquitto.port, PREFIX) as subscriber:
        yield subscriber


def address(mosquitto: Mosquitto, within_s: float = 5.0) -> Broker:
    return Broker(
        "127.0.0.1",
        mosquitto.port,
        client_id="device",
        prefix=PREFIX,
        acknowledged_within_s=within_s,
    )


@pytest.fixture
def courier(mosquitto: Mosquitto, subscriber: Subscriber) -> Iterator[MqttCourier]:
    """A courier that is connected, and a subscriber that knows."""
    with MqttCourier(address(mosquitto)) as courier:
        wait_for(lambda: subscriber.availability() == ["online"], "the device to be online")
        yield courier


def delivery_of(ledger: Ledger, courier: MqttCourier, clock: Clock) -> Delivery:
    return Delivery(
        Outbox(ledger.file),
        "mqtt",
        courier,
        monotonic_s=clock,
        wall_time_s=lambda: 0.0,
        jitter=lambda: 0.0,
        backoff=Backoff(1.0, 1.0),
    )


@pytest.fixture
def day(ledger: Ledger) -> Desk:
    """Anna took a milk and left; Ben, whose name means something in topics, came."""
    desk = open_desk(ledger, ["mqtt"])
    check_in(desk, "anna")
    desk.record(event("e1"), Attribution(("anna",), ""), wall_time_s=OPENED_AT_S + 10)
    desk.leave("anna", at=moment(30))
    check_in(desk, "ben/+#")
    return desk


def test_subscribers_hear_baskets_and_receipts_and_the_outbox_empties(
    ledger: Ledger, courier: MqttCourier, subscriber: Subscriber, day: Desk
) -> None:
    delivery = delivery_of(ledger, courier, Clock())
    while delivery.deliver_due():
        pass
    counts = Outbox(ledger.file).counts("mqtt")
    assert (counts.waiting, counts.parked) == (0, 0)
    topics = [topic for topic, _ in subscriber.heard if not topic.endswith("available")]
    assert [topic for topic in topics if "anna" in topic] == [
        f"{PREFIX}/baskets/anna",
        f"{PREFIX}/baskets/anna",
        f"{PREFIX}/receipts/anna",
    ]
    assert f"{PREFIX}/baskets/ben%2F%2B%23" in topics
    (receipt,) = [body["receipt"] for body in subscriber.bodies() if body["type"] == "receipt"]
    assert Receipt.model_validate(receipt) == day.shop.latest_receipt("anna")


def test_what_the_broker_has_and_nobody_acknowledged_stays_in_the_outbox(
    ledger: Ledger, mosquitto: Mosquitto, subscriber: Subscriber, day: Desk
) -> None:
    subscriber.answer = lambda body: None
    clock = Clock()
    with MqttCourier(address(mosquitto, within_s=0.2)) as courier:
        wait_for(lambda: subscriber.availability() == ["online"], "the device to be online")
        delivery = delivery_of(ledger, courier, clock)
        assert delivery.deliver_due() == 0
        assert set(delivery.last_failures.values()) == {"the receiver has not answered"}
        wait_for(lambda: len(subscriber.bodies()) == 2, "both messages at the subscriber")
        subscriber.answer = lambda body: '{"status": "accepted"}'
        clock.now_s = 10.0
        assert delivery.deliver_due() == 2
    first, *_, again = [b["message_id"] for b in subscriber.bodies() if "anna" in b["message_id"]]
    assert first == again


def test_what_the_receiver_refuses_is_parked_and_the_rest_goes_on(
    ledger: Ledger, courier: MqttCourier, subscriber: Subscriber, day: Desk
) -> None:
    subscriber.answer = lambda body: (
        '{"status": "refused", "reason": "no such account"}' if body["type"] == "receipt" else ""
    )
    delivery = delivery_of(ledger, courier, Clock())
    while delivery.deliver_due():
        pass
    (parked,) = Outbox(ledger.file).parked()
    assert (parked.message.message_id, parked.reason) == ("receipt.anna-r1", "no such account")
    assert Outbox(ledger.file).counts("mqtt").waiting == 0


@pytest.mark.parametrize("answer", ["yes", "[1]", '{"status": "perhaps"}'])
def test_an_answer_that_is_none_acknowledges_nothing(
    courier: MqttCourier, subscriber: Subscriber, answer: str
) -> None:
    subscriber.answer = lambda body: answer
    outcome = courier.deliver([HELLO])["hello"]
    assert outcome.kind == "unavailable"
    assert "not an answer" in outcome.reason


def test_a_broker_that_was_killed_is_found_again(
    mosquitto: Mosquitto, courier: MqttCourier, subscriber: Subscriber
) -> None:
    mosquitto.kill()
    wait_for(
        lambda: courier.deliver([HELLO])["hello"].reason == "the broker is not connected",
        "the loss to be noticed",
    )
    subscriber.heard.clear()
    mosquitto.start()
    wait_for(lambda: courier.deliver([HELLO])["hello"].kind == "acknowledged", "an answer")
    assert subscriber.heard


def test_a_broker_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path)
    with MqttCourier(address(mosquitto)) as courier:
        assert courier.deliver([HELLO])["hello"].kind == "unavailable"
        mosquitto.start()
        try:
            with Subscriber(mosquitto.port, PREFIX):
                wait_for(
                    lambda: courier.deliver([HELLO])["hello"].kind == "acknowledged", "an answer"
                )
        finally:
            mosquitto.kill()


def stay_connected(broker: Broker, until: Connection) -> None:
    with MqttCourier(broker):
        until.recv()


def test_a_device_that_dies_is_known_to_be_offline_and_one_that_stops_says_so(
    mosquitto: Mosquitto, subscriber: Subscriber
) -> None:
    context = forkserver()
    for kill in (True, False):
        subscriber.heard.clear()
        hear, tell = context.Pipe(duplex=False)
        process = context.Process(target=stay_connected, args=(address(mosquitto), hear))
        process.start()
        wait_for(lambda: "online" in subscriber.availability(), "the device to be online")
        if kill:
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        else:
            tell.send("stop")
        wait_for(lambda: subscriber.availability()[-1] == "offline", "the device to be offline")
        process.join(20.0)
        assert process.exitcode == (-signal.SIGKILL if kill else 0)
        process.close()
        hear.close()
        tell.close()


@pytest.mark.parametrize("prefix", ["", "walkout/", "shops/+", "a#"])
def test_a_prefix_that_cannot_begin_a_topic_is_refused(prefix: str) -> None:
    with pytest.raises(DeliveryError, match="cannot begin MQTT topics"):
        MqttCourier(Broker("127.0.0.1", prefix=prefix))


def test_a_message_that_no_broker_takes_is_refused_and_holds_nothing_up(
    courier: MqttCourier,
) -> None:
    large = OutgoingMessage("large", "mqtt", "s", "receipts/s", "x" * (MAX_MESSAGE_BYTES + 1))
    outcomes = courier.deliver([large, HELLO])
    assert outcomes["large"].kind == "refused"
    assert outcomes["hello"] == ACKNOWLEDGED
