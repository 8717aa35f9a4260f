"""Cameras: how they are, their pictures, and what is drawn over them."""

from __future__ import annotations

import hashlib
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Response

from edge.dashboard.access import VIEWERS
from edge.dashboard.pictures import WIDTHS_PX
from edge.dashboard.shown import ShownShop
from edge.dashboard.views.cameras import CameraOverlay, ShownCamera
from web.access import Rule, rules
from web.asking import Name, refusals

RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", "/api/v1/cameras", VIEWERS, "read"),
    *rules("GET", "/api/v1/cameras/{name}/picture.jpg", VIEWERS, "read"),
    *rules("GET", "/api/v1/cameras/{name}/overlay", VIEWERS, "read"),
)
_Width = Annotated[
    int, Query(ge=16, le=WIDTHS_PX[-1], description="At most so wide; the next size up is given.")
]


def router(shop: ShownShop) -> APIRouter:
    """The cameras of a device."""
    routes = APIRouter(tags=["cameras"])

    @routes.get("/api/v1/cameras", responses=refusals())
    def cameras() -> tuple[ShownCamera, ...]:
        """How the cameras are, by name."""
        return shop.cameras()

    @routes.get(
        "/api/v1/cameras/{name}/picture.jpg",
        response_class=Response,
        responses={
            **refusals(404, 422),
            200: {"content": {"image/jpeg": {}}},
            304: {"description": "The picture is the one that you have."},
        },
    )
    def picture(
        name: Name,
        width: _Width = 960,
        if_none_match: Annotated[str | None, Header(max_length=200)] = None,
    ) -> Response:
        """The newest picture; nobody in it can be recognised."""
        jpeg = shop.camera_picture(name, width)
        tag = f'"{hashlib.sha256(jpeg).hexdigest()[:24]}"'
        kept = {"Cache-Control": "private, no-cache", "ETag": tag}
        if if_none_match == tag:
            return Response(status_code=304, headers=kept)
        return Response(jpeg, media_type="image/jpeg", headers=kept)

    @routes.get("/api/v1/cameras/{name}/overlay", responses=refusals(404))
    def overlay(name: Name) -> CameraOverlay:
        """What is drawn over it: zones, facings, people, decisions, as shares of the picture."""
        return shop.camera_overlay(name)

    return routes
