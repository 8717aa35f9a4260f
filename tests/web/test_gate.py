from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.web.client import Client
from tests.web.door import Door, open_door, until_ends
from web import bodies, gate

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with open_door(tmp_path_factory.mktemp("door")) as door:
        yield door


@pytest.fixture(scope="module")
def nobody(door: Door) -> Client:
    return door.client()


@pytest.fixture(scope="module")
def staff(door: Door) -> Client:
    return door.client("staff")


def plain(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    headers = {key: value for key, value in answer.headers.items() if key != "date"}
    return answer.status_code, answer.text, headers


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "BREW"])
def test_whoever_is_not_known_learns_not_even_which_addresses_there_are(
    nobody: Client, method: str
) -> None:
    known = plain(nobody.request(method, "/room"))
    assert known[0] == 401
    for path in (
        "/nothing",
        "/safe",
        "/api/v1/people",
        "/docs",
        "/openapi.json",
        "/room/",
        "//room",
    ):
        assert plain(nobody.request(method, path)) == known, path


def test_a_browser_is_led_to_the_sign_in_page_and_back(nobody: Client) -> None:
    answer = nobody.get("/room?day=1&x=%0d%0aSet-Cookie:y", headers={"Accept": "text/html,*/*"})
    assert answer.status_code == 303
    assert answer.headers["Location"] == (
        "/sign-in?next=/room%3Fday%3D1%26x%3D%250d%250aSet-Cookie%3Ay"
    )
    assert nobody.get("/api/v1/me", headers={"Accept": "text/html"}).status_code == 401


def test_a_role_opens_what_its_rule_says_and_nothing_else(door: Door, staff: Client) -> None:
    viewer = door.client("viewer")
    assert viewer.get("/room").json() == {"it": "is tidy"}
    assert viewer.post("/room", json={}).status_code == 403
    assert staff.post("/room", json={}).status_code == 200
    assert staff.post("/safe", json={}).status_code == 403
    assert door.client("admin").post("/safe", json={}).status_code == 200


def test_whoever_is_known_is_told_what_is_not_there(staff: Client) -> None:
    assert staff.get("/nothing").status_code == 404
    assert staff.put("/room").status_code == 405


def test_a_token_opens_what_its_scopes_say_from_anywhere(door: Door) -> None:
    for scope, answers in (("read", (200, 403)), ("review", (403, 200)), ("search", (403, 403))):
        secret = door.tokens.create(f"for {scope}", [scope])[1]
        with Client(door.url, secret) as app:
            foreign = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
            got = (
                app.get("/room").status_code,
                app.post("/room", json={}, headers=foreign).status_code,
            )
            assert got == answers
            assert app.post("/safe", json={}).status_code == 403


@pytest.mark.parametrize(
    "shown", ["Bearer made-up", "Bearer", "Basic c3RhZmY6c3RhZmY=", "bearer \x00", ""]
)
def test_a_wrong_token_opens_nothing_even_beside_a_right_cookie(staff: Client, shown: str) -> None:
    if "\x00" in shown:
        shown = "bearer walkout_"
    assert staff.get("/room", headers={"Authorization": shown}).status_code == 401


def test_where_anybody_may_go_it_is_known_who_goes(door: Door, staff: Client) -> None:
    assert door.client().get("/open").json() == {"hello": None}
    assert staff.get("/open").json() == {"hello": "staff"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:1234", 200),
        ("192.0.2.1:80", 200),
        ("[2001:db8::1]:80", 200),
        ("Shop.Example", 200),
        ("shop.example.", 200),
        ("evil.example", 421),
        ("shop.example.evil.example", 421),
        ("shop.example@evil.example", 421),
        ("evil.example#localhost", 421),
    ],
)
def test_a_name_that_is_not_the_devices_own_opens_nothing(
    nobody: Client, host: str, status: int
) -> None:
    assert nobody.get("/open", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_page_from_elsewhere_changes_nothing(
    door: Door, staff: Client, headers: dict[str, str]
) -> None:
    before = len(door.came)
    answer = staff.post("/room", json={}, headers=headers)
    assert answer.status_code == 403
    assert "open the page itself" in answer.json()["error"]
    assert len(door.came) == before


def test_a_change_by_cookie_that_names_no_page_is_refused(door: Door, staff: Client) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in staff.cookies.items())
    with httpx.Client(base_url=door.url, trust_env=False) as bare:
        assert bare.post("/room", json={}, headers={"Cookie": cookies}).status_code == 403
        assert bare.get("/room", headers={"Cookie": cookies}).status_code == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"]
)
def test_what_a_form_can_send_is_not_taken(staff: Client, kind: str) -> None:
    answer = staff.post("/room", content=b"{}", headers={"Content-Type": kind})
    assert answer.status_code == 415


def test_bodies_are_bounded_whether_they_say_their_length_or_not(door: Door, staff: Client) -> None:
    before = len(door.came)
    for content in (b"x" * 65_537, iter([b"x" * 40_000, b"x" * 40_000])):
        answer = staff.post("/room", content=content, headers=JSON)
        assert answer.status_code == 413
    assert len(door.came) == before
    assert staff.post("/room", content=b"x" * 65_536, headers=JSON).json() == {"bytes": 65_536}


def test_uploads_may_be_longer_and_of_other_kinds_but_not_for_ever(staff: Client) -> None:
    picture = {"Content-Type": "image/jpeg"}
    assert staff.post("/search", content=b"x" * 2**20, headers=picture).json() == {"bytes": 2**20}
    assert staff.post("/search", content=b"x" * 2**20, headers=JSON).json() == {"bytes": 2**20}
    assert staff.post("/search", content=b"x" * (2**24 + 1), headers=picture).status_code == 413
    assert staff.post("/video", content=b"x" * (2**24 + 1), headers=picture).status_code == 200
    endless = staff.post("/video", content=(b"x" * 2**20 for _ in range(65)), headers=picture)
    assert endless.status_code == 413


@pytest.mark.parametrize("path", ["/room", "/video"])
def test_a_body_that_trickles_in_is_cut_off(
    door: Door, staff: Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BEGINS_WITHIN_S", 0.5)
    before = len(door.came)
    cookie = "; ".join(f"{name}={value}" for name, value in staff.cookies.items())
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n"
        f"Origin: http://localhost\r\n"
        "Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n"
    )
    with door.knock() as slow:
        slow.settimeout(0.1)
        slow.sendall(head.encode())
        answer = b""
        ends_s = time.monotonic() + 20
        while not answer and time.monotonic() < ends_s:
            slow.sendall(b"x")
            try:
                answer = slow.recv(65536)
            except TimeoutError:
                continue
        slow.settimeout(20)
        assert answer.startswith(b"HTTP/1.1 408 ")
        until_ends(slow)
    assert len(door.came) == before
    assert staff.get("/room").status_code == 200


def test_every_answer_carries_the_policy(nobody: Client, staff: Client) -> None:
    for answer in (
        nobody.get("/room"),
        nobody.get("/open", headers={"Host": "evil.example"}),
        staff.get("/room"),
        staff.get("/nothing"),
        staff.post("/room", content=b"x" * 70_000, headers=JSON),
        staff.get("/boom"),
    ):
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Permissions-Policy"].startswith("camera=()")
        assert "Server" not in answer.headers


def test_a_mistake_in_a_route_ends_in_the_log(
    staff: Client, caplog: pytest.LogCaptureFixture
) -> None:
    answer = staff.get("/boom")
    assert answer.status_code == 500
    assert "mistake of ours" not in answer.text
    # The answer is on its way before the log has it.
    ends_s = time.monotonic() + 20
    while "a mistake of ours" not in caplog.text:
        assert time.monotonic() < ends_s
        time.sleep(0.01)
    assert staff.get("/room").status_code == 200


def test_changes_stand_in_the_audit_log_and_looking_does_not(door: Door) -> None:
    admin = door.client("admin")
    first = door.audit.newest(1)[0].sequence
    admin.get("/room")
    admin.post("/search", json={})
    admin.post("/safe", json=[1])
    door.client("viewer").post("/safe", json={})
    told = [each for each in door.audit.newest(50) if each.sequence > first]
    assert [(each.who, each.action, each.about, each.outcome) for each in told] == [
        ("viewer", "signed in", "", "done"),
        ("admin", "POST /safe", "3 bytes", "done"),
    ]
    assert told[1].address == "127.0.0.1"


def test_a_stream_ends_when_whoever_looks_signs_out(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_ASKS_AGAIN_AFTER_LOOKS", 1)
    viewer, left = door.client("viewer"), door.left
    with viewer.stream("GET", "/live") as live:
        ticks = live.iter_raw()
        assert next(ticks).startswith(b"tick")
        assert viewer.delete("/api/v1/session").status_code == 204
        assert b"tick" in b"".join(ticks)
    assert door.left == left + 1
    assert viewer.get("/room").status_code == 401


def test_a_socket_opens_for_nobody(door: Door, staff: Client) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for path in ("/room", "/nothing", "/"):
        assert door.client().get(path, headers=upgrade).status_code == 401
    assert staff.get("/nothing", headers=upgrade).status_code == 404
