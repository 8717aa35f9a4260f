"""When the line to the device is lost, or the session has ended: it is said, and it comes back."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.edge.dashboard.browser import scenes
from tests.edge.dashboard.browser.conftest import Visiting
from tests.edge.dashboard.serving import Site
from tests.simulators.network import Wire


def test_a_lost_line_is_said_and_comes_back(site: Site, visiting: Visiting) -> None:
    with Wire(urlsplit(site.url).port or 0) as wire:
        visitor = visiting(f"http://127.0.0.1:{wire.port}/")
        page = visitor.sign_in("staff")
        expect(page.locator("#link-state")).to_have_text("Live")
        wire.up = False
        wire.cut()
        expect(page.locator("#link-state")).to_have_text(re.compile("Connection lost"))
        scenes.ask(site, "meanwhile", ["c-1"], scenes.sold(site)[:2])
        wire.up = True
        expect(page.locator("#link-state")).to_have_text("Live")
        expect(page.locator("#review-count")).not_to_be_empty()
        # A browser notes what it could not reach; nothing else may have gone wrong.
        visitor.complaints[:] = [each for each in visitor.complaints if "net::ERR" not in each]
        visitor.context.close()


def test_whose_session_has_ended_signs_in_and_is_back_where_they_were(
    site: Site, visiting: Visiting
) -> None:
    visitor = visiting(site.url)
    visitor.sign_in("technician")
    page = visitor.go("/stock")
    site.dashboard.accounts.set_password("technician", "another-password")
    page.reload()
    expect(page).to_have_url(re.compile(r"/sign-in\?next=%2Fstock|/sign-in\?next=/stock"))
    page.get_by_label("Name").fill("technician")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text(re.compile("do not fit"))
    page.get_by_label("Password").fill("another-password")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/stock$"))
    # Browsers note what was refused: the wrong password, and pictures still asked for by the page
    # whose session had ended.
    visitor.complaints[:] = [
        each
        for each in visitor.complaints
        if "/api/v1/session" not in each and not ("status of 401" in each and "/photos/" in each)
    ]
