"""A day at the desk: a recorded shop is played live before a phone, a tablet and a desktop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from models.bundle import Bundle
from models.delivery import State
from tests.edge.dashboard.browser import scenes
from tests.edge.dashboard.browser.conftest import Visiting
from tests.edge.dashboard.serving import Site, served
from tests.edge.updates.devices import Device, device
from tests.simulators.bundles import make_bundle
from tests.simulators.cloud import Cloud

_SHOPPER: Final = "c-1"


class Updating:
    """A device that serves release 1 while release 2 has just been published.

    Attributes:
        busy: Whether the shop decides something, so that nothing is swapped.
        device: The device.
    """

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self.busy = False
        cloud = Cloud.make(folder / "cloud", categories=("dairy",))
        cloud.publish(bundle.path)
        self.device: Device = device(cloud, folder, bundle, busy=lambda: self.busy)
        self.device.update_to(1)
        more = make_bundle(folder / "more", products=7, category="dairy")
        cloud.publish(more.path, everywhere=True)


@pytest.fixture
def updating(tmp_path: Path, bundle: Bundle) -> Iterator[Updating]:
    """An update that the test lets go on."""
    updating = Updating(tmp_path, bundle)
    with updating.device:
        yield updating


@pytest.fixture
def playing_site(recorded_shop: Path, tmp_path: Path, updating: Updating) -> Iterator[Site]:
    """A shop whose recording begins now."""
    updates = updating.device.updates
    with served(recorded_shop, tmp_path / "state", updates=updates, from_the_start=True) as site:
        yield site


def test_staff_watches_settles_disputes_follows_an_update_and_leaves(
    playing_site: Site, updating: Updating, visiting: Visiting
) -> None:
    site = playing_site
    visitors = {size: visiting(site.url, size) for size in ("desktop", "tablet", "phone")}
    pages = {size: visitor.sign_in("staff") for size, visitor in visitors.items()}

    for page in pages.values():
        page.bring_to_front()
        expect(page.locator(".map .person").first).to_be_visible(timeout=30_000)
        expect(page.locator(".basket .line").first).to_be_visible(timeout=30_000)
        expect(page.locator(".events > li").first).to_contain_text("took 1 ×")

    site.shop.close_session(_SHOPPER)
    stages: dict[str, State] = {
        "desktop": "waiting_to_swap",
        "tablet": "watching",
        "phone": "done",
    }
    for size, page in pages.items():
        page.bring_to_front()
        expect(page.locator("main")).to_contain_text("Just left")
        _settle_by_keyboard(page, site, f"asked-{size}")
        _dispute(page, site)
        updating.busy = stages[size] == "waiting_to_swap"
        updating.device.go_until(stages[size])
        _follow_the_update(page, stages[size])
        _sign_out(page)


def _place(page: Page, name: str) -> None:
    """Go to a place by the navigation, as people do."""
    link = page.get_by_role("navigation").get_by_role("link", name=name)
    if not link.is_visible():
        page.get_by_role("button", name="More").click()
    link.click()


def _version(site: Site) -> int:
    receipt = site.store.desk.shop.latest_receipt(_SHOPPER)
    assert receipt is not None
    return receipt.version


def _settle_by_keyboard(page: Page, site: Site, event_id: str) -> None:
    first, second = scenes.sold(site)[2:4]
    scenes.ask(site, event_id, [_SHOPPER], [first, second])
    asked = _version(site)
    expect(page.locator("#review-count")).not_to_be_empty()
    _place(page, "Review")
    expect(page.locator(".candidate")).to_have_count(2)
    page.keyboard.press("ArrowUp")
    expect(page.locator(".stepper output")).to_have_text("2")
    page.keyboard.press("2")
    name = site.store.desk.name_of(second)
    expect(page.locator(".toast")).to_contain_text(f"2 × {name}: shopper-1")
    # Moving on is as good as waiting: what was said is sent.
    _place(page, "Receipts")
    page.get_by_role("link", name=re.compile("shopper-1")).click()
    line = page.locator(".receipt-line", has=page.get_by_role("heading", name=name, exact=True))
    expect(line).to_contain_text("2 ×")
    expect(line).to_contain_text("Checked by staff")
    assert _version(site) > asked
    expect(page.locator(".story")).to_contain_text(f"version {_version(site)}")


def _dispute(page: Page, site: Site) -> None:
    charged = _version(site)
    line = page.locator(".receipt-line", has_text="Checked by staff")
    name = line.get_by_role("heading").inner_text()
    line.get_by_role("button", name="Dispute").click()
    page.get_by_label("Reason").fill("I put it back")
    page.get_by_role("button", name="Note it").click()
    expect(line).to_contain_text("Disputed")
    page.locator(".disputed").get_by_role("button", name="Shopper is right").click()
    expect(page.locator(".story")).to_contain_text(f"the shopper is right about {name}")
    expect(line).to_have_count(0)
    assert _version(site) > charged


def _follow_the_update(page: Page, stage: str) -> None:
    _place(page, "Models")
    words = {
        "waiting_to_swap": "Waiting for a quiet moment",
        "watching": "Watching it work",
        "done": "Up to date",
    }
    expect(page.locator(".model header")).to_contain_text(words[stage])
    if stage != "done":
        expect(page.locator(".way .here")).to_have_text(words[stage])
        expect(page.locator(".updating")).to_contain_text("Updating to release 2")


def _sign_out(page: Page) -> None:
    page.get_by_role("button", name="Menu of staff").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.goto("/receipts")
    expect(page).to_have_url(re.compile(r"/sign-in\?next="))
