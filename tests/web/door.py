"""A door without a shop: accounts, gate and server before a few routes made for tests."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from tests.web.client import PASSWORDS, Client
from web import entering, people
from web.access import UPLOAD_BODY, Rule, Vocabulary, rules
from web.accounts import Accounts, SessionLimits
from web.accounts_file import AccountsFile
from web.app import About, make_app
from web.audit import AuditLog
from web.entering import CookieSettings, SignInLimits
from web.gate import Doorkeeping
from web.origins import OwnNames
from web.serve import Encryption, WebServer
from web.tokens import Tokens

WORDS: Final = Vocabulary(
    ("viewer", "staff", "technician", "admin"),
    ("checkin", "labelled", "metrics", "read", "review", "search"),
)
ABOUT: Final = About("A door", "For tests.", WORDS, readers=("read",))
VIEWERS: Final = WORDS.everybody
STAFF: Final = frozenset({"staff", "admin"})
ADMINS: Final = WORDS.admins
RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", "/room", VIEWERS, "read"),
    *rules("POST", "/room", STAFF, "review"),
    *rules("POST", "/safe", ADMINS),
    *rules("POST", "/search", VIEWERS, "search", longest_body=UPLOAD_BODY, audited=False),
    *rules("POST", "/video", STAFF, longest_body=4 * UPLOAD_BODY),
    *rules("GET", "/open", anyone=True),
    *rules("GET", "/live", VIEWERS),
    *rules("GET", "/flood", VIEWERS),
    *rules("GET", "/boom", VIEWERS),
)


class Door:
    """Accounts, gate and server, and what came through.

    Attributes:
        came: Bodies that reached a route.
        left: How often a stream came to its end.
    """

    def __init__(
        self,
        state: Path,
        encryption: Encryption | None = None,
        sign_in: SignInLimits | None = None,
        about: About = ABOUT,
    ) -> None:
        self.came: list[bytes] = []
        self.left = 0
        self._opened = ExitStack()
        file = self._opened.enter_context(closing(AccountsFile(state / "accounts.sqlite")))
        self.accounts = Accounts(file, WORDS, time.time, SessionLimits())
        self.tokens = Tokens(file, WORDS, time.time)
        self.audit = AuditLog(file, time.time)
        self._is_encrypted = encryption is not None
        cookie = "__Host-walkout" if self._is_encrypted else "walkout"
        self._cookie = CookieSettings(cookie, self._is_encrypted, SessionLimits())
        self._sign_in = sign_in
        self.server = WebServer(
            lambda closing: (
                make_app(
                    [
                        (self.routes(), RULES),
                        (
                            entering.router(self.accounts, self.audit, self._cookie, self._sign_in),
                            entering.rules_for(WORDS),
                        ),
                        (
                            people.router(self.accounts, self.tokens, self.audit, WORDS),
                            people.rules_for(WORDS),
                        ),
                    ],
                    Doorkeeping(
                        self.accounts,
                        self.tokens,
                        self.audit,
                        OwnNames(["shop.example"]),
                        self._cookie.name,
                        closing,
                    ),
                    about,
                ).asgi
            ),
            "127.0.0.1",
            0,
            encryption,
        )
        self.url = self.server.address
        self._known: set[str] = set()

    def client(self, role: str | None = None) -> Client:
        """Somebody signed in as a role, or nobody; closed with the door."""
        client = self._opened.enter_context(Client(self.url))
        if role is not None:
            asked = self.meet(role)
            assert client.post("/api/v1/session", json=asked).status_code == 200
        return client

    def meet(self, role: str) -> dict[str, str]:
        """Let somebody of a role sign in; what they type."""
        if role not in self._known:
            self._known.add(role)
            self.accounts.add(role, role, PASSWORDS[role])
        return {"name": role, "password": PASSWORDS[role]}

    def knock(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=20)

    def routes(self) -> APIRouter:
        routes = APIRouter()

        @routes.get("/room")
        def look() -> dict[str, str]:
            return {"it": "is tidy"}

        @routes.get("/open")
        def open_to_all(request: Request) -> dict[str, str | None]:
            asking = request.state.asking
            return {"hello": asking and asking.name}

        @routes.post("/room")
        @routes.post("/safe")
        @routes.post("/search")
        @routes.post("/video")
        async def take(request: Request) -> dict[str, int]:
            body = await request.body()
            self.came.append(body)
            request.state.audited = f"{len(body)} bytes"
            return {"bytes": len(body)}

        @routes.get("/live")
        async def live() -> Response:
            return StreamingResponse(self._ticks(b"tick\n", 0.05), media_type="text/event-stream")

        @routes.get("/flood")
        async def flood() -> Response:
            return StreamingResponse(self._ticks(b"x" * 2**20, 0.0))

        @routes.get("/boom")
        def boom() -> None:
            raise RuntimeError("a mistake of ours")

        return routes

    async def _ticks(self, part: bytes, every_s: float) -> AsyncIterator[bytes]:
        try:
            while True:
                yield part
                await asyncio.sleep(every_s)
        finally:
            self.left += 1

    def close(self) -> None:
        self._opened.close()
        self.server.close()


class Pulse:
    """What runs a server in tests: it stops it."""

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop

    def beat(self) -> None:
        """Nobody watches."""


@contextmanager
def open_door(
    state: Path,
    encryption: Encryption | None = None,
    sign_in: SignInLimits | None = None,
    about: About = ABOUT,
) -> Iterator[Door]:
    """A door that is served until the block ends."""
    door = Door(state, encryption, sign_in, about)
    stop = threading.Event()
    serving = threading.Thread(target=door.server.run, args=(Pulse(stop),))
    serving.start()
    try:
        yield door
    finally:
        stop.set()
        serving.join(20)
        door.close()
        assert not serving.is_alive()


def until_ends(connection: socket.socket) -> bytes:
    """All that comes before the other side closes."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)
