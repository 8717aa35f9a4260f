from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.client import PASSWORDS, Client
from tests.web.door import Door, open_door
from web import entering
from web.entering import SignInLimits
from web.limits import Allowance, Attempts
from web.passwords import Hashing


class Now:
    def __init__(self) -> None:
        self.at_s = 0.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals come without the wait that makes floods slow."""
    monkeypatch.setattr(entering, "_REFUSED_AFTER_S", 0.0)


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def door(tmp_path: Path, now: Now) -> Iterator[Door]:
    with open_door(tmp_path, sign_in=SignInLimits(monotonic_s=now)) as door:
        yield door


def sign_in(client: Client, name: str, password: str | None = None) -> int:
    asked = {"name": name, "password": password or "wrong wrong wrong"}
    return client.post("/api/v1/session", json=asked).status_code


def enter(client: Client, door: Door, role: str) -> int:
    return client.post("/api/v1/session", json=door.meet(role)).status_code


def test_somebody_signs_in_is_known_and_signs_out(door: Door) -> None:
    client = door.client()
    answer = client.post("/api/v1/session", json=door.meet("staff"))
    assert answer.json() == {"name": "staff", "role": "staff", "scopes": [], "organisation": ""}
    assert re.fullmatch(
        r"walkout=[\w-]{43}; HttpOnly; Max-Age=86400; Path=/; SameSite=strict",
        answer.headers["Set-Cookie"],
    )
    assert client.get("/api/v1/me").json()["name"] == "staff"
    cookie = {"Cookie": f"walkout={client.cookies['walkout']}"}
    assert client.delete("/api/v1/session").status_code == 204
    assert "walkout" not in client.cookies
    assert door.client().get("/api/v1/me", headers=cookie).status_code == 401
    told = [(each.who, each.action) for each in door.audit.newest(2)]
    assert told == [("staff", "signed out"), ("staff", "signed in")]


def test_a_wrong_name_and_a_wrong_password_look_alike(door: Door) -> None:
    client = door.client()
    door.meet("staff")
    answers = [
        client.post("/api/v1/session", json={"name": name, "password": "x" * 20})
        for name in ("staff", "nobody")
    ]
    assert [each.status_code for each in answers] == [401, 401]
    assert answers[0].json() == answers[1].json()
    assert "Set-Cookie" not in answers[0].headers
    assert [each.action for each in door.audit.newest(2)] == ["failed to sign in"] * 2


def test_signing_in_anew_ends_the_session_before(door: Door) -> None:
    client = door.client("staff")
    before = client.cookies["walkout"]
    client.post("/api/v1/session", json=door.meet("viewer"))
    assert client.cookies["walkout"] != before
    old = door.client().get("/api/v1/me", headers={"Cookie": f"walkout={before}"})
    assert old.status_code == 401


def test_who_tries_too_often_has_to_wait_and_no_more_is_hashed(
    door: Door, now: Now, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    is_right = Hashing.is_right

    def counted(self: Hashing, password: str, kept: str | None) -> bool:
        hashed.append(password)
        return is_right(self, password, kept)

    monkeypatch.setattr(Hashing, "is_right", counted)
    client = door.client()
    answers = [sign_in(client, f"name{number}") for number in range(200)]
    assert answers == [401] * 10 + [429] * 190
    assert len(hashed) == 10
    told = [each.action for each in door.audit.newest(100)]
    assert told.count("failed to sign in") == 10
    assert told.count("tried to sign in too often") == 1
    refused = client.post("/api/v1/session", json=door.meet("staff"))
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "30"
    now.at_s += 31
    assert enter(client, door, "staff") == 200


def test_right_passwords_do_not_count(door: Door) -> None:
    client = door.client()
    assert [enter(client, door, "staff") for _ in range(12)] == [200] * 12


def test_one_name_is_tried_so_often_from_wherever(tmp_path: Path, now: Now) -> None:
    limits = SignInLimits(by_address=Attempts(Allowance(1000, 1)), monotonic_s=now)
    with open_door(tmp_path, sign_in=limits) as door:
        client = door.client()
        assert [sign_in(client, "admin") for _ in range(22)] == ([401] * 20 + [429] * 2)
        assert enter(client, door, "staff") == 200
        now.at_s += 10
        assert enter(client, door, "admin") == 200


@pytest.mark.parametrize(
    "asked",
    [
        {},
        [],
        {"name": "staff"},
        {"name": "staff", "password": 7},
        {"name": "staff", "password": "x", "role": "admin"},
        {"name": "n" * 65, "password": "x"},
        {"name": "staff", "password": "x" * 257},
        {"name": "\ud800", "password": "x"},
        {"name": "staff", "password": "\x00"},
    ],
)
def test_what_is_no_sign_in_is_refused(door: Door, asked: object) -> None:
    answer = door.client().post(
        "/api/v1/session", content=json.dumps(asked), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (401, 422)
    assert answer.json()["error"]


def test_a_page_from_elsewhere_signs_nobody_in(door: Door) -> None:
    answer = door.client().post(
        "/api/v1/session",
        json=door.meet("staff"),
        headers={"Origin": "https://evil.example"},
    )
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_a_link_signs_in_once(door: Door) -> None:
    door.meet("admin")
    link = f"/enter/{door.accounts.make_link('admin')}"
    client = door.client()
    answer = client.get(link)
    assert answer.status_code == 200
    assert 'http-equiv="refresh" content="0;url=/"' in answer.text
    assert client.get("/api/v1/me").json()["role"] == "admin"
    again = door.client().get(link)
    assert (again.status_code, again.headers["Location"]) == (303, "/sign-in?because=link")
    assert "Set-Cookie" not in again.headers
    told = [each.action for each in door.audit.newest(2)]
    assert told == ["followed an old link", "signed in by a link"]


def test_somebody_changes_their_own_password(door: Door) -> None:
    client, elsewhere = door.client("staff"), door.client("staff")
    new = "another long password"
    wrong = {"old": "wrong wrong wrong", "new": new}
    assert client.post("/api/v1/me/password", json=wrong).status_code == 401
    short = {"old": PASSWORDS["staff"], "new": "short"}
    assert client.post("/api/v1/me/password", json=short).status_code == 422
    right = {"old": PASSWORDS["staff"], "new": new}
    assert client.post("/api/v1/me/password", json=right).status_code == 204
    assert client.get("/api/v1/me").status_code == 200
    assert elsewhere.get("/api/v1/me").status_code == 401
    assert sign_in(elsewhere, "staff", new) == 200
