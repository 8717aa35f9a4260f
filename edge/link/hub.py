"""The hub's end of the link: asks shelf devices how they are, takes up what they saw.

Owns that an event is on this device's disk before it is acknowledged, that it reaches the desk once
however often it comes, its times on the shop's clock, and what is said about a device that is
silent. An event waits in the ledger's outbox as a message to the desk, until the desk has written
it into the ledger; a hub that was killed takes it up from there.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

from pydantic import ValidationError

from edge.checkout.message import OutgoingMessage
from edge.checkout.outbox import Outbox
from edge.errors import LedgerError, LinkError
from edge.events import InteractionEvent
from edge.link.clocks import DeviceClock, Exchange
from edge.link.connection import Broker, Connection
from edge.link.messages import Answer, Ask, SentEvent, read_event
from edge.queues import SIGHTINGS, Inbox
from edge.shop.shelves import Sighting
from edge.workers import Pulse

_LOGGER: Final = logging.getLogger(__name__)
_ASKS_EVERY_S: Final = 0.5
_LOOKS_EVERY_S: Final = 0.05
# So long an event waits for an exchange that tells its device's clock.
_CLOCK_WAITS_S: Final = 5.0

DeviceStatus = Literal["awaited", "well", "sick", "silent"]


@dataclass(frozen=True)
class DeviceState:
    """How a shelf device is, as far as the hub knows.

    Attributes:
        device: Its name.
        status: ``awaited`` before its first answer and while its cameras connect, ``silent``
            without an answer for too long, ``sick`` when it says itself that something is wrong.
        reason: Why, for people; empty while it is well.
        answer_age_s: Since its last answer; ``None`` before the first.
        clock_error_s: How wrong the offset of its clock may be now; ``None`` when not known.
        events_waiting: What it said to keep for the hub.
    """

    device: str
    status: DeviceStatus
    reason: str
    answer_age_s: float | None
    clock_error_s: float | None
    events_waiting: int


@dataclass(frozen=True)
class HubSettings:
    """What the hub expects of its shelf devices.

    Attributes:
        devices: Their names.
        silent_after_s: Without an answer for so long, a device is silent.
        clock_error_s: An event whose moment is known no better than this goes to review.
    """

    devices: tuple[str, ...]
    silent_after_s: float = 5.0
    clock_error_s: float = 0.3


@dataclass
class _Device:
    clock: DeviceClock
    answer: Answer | None = None
    asked_at_s: float = float("-inf")
    heard_at_s: float = float("-inf")


@dataclass
class _Arrived:
    device: str
    sent: SentEvent
    at_s: float
    handed_on: bool = False


class HubEnd:
    """Asks, hears and hands on. ``run`` is a worker's body; all else may be called from any thread.

    Args:
        broker: The shop's broker.
        settings: Which devices there are.
        clock: Name of the shop's clock.
        now_s: The shop's clock.
        wall_time_s: Seconds since 1970, now.
        outbox: Of the ledger; holds what the desk has not written yet.
        is_recorded: Whether the ledger has an event.
        inbox: Of the desk.

    Attributes:
        trouble: Why events cannot be kept here; ``None`` when they can.
    """

    def __init__(
        self,
        broker: Broker,
        settings: HubSettings,
        *,
        clock: str,
        now_s: Callable[[], float],
        wall_time_s: Callable[[], float],
        outbox: Outbox,
        is_recorded: Callable[[str], bool],
        inbox: Inbox,
    ) -> None:
        self.trouble: str | None = None
        self._prefix = broker.prefix
        self._settings = settings
        self._clock = clock
        self._now_s = now_s
        self._wall_time_s = wall_time_s
        self._outbox = outbox
        self._is_recorded = is_recorded
        self._inbox = inbox
        self._devices = {name: _Device(DeviceClock(clock)) for name in settings.devices}
        self._asked: dict[int, float] = {}
        self._number = 0
        self._began_s = now_s()
        self._guard = threading.Lock()
        self._arrived: dict[str, _Arrived] = {}
        topics = [f"{broker.prefix}/+/events/+", f"{broker.prefix}/+/answer"]
        self._connection = Connection(broker, topics, self._on_message)

    def run(self, pulse: Pulse) -> None:
        """Ask and hand on until told to stop; the body of a worker."""
        self._take_up_again()
        with self._connection:
            next_ask_s = float("-inf")
            while not pulse.stop.wait(_LOOKS_EVERY_S):
                pulse.beat()
                now_s = self._now_s()
                if now_s >= next_ask_s and self._connection.is_ready:
                    self._ask(now_s)
                    next_ask_s = now_s + _ASKS_EVERY_S
                self._hand_on(now_s)
                self._let_go()

    def states(self) -> tuple[DeviceState, ...]:
        """How the shelf devices are, by the order of the configuration."""
        now_s = self._now_s()
        with self._guard:
            return tuple(self._state(name, device, now_s) for name, device in self._devices.items())

    def owes(self, until_s: float) -> tuple[str, ...]:
        """Devices that may still tell about what happened before a moment on the shop's clock."""
        with self._guard:
            here = {each.device for each in self._arrived.values() if not each.handed_on}
            return tuple(
                name
                for name, device in self._devices.items()
                if device.answer is None
                or device.asked_at_s < until_s
                or device.answer.waiting
                or device.answer.trouble is not None
                or name in here
            )

    def all_over(self) -> bool:
        """Whether all devices' recordings are over and everything of theirs was handed on."""
        with self._guard:
            return not any(not each.handed_on for each in self._arrived.values()) and all(
                device.answer is not None and device.answer.over and not device.answer.waiting
                for device in self._devices.values()
            )

    def _state(self, name: str, device: _Device, now_s: float) -> DeviceState:
        answer = device.answer
        if answer is None:
            waited_s = now_s - self._began_s
            late = waited_s > self._settings.silent_after_s
            reason = f"no answer for {waited_s:.0f} s; see whether it runs and reaches the broker"
            return DeviceState(name, "silent" if late else "awaited", reason, None, None, 0)
        age_s = now_s - device.heard_at_s
        known = device.clock.shop_time(answer.clock, answer.answered_at_s + age_s)
        error_s = None if known is None else known.error_s
        complaints = [answer.trouble] if answer.trouble is not None else []
        complaints += [
            f"camera {each.camera} is {each.status}: {each.reason}"
            for each in answer.cameras
            if each.status not in ("running", "ended", "connecting")
        ]
        complaints += [each.moved for each in answer.cameras if each.moved]
        beginning = [
            f"camera {each.camera} is connecting: {each.reason}"
            for each in answer.cameras
            if each.status == "connecting"
        ]
        if error_s is None or error_s > self._settings.clock_error_s:
            complaints.append("its clock is not known well enough; what it sees goes to review")
        status: DeviceStatus = "sick" if complaints else "awaited" if beginning else "well"
        complaints += beginning
        if age_s > self._settings.silent_after_s:
            status = "silent"
            complaints.insert(
                0, f"no answer for {age_s:.0f} s; see whether it runs and reaches the broker"
            )
        return DeviceState(name, status, "; ".join(complaints), age_s, error_s, answer.waiting)

    def _ask(self, now_s: float) -> None:
        self._number += 1
        with self._guard:
            self._asked[self._number] = now_s
            for old in [number for number, at_s in self._asked.items() if now_s - at_s > 60]:
                del self._asked[old]
        ask = Ask(number=self._number, asked_at_s=now_s, clock=self._clock).model_dump_json()
        for name in self._devices:
            self._connection.publish(f"{self._prefix}/{name}/ask", ask)

    def _on_message(self, topic: str, payload: bytes) -> None:
        heard_at_s = self._now_s()
        name, _, kind = topic[len(self._prefix) + 1 :].partition("/")
        if kind == "answer":
            self._on_answer(name, payload, heard_at_s)
        else:
            self._on_event(name, kind.partition("/")[2], payload, heard_at_s)

    def _on_answer(self, name: str, payload: bytes, heard_at_s: float) -> None:
        try:
            answer = Answer.model_validate_json(payload)
        except ValidationError:
            _LOGGER.exception("device %s: this is no answer", name)
            return
        with self._guard:
            device, asked_at_s = self._devices.get(name), self._asked.get(answer.number)
            if device is None or asked_at_s is None:
                return
            device.answer = answer
            device.asked_at_s = max(device.asked_at_s, asked_at_s)
            device.heard_at_s = heard_at_s
            device.clock.add(
                answer.clock,
                Exchange(asked_at_s, answer.received_at_s, answer.answered_at_s, heard_at_s),
            )

    def _on_event(self, name: str, message_id: str, payload: bytes, at_s: float) -> None:
        """Keep an event, and only then say that it is here; without a word it comes again."""
        try:
            if name not in self._devices:
                raise LinkError(f"the hub knows no device {name}; add it to link.shelf_devices")
            sent = read_event(payload)
            if sent.message_id != message_id:
                raise LinkError(f"event {sent.message_id} came as {message_id}")
            sent.sighting()
        except LinkError as err:
            _LOGGER.error("an event of device %s was refused: %s", name, err)
            self._acknowledge(name, message_id, str(err))
            return
        with self._guard:
            known = message_id in self._arrived
        if not known and not self._is_recorded(message_id):
            try:
                self._outbox.keep(
                    OutgoingMessage(message_id, "desk", message_id, name, payload.decode())
                )
            except LedgerError as err:
                _LOGGER.error("event %s of device %s cannot be kept: %s", message_id, name, err)
                self.trouble = str(err)
                return
            self.trouble = None
            with self._guard:
                self._arrived[message_id] = _Arrived(name, sent, at_s)
        self._acknowledge(name, message_id)

    def _acknowledge(self, name: str, message_id: str, refusal: str | None = None) -> None:
        answer = (
            {"status": "accepted"} if refusal is None else {"status": "refused", "reason": refusal}
        )
        self._connection.publish(f"{self._prefix}/{name}/ack/{message_id}", json.dumps(answer))

    def _take_up_again(self) -> None:
        """What came before the hub was started again and is not in the ledger yet."""
        for message in self._outbox.next_messages("desk"):
            try:
                sent = read_event(message.body)
            except LinkError as err:
                _LOGGER.error("event %s is parked: %s", message.message_id, err)
                self._outbox.park(message.message_id, str(err), self._wall_time_s())
                continue
            arrived = _Arrived(message.address, sent, self._now_s())
            with self._guard:
                self._arrived.setdefault(message.message_id, arrived)

    def _hand_on(self, now_s: float) -> None:
        with self._guard:
            waiting = [each for each in self._arrived.values() if not each.handed_on]
        for each in waiting:
            sighting = self._on_shop_clock(each, now_s)
            if sighting is not None:
                self._inbox.send(SIGHTINGS, sighting)
                each.handed_on = True

    def _let_go(self) -> None:
        """Forget what the ledger has."""
        with self._guard:
            ended = [
                name
                for name, each in self._arrived.items()
                if each.handed_on and self._is_recorded(name)
            ]
        for name in ended:
            try:
                self._outbox.drop(name)
            except LedgerError:
                _LOGGER.exception("event %s cannot be taken out of the outbox now", name)
                return
            with self._guard:
                del self._arrived[name]

    def _on_shop_clock(self, each: _Arrived, now_s: float) -> Sighting | None:
        """The sighting in the shop's time; ``None`` while its clock may yet become known."""
        sighting, event = each.sent.sighting(), each.sent.event
        with self._guard:
            device = self._devices.get(each.device) or _Device(DeviceClock(self._clock))
            known = device.clock.shop_time(each.sent.clock, event.ended_at_s)
        good_enough_s = self._settings.clock_error_s
        if known is None or known.error_s > good_enough_s:
            if now_s - each.at_s < _CLOCK_WAITS_S:
                return None
            if known is None:
                ago_s = self._wall_time_s() - each.sent.wall_time_s
                shifted = _shifted(sighting, now_s - ago_s - event.ended_at_s)
                reason = f"the clock of device {each.device} was not known when it happened"
            else:
                shifted = _shifted(sighting, known.at_s - event.ended_at_s)
                reason = (
                    f"the clock of device {each.device} is known to {known.error_s:.1f} s only, "
                    f"{good_enough_s:g} s are needed"
                )
            return replace(shifted, doubt=reason)
        return _shifted(sighting, known.at_s - event.ended_at_s)


def _shifted(sighting: Sighting, by_s: float) -> Sighting:
    if by_s == 0:
        return sighting
    event: InteractionEvent = sighting.seen.event
    contact_at_s = event.contact_at_s
    moved = replace(
        event,
        started_at_s=event.started_at_s + by_s,
        ended_at_s=event.ended_at_s + by_s,
        contact_at_s=None if contact_at_s is None else contact_at_s + by_s,
    )
    return replace(
        sighting,
        seen=replace(sighting.seen, event=moved),
        settled_at_s=sighting.settled_at_s + by_s,
    )
