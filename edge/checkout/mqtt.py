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

import contextlib
import json
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Final

from paho.mqtt.client import (
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.checkout.delivering import ACKNOWLEDGED, Outcome
from edge.checkout.message import OutgoingMessage
from edge.errors import DeliveryError

_LOGGER = logging.getLogger(__name__)
_QOS: Final = 1
_RECONNECT_S: Final = (1, 30)
ONLINE: Final = "online"
OFFLINE: Final = "offline"


@dataclass(frozen=True)
class Broker:
    """Where the broker listens and how it is spoken to.

    Attributes:
        host: Its name or address.
        port: Its port.
        client_id: The device's name at the broker; two clients of one name drive each other out.
        prefix: What all topics begin with.
        username: ``None`` connects without one.
        password: For the user name.
        tls: Whether the connection is encrypted, with the system's certificates.
        acknowledged_within_s: How long a receiver may take to answer.
    """

    host: str
    port: int = 1883
    client_id: str = "walkout"
    prefix: str = "walkout"
    username: str | None = None
    password: str | None = None
    tls: bool = False
    acknowledged_within_s: float = 5.0


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
        self._available = f"{broker.prefix}/available"
        self._acks = f"{broker.prefix}/ack/"
        self._answers: dict[str, Outcome] = {}
        self._awaited: frozenset[str] = frozenset()
        self._answered = threading.Condition()
        self._connected = False
        self._client = self._make_client()

    def __enter__(self) -> MqttCourier:
        self._client.connect_async(self._broker.host, self._broker.port, keepalive=30)
        self._client.loop_start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connected:
            # The last will is for those who do not say good-bye; where the broker has gone in the
            # meantime, it speaks for us after all.
            good_bye = self._client.publish(self._available, OFFLINE, _QOS, retain=True)
            with contextlib.suppress(RuntimeError):
                good_bye.wait_for_publish(1.0)
        self._client.disconnect()
        self._client.loop_stop()

    def deliver(self, messages: Sequence[OutgoingMessage]) -> Mapping[str, Outcome]:
        """Publish all messages, then wait for the answers; see ``delivering.Courier``."""
        names = frozenset(message.message_id for message in messages)
        with self._answered:
            if not self._connected:
                return dict.fromkeys(names, Outcome("unavailable", "the broker is not connected"))
            self._answers.clear()
            self._awaited = names
        for message in messages:
            topic = f"{self._broker.prefix}/{message.address}"
            sent = self._client.publish(topic, message.body, _QOS)
            if sent.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
                with self._answered:
                    self._answers[message.message_id] = Outcome("unavailable", str(sent.rc))
        until_s = monotonic() + self._broker.acknowledged_within_s
        with self._answered:
            self._answered.wait_for(
                lambda: not self._connected or names <= self._answers.keys(),
                timeout=until_s - monotonic(),
            )
            self._awaited = frozenset()
            silent = Outcome("unavailable", "the receiver has not answered")
            return {name: self._answers.get(name, silent) for name in names}

    def _make_client(self) -> Client:
        broker = self._broker
        client = Client(CallbackAPIVersion.VERSION2, client_id=broker.client_id)
        client.will_set(self._available, OFFLINE, _QOS, retain=True)
        client.reconnect_delay_set(*_RECONNECT_S)
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            client.tls_set()
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_answer
        client.on_subscribe = self._on_subscribe
        return client

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            _LOGGER.error("broker %s refused the connection: %s", self._broker.host, reason)
            return
        client.subscribe(f"{self._acks}#", _QOS)

    def _on_subscribe(
        self,
        client: Client,
        userdata: object,
        message_number: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            _LOGGER.error("broker %s does not let us hear %s#", self._broker.host, self._acks)
            return
        # Only now can an answer be heard, so only now is anything sent.
        client.publish(self._available, ONLINE, _QOS, retain=True)
        with self._answered:
            self._connected = True

    def _on_disconnect(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        _LOGGER.warning("broker %s is gone: %s", self._broker.host, reason)
        with self._answered:
            self._connected = False
            self._answered.notify_all()

    def _on_answer(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        name = message.topic[len(self._acks) :]
        with self._answered:
            if name in self._awaited:
                self._answers[name] = _meaning(message.payload)
                self._answered.notify_all()


def _meaning(payload: bytes | bytearray) -> Outcome:
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
