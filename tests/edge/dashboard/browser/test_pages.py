"""Every page, in both themes and languages: accessible, within its screen, nothing missing."""

from __future__ import annotations

from typing import Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.edge.dashboard.browser import scenes
from tests.edge.dashboard.browser.conftest import Visiting
from tests.edge.dashboard.serving import Site
from tests.web.client import PASSWORDS

_PLACES: Final = (
    *("/", "/review", "/receipts", "/receipts/c-1", "/stock", "/cameras", "/cameras/shelf-1"),
    *("/health", "/models", "/api", "/people", "/audit"),
)
_GRAVE: Final = ("serious", "critical")


def _faults(page: Page) -> list[str]:
    found = []
    for theme in ("light", "dark"):
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        # Colours that are still on their way from one theme to the other are neither's.
        page.wait_for_function(
            """() => document.getAnimations().every((each) =>
                !(each instanceof CSSTransition) || each.playState === "finished")"""
        )
        found += [
            f"{page.url}, {theme}: {each['id']}: {each['nodes'][0]['html']}"
            for each in Axe().run(page).response["violations"]
            if each["impact"] in _GRAVE
        ]
    return found


def test_no_page_has_a_serious_fault_of_accessibility_light_or_dark(
    site: Site, visiting: Visiting
) -> None:
    visitor = visiting(site.url, "tablet")
    visitor.page.goto("/sign-in")
    faults = _faults(visitor.page)
    visitor.sign_in("admin")
    scenes.ask(site, "seen", ["c-1", "c-2"], scenes.sold(site)[:3])
    for address in _PLACES:
        faults += _faults(visitor.go(address))
    assert faults == []


@pytest.mark.parametrize("size", ["phone", "tablet"])
def test_every_page_fits_its_screen_and_can_be_touched(
    site: Site, visiting: Visiting, size: str
) -> None:
    visitor = visiting(site.url, size)
    visitor.sign_in("admin")
    too_small, too_wide = {}, []
    for address in _PLACES:
        page = visitor.go(address)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            too_wide.append(address)
        # Links within a sentence are as high as the sentence; all others are for fingers.
        small = page.evaluate(
            """() => [...document.querySelectorAll("button, .button, .place, .item, select, input")]
              .filter((each) => each.checkVisibility() && each.type !== "radio")
              .filter((each) => each.getBoundingClientRect().height < 40)
              .map((each) => each.outerHTML.slice(0, 80))"""
        )
        if small:
            too_small[address] = small
    assert (too_wide, too_small) == ([], {})


def test_the_pages_speak_japanese_to_whoever_reads_it(site: Site, visiting: Visiting) -> None:
    visitor = visiting(site.url, "tablet", language="ja")
    page = visitor.sign_in("admin")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    expect(page.get_by_role("heading", level=1)).to_have_text("いまの店内")
    scenes.ask(site, "seen-ja", ["c-1"], scenes.sold(site)[:2])
    for address in _PLACES:
        visitor.go(address)  # a missing text is an error, and an error fails the test
    expect(page.locator("h1")).to_have_text("監査ログ")


def test_language_and_theme_are_chosen_in_the_menu_and_kept(site: Site, visiting: Visiting) -> None:
    page = visiting(site.url).sign_in("viewer")
    page.get_by_role("button", name="Menu of viewer").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_role("button", name="日本語").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("いまの店内")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_staff_ends_the_visit_of_whoever_left_unseen(site: Site, visiting: Visiting) -> None:
    scenes.enter(site, "late-one")
    page = visiting(site.url).sign_in("staff")
    page.locator(".basket", has_text="late-one").get_by_role("button", name="End visit").click()
    page.locator("dialog").get_by_role("button", name="End visit").click()
    expect(page.locator(".toast")).to_contain_text("The visit has ended")
    expect(page.locator(".basket", has_text="late-one")).to_have_count(0)
    receipt = site.store.desk.shop.latest_receipt("late-one")
    assert receipt is not None
    assert receipt.lines == ()


def test_one_changes_ones_own_password(own_site: Site, visiting: Visiting) -> None:
    page = visiting(own_site.url).sign_in("viewer")
    page.get_by_role("button", name="Menu of viewer").click()
    page.get_by_role("button", name="Change password").click()
    page.get_by_label("Present password").fill(PASSWORDS["viewer"])
    page.get_by_label("New password").fill("quite-another-one")
    page.locator("dialog").get_by_role("button", name="Change password").click()
    expect(page.locator(".toast")).to_contain_text("was changed")
    assert own_site.dashboard.accounts.is_right("viewer", "quite-another-one")


def test_a_viewer_sees_reviews_and_cannot_settle_them(site: Site, visiting: Visiting) -> None:
    scenes.ask(site, "only-seen", ["c-1"], scenes.sold(site)[:2])
    visitor = visiting(site.url)
    visitor.sign_in("viewer")
    page = visitor.go("/review")
    expect(page.locator(".candidate").first).to_be_disabled()
    page.keyboard.press("1")
    expect(page.locator(".toast")).to_have_count(0)
    expect(page.get_by_role("link", name="People")).to_have_count(0)


def test_an_admin_adds_a_person_who_can_sign_in(site: Site, visiting: Visiting) -> None:
    visitor = visiting(site.url)
    visitor.sign_in("admin")
    page = visitor.go("/people")
    page.get_by_role("button", name="Add a person").click()
    page.get_by_label("Name").fill("kenji")
    page.locator("dialog").get_by_role("button", name="Add a person").click()
    password = page.locator(".secret").inner_text()
    page.get_by_role("button", name="I have noted it").click()
    expect(page.get_by_role("row", name="kenji")).to_be_visible()
    visitor.go("/audit")
    expect(page.get_by_role("table")).to_contain_text("admin")
    other = visiting(site.url).page
    other.goto("/sign-in")
    other.get_by_label("Name").fill("kenji")
    other.get_by_label("Password").fill(password)
    other.get_by_role("button", name="Sign in").click()
    other.wait_for_url(site.url)
