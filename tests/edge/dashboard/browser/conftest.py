"""A real browser before real dashboards; what it complains about fails the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from edge.dashboard.access import Role
from tests.web.client import PASSWORDS

_CHROMIUM: Final = Path("/usr/bin/chromium")
SIZES: Final = {"phone": (390, 844), "tablet": (1180, 820), "desktop": (1440, 900)}


class Visitor:
    """Somebody before a browser of their own, who notes what its console complains about.

    Args:
        browser: The browser.
        url: Of the dashboard.
        size: Of the window.
        dark: Whether they like it dark.
        language: What they read.
    """

    def __init__(self, browser: Browser, url: str, size: str, dark: bool, language: str) -> None:
        width, height = SIZES[size]
        self.url = url
        self.complaints: list[str] = []
        self.context: BrowserContext = browser.new_context(
            base_url=url,
            viewport={"width": width, "height": height},
            has_touch=size != "desktop",
            color_scheme="dark" if dark else "light",
            locale=language,
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda said: (
                self.complaints.append(f"{said.text} {said.location.get('url', '')}")
                if said.type in ("error", "warning")
                else None
            ),
        )

    def sign_in(self, role: Role) -> Page:
        """Sign in by the form."""
        page = self.page
        page.goto("/")
        page.get_by_label("Name").or_(page.get_by_label("ユーザー名")).fill(role)
        page.locator("input[type=password]").fill(PASSWORDS[role])
        page.locator("button[type=submit]").click()
        page.wait_for_url(self.url)
        return page

    def go(self, address: str) -> Page:
        """Go to a page and wait until its content is there."""
        self.page.goto(address)
        self.page.locator("main .skeleton").wait_for(state="detached")
        return self.page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window; one file's, since a thread bears one Playwright at a time."""
    if not _CHROMIUM.exists():
        pytest.skip("no browser here: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


Visiting = Callable[..., Visitor]


@pytest.fixture
def visiting(browser: Browser) -> Iterator[Visiting]:
    """Opens windows; at the end none of them may have complained."""
    visitors: list[Visitor] = []

    def visit(
        url: str, size: str = "desktop", *, dark: bool = False, language: str = "en"
    ) -> Visitor:
        visitors.append(Visitor(browser, url, size, dark, language))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.context.close()
    assert [each for visitor in visitors for each in visitor.complaints] == []
