"""The desk's worker: takes up what was seen and who checked in, one after the other.

Owns what happens while the ledger or the evidence cannot be written: it is said loudly, nothing is
charged, nothing that was seen is dropped, and all of it is written once there is room again. What
people ask for, a check-in or a settled review, is refused when it cannot be written, so whoever
stands there knows.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from edge.checkout.entries import Entry, InteractionRecorded, ReceiptIssued
from edge.checkout.receipt import Receipt
from edge.errors import CheckoutError, LedgerError
from edge.evidence import EvidenceFolder
from edge.queues import ASKED, Inbox
from edge.shop.attendant import Attendant
from edge.shop.checkin import RecordedCheckIn
from edge.shop.shelves import Sighting
from edge.stages import StageClock
from edge.tracing import trace_id
from edge.tracking.session import CheckIn, Session
from edge.tracking.watch import FloorMoment
from edge.workers import Pulse

_LOGGER: Final = logging.getLogger(__name__)
_LOOKS_EVERY_S: Final = 0.1


@dataclass(frozen=True, eq=False)
class FloorView:
    """Who is where, for whoever only looks.

    Attributes:
        moment: The newest look at the floor; ``None`` before the first.
        sessions: All sessions at that moment.
    """

    moment: FloorMoment | None = None
    sessions: tuple[Session, ...] = ()


Step: TypeAlias = Callable[[], tuple[Entry, ...]]


@dataclass(frozen=True, eq=False)
class AskedAtDesk:
    """What somebody asks for and where the answer goes.

    Attributes:
        step: Says it at the desk.
        answer: Its new entries, when they are in the ledger.
    """

    step: Step
    answer: Future[tuple[Entry, ...]]


class DeskWork:
    """Does the desk's work; only its worker's thread touches the attendant.

    Args:
        attendant: Knows what to say at the desk.
        inbox: Where everything comes from.
        evidence: Where crops are kept.
        recorded: Check-ins of a recording, in order; they come by themselves.
        store_id: The shop.
        now_s: The clock of frames.
        stages: Counts what it costs.
        all_seen: Whether nothing can be seen any more, so that an empty inbox is the end.
        on_receipt: Told of every receipt when it is issued.
        stays_open: Whether people are still answered when a recording is over.

    Attributes:
        trouble: Why nothing can be charged now; ``None`` when it can.
        floor_view: Who is where.
        over: Whether a recording is over and all of it charged.
    """

    def __init__(
        self,
        attendant: Attendant,
        inbox: Inbox,
        evidence: EvidenceFolder,
        *,
        recorded: Sequence[RecordedCheckIn],
        store_id: str,
        now_s: Callable[[], float],
        stages: StageClock,
        all_seen: Callable[[], bool],
        on_receipt: Callable[[Receipt], None],
        stays_open: bool = False,
    ) -> None:
        self.trouble: str | None = None
        self.floor_view = FloorView()
        self.over = False
        self._attendant = attendant
        self._inbox = inbox
        self._evidence = evidence
        self._recorded = list(recorded)
        self._store_id = store_id
        self._now_s = now_s
        self._stages = stages
        self._all_seen = all_seen
        self._on_receipt = on_receipt
        self._stays_open = stays_open
        self._sightings: deque[Sighting] = deque()

    def run(self, pulse: Pulse) -> None:
        """Work until told to stop, or until a recording is over and all of it charged."""
        while not pulse.stop.is_set():
            pulse.beat()
            over = self._all_seen()
            taken = self._inbox.take(_LOOKS_EVERY_S)
            now_s = self._now_s()
            with self._stages.stage("desk"):
                if not self.over:
                    self._check_in_recorded(now_s)
                if taken is not None:
                    self._take_up(taken[1])
                if not self.over:
                    self.over = self._charge(now_s, over and taken is None)
            if self.over and not self._stays_open:
                return

    def ask(self, step: Step, timeout_s: float) -> tuple[Entry, ...]:
        """Have something said at the desk and wait for the ledger; from any thread.

        Args:
            step: Says it; the desk's own thread calls it.
            timeout_s: How long to wait for the desk, and again for the answer.

        Returns:
            New entries; none when the same was said before.

        Raises:
            CheckoutError: It cannot be, or the desk did not answer in time; asked again, it is
                the same thing.
            LedgerError: It could not be written.
            QueueFullError: Too many wait at the desk.
        """
        asked = AskedAtDesk(step, Future())
        self._inbox.send(ASKED, asked, timeout_s)
        try:
            return asked.answer.result(timeout_s)
        except FutureTimeoutError as err:
            # Nobody waits for it any more; unless it is being taken up just now, nobody does it.
            asked.answer.cancel()
            raise CheckoutError("the desk did not answer in time; ask again") from err

    def check_in(self, checkin: CheckIn, timeout_s: float) -> None:
        """Check somebody in and wait for the ledger; see ``ask``."""
        self.ask(partial(self._attendant.check_in, checkin), timeout_s)

    def _charge(self, now_s: float, is_last: bool) -> bool:
        """Say what is due; whether that was all there ever will be."""
        attendant = self._attendant
        self._tell_sightings(now_s)
        self._safely(partial(attendant.passed, now_s))
        self.floor_view = FloorView(attendant.moment, attendant.sessions.sessions())
        done = is_last and not self._sightings
        return done and self._safely(partial(attendant.finish, now_s))

    def _take_up(self, item: object) -> None:
        if isinstance(item, AskedAtDesk):
            self._answer(item)
        elif isinstance(item, FloorMoment):
            self._safely(partial(self._attendant.moved, item))
        elif isinstance(item, Sighting):
            self._sightings.append(item)
            self._say_untold()

    def _answer(self, asked: AskedAtDesk) -> None:
        if not asked.answer.set_running_or_notify_cancel():
            return
        try:
            entries = asked.step()
        except CheckoutError as err:
            if isinstance(err, LedgerError):
                _LOGGER.error("what was asked at the desk is refused: %s", err)
            asked.answer.set_exception(err)
        except Exception as err:
            # Whoever asks must not end the shop's work.
            _LOGGER.exception("what was asked at the desk failed")
            asked.answer.set_exception(err)
        else:
            self._tell(entries)
            asked.answer.set_result(entries)

    def _tell_sightings(self, now_s: float) -> None:
        """Say at the desk what was seen, once its crops are safe; the floor goes on meanwhile."""
        while self._sightings and self._kept(self._sightings[0]):
            sighting = self._sightings.popleft()
            self._say_untold()
            saw = partial(
                self._attendant.saw,
                sighting.seen.event,
                now_s,
                camera_sick=sighting.camera_sick,
                doubt=sighting.doubt,
                sleeve=sighting.seen.sleeve,
            )
            self._safely(saw)

    def _say_untold(self) -> None:
        self._attendant.untold = tuple(each.seen.event for each in self._sightings)

    def _kept(self, sighting: Sighting) -> bool:
        try:
            self._evidence.keep(sighting.seen)
        except LedgerError as err:
            self._say(err)
            return False
        self._say(None)
        return True

    def _check_in_recorded(self, now_s: float) -> None:
        while self._recorded and self._recorded[0].at_s <= now_s:
            checkin = self._recorded[0].for_store(self._store_id)
            if not self._safely(partial(self._attendant.check_in, checkin)):
                return
            del self._recorded[0]

    def _safely(self, step: Callable[[], tuple[Entry, ...]]) -> bool:
        """Take a step; while the ledger cannot be written it stays due, and this says so."""
        try:
            entries = step()
        except LedgerError as err:
            self._say(err)
            return False
        if entries:
            self._say(None)
        self._tell(entries)
        return True

    def _say(self, err: LedgerError | None) -> None:
        if err is None and self.trouble is not None:
            _LOGGER.warning("ledger and evidence can be written again")
        elif err is not None and self.trouble != str(err):
            _LOGGER.error("nothing is charged now: %s", err)
        self.trouble = None if err is None else str(err)

    def _tell(self, entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            if isinstance(entry, InteractionRecorded):
                event = entry.event
                _LOGGER.info(
                    "event %s is recorded: %s %d x %s",
                    event.event_id,
                    event.kind,
                    event.quantity,
                    event.sku,
                    extra={"trace": trace_id(self._store_id, event.event_id)},
                )
            elif isinstance(entry, ReceiptIssued):
                self._on_receipt(entry.receipt)
