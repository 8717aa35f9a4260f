"""Products and their photos: handed in, judged, approved, refused, withdrawn."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import ConfigDict, Field

from cloud_trainer.portal.access import EVERYBODY, OPERATORS, PROVIDERS
from cloud_trainer.portal.photos import WIDTHS_PX
from cloud_trainer.portal.shown import Portal
from cloud_trainer.portal.views.fleet import Waiting
from cloud_trainer.portal.views.products import (
    CATEGORY_PATTERN,
    SKU_PATTERN,
    Alike,
    ProductBrief,
    ProductFields,
    ShownPhoto,
    ShownProduct,
    Stage,
)
from web.access import UPLOAD_BODY, Rule, rules
from web.asking import After, Limit, refusals, whoever
from web.shape import API, Listed, Shape

_ONE: Final = f"{API}/products/{{sku}}"
_PHOTO: Final = f"{_ONE}/photos/{{photo_id}}"
RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", f"{API}/waiting", EVERYBODY, "read", "provide", "operate"),
    *rules("GET", f"{API}/products", EVERYBODY, "read", "provide", "operate"),
    *rules("GET", _ONE, EVERYBODY, "read", "provide", "operate"),
    *rules("PUT", _ONE, PROVIDERS, "provide", "operate"),
    *rules("POST", f"{_ONE}/photos", PROVIDERS, "provide", "operate", longest_body=UPLOAD_BODY),
    *rules("DELETE", _PHOTO, PROVIDERS, "provide", "operate"),
    *rules("PUT", f"{_PHOTO}/kept", OPERATORS, "operate"),
    *rules("GET", f"{_PHOTO}/picture.jpg", EVERYBODY, "read", "provide", "operate"),
    *rules("GET", f"{_PHOTO}/original", EVERYBODY, "read", "provide", "operate"),
    *rules("POST", f"{_ONE}/hand-in", PROVIDERS, "provide", "operate"),
    *rules("POST", f"{_ONE}/withdraw", PROVIDERS, "provide", "operate"),
    *rules("GET", f"{_ONE}/alike", EVERYBODY, "read", "provide", "operate"),
    *rules("POST", f"{_ONE}/approve", OPERATORS, "operate"),
    *rules("POST", f"{_ONE}/refuse", OPERATORS, "operate"),
)
IMAGE_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("image/jpeg", "image/png", "image/webp", "image/bmp")
        },
    }
}
_KEPT: Final = {"Cache-Control": "private, max-age=86400"}

Sku = Annotated[str, Path(pattern=SKU_PATTERN, description="The product.")]
PhotoId = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="Hash of the photo's file.")]
FileName = Annotated[str, Query(max_length=300, description="What the file is called.")]


class Approval(Shape):
    """What an operator approves.

    Attributes:
        revision: What was looked at; refused when it was changed meanwhile.
    """

    revision: Annotated[int, Field(ge=1, le=2**31)] | None = None
    model_config = ConfigDict(json_schema_extra={"examples": [{"revision": 2}]})


class Said(Shape):
    """Why."""

    reason: Annotated[str, Field(max_length=500)] = ""
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the pack is cut off"}]})


class Kept(Shape):
    """Whether a photo is used in spite of its faults."""

    is_kept: bool
    model_config = ConfigDict(json_schema_extra={"examples": [{"is_kept": True}]})


def router(portal: Portal) -> APIRouter:
    """Products and their photos."""
    routes = APIRouter(tags=["products"])
    _add_looking(routes, portal)
    _add_providing(routes, portal)
    _add_operating(routes, portal)
    _add_photos(routes, portal)
    return routes


def _add_looking(routes: APIRouter, portal: Portal) -> None:
    @routes.get(f"{API}/waiting", responses=refusals())
    def waiting(request: Request) -> Waiting:
        """What waits for whoever asks."""
        return portal.waiting(whoever(request))

    @routes.get(f"{API}/products", responses=refusals(422))
    def products(
        request: Request,
        q: Annotated[
            str, Query(max_length=100, description="Begins a SKU, a GTIN or a word of the name.")
        ] = "",
        stage: Stage | None = None,
        category: Annotated[str | None, Query(pattern=CATEGORY_PATTERN)] = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Listed[ProductBrief]:
        """Products by SKU; those that wait for an operator in the order in which they came."""
        return portal.products(
            whoever(request), query=q, stage=stage, category=category, after=after, limit=limit
        )

    @routes.get(_ONE, responses=refusals(404, 422))
    def product(request: Request, sku: Sku) -> ShownProduct:
        """A product with its photos, their verdicts and its history."""
        return portal.product(whoever(request), sku)

    @routes.get(f"{_ONE}/alike", responses=refusals(404, 422))
    def alike(request: Request, sku: Sku) -> tuple[Alike, ...]:
        """Products that look alike, with what it costs to tell them apart."""
        return portal.alike(whoever(request), sku)


def _add_providing(routes: APIRouter, portal: Portal) -> None:
    @routes.put(_ONE, responses=refusals(409, 422))
    def put(request: Request, sku: Sku, fields: ProductFields) -> ShownProduct:
        """Add a product, or change what is said of it; sending the same again changes nothing."""
        request.state.audited = fields.name
        return portal.put_product(whoever(request), sku, fields)

    @routes.post(f"{_ONE}/hand-in", responses=refusals(404, 409, 422))
    def hand_in(request: Request, sku: Sku) -> ShownProduct:
        """Its provider is done: an operator should look."""
        return portal.hand_in(whoever(request), sku)

    @routes.post(f"{_ONE}/withdraw", responses=refusals(404, 409, 422))
    def withdraw(request: Request, sku: Sku, said: Said) -> ShownProduct:
        """It shall not be recognised any more."""
        request.state.audited = said.reason
        return portal.withdraw(whoever(request), sku, said.reason)


def _add_operating(routes: APIRouter, portal: Portal) -> None:
    @routes.post(f"{_ONE}/approve", responses=refusals(404, 409, 422))
    def approve(request: Request, sku: Sku, approval: Approval) -> ShownProduct:
        """The pipeline may take it."""
        return portal.approve(whoever(request), sku, approval.revision)

    @routes.post(f"{_ONE}/refuse", responses=refusals(404, 409, 422))
    def refuse(request: Request, sku: Sku, said: Said) -> ShownProduct:
        """Back to its provider, with the reason."""
        request.state.audited = said.reason
        return portal.refuse(whoever(request), sku, said.reason)


def _add_photos(routes: APIRouter, portal: Portal) -> None:
    @routes.post(
        f"{_ONE}/photos",
        status_code=201,
        responses=refusals(404, 409, 413, 422),
        openapi_extra=IMAGE_BODY,
    )
    async def add_photo(request: Request, sku: Sku, name: FileName = "photo") -> ShownPhoto:
        """Add a photo; the answer says what is wrong with it. The same photo is one."""
        content = await request.body()
        return await run_in_threadpool(portal.add_photo, whoever(request), sku, name, content)

    @routes.delete(_PHOTO, status_code=204, responses=refusals(404, 409, 422))
    def remove_photo(request: Request, sku: Sku, photo_id: PhotoId) -> Response:
        """Take a photo away from a product."""
        portal.remove_photo(whoever(request), sku, photo_id)
        return Response(status_code=204)

    @routes.put(f"{_PHOTO}/kept", responses=refusals(404, 422))
    def keep_photo(request: Request, sku: Sku, photo_id: PhotoId, kept: Kept) -> ShownPhoto:
        """Use a photo in spite of its faults, or not any more."""
        return portal.keep_photo(whoever(request), sku, photo_id, kept.is_kept)

    @routes.get(
        f"{_PHOTO}/picture.jpg",
        response_class=Response,
        responses={
            **refusals(404, 422),
            200: {"content": {"image/jpeg": {}}},
            304: {"description": "The picture is the one that you have."},
        },
    )
    def picture(
        request: Request,
        sku: Sku,
        photo_id: PhotoId,
        width: Annotated[
            int, Query(ge=16, le=WIDTHS_PX[-1], description="At most about so wide.")
        ] = 640,
        if_none_match: Annotated[str | None, Header(max_length=200)] = None,
    ) -> Response:
        """A photo as JPEG."""
        tag = f'"{photo_id[:24]}-{width}"'
        jpeg = portal.photo(whoever(request), sku, photo_id, width)
        if if_none_match == tag:
            return Response(status_code=304, headers={**_KEPT, "ETag": tag})
        return Response(jpeg, media_type="image/jpeg", headers={**_KEPT, "ETag": tag})

    @routes.get(
        f"{_PHOTO}/original",
        response_class=Response,
        responses={**refusals(404, 422), 200: {"content": {"application/octet-stream": {}}}},
    )
    def original(request: Request, sku: Sku, photo_id: PhotoId) -> Response:
        """A photo's file as it came, to be kept and not to be opened in the page."""
        content = portal.photo(whoever(request), sku, photo_id, None)
        named = {"Content-Disposition": f'attachment; filename="{photo_id[:16]}"'}
        return Response(content, media_type="application/octet-stream", headers=named)
