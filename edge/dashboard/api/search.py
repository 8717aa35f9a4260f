"""Visual search over HTTP: pictures in, products with prices, places and decisions out.

Owns how pictures arrive (JSON with base64, multipart, a camera's name) and how refusals are told.
The shape is ``edge.dashboard.views.search``'s: that of Google Cloud Vision's Product Search. How a
picture is searched is ``edge.search``'s business.

Alike: ``requests`` and ``responses``, ``image.content``, ``imageContext.productSearchParams`` with
``boundingPoly``, ``productSet`` and ``productCategories``, ``results``, ``productGroupedResults``,
``score``, ``error``. Not alike: pictures are never fetched from an address, there is no ``filter``
by labels, a picture is one query unless ``find`` is asked for, and at most five products are
ranked, which is what a decision weighs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from calibration.format import first_complaint
from edge.dashboard.access import STAFF, TECHNICIANS, VIEWERS
from edge.dashboard.views.search import (
    MOST_PICTURES,
    MOST_REGIONS,
    BoundingPoly,
    ImageAsked,
    ProductSearchParams,
    ProductSetAsked,
    ProductSetsTold,
    ProductSetTold,
    SearchAsked,
    SearchesAsked,
    SearchesTold,
    SearchFault,
    SearchTold,
)
from edge.dashboard.views.search_results import results_shape
from edge.errors import SearchBusyError, SearchError, WalkoutEdgeError
from edge.search.finding import Found
from edge.search.product_sets import ProductSets
from edge.search.region import Image
from edge.search.searching import Polygon, VisualSearch, Wanted
from models.photos import PhotoError, decode_photo
from web.access import UPLOAD_BODY, Rule, rules
from web.shape import API, Refusal

RULES: Final[tuple[Rule, ...]] = (
    *rules("POST", f"{API}/search", VIEWERS, "search", longest_body=UPLOAD_BODY, audited=False),
    *rules(
        "POST", f"{API}/images:annotate", VIEWERS, "search", longest_body=UPLOAD_BODY, audited=False
    ),
    *rules("GET", f"{API}/product-sets", VIEWERS, "search", "read"),
    *rules("GET", f"{API}/product-sets/{{name}}", VIEWERS, "search", "read"),
    *rules(("PUT", "DELETE"), f"{API}/product-sets/{{name}}", STAFF | TECHNICIANS, "search"),
)

MOST_PIXELS: Final = 50_000_000
"""A picture that claims more is refused before it is decoded."""

_ANSWERED_WITHIN_S: Final = 20.0
_DECODED_AT_ONCE: Final = 2
_WIDEST_CAMERA_PX: Final = 1280
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    404: {"model": Refusal, "description": "there is no such camera or product set"},
    413: {"model": Refusal, "description": "the body is larger than allowed"},
    422: {"model": Refusal, "description": "it is no picture, or cannot be searched as asked"},
    503: {"model": Refusal, "description": "too much waits, or nothing serves here; ask later"},
}
_FORM: Final = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {
            "type": "array",
            "maxItems": MOST_PICTURES,
            "items": {"type": "string", "format": "binary"},
            "description": "JPEG, PNG, WebP or BMP; one or several",
        },
        "maxResults": {"type": "integer", "minimum": 1, "maximum": 500},
        "find": {"type": "boolean"},
        "regions": {"type": "integer", "minimum": 1, "maximum": MOST_REGIONS},
        "productSet": {"type": "string"},
        "productCategories": {"type": "array", "items": {"type": "string"}},
        "boundingPoly": {"type": "string", "description": "a BoundingPoly as JSON"},
    },
}
_FORM_FIELDS: Final = frozenset(
    {"image", "maxResults", "find", "regions", "productSet", "productCategories", "boundingPoly"}
)


def _in_one_piece(schema: dict[str, Any]) -> dict[str, Any]:
    """A JSON schema with what it refers to in place; within OpenAPI it cannot have definitions."""

    def whole(part: Any) -> Any:  # noqa: ANN401 -- any JSON value
        if isinstance(part, list):
            return [whole(each) for each in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return whole(schema["$defs"][part["$ref"].rpartition("/")[2]])
        return {name: whole(each) for name, each in part.items() if name != "$defs"}

    made: dict[str, Any] = whole(schema)
    return made


_BODIES: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _in_one_piece(SearchesAsked.model_json_schema())},
            "multipart/form-data": {"schema": _FORM},
        },
    }
}


class _Refused(Exception):
    """One picture cannot be searched."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.fault = SearchFault(code=code, message=message)


def router(
    search: VisualSearch | None,
    sets: ProductSets,
    picture_of: Callable[[str, int], bytes],
) -> APIRouter:
    """Routes of visual search and of product sets.

    Args:
        search: Searches; ``None`` where nothing recognises products.
        sets: Product sets.
        picture_of: A camera's newest picture as JPEG, by its name and the greatest width.
    """
    routes = APIRouter(tags=["visual search"])
    decoding = asyncio.Semaphore(_DECODED_AT_ONCE)

    async def one(asked: SearchAsked, searching: VisualSearch) -> SearchTold:
        try:
            wanted = _wanted(asked.image_context.product_search_params, sets)
            async with decoding:
                picture, pending = await run_in_threadpool(
                    _begin, asked, wanted, searching, picture_of
                )
            found = await asyncio.wait_for(asyncio.wrap_future(pending), _ANSWERED_WITHIN_S)
        except (_Refused, PhotoError, SearchError, TimeoutError, asyncio.TimeoutError) as err:
            return SearchTold(error=_fault(err))
        most = asked.features[0].max_results
        return SearchTold(
            product_search_results=results_shape(found, picture.shape[:2], most, searching)
        )

    async def annotate(request: Request) -> Response:
        if search is None:
            raise HTTPException(503, "nothing recognises products on this device; give it a bundle")
        asked = await _asked(request)
        told = SearchesTold(
            responses=tuple(await asyncio.gather(*(one(each, search) for each in asked.requests)))
        )
        faults = [each.error for each in told.responses if each.error is not None]
        if len(faults) == len(told.responses):
            busy = {"Retry-After": "1"} if faults[0].code == 503 else None
            raise HTTPException(faults[0].code, faults[0].message, busy)
        return JSONResponse(told.model_dump(mode="json", by_alias=True, exclude_none=True))

    for path in (f"{API}/search", f"{API}/images:annotate"):
        routes.add_api_route(
            path,
            annotate,
            methods=["POST"],
            response_model=SearchesTold,
            responses=_REFUSALS,
            openapi_extra=_BODIES,
            operation_id=path.rpartition("/")[2].replace(":", "_"),
            summary="Which products do these pictures show?",
        )
    _add_sets(routes, sets, search)
    return routes


def _add_sets(routes: APIRouter, sets: ProductSets, search: VisualSearch | None) -> None:
    @routes.get(f"{API}/product-sets", summary="All product sets")
    def product_sets() -> ProductSetsTold:
        told = (ProductSetTold(name=name, skus=skus) for name, skus in sets.all().items())
        return ProductSetsTold(product_sets=tuple(told))

    @routes.get(f"{API}/product-sets/{{name}}", responses=_REFUSALS, summary="One product set")
    def product_set(name: str) -> ProductSetTold:
        return ProductSetTold(name=name, skus=_skus(sets, name))

    @routes.put(
        f"{API}/product-sets/{{name}}", responses=_REFUSALS, summary="Make or replace a product set"
    )
    def put_product_set(name: str, asked: ProductSetAsked) -> ProductSetTold:
        unknown = [sku for sku in asked.skus if search is not None and search.product(sku) is None]
        if unknown:
            raise HTTPException(422, f"there is no product {unknown[0]}; correct it")
        try:
            return ProductSetTold(name=name, skus=sets.put(name, asked.skus))
        except SearchError as err:
            raise HTTPException(422, str(err)) from err

    @routes.delete(
        f"{API}/product-sets/{{name}}",
        status_code=204,
        responses=_REFUSALS,
        summary="Delete a product set",
    )
    def delete_product_set(name: str) -> None:
        _skus(sets, name)
        sets.delete(name)


def _skus(sets: ProductSets, name: str) -> tuple[str, ...]:
    try:
        return sets.skus(name)
    except KeyError:
        raise HTTPException(404, f"there is no product set {name}") from None


def _begin(
    asked: SearchAsked,
    wanted: Wanted,
    search: VisualSearch,
    picture_of: Callable[[str, int], bytes],
) -> tuple[Image, Future[tuple[Found, ...]]]:
    """Decode a picture and put it into the queue."""
    image = asked.image
    if image.content is not None:
        picture = decode_photo(image.content, "the picture", MOST_PIXELS)
    else:
        camera = image.camera or ""
        try:
            content = picture_of(camera, _WIDEST_CAMERA_PX)
        except WalkoutEdgeError as err:
            raise _Refused(404, str(err)) from err
        picture = decode_photo(content, f"the picture of {camera}", MOST_PIXELS)
    return picture, search.search(picture, wanted)


def _wanted(params: ProductSearchParams, sets: ProductSets) -> Wanted:
    skus = None
    if params.product_set is not None:
        name = params.product_set.rpartition("/")[2]
        try:
            skus = frozenset(sets.skus(name))
        except KeyError:
            raise _Refused(404, f"there is no product set {name}; make it first") from None
    polygon, given = None, params.bounding_poly
    if given is not None:
        normalised = bool(given.normalized_vertices)
        corners = given.normalized_vertices if normalised else given.vertices
        polygon = Polygon(tuple((each.x, each.y) for each in corners), normalised)
    return Wanted(
        polygon=polygon,
        find=params.find,
        categories=frozenset(params.product_categories),
        skus=skus,
        regions=params.regions,
    )


def _fault(err: Exception) -> SearchFault:
    if isinstance(err, _Refused):
        return err.fault
    if isinstance(err, SearchBusyError):
        return SearchFault(code=503, message=str(err))
    if isinstance(err, PhotoError | SearchError):
        return SearchFault(code=422, message=str(err))
    return SearchFault(
        code=503,
        message=f"not answered within {_ANSWERED_WITHIN_S:g} s: the device is busy; ask again",
    )


async def _asked(request: Request) -> SearchesAsked:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            return await _asked_by_form(request)
        if kind == "application/json":
            body = await request.body()
            return await run_in_threadpool(SearchesAsked.model_validate_json, body)
    except ValidationError as err:
        raise HTTPException(422, f"{first_complaint(err)}; correct it") from err
    raise HTTPException(415, "send multipart/form-data with image, or application/json")


async def _asked_by_form(request: Request) -> SearchesAsked:
    # A part that is no file may be a polygon of 64 corners, and nothing longer.
    async with request.form(
        max_files=MOST_PICTURES, max_fields=256, max_part_size=64 * 1024
    ) as form:
        pictures = [each for each in form.getlist("image") if isinstance(each, UploadFile)]
        unknown = sorted(set(form) - _FORM_FIELDS)
        if unknown:
            raise HTTPException(422, f"{unknown[0]} is not known here; leave it out")
        if not pictures:
            raise HTTPException(422, "no picture came; send one or several files as image")
        asked = SearchAsked.model_validate(_of_form(form))
        contents = [await each.read() for each in pictures]
    return SearchesAsked(
        requests=tuple(
            asked.model_copy(update={"image": ImageAsked.model_construct(content=content)})
            for content in contents
        )
    )


def _of_form(form: FormData) -> dict[str, object]:
    """What a form asks about each of its pictures, in the shape of JSON."""
    params: dict[str, object] = {
        name: form[name] for name in ("find", "regions", "productSet") if name in form
    }
    params["productCategories"] = form.getlist("productCategories")
    if "boundingPoly" in form:
        params["boundingPoly"] = BoundingPoly.model_validate_json(str(form["boundingPoly"]))
    return {
        # Stands for the files, which come as bytes.
        "image": {"camera": "-"},
        "features": [{"maxResults": form["maxResults"]} if "maxResults" in form else {}],
        "imageContext": {"productSearchParams": params},
    }
