"""The review queue by keyboard: what is sent, what is taken back, what waits."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from edge.checkout.basket import Moment, Settlement
from edge.checkout.correcting import Verdict
from tests.edge.dashboard.browser import scenes
from tests.edge.dashboard.browser.conftest import Visiting
from tests.edge.dashboard.serving import Site


@pytest.fixture
def queue(site: Site) -> Site:
    """A shop in which nothing waits."""
    for review in site.store.desk.shop.open_reviews():
        _settle(site, review.review_id)
    return site


def _settle(site: Site, review_id: str) -> None:
    verdict = Verdict("somebody else", None, None, 0)
    at = Moment(1000.0, scenes.wall_time_s(site))
    site.store.desk.settle_review(review_id, verdict, at=at)


def _settlement(site: Site, review_id: str) -> Settlement | None:
    return site.store.desk.shop.review(review_id).settlement


def _open(visiting: Visiting, site: Site) -> Page:
    visitor = visiting(site.url)
    visitor.sign_in("staff")
    return visitor.go("/review")


def _reach_the_ledger(page: Page, site: Site, review_id: str) -> Settlement:
    """What was said, sent by moving on."""
    page.get_by_role("link", name="Stock").click()
    page.wait_for_url("**/stock")
    for _ in range(100):
        settlement = _settlement(site, review_id)
        if settlement is not None:
            return settlement
        page.wait_for_timeout(50)
    raise AssertionError(f"{review_id} was not settled")


def test_what_was_said_can_be_taken_back_and_said_again(queue: Site, visiting: Visiting) -> None:
    one, two = scenes.sold(queue)[:2]
    review = scenes.ask(queue, "undone", ["c-1"], [one, two])
    page = _open(visiting, queue)
    page.keyboard.press("1")
    expect(page.get_by_text("All settled")).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator(".candidate")).to_have_count(2)
    assert _settlement(queue, review) is None
    page.keyboard.press("2")
    ended = _reach_the_ledger(page, queue, review)
    assert (ended.sku, ended.session_id, ended.quantity) == (two, "c-1", 1)
    assert ended.reviewer == "staff"


def test_of_several_shoppers_one_is_named_by_a_letter(queue: Site, visiting: Visiting) -> None:
    one, two = scenes.sold(queue)[:2]
    review = scenes.ask(queue, "whose", ["c-1", "c-2"], [one, two])
    page = _open(visiting, queue)
    page.keyboard.press("1")
    expect(page.locator(".whose.asks")).to_be_visible()
    page.keyboard.press("b")
    ended = _reach_the_ledger(page, queue, review)
    assert (ended.sku, ended.session_id) == (one, "c-2")


def test_another_product_is_searched_and_the_next_review_is_there_already(
    queue: Site, visiting: Visiting
) -> None:
    sold = scenes.sold(queue)
    first = scenes.ask(queue, "searched", ["c-1"], sold[:1])
    second = scenes.ask(queue, "next", ["c-1"], sold[1:3])
    page = _open(visiting, queue)
    page.keyboard.press("/")
    page.keyboard.type(queue.store.desk.name_of(sold[-1])[:6])
    page.keyboard.press("Enter")
    expect(page.locator(".candidate")).to_have_count(2)
    page.keyboard.press("0")  # what waits was said; what was said before goes out at once
    expect(page.get_by_text("All settled")).to_be_visible()
    nothing = _reach_the_ledger(page, queue, second)
    assert (nothing.sku, nothing.quantity) == (None, 0)
    ended = _settlement(queue, first)
    assert ended is not None
    assert ended.sku == sold[-1]


def test_who_is_not_sure_leaves_it_to_others(queue: Site, visiting: Visiting) -> None:
    sold = scenes.sold(queue)
    unsure = scenes.ask(queue, "unsure", ["c-1"], sold[:1])
    sure = scenes.ask(queue, "sure", ["c-1"], sold[1:4])
    page = _open(visiting, queue)
    expect(page.locator(".candidate")).to_have_count(1)
    page.keyboard.press("n")
    expect(page.locator(".candidate")).to_have_count(3)
    page.keyboard.press("1")
    expect(page.locator(".candidate")).to_have_count(1)
    expect(page.locator(".seen")).to_contain_text("Not sure was")
    _reach_the_ledger(page, queue, sure)
    assert _settlement(queue, unsure) is None


def test_what_somebody_else_has_settled_goes_away_by_itself(
    queue: Site, visiting: Visiting
) -> None:
    review = scenes.ask(queue, "shared", ["c-1"], scenes.sold(queue)[:2])
    page = _open(visiting, queue)
    expect(page.locator(".candidate")).to_have_count(2)
    _settle(queue, review)
    expect(page.get_by_text("All settled")).to_be_visible()
    expect(page.locator(".settled-lately")).to_contain_text("somebody else")
