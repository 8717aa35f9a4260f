from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.__main__ import app
from tests.edge.shop.running import ROOT
from tests.web.client import Client
from tests.web.door import Door, open_door

STORE = ROOT / "deploy" / "demo"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with open_door(tmp_path) as door:
        yield door


def walkout_edge(*arguments: str, stdin: str = "") -> tuple[int, str]:
    """What the terminal shows, in one stream, and how the command ended."""
    result = CliRunner().invoke(app, arguments, input=stdin)
    return result.exit_code, result.output


def test_the_terminal_does_the_same_while_the_shop_is_served(door: Door, tmp_path: Path) -> None:
    where = (str(STORE), "--state", str(tmp_path))
    code, said = walkout_edge("people", "add", *where, "kim", "--role", "staff")
    assert code == 0
    password = said.split(" with ")[1].split()[0]
    kim = door.client()
    assert kim.post("/api/v1/session", json={"name": "kim", "password": password}).is_success
    assert "kim" in walkout_edge("people", "list", *where)[1]
    chosen = walkout_edge("people", "password", *where, "kim", "--password-stdin", stdin="short\n")
    assert chosen == (2, "walkout-edge: a password has 12 to 256 characters, this one 5\n")
    link = walkout_edge("people", "link", *where, "kim")[1].splitlines()[0]
    assert door.client().get(link).status_code == 200
    code, secret = walkout_edge("tokens", "create", *where, "till", "--scope", "read")
    assert code == 0
    with Client(door.url, secret.strip()) as till:
        assert till.get("/room").status_code == 200
    assert walkout_edge("people", "remove", *where, "kim")[0] == 0
    assert kim.get("/api/v1/me").status_code == 401
    assert door.audit.newest(1)[0].address == "terminal"


def test_the_terminal_refuses_with_what_to_do(tmp_path: Path) -> None:
    where = (str(STORE), "--state", str(tmp_path))
    for arguments, complaint in (
        (("people", "add", *where, "kim", "--role", "owner"), "the roles are viewer, staff"),
        (("people", "remove", *where, "kim"), "nobody called kim"),
        (("tokens", "create", *where, "till", "--scope", "all"), "the scopes are checkin"),
        (("tokens", "revoke", *where, "abc"), "no token abc"),
    ):
        code, said = walkout_edge(*arguments)
        assert code == 2
        assert complaint in said
