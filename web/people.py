"""People, tokens and the audit log, for admins; as JSON.

Owns the shapes; what may become of people and tokens is ``accounts``' and ``tokens``' business.
Passwords and tokens stand in the answer that makes them and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from pydantic import ConfigDict, Field

from web.access import ORGANISATION_PATTERN, Rule, Vocabulary, rules
from web.accounts import NAME_PATTERN, Accounts
from web.audit import AuditLog
from web.entering import Closed, Complaint, NewPassword
from web.tokens import LABEL_PATTERN, Tokens

PersonName = Annotated[str, Field(pattern=NAME_PATTERN)]
# What the words are, the OpenAPI document learns from the application: ``app.name_words``.
RoleName = Annotated[str, Field(max_length=64, json_schema_extra={"x-words": "roles"})]
ScopeName = Annotated[str, Field(max_length=64, json_schema_extra={"x-words": "scopes"})]
Organisation = Annotated[str, Field(pattern=ORGANISATION_PATTERN)]
_PAGE: Final = 100
_LONGEST_DAYS: Final = 3650
_LATEST: Final = 2**53
_DAY_S: Final = 86_400.0
_REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Complaint},
    409: {"model": Complaint},
}


def rules_for(words: Vocabulary) -> tuple[Rule, ...]:
    """Who may change people: admins."""
    admins = words.admins
    return (
        *rules(("GET", "POST"), "/api/v1/people", admins),
        *rules(("PATCH", "DELETE"), "/api/v1/people/{name}", admins),
        *rules(("GET", "POST"), "/api/v1/tokens", admins),
        *rules("DELETE", "/api/v1/tokens/{token_id}", admins),
        *rules("GET", "/api/v1/audit", admins),
    )


class ShownPerson(Closed):
    """Somebody who may sign in; times are seconds since 1970."""

    name: str
    role: RoleName
    created_at: float
    last_seen_at: float | None
    organisation: str = ""


class People(Closed):
    """Everybody who may sign in."""

    people: list[ShownPerson]


class NewPerson(Closed):
    """Somebody who shall sign in; a password is drawn when none is given."""

    name: PersonName
    role: RoleName
    password: NewPassword | None = None
    organisation: Organisation | None = None
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "kim", "role": "admin"}]})


class Change(Closed):
    """What shall be another: the role, or the password, drawn at random for ``true``."""

    role: RoleName | None = None
    password: Literal[True] | NewPassword | None = None
    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "admin"}]})


class Changed(Closed):
    """What somebody is now; the password only where it was drawn, and this once."""

    name: str
    role: RoleName
    password: str | None = None


class ShownToken(Closed):
    """A token without its secret; times are seconds since 1970."""

    token_id: str
    name: str
    scopes: list[ScopeName]
    created_at: float
    last_used_at: float | None
    expires_at: float | None
    organisation: str = ""


class AllTokens(Closed):
    """All tokens."""

    tokens: list[ShownToken]


class NewToken(Closed):
    """A token that shall be; ``lasts_days`` left out lets it last."""

    name: Annotated[str, Field(pattern=LABEL_PATTERN)]
    scopes: Annotated[list[ScopeName], Field(min_length=1, max_length=32)]
    lasts_days: Annotated[float, Field(gt=0, le=_LONGEST_DAYS)] | None = None
    organisation: Organisation | None = None
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "dashboard on the wall", "scopes": ["read"]}]}
    )


class MadeToken(Closed):
    """A token and its secret, which is shown this once."""

    token_id: str
    name: str
    token: str


class ShownAct(Closed):
    """One act in the audit log."""

    sequence: int
    at: float
    who: str
    action: str
    about: str
    address: str
    outcome: str


class Acts(Closed):
    """The newest acts; ``next`` is the next page's ``before``."""

    entries: list[ShownAct]
    next: int | None


def router(accounts: Accounts, tokens: Tokens, audit: AuditLog, words: Vocabulary) -> APIRouter:
    """People, tokens and the audit log."""
    routes = APIRouter(tags=["people"])
    _add_people(routes, accounts, words)
    _add_tokens(routes, tokens, words)

    @routes.get("/api/v1/audit", summary="Who did what")
    def entries(
        limit: Annotated[int, Query(ge=1, le=_PAGE)] = _PAGE,
        before: Annotated[int | None, Query(ge=1, le=_LATEST)] = None,
    ) -> Acts:
        found = audit.newest(limit, before)
        acts = [ShownAct(**asdict(each)) for each in found]
        return Acts(entries=acts, next=found[-1].sequence if len(found) == limit else None)

    return routes


def _known(asked: Iterable[str], known: tuple[str, ...], what: str) -> None:
    """See that words are the application's, before anything is done with them."""
    if unknown := sorted(set(asked) - set(known)):
        raise HTTPException(422, f"{unknown[0]!r} is no {what}; the {what}s are {', '.join(known)}")


def _add_people(routes: APIRouter, accounts: Accounts, words: Vocabulary) -> None:
    @routes.get("/api/v1/people", summary="Who may sign in")
    def people() -> People:
        return People(people=[ShownPerson(**asdict(each)) for each in accounts.people()])

    @routes.post(
        "/api/v1/people", status_code=201, responses=_REFUSED, summary="Let somebody sign in"
    )
    def add(request: Request, asked: NewPerson) -> Changed:
        _known([asked.role], words.roles, "role")
        of = f" of {asked.organisation}" if asked.organisation else ""
        request.state.audited = f"{asked.name} as {asked.role}{of}"
        password = accounts.add(asked.name, asked.role, asked.password, asked.organisation or "")
        drawn = None if asked.password else password
        return Changed(name=asked.name, role=asked.role, password=drawn)

    @routes.patch(
        "/api/v1/people/{name}", responses=_REFUSED, summary="Change a role or a password"
    )
    def change(request: Request, name: str, asked: Change) -> Changed:
        said = []
        drawn = None
        if asked.role is not None:
            _known([asked.role], words.roles, "role")
            said.append(f"role {asked.role}")
            request.state.audited = ", ".join(said)
            accounts.set_role(name, asked.role)
        if asked.password is not None:
            said.append("another password")
            request.state.audited = ", ".join(said)
            given = None if asked.password is True else asked.password
            password = accounts.set_password(name, given)
            drawn = None if given else password
        return Changed(name=name, role=accounts.person(name).role, password=drawn)

    @routes.delete(
        "/api/v1/people/{name}",
        status_code=204,
        responses=_REFUSED,
        summary="Do not let somebody sign in any more",
    )
    def remove(name: str) -> Response:
        accounts.remove(name)
        return Response(status_code=204)


def _add_tokens(routes: APIRouter, tokens: Tokens, words: Vocabulary) -> None:
    @routes.get("/api/v1/tokens", summary="All tokens, without their secrets")
    def all_tokens() -> AllTokens:
        return AllTokens(
            tokens=[ShownToken(**asdict(each)) for each in tokens.all()],
        )

    @routes.post(
        "/api/v1/tokens",
        status_code=201,
        responses=_REFUSED,
        summary="Make a token; its secret is shown this once",
    )
    def make(request: Request, asked: NewToken) -> MadeToken:
        _known(asked.scopes, words.scopes, "scope")
        request.state.audited = f"{asked.name}: {', '.join(asked.scopes)}"
        lasts_s = None if asked.lasts_days is None else asked.lasts_days * _DAY_S
        token, secret = tokens.create(asked.name, asked.scopes, lasts_s, asked.organisation or "")
        return MadeToken(token_id=token.token_id, name=token.name, token=secret)

    @routes.delete(
        "/api/v1/tokens/{token_id}",
        status_code=204,
        responses=_REFUSED,
        summary="Make a token worthless",
    )
    def revoke(token_id: Annotated[str, Path(max_length=64)]) -> Response:
        tokens.revoke(token_id)
        return Response(status_code=204)
