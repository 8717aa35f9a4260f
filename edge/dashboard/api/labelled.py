"""Crops that people in this shop have said something about, for whoever trains."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Response

from edge.dashboard.access import ADMINS
from edge.dashboard.shown import ShownShop
from edge.dashboard.views.labelled import LabelledEvent
from web.access import Rule, rules
from web.asking import After, Limit, refusals
from web.shape import Listed

RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", "/api/v1/labelled", ADMINS, "labelled"),
    *rules("GET", "/api/v1/labelled/crops/{name}", ADMINS, "labelled"),
)


def router(shop: ShownShop) -> APIRouter:
    """What people have settled in a shop."""
    routes = APIRouter(tags=["labelled"])

    @routes.get("/api/v1/labelled", responses=refusals(409, 422))
    def labelled(after: After = None, limit: Limit = 50) -> Listed[LabelledEvent]:
        """Settled events in the order in which people settled them.

        Come again with the last `event_id` as `after`; where it is forgotten by then, the list
        begins anew, so take every event in by its id.
        """
        return shop.labelled(after=after, limit=limit)

    @routes.get(
        "/api/v1/labelled/crops/{name}",
        response_class=Response,
        responses={**refusals(404, 409), 200: {"content": {"image/png": {}}}},
    )
    def crop(name: Annotated[str, Path(max_length=210)]) -> Response:
        """One of their crops."""
        return Response(shop.labelled_crop(name), media_type="image/png")

    return routes
