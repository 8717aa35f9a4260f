"""A real mosquitto on a free port of the loopback, and a subscriber that answers or does not."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

# Debian keeps daemons where users do not look.
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
_PATIENCE_S = 20.0


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    until_s = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > until_s:
            pytest.fail(f"waited {_PATIENCE_S:g} s for {what}")
        time.sleep(0.01)


class Mosquitto:
    """A broker that can be killed and started again on its port."""

    def __init__(self, folder: Path) -> None:
        found = shutil.which("mosquitto", path=_PATH)
        if found is None:
            pytest.skip("no mosquitto: apt-get install mosquitto")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._configuration = folder / "mosquitto.conf"
        self._configuration.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
        )
        self._command = [found, "-c", str(self._configuration)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._listens, "mosquitto to listen")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
        except OSError:
            return False
        return True


class Subscriber:
    """Hears everything below a prefix; answers each message as ``answer`` says.

    Attributes:
        heard: Topic and payload, in order.
        answer: Payload for the answer to a message, ``None`` for none.
    """

    def __init__(self, port: int, prefix: str) -> None:
        self.heard: list[tuple[str, str]] = []
        self.answer: Callable[[dict[str, Any]], str | None] = lambda body: ""
        self._prefix = prefix
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="the-app")
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect_async("127.0.0.1", port)

    def __enter__(self) -> Subscriber:
        self._client.loop_start()
        assert self._subscribed.wait(_PATIENCE_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def bodies(self) -> list[dict[str, Any]]:
        """Messages of the outbox, in order."""
        return [json.loads(text) for topic, text in self.heard if not topic.endswith("available")]

    def availability(self) -> list[str]:
        return [text for topic, text in self.heard if topic.endswith("available")]

    def _on_connect(
        self,
        client: Client,
        userdata: object,
        flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        client.subscribe([(f"{self._prefix}/{name}", 1) for name in ("+/+", "available")])

    def _on_message(self, client: Client, userdata: object, message: MQTTMessage) -> None:
        if "/ack/" in message.topic:
            return
        self.heard.append((message.topic, message.payload.decode()))
        if message.topic.endswith("available"):
            return
        body = json.loads(message.payload)
        answer = self.answer(body)
        if answer is not None:
            client.publish(f"{self._prefix}/ack/{body['message_id']}", answer, qos=1)
