"""The way of a product in short: drawn goods, the smallest network, and nothing is timed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.cloud_trainer.portal.acceptance import play
from tests.cloud_trainer.portal.acceptance_goods import Goods, drawn_goods
from tests.cloud_trainer.portal.acceptance_scene import DEVICES, PASSWORDS, Scene, open_scene
from tests.cloud_trainer.portal.browser.conftest import PortalVisitor, Visiting
from tests.simulators.fleet_broker import NoMosquittoError

PATIENCE_MS = 60_000


@pytest.fixture
def goods(tmp_path: Path) -> Goods:
    """A product that no device knows."""
    return drawn_goods(tmp_path / "goods")


@pytest.fixture
def scene(tmp_path: Path, goods: Goods) -> Iterator[Scene]:
    """Broker, portal and three devices."""
    try:
        with open_scene(tmp_path, goods) as scene:
            yield scene
    except NoMosquittoError as err:
        pytest.skip(str(err))


def test_what_is_approved_is_recognised_everywhere_and_what_is_withdrawn_no_longer(
    scene: Scene, goods: Goods, browser: Browser, visiting: Visiting
) -> None:
    expect.set_options(timeout=PATIENCE_MS)
    try:
        told = play(scene, goods, browser)
        assert set(told.outcomes) == set(DEVICES)
        _what_pages_then_say(visiting(scene.url), goods)
    finally:
        expect.set_options(timeout=5_000)


def _what_pages_then_say(visitor: PortalVisitor, goods: Goods) -> None:
    """The operator sees by which runs, releases and rollouts it came and went."""
    page = visitor.page
    page.set_default_timeout(PATIENCE_MS)
    _sign_in(page, visitor.url)
    visitor.go("/fleet")
    expect(page.locator(".device")).to_have_count(len(DEVICES))
    visitor.go("/rollouts")
    expect(page.get_by_role("region", name="groceries")).to_contain_text("Release")
    visitor.go("/pipeline")
    expect(page.locator("main")).to_contain_text("groceries")
    visitor.go("/bundles")
    expect(page.get_by_role("heading", name="Release 3")).to_be_visible()
    visitor.go("/runs")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.locator("tbody input").first.check()
    page.locator("tbody input").last.check()
    expect(page.locator("table.side thead a")).to_have_count(2)
    page.locator("tbody tr a").first.click()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("Runs")
    page.locator("main .skeleton").wait_for(state="detached")
    visitor.go(f"/products/{goods.sku}")
    expect(page.locator(".history")).to_contain_text("mira withdrew it")


def _sign_in(page: Page, url: str) -> None:
    page.goto("/sign-in")
    page.locator("input[name=name]").fill("ole")
    page.locator("input[type=password]").fill(PASSWORDS["ole"])
    page.locator("button[type=submit]").click()
    page.wait_for_url(url)
