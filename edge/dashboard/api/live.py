"""The floor plan and the live state: once, and as server-sent events."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from edge.dashboard.access import VIEWERS
from edge.dashboard.live import LiveFeed
from edge.dashboard.shown import ShownShop
from edge.dashboard.views.floor import Plan
from edge.dashboard.views.live import LiveState
from web.access import Rule, rules
from web.asking import refusals

RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", "/api/v1/plan", VIEWERS, "read"),
    *rules("GET", "/api/v1/state", VIEWERS, "read"),
    *rules("GET", "/api/v1/live", VIEWERS, "read"),
)
_STREAM: Final = (
    "`event: state` with the same JSON as `/api/v1/state`, at once and whenever it has changed, at "
    "most five times a second; `event: beat` when nothing changes for ten seconds. Ends after five "
    "minutes; come again."
)


def router(shop: ShownShop, feed: LiveFeed) -> APIRouter:
    """The live part of the API.

    Args:
        shop: The device.
        feed: Makes the live state for everybody.
    """
    routes = APIRouter(tags=["live"])

    @routes.get("/api/v1/plan", responses=refusals())
    def plan() -> Plan:
        """What stands still: floor, zones, fixtures, cameras."""
        return shop.plan()

    @routes.get("/api/v1/state", responses=refusals())
    def state() -> LiveState:
        """What changes: people, baskets, the newest events and receipts, troubles."""
        return shop.state()

    @routes.get(
        "/api/v1/live",
        response_class=StreamingResponse,
        responses={
            **refusals(),
            200: {"content": {"text/event-stream": {}}, "description": _STREAM},
        },
    )
    async def live() -> StreamingResponse:
        """The live state as server-sent events."""
        return StreamingResponse(
            feed.stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    return routes
