"""The device's line to its fleet over MQTT: reports up, hints down.

Owns the connection, the last will, the retained status and the events that wait in the journal
until the broker has them. What comes in is a hint and nothing more: it makes the agent look at
what is signed, sooner. A broker that is away is connected to again in the background.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from edge.errors import ConfigError, JournalError
from edge.link.connection import Broker, Connection, LastWord, tls_context
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
_AT_ONCE: Final = 16
_LOOK_AGAIN_S: Final = 0.2
_STATUS_APART_S: Final = 0.5
_ARRIVES_WITHIN_S: Final = 10.0


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
        self._status_s = settings.status_s
        self._device_id = device_id
        self._journal = journal
        self._status = status
        self._hint = hint
        self._monotonic_s = monotonic_s
        self._changed = threading.Event()
        self._connection = Connection(
            _broker(settings, device_id, password),
            [command_topic(device_id), *map(announce_topic, categories)],
            self._on_message,
            on_change=self._on_change,
            last_word=LastWord(status_topic(device_id), lambda: encode(status(False))),
        )

    def changed(self) -> None:
        """There is something new to tell; from any thread."""
        self._changed.set()

    def run(self, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Stay connected and tell, until told to stop."""
        told_at_s = float("-inf")
        with self._connection:
            while not stop.is_set():
                beat()
                self._tell_events()
                since_s = self._monotonic_s() - told_at_s
                due = self._changed.is_set() and since_s >= _STATUS_APART_S
                if self._connection.is_ready and (due or since_s >= self._status_s):
                    self._changed.clear()
                    self._tell_status()
                    told_at_s = self._monotonic_s()
                stop.wait(_LOOK_AGAIN_S)
            self._tell_events()

    def _tell_status(self) -> None:
        try:
            body = encode(self._status(True))
        except (JournalError, DeliveryFormatError):
            _LOGGER.exception("the status cannot be told")
            return
        self._connection.publish(status_topic(self._device_id), body, retain=True)

    def _tell_events(self) -> None:
        """Send what waits, and forget what the broker has acknowledged."""
        if not self._connection.is_ready:
            return
        try:
            topic, until_s = (
                update_event_topic(self._device_id),
                self._monotonic_s() + _ARRIVES_WITHIN_S,
            )
            sent = [
                (event.event_id, self._connection.publish(topic, encode(event)))
                for event in self._journal.events(_AT_ONCE)
            ]
            for name, each in sent:
                if each.arrives(max(0.0, until_s - self._monotonic_s())):
                    self._journal.forget_event(name)
        except JournalError:
            _LOGGER.exception("events cannot be told now")

    def _on_change(self, ready: bool) -> None:
        if ready:
            self._changed.set()

    def _on_message(self, topic: str, payload: bytes) -> None:
        # An exception here would end the connection's thread while it still seems to be connected.
        try:
            kind = parse_topic(topic).kind
            if kind == "announce":
                self._hint()
            elif kind == "command":
                command = decode(Command, payload).command
                (self._hint if command == "poll" else self._changed.set)()
        except DeliveryFormatError as err:
            _LOGGER.warning("a hint on %s is not understood: %s", topic, err)
        except Exception:
            _LOGGER.exception("a hint on %s could not be taken", topic)


def _broker(settings: FleetBrokerSettings, device_id: str, password: str | None) -> Broker:
    try:
        tls = (
            None
            if settings.ca is None
            else tls_context(settings.ca, settings.certificate, settings.key)
        )
    except OSError as err:
        raise ConfigError(
            [f"updates.mqtt: the certificates cannot be used: {err}; see ca, certificate and key"]
        ) from err
    return Broker(
        settings.host,
        settings.port,
        client_id=device_id,
        username=settings.username,
        password=password,
        tls=tls,
        keep_alive_s=settings.keepalive_s,
    )
