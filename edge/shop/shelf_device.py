"""A shelf device at work: cameras before shelves, an outbox, and the link to the shop's hub.

Owns the wiring. It has no ledger, no check-ins and no receipts; what it sees waits on its disk
until the hub has it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge.cameras.clock import Clock, RecordingStart
from edge.cameras.newest import CameraState
from edge.checkout.delivering import Backoff
from edge.checkout.ledger_file import LedgerFile
from edge.checkout.mqtt import MqttCourier
from edge.checkout.outbox import Outbox
from edge.config import LinkSettings, StoreConfig
from edge.errors import LedgerError
from edge.link.beginning import await_hub
from edge.link.connection import Broker
from edge.link.shelf import Answering, Dispatch
from edge.queues import SIGHTINGS, Inbox, QueueState
from edge.shop.couriers import broker_of, delivery_body
from edge.shop.eyes import WATCHDOG_S, Eyes, clock_name
from edge.shop.places import PLACES_NAME
from edge.shop.premises import Premises
from edge.stages import StageClock
from edge.workers import Pulse, Worker

_LOGGER: Final = logging.getLogger(__name__)
OUTBOX_NAME: Final = "outbox.sqlite"
_FORGETS_EVERY_S: Final = 600.0
_FORGETS_AFTER_S: Final = 3600.0
_BACKOFF: Final = Backoff(first_s=0.5, longest_s=5.0)


class ShelfDevice:
    """A shelf device.

    Args:
        premises: The shop, of which this device has some shelf cameras.
        state: Folder for the outbox; made when it does not exist.
        clock: The device's time.
        environment: Where secrets are looked up.

    Raises:
        ConfigError: A secret is missing.
        LedgerError: The outbox cannot be opened.
        LinkError: The hub plays another recording.
    """

    def __init__(
        self, premises: Premises, state: Path, clock: Clock, environment: Mapping[str, str]
    ) -> None:
        link = premises.config.link
        assert link is not None, "a shelf device's configuration has a link"
        self.premises = premises
        self.config = premises.config
        self.stages = StageClock()
        self.inbox = Inbox((SIGHTINGS,))
        self.ends_with = "dispatch"
        self._clock = clock
        self._link: LinkSettings = link
        self._broker = self._make_broker(environment, "begins")
        self.places = premises.make_places(state / PLACES_NAME)
        self._eyes = Eyes(premises, clock, self.inbox, self.stages, self.places, self._begin)
        state.mkdir(parents=True, exist_ok=True)
        self.state = state
        self._file = LedgerFile(state / OUTBOX_NAME, self.config.store.id, "no entries")
        self.outbox = Outbox(self._file)
        self._courier = MqttCourier(self._make_broker(environment, "events"))
        self.dispatch = Dispatch(
            self.inbox,
            self.outbox,
            clock=self._eyes.clock_name,
            wall_time_s=self._eyes.wall_time_s,
            all_seen=self._eyes.shelves.over.is_set,
            delivered=self._is_delivered,
        )
        self._answering = Answering(
            self._make_broker(environment, "answers"),
            clock=self._eyes.clock_name,
            now_s=self._eyes.now_s,
            cameras=self._eyes.states,
            waiting=lambda: self.outbox.counts("hub").waiting,
            dispatch=self.dispatch,
        )
        self._began_s = self._eyes.now_s()

    def close(self) -> None:
        """Let go of the outbox; after all workers have ended."""
        self._file.close()

    def workers(self) -> tuple[Worker, ...]:
        """The table of workers."""
        deliver = delivery_body(self.outbox, "hub", self._courier, self._clock, _BACKOFF)
        return (
            *self._eyes.workers(),
            Worker("dispatch", self.dispatch.run, watchdog_s=WATCHDOG_S),
            Worker("delivery hub", deliver),
            Worker("link", self._answering.run, watchdog_s=WATCHDOG_S),
            Worker("retention", self._forget),
        )

    def finished(self) -> None:
        """A recording has come to its end and the hub has all of it."""

    def parting_words(self) -> str:
        """What is left when the device is told to stop."""
        return f"{self.outbox.counts('hub').waiting} events wait in the outbox for the hub"

    @property
    def eyes(self) -> Eyes:
        """The cameras, for whoever only looks."""
        return self._eyes

    def now_s(self) -> float:
        """Now, on the clock of frames."""
        return self._eyes.now_s()

    def wall_time_s(self, captured_at_s: float) -> float:
        """Wall time of a moment on the clock of frames; a recording keeps its own."""
        return self._eyes.wall_time_s(captured_at_s)

    def camera_states(self) -> tuple[CameraState, ...]:
        """How the cameras are, by name."""
        return self._eyes.states()

    def queue_states(self) -> tuple[QueueState, ...]:
        """How the channel to the outbox is."""
        return self.inbox.states()

    def link_trouble(self) -> str | None:
        """Why the hub does not get what is seen; ``None`` when it does."""
        asked_at_s = self._answering.asked_at_s
        quiet_s = self._eyes.now_s() - (self._began_s if asked_at_s is None else asked_at_s)
        if quiet_s <= self._link.silent_after_s:
            return None
        return (
            f"the hub has not asked for {quiet_s:.0f} s; what is seen waits in the outbox. See "
            "whether the hub and the broker run"
        )

    def reload(self, config: StoreConfig) -> tuple[str, ...]:
        """Take up a new calibration; nothing else of a shelf device changes while it runs.

        Args:
            config: The configuration as it is now.

        Returns:
            Names of the settings that differ and wait for a restart.
        """
        self.places.read_again(at_once=True)
        return tuple(
            name
            for name in sorted(StoreConfig.model_fields)
            if getattr(config, name) != getattr(self.config, name)
        )

    def _make_broker(self, environment: Mapping[str, str], purpose: str) -> Broker:
        link = self._link
        return broker_of(
            link,
            environment,
            self.premises.folder,
            client_id=f"{link.device}-{purpose}",
            prefix=f"{link.prefix}/{link.device}",
        )

    def _begin(self) -> RecordingStart:
        zero_s = await_hub(self._broker, clock=clock_name(self.premises), device_clock=self._clock)
        return RecordingStart(zero_s, self.config.store.opened_at.timestamp())

    def _is_delivered(self) -> bool:
        return self._answering.said_all.is_set()

    def _forget(self, pulse: Pulse) -> None:
        while not pulse.stop.is_set():
            try:
                self.outbox.forget_acknowledged(self._clock.wall_time_s() - _FORGETS_AFTER_S)
            except LedgerError:
                # A full disk is no reason to end the device: it is tried again.
                _LOGGER.exception("what the hub has cannot be forgotten now")
            pulse.stop.wait(_FORGETS_EVERY_S)
