from __future__ import annotations

import json
import re
from typing import Any

import pytest

from edge.dashboard.access import Role
from tests.edge.dashboard.serving import Site

_BEGINNING = re.compile(r'<script type="application/json" id="page">(.*?)</script>', re.DOTALL)


def _beginning(html: str) -> dict[str, Any]:
    found = _BEGINNING.search(html)
    assert found is not None
    beginning: dict[str, Any] = json.loads(found[1])
    return beginning


def test_the_live_page_begins_with_what_the_api_would_say(site: Site) -> None:
    client = site.client("viewer")
    beginning = _beginning(client.get("/").text)
    assert beginning["plan"] == client.get("/api/v1/plan").json()
    now = client.get("/api/v1/state").json()
    assert beginning["state"].keys() == now.keys()
    assert beginning["state"]["receipts"] == now["receipts"]
    assert beginning["me"] == {"name": "viewer", "role": "viewer"}
    assert beginning["can"] == {"settle": False, "repair": False, "admin": False}


@pytest.mark.parametrize(
    ("role", "places"),
    [
        ("viewer", set()),
        ("staff", set()),
        ("technician", {"/calibration"}),
        ("admin", {"/calibration", "/people", "/audit"}),
    ],
)
def test_the_navigation_shows_what_one_may(site: Site, role: Role, places: set[str]) -> None:
    html = site.client(role).get("/stock").text
    shown = set(re.findall(r'class="place" href="([^"]+)"( aria-current="page")?', html))
    everybody = {"/", "/review", "/receipts", "/cameras", "/stock", "/health", "/models", "/see"}
    assert {address for address, _ in shown} == everybody | places
    assert [address for address, here in shown if here] == ["/stock"]


def test_what_is_in_an_address_cannot_end_the_pages_json(site: Site) -> None:
    client = site.client("viewer")
    html = client.get("/receipts/%3C%2Fscript%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E").text
    if "page" in html:
        assert "<script>alert" not in html
    html = client.get("/cameras/%3Cb%3E%26").text
    assert "<b>" not in html
    assert _beginning(html)["camera"] == "<b>&"


def test_pages_are_kept_by_nobody_and_say_their_language(site: Site) -> None:
    client = site.client("viewer")
    answer = client.get("/health", headers={"Accept-Language": "ja"})
    assert answer.headers["cache-control"] == "no-store"
    assert '<html lang="ja">' in answer.text
    client.cookies.set("lang", "en")
    assert '<html lang="en">' in client.get("/health", headers={"Accept-Language": "ja"}).text


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ("/stock", "/stock"),
        ("/receipts/c-1?x=1", "/receipts/c-1?x=1"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
    ],
)
def test_whoever_is_signed_in_goes_on_from_the_sign_in_page(
    site: Site, wanted: str, place: str
) -> None:
    answer = site.client("viewer").get("/sign-in", params={"next": wanted})
    assert (answer.status_code, answer.headers["location"]) == (303, place)


def test_whoever_comes_from_elsewhere_is_asked_again_with_their_cookie(site: Site) -> None:
    client = site.client()
    elsewhere = client.get("/sign-in", headers={"Sec-Fetch-Site": "cross-site"})
    assert _beginning(elsewhere.text)["from_elsewhere"] is True
    own = client.get("/sign-in", headers={"Sec-Fetch-Site": "same-origin"})
    assert _beginning(own.text)["from_elsewhere"] is False
