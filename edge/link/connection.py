"""A device's connection to an MQTT broker, the shop's or the fleet's, that comes back by itself.

Owns connecting, the last will, and that nothing is sent before answers can be heard. What topics
mean is the business of whoever holds the connection.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTMessageInfo
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

_LOGGER: Final = logging.getLogger(__name__)
_QOS: Final = 1
_GOOD_BYE_S: Final = 2.0


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
        tls: Whom the connection trusts and what it shows; ``None`` is not encrypted.
        acknowledged_within_s: How long a receiver may take to answer.
        reconnects_within_s: Longest wait before a lost broker is tried again.
        keep_alive_s: A silent client counts as gone after about 1.5 of these.
    """

    host: str
    port: int = 1883
    client_id: str = "walkout"
    prefix: str = "walkout"
    username: str | None = None
    password: str | None = None
    tls: ssl.SSLContext | None = None
    acknowledged_within_s: float = 5.0
    reconnects_within_s: float = 30.0
    keep_alive_s: int = 30


@dataclass(frozen=True)
class LastWord:
    """What is said of a client that is gone, by itself or by the broker; retained.

    Attributes:
        topic: Where.
        gone: What; asked when it is connected, and again when it leaves.
    """

    topic: str
    gone: Callable[[], bytes]


class Sent:
    """Something on its way to the broker.

    Args:
        sent: What the client says of it; ``None`` where there is no client any more.
    """

    def __init__(self, sent: MQTTMessageInfo | None) -> None:
        self._sent = sent

    @property
    def problem(self) -> str | None:
        """Why it could not be sent; ``None`` when it was, or will be."""
        if self._sent is None:
            return "the connection is closed"
        on_its_way = (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN)
        return None if self._sent.rc in on_its_way else str(self._sent.rc)

    def arrives(self, within_s: float) -> bool:
        """Wait for the broker to have it; whether it has."""
        if self._sent is None:
            return False
        with contextlib.suppress(RuntimeError, ValueError):
            self._sent.wait_for_publish(within_s)
            return self._sent.is_published()
        return False


def tls_context(ca: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """Whom a connection trusts, and what it shows.

    Args:
        ca: Who signed the broker's certificate; ``None`` for the system's authorities.
        certificate: Our own; ``None`` shows none.
        key: Its key.

    Raises:
        OSError: A file cannot be used; whatever ``ssl`` says is one.
    """
    context = ssl.create_default_context(cafile=None if ca is None else str(ca))
    if certificate is not None and key is not None:
        context.load_cert_chain(certificate, key)
    return context


class Connection:
    """A connection to a broker; a context manager that connects, and connects again, by itself.

    ``on_message`` and ``on_change`` are called by the connection's own thread and must not raise.

    Args:
        broker: The broker.
        subscriptions: Topics that are heard, with MQTT's wildcards.
        on_message: Called with the topic and the payload of what is heard.
        on_change: Called when the connection becomes ready or is lost.
        last_word: What is said when this client is gone; ``None`` for nothing.
    """

    def __init__(
        self,
        broker: Broker,
        subscriptions: Sequence[str],
        on_message: Callable[[str, bytes], None],
        *,
        on_change: Callable[[bool], None] = lambda ready: None,
        last_word: LastWord | None = None,
    ) -> None:
        self._broker = broker
        self._subscriptions = tuple(subscriptions)
        self._tell_message = on_message
        self._tell_change = on_change
        self._last_word = last_word
        self._ready = threading.Event()
        self._client: Client | None = None

    def __enter__(self) -> Connection:
        client = self._client = self._make_client()
        client.connect_async(self._broker.host, self._broker.port, self._broker.keep_alive_s)
        client.loop_start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # The last one to hold the client: letting go of it closes its sockets.
        client, self._client = self._client, None
        assert client is not None, "entered before it is left"
        try:
            if self.is_ready and self._last_word is not None:
                # The last will is for those who do not say good-bye; where the broker has gone in
                # the meantime, it speaks for us after all.
                word = self._last_word
                Sent(client.publish(word.topic, word.gone(), _QOS, retain=True)).arrives(
                    _GOOD_BYE_S
                )
        finally:
            client.disconnect()
            client.loop_stop()

    @property
    def is_ready(self) -> bool:
        """Whether the broker is connected and everything that was subscribed to is heard."""
        return self._ready.is_set()

    def publish(self, topic: str, payload: str | bytes, *, retain: bool = False) -> Sent:
        """Send something.

        Args:
            topic: Where.
            payload: What.
            retain: Whether the broker keeps it for those who come later.
        """
        client = self._client
        return Sent(None if client is None else client.publish(topic, payload, _QOS, retain=retain))

    def _make_client(self) -> Client:
        broker = self._broker
        client = Client(CallbackAPIVersion.VERSION2, client_id=broker.client_id)
        if self._last_word is not None:
            client.will_set(self._last_word.topic, self._last_word.gone(), _QOS, retain=True)
        client.reconnect_delay_set(1, max(1, int(broker.reconnects_within_s)))
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
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
        client.subscribe([(topic, _QOS) for topic in self._subscriptions])

    def _on_subscribe(
        self,
        client: Client,
        userdata: object,
        message_number: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            topics = ", ".join(self._subscriptions)
            _LOGGER.error("broker %s does not let us hear %s", self._broker.host, topics)
            return
        # Only now can an answer be heard, so only now is anything sent.
        self._ready.set()
        self._tell_change(True)

    def _on_disconnect(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            _LOGGER.warning("broker %s is gone: %s", self._broker.host, reason)
        self._ready.clear()
        self._tell_change(False)

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        self._tell_message(message.topic, bytes(message.payload))
