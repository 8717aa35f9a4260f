"""The sign-in page: before it, nobody is known.

Owns where somebody goes who is known already. How signing in ends is ``entering``'s business.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from web.access import Rule, rules
from web.rendering import Rendering

RULES: Final[tuple[Rule, ...]] = rules("GET", "/sign-in", anyone=True)


def router(rendering: Rendering) -> APIRouter:
    """The sign-in page."""
    routes = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    @routes.get("/sign-in")
    def sign_in(request: Request) -> Response:
        wanted = request.query_params.get("next", "/")
        if request.state.asking is not None:
            return RedirectResponse(wanted if _is_own_place(wanted) else "/", 303)
        beginning: dict[str, object] = {
            "because": request.query_params.get("because"),
            # Whoever follows a link from elsewhere comes without the strict cookie. A step from
            # this page to itself brings it along, and the line above lets them in.
            "from_elsewhere": request.headers.get("sec-fetch-site") == "cross-site",
        }
        return rendering.page(request, "sign-in.html", sections=("sign_in",), page=beginning)

    return routes


def _is_own_place(wanted: str) -> bool:
    """Whether an address is a path of this server; ``//elsewhere`` is another one's."""
    return wanted.startswith("/") and not wanted.startswith(("//", "/\\"))
