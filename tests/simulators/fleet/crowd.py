"""Many simulated devices in one thread, each with a real MQTT connection.

A thread for each device would cost more than the devices do, so all connections share one selector.
The plan is read and verified through the device's own code (``edge.updates.trust``), once for each
serial and process: what is simulated is the number of devices, not the number of verifications.
"""

from __future__ import annotations

import random
import selectors
import socket
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from time import monotonic

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud_trainer.fleet.link import BrokerAddress, make_client
from edge.updates.sources import open_fetcher
from edge.updates.trust import SignedStore
from models.delivery import (
    Announcement,
    RolloutPlan,
    announce_topic,
    command_topic,
    decode,
    encode,
    status_topic,
    update_event_topic,
)
from tests.simulators.fleet.device import SimulatedDevice

_TICK_S = 0.02
_KEEPALIVE_S = 60
_CONNECTIONS_A_TICK = 10


class PlanReader:
    """The signed plan of a category, verified as devices verify it.

    Attributes:
        verifications: How often it was read from the store.
    """

    def __init__(self, url: str, root: bytes, folder: Path, category: str) -> None:
        numbers: dict[str, int] = {}

        def raise_number(name: str, number: int) -> int:
            numbers[name] = max(number, numbers.get(name, 0))
            return numbers[name]

        self._store = SignedStore(folder, root, open_fetcher(url, 10.0), raise_number)
        self._category = category
        self.verifications = 0

    def read(self) -> RolloutPlan | None:
        """The plan that is signed now."""
        self.verifications += 1
        return self._store.look(datetime.now(timezone.utc)).plan(self._category)


class _Connection:
    """A device and its connection."""

    def __init__(self, device: SimulatedDevice, client: Client, spread_s: float) -> None:
        self.device = device
        self.client = client
        self.looks_at_s = float("inf")
        self.speaks_at_s = float("inf")
        self.connected = False
        self.hinted = False
        self._spread_s = spread_s
        self._dice = random.Random(device.device_id)

    def hint(self) -> None:
        """Look at the plan soon, not all devices at the same moment."""
        self.looks_at_s = min(self.looks_at_s, monotonic() + self._dice.random() * self._spread_s)
        self.hinted = True


class Crowd:
    """Simulated devices at work; a context manager that runs them in a thread.

    Args:
        devices: The devices.
        addresses: Where and as whom each connects, by device id.
        category: Their category.
        plans: Where plans come from.
        spread_s: Devices look at a plan within so long after a hint.
        heartbeat_s: Each says how it is at least so often.
        poll_s: Each looks at the plan so often without a hint.
    """

    def __init__(
        self,
        devices: Sequence[SimulatedDevice],
        addresses: Mapping[str, BrokerAddress],
        category: str,
        plans: PlanReader,
        *,
        spread_s: float = 0.3,
        heartbeat_s: float = 30.0,
        poll_s: float = 300.0,
    ) -> None:
        self.devices = devices
        self._addresses = addresses
        self._category = category
        self._plans = plans
        self._spread_s, self._heartbeat_s, self._poll_s = spread_s, heartbeat_s, poll_s
        self._plan: RolloutPlan | None = None
        self._heard_serial = 0
        self._selector = selectors.DefaultSelector()
        self._connections: list[_Connection] = []
        self._waiting = [self._prepare(device) for device in devices]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="crowd", daemon=True)
        self.failure: BaseException | None = None
        self.messages_sent = 0

    def __enter__(self) -> Crowd:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop.set()
        self._thread.join(30.0)
        if self.failure is not None:
            raise self.failure

    @property
    def connected(self) -> int:
        """How many devices are connected."""
        return sum(each.connected for each in self._connections)

    def _prepare(self, device: SimulatedDevice) -> _Connection:
        client = make_client(self._addresses[device.device_id])
        each = _Connection(device, client, self._spread_s)
        now = datetime.now(timezone.utc)
        will = encode(device.status(0.0, now, online=False))
        client.will_set(status_topic(device.device_id), will, 1, retain=True)

        def on_connect(
            client: Client,
            userdata: object,
            flags: ConnectFlags,
            reason: ReasonCode,
            properties: Properties | None,
        ) -> None:
            assert not reason.is_failure, f"{device.device_id}: {reason}"
            topics = (announce_topic(self._category), command_topic(device.device_id))
            client.subscribe([(topic, 1) for topic in topics])
            each.connected = True
            each.speaks_at_s = 0.0
            each.hint()

        def on_message(client: Client, userdata: object, message: MQTTMessage) -> None:
            if message.topic == announce_topic(self._category):
                announced = decode(Announcement, bytes(message.payload))
                self._heard_serial = max(self._heard_serial, announced.serial)
                each.hint()
            else:
                each.speaks_at_s = 0.0
                each.hint()

        client.on_connect = on_connect
        client.on_message = on_message
        return each

    def _run(self) -> None:
        try:
            misc_at_s = 0.0
            while not self._stop.is_set():
                for each in self._waiting[:_CONNECTIONS_A_TICK]:
                    self._connect(each)
                del self._waiting[:_CONNECTIONS_A_TICK]
                for key, _ in self._selector.select(_TICK_S):
                    self._read(key.data)
                now_s = monotonic()
                for each in self._connections:
                    self._tick(each, now_s)
                    if now_s > misc_at_s:
                        each.client.loop_misc()
                    if each.client.want_write():
                        each.client.loop_write()
                if now_s > misc_at_s:
                    misc_at_s = now_s + 1.0
        except BaseException as err:
            self.failure = err
        finally:
            for each in self._connections:
                each.client.disconnect()
            self._selector.close()

    def _connect(self, each: _Connection) -> None:
        address = self._addresses[each.device.device_id]
        each.client.connect(address.host, address.port, _KEEPALIVE_S)
        self._selector.register(_socket(each.client), selectors.EVENT_READ, each)
        self._connections.append(each)

    def _read(self, each: _Connection) -> None:
        connection = _socket(each.client)
        while True:
            code = each.client.loop_read()
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._selector.unregister(connection)
                each.connected = False
                self._connections.remove(each)
                self._waiting.append(each)
                return
            # What TLS has decrypted already, no selector tells of.
            if not getattr(connection, "pending", int)():
                return

    def _tick(self, each: _Connection, now_s: float) -> None:
        if not each.connected:
            return
        at = datetime.now(timezone.utc)
        events = each.device.go_on(now_s, at) if each.device.is_busy else []
        if now_s >= each.looks_at_s:
            each.looks_at_s = now_s + self._poll_s
            plan = self._current_plan(each.hinted)
            each.hinted = False
            if plan is not None:
                events += each.device.obey(plan, now_s, at)
        for event in events:
            self._publish(each, update_event_topic(each.device.device_id), encode(event))
        if events or now_s >= each.speaks_at_s:
            each.speaks_at_s = now_s + self._heartbeat_s
            status = encode(each.device.status(now_s, at))
            self._publish(each, status_topic(each.device.device_id), status, retain=True)

    def _publish(
        self, each: _Connection, topic: str, content: bytes, *, retain: bool = False
    ) -> None:
        each.client.publish(topic, content, 1, retain=retain)
        self.messages_sent += 1

    def _current_plan(self, hinted: bool) -> RolloutPlan | None:
        if self._plan is None or not hinted or self._plan.serial < self._heard_serial:
            self._plan = self._plans.read()
        return self._plan


def _socket(client: Client) -> socket.socket:
    connection = client.socket()
    assert isinstance(connection, socket.socket)
    return connection
