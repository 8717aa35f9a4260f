from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.__main__ import app
from tests.edge.dashboard.door import Door, open_door
from tests.edge.dashboard.serving import Client
from tests.edge.shop.running import ROOT

STORE = ROOT / "deploy" / "demo"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with open_door(tmp_path) as door:
        yield door


def test_an_admin_adds_changes_and_removes_somebody(door: Door) -> None:
    admin = door.client("admin")
    made = admin.post("/api/v1/people", json={"name": "kim", "role": "staff"})
    assert made.status_code == 201
    password = made.json()["password"]
    kim = door.client()
    assert kim.post("/api/v1/session", json={"name": "kim", "password": password}).is_success
    listed = {each["name"]: each for each in admin.get("/api/v1/people").json()["people"]}
    assert listed["kim"]["role"] == "staff"
    assert listed["kim"]["last_seen_at"] >= listed["kim"]["created_at"]
    changed = admin.patch("/api/v1/people/kim", json={"role": "viewer", "password": True})
    assert changed.json()["role"] == "viewer"
    assert changed.json()["password"] not in (None, password)
    assert kim.get("/api/v1/me").status_code == 401
    assert admin.delete("/api/v1/people/kim").status_code == 204
    assert admin.delete("/api/v1/people/kim").status_code == 404
    told = admin.get("/api/v1/audit", params={"limit": 4}).json()["entries"]
    assert [(each["action"], each["about"], each["outcome"]) for each in reversed(told)] == [
        ("signed in", "", "done"),
        ("PATCH /api/v1/people/kim", "role viewer, another password", "done"),
        ("DELETE /api/v1/people/kim", "", "done"),
        ("DELETE /api/v1/people/kim", "", "refused (404)"),
    ]


def test_a_password_that_somebody_chose_is_not_told_again(door: Door) -> None:
    chosen = {"name": "kim", "role": "staff", "password": "chosen by somebody"}
    answer = door.client("admin").post("/api/v1/people", json=chosen)
    assert answer.json() == {"name": "kim", "role": "staff", "password": None}


def test_the_last_admin_stays(door: Door) -> None:
    admin = door.client("admin")
    assert admin.delete("/api/v1/people/admin").status_code == 409
    assert admin.patch("/api/v1/people/admin", json={"role": "viewer"}).status_code == 409
    assert admin.get("/api/v1/people").is_success


def test_a_token_is_made_used_and_revoked(door: Door) -> None:
    admin = door.client("admin")
    made = admin.post("/api/v1/tokens", json={"name": "till", "scopes": ["read"], "lasts_days": 1})
    assert made.status_code == 201
    with Client(door.url, made.json()["token"]) as till:
        assert till.get("/api/v1/me").json() == {
            "name": "token till",
            "role": None,
            "scopes": ["read"],
        }
        (listed,) = admin.get("/api/v1/tokens").json()["tokens"]
        assert "token" not in listed
        assert listed["expires_at"] - listed["created_at"] == pytest.approx(86_400)
        path = f"/api/v1/tokens/{made.json()['token_id']}"
        assert admin.delete(path).status_code == 204
        assert till.get("/api/v1/me").status_code == 401
        assert admin.delete(path).status_code == 404


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("people", {"name": "Kim", "role": "staff"}),
        ("people", {"name": "kim", "role": "owner"}),
        ("people", {"name": "kim", "role": "staff", "password": "short"}),
        ("tokens", {"name": "till", "scopes": []}),
        ("tokens", {"name": "till", "scopes": ["everything"]}),
        ("tokens", {"name": "till", "scopes": ["read"], "lasts_days": 1e300}),
    ],
)
def test_what_cannot_be_is_refused(door: Door, path: str, asked: dict[str, object]) -> None:
    assert door.client("admin").post(f"/api/v1/{path}", json=asked).status_code == 422


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
