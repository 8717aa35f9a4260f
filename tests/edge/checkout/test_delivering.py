from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from edge.checkout.delivering import ACKNOWLEDGED, Backoff, Delivery, Outcome
from edge.checkout.ledger import Ledger
from edge.checkout.message import OutgoingMessage
from edge.checkout.outbox import Outbox, OutboxCounts
from edge.errors import CheckoutError
from tests.edge.checkout.shopping import Clock, open_ledger
from tests.edge.checkout.test_ledger import opened

DOWN = Outcome("unavailable", "connection refused")


class Recipient:
    """A courier to somebody who answers as told, and who notes what arrived."""

    def __init__(self) -> None:
        self.answers: dict[str, Outcome] = {}
        self.heard: list[str] = []

    def deliver(self, messages: Sequence[OutgoingMessage]) -> Mapping[str, Outcome]:
        self.heard += [message.message_id for message in messages]
        return {m.message_id: self.answers.get(m.message_id, ACKNOWLEDGED) for m in messages}


def enqueue(ledger: Ledger, *names: str) -> None:
    """Messages such as ``a-1``: the first of stream ``a``."""
    messages = [OutgoingMessage(name, "till", name.split("-")[0], "/p", "{}") for name in names]
    ledger.append([opened(f"cause of {names}")], messages)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recipient() -> Recipient:
    return Recipient()


@pytest.fixture
def delivery(ledger: Ledger, recipient: Recipient, clock: Clock) -> Delivery:
    return Delivery(
        Outbox(ledger.file),
        "till",
        recipient,
        monotonic_s=clock,
        wall_time_s=lambda: 1000.0,
        jitter=lambda: 1.0,
        backoff=Backoff(first_s=1.0, longest_s=4.0),
    )


def drain(delivery: Delivery) -> None:
    while delivery.deliver_due():
        pass


def test_messages_of_a_session_arrive_in_order_and_sessions_side_by_side(
    ledger: Ledger, delivery: Delivery, recipient: Recipient
) -> None:
    enqueue(ledger, "a-1", "a-2", "b-1", "a-3")
    drain(delivery)
    assert recipient.heard == ["a-1", "b-1", "a-2", "a-3"]
    assert Outbox(ledger.file).counts("till") == OutboxCounts(0, 4, 0)


def test_what_is_not_acknowledged_holds_up_its_session_alone(
    ledger: Ledger, delivery: Delivery, recipient: Recipient
) -> None:
    enqueue(ledger, "a-1", "a-2", "b-1")
    recipient.answers["a-1"] = DOWN
    drain(delivery)
    assert recipient.heard == ["a-1", "b-1"]
    assert Outbox(ledger.file).counts("till") == OutboxCounts(2, 1, 0)
    assert delivery.last_failures == {"a-1": "connection refused"}


def test_waits_double_up_to_the_longest(
    ledger: Ledger, delivery: Delivery, recipient: Recipient, clock: Clock
) -> None:
    enqueue(ledger, "a-1")
    recipient.answers["a-1"] = DOWN
    tried_at_s = []
    for tenth in range(200):
        clock.now_s = tenth / 10
        before = len(recipient.heard)
        delivery.deliver_due()
        if len(recipient.heard) > before:
            tried_at_s.append(clock.now_s)
    assert tried_at_s == [0.0, 1.0, 3.0, 7.0, 11.0, 15.0, 19.0]


def test_jitter_takes_up_to_half_of_a_wait() -> None:
    backoff = Backoff(first_s=1.0, longest_s=60.0)
    assert backoff.wait_s(3, 0.0) == 2.0
    assert backoff.wait_s(3, 1.0) == 4.0
    assert backoff.wait_s(5000, 1.0) == 60.0


def test_a_receiver_that_asks_for_time_gets_it(
    ledger: Ledger, delivery: Delivery, recipient: Recipient, clock: Clock
) -> None:
    enqueue(ledger, "a-1")
    recipient.answers["a-1"] = Outcome("unavailable", "too many", retry_after_s=30.0)
    for clock.now_s in (0.0, 29.9, 30.0):
        delivery.deliver_due()
    assert recipient.heard == ["a-1", "a-1"]


def test_what_is_refused_is_parked_with_its_reason_and_the_rest_goes_on(
    ledger: Ledger, delivery: Delivery, recipient: Recipient
) -> None:
    enqueue(ledger, "a-1", "a-2", "b-1")
    recipient.answers["a-1"] = Outcome("refused", "400 Bad Request: unknown SKU")
    drain(delivery)
    outbox = Outbox(ledger.file)
    assert recipient.heard == ["a-1", "b-1", "a-2"]
    (parked,) = outbox.parked()
    assert (parked.message.message_id, parked.reason, parked.parked_at_s) == (
        "a-1",
        "400 Bad Request: unknown SKU",
        1000.0,
    )
    del recipient.answers["a-1"]
    outbox.send_again("a-1")
    drain(delivery)
    assert recipient.heard[-1] == "a-1"
    assert outbox.counts("till") == OutboxCounts(0, 3, 0)


def test_only_what_is_parked_can_be_sent_again(ledger: Ledger) -> None:
    enqueue(ledger, "a-1")
    with pytest.raises(CheckoutError, match="no message a-1 is parked"):
        Outbox(ledger.file).send_again("a-1")


def test_what_waits_is_sent_after_a_restart(tmp_path: Path, recipient: Recipient) -> None:
    with open_ledger(tmp_path) as ledger:
        enqueue(ledger, "a-1", "a-2")
        Outbox(ledger.file).acknowledge("a-1", 1.0)
    with open_ledger(tmp_path) as ledger:
        names = [message.message_id for message in Outbox(ledger.file).next_messages("till")]
    assert names == ["a-2"]


def test_what_was_acknowledged_can_be_forgotten_and_what_waits_cannot(
    ledger: Ledger, delivery: Delivery, recipient: Recipient
) -> None:
    enqueue(ledger, "a-1", "b-1")
    recipient.answers["b-1"] = DOWN
    drain(delivery)
    outbox = Outbox(ledger.file)
    assert outbox.forget_acknowledged(1000.0) == 0
    assert outbox.forget_acknowledged(1000.1) == 1
    assert outbox.counts("till") == OutboxCounts(1, 0, 0)


def test_a_running_delivery_takes_what_comes_and_stops_when_told(
    ledger: Ledger, delivery: Delivery
) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=delivery.run, args=(stop,))
    thread.start()
    enqueue(ledger, "a-1")
    waiting = threading.Event()
    while Outbox(ledger.file).counts("till").waiting:
        waiting.wait(0.01)
    stop.set()
    thread.join(10.0)
    assert not thread.is_alive()


def test_a_delivery_outlives_an_outbox_that_cannot_be_written(
    tmp_path: Path, recipient: Recipient, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = open_ledger(tmp_path)
    enqueue(ledger, "a-1")
    ledger.file._connection.execute("PRAGMA query_only = ON")
    delivery = Delivery(
        Outbox(ledger.file),
        "till",
        recipient,
        monotonic_s=clock,
        wall_time_s=lambda: 0.0,
        jitter=lambda: 0.0,
        backoff=Backoff(first_s=0.02),
    )
    stop = threading.Event()
    thread = threading.Thread(target=delivery.run, args=(stop,))
    thread.start()
    waiting = threading.Event()
    while not recipient.heard:
        waiting.wait(0.01)
    ledger.file._connection.execute("PRAGMA query_only = OFF")
    while Outbox(ledger.file).counts("till").waiting:
        waiting.wait(0.01)
    stop.set()
    thread.join(10.0)
    ledger.close()
    assert recipient.heard[-1] == "a-1"
    assert "is not usable now" in caplog.text
