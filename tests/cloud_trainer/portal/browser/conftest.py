"""A real browser before a real portal; what it complains about fails the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.cloud_trainer.portal.browser.site import PASSWORDS, PortalSite, served
from tests.edge.dashboard.browser.conftest import Visitor, browser

__all__ = ["browser"]


class PortalVisitor(Visitor):
    """Somebody before a browser of their own, at a portal."""

    def enter(self, name: str) -> Page:
        """Sign in by the form; gives the page once its content is there."""
        page = self.page
        page.goto("/sign-in")
        page.locator("input[name=name]").fill(name)
        page.locator("input[type=password]").fill(PASSWORDS[name])
        page.locator("button[type=submit]").click()
        page.wait_for_url(self.url)
        page.locator("main .skeleton").wait_for(state="detached")
        return page


Visiting = Callable[..., PortalVisitor]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalSite]:
    """A portal for the tests of one file, which share what they change."""
    with served(tmp_path_factory.mktemp("portal")) as site:
        yield site


@pytest.fixture
def visiting(browser: Browser) -> Iterator[Visiting]:
    """Opens windows; at the end none of them may have complained."""
    visitors: list[PortalVisitor] = []

    def visit(
        url: str, size: str = "desktop", *, dark: bool = False, language: str = "en"
    ) -> PortalVisitor:
        visitors.append(PortalVisitor(browser, url, size, dark, language))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.context.close()
    assert [each for visitor in visitors for each in visitor.complaints] == []
