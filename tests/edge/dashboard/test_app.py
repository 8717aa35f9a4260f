from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import APIRouter

from edge.dashboard.access import VIEWERS
from edge.dashboard.app import ABOUT
from edge.errors import (
    CheckoutError,
    LedgerConflictError,
    LedgerError,
    NotThereError,
    QueueFullError,
)
from tests.web.door import Door, open_door
from web.access import rules
from web.errors import AccountMissingError, BusyError


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    def routes(self: Door) -> APIRouter:
        router = APIRouter()

        @router.get("/room")
        def fail(name: str) -> None:
            raise _RAISED[name]

        return router

    monkeypatch.setattr(Door, "routes", routes)
    monkeypatch.setattr("tests.web.door.RULES", rules("GET", "/room", VIEWERS))
    with open_door(tmp_path, about=ABOUT) as door:
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
