"""The staff's pages: which there are, what each begins with, and who may see it.

Owns addresses of HTML pages. What happens on them is the scripts' business, which ask the API; what
stands in them at the start is the same answer, so that nothing has to be waited for.
"""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from edge.dashboard.access import ADMINS, VIEWERS
from edge.dashboard.shown import ShownShop
from web.access import Rule, rules
from web.rendering import Rendering

RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", "/", VIEWERS),
    *rules("GET", "/review", VIEWERS),
    *rules("GET", "/receipts", VIEWERS),
    *rules("GET", "/receipts/{session_id}", VIEWERS),
    *rules("GET", "/stock", VIEWERS),
    *rules("GET", "/cameras", VIEWERS),
    *rules("GET", "/cameras/{name}", VIEWERS),
    *rules("GET", "/health", VIEWERS),
    *rules("GET", "/models", VIEWERS),
    *rules("GET", "/api", VIEWERS),
    *rules("GET", "/people", ADMINS),
    *rules("GET", "/audit", ADMINS),
)


def router(shop: ShownShop, rendering: Rendering) -> APIRouter:
    """The pages of a shop."""
    routes = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)

    def add(address: str, template: str, *sections: str) -> None:
        """A page whose script asks for what it shows."""

        def shown(request: Request) -> HTMLResponse:
            return rendering.page(request, template, sections=sections)

        routes.add_api_route(address, shown, name=template)

    @routes.get("/")
    def live(request: Request) -> HTMLResponse:
        beginning: dict[str, object] = {
            "plan": shop.plan().model_dump(mode="json"),
            "state": shop.state().model_dump(mode="json"),
        }
        return rendering.page(request, "live.html", sections=("live", "trouble"), page=beginning)

    @routes.get("/receipts/{session_id}")
    def receipt(request: Request, session_id: str) -> HTMLResponse:
        return rendering.page(
            request, "receipt.html", sections=("receipts", "why"), page={"session": session_id}
        )

    @routes.get("/cameras/{name}")
    def camera(request: Request, name: str) -> HTMLResponse:
        return rendering.page(
            request,
            "camera.html",
            sections=("cameras", "camera_status", "live"),
            page={"camera": name},
            camera=name,
        )

    add("/review", "review.html", "review", "why")
    add("/receipts", "receipts.html", "receipts")
    add("/stock", "stock.html", "stock")
    add("/cameras", "cameras.html", "cameras", "camera_status")
    add("/health", "health.html", "health", "camera_status", "trouble")
    add("/models", "models.html", "models")
    add("/api", "api.html", "api")
    add("/people", "people.html", "people")
    add("/audit", "audit.html", "audit")
    return routes
