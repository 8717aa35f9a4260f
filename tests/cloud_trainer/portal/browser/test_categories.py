"""An operator has categories proposed, looks at the map, and takes what makes sense."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.cloud_trainer.portal.browser.conftest import Visiting
from tests.cloud_trainer.portal.browser.site import CATEGORY, PortalSite
from web.access import Asking


def test_a_proposal_is_made_looked_at_and_taken_but_for_what_is_not_wanted(
    site: PortalSite, visiting: Visiting
) -> None:
    visitor = visiting(site.url)
    visitor.enter("operator")
    page = visitor.go("/categories")
    page.get_by_role("button", name="Make a proposal").click()
    # 7 is another edition of 6: both look like each other and like nothing else.
    moves = page.locator(".moves li")
    expect(moves).to_have_count(2, timeout=60_000)
    expect(page.locator("svg g.place")).to_have_count(4)
    page.locator("svg g.place.moved").first.click()
    expect(page.get_by_text(f"{CATEGORY} → looks-1")).to_be_visible()
    moves.filter(has_text="Carton 7").get_by_role("checkbox").uncheck()
    page.get_by_role("button", name="Move 1 product").click()
    page.get_by_role("dialog").get_by_role("button", name="Arrange").click()
    expect(page.locator(".toast")).to_contain_text("1 product was moved")
    expect(moves).to_have_count(1)
    expect(moves).to_contain_text("Carton 7")
    ole, portal = Asking("ole", "operator"), site.server.portal
    assert portal.product(ole, "carton-06").category == "looks-1"
    assert portal.product(ole, "carton-07").category == CATEGORY
