"""The desk's worker: takes up what was seen and who checked in, one after the other.

Owns what happens while the ledger or the evidence cannot be written: it is said loudly, nothing is
charged, nothing that was seen is dropped, and all of it is written once there is room again. A
check-in that cannot be written is refused, so whoever stands at the door knows.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from functools import partial
from typing import Final

from edge.checkout.entries import Entry, ReceiptIssued
from edge.checkout.receipt import Receipt
from edge.errors import CheckoutError, LedgerError
from edge.evidence import EvidenceFolder
from edge.queues import CHECK_INS, Inbox
from edge.shop.attendant import Attendant
from edge.shop.checkin import RecordedCheckIn
from edge.shop.shelves import Sighting
from edge.stages import StageClock
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


@dataclass(frozen=True, eq=False)
class AskedAtDesk:
    """A check-in and where its answer goes.

    Attributes:
        checkin: The check-in.
        answer: Done when it is in the ledger.
    """

    checkin: CheckIn
    answer: Future[None]


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
    ) -> None:
        self.trouble: str | None = None
        self.floor_view = FloorView()
        self._attendant = attendant
        self._inbox = inbox
        self._evidence = evidence
        self._recorded = list(recorded)
        self._store_id = store_id
        self._now_s = now_s
        self._stages = stages
        self._all_seen = all_seen
        self._on_receipt = on_receipt
        self._sightings: deque[Sighting] = deque()

    def run(self, pulse: Pulse) -> None:
        """Work until told to stop, or until a recording is over and all of it charged."""
        while not pulse.stop.is_set():
            pulse.beat()
            over = self._all_seen()
            taken = self._inbox.take(_LOOKS_EVERY_S)
            now_s = self._now_s()
            with self._stages.stage("desk"):
                self._check_in_recorded(now_s)
                if taken is not None:
                    self._take_up(taken[1])
                self._tell_sightings(now_s)
                self._safely(partial(self._attendant.passed, now_s))
                attendant = self._attendant
                self.floor_view = FloorView(attendant.moment, attendant.sessions.sessions())
                done = over and taken is None and not self._sightings
                if done and self._safely(partial(attendant.finish, now_s)):
                    return

    def ask(self, checkin: CheckIn, timeout_s: float) -> None:
        """Check somebody in and wait for the ledger; from any thread.

        Raises:
            CheckoutError: It cannot be, or the desk did not answer in time.
            QueueFullError: Too many wait at the desk.
        """
        asked = AskedAtDesk(checkin, Future())
        self._inbox.send(CHECK_INS, asked, timeout_s)
        try:
            asked.answer.result(timeout_s)
        except FutureTimeoutError as err:
            raise CheckoutError("the desk did not answer in time; ask again") from err

    def _take_up(self, item: object) -> None:
        if isinstance(item, AskedAtDesk):
            try:
                entries = self._attendant.check_in(item.checkin)
            except CheckoutError as err:
                item.answer.set_exception(err)
            else:
                self._tell(entries)
                item.answer.set_result(None)
        elif isinstance(item, FloorMoment):
            self._safely(partial(self._attendant.moved, item))
        elif isinstance(item, Sighting):
            self._sightings.append(item)

    def _tell_sightings(self, now_s: float) -> None:
        """Say at the desk what was seen, once its crops are safe; the floor goes on meanwhile."""
        while self._sightings and self._kept(self._sightings[0]):
            sighting = self._sightings.popleft()
            saw = partial(
                self._attendant.saw,
                sighting.seen.event,
                now_s,
                camera_sick=sighting.camera_sick,
                doubt=sighting.doubt,
            )
            self._safely(saw)

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
            if isinstance(entry, ReceiptIssued):
                self._on_receipt(entry.receipt)
