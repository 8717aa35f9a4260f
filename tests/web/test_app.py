from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi import APIRouter

from tests.web.door import ABOUT, VIEWERS, WORDS, Door, open_door
from web import entering, people
from web.access import rules
from web.accounts import Accounts, SessionLimits
from web.accounts_file import AccountsFile
from web.app import Routed, Site, make_app
from web.audit import AuditLog
from web.entering import CookieSettings
from web.gate import Doorkeeping
from web.origins import OwnNames
from web.tokens import Tokens


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Doorkeeping]:
    with closing(AccountsFile(tmp_path / "accounts.sqlite")) as file:
        yield Doorkeeping(
            Accounts(file, WORDS, time.time),
            Tokens(file, WORDS, time.time),
            AuditLog(file, time.time),
            OwnNames(()),
            "walkout",
            lambda: False,
        )


def with_routes(*addresses: str) -> APIRouter:
    routes = APIRouter()
    for address in addresses:
        routes.add_api_route(address, lambda: None, methods=["GET", "POST"])
    return routes


def test_a_route_without_a_rule_and_a_rule_without_a_route_are_refused(
    keeping: Doorkeeping,
) -> None:
    routes = with_routes("/a", "/b")
    both = (*rules(("GET", "POST"), "/a", VIEWERS), *rules(("GET", "POST"), "/b", VIEWERS))
    make_app([(routes, both)], keeping, ABOUT)
    with pytest.raises(ValueError, match="POST /b has no rule"):
        make_app([(routes, both[:3])], keeping, ABOUT)
    with pytest.raises(ValueError, match="GET /c has no route"):
        make_app([(routes, (*both, *rules("GET", "/c")))], keeping, ABOUT)
    with pytest.raises(ValueError, match="GET /a has two rules"):
        make_app([(routes, (*both, *rules("GET", "/a", anyone=True)))], keeping, ABOUT)


def test_nothing_is_there_that_no_router_brought(keeping: Doorkeeping) -> None:
    site = make_app([], keeping, ABOUT)
    assert [(each.method, each.path) for each in site.rules] == [("GET", "/api/v1/openapi.json")]


def site_of_people(keeping: Doorkeeping) -> Site:
    cookie = CookieSettings("walkout", False, SessionLimits())
    routed: list[Routed] = [
        (entering.router(keeping.accounts, keeping.audit, cookie), entering.rules_for(WORDS)),
        (
            people.router(keeping.accounts, keeping.tokens, keeping.audit, WORDS),
            people.rules_for(WORDS),
        ),
    ]
    return make_app(routed, keeping, ABOUT)


def test_the_openapi_document_says_who_may_use_what(keeping: Doorkeeping) -> None:
    document = site_of_people(keeping).openapi()
    assert document["openapi"].startswith("3.1")
    listing = document["paths"]["/api/v1/people"]["get"]
    assert listing["x-roles"] == ["admin"]
    new = document["components"]["schemas"]["NewPerson"]["properties"]["role"]
    assert new["enum"] == list(WORDS.roles)
    assert listing["security"] == [{"session": []}]
    signing_in = document["paths"]["/api/v1/session"]["post"]
    assert signing_in["security"] == [{}]
    assert "/enter/{link}" not in document["paths"]
    assert document["components"]["schemas"]["SignIn"]["examples"]


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    def routes(self: Door) -> APIRouter:
        router = APIRouter()

        @router.get("/room")
        def look(name: str) -> None:
            raise AssertionError(name)

        return router

    monkeypatch.setattr(Door, "routes", routes)
    monkeypatch.setattr("tests.web.door.RULES", rules("GET", "/room", VIEWERS))
    with open_door(tmp_path) as door:
        yield door


def test_what_is_not_understood_is_told_with_its_place(door: Door) -> None:
    answer = door.client("viewer").get("/room")
    assert answer.status_code == 422
    assert answer.json() == {"error": "name: Field required"}
