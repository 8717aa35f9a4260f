from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.simulators.certificates import Authority
from tests.web.client import Client
from tests.web.door import Pulse, open_door, until_ends
from web import serve
from web.serve import Encryption, WebServer


def until(condition: Callable[[], bool]) -> None:
    ends_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends_s
        time.sleep(0.02)


def test_a_request_whose_head_trickles_in_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_HEAD_WITHIN_S", 0.4)
    with open_door(tmp_path) as door, door.knock() as silent, door.knock() as slow:
        slow.sendall(b"GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert slow.recv(65536).startswith(b"HTTP/1.1 200")
        ends_s = time.monotonic() + 20
        with pytest.raises(ConnectionError):
            while time.monotonic() < ends_s:
                slow.sendall(b"G")
                time.sleep(0.02)
        assert until_ends(silent) == b""
        assert door.client().get("/open").status_code == 200


def test_an_answer_that_nobody_takes_is_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_TAKEN_WITHIN_S", 0.4)
    with open_door(tmp_path) as door, door.knock() as lazy:
        viewer = door.client("viewer")
        cookie = "; ".join(f"{name}={value}" for name, value in viewer.cookies.items())
        asked = f"GET /flood HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\n\r\n"
        lazy.sendall(asked.encode())
        until(lambda: door.left == 1)
        assert viewer.get("/room").status_code == 200


def test_one_address_has_so_many_connections_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "_CONNECTIONS_OF_ONE", 5)
    with open_door(tmp_path) as door, ExitStack() as opened:
        held = [opened.enter_context(door.knock()) for _ in range(20)]
        for each in held[5:]:
            assert until_ends(each) == b""
        for each in held[:5]:
            each.sendall(b"GET /open HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert until_ends(each).startswith(b"HTTP/1.1 200")
        until(lambda: door.client().get("/open").status_code == 200)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 60 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /open HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"GET /open HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET /open HTTP/1.1\r\n\r\n",
        b"GET /%ff%fe%00 HTTP/1.1\r\nHost: localhost\r\nCookie: walkout=\xff\xfe\r\n\r\n",
    ],
    ids=["tls", "version", "negative", "smuggling", "long", "nameless", "odd-bytes"],
)
def test_what_is_no_proper_request_is_refused_and_forgotten(tmp_path: Path, sent: bytes) -> None:
    with open_door(tmp_path) as door:
        with door.knock() as rude:
            rude.sendall(sent)
            rude.shutdown(socket.SHUT_WR)
            assert until_ends(rude)[9:12] in (b"", b"400", b"401", b"415", b"421")
        assert door.client().get("/open").status_code == 200


def test_it_stops_soon_though_dashboards_are_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as opened:
        with open_door(tmp_path) as door:
            viewer = opened.enter_context(Client(door.url))
            viewer.post("/api/v1/session", json=door.meet("viewer"))
            for _ in range(3):
                live = opened.enter_context(viewer.stream("GET", "/live"))
                assert next(live.iter_raw()).startswith(b"tick")
        assert door.left == 3
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_a_server_that_fails_begins_again_and_ends_nobody_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serve, "_BEGINS_AGAIN_AFTER_S", 0.01)
    made = 0

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def make(is_closing: Callable[[], bool]) -> ASGIApp:
        nonlocal made
        made += 1
        if made < 3:
            raise RuntimeError("it cannot be made yet")
        return answer

    server = WebServer(make, "127.0.0.1", 0)
    stop = threading.Event()
    serving = threading.Thread(target=server.run, args=(Pulse(stop),))
    serving.start()
    try:
        with Client(server.address) as client:
            until(lambda: client.get("/").status_code == 204)
    finally:
        stop.set()
        serving.join(20)
        server.close()
    assert made == 3
    assert caplog.text.count("it begins again soon") == 2


def test_encrypted_connections_carry_cookies_that_travel_no_other_way(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    issued = authority.issue("shop", listens=True)
    assert issued.certificate and issued.key
    trusting = ssl.create_default_context(cafile=str(authority.certificate))
    with open_door(tmp_path, Encryption(issued.certificate, issued.key)) as door:
        assert door.url.startswith("https://")
        with Client(door.url, context=trusting) as client:
            answer = client.post("/api/v1/session", json=door.meet("staff"))
            cookie = answer.headers["Set-Cookie"]
            assert cookie.startswith("__Host-")
            assert {"Secure", "HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
            assert client.get("/room").status_code == 200
            assert client.post("/room", json={}).status_code == 200
            plain_origin = {"Origin": door.url.replace("https", "http").rstrip("/")}
            assert client.post("/room", json={}, headers=plain_origin).status_code == 403
            assert "Strict-Transport-Security" in answer.headers
        with door.knock() as plain:
            plain.sendall(b"GET /open HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"HTTP/1.1 200" not in until_ends(plain)


def test_a_certificate_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("", encoding="ascii")
    encryption = Encryption(tmp_path / "empty.pem", tmp_path / "empty.pem")
    with pytest.raises(ssl.SSLError):
        WebServer(lambda closing: pytest.fail("never made"), "127.0.0.1", 0, encryption)
