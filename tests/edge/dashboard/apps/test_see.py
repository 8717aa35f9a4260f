from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

from models.catalogue import load_catalogue
from tests.edge.dashboard.apps.conftest import CHROMIUM, film
from tests.edge.dashboard.serving import Site

WAIT_MS = 60_000
SKU, NAME, PRICE = "medicine-box", "Tablets", "11.19"


@pytest.fixture(scope="module")
def film_of_tablets(demo_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    photo = load_catalogue(demo_shop / "catalogue").photos_of(SKU)[0].path
    return film(tmp_path_factory.mktemp("film") / "tablets.mjpeg", photo)


@pytest.fixture(scope="module")
def camera_browser(chromium_tool: Playwright, film_of_tablets: Path) -> Iterator[Browser]:
    """A browser whose camera is a recorded video of a product."""
    browser = chromium_tool.chromium.launch(
        executable_path=str(CHROMIUM),
        args=[
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={film_of_tablets}",
        ],
    )
    yield browser
    browser.close()


def opened(browser: Browser, site: Site, **settings: object) -> tuple[BrowserContext, Page]:
    context = browser.new_context(viewport={"width": 390, "height": 844}, **settings)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(site.link("viewer"))
    page.wait_for_url(site.url)
    page.goto(f"{site.url}see")
    return context, page


def test_the_right_name_and_price_stand_on_what_the_camera_sees(
    camera_browser: Browser, demo_site: Site
) -> None:
    context, page = opened(camera_browser, demo_site, permissions=["camera"])
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.get_by_role("button", name="Turn the camera on").click()
    words = page.locator(".tag:not(.maybe):not(.leaving) .words")
    expect(words.first).to_contain_text(NAME, timeout=WAIT_MS)
    expect(words.first).to_contain_text(PRICE)
    expect(page.locator(f'.seen li[data-sku="{SKU}"]')).to_contain_text(NAME)
    expect(page.locator("#told")).to_contain_text(NAME)
    before = words.first.bounding_box()
    page.wait_for_function(
        """start => {
            const box = document.querySelector('.tag .words')?.getBoundingClientRect();
            return box && Math.hypot(box.x - start.x, box.y - start.y) > 8;
        }""",
        arg=before,
        timeout=WAIT_MS,
    )
    names = page.locator(".tag .words b").all_text_contents()
    assert {name.removeprefix("Maybe ") for name in names} <= {NAME}
    took = page.evaluate(
        "performance.getEntriesByName('frame-to-label').map(each => each.duration)"
    )
    assert took
    assert said == []
    page.get_by_role("button", name="Turn the camera off").click()
    expect(page.get_by_role("button", name="Turn the camera on")).to_be_visible()
    assert page.evaluate("document.getElementById('video').srcObject") is None
    context.close()


def test_one_frame_is_under_way_at_a_time_and_a_silent_device_is_said(
    camera_browser: Browser, demo_site: Site
) -> None:
    context, page = opened(camera_browser, demo_site, permissions=["camera"])
    under_way: list[int] = []
    most: list[int] = []

    def count(route: object, change: int) -> None:
        under_way.append(change)
        most.append(sum(under_way))

    page.on("request", lambda asked: count(asked, 1) if asked.url.endswith("/search") else None)
    for done in ("requestfinished", "requestfailed"):
        page.on(done, lambda asked: count(asked, -1) if asked.url.endswith("/search") else None)
    page.get_by_role("button", name="Turn the camera on").click()
    page.wait_for_function(
        "() => performance.getEntriesByName('frame-to-label').length >= 3", timeout=WAIT_MS
    )
    assert max(most) == 1
    context.set_offline(True)
    expect(page.locator("#how")).to_have_text(
        "The device cannot be reached; trying again", timeout=WAIT_MS
    )
    context.set_offline(False)
    expect(page.locator("#how")).to_have_text("Looking", timeout=WAIT_MS)
    context.close()


def test_a_refused_camera_is_explained_and_can_be_tried_again(
    camera_browser: Browser, demo_site: Site
) -> None:
    context, page = opened(camera_browser, demo_site, permissions=[])
    page.get_by_role("button", name="Turn the camera on").click()
    expect(page.get_by_role("alert")).to_have_text("The camera was not allowed")
    context.grant_permissions(["camera"])
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#how")).to_have_text("Looking")
    context.close()


def test_without_a_camera_or_a_secure_address_the_page_says_what_to_do(
    chromium: Browser, demo_site: Site
) -> None:
    context, page = opened(chromium, demo_site, permissions=["camera"])
    page.get_by_role("button", name="Turn the camera on").click()
    expect(page.get_by_role("alert")).to_have_text("No camera was found")
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', {value: false})")
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("only to secure addresses")
    expect(page.locator("#hello")).to_contain_text("https://")
    context.close()


def test_the_camera_page_has_no_serious_accessibility_fault(
    camera_browser: Browser, demo_site: Site
) -> None:
    context, page = opened(camera_browser, demo_site, permissions=["camera"])
    for state in ("before", "while"):
        if state == "while":
            page.get_by_role("button", name="Turn the camera on").click()
            expect(page.locator(".seen li").first).to_be_visible(timeout=WAIT_MS)
        found = Axe().run(page).response["violations"]
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []
    context.close()
