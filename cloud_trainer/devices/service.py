"""Answers to devices that ask for identities, over MQTT, until told to stop."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud_trainer.devices.enrolment import QUESTIONS, Enrolment
from cloud_trainer.errors import RecordError
from cloud_trainer.fleet.link import BrokerAddress, NetworkLoop, make_client

_LOGGER = logging.getLogger(__name__)
_QOS: Final = 1
_ROOM: Final = 1000
_LOOK_AGAIN_S: Final = 0.2


class Enroller:
    """Hears questions and answers them; the connection comes back by itself.

    Args:
        enrolment: Knows the answers.
        broker: Where to connect, as ``cloud.enroller``.
        now: The time.

    Raises:
        BrokerError: The certificates cannot be used.
    """

    def __init__(
        self, enrolment: Enrolment, broker: BrokerAddress, now: Callable[[], datetime]
    ) -> None:
        self._enrolment = enrolment
        self._broker = broker
        self._now = now
        # A question that finds no room is asked again by whoever asked it.
        self._asked: queue.Queue[tuple[str, bytes]] = queue.Queue(_ROOM)
        self._client = make_client(broker)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._loop = NetworkLoop(self._client, broker)

    def run(self, stop: threading.Event) -> None:
        """Answer until told to stop."""
        self._loop.start()
        try:
            while not stop.is_set():
                try:
                    topic, content = self._asked.get(timeout=_LOOK_AGAIN_S)
                except queue.Empty:
                    continue
                self._answer(topic, content)
        finally:
            self._loop.stop()

    def _answer(self, topic: str, content: bytes) -> None:
        try:
            answer = self._enrolment.answer(topic, content, self._now())
        except RecordError:
            _LOGGER.exception("a question cannot be answered now; it will be asked again")
            return
        if answer is not None:
            _LOGGER.info("%s", answer.words)
            self._client.publish(answer.topic, answer.content, _QOS)

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
        client.subscribe([(topic, _QOS) for topic in QUESTIONS])

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        try:
            self._asked.put_nowait((message.topic, bytes(message.payload)))
        except queue.Full:
            _LOGGER.warning("too many questions wait; one is left")
