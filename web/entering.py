"""Signing in and out: by name and password, or by a link that works once.

Owns how often it may be tried, and the cookie. Attempts are counted by address, by name and all
together before anything is hashed, so ten thousand wrong passwords cost a few dozen
hashes. Who somebody is once signed in is ``gate``'s business.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from web.access import Asking, Rule, Vocabulary, rules
from web.accounts import Accounts, SessionLimits
from web.audit import AuditLog
from web.limits import Allowance, Attempts, address_group
from web.passwords import LONGEST_PASSWORD, SHORTEST_PASSWORD

Typed = Annotated[str, Field(max_length=LONGEST_PASSWORD)]
NewPassword = Annotated[str, Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)]
_ALL: Final = "all"
_REFUSED_AFTER_S: Final = 0.2
# A page of its own: a redirect would take along no SameSite=Strict cookie when somebody followed
# the link from another site, such as a chat.
_ENTERED: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">
<title>Walkout</title></head><body><p><a href="/">Go on</a></p></body></html>
"""


def rules_for(words: Vocabulary) -> tuple[Rule, ...]:
    """Who may sign in and out: everybody whom the application knows."""
    everybody = words.everybody
    return (
        *rules("POST", "/api/v1/session", anyone=True, audited=False),
        *rules("DELETE", "/api/v1/session", everybody, audited=False),
        *rules("GET", "/api/v1/me", everybody, *words.scopes),
        *rules("POST", "/api/v1/me/password", everybody),
        *rules("GET", "/enter/{link}", anyone=True),
    )


class Closed(BaseModel):
    """A body that has no other fields than those named."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SignIn(Closed):
    """Somebody's name and password."""

    name: Annotated[str, Field(max_length=64)]
    password: Typed
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "admin", "password": "correct horse battery"}]}
    )


class NewOwnPassword(Closed):
    """A person's own password and what it shall be."""

    old: Typed
    new: NewPassword


class Me(Closed):
    """Who asks."""

    name: str
    role: str | None = None
    scopes: tuple[str, ...] = ()
    organisation: str = ""
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "kim", "role": "staff"}]})


class Complaint(Closed):
    """Why it cannot be, and what to do."""

    error: str


@dataclass(frozen=True)
class CookieSettings:
    """The session's cookie.

    Attributes:
        name: Its name.
        is_secure: Whether it is only sent over encrypted connections.
        limits: How long it is kept.
    """

    name: str
    is_secure: bool
    limits: SessionLimits

    def put(self, response: Response, secret: str) -> None:
        """Give it to a browser."""
        response.set_cookie(
            self.name,
            secret,
            max_age=int(self.limits.longest_s),
            path="/",
            secure=self.is_secure,
            httponly=True,
            samesite="strict",
        )

    def take_away(self, response: Response) -> None:
        """Take it from a browser."""
        response.delete_cookie(
            self.name, path="/", secure=self.is_secure, httponly=True, samesite="strict"
        )


@dataclass(frozen=True)
class SignInLimits:
    """How often it may be tried, before anything is hashed.

    Attributes:
        by_address: From one address, or IPv6 network.
        by_name: For one name, from wherever: generous, so that nobody is locked out for long.
        altogether: All of it: what the processor gives away.
        monotonic_s: A clock that never jumps.
    """

    by_address: Attempts = field(default_factory=lambda: Attempts(Allowance(10, 30.0)))
    by_name: Attempts = field(default_factory=lambda: Attempts(Allowance(20, 10.0)))
    altogether: Attempts = field(default_factory=lambda: Attempts(Allowance(60, 2.0)))
    # A flood of refusals is one line a minute in the audit log.
    told: Attempts = field(default_factory=lambda: Attempts(Allowance(1, 60.0)))
    monotonic_s: Callable[[], float] = time.monotonic

    def wait_s(self, address: str, name: str) -> float:
        """How long has to be waited; 0 takes the attempt."""
        now_s = self.monotonic_s()
        tries = self._tries(address, name)
        wait_s = max(each.wait_s(key, now_s) for each, key in tries)
        if wait_s <= 0:
            for each, key in tries:
                each.take(key, now_s)
        return wait_s

    def was_right(self, address: str, name: str) -> None:
        """The attempt does not count."""
        for each, key in self._tries(address, name):
            each.give_back(key, self.monotonic_s())

    def shall_be_told(self, address: str) -> bool:
        """Whether a refusal belongs into the audit log."""
        now_s = self.monotonic_s()
        if self.told.wait_s(address, now_s) > 0:
            return False
        self.told.take(address, now_s)
        return True

    def _tries(self, address: str, name: str) -> tuple[tuple[Attempts, str], ...]:
        return (self.by_address, address), (self.by_name, name), (self.altogether, _ALL)


def router(
    accounts: Accounts, audit: AuditLog, cookie: CookieSettings, limits: SignInLimits | None = None
) -> APIRouter:
    """Signing in and out."""
    routes = APIRouter(tags=["signing in"])
    door = _Door(accounts, audit, limits or SignInLimits())

    @routes.post(
        "/api/v1/session",
        response_model=Me,
        responses={401: {"model": Complaint}, 429: {"model": Complaint}},
        summary="Sign in; the answer carries the session's cookie",
    )
    async def sign_in(request: Request, asked: SignIn) -> Response:
        refusal = door.try_again_later(request, asked.name)
        if refusal is None:
            return await run_in_threadpool(enter_by_password, request, asked)
        # Who has to wait takes no thread, and learns so late that a flood is a trickle.
        await asyncio.sleep(_REFUSED_AFTER_S)
        return refusal

    def enter_by_password(request: Request, asked: SignIn) -> Response:
        refusal = door.try_password(request, asked.name, asked.password)
        if refusal is not None:
            return refusal
        _end_session(request)
        secret = accounts.begin_session(asked.name)
        audit.add(asked.name, "signed in", address=_address(request))
        person = accounts.person(asked.name)
        me = Me(name=asked.name, role=person.role, organisation=person.organisation)
        response = JSONResponse(me.model_dump(mode="json"))
        cookie.put(response, secret)
        return response

    @routes.delete("/api/v1/session", status_code=204, summary="Sign out")
    def sign_out(request: Request) -> Response:
        _end_session(request)
        audit.add(_asking(request).name, "signed out", address=_address(request))
        response = Response(status_code=204)
        cookie.take_away(response)
        return response

    @routes.get("/api/v1/me", summary="Who asks")
    def me(request: Request) -> Me:
        asking = _asking(request)
        return Me(
            name=asking.name,
            role=asking.role,
            scopes=tuple(sorted(asking.scopes)),
            organisation=asking.organisation,
        )

    @routes.post(
        "/api/v1/me/password",
        status_code=204,
        responses={401: {"model": Complaint}, 429: {"model": Complaint}},
        summary="Change one's own password; all other sessions of the same person end",
    )
    def change_password(request: Request, asked: NewOwnPassword) -> Response:
        name = _asking(request).name
        refusal = door.try_again_later(request, name) or door.try_password(request, name, asked.old)
        if refusal is not None:
            return refusal
        accounts.set_password(name, asked.new)
        response = Response(status_code=204)
        cookie.put(response, accounts.begin_session(name))
        return response

    @routes.get("/enter/{link}", include_in_schema=False)
    def enter(request: Request, link: str) -> Response:
        name = accounts.use_link(link)
        if name is None:
            if door.limits.shall_be_told(address_group(_address(request))):
                audit.add("somebody", "followed an old link", address=_address(request))
            return RedirectResponse("/sign-in?because=link", status_code=303)
        response = HTMLResponse(_ENTERED)
        cookie.put(response, accounts.begin_session(name))
        audit.add(name, "signed in by a link", address=_address(request))
        return response

    def _end_session(request: Request) -> None:
        before = request.cookies.get(cookie.name)
        if before:
            accounts.end_session(before)

    return routes


class _Door:
    """Passwords as they are tried."""

    def __init__(self, accounts: Accounts, audit: AuditLog, limits: SignInLimits) -> None:
        self._accounts = accounts
        self._audit = audit
        self.limits = limits

    def try_again_later(self, request: Request, name: str) -> Response | None:
        """Why nothing may be tried now; ``None`` when it may, which counts as tried."""
        address = _address(request)
        group = address_group(address)
        wait_s = self.limits.wait_s(group, name)
        if wait_s <= 0:
            return None
        if self.limits.shall_be_told(group):
            self._audit.add(name, "tried to sign in too often", address=address, outcome="429")
        seconds = math.ceil(wait_s)
        return JSONResponse(
            {"error": f"that was tried too often; try again in {seconds} s"},
            429,
            {"Retry-After": str(seconds)},
        )

    def try_password(self, request: Request, name: str, password: str) -> Response | None:
        """Why nobody signs in by it; ``None`` when it is right."""
        address = _address(request)
        if self._accounts.is_right(name, password):
            self.limits.was_right(address_group(address), name)
            return None
        self._audit.add(name, "failed to sign in", address=address, outcome="wrong password")
        return JSONResponse({"error": "name or password is wrong; try again"}, 401)


def _asking(request: Request) -> Asking:
    asking: Asking = request.state.asking
    return asking


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else ""
