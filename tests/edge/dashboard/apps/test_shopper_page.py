from __future__ import annotations

import time
from decimal import Decimal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from edge.events import InteractionEvent
from models.catalogue import Product
from tests.edge.checkout.shopping import event, moment
from tests.edge.dashboard.serving import Site
from tests.edge.score.scored_shops import leave, record

WAIT_MS = 30_000
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def shop(own_site: Site) -> Site:
    """A shop whose recording is over and whose desk works on."""
    give_up_at_s = time.monotonic() + 60
    while not own_site.store.over:
        assert time.monotonic() < give_up_at_s, "the recording does not end"
        time.sleep(0.05)
    return own_site


@pytest.fixture
def goods(shop: Site) -> tuple[Product, Product]:
    """Two products that it sells."""
    first, second, *_ = shop.store.premises.products
    return first, second


def taken(name: str, product: Product, at_s: float, quantity: int = 1) -> InteractionEvent:
    return event(name, sku=product.sku, at_s=at_s, quantity=quantity)


def checked_in(site: Site, name: str) -> str:
    """Check somebody in as an application does; gives the address of the basket."""
    asked = {"token": f"token of {name}", "checkin_id": name, "shopper": name}
    answer = site.app("checkin").post("/api/v1/checkins", json=asked)
    assert answer.status_code in (200, 201), answer.text
    link: str = answer.json()["basket_link"]
    assert link.startswith("/s/")
    return link


def phone(browser: Browser, site: Site, link: str) -> tuple[Page, list[str]]:
    page = browser.new_context(viewport=PHONE, has_touch=True).new_page()  # type: ignore[arg-type]
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(site.url.rstrip("/") + link)
    return page, said


def test_a_shopper_follows_basket_receipt_and_objection_on_a_phone(
    chromium: Browser, shop: Site, goods: tuple[Product, Product]
) -> None:
    desk, bear = shop.store.desk, goods[0]
    link = checked_in(shop, "ann")
    page, said = phone(chromium, shop, link)
    expect(page.get_by_text("Your basket is empty")).to_be_visible()
    record(desk, taken("e-1", bear, 20), "ann")
    expect(page.locator(f'[data-sku="{bear.sku}"]')).to_contain_text(bear.name, timeout=WAIT_MS)
    record(desk, taken("e-2", bear, 25), "ann")
    expect(page.locator(f'[data-sku="{bear.sku}"]')).to_contain_text("2 ×", timeout=WAIT_MS)
    price = bear.price or Decimal(0)
    assert page.locator("#total").inner_text() == f"€{2 * price}"
    page.locator(f'[data-wrong="{bear.sku}"]').click()
    page.get_by_text("I put it back").click()
    page.get_by_label("Tell us more (optional)").fill("it is on the shelf <b>above</b>")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#objections")).to_contain_text("Being looked at")
    expect(page.locator("#objections")).to_contain_text("shelf <b>above</b>")
    (dispute,) = desk.shop.disputes.values()
    assert dispute.opened.quantity == 1
    leave(desk, "ann")
    expect(page.get_by_text("Receipt ann-r1")).to_be_visible(timeout=WAIT_MS)
    desk.settle_dispute(
        dispute.opened.dispute_id, True, reviewer="eve", reason="seen there", at=moment(90)
    )
    page.reload()
    expect(page.get_by_text("You were right")).to_be_visible(timeout=WAIT_MS)
    expect(page.get_by_text("This receipt was corrected")).to_be_visible()
    assert page.locator("#total").inner_text() == f"€{price}"
    # Pictures of these takes were never stored; nothing else may complain.
    assert [each for each in said if "404" not in each] == []


def test_the_page_has_no_serious_accessibility_fault_in_light_and_dark(
    chromium: Browser, shop: Site, goods: tuple[Product, Product]
) -> None:
    desk, (bear, milk) = shop.store.desk, goods
    link = checked_in(shop, "ann")
    record(desk, taken("e-1", bear, 20), "ann")
    record(desk, taken("e-2", milk, 21, quantity=2), "ann")
    for scheme in ("light", "dark"):
        page, _ = phone(chromium, shop, link)
        page.emulate_media(color_scheme=scheme)
        page.locator(f'[data-wrong="{milk.sku}"]').click()
        expect(page.get_by_role("button", name="Send")).to_be_visible()
        assert _faults(page) == []
        page.locator("dialog").get_by_role("button", name="Cancel").click()
        expect(page.locator("dialog")).to_have_count(0)
        assert _faults(page) == []
        widest = page.evaluate("document.documentElement.scrollWidth")
        assert widest <= PHONE["width"]
        page.context.close()


def _faults(page: Page) -> list[tuple[str, str]]:
    found = Axe().run(page).response["violations"]
    return [
        (each["id"], each["nodes"][0]["html"])
        for each in found
        if each["impact"] in ("serious", "critical")
    ]


def test_nobody_gets_anywhere_with_a_link_that_was_not_given_to_them(
    shop: Site, goods: tuple[Product, Product]
) -> None:
    desk, anyone, (bear, milk) = shop.store.desk, shop.client(), goods
    mine, theirs = checked_in(shop, "ann"), checked_in(shop, "bob")
    record(desk, taken("e-1", bear, 20), "ann")
    record(desk, taken("e-2", milk, 21), "bob")
    view = anyone.get(f"{mine}/basket").json()
    assert [line["sku"] for line in view["lines"]] == [bear.sku]
    their_line = desk.shop.baskets["bob"].lines[0].line_id
    objection = {"line_id": their_line, "quantity": 1, "reason": "x", "request_id": "ab" * 8}
    refused = anyone.post(f"{mine}/disputes", json=objection)
    assert refused.status_code == 409
    assert not desk.shop.disputes
    for path in (f"/photos/{milk.sku}.jpg", "/crops/e-2/1.jpg", "/crops/../../ledger.sqlite"):
        assert anyone.get(mine + path).status_code == 404
    assert anyone.get(f"{mine}/photos/{bear.sku}.jpg").headers["content-type"] == "image/jpeg"
    for wrong in (mine[:-1], mine + "A", theirs[: len(theirs) // 2] + mine[len(mine) // 2 :]):
        for part in ("", "/basket", f"/photos/{bear.sku}.jpg"):
            assert anyone.get(wrong + part).status_code == 404, wrong + part
        assert anyone.post(f"{wrong}/disputes", json=objection).status_code == 404


def test_the_same_objection_sent_twice_is_one(shop: Site, goods: tuple[Product, Product]) -> None:
    anyone, link = shop.client(), checked_in(shop, "ann")
    record(shop.store.desk, taken("e-1", goods[1], 20, quantity=2), "ann")
    line_id = anyone.get(f"{link}/basket").json()["lines"][0]["takes"][0]["line_id"]
    asked = {"line_id": line_id, "quantity": 2, "reason": "no", "request_id": "0f" * 8}
    for _ in range(2):
        answer = anyone.post(f"{link}/disputes", json=asked)
        assert answer.status_code == 201, answer.text
    assert len(answer.json()["objections"]) == 1
    too_many = anyone.post(f"{link}/disputes", json=asked | {"quantity": 3, "request_id": "1f" * 8})
    assert too_many.status_code == 409
    for odd in ({"quantity": 0}, {"reason": ""}, {"request_id": "../up"}, {"colour": "red"}):
        assert anyone.post(f"{link}/disputes", json=asked | odd).status_code == 422


def test_an_unchanged_basket_costs_no_bytes_and_a_link_ends_with_its_evidence(
    shop: Site, goods: tuple[Product, Product]
) -> None:
    desk, anyone, link = shop.store.desk, shop.client(), checked_in(shop, "ann")
    first = anyone.get(f"{link}/basket")
    again = anyone.get(f"{link}/basket", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    record(desk, taken("e-1", goods[1], 20), "ann")
    changed = anyone.get(f"{link}/basket", headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, changed.json()["total"]) == (200, str(goods[1].price))
    leave(desk, "ann")
    assert anyone.get(f"{link}/basket").json()["receipt_id"] == "ann-r1"
    config = shop.store.config
    shop.store.config = config.model_copy(update={"evidence_days": -1.0})
    for part in ("", "/basket"):
        assert anyone.get(link + part).status_code == 404
