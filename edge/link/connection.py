"""A connection to the shop's MQTT broker that comes back by itself.

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
from types import TracebackType
from typing import Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

_LOGGER: Final = logging.getLogger(__name__)
_QOS: Final = 1
_KEEP_ALIVE_S: Final = 30
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
        tls: Whom the connection trusts and what it shows; ``None`` is not encrypted.
        acknowledged_within_s: How long a receiver may take to answer.
        reconnects_within_s: Longest wait before a lost broker is tried again.
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


class Connection:
    """A connection to a broker; a context manager that connects, and connects again, by itself.

    ``on_message`` and ``on_change`` are called by the connection's own thread and must not raise.

    Args:
        broker: The broker.
        subscriptions: Topics that are heard, with MQTT's wildcards.
        on_message: Called with the topic and the payload of what is heard.
        on_change: Called when the connection becomes ready or is lost.
        available: Topic that says whether this client is there, retained; ``None`` for none.
    """

    def __init__(
        self,
        broker: Broker,
        subscriptions: Sequence[str],
        on_message: Callable[[str, bytes], None],
        *,
        on_change: Callable[[bool], None] = lambda ready: None,
        available: str | None = None,
    ) -> None:
        self._broker = broker
        self._subscriptions = tuple(subscriptions)
        self._tell_message = on_message
        self._tell_change = on_change
        self._available = available
        self._ready = threading.Event()
        self._client: Client | None = None

    def __enter__(self) -> Connection:
        client = self._client = self._make_client()
        client.connect_async(self._broker.host, self._broker.port, keepalive=_KEEP_ALIVE_S)
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
        if self.is_ready and self._available is not None:
            # The last will is for those who do not say good-bye; where the broker has gone in the
            # meantime, it speaks for us after all.
            good_bye = client.publish(self._available, OFFLINE, _QOS, retain=True)
            with contextlib.suppress(RuntimeError):
                good_bye.wait_for_publish(1.0)
        client.disconnect()
        client.loop_stop()

    @property
    def is_ready(self) -> bool:
        """Whether the broker is connected and everything that was subscribed to is heard."""
        return self._ready.is_set()

    def publish(self, topic: str, payload: str) -> str | None:
        """Send something; the broker keeps it no longer than it takes to pass it on.

        Returns:
            Why it could not be sent; ``None`` when it was.
        """
        client = self._client
        if client is None:
            return "the connection is closed"
        sent = client.publish(topic, payload, _QOS)
        if sent.rc in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            return None
        return str(sent.rc)

    def _make_client(self) -> Client:
        broker = self._broker
        client = Client(CallbackAPIVersion.VERSION2, client_id=broker.client_id)
        if self._available is not None:
            client.will_set(self._available, OFFLINE, _QOS, retain=True)
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
        if self._available is not None:
            client.publish(self._available, ONLINE, _QOS, retain=True)
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
