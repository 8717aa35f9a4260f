from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.checkout.entries import Entry
from edge.checkout.ledger import Ledger
from edge.checkout.receipt import Receipt
from edge.errors import CheckoutError, LedgerError
from edge.evidence import EvidenceFolder
from edge.interaction.shelf import Seen, StoredCrop
from edge.queues import ASKED, MOMENTS, SIGHTINGS, Inbox
from edge.shop.checkin import RecordedCheckIn
from edge.shop.deskwork import DeskWork
from edge.shop.shelves import Sighting
from edge.stages import StageClock
from edge.tracking.session import CheckIn
from edge.workers import Crew, Worker
from tests.edge.checkout.shopping import event, moment, open_ledger
from tests.edge.shop.test_attendant import SHELF, Day


class AtWork:
    """A desk's worker at work in a thread; the floor was told before it began."""

    def __init__(
        self,
        ledger: Ledger,
        folder: Path,
        recorded: tuple[RecordedCheckIn, ...],
        *,
        stays_open: bool = False,
    ) -> None:
        self.day = Day(ledger)
        self.day.come_in("ann", "t-1")
        self.day.look_for(4, ("t-1", SHELF))
        self.inbox = Inbox((ASKED, SIGHTINGS, MOMENTS))
        self.evidence = EvidenceFolder(folder)
        self.all_seen = threading.Event()
        self.receipts: list[Receipt] = []
        self.work = DeskWork(
            self.day.attendant,
            self.inbox,
            self.evidence,
            recorded=recorded,
            store_id="demo",
            now_s=lambda: self.day.now_s,
            stages=StageClock(),
            all_seen=self.all_seen.is_set,
            on_receipt=self.receipts.append,
            stays_open=stays_open,
        )
        self.crew = Crew([Worker("desk", self.work.run)], time.monotonic)

    def sighting(self, name: str = "e-1") -> Sighting:
        crop = StoredCrop(f"2026-03-02/{name}.jpg", np.zeros((8, 8, 3), np.uint8))
        return Sighting(
            Seen(event(name, at_s=self.day.now_s - 0.6), (crop,)), self.day.now_s, False
        )

    def held(self) -> int:
        return self.day.desk.shop.basket("ann").held("milk")


def until(condition: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends_s
        time.sleep(0.005)


@pytest.fixture
def at_work(tmp_path: Path) -> Iterator[AtWork]:
    recorded = RecordedCheckIn(
        checkin_id="rec-1", at_s=0.5, token="t", shopper="recorded", group="rec-1"
    )
    with open_ledger(tmp_path) as ledger:
        desk = AtWork(ledger, tmp_path / "evidence", (recorded,))
        desk.crew.start()
        yield desk
        assert desk.crew.stop(30) == ()


def test_what_was_seen_is_charged_with_its_crop(at_work: AtWork) -> None:
    at_work.inbox.send(SIGHTINGS, at_work.sighting())
    until(lambda: at_work.held() == 1)
    assert at_work.evidence.read("2026-03-02/e-1.jpg") is not None


def test_while_evidence_cannot_be_written_nothing_is_charged_and_nothing_is_lost(
    at_work: AtWork, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "evidence" / "2026-03-02"
    in_the_way.write_text("no folder")
    at_work.inbox.send(SIGHTINGS, at_work.sighting())
    with caplog.at_level(logging.WARNING):
        until(lambda: at_work.work.trouble is not None)
        at_work.work.check_in(CheckIn("bob", 6.0, "hash", "bob", "shopper", "bob"), timeout_s=30)
        assert at_work.held() == 0
        in_the_way.unlink()
        until(lambda: at_work.held() == 1)
    assert at_work.work.trouble is None
    said = [record.message for record in caplog.records]
    assert said[0].startswith("nothing is charged now: evidence")
    assert said[-1] == "ledger and evidence can be written again"


def test_a_check_in_is_answered_when_it_is_in_the_ledger(at_work: AtWork) -> None:
    at_work.work.check_in(CheckIn("bob", 6.0, "hash", "bob", "shopper", "bob"), timeout_s=30)
    assert at_work.day.desk.shop.basket("bob").is_open
    with pytest.raises(CheckoutError, match="check in alone"):
        at_work.work.check_in(CheckIn("sam", 6.0, "hash", "sam", "staff", "bob"), timeout_s=30)


def test_nobody_waits_for_ever_at_a_desk_that_does_not_answer(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        desk = AtWork(ledger, tmp_path / "evidence", ())
        with pytest.raises(CheckoutError, match="did not answer in time; ask again"):
            desk.work.check_in(CheckIn("bob", 6.0, "hash", "bob", "shopper", "bob"), timeout_s=0.01)


def test_what_nobody_waits_for_any_more_is_not_done_later(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        desk = AtWork(ledger, tmp_path / "evidence", ())
        done: list[str] = []

        def step(name: str) -> tuple[Entry, ...]:
            done.append(name)
            return ()

        with pytest.raises(CheckoutError):
            desk.work.ask(lambda: step("given up"), timeout_s=0.01)
        desk.crew.start()
        desk.work.ask(lambda: step("waited for"), timeout_s=30)
        assert desk.crew.stop(30) == ()
    assert done == ["waited for"]


def test_whoever_settles_something_is_told_what_is_in_the_ledger(at_work: AtWork) -> None:
    at_work.inbox.send(SIGHTINGS, at_work.sighting())
    until(lambda: at_work.held() == 1)
    desk, at = at_work.day.desk, moment(at_work.day.now_s)
    entries = at_work.work.ask(lambda: desk.close("ann", "staff", at=at), timeout_s=30)
    assert [entry.kind for entry in entries] == ["session_closed", "receipt_issued"]
    assert [receipt.quantities() for receipt in at_work.receipts] == [{"milk": 1}]


@pytest.mark.parametrize(
    ("err", "said"),
    [
        (CheckoutError("settled before"), ""),
        (
            LedgerError("the disk is full"),
            "what was asked at the desk is refused: the disk is full",
        ),
        (ZeroDivisionError("a fault"), "what was asked at the desk failed"),
    ],
)
def test_what_cannot_be_done_is_refused_and_the_desk_works_on(
    at_work: AtWork, err: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    def step() -> tuple[Entry, ...]:
        raise err

    with pytest.raises(type(err), match=str(err)):
        at_work.work.ask(step, timeout_s=30)
    assert said in caplog.text
    at_work.inbox.send(SIGHTINGS, at_work.sighting())
    until(lambda: at_work.held() == 1)
    assert at_work.crew.states[0].restarts == 0


def test_people_are_answered_after_the_end_of_a_recording_where_the_shop_stays_open(
    tmp_path: Path,
) -> None:
    with open_ledger(tmp_path) as ledger:
        desk = AtWork(ledger, tmp_path / "evidence", (), stays_open=True)
        desk.all_seen.set()
        desk.crew.start()
        until(lambda: desk.work.over)
        (receipt,) = desk.receipts
        assert not desk.crew.has_ended("desk")
        desk.work.check_in(CheckIn("bob", 6.0, "hash", "bob", "shopper", "bob"), timeout_s=30)
        assert desk.day.desk.shop.basket("bob").is_open
        assert desk.crew.stop(30) == ()


def test_at_the_end_of_a_recording_everybody_gets_a_receipt(at_work: AtWork) -> None:
    until(lambda: "rec-1" in at_work.day.desk.shop.baskets)
    at_work.inbox.send(SIGHTINGS, at_work.sighting())
    at_work.all_seen.set()
    until(lambda: at_work.crew.has_ended("desk"))
    assert {receipt.session_id: receipt.quantities() for receipt in at_work.receipts} == {
        "ann": {"milk": 1},
        "rec-1": {},
    }
    assert at_work.work.floor_view.moment is not None
