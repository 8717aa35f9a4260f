"""The gate: nothing is answered that no rule speaks of, to nobody whom the rule does not let in.

Stands before everything the application has: routes, mounts, sockets, addresses that do not exist.
Owns who asks (a session's cookie or a token), and the order in which a request is refused:

1. it calls the device by a name that is not its own;
2. nobody is known, and the address, there or not, is not for anyone; pages lead to ``/sign-in``;
3. whoever asks may not do this;
4. a change is asked for by a page from elsewhere;
5. its body is of no kind, length or speed that is taken.

What a route says is its own business; an exception that leaves it ends here, in the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.access import SMALL_BODY, UPLOAD_BODY, Asking, Rule, is_allowed
from web.accounts import Accounts
from web.answering import Answering
from web.audit import AuditLog
from web.bodies import Body, BodyRefused, too_long
from web.errors import AccountsFileError
from web.origins import OwnNames, comes_from_elsewhere, is_change
from web.tokens import Tokens

_LOGGER: Final = logging.getLogger(__name__)
_LOOKS_EVERY_S: Final = 0.5
_ASKS_AGAIN_AFTER_LOOKS: Final = 10
_UPLOADED_AT_ONCE: Final = 4 * UPLOAD_BODY  # bytes that may be kept at a time
_UPLOAD_KINDS: Final = (
    "multipart/form-data",
    "image/",
    "application/octet-stream",
    "text/csv",
    "video/",
)


@dataclass(frozen=True)
class Doorkeeping:
    """What the gate goes by.

    Attributes:
        accounts: People and their sessions.
        tokens: Of applications.
        audit: Where changes are written down.
        names: By which the device may be called.
        cookie: Name of the session's cookie.
        is_closing: Whether the server is about to end.
    """

    accounts: Accounts
    tokens: Tokens
    audit: AuditLog
    names: OwnNames
    cookie: str
    is_closing: Callable[[], bool]


class Gate:
    """Lets requests through to an application, or does not.

    Args:
        app: The application.
        routes: Its routes, in its order; the gate finds the one that will answer.
        rules: By method and path, one for each.
        keeping: What it goes by.
    """

    def __init__(
        self,
        app: ASGIApp,
        routes: Sequence[BaseRoute],
        rules: Mapping[tuple[str, str], Rule],
        keeping: Doorkeeping,
    ) -> None:
        self._app = app
        self._routes = routes
        self._rules = rules
        self._keeping = keeping
        self._uploaded = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or open one socket."""
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        answering = Answering(send, scope["path"], scope["scheme"] == "https")
        try:
            await self._admit(scope, receive, answering)
        except BodyRefused as err:
            if answering.status is None:
                await answering.refuse(err.status_code, str(err.detail))
        except AccountsFileError as err:
            _LOGGER.error("%s", err)
            if answering.status is None:
                await answering.refuse(503, str(err))
        except Exception:
            _LOGGER.exception("%s %s failed", scope["method"], scope["path"])
            if answering.status is None:
                await answering.refuse(500, "the server made a mistake; its log says which")

    async def _admit(self, scope: Scope, receive: Receive, answering: Answering) -> None:
        headers = Headers(scope=scope)
        if not self._keeping.names.has(headers.get("host", "")):
            await answering.refuse(
                421, "this server goes by another name; add this one to page.names"
            )
            return
        asking, by_cookie = self._who(headers)
        rule = self._rule(scope)
        scope.setdefault("state", {})["asking"] = asking
        if asking is None and (rule is None or not rule.anyone):
            await _send_to_sign_in(scope, headers, answering)
            return
        if rule is not None and not is_allowed(rule, asking):
            await answering.refuse(403, "this is not among what you may do; ask an admin")
            return
        refusal = _from_elsewhere(scope, headers, asking, by_cookie)
        if refusal is not None:
            await answering.refuse(403, f"{refusal}; open the page itself")
            return
        if _has_body(headers) and not _is_kind_taken(headers, rule):
            await answering.refuse(415, "send application/json")
            return
        await self._let_through(scope, receive, answering, rule)

    async def _let_through(
        self, scope: Scope, receive: Receive, answering: Answering, rule: Rule | None
    ) -> None:
        headers = Headers(scope=scope)
        longest = SMALL_BODY if rule is None else rule.longest_body
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > longest:
            raise too_long(longest)
        kept = min(int(declared) if declared.isdecimal() else longest, longest, UPLOAD_BODY)
        if kept > SMALL_BODY and self._uploaded + kept > _UPLOADED_AT_ONCE:
            await answering.refuse(503, "too many uploads at once", {"Retry-After": "5"})
            return
        self._uploaded += kept
        try:
            body = Body(receive, longest)
            content = None if longest > UPLOAD_BODY else await body.whole()
            still = self._still(scope, headers, rule)
            listening = _Listening(receive, body, content, still)
            await self._app(scope, listening.receive, answering.send)
            if listening.was_cut:
                await answering.end()
        finally:
            self._uploaded -= kept
            self._write_down(scope, rule, answering.status)

    def _still(self, scope: Scope, headers: Headers, rule: Rule | None) -> Callable[[], bool]:
        """Whether a long answer may go on: the server does, and whoever asked still may."""
        looks = 0

        def still() -> bool:
            nonlocal looks
            if self._keeping.is_closing():
                return False
            looks += 1
            if looks % _ASKS_AGAIN_AFTER_LOOKS or rule is None or rule.anyone:
                return True
            return is_allowed(rule, self._who(headers, is_person=False)[0])

        return still

    def _write_down(self, scope: Scope, rule: Rule | None, status: int | None) -> None:
        asking: Asking | None = scope["state"]["asking"]
        if rule is None or not rule.audited or asking is None or not is_change(scope["method"]):
            return
        done = status is not None and status < 400
        self._keeping.audit.add(
            asking.name,
            f"{scope['method']} {scope['path']}",
            about=str(scope["state"].get("audited", "")),
            address=address_of(scope),
            outcome="done" if done else f"refused ({status})",
        )

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        rule = self._rule(scope)
        scope.setdefault("state", {})
        if rule is not None and self._keeping.names.has(headers.get("host", "")):
            asking, by_cookie = self._who(headers)
            refusal = _from_elsewhere(scope, headers, asking, by_cookie)
            if is_allowed(rule, asking) and refusal is None:
                scope["state"]["asking"] = asking
                await self._app(scope, receive, send)
                return
        await receive()
        await send({"type": "websocket.close", "code": 1008})

    def _who(self, headers: Headers, *, is_person: bool = True) -> tuple[Asking | None, bool]:
        """Who asks, and whether a cookie says so; a token that is shown counts alone."""
        shown = headers.get("authorization")
        if shown is not None:
            kind, _, secret = shown.partition(" ")
            if kind.lower() != "bearer":
                return None, False
            return self._keeping.tokens.asking(secret.strip()), False
        for cookies in headers.getlist("cookie"):
            secret = cookie_parser(cookies).get(self._keeping.cookie, "")
            if secret:
                return self._keeping.accounts.asking(secret, is_person=is_person), True
        return None, False

    def _rule(self, scope: Scope) -> Rule | None:
        """The rule of the route that will answer; ``None`` when none will."""
        method = "WEBSOCKET" if scope["type"] == "websocket" else scope["method"]
        for route in self._routes:
            match, _ = route.matches(scope)
            if match is Match.FULL:
                return self._rules.get((method, rule_path(route)))
        return None


def rule_path(route: BaseRoute) -> str:
    """The path under which a route's rule stands."""
    path = str(getattr(route, "path", ""))
    return f"{path}/*" if isinstance(route, Mount) else path


def address_of(scope: Scope) -> str:
    """The address that a request comes from."""
    client = scope.get("client")
    return str(client[0]) if client else ""


class _Listening:
    """What the application hears: the body, and then that nobody listens any more."""

    def __init__(
        self, receive: Receive, body: Body, content: bytes | None, still: Callable[[], bool]
    ) -> None:
        self._receive = receive
        self._body = body
        self._content = content
        self._still = still
        self.was_cut = False

    async def receive(self) -> Message:
        """The next message."""
        if self._content is not None:
            content, self._content = self._content, None
            return {"type": "http.request", "body": content, "more_body": False}
        if not self._body.is_whole:
            return await self._body.next()
        going = asyncio.ensure_future(self._receive())
        try:
            while self._still():
                done, _ = await asyncio.wait({going}, timeout=_LOOKS_EVERY_S)
                if done:
                    return going.result()
        finally:
            going.cancel()
        self.was_cut = True
        return {"type": "http.disconnect"}


async def _send_to_sign_in(scope: Scope, headers: Headers, answering: Answering) -> None:
    """A person's browser is led to the sign-in page; everybody else is told."""
    path = str(scope["path"])
    is_page = scope["method"] == "GET" and not path.startswith(("/api/", "/static/"))
    if is_page and "text/html" in headers.get("accept", ""):
        query = scope["query_string"].decode("latin-1")
        asked = quote(f"{path}?{query}" if query else path, safe="/")
        await answering.refuse(303, "sign in first", {"Location": f"/sign-in?next={asked}"})
    else:
        await answering.refuse(
            401, "sign in, or show a token", {"WWW-Authenticate": 'Bearer realm="walkout"'}
        )


def _from_elsewhere(
    scope: Scope, headers: Headers, asking: Asking | None, by_cookie: bool
) -> str | None:
    is_socket = scope["type"] == "websocket"
    if not is_socket and not is_change(scope["method"]):
        return None
    if asking is not None and not by_cookie:
        return None
    scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
    return comes_from_elsewhere(
        own=f"{scheme}://{headers.get('host', '')}",
        origin=headers.get("origin"),
        fetch_site=headers.get("sec-fetch-site"),
        by_cookie=by_cookie,
    )


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _is_kind_taken(headers: Headers, rule: Rule | None) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return True
    return rule is not None and rule.longest_body > SMALL_BODY and kind.startswith(_UPLOAD_KINDS)
