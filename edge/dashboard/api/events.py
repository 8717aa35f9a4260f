"""Interaction events and the pictures that they rest on."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response

from edge.dashboard.access import VIEWERS
from edge.dashboard.shown import ShownShop
from edge.dashboard.views.events import ShownEvent
from edge.events import InteractionKind
from web.access import Rule, rules
from web.asking import After, Limit, refusals
from web.shape import Listed

RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", "/api/v1/events", VIEWERS, "read"),
    *rules("GET", "/api/v1/crops/{name:path}", VIEWERS, "read"),
)
# A crop never changes: its name is that of one moment.
_KEPT: Final = {"Cache-Control": "private, max-age=86400, immutable"}


def router(shop: ShownShop) -> APIRouter:
    """Events and crops of a shop."""
    routes = APIRouter(tags=["events"])

    @routes.get("/api/v1/events", responses=refusals(409, 422))
    def events(
        after: After = None,
        limit: Limit = 50,
        kind: InteractionKind | None = None,
        camera: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Listed[ShownEvent]:
        """What was taken and put back, newest first."""
        return shop.events(after=after, limit=limit, kind=kind, camera=camera)

    @routes.get(
        "/api/v1/crops/{name:path}",
        response_class=Response,
        responses={**refusals(404, 409), 200: {"content": {"image/jpeg": {}}}},
    )
    def crop(name: Annotated[str, Path(max_length=500)]) -> Response:
        """A stored picture, for as long as the shop keeps it."""
        return Response(shop.crop(name), media_type="image/jpeg", headers=_KEPT)

    return routes
