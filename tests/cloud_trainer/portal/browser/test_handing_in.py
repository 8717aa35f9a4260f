"""Handing in and approving: photos judged at once, one key for each product, many at once."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from cloud_trainer.portal.views.products import ShownProduct
from tests.cloud_trainer.portal.browser.conftest import Visiting
from tests.cloud_trainer.portal.browser.site import WAITING, PortalSite
from tests.simulators.photos import draw_photo, sku_of, write_photo
from web.access import Asking

OLE = Asking("ole", "operator")
FILES = "input[type=file]:not([webkitdirectory])"


def _add(page: Page, sku: str, name: str) -> None:
    page.get_by_role("button", name="Add a product").click()
    form = page.locator("dialog")
    form.get_by_label("Name").fill(name)
    form.get_by_label("SKU").fill(sku)
    form.get_by_label("Price").fill("2.49")
    form.get_by_label("Category").fill("groceries")
    form.get_by_role("button", name="Go on to photos").click()
    page.wait_for_url(f"**/products/{sku}")
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def _now(site: PortalSite, sku: str) -> ShownProduct:
    return site.server.portal.product(OLE, sku)


def test_photos_are_judged_at_once_and_the_product_is_handed_in(
    site: PortalSite, visiting: Visiting
) -> None:
    visitor = visiting(site.url)
    visitor.enter("provider")
    page = visitor.go("/products")
    _add(page, "carton-20", "Carton twenty")
    hand_in = page.get_by_role("button", name="Hand it in")
    good = page.locator(".photo-tile .chip.good")
    expect(page.locator("main")).to_contain_text("3 more good photos are needed")
    page.locator(FILES).set_input_files([site.blurred(20), *site.photos(20, 2)])
    expect(page.locator(".photo-tile .chip.bad")).to_contain_text("Blurred")
    expect(page.locator(".photo-tile.wrong")).to_contain_text("Hold still")
    expect(good).to_have_count(2)
    expect(hand_in.or_(page.get_by_text("1 more good photo is needed"))).not_to_have_count(0)
    page.locator(FILES).set_input_files(site.photos(20, 2, first=2))
    expect(good).to_have_count(4)
    hand_in.click()
    expect(page.locator(".journey .here")).to_have_text("Waiting for approval")
    assert _now(site, "carton-20").stage == "waiting"


def test_somebody_elses_picture_is_shown_beside_the_photo(
    site: PortalSite, visiting: Visiting
) -> None:
    visitor = visiting(site.url, "tablet")
    visitor.enter("provider")
    page = visitor.go("/products")
    _add(page, "carton-21", "Carton twenty-one")
    page.locator(FILES).set_input_files(site.photos(WAITING[0], 1))
    wrong = page.locator(".photo-tile.wrong")
    expect(wrong.locator(".beside img")).to_have_count(2)
    expect(wrong.locator(".beside")).to_contain_text(sku_of(WAITING[0]))
    wrong.get_by_role("button", name="Leave out").click()
    expect(page.locator(".photo-tile")).to_have_count(0)


def test_an_operator_goes_through_the_queue_by_keyboard_alone(
    site: PortalSite, visiting: Visiting
) -> None:
    visitor = visiting(site.url)
    visitor.enter("operator")
    page = visitor.go("/approve")
    name = page.locator(".deciding h2").first  # a dialog has one too
    first, second, third = (f"Carton {product}" for product in WAITING)
    expect(name).to_have_text(first)
    expect(page.locator("#approve-count")).not_to_be_empty()
    page.keyboard.press("a")
    expect(name).to_have_text(second)
    page.keyboard.press("n")
    expect(name).to_have_text(third)
    page.keyboard.press("r")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    page.keyboard.type("Send the back as well")
    page.keyboard.press("Enter")
    expect(page.locator(".toast").last).to_contain_text(f"{third} goes back")
    expect(name).not_to_have_text(third)
    page.reload()
    expect(name).to_have_text(second)
    page.keyboard.press("r")
    page.keyboard.press("1")
    expect(page.locator(".toast").last).to_contain_text(f"{second} goes back")
    stages = [_now(site, sku_of(product)).stage for product in WAITING]
    assert stages == ["approved", "refused", "refused"]
    assert _now(site, sku_of(WAITING[2])).reason.endswith("Send the back as well")
    assert "blurred" in _now(site, sku_of(WAITING[1])).reason


def test_a_refused_product_tells_its_provider_why(site: PortalSite, visiting: Visiting) -> None:
    sku = site.hand_in(22, "Refused one")
    site.server.portal.refuse(OLE, sku, "the pack is cut off")
    visitor = visiting(site.url, "phone")
    page = visitor.enter("provider")
    page.get_by_role("link", name="Refused one").click()
    expect(page.locator(".journey .stopped")).to_have_text("Refused")
    expect(page.locator(".banner.bad")).to_contain_text("the pack is cut off")


def test_a_folder_is_taken_in_and_goes_on_after_a_break(
    site: PortalSite, visiting: Visiting, tmp_path: Path
) -> None:
    folder = tmp_path / "goods"
    for product in (30, 31):
        for photo in range(3):
            file = folder / sku_of(product) / f"{photo}.png"
            write_photo(file, draw_photo(product, photo, size_px=256))
    lines = "".join(f"{sku_of(each)},Carton {each},1.99,EUR,groceries\n" for each in (30, 31))
    (folder / "products.csv").write_text(f"sku,name,price,currency,category\n{lines}", "utf-8")
    visitor = visiting(site.url)
    visitor.enter("provider")
    page = visitor.go("/import")
    page.route("**/imports/*/photos?path=*carton-31*", lambda route: route.abort())
    page.locator("input[webkitdirectory]").set_input_files(folder)
    expect(page.locator(".banner.bad")).to_contain_text("carton-31", timeout=30_000)
    done = page.locator("li.pad", has_text="products.csv")
    expect(done).to_contain_text("3 of 3 photos are good", timeout=30_000)
    expect(done).to_contain_text("Under way")
    page.once("dialog", lambda dialog: dialog.accept())
    visitor.go("/import")
    page.unroute_all()
    page.locator("input[webkitdirectory]").set_input_files(folder)
    expect(page.locator(".toast")).to_contain_text("3 photos were here already")
    expect(done).to_have_count(1)
    expect(done).to_contain_text("2 of 2 products", timeout=30_000)
    expect(done).to_contain_text("6 of 6 photos are good", timeout=30_000)
    expect(done).to_contain_text("Done", timeout=30_000)
    assert {_now(site, sku_of(each)).stage for each in (30, 31)} == {"waiting"}
    # What was cut off is what browsers note.
    visitor.complaints[:] = [each for each in visitor.complaints if "net::ERR" not in each]
