"""One shop at work: its cameras, shelves, floor, desk and deliveries as a table of workers.

Owns the wiring of a device that does everything, or of the hub of several. What is seen goes
through the channels of ``edge.queues`` to the desk, the only one who writes; all others read frozen
values. Does not own the process (signals, logs, the command line): that is ``edge.cli.run``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from edge.cameras.clock import Clock, RecordingStart
from edge.cameras.newest import CameraState
from edge.checkout.basket import Moment
from edge.checkout.desk import Desk
from edge.checkout.entries import Entry
from edge.checkout.ledger import Ledger
from edge.checkout.message import Receiver
from edge.checkout.outbox import Outbox
from edge.checkout.receipt import Receipt
from edge.config import LinkSettings, StoreConfig
from edge.errors import ConfigError, LedgerError
from edge.evidence import EvidenceFolder
from edge.link.beginning import gather
from edge.link.connection import Broker
from edge.link.hub import DeviceState, HubEnd, HubSettings
from edge.looking import LookingAtFloor
from edge.queues import ASKED, MOMENTS, SIGHTINGS, Inbox, QueueState
from edge.shop import playing
from edge.shop.attendant import Attendant, Departure
from edge.shop.checkin import AskedCheckIn
from edge.shop.couriers import broker_of, delivery_body, make_couriers
from edge.shop.deskwork import DeskWork, FloorView
from edge.shop.eyes import STARTS_AFTER_S, WATCHDOG_S, Eyes, clock_name
from edge.shop.passed import PASSED_NAME, PassedReviews
from edge.shop.places import PLACES_NAME
from edge.shop.premises import Premises
from edge.shop.replay import EVIDENCE_NAME, LEDGER_NAME, CameraRun, RunCost, peak_memory_bytes
from edge.shop.verified import VerifiedEvents, verified_folder
from edge.stages import StageClock
from edge.tracking.session import CheckIn
from edge.workers import Pulse, Worker

_LOGGER: Final = logging.getLogger(__name__)
_RETENTION_EVERY_S: Final = 3600.0
_DAY_S: Final = 86_400.0
# Settings whose change takes effect without a restart; ``floor.reach`` is another.
RELOADABLE: Final = ("checkout", "evidence_days")


class Store:
    """A shop at work.

    Args:
        premises: The shop.
        state: Folder for the ledger and the evidence; made when it does not exist.
        clock: The device's time.
        environment: Where secrets are looked up.
        on_receipt: Told of every receipt when it is issued, by the desk's thread.
        stays_open: Whether people are still answered when a recording is over; then ``over`` says
            that it is, and no worker ends.

    Raises:
        ConfigError: A secret is missing, or a recording was played into this state before.
        LedgerError: The ledger cannot be opened.
    """

    def __init__(
        self,
        premises: Premises,
        state: Path,
        clock: Clock,
        environment: Mapping[str, str],
        on_receipt: Callable[[Receipt], None] = lambda receipt: None,
        *,
        stays_open: bool = False,
    ) -> None:
        config = premises.config
        self.premises = premises
        self.config = config
        self.stages = StageClock()
        self.inbox = Inbox((ASKED, SIGHTINGS, MOMENTS))
        self.ends_with = "desk"
        self._state = state
        self._clock = clock
        self._environment = environment
        self._couriers = make_couriers(config, environment, premises.folder)
        state.mkdir(parents=True, exist_ok=True)
        self.evidence = EvidenceFolder(state / EVIDENCE_NAME)
        self.ledger = _opened_ledger(state, config)
        try:
            self.desk = Desk(
                self.ledger, config.store.terms, premises.products, tuple(self._couriers)
            )
            self.outbox = Outbox(self.ledger.file)
            self.passed = PassedReviews(
                state / PASSED_NAME, {each.review_id for each in self.desk.shop.open_reviews()}
            )
            self.verified = VerifiedEvents(
                verified_folder(config, premises.folder, state),
                self.evidence,
                known=self.desk.shop.reviews.values(),
            )
            self.places = premises.make_places(state / PLACES_NAME)
            floor = premises.make_floor_cameras(self.places)
            self._eyes = Eyes(premises, clock, self.inbox, self.stages, self.places, self._begin)
        except BaseException:
            self.ledger.close()
            raise
        self._floor = LookingAtFloor(
            self._eyes.of(premises.cameras_of("overhead")), self.inbox, self.stages, floor
        )
        self._hub = self._make_hub()
        self._attendant = Attendant(
            self.desk,
            premises.make_sessions(),
            premises.calibration.fixtures,
            self.wall_time_s,
            config.checkout,
            config.floor.reach,
            facings=premises.planogram.facings,
            owing=(lambda until_s: ()) if self._hub is None else self._hub.owes,
            overlooked_by=premises.overlooked_by,
        )
        self._work = DeskWork(
            self._attendant,
            self.inbox,
            self.evidence,
            # A device that joins a recording under way has taken up the earlier ones before.
            recorded=[
                each
                for each in premises.checkins
                if each.checkin_id not in self.desk.shop.session_of_member
            ],
            store_id=config.store.id,
            now_s=self.now_s,
            stages=self.stages,
            all_seen=self._all_seen,
            on_receipt=on_receipt,
            stays_open=stays_open,
        )
        self._began_s = clock.monotonic_s()

    def close(self) -> None:
        """Let go of the ledger; after all workers have ended."""
        self.ledger.close()

    def workers(self) -> tuple[Worker, ...]:
        """The table of workers."""
        deliveries = (
            Worker(
                f"delivery {receiver}",
                delivery_body(self.outbox, receiver, courier, self._clock),
            )
            for receiver, courier in self._couriers.items()
        )
        hub = (Worker("link", self._hub.run, watchdog_s=WATCHDOG_S),) if self._hub else ()
        return (
            *self._eyes.workers(),
            Worker("floor", self._floor.run, watchdog_s=WATCHDOG_S),
            *hub,
            Worker("desk", self._work.run, watchdog_s=WATCHDOG_S),
            *deliveries,
            Worker("retention", self._forget),
        )

    def finished(self) -> None:
        """A recording has come to its end and all of it is in the ledger."""
        playing.end(self._state)

    def parting_words(self) -> str:
        """What is left when the device is told to stop."""
        return f"{len(self.desk.shop.open_baskets())} baskets stay open in the ledger"

    @property
    def state(self) -> Path:
        """Folder of the ledger and the evidence."""
        return self._state

    @property
    def departures(self) -> tuple[Departure, ...]:
        """Who left when, and when the receipt was there."""
        return tuple(self._attendant.departures)

    @property
    def receivers(self) -> tuple[Receiver, ...]:
        """Who is told of receipts."""
        return tuple(self._couriers)

    @property
    def over(self) -> bool:
        """Whether a recording is over and all of it charged."""
        return self._work.over

    @property
    def eyes(self) -> Eyes:
        """The cameras, for whoever only looks."""
        return self._eyes

    @property
    def floor_view(self) -> FloorView:
        """Who is where."""
        return self._work.floor_view

    @property
    def ledger_trouble(self) -> str | None:
        """Why nothing can be charged now; ``None`` when it can."""
        hub = None if self._hub is None else self._hub.trouble
        return self._work.trouble or hub

    def now_s(self) -> float:
        """Now, on the clock of frames."""
        return self._eyes.now_s()

    def wall_time_s(self, captured_at_s: float) -> float:
        """Wall time of a moment on the clock of frames; a recording keeps its own."""
        return self._eyes.wall_time_s(captured_at_s)

    def camera_states(self) -> tuple[CameraState, ...]:
        """How the cameras are, by name."""
        return self._eyes.states()

    def device_states(self) -> tuple[DeviceState, ...]:
        """How the shop's shelf devices are; none where this device does everything."""
        return () if self._hub is None else self._hub.states()

    def queue_states(self) -> tuple[QueueState, ...]:
        """How the channels to the desk are."""
        return self.inbox.states()

    def check_in(self, asked: AskedCheckIn, timeout_s: float = 2.0) -> CheckIn:
        """Check somebody in; from any thread.

        Raises:
            CheckoutError: It cannot be, or the desk did not answer in time; ask again.
            QueueFullError: Too many wait at the desk.
        """
        checkin = asked.at(self.now_s(), self.config.store.id)
        self._work.check_in(checkin, timeout_s)
        return checkin

    def at_desk(
        self, said: Callable[[Moment], tuple[Entry, ...]], timeout_s: float = 5.0
    ) -> tuple[Entry, ...]:
        """Have something said at the desk, at this moment; from any thread.

        Args:
            said: Says it; called by the desk's own thread.
            timeout_s: How long to wait.

        Returns:
            New entries; none when the same was said before.

        Raises:
            CheckoutError: It cannot be, or the desk did not answer in time; ask again.
            QueueFullError: Too many wait at the desk.
        """

        def step() -> tuple[Entry, ...]:
            now_s = self.now_s()
            return said(Moment(now_s, self.wall_time_s(now_s)))

        return self._work.ask(step, timeout_s)

    def reload(self, config: StoreConfig) -> tuple[str, ...]:
        """Take up what can change while the shop is open.

        Args:
            config: The configuration as it is now.

        Returns:
            Names of the settings that differ and wait for a restart.
        """
        self.places.read_again(at_once=True)
        self._attendant.settings = config.checkout
        self._attendant.reach = config.floor.reach
        taken_up: dict[str, object] = {name: getattr(config, name) for name in RELOADABLE}
        taken_up["floor"] = self.config.floor.model_copy(update={"reach": config.floor.reach})
        self.config = self.config.model_copy(update=taken_up)
        return tuple(
            name
            for name in sorted(StoreConfig.model_fields)
            if getattr(config, name) != getattr(self.config, name)
        )

    def forget(self) -> None:
        """Delete what is older than it is kept.

        Raises:
            LedgerError: The disk does not let it now.
            OSError: Likewise.
        """
        days = self.config.evidence_days
        now_s = self.evidence.forgets_at(self._clock.wall_time_s(), days)
        # What a recording shows happened when it was taken, however long ago.
        if not self.config.is_recorded:
            self.evidence.forget(now_s, days)
            self.verified.forget(now_s, days)
            # Nobody can judge what has no pictures any more.
            self.desk.forget(now_s - days * _DAY_S, self.now_s())
        self.outbox.forget_acknowledged(now_s - days * _DAY_S)

    def cost(self) -> RunCost:
        """What the run took so far."""
        shop_s = max(self.now_s(), 0.0)
        cameras = tuple(
            CameraRun(
                state.camera,
                shop_s,
                state.counters.frames_grabbed,
                state.counters.frames_grabbed - state.counters.frames_taken,
            )
            for state in self.camera_states()
        )
        wall_s = self._clock.monotonic_s() - self._began_s
        return RunCost(shop_s, wall_s, self.stages.spent_s(), cameras, peak_memory_bytes())

    def _begin(self) -> RecordingStart:
        """Second 0 of the recording; several devices begin it together."""
        config, link = self.config, self.config.link
        if link is not None and not playing.is_under_way(self._state):
            missing = gather(
                self._make_broker(link, f"{link.device}-begins"),
                link.shelf_devices,
                clock=clock_name(self.premises),
                within_s=link.begins_within_s,
                monotonic_s=self._clock.monotonic_s,
            )
            if missing:
                _LOGGER.error("the recording begins without %s", ", ".join(missing))
        # What several devices begin together, the others have to hear of first.
        after_s = STARTS_AFTER_S if link is None else 4 * STARTS_AFTER_S
        opened_at_s = config.store.opened_at.timestamp()
        return playing.begin(self._state, opened_at_s, self._clock, after_s)

    def _make_broker(self, link: LinkSettings, client_id: str) -> Broker:
        folder = self.premises.folder
        return broker_of(link, self._environment, folder, client_id=client_id, prefix=link.prefix)

    def _make_hub(self) -> HubEnd | None:
        link = self.config.link
        if link is None:
            return None
        return HubEnd(
            self._make_broker(link, link.device),
            HubSettings(link.shelf_devices, link.silent_after_s, link.clock_error_s),
            clock=self._eyes.clock_name,
            now_s=self.now_s,
            wall_time_s=self._clock.wall_time_s,
            outbox=self.outbox,
            is_recorded=lambda name: name in self.desk.shop.interactions,
            inbox=self.inbox,
        )

    def _all_seen(self) -> bool:
        return (
            self._eyes.shelves.over.is_set()
            and self._floor.over.is_set()
            and (self._hub is None or self._hub.all_over())
        )

    def _forget(self, pulse: Pulse) -> None:
        while not pulse.stop.is_set():
            try:
                self.forget()
            except (LedgerError, OSError):
                # A full disk is no reason to end the shop: it is tried again.
                _LOGGER.exception("what is older than it is kept cannot be deleted now")
            pulse.stop.wait(_RETENTION_EVERY_S)


def _opened_ledger(state: Path, config: StoreConfig) -> Ledger:
    ledger = Ledger(state / LEDGER_NAME, config.store.id)
    played = any(True for _ in ledger.entries()) and not playing.is_under_way(state)
    if config.is_recorded and played:
        ledger.close()
        raise ConfigError([f"{state}: a recording was played into it before; name an empty folder"])
    return ledger
