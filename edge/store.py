"""One shop at work: its cameras, shelves, floor, desk and deliveries as a table of workers.

Owns the wiring of the live device. What is seen goes through the channels of ``edge.queues`` to the
desk, the only one who writes; all others read frozen values. Does not own the process (signals,
logs, the command line): that is ``edge.cli.run``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from edge.attendant import Attendant, Departure
from edge.cameras.clock import Clock, RecordingStart
from edge.cameras.newest import CameraState, NewestFrame
from edge.cameras.settings import open_camera
from edge.checkin import AskedCheckIn
from edge.checkout.desk import Desk
from edge.checkout.ledger import Ledger
from edge.checkout.message import Receiver
from edge.checkout.outbox import Outbox
from edge.checkout.receipt import Receipt
from edge.config import StoreConfig
from edge.couriers import delivery_body, make_couriers
from edge.deskwork import DeskWork, FloorView
from edge.errors import ConfigError
from edge.evidence import EvidenceFolder
from edge.looking import LookingAtFloor, LookingAtShelves
from edge.premises import Premises
from edge.queues import CHECK_INS, MOMENTS, SIGHTINGS, Inbox, QueueState
from edge.replay import (
    EVIDENCE_NAME,
    LEDGER_NAME,
    CameraRun,
    RunCost,
    peak_memory_bytes,
    run_name,
)
from edge.shelves import ShelfCamera
from edge.stages import StageClock
from edge.tracking.session import CheckIn
from edge.workers import Pulse, Worker

_RETENTION_EVERY_S: Final = 3600.0
_STARTS_AFTER_S: Final = 0.5
_WATCHDOG_S: Final = 30.0
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
    ) -> None:
        config = premises.config
        self.premises = premises
        self.config = config
        self.stages = StageClock()
        self.inbox = Inbox((CHECK_INS, SIGHTINGS, MOMENTS))
        self._clock = clock
        self._couriers = make_couriers(config, environment)
        self._zero = self._second_zero()
        self.cameras = self._make_cameras()
        self._shelves = self._look_at_shelves()
        self._floor = LookingAtFloor(
            self._cameras_of(premises.cameras_of("overhead")),
            self.inbox,
            self.stages,
            premises.make_floor(),
        )
        state.mkdir(parents=True, exist_ok=True)
        self.evidence = EvidenceFolder(state / EVIDENCE_NAME)
        self.ledger = _opened_ledger(state, config)
        try:
            self.desk = Desk(
                self.ledger, config.store.terms, premises.products, tuple(self._couriers)
            )
        except BaseException:
            self.ledger.close()
            raise
        self.outbox = Outbox(self.ledger.file)
        self._attendant = Attendant(
            self.desk,
            premises.make_sessions(),
            premises.calibration.fixtures,
            self.wall_time_s,
            config.checkout,
            config.floor.reach,
        )
        self._work = DeskWork(
            self._attendant,
            self.inbox,
            self.evidence,
            recorded=premises.checkins,
            store_id=config.store.id,
            now_s=self.now_s,
            stages=self.stages,
            all_seen=lambda: self._shelves.over.is_set() and self._floor.over.is_set(),
            on_receipt=on_receipt,
        )
        self._began_s = clock.monotonic_s()

    def close(self) -> None:
        """Let go of the ledger; after all workers have ended."""
        self.ledger.close()

    def workers(self) -> tuple[Worker, ...]:
        """The table of workers."""
        cameras = (
            Worker(f"camera {name}", self._camera_body(newest))
            for name, newest in self.cameras.items()
        )
        deliveries = (
            Worker(
                f"delivery {receiver}",
                delivery_body(self.outbox, receiver, courier, self._clock),
            )
            for receiver, courier in self._couriers.items()
        )
        return (
            *cameras,
            Worker("shelves", self._shelves.run, watchdog_s=_WATCHDOG_S),
            Worker("floor", self._floor.run, watchdog_s=_WATCHDOG_S),
            Worker("desk", self._work.run, watchdog_s=_WATCHDOG_S),
            *deliveries,
            Worker("retention", self._forget),
        )

    @property
    def departures(self) -> tuple[Departure, ...]:
        """Who left when, and when the receipt was there."""
        return tuple(self._attendant.departures)

    @property
    def receivers(self) -> tuple[Receiver, ...]:
        """Who is told of receipts."""
        return tuple(self._couriers)

    @property
    def floor_view(self) -> FloorView:
        """Who is where."""
        return self._work.floor_view

    @property
    def ledger_trouble(self) -> str | None:
        """Why nothing can be charged now; ``None`` when it can."""
        return self._work.trouble

    def now_s(self) -> float:
        """Now, on the clock of frames."""
        return self._clock.monotonic_s() - self._zero.monotonic_s

    def wall_time_s(self, captured_at_s: float) -> float:
        """Wall time of a moment on the clock of frames; a recording keeps its own."""
        if self.config.is_recorded:
            return self._zero.wall_time_s + captured_at_s
        return self._clock.wall_time_s() - self.now_s() + captured_at_s

    def camera_states(self) -> tuple[CameraState, ...]:
        """How the cameras are, by name."""
        return tuple(newest.state for newest in self.cameras.values())

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
        self._work.ask(checkin, timeout_s)
        return checkin

    def reload(self, config: StoreConfig) -> tuple[str, ...]:
        """Take up what can change while the shop is open.

        Args:
            config: The configuration as it is now.

        Returns:
            Names of the settings that differ and wait for a restart.
        """
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

    def _second_zero(self) -> RecordingStart:
        """Second 0 of the clock of frames: a recording's beginning, or the device's own zero."""
        if not self.config.is_recorded:
            return RecordingStart(0.0, 0.0)
        opened_s = self.config.store.opened_at.timestamp()
        return RecordingStart(self._clock.monotonic_s() + _STARTS_AFTER_S, opened_s)

    def _make_cameras(self) -> dict[str, NewestFrame]:
        cameras = {}
        for name, settings in sorted(self.config.cameras.items()):
            source = open_camera(
                name, settings, self._clock, folder=self.premises.folder, start=self._zero
            )
            cameras[name] = NewestFrame(source, self._clock, settings.watch)
        return cameras

    def _cameras_of(self, names: tuple[str, ...]) -> dict[str, NewestFrame]:
        return {name: self.cameras[name] for name in names}

    def _look_at_shelves(self) -> LookingAtShelves:
        config = self.config
        begins_s = 0.0 if config.is_recorded else self.now_s()
        run = run_name(datetime.fromtimestamp(self.wall_time_s(begins_s), timezone.utc))
        shelves = {
            name: ShelfCamera(watch, run, config.cameras[name].stall_after_s)
            for name, watch in self.premises.make_shelves(self.stages).items()
        }
        return LookingAtShelves(self._cameras_of(tuple(shelves)), self.inbox, self.stages, shelves)

    def _camera_body(self, newest: NewestFrame) -> Callable[[Pulse], None]:
        def body(pulse: Pulse) -> None:
            with self.stages.stage("decode"):
                newest.run(pulse.stop)

        return body

    def _forget(self, pulse: Pulse) -> None:
        while not pulse.stop.is_set():
            now_s, days = self._clock.wall_time_s(), self.config.evidence_days
            # What a recording shows happened when it was taken, however long ago.
            if not self.config.is_recorded:
                self.evidence.forget(now_s, days)
            self.outbox.forget_acknowledged(now_s - days * _DAY_S)
            pulse.stop.wait(_RETENTION_EVERY_S)


def _opened_ledger(state: Path, config: StoreConfig) -> Ledger:
    ledger = Ledger(state / LEDGER_NAME, config.store.id)
    if config.is_recorded and any(True for _ in ledger.entries()):
        ledger.close()
        raise ConfigError([f"{state}: a recording was played into it before; name an empty folder"])
    return ledger
