"""The camera page: a telephone's or tablet's camera, with names and prices on what it sees.

Owns one address. The page sends its newest frame to the visual search of this device, one at a
time, and follows what was found between the answers itself. Browsers give a camera only to secure
addresses: the page needs TLS, except on the device itself.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from edge.dashboard.access import VIEWERS
from web.access import Rule, rules
from web.rendering import Rendering

RULES: Final[tuple[Rule, ...]] = rules("GET", "/see", VIEWERS)


def router(rendering: Rendering) -> APIRouter:
    """The route of the page.

    Args:
        rendering: Makes it.
    """
    routes = APIRouter()

    @routes.get("/see", include_in_schema=False)
    def see(request: Request) -> HTMLResponse:
        return rendering.page(request, "see.html", sections=("see",))

    return routes
