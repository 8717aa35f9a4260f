"""Every page, in both themes and languages: accessible, within its screen, nothing missing."""

from __future__ import annotations

import re
from typing import Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from cloud_trainer.portal.pages import RULES
from tests.cloud_trainer.cost.example import document
from tests.cloud_trainer.portal.browser.conftest import Visiting
from tests.cloud_trainer.portal.browser.site import CATEGORY, PortalSite

_PLACES: Final = (
    *("/", "/products", "/products/carton-06", "/approve", "/import", "/categories"),
    *("/rollouts", "/fleet", "/runs", "/bundles", "/pipeline", "/cost"),
    *("/people", "/keys", "/audit", "/api"),
    f"/compare?first={CATEGORY}/1&second={CATEGORY}/2",
)
_GRAVE: Final = ("serious", "critical")


def _faults(page: Page) -> list[str]:
    found = []
    for theme in ("light", "dark"):
        # Between the themes nothing but colours changes.
        only = {"runOnly": ["color-contrast"]} if theme == "dark" else {}
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        # Colours that are still on their way from one theme to the other are neither's.
        page.wait_for_function(
            """() => document.getAnimations().every((each) =>
                !(each instanceof CSSTransition) || each.playState === "finished")"""
        )
        found += [
            f"{page.url}, {theme}: {each['id']}: {each['nodes'][0]['html']}"
            for each in Axe().run(page, options=only).response["violations"]
            if each["impact"] in _GRAVE
        ]
    return found


def test_every_page_is_accessible_in_both_themes(site: PortalSite, visiting: Visiting) -> None:
    visitor = visiting(site.url)
    faults = _faults(visitor.enter("admin"))
    for address in _PLACES[1:]:
        faults += _faults(visitor.go(address))
    assert faults == []


@pytest.mark.parametrize("size", ["phone", "tablet"])
def test_every_page_fits_its_screen_and_fingers(
    site: PortalSite, visiting: Visiting, size: str
) -> None:
    visitor = visiting(site.url, size, dark=size == "tablet")
    visitor.enter("admin")
    too_wide, too_small = [], {}
    for address in _PLACES:
        page = visitor.go(address)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            too_wide.append(address)
        small = page.evaluate(
            """() => [...document.querySelectorAll("button, .button, .place, .item, select, input")]
              .filter((each) => each.checkVisibility() && !/radio|checkbox|file/.test(each.type))
              .filter((each) => each.getBoundingClientRect().height < 40)
              .map((each) => each.outerHTML.slice(0, 80))"""
        )
        if small:
            too_small[address] = small
    assert (too_wide, too_small) == ([], {})


def test_the_pages_speak_japanese_to_whoever_reads_it(site: PortalSite, visiting: Visiting) -> None:
    visitor = visiting(site.url, "tablet", language="ja")
    page = visitor.enter("admin")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    expect(page.get_by_role("heading", level=1)).to_have_text("ホーム")
    for address in _PLACES:
        visitor.go(address)  # a missing text is an error, and an error fails the test


@pytest.mark.parametrize("role", ["provider", "operator", "developer", "admin"])
def test_everybody_sees_the_places_of_their_role_and_gets_into_each(
    site: PortalSite, visiting: Visiting, role: str
) -> None:
    visitor = visiting(site.url)
    page = visitor.enter(role)
    shown = {str(each.get_attribute("href")) for each in page.locator("nav .place[href]").all()}
    # A product, a run and a comparison are reached from lists; the API from the menu.
    reached = {"/products/{sku}", "/runs/{run_id}", "/compare", "/api"}
    allowed = {rule.path for rule in RULES if role in rule.roles} - reached
    assert shown == allowed
    # An admin's places are looked at above.
    for address in sorted(shown) if role != "admin" else ():
        visitor.go(address)


def test_a_provider_is_not_let_into_other_places(site: PortalSite, visiting: Visiting) -> None:
    visitor = visiting(site.url)
    page = visitor.enter("provider")
    # Not shown as a page: whether a browser then looks for an icon in time is its own affair.
    assert page.request.get("/fleet").status == 403


def test_the_fleet_and_its_rollout_are_watched_and_held(
    site: PortalSite, visiting: Visiting
) -> None:
    visitor = visiting(site.url)
    visitor.enter("operator")
    page = visitor.go("/fleet")
    expect(page.locator(".device").first).to_contain_text("Failing")
    expect(page.locator(".device").first).to_contain_text("golden crops differ")
    expect(page.locator(".device").last).to_contain_text("90%")
    visitor.go("/rollouts")
    card = page.get_by_role("region", name=CATEGORY)
    expect(card).to_contain_text("Rolling out")
    card.get_by_role("button", name="Pause").click()
    page.locator("dialog").get_by_label("Reason").fill("too many questions")
    page.locator("dialog").get_by_role("button", name="Pause").click()
    expect(card).to_contain_text("Paused")
    card.get_by_text("What happened").click()
    expect(card).to_contain_text("too many questions")
    card.get_by_role("button", name="Go on").click()
    page.locator("dialog").get_by_label("Reason").fill("seen")
    page.locator("dialog").get_by_role("button", name="Go on").click()
    expect(card).to_contain_text("Rolling out")


def test_two_bundles_are_compared_on_the_same_photos(site: PortalSite, visiting: Visiting) -> None:
    visitor = visiting(site.url)
    visitor.enter("developer")
    page = visitor.go("/bundles")
    for tick in page.get_by_label("Compare").all():
        tick.check()
    page.get_by_role("link", name="Compare on the same photos").click()
    expect(page.get_by_role("heading", name=f"{CATEGORY}/1")).to_be_visible()
    expect(page.locator("main")).to_contain_text(re.compile("They differ|They agree"))


def test_the_cost_page_comes_to_the_worked_example(site: PortalSite, visiting: Visiting) -> None:
    visitor = visiting(site.url)
    page = visitor.enter("developer")
    given = {
        f"{section}.{name}": value
        for section, each in document().items()
        if isinstance(each, dict)
        for name, value in each.items()
    }
    page.evaluate("(given) => localStorage.setItem('cost', JSON.stringify(given))", given)
    visitor.go("/cost")
    ways = page.locator(".cost-way .sum")
    expect(ways).to_have_text(["$29,826", "$55,780", "$58,920"])
    page.get_by_text("All parts").click()
    table = page.locator(".cost-table").first
    for amount in ("$822.00", "$157.68", "$600.02", "$4,000.00", "$19,710.00", "$29,825.78"):
        expect(table).to_contain_text(amount)
    # One hour more of somebody in the shop costs 300 days x 30.
    page.locator("summary", has_text="People").click()
    page.get_by_label("Somebody in the shop").fill("3")
    page.get_by_label("Somebody in the shop").press("Enter")
    expect(ways.first).to_have_text("$38,826")
    page.get_by_role("button", name="Defaults").click()
    expect(ways.nth(1)).to_have_text("$89,630")


def test_an_admin_says_for_how_long_what_is_kept(site: PortalSite, visiting: Visiting) -> None:
    visitor = visiting(site.url)
    visitor.enter("admin")
    page = visitor.go("/keys")
    roles = page.get_by_role("table").get_by_role("row")
    for role in ("root", "timestamp", "category-"):
        expect(roles.filter(has_text=role).first).to_contain_text("here, signs by itself")
    expect(roles.filter(has_text="root").first).to_contain_text("2 of 3")
    page.get_by_label("Photos of withdrawn products").fill("30")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Saved")
    assert site.server.portal.retention()["withdrawn_photos"] == 30
