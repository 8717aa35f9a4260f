"""A shelf device's end of the link: events into the outbox, and answers to the hub.

Owns that what was seen is on this device's disk before anything else happens to it, and what the
hub is told about the device. An event leaves the outbox when the hub says that it has it
(``edge.checkout.mqtt``); a hub or a broker that is away costs room on the disk and nothing else.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from pydantic import ValidationError

from edge.cameras.newest import CameraState
from edge.checkout.message import OutgoingMessage
from edge.checkout.outbox import Outbox
from edge.errors import LedgerError
from edge.link.connection import Broker, Connection
from edge.link.messages import Answer, Ask, CameraWord, sent_event
from edge.queues import Inbox
from edge.shop.shelves import Sighting
from edge.workers import Pulse

_LOGGER: Final = logging.getLogger(__name__)
_LOOKS_EVERY_S: Final = 0.1


class Dispatch:
    """Takes what the shelf cameras saw and keeps it for the hub.

    Args:
        inbox: Where sightings come from.
        outbox: Where events wait for the hub.
        clock: Name of the device's clock.
        wall_time_s: Wall time of a moment on it.
        all_seen: Whether nothing can be seen any more, so that an empty inbox is the end.
        delivered: Whether the hub has everything and knows that nothing more will come.
    """

    def __init__(
        self,
        inbox: Inbox,
        outbox: Outbox,
        *,
        clock: str,
        wall_time_s: Callable[[float], float],
        all_seen: Callable[[], bool],
        delivered: Callable[[], bool],
    ) -> None:
        self.trouble: str | None = None
        self.over = threading.Event()
        self._inbox = inbox
        self._outbox = outbox
        self._clock = clock
        self._wall_time_s = wall_time_s
        self._all_seen = all_seen
        self._delivered = delivered
        self._sightings: deque[Sighting] = deque()

    def run(self, pulse: Pulse) -> None:
        """Work until told to stop, or until a recording is over and the hub has all of it."""
        while not pulse.stop.is_set():
            pulse.beat()
            over = self._all_seen()
            taken = self._inbox.take(_LOOKS_EVERY_S)
            if taken is not None:
                self._sightings.append(taken[1])
            while self._sightings and self._kept(self._sightings[0]):
                self._sightings.popleft()
            if over and taken is None and not self._sightings:
                self.over.set()
                if self._delivered():
                    return

    def _kept(self, sighting: Sighting) -> bool:
        event = sighting.seen.event
        body = sent_event(sighting, self._clock, self._wall_time_s(event.ended_at_s))
        try:
            self._outbox.keep(
                OutgoingMessage(
                    event.event_id, "hub", event.event_id, f"events/{event.event_id}", body
                )
            )
        except LedgerError as err:
            if self.trouble != str(err):
                _LOGGER.error("what is seen cannot be kept for the hub: %s", err)
            self.trouble = str(err)
            return False
        if self.trouble is not None:
            _LOGGER.warning("what is seen can be kept again")
        self.trouble = None
        return True


class Answering:
    """Answers the hub's questions.

    Args:
        broker: The shop's broker, its prefix this device's.
        clock: Name of the device's clock.
        now_s: The device's clock.
        cameras: How the cameras are.
        waiting: Events that wait for the hub.
        dispatch: What keeps them.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        clock: str,
        now_s: Callable[[], float],
        cameras: Callable[[], tuple[CameraState, ...]],
        waiting: Callable[[], int],
        dispatch: Dispatch,
    ) -> None:
        self.asked_at_s: float | None = None
        self.said_all = threading.Event()
        self._clock = clock
        self._now_s = now_s
        self._cameras = cameras
        self._waiting = waiting
        self._dispatch = dispatch
        self._topic = f"{broker.prefix}/answer"
        self._connection = Connection(broker, [f"{broker.prefix}/ask"], self._on_ask)

    def run(self, pulse: Pulse) -> None:
        """Answer until told to stop; the body of a worker."""
        with self._connection:
            while not pulse.stop.wait(_LOOKS_EVERY_S):
                pulse.beat()

    def _on_ask(self, topic: str, payload: bytes) -> None:
        received_at_s = self._now_s()
        try:
            ask = Ask.model_validate_json(payload)
        except ValidationError:
            _LOGGER.exception("%s: this is no question", topic)
            return
        self.asked_at_s = received_at_s
        over = self._dispatch.over.is_set()
        try:
            waiting, trouble = self._waiting(), self._dispatch.trouble
        except LedgerError as err:
            waiting, trouble = 1, str(err)
        answer = Answer(
            number=ask.number,
            clock=self._clock,
            received_at_s=received_at_s,
            answered_at_s=self._now_s(),
            cameras=tuple(
                CameraWord(
                    camera=each.camera,
                    status=each.status,
                    reason=each.reason,
                    moved=each.place.reason if each.place.light == "red" else "",
                )
                for each in self._cameras()
            ),
            waiting=waiting,
            trouble=trouble,
            over=over,
        )
        # Without defaults: a hub of an earlier release does not know the newest of them.
        self._connection.publish(self._topic, answer.model_dump_json(exclude_defaults=True))
        if over and not waiting:
            self.said_all.set()
