"""A shelf device's and the hub's ends of the link, with a real broker and a real outbox between."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.checkout.delivering import Backoff, Delivery
from edge.checkout.ledger_file import LedgerFile
from edge.checkout.mqtt import MqttCourier
from edge.checkout.outbox import Outbox
from edge.interaction.shelf import Seen, StoredCrop
from edge.link.connection import Broker
from edge.link.hub import HubEnd, HubSettings
from edge.link.shelf import Answering, Dispatch
from edge.queues import SIGHTINGS, Inbox
from edge.shop.shelves import Sighting
from edge.workers import Crew, Worker
from tests.edge.checkout.brokers import Mosquitto, wait_for
from tests.edge.checkout.shopping import event

AHEAD_S = 5000.0
"""So far the shelf device's clock is ahead of the hub's."""


def seen(name: str, at_s: float) -> Sighting:
    crop = StoredCrop(f"2026-03-02/{name}.jpg", np.zeros((8, 8, 3), np.uint8))
    told = event(name, at_s=at_s)
    evidence = replace(told.evidence, crops=(crop.name,))
    return Sighting(Seen(replace(told, evidence=evidence), (crop,)), at_s, False)


class ShelfSide:
    """A shelf device without cameras; what it sees is put into its inbox."""

    def __init__(self, folder: Path, port: int, clock: str, name: str = "shelf-a") -> None:
        broker = Broker("127.0.0.1", port, prefix=f"link/{name}", acknowledged_within_s=0.5)
        self.inbox = Inbox((SIGHTINGS,))
        self._file = LedgerFile(folder / f"{name}.sqlite", "demo", "")
        self.outbox = Outbox(self._file)
        self.all_seen = threading.Event()
        self.dispatch = Dispatch(
            self.inbox,
            self.outbox,
            clock=clock,
            wall_time_s=lambda at_s: time.time() - self.now_s() + at_s,
            all_seen=self.all_seen.is_set,
            delivered=lambda: True,
        )
        self.answering = Answering(
            replace(broker, client_id=f"{name}-answers"),
            clock=clock,
            now_s=self.now_s,
            cameras=lambda: (),
            waiting=lambda: self.outbox.counts("hub").waiting,
            dispatch=self.dispatch,
        )
        courier = MqttCourier(replace(broker, client_id=f"{name}-events"))

        def deliver(pulse: object) -> None:
            delivery = Delivery(
                self.outbox,
                "hub",
                courier,
                monotonic_s=time.monotonic,
                wall_time_s=time.time,
                jitter=lambda: 0.0,
                backoff=Backoff(0.2, 0.2),
            )
            with courier:
                delivery.run(self.crew.stopping)

        self.crew = Crew(
            [
                Worker("dispatch", self.dispatch.run),
                Worker("link", self.answering.run),
                Worker("delivery", deliver),
            ],
            time.monotonic,
        )

    def now_s(self) -> float:
        return time.monotonic() + AHEAD_S

    def room_pages(self, pages: int) -> None:
        """How large its file may become."""
        self._file.rows(f"PRAGMA max_page_count = {pages}")

    def see(self, name: str) -> None:
        self.inbox.send(SIGHTINGS, seen(name, self.now_s()))

    def close(self) -> None:
        self.crew.stop(5.0)
        self._file.close()


class HubSide:
    """A hub without a desk; what it would have in its ledger is told by hand."""

    def __init__(self, folder: Path, port: int) -> None:
        self.inbox = Inbox((SIGHTINGS,))
        self.recorded: set[str] = set()
        self._file = LedgerFile(folder / "hub.sqlite", "demo", "")
        self.outbox = Outbox(self._file)
        self.end = HubEnd(
            Broker("127.0.0.1", port, client_id="hub", prefix="link"),
            HubSettings(("shelf-a",), silent_after_s=1.0),
            clock="boot hub",
            now_s=time.monotonic,
            wall_time_s=time.time,
            outbox=self.outbox,
            is_recorded=lambda name: name in self.recorded,
            inbox=self.inbox,
        )
        self.crew = Crew([Worker("link", self.end.run)], time.monotonic)
        self.crew.start()

    def heard(self) -> list[Sighting]:
        found = []
        while (item := self.inbox.take(0.0)) is not None:
            found.append(item[1])
        return found

    def next_heard(self) -> list[Sighting]:
        """What came, at least one thing."""
        first = self.inbox.take(20.0)
        assert first is not None
        return [first[1], *self.heard()]

    def status(self) -> str:
        return self.end.states()[0].status

    def close(self) -> None:
        self.crew.stop(5.0)
        self._file.close()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def shelf(
    opened: ExitStack, folder: Path, port: int, clock: str = "boot shelf", name: str = "shelf-a"
) -> ShelfSide:
    side = ShelfSide(folder, port, clock, name)
    opened.callback(side.close)
    side.crew.start()
    return side


def hub(opened: ExitStack, folder: Path, port: int) -> HubSide:
    side = HubSide(folder, port)
    opened.callback(side.close)
    return side


def test_an_event_comes_once_in_the_shops_time_and_is_kept_until_it_is_in_the_ledger(
    mosquitto: Mosquitto, opened: ExitStack, tmp_path: Path
) -> None:
    device = shelf(opened, tmp_path, mosquitto.port)
    shop = hub(opened, tmp_path, mosquitto.port)
    wait_for(lambda: shop.status() == "well", "an answer")
    device.see("e-1")
    happened_at_s = time.monotonic()
    wait_for(lambda: device.outbox.counts("hub").acknowledged == 1, "the hub's word")
    heard = shop.next_heard()
    told = heard[0].seen
    assert told.event.ended_at_s == pytest.approx(happened_at_s, abs=0.3)
    assert told.event.ended_at_s - told.event.started_at_s == pytest.approx(1.5, abs=1e-3)
    assert heard[0].doubt == ""
    assert told.crops[0].image.shape == (8, 8, 3)
    assert [each.message_id for each in shop.outbox.next_messages("desk")] == ["e-1"]

    device.see("e-1")  # an event that is known goes nowhere a second time
    shop.recorded.add("e-1")
    wait_for(lambda: not shop.outbox.next_messages("desk"), "the hub to let go")
    assert len(heard) == 1
    assert shop.heard() == []


def test_a_hub_that_died_before_the_ledger_had_it_takes_the_event_up_again(
    mosquitto: Mosquitto, opened: ExitStack, tmp_path: Path
) -> None:
    device = shelf(opened, tmp_path, mosquitto.port)
    with ExitStack() as first_life:
        shop = hub(first_life, tmp_path, mosquitto.port)
        wait_for(lambda: shop.status() == "well", "an answer")
        device.see("e-1")
        wait_for(lambda: device.outbox.counts("hub").acknowledged == 1, "the hub's word")
    again = hub(opened, tmp_path, mosquitto.port)
    heard = again.next_heard()
    assert heard[0].seen.event.event_id == "e-1"


def test_a_silent_device_is_named_and_owes_until_it_has_told_everything(
    mosquitto: Mosquitto, opened: ExitStack, tmp_path: Path
) -> None:
    device = shelf(opened, tmp_path, mosquitto.port)
    shop = hub(opened, tmp_path, mosquitto.port)
    wait_for(lambda: shop.status() == "well", "an answer")
    left_at_s = time.monotonic()
    wait_for(lambda: shop.end.owes(left_at_s) == (), "an answer given after that moment")
    mosquitto.kill()
    device.see("e-1")
    wait_for(lambda: shop.status() == "silent", "the silence to be noticed")
    assert "see whether it runs" in shop.end.states()[0].reason
    assert shop.end.owes(time.monotonic()) == ("shelf-a",)
    mosquitto.start()
    wait_for(lambda: shop.status() == "well", "the device to be back")
    wait_for(lambda: device.outbox.counts("hub").acknowledged == 1, "the event to be here")
    wait_for(lambda: shop.end.owes(left_at_s) == (), "everything told")
    assert [each.seen.event.event_id for each in shop.heard()] == ["e-1"]


def test_an_event_of_a_boot_that_is_over_is_doubted(
    mosquitto: Mosquitto, opened: ExitStack, tmp_path: Path
) -> None:
    shop = hub(opened, tmp_path, mosquitto.port)
    with ExitStack() as before:
        lost = shelf(before, tmp_path, 1, clock="boot before")  # nobody listens there
        lost.see("e-1")
        wait_for(lambda: lost.outbox.counts("hub").waiting == 1, "the event to be kept")
    shelf(opened, tmp_path, mosquitto.port)
    heard = shop.next_heard()
    assert "clock of device shelf-a was not known" in heard[0].doubt
    # Its wall clock still says about when it was.
    assert heard[0].seen.event.ended_at_s == pytest.approx(time.monotonic(), abs=20.0)


def test_a_device_that_the_hub_does_not_know_is_refused_and_its_events_are_parked(
    mosquitto: Mosquitto, opened: ExitStack, tmp_path: Path
) -> None:
    shop = hub(opened, tmp_path, mosquitto.port)
    stranger = shelf(opened, tmp_path, mosquitto.port, name="shelf-x")
    stranger.see("e-1")
    wait_for(lambda: bool(stranger.outbox.parked()), "the hub's refusal")
    assert "add it to link.shelf_devices" in stranger.outbox.parked()[0].reason
    assert shop.heard() == []


def test_while_a_shelf_devices_disk_is_full_it_says_so_and_loses_nothing(
    mosquitto: Mosquitto, opened: ExitStack, tmp_path: Path
) -> None:
    device = shelf(opened, tmp_path, mosquitto.port)
    shop = hub(opened, tmp_path, mosquitto.port)
    wait_for(lambda: shop.status() == "well", "an answer")
    device.room_pages(1)
    for number in range(20):
        device.see(f"e-{number:02d}")
    wait_for(lambda: shop.status() == "sick", "the trouble to be told")
    assert "cannot be written" in shop.end.states()[0].reason
    assert shop.end.owes(0.0) == ("shelf-a",)
    device.room_pages(2**20)
    wait_for(lambda: device.outbox.counts("hub").acknowledged == 20, "all events to be here")
    wait_for(lambda: shop.status() == "well", "the trouble to be over")
    assert len({each.seen.event.event_id for each in shop.heard()}) == 20
