"""The shopper's page: the basket while shopping, the receipt afterwards, and the way to object.

Owns the addresses below ``/s/{link}``. Nobody signs in here: the link itself is the right to look,
made at check-in and impossible to guess; see ``basket_links``. Whatever link is wrong, over, or of
a session that is not there gets the same answer.

The page asks every second while somebody looks at it, and the answer is a few bytes when nothing
has changed (``ETag``): telephones sleep, change networks and are put into pockets, and a question
survives all of that better than an open stream.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import Field

from edge.dashboard.basket_links import BasketLinks
from edge.dashboard.shown import ShownShop
from edge.dashboard.views.shopper import ShopperView
from edge.errors import CheckoutError
from web.access import Rule, rules
from web.rendering import Rendering
from web.shape import Refusal, Shape

RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", "/s/{link}", anyone=True),
    *rules("GET", "/s/{link}/basket", anyone=True),
    *rules("POST", "/s/{link}/disputes", anyone=True),
    *rules("GET", "/s/{link}/photos/{sku}.jpg", anyone=True),
    *rules("GET", "/s/{link}/crops/{name:path}", anyone=True),
)

MOST_OBJECTIONS: Final = 50
"""More than this about one visit are for a person at the counter."""

_GONE: Final = "this link is not good (any more); ask the staff of the shop"
_PHOTO_PX: Final = 320
_KEPT: Final = "private, max-age=86400"
_REFUSALS: Final[dict[int | str, dict[str, object]]] = {
    404: {"model": Refusal, "description": "the link is not good (any more)"},
    409: {"model": Refusal, "description": "it cannot be objected to (any more)"},
}


class ObjectionAsked(Shape):
    """What a shopper objects to.

    Attributes:
        line_id: The take.
        quantity: Pieces of it.
        reason: In the shopper's words.
        request_id: Made by the page; the same id is the same objection.
    """

    line_id: Annotated[str, Field(min_length=1, max_length=400)]
    quantity: Annotated[int, Field(ge=1, le=1000)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    request_id: Annotated[str, Field(pattern=r"^[0-9a-f]{8,64}$")]


def router(
    shop: ShownShop,
    links: BasketLinks,
    rendering: Rendering,
) -> APIRouter:
    """Routes of the shopper's page.

    Args:
        shop: The shop.
        links: Checks links.
        rendering: Makes the page.
    """
    routes = APIRouter(tags=["shopper"])

    def seen(link: str) -> tuple[str, ShopperView]:
        session_id = links.session_of(link)
        if session_id is None:
            raise HTTPException(404, _GONE)
        try:
            view = shop.for_shopper(session_id)
        except CheckoutError:
            raise HTTPException(404, _GONE) from None
        return session_id, view

    @routes.get("/s/{link}", include_in_schema=False)
    def shopper_page(link: str, request: Request) -> HTMLResponse:
        try:
            _, view = seen(link)
        except HTTPException:
            return rendering.page(request, "shopper_gone.html", status_code=404)
        page: dict[str, object] = {"link": link, "basket": view.model_dump(mode="json")}
        return rendering.page(request, "shopper.html", sections=("shopper",), page=page)

    @routes.get(
        "/s/{link}/basket",
        response_model=ShopperView,
        responses=_REFUSALS,
        summary="A shopper's own basket",
    )
    def basket(link: str, request: Request) -> Response:
        _, view = seen(link)
        content = view.model_dump_json()
        tag = f'"{hashlib.sha256(content.encode()).hexdigest()[:24]}"'
        headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type="application/json", headers=headers)

    @routes.post(
        "/s/{link}/disputes", status_code=201, responses=_REFUSALS, summary="Object to a take"
    )
    def object_to(link: str, asked: ObjectionAsked) -> ShopperView:
        session_id, view = seen(link)
        dispute_id = f"{session_id}:shopper:{asked.request_id}"
        take = view.take(asked.line_id)
        if take is None:
            raise HTTPException(409, "this is not in your basket (any more)")
        if len(view.objections) >= MOST_OBJECTIONS:
            raise HTTPException(409, "that is a lot; please talk to the staff of the shop")
        shop.open_dispute(
            session_id, dispute_id, asked.line_id, asked.quantity, reason=asked.reason
        )
        return shop.for_shopper(session_id)

    @routes.get("/s/{link}/photos/{sku}.jpg", include_in_schema=False)
    def product_photo(link: str, sku: str) -> Response:
        _, view = seen(link)
        if all(line.sku != sku for line in view.lines):
            raise HTTPException(404, "there is no such photo")
        return _picture(shop.product_photo(sku, 0, _PHOTO_PX))

    @routes.get("/s/{link}/crops/{name:path}", include_in_schema=False)
    def crop(link: str, name: str) -> Response:
        _, view = seen(link)
        if name not in view.crops:
            raise HTTPException(404, "there is no such picture")
        return _picture(shop.crop(name))

    return routes


def _picture(content: bytes) -> Response:
    return Response(content, media_type="image/jpeg", headers={"Cache-Control": _KEPT})
