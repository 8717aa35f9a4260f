from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi import APIRouter

from edge.dashboard import entering, people
from edge.dashboard.access import VIEWERS, rules
from edge.dashboard.accounts import Accounts, SessionLimits
from edge.dashboard.accounts_file import AccountsFile
from edge.dashboard.app import Routed, Site, make_app
from edge.dashboard.audit import AuditLog
from edge.dashboard.entering import CookieSettings
from edge.dashboard.gate import Doorkeeping
from edge.dashboard.origins import OwnNames
from edge.dashboard.tokens import Tokens
from edge.errors import (
    AccountMissingError,
    BusyError,
    CheckoutError,
    LedgerConflictError,
    LedgerError,
    NotThereError,
    QueueFullError,
)
from tests.edge.dashboard.door import Door, open_door


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Doorkeeping]:
    with closing(AccountsFile(tmp_path / "accounts.sqlite")) as file:
        yield Doorkeeping(
            Accounts(file, time.time),
            Tokens(file, time.time),
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
    make_app([(routes, both)], keeping)
    with pytest.raises(ValueError, match="POST /b has no rule"):
        make_app([(routes, both[:3])], keeping)
    with pytest.raises(ValueError, match="GET /c has no route"):
        make_app([(routes, (*both, *rules("GET", "/c")))], keeping)
    with pytest.raises(ValueError, match="GET /a has two rules"):
        make_app([(routes, (*both, *rules("GET", "/a", anyone=True)))], keeping)


def test_nothing_is_there_that_no_router_brought(keeping: Doorkeeping) -> None:
    site = make_app([], keeping)
    assert [(each.method, each.path) for each in site.rules] == [("GET", "/api/v1/openapi.json")]


def site_of_people(keeping: Doorkeeping) -> Site:
    cookie = CookieSettings("walkout", False, SessionLimits())
    routed: list[Routed] = [
        (entering.router(keeping.accounts, keeping.audit, cookie), entering.RULES),
        (people.router(keeping.accounts, keeping.tokens, keeping.audit), people.RULES),
    ]
    return make_app(routed, keeping)


def test_the_openapi_document_says_who_may_use_what(keeping: Doorkeeping) -> None:
    document = site_of_people(keeping).openapi()
    assert document["openapi"].startswith("3.1")
    listing = document["paths"]["/api/v1/people"]["get"]
    assert listing["x-roles"] == ["admin"]
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
        def fail(name: str) -> None:
            raise _RAISED[name]

        return router

    monkeypatch.setattr(Door, "routes", routes)
    monkeypatch.setattr("tests.edge.dashboard.door.RULES", rules("GET", "/room", VIEWERS))
    with open_door(tmp_path) as door:
        yield door


_RAISED: dict[str, Exception] = {
    "409": CheckoutError("the review is settled; see who settled it"),
    "404": NotThereError("there is no review e-9; see the queue"),
    "503": LedgerError("the disk is full; make room"),
    "conflict": LedgerConflictError("this refund was given for another line; use another id"),
    "full": QueueFullError("too many wait; ask again"),
    "missing": AccountMissingError("there is nobody called kim"),
    "busy": BusyError("too many sign in; try again"),
}


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("409", 409),
        ("404", 404),
        ("503", 503),
        ("conflict", 409),
        ("full", 503),
        ("missing", 404),
        ("busy", 429),
    ],
)
def test_what_the_shop_refuses_is_told_in_its_own_words(door: Door, name: str, status: int) -> None:
    answer = door.client("viewer").get("/room", params={"name": name})
    assert answer.status_code == status
    assert answer.json() == {"error": str(_RAISED[name])}
    assert ("Retry-After" in answer.headers) == (status in (429, 503))


def test_what_is_not_understood_is_told_with_its_place(door: Door) -> None:
    answer = door.client("viewer").get("/room")
    assert answer.status_code == 422
    assert answer.json() == {"error": "name: Field required"}
