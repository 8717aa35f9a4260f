"""The application: all routers behind one gate.

Owns which routers there are, that every route has exactly one rule and every rule a route, what
errors become, and the OpenAPI document. What routes say is the routers' business.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Final, TypeAlias

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Mount, WebSocketRoute
from starlette.types import ASGIApp

from web.access import Rule, Vocabulary, rules
from web.errors import AccountError, AccountMissingError, AccountsFileError, BusyError
from web.gate import Doorkeeping, Gate, rule_path

Routed: TypeAlias = tuple[APIRouter, Sequence[Rule]]

_LOGGER: Final = logging.getLogger(__name__)
# The nearest class of an error's ancestry counts.
_STATUSES: Final[dict[type[Exception], int]] = {
    AccountMissingError: 404,
    AccountsFileError: 503,
    AccountError: 409,
    BusyError: 429,
}


@dataclass(frozen=True)
class About:
    """What an application says of itself.

    Attributes:
        title: Of its OpenAPI document.
        description: Of the same.
        words: Its roles and scopes.
        readers: Scopes that may read the document, beside everybody who signs in.
        statuses: What its errors become; the nearest class of an error's ancestry counts.
    """

    title: str
    description: str
    words: Vocabulary
    readers: tuple[str, ...] = ()
    statuses: Mapping[type[Exception], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Site:
    """An application and what it was made of.

    Attributes:
        asgi: Behind its gate.
        rules: All of them.
        openapi: The OpenAPI document, made when it is first asked for.
    """

    asgi: ASGIApp
    rules: tuple[Rule, ...]
    openapi: Callable[[], dict[str, Any]]


def make_app(
    routed: Sequence[Routed],
    keeping: Doorkeeping,
    about: About,
) -> Site:
    """Put the application together.

    Args:
        routed: Every router with its rules, in the order in which they are asked.
        keeping: What the gate goes by.
        about: What the application says of itself.

    Raises:
        ValueError: A route has no rule or two, or a rule no route.
    """
    app = FastAPI(
        title=about.title,
        description=about.description,
        version=_version(),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    own = APIRouter()
    own_rules = rules("GET", "/api/v1/openapi.json", about.words.everybody, *about.readers)

    @own.get("/api/v1/openapi.json", include_in_schema=False)
    def openapi_document() -> Response:
        return Response(json.dumps(document(), ensure_ascii=False), media_type="application/json")

    # Flat, so that the gate finds the very route that will answer.
    routes = app.router.routes
    routes.clear()
    all_rules: list[Rule] = []
    for router, router_rules in (*routed, (own, own_rules)):
        routes.extend(router.routes)
        all_rules.extend(router_rules)
    by_route = matched(routes, all_rules)

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            _say_who(app.openapi(), by_route)
            _name_words(app.openapi(), about.words)
        return app.openapi()

    _add_errors(app, about.statuses)
    return Site(Gate(app, routes, by_route, keeping), tuple(all_rules), document)


def matched(routes: Sequence[BaseRoute], rules: Sequence[Rule]) -> dict[tuple[str, str], Rule]:
    """Rules by method and path.

    Raises:
        ValueError: They are not one for each route and method.
    """
    by_route: dict[tuple[str, str], Rule] = {}
    for rule in rules:
        if by_route.setdefault((rule.method, rule.path), rule) is not rule:
            raise ValueError(f"{rule.method} {rule.path} has two rules; keep one")
    wanted = {(method, rule_path(route)) for route in routes for method in _methods(route)}
    for method, path in sorted(wanted - by_route.keys()):
        raise ValueError(f"{method} {path} has no rule; add one to its router's RULES")
    for method, path in sorted(by_route.keys() - wanted):
        raise ValueError(f"the rule for {method} {path} has no route; remove it")
    return by_route


def _methods(route: BaseRoute) -> tuple[str, ...]:
    if isinstance(route, WebSocketRoute):
        return ("WEBSOCKET",)
    if isinstance(route, Mount):
        return ("GET",)
    return tuple(sorted(getattr(route, "methods", None) or ()))


def _version() -> str:
    try:
        return metadata.version("walkout")
    except metadata.PackageNotFoundError:
        return "0"


def _add_errors(app: FastAPI, statuses: Mapping[type[Exception], int]) -> None:
    known = {**_STATUSES, **statuses}

    async def refused(request: Request, err: Exception) -> Response:
        status = next(known[each] for each in type(err).__mro__ if each in known)
        if status >= 500:
            _LOGGER.warning("%s %s: %s", request.method, request.url.path, err)
        return _complaint(status, str(err), {"Retry-After": "2"} if status in (429, 503) else None)

    async def not_valid(request: Request, err: Exception) -> Response:
        assert isinstance(err, RequestValidationError)
        return _complaint(422, _first(err))

    async def plain(request: Request, err: Exception) -> Response:
        assert isinstance(err, HTTPException)
        return _complaint(err.status_code, str(err.detail), err.headers)

    for each in known:
        app.add_exception_handler(each, refused)
    app.add_exception_handler(RequestValidationError, not_valid)
    app.add_exception_handler(HTTPException, plain)


def _complaint(status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    # All of it in ASCII: what somebody sent may be no text that can be encoded.
    body = json.dumps({"error": reason})
    return Response(body, status, dict(headers or {}), media_type="application/json")


def _first(err: RequestValidationError) -> str:
    error = err.errors()[0]
    place = ".".join(str(step) for step in error["loc"][1:] or error["loc"])
    said = str(error["msg"]).removeprefix("Value error, ")
    return f"{place}: {said}" if place else said


def _say_who(document: dict[str, Any], by_route: Mapping[tuple[str, str], Rule]) -> None:
    """Put into the OpenAPI document who may use what, and how one says who one is."""
    document.setdefault("components", {})["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": "walkout"},
    }
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            rule = by_route.get((method.upper(), path))
            if rule is None:
                continue
            operation["x-roles"] = sorted(rule.roles)
            operation["x-scopes"] = sorted(rule.scopes)
            ways: list[dict[str, list[str]]] = [{}] if rule.anyone else []
            ways += [{"session": []}] if rule.roles else []
            ways += [{"token": []}] if rule.scopes else []
            operation["security"] = ways


def _name_words(part: Any, words: Vocabulary) -> None:  # noqa: ANN401
    """Put an application's roles and scopes where the document only says that there are some."""
    if isinstance(part, dict):
        marked = part.pop("x-words", None)
        if marked is not None:
            part["enum"] = list(words.roles if marked == "roles" else words.scopes)
    for each in part.values() if isinstance(part, dict) else part:
        if isinstance(each, (dict, list)):
            _name_words(each, words)
