"""The device's line to its fleet over MQTT: reports up, hints down.

Owns the connection, the last will, the retained status and the events that wait in the journal
until the broker has them. What comes in is a hint and nothing more: it makes the agent look at
what is signed, sooner. A broker that is away is connected to again in the background.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Final

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge.errors import ConfigError, JournalError
from edge.updates.journal import Journal
from edge.updates.settings import FleetBrokerSettings
from models.delivery import (
    Command,
    DeliveryFormatError,
    DeviceStatus,
    announce_topic,
    command_topic,
    decode,
    encode,
    parse_topic,
    status_topic,
    update_event_topic,
)

_LOGGER: Final = logging.getLogger(__name__)
_QOS: Final = 1
_RECONNECT_S: Final = (1, 30)
_IN_FLIGHT: Final = 16
_LOOK_AGAIN_S: Final = 0.2
_STATUS_APART_S: Final = 0.5
_ARRIVES_WITHIN_S: Final = 10.0
_GOOD_BYE_S: Final = 2.0


class FleetLine:
    """Tells the fleet how the device is; one thread calls ``run``.

    Args:
        settings: The broker.
        device_id: The device, also its name at the broker.
        categories: Whose announcements are heard.
        journal: Where events wait.
        status: How the device is now, given whether it is online.
        hint: Called when something may be new.
        monotonic_s: A clock that never jumps.
        password: For the user name.

    Raises:
        ConfigError: A certificate or key cannot be read.
    """

    def __init__(
        self,
        settings: FleetBrokerSettings,
        device_id: str,
        categories: tuple[str, ...],
        journal: Journal,
        status: Callable[[bool], DeviceStatus],
        hint: Callable[[], None],
        monotonic_s: Callable[[], float],
        password: str | None = None,
    ) -> None:
        self._settings = settings
        self._device_id = device_id
        self._categories = categories
        self._journal = journal
        self._status = status
        self._hint = hint
        self._monotonic_s = monotonic_s
        self._connected = threading.Event()
        self._changed = threading.Event()
        self._arrived: set[int] = set()
        self._sending = threading.Condition()
        self._client = self._make_client(password)

    def changed(self) -> None:
        """There is something new to tell; from any thread."""
        self._changed.set()

    def run(self, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Stay connected and tell, until told to stop."""
        settings = self._settings
        self._client.connect_async(settings.host, settings.port, keepalive=settings.keepalive_s)
        self._client.loop_start()
        told_at_s = float("-inf")
        try:
            while not stop.is_set():
                beat()
                self._tell_events()
                since_s = self._monotonic_s() - told_at_s
                due = self._changed.is_set() and since_s >= _STATUS_APART_S
                if self._connected.is_set() and (due or since_s >= settings.status_s):
                    self._changed.clear()
                    self._tell_status(True)
                    told_at_s = self._monotonic_s()
                stop.wait(_LOOK_AGAIN_S)
        finally:
            if self._connected.is_set():
                self._tell_events()
                self._tell_status(False)
            self._client.disconnect()
            self._client.loop_stop()

    def _tell_status(self, online: bool) -> None:
        try:
            body = encode(self._status(online))
        except (JournalError, DeliveryFormatError):
            _LOGGER.exception("the status cannot be told")
            return
        sent = self._client.publish(status_topic(self._device_id), body, _QOS, retain=True)
        if not online:
            # Where the broker has gone in the meantime, the last will speaks for us.
            with contextlib.suppress(RuntimeError, ValueError):
                sent.wait_for_publish(_GOOD_BYE_S)

    def _tell_events(self) -> None:
        """Send what waits, and forget what the broker has acknowledged."""
        if not self._connected.is_set():
            return
        try:
            events = self._journal.events(_IN_FLIGHT)
            if not events:
                return
            sent = {}
            for event in events:
                handed = self._client.publish(
                    update_event_topic(self._device_id), encode(event), _QOS
                )
                sent[handed.mid] = event.event_id
            with self._sending:
                self._sending.wait_for(
                    lambda: sent.keys() <= self._arrived or not self._connected.is_set(),
                    _ARRIVES_WITHIN_S,
                )
                arrived = [name for number, name in sent.items() if number in self._arrived]
                self._arrived.clear()
            for name in arrived:
                self._journal.forget_event(name)
        except JournalError:
            _LOGGER.exception("events cannot be told now")

    def _make_client(self, password: str | None) -> Client:
        settings = self._settings
        client = Client(CallbackAPIVersion.VERSION2, client_id=self._device_id, clean_session=True)
        client.max_inflight_messages_set(_IN_FLIGHT)
        client.reconnect_delay_set(*_RECONNECT_S)
        if settings.username is not None:
            client.username_pw_set(settings.username, password)
        if settings.ca is not None:
            try:
                client.tls_set(
                    str(settings.ca),
                    None if settings.certificate is None else str(settings.certificate),
                    None if settings.key is None else str(settings.key),
                )
            except OSError as err:  # ssl.SSLError is one
                raise ConfigError(
                    [
                        f"updates.mqtt: the certificates cannot be used: {err}; see ca, "
                        "certificate and key"
                    ]
                ) from err
        client.will_set(
            status_topic(self._device_id), encode(self._status(False)), _QOS, retain=True
        )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
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
            _LOGGER.error("the fleet's broker %s refused us: %s", self._settings.host, reason)
            return
        topics = [command_topic(self._device_id), *map(announce_topic, self._categories)]
        client.subscribe([(topic, _QOS) for topic in topics])
        self._connected.set()
        self._changed.set()

    def _on_disconnect(
        self,
        client: Client,
        userdata: object,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        self._connected.clear()
        if reason.is_failure:
            _LOGGER.warning("the fleet's broker %s is gone: %s", self._settings.host, reason)
        with self._sending:
            self._sending.notify_all()

    def _on_publish(
        self,
        client: Client,
        userdata: object,
        number: int,
        reason: ReasonCode,
        properties: Properties,
    ) -> None:
        with self._sending:
            self._arrived.add(number)
            self._sending.notify_all()

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        # An exception here would end paho's thread while it still seems to be connected.
        try:
            topic = parse_topic(message.topic)
            if topic.kind == "announce":
                self._hint()
            elif topic.kind == "command":
                command = decode(Command, bytes(message.payload)).command
                (self._hint if command == "poll" else self._changed.set)()
        except DeliveryFormatError as err:
            _LOGGER.warning("a hint on %s is not understood: %s", message.topic, err)
        except Exception:
            _LOGGER.exception("a hint on %s could not be taken", message.topic)
