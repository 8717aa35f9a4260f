"""What the shop sells, and what stands on its shelves."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response

from edge.dashboard.access import VIEWERS
from edge.dashboard.shown import ShownShop
from edge.dashboard.views.products import ShownProduct
from edge.dashboard.views.stock import ShownStock
from web.access import Rule, rules
from web.asking import After, Limit, Name, refusals
from web.shape import Listed

RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", "/api/v1/products", VIEWERS, "read", "search", "review"),
    *rules(
        "GET", "/api/v1/products/{sku}/photos/{number}.jpg", VIEWERS, "read", "search", "review"
    ),
    *rules("GET", "/api/v1/stock", VIEWERS, "read"),
)
_KEPT: Final = {"Cache-Control": "private, max-age=3600"}


def router(shop: ShownShop) -> APIRouter:
    """Products and stock of a shop."""
    routes = APIRouter(tags=["products"])

    @routes.get("/api/v1/products", responses=refusals(422))
    def products(
        q: Annotated[str, Query(max_length=200, description="Words of name, SKU or GTIN.")] = "",
        after: After = None,
        limit: Limit = 50,
    ) -> Listed[ShownProduct]:
        """Products by name."""
        return shop.products(query=q, after=after, limit=limit)

    @routes.get(
        "/api/v1/products/{sku}/photos/{number}.jpg",
        response_class=Response,
        responses={**refusals(404, 422), 200: {"content": {"image/jpeg": {}}}},
    )
    def photo(
        sku: Name,
        number: Annotated[int, Path(ge=0, le=100_000)],
        width: Annotated[int, Query(ge=16, le=1280)] = 320,
    ) -> Response:
        """A photo of the catalogue."""
        jpeg = shop.product_photo(sku, number, width)
        return Response(jpeg, media_type="image/jpeg", headers=_KEPT)

    @routes.get("/api/v1/stock", responses=refusals(409))
    def stock() -> ShownStock:
        """What stands where now: gaps, and goods where they do not belong."""
        return shop.stock()

    return routes
