"""One shop on several devices, each a process, with a real broker between them."""

from __future__ import annotations

import json
import resource
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from edge.checkout.ledger import Ledger
from edge.checkout.shop import Shop, fold
from edge.config_file import load_config
from edge.shop import playing
from edge.shop.premises import open_premises
from edge.shop.replay import LEDGER_NAME, replay
from edge.shop.shelf_device import OUTBOX_NAME
from tests.edge.checkout.brokers import Mosquitto
from tests.edge.shop.devices import split
from tests.edge.shop.running import Device, running

STORE = "shop-3"
OUTAGE_S = 60.0
SHELF_DEVICES = {"shelf-a": ("shelf-1",), "shelf-b": ("shelf-2",)}


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path)
    broker.start()
    yield broker
    broker.kill()


class Shopful:
    """The processes of one shop."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self.folder = folder
        self._opened = opened

    def start(self, name: str) -> Device:
        store, state = f"{self.folder / name}.yaml", str(self.state(name))
        return self._opened.enter_context(running(store, "--port", "0", "--state", state))

    def state(self, name: str) -> Path:
        return self.folder / f"state-{name}"

    def goes_back_to_its_beginning(self, name: str) -> None:
        """So that there is something left to see, however slowly this machine starts a device."""
        note = self.state(name) / "playing.json"
        assert playing.is_under_way(self.state(name))
        note.write_text(json.dumps({"second_zero_wall_time_s": time.time()}), encoding="utf-8")

    def ledger(self, name: str = "hub") -> Shop:
        with Ledger(self.state(name) / LEDGER_NAME, STORE) as ledger:
            return fold(ledger.entries())

    def written(self, kind: str, name: str = "hub") -> int:
        """Entries of a kind in a ledger that its device is writing."""
        return self._counted("json_extract(content, '$.kind') = ?", kind, name)

    def attributed(self, reason: str, name: str = "hub") -> int:
        """Interactions in a ledger that its device is writing, attributed for a reason."""
        return self._counted("instr(json_extract(content, '$.attribution'), ?)", reason, name)

    def _counted(self, condition: str, value: str, name: str) -> int:
        file = self.state(name) / LEDGER_NAME
        if not file.is_file():
            return 0
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            query = f"SELECT COUNT(*) FROM ledger WHERE {condition}"
            return int(connection.execute(query, (value,)).fetchone()[0])

    def kept_for_hub(self, name: str) -> list[str]:
        """States of what a shelf device has in its outbox."""
        file = self.state(name) / OUTBOX_NAME
        with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            return [state for (state,) in connection.execute("SELECT state FROM outbox")]


def quantities(shop: Shop) -> dict[str, list[dict[str, int]]]:
    """What every version of every receipt says."""
    return {
        name: [each.quantities() for each in versions] for name, versions in shop.receipts.items()
    }


class _Away:
    """What goes away while the shop is open, and what is seen of that."""

    def __init__(self, shop: Shopful, devices: dict[str, Device], mosquitto: Mosquitto) -> None:
        self._shop = shop
        self._devices = devices
        self._mosquitto = mosquitto
        self._hub = devices["hub"]

    def broker_and_a_shelf_device(self, events: int) -> None:
        """From the first shopper's coming to past the leaving; the other device sees everything."""
        shop, hub = self._shop, self._hub
        self._mosquitto.kill()
        self._devices["shelf-a"].kill()
        self._devices["shelf-a"] = shop.start("shelf-a")
        for name in SHELF_DEVICES:
            hub.said(f"device {name} is silent: no answer")
        self._is_not_ready("hub", "device shelf-b is silent")
        self._is_not_ready("shelf-b", "the hub has not asked")
        assert self._devices["shelf-b"].asked("api/v1/state")["cameras"][0]["status"] == "running"
        assert "device_silent" in {each["code"] for each in hub.asked("api/v1/state")["troubles"]}
        hub.until(lambda: shop.kept_for_hub("shelf-b") == ["waiting"] * events)
        hub.said("c-1 closed")
        assert shop.written("receipt_issued") == 0, "a receipt without what the devices saw"
        self._mosquitto.start()
        hub.until(lambda: shop.written("receipt_issued") == 1)
        hub.until(lambda: bool(hub.asked("readyz")["ok"]))

    def room_on_the_disk_of_the_hub(self) -> None:
        """While the second shopper takes something."""
        shop, hub = self._shop, self._hub
        before = shop.written("interaction_recorded")
        room = resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE, (1, room[1]))
        hub.said("event .* of device shelf-a cannot be kept")
        self._is_not_ready("hub", "cannot be written")
        assert shop.written("interaction_recorded") == before
        resource.prlimit(hub.process.pid, resource.RLIMIT_FSIZE, room)
        hub.until(lambda: shop.written("interaction_recorded") > before)

    def _is_not_ready(self, name: str, why: str) -> None:
        ready = self._devices[name].asked("readyz")
        assert not ready["ok"]
        assert any(why in reason for reason in ready["reasons"]), ready


def test_what_goes_away_for_a_while_is_said_loudly_and_changes_no_receipt(
    two_shelf_shop: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    alone = replay(open_premises(load_config(two_shelf_shop), two_shelf_shop), tmp_path / "alone")
    expected = quantities(fold(alone.entries))
    events = Counter(e.event.camera for e in alone.entries if e.kind == "interaction_recorded")
    assert events.keys() == {"shelf-1", "shelf-2"}
    assert [sum(each[-1].values()) > 0 for each in expected.values()] == [True, True]
    with ExitStack() as opened:
        shop = Shopful(tmp_path / "shop", opened)
        split(two_shelf_shop, shop.folder, mosquitto.port, SHELF_DEVICES)
        devices = {name: shop.start(name) for name in (*SHELF_DEVICES, "hub")}
        hub = devices["hub"]
        hub.said("c-1 bound")
        self_healing = _Away(shop, devices, mosquitto)
        self_healing.broker_and_a_shelf_device(events["shelf-2"])
        hub.said("c-2 bound")
        self_healing.room_on_the_disk_of_the_hub()
        assert [each.ended() for each in devices.values()] == [0, 0, 0]
    assert quantities(shop.ledger()) == expected
    assert shop.written("interaction_recorded") == events.total()
    assert shop.kept_for_hub("shelf-b") == ["acknowledged"] * events["shelf-2"]
    assert shop.kept_for_hub("shelf-a") == ["acknowledged"] * events["shelf-1"]


def test_a_broker_that_is_down_for_a_minute_costs_no_event_and_changes_no_receipt(
    two_shelf_shop: Path, mosquitto: Mosquitto, tmp_path: Path
) -> None:
    alone = replay(open_premises(load_config(two_shelf_shop), two_shelf_shop), tmp_path / "alone")
    with ExitStack() as opened:
        shop = Shopful(tmp_path / "shop", opened)
        split(two_shelf_shop, shop.folder, mosquitto.port, SHELF_DEVICES)
        devices = {name: shop.start(name) for name in (*SHELF_DEVICES, "hub")}
        hub = devices["hub"]
        hub.said("c-1 bound")
        mosquitto.kill()
        down_until_s = time.monotonic() + OUTAGE_S
        for name in SHELF_DEVICES:
            hub.said(f"device {name} is silent: no answer")
        hub.said("c-2 closed")
        time.sleep(max(0.0, down_until_s - time.monotonic()))
        assert shop.written("receipt_issued") == 0, "a receipt without what the devices saw"
        mosquitto.start()
        assert [each.ended() for each in devices.values()] == [0, 0, 0]
    assert quantities(shop.ledger()) == quantities(fold(alone.entries))


@pytest.mark.parametrize(
    ("name", "killed_after", "pieces"),
    [("store", "session_opened", []), ("hub", "line_charged", [1])],
)
def test_after_a_kill_baskets_are_open_and_who_came_in_before_is_not_charged_by_guess(
    name: str,
    killed_after: str,
    pieces: list[int],
    two_shelf_shop: Path,
    mosquitto: Mosquitto,
    tmp_path: Path,
) -> None:
    with ExitStack() as opened:
        shop = Shopful(tmp_path / "shop", opened)
        split(two_shelf_shop, shop.folder, mosquitto.port, SHELF_DEVICES)
        for each in SHELF_DEVICES if name == "hub" else ():
            shop.start(each)
        first = shop.start(name)
        first.until(lambda: shop.written(killed_after, name) == 1)
        first.kill()
        if name == "store":
            shop.goes_back_to_its_beginning(name)
        again = shop.start(name)
        basket = again.asked("api/v1/state")["baskets"][0]
        assert (basket["session"], [line["quantity"] for line in basket["lines"]]) == (
            "c-1",
            pieces,
        )
        # Not what was done while the new process could not see the floor yet.
        again.until(
            lambda: shop.attributed("c-1 came in before the device was started again", name) >= 1
        )
        again.until(lambda: shop.written("review_opened", name) >= 1)
        assert shop.written("line_charged", name) == len(pieces)
        again.process.terminate()
        assert again.ended() == 0
    told = shop.ledger(name)
    last = list(told.interactions.values())[-1]
    assert "c-1 came in before the device was started again" in last.attribution
    assert "c-1" in told.open_reviews()[-1].sessions
    assert told.basket("c-1").is_open
