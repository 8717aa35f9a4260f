"""Receipts and baskets for subscribers over MQTT, each acknowledged by the one it is meant for.

Owns the broker connection, the topics below a prefix, and what counts as acknowledgement. A
broker's PUBACK says that the broker has a message, not that anybody has read it, so the receiver
answers on ``<prefix>/ack/<message id>``: with an empty payload or ``{"status": "accepted"}`` when
it has the message, with ``{"status": "refused", "reason": "..."}`` when it will never take it.

Topics::

    <prefix>/available           online | offline, retained; offline is the last will
    <prefix>/receipts/<session>  every version of a receipt
    <prefix>/baskets/<session>   the basket while the session goes on
    <prefix>/ack/<message id>    the receiver's answer
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from time import monotonic
from types import TracebackType

from edge.checkout.delivering import ACKNOWLEDGED, Outcome
from edge.checkout.message import OutgoingMessage
from edge.errors import DeliveryError
from edge.link.connection import Broker, Connection, LastWord
from models.delivery import MAX_MESSAGE_BYTES


class MqttCourier:
    """Takes messages to subscribers over MQTT; a context manager that connects by itself.

    A broker that is not there yet, or goes away, is connected to again in the background; until
    then messages are ``unavailable``.

    Args:
        broker: The broker.

    Raises:
        DeliveryError: The prefix cannot begin a topic.
    """

    def __init__(self, broker: Broker) -> None:
        if not broker.prefix or set(broker.prefix) & set("+#\0") or broker.prefix.endswith("/"):
            raise DeliveryError(
                f"{broker.prefix!r} cannot begin MQTT topics; write a word such as walkout/shop-1"
            )
        self._broker = broker
        self._acks = f"{broker.prefix}/ack/"
        self._available = f"{broker.prefix}/available"
        self._answers: dict[str, Outcome] = {}
        self._awaited: frozenset[str] = frozenset()
        self._answered = threading.Condition()
        self._connected = False
        self._connection = Connection(
            broker,
            [f"{self._acks}#"],
            self._on_answer,
            on_change=self._on_change,
            last_word=LastWord(self._available, lambda: b"offline"),
        )

    def __enter__(self) -> MqttCourier:
        self._connection.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._connection.__exit__(kind, error, traceback)

    def deliver(self, messages: Sequence[OutgoingMessage]) -> Mapping[str, Outcome]:
        """Publish all messages, then wait for the answers; see ``delivering.Courier``."""
        names = frozenset(message.message_id for message in messages)
        with self._answered:
            if not self._connected:
                return dict.fromkeys(names, Outcome("unavailable", "the broker is not connected"))
            self._answers.clear()
            self._awaited = names
        for message in messages:
            outcome = self._publish(message)
            if outcome is not None:
                with self._answered:
                    self._answers[message.message_id] = outcome
        until_s = monotonic() + self._broker.acknowledged_within_s
        with self._answered:
            self._answered.wait_for(
                lambda: not self._connected or names <= self._answers.keys(),
                timeout=until_s - monotonic(),
            )
            self._awaited = frozenset()
            silent = Outcome("unavailable", "the receiver has not answered")
            return {name: self._answers.get(name, silent) for name in names}

    def _publish(self, message: OutgoingMessage) -> Outcome | None:
        """Send a message; says what became of one that cannot be sent."""
        if len(message.body.encode()) > MAX_MESSAGE_BYTES:
            # The broker would hang up, and the same message would be sent again for ever.
            return Outcome("refused", f"over {MAX_MESSAGE_BYTES} bytes, which no broker takes")
        topic = f"{self._broker.prefix}/{message.address}"
        problem = self._connection.publish(topic, message.body).problem
        return None if problem is None else Outcome("unavailable", problem)

    def _on_change(self, ready: bool) -> None:
        if ready:
            self._connection.publish(self._available, "online", retain=True)
        with self._answered:
            self._connected = ready
            self._answered.notify_all()

    def _on_answer(self, topic: str, payload: bytes) -> None:
        name = topic[len(self._acks) :]
        with self._answered:
            if name in self._awaited:
                self._answers[name] = _meaning(payload)
                self._answered.notify_all()


def _meaning(payload: bytes) -> Outcome:
    if not payload.strip():
        return ACKNOWLEDGED
    try:
        answer = json.loads(payload)
    except ValueError:
        answer = None
    status = answer.get("status") if isinstance(answer, dict) else None
    if status == "accepted":
        return ACKNOWLEDGED
    if status == "refused":
        return Outcome("refused", str(answer.get("reason", "no reason was given")))
    return Outcome("unavailable", f"not an answer: {payload[:200]!r}")
