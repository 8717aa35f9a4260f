"""What a hub and a shelf device show, with a real broker between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edge.cameras.clock import SystemClock
from edge.config_file import load_config
from edge.dashboard.shown import ShownShop
from edge.dashboard.shown_shelf import ShownShelfDevice
from edge.dashboard.shown_store import ShownStore
from edge.dashboard.views.reviews import ReviewVerdict
from edge.errors import CheckoutError
from edge.shop.checkin import AskedCheckIn
from edge.shop.premises import Premises, open_premises
from edge.shop.shelf_device import ShelfDevice
from edge.shop.store import Store
from edge.workers import Crew
from tests.edge.checkout.brokers import Mosquitto
from tests.edge.shop.devices import split


def premises_of(file: Path) -> Premises:
    return open_premises(load_config(file), file.parent)


@pytest.fixture(scope="module")
def devices(
    recorded_shop: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ShownShop, ShownShop]]:
    """The hub, and the shelf device that has the shop's shelf camera."""
    folder = tmp_path_factory.mktemp("devices")
    with ExitStack() as opened:
        broker = Mosquitto(folder)
        broker.start()
        opened.callback(broker.kill)
        split(recorded_shop, folder / "shop", broker.port, {"shelf-a": ("shelf-1",)})

        def open_hub() -> Store:
            premises = premises_of(folder / "shop" / "hub.yaml")
            store = Store(premises, folder / "hub", SystemClock(), {}, stays_open=True)
            crew = Crew(store.workers(), time.monotonic)
            crew.start()
            # The last to be opened ends first.
            opened.callback(store.close)
            opened.callback(crew.stop, 20)
            return store

        with ThreadPoolExecutor(1) as pool:
            opening = pool.submit(open_hub)
            premises = premises_of(folder / "shop" / "shelf-a.yaml")
            shelf = ShelfDevice(premises, folder / "shelf-a", SystemClock(), {})
            hub = opening.result(60)
        opened.callback(shelf.close)
        yield ShownStore(hub, lambda: ()), ShownShelfDevice(shelf, lambda: ())


ELSEWHERE: dict[str, Callable[[ShownShop], Any]] = {
    "events": lambda shop: shop.events(),
    "reviews": lambda shop: shop.reviews(),
    "review": lambda shop: shop.review("r-1"),
    "settle": lambda shop: shop.settle("r-1", ReviewVerdict(answer="nothing"), "ann"),
    "pass_on": lambda shop: shop.pass_on("r-1", "ann", ""),
    "basket": lambda shop: shop.basket("s-1"),
    "receipts": lambda shop: shop.receipts(),
    "receipt": lambda shop: shop.receipt("s-1"),
    "receipt_page": lambda shop: shop.receipt_page("s-1"),
    "refund": lambda shop: shop.refund("s-1", "f", "l", 1, reviewer="ann", reason="x"),
    "disputes": lambda shop: shop.disputes(),
    "open_dispute": lambda shop: shop.open_dispute("s-1", "d", "l", 1, reason=""),
    "settle_dispute": lambda shop: shop.settle_dispute("d", True, reviewer="ann", reason=""),
    "check_in": lambda shop: shop.check_in(AskedCheckIn(token="t")),
    "close_session": lambda shop: shop.close_session("s-1"),
    "crop": lambda shop: shop.crop("a.jpg"),
    "labelled": lambda shop: shop.labelled(),
    "labelled_crop": lambda shop: shop.labelled_crop("a.png"),
}


@pytest.mark.parametrize("ask", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_a_shelf_device_sends_people_to_the_hub(
    devices: tuple[ShownShop, ShownShop], ask: Callable[[ShownShop], Any]
) -> None:
    _, shelf = devices
    with pytest.raises(CheckoutError, match="ask the shop's hub"):
        ask(shelf)


def test_a_shelf_device_shows_its_cameras_and_its_shelves(
    devices: tuple[ShownShop, ShownShop],
) -> None:
    _, shelf = devices
    assert (shelf.card.role, shelf.card.device) == ("shelf", "shelf-a")
    assert [each.name for each in shelf.cameras()] == ["shelf-1"]
    assert [each.name for each in shelf.state().cameras] == ["shelf-1"]
    assert shelf.stock().source == "shelves"
    assert {each.name for each in shelf.camera_overlay("shelf-1").facings}
    assert list(shelf.stats().cameras) == ["shelf-1"]
    assert shelf.plan().fixtures
    assert shelf.models().categories


def test_a_hub_shows_its_devices_and_knows_the_shelves_from_its_ledger(
    devices: tuple[ShownShop, ShownShop],
) -> None:
    hub, _ = devices
    assert (hub.card.role, hub.card.device) == ("hub", "hub")
    assert [each.name for each in hub.health_shown().devices] == ["shelf-a"]
    assert hub.stock().source == "ledger"
    assert [each.role for each in hub.cameras()] == ["overhead"]
    assert hub.reviews().items == ()
