from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.client import Client
from tests.web.door import Door, open_door


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
            "organisation": "",
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
        ("people", {"name": "kim", "role": "staff", "organisation": "../"}),
        ("people", {"name": "kim", "role": "staff", "password": "short"}),
        ("tokens", {"name": "till", "scopes": []}),
        ("tokens", {"name": "till", "scopes": ["everything"]}),
        ("tokens", {"name": "till", "scopes": ["read"], "lasts_days": 1e300}),
    ],
)
def test_what_cannot_be_is_refused(door: Door, path: str, asked: dict[str, object]) -> None:
    assert door.client("admin").post(f"/api/v1/{path}", json=asked).status_code == 422
