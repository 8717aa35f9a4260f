"""The cloud's connection to the MQTT broker: hears devices, announces plans, sends hints.

Owns the connection, its identity and what is kept between two looks. Messages are kept in bounded
places: the newest status of each device, and a queue of events whose oldest go first; what was lost
is counted. Nothing that a device says can end the network thread: what cannot be read is logged and
left, and an error of ours is logged and the loop begun again.

A status counts as heard when it came, unless the broker had retained it; ``records.py`` judges
that.
"""

from __future__ import annotations

import contextlib
import logging
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud_trainer.errors import BrokerError
from cloud_trainer.fleet.records import HeardStatus
from models.delivery import (
    ALL_STATUS,
    ALL_UPDATE_EVENTS,
    MAX_MESSAGE_BYTES,
    Announcement,
    Command,
    DeliveryFormatError,
    DeviceStatus,
    UpdateEvent,
    announce_topic,
    command_topic,
    decode,
    encode,
    parse_topic,
)

_LOGGER = logging.getLogger(__name__)
_QOS: Final = 1
_KEEPALIVE_S: Final = 30
_RECONNECT_S: Final = (1, 30)
_BEGIN_AGAIN_S: Final = 1.0
_MAX_DEVICES: Final = 50_000
_MAX_EVENTS: Final = 100_000
_MAX_WAITING: Final = 10_000
_MAX_IN_FLIGHT: Final = 100


@dataclass(frozen=True)
class Tls:
    """Certificates of a connection, PEM files.

    Attributes:
        ca: Who signs the broker's certificate; ``None`` for the system's.
        certificate: Our own, by which the broker knows us; ``None`` presents none.
        key: Its key.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class BrokerAddress:
    """Where the broker listens and who we are there.

    Attributes:
        host: Its name or address, as its certificate says it.
        port: Its port.
        client_id: Our name at the broker; two clients of one name drive each other out.
        keeps_session: Whether the broker keeps events for us while we are not there.
        tls: ``None`` speaks in the clear.
        username: ``None`` connects without one.
        password: For the user name.
    """

    host: str
    port: int
    client_id: str = "trainer"
    keeps_session: bool = False
    tls: Tls | None = None
    username: str | None = None
    password: str | None = None


def make_client(broker: BrokerAddress) -> Client:
    """A client that is not connected yet, with its certificates and limits.

    Raises:
        BrokerError: A certificate or key cannot be used.
    """
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=broker.client_id,
        clean_session=not broker.keeps_session,
    )
    client.reconnect_delay_set(*_RECONNECT_S)
    client.max_inflight_messages_set(_MAX_IN_FLIGHT)
    client.max_queued_messages_set(_MAX_WAITING)
    if broker.username is not None:
        client.username_pw_set(broker.username, broker.password)
    if broker.tls is not None:
        tls = broker.tls
        try:
            context = ssl.create_default_context(cafile=tls.ca)
            if tls.certificate is not None:
                context.load_cert_chain(tls.certificate, tls.key)
        except OSError as err:
            raise BrokerError(
                f"the certificates for {broker.host} cannot be used ({err.strerror or err}); check "
                "the files given for the authority, the certificate and its key"
            ) from err
        client.tls_set_context(context)
    return client


class NetworkLoop:
    """Runs a client's network in a thread of its own, whatever its handlers do.

    Args:
        client: The client, with its handlers.
        broker: Where to connect, and to connect again.
    """

    def __init__(self, client: Client, broker: BrokerAddress) -> None:
        self._client = client
        self._broker = broker
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Connect, now or when the broker is there."""
        self._client.connect_async(self._broker.host, self._broker.port, _KEEPALIVE_S)
        self._thread.start()

    def stop(self) -> None:
        """Disconnect and end the thread."""
        self._stopping.set()
        self._client.disconnect()
        self._thread.join(timeout=10.0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._client.loop_forever(retry_first_connection=True)
            except Exception:
                _LOGGER.exception("the connection to broker %s broke", self._broker.host)
                self._stopping.wait(_BEGIN_AGAIN_S)
                with contextlib.suppress(OSError):
                    self._client.reconnect()


class FleetLink:
    """Hears the fleet and speaks to it; a context manager that connects by itself.

    Args:
        broker: The broker.
        clock: The cloud's time, with its time zone.

    Raises:
        BrokerError: A certificate or key cannot be used.
    """

    def __init__(self, broker: BrokerAddress, clock: Callable[[], datetime]) -> None:
        self._broker = broker
        self._clock = clock
        self._heard = threading.Condition()
        self._statuses: dict[str, HeardStatus] = {}
        self._events: deque[UpdateEvent] = deque(maxlen=_MAX_EVENTS)
        self._lost = 0
        self._messages = 0
        self._refusal: str | None = None
        self._subscribed = threading.Event()
        self._client = make_client(broker)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._loop = NetworkLoop(self._client, broker)

    def __enter__(self) -> FleetLink:
        self._loop.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.stop()

    @property
    def is_connected(self) -> bool:
        """Whether devices are heard now."""
        return self._subscribed.is_set() and self._loop.is_alive

    @property
    def lost(self) -> int:
        """Messages that were not kept: unreadable, or too many at once."""
        return self._lost

    def require_connected(self, timeout_s: float) -> None:
        """Wait until devices are heard.

        Raises:
            BrokerError: They are not, in that time.
        """
        if not self._subscribed.wait(timeout_s):
            why = self._refusal or "no answer"
            raise BrokerError(
                f"broker {self._broker.host}:{self._broker.port} does not let us hear the fleet "
                f"({why}); check address, certificates and its access list"
            )

    def collect(self, quiet_s: float = 0.5, longest_s: float = 10.0) -> None:
        """Wait until no message has come for a while: then retained ones are all here."""
        waited = threading.Event()
        rounds = max(1, int(longest_s / quiet_s))
        for _ in range(rounds):
            before = self._messages
            waited.wait(quiet_s)
            if self._messages == before:
                return

    def take(self) -> tuple[tuple[HeardStatus, ...], tuple[UpdateEvent, ...]]:
        """What came since the last call: the newest status of each device, and events in order."""
        with self._heard:
            statuses, self._statuses = tuple(self._statuses.values()), {}
            events = tuple(self._events)
            self._events.clear()
        return statuses, events

    def wait(self, timeout_s: float) -> None:
        """Wait until something came, at most so long."""
        with self._heard:
            self._heard.wait_for(lambda: bool(self._statuses or self._events), timeout_s)

    def announce(self, category: str, serial: int, patience_s: float = 5.0) -> bool:
        """Hint that the plan of a category changed; retained, so that later devices hear it too.

        Returns:
            Whether the broker has it. Devices that did not hear it look by themselves.
        """
        content = encode(Announcement(category=category, serial=serial))
        return self._publish(announce_topic(category), content, patience_s, retain=True)

    def command(self, device_id: str, command: Command, patience_s: float = 5.0) -> bool:
        """Hint to one device.

        Returns:
            Whether the broker has it.
        """
        return self._publish(command_topic(device_id), encode(command), patience_s)

    def _publish(
        self, topic: str, content: bytes, patience_s: float, *, retain: bool = False
    ) -> bool:
        if not self._subscribed.wait(patience_s):
            return False
        sent = self._client.publish(topic, content, _QOS, retain=retain)
        try:
            sent.wait_for_publish(patience_s)
        except (RuntimeError, ValueError):
            return False
        return sent.is_published()

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._refusal = str(reason)
            _LOGGER.error("broker %s refused the connection: %s", self._broker.host, reason)
            return
        client.subscribe([(ALL_STATUS, _QOS), (ALL_UPDATE_EVENTS, _QOS)])

    def _on_connect_fail(self, client: Client, userdata: object) -> None:
        self._refusal = "no connection"

    def _on_subscribe(
        self,
        client: Client,
        userdata: object,
        message_number: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._refusal = "not allowed to read the fleet's topics"
            _LOGGER.error("broker %s does not let us hear the fleet", self._broker.host)
            return
        self._subscribed.set()

    def _on_disconnect(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._subscribed.clear()
        if reason.is_failure:
            self._refusal = str(reason)
            _LOGGER.warning("broker %s is gone: %s", self._broker.host, reason)

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        self._messages += 1
        if not message.payload:
            return  # somebody cleared a retained message
        try:
            self._keep(message)
        except DeliveryFormatError as err:
            self._lost += 1
            _LOGGER.warning("a message on %s is left: %s", message.topic[:120], err)

    def _keep(self, message: MQTTMessage) -> None:
        topic = parse_topic(message.topic)
        content = bytes(message.payload)
        if topic.kind == "status":
            status = decode(DeviceStatus, content, MAX_MESSAGE_BYTES)
            _require_own(topic.name, status.device_id)
            heard = HeardStatus(status, self._clock(), bool(message.retain))
            with self._heard:
                if topic.name not in self._statuses and len(self._statuses) >= _MAX_DEVICES:
                    self._lost += 1
                    return
                self._statuses[topic.name] = heard
                self._heard.notify_all()
        elif topic.kind == "update_event":
            event = decode(UpdateEvent, content, MAX_MESSAGE_BYTES)
            _require_own(topic.name, event.device_id)
            with self._heard:
                self._lost += len(self._events) == _MAX_EVENTS
                self._events.append(event)
                self._heard.notify_all()


def _require_own(topic_device: str, said_device: str) -> None:
    if topic_device != said_device:
        raise DeliveryFormatError(f"{topic_device} speaks for {said_device}; nobody may")
