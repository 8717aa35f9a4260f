"""Imports: a table of products, then a folder of photos one by one; gone on with after a break."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.concurrency import run_in_threadpool

from cloud_trainer.portal.access import PROVIDERS
from cloud_trainer.portal.api.products import IMAGE_BODY, FileName
from cloud_trainer.portal.shown import Portal
from cloud_trainer.portal.views.products import Import, ShownPhoto
from web.access import UPLOAD_BODY, Rule, rules
from web.asking import refusals, whoever
from web.shape import API

_ONE: Final = f"{API}/imports/{{import_id}}"
RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", f"{API}/imports", PROVIDERS, "provide", "operate"),
    *rules("POST", f"{API}/imports", PROVIDERS, "provide", "operate", longest_body=UPLOAD_BODY),
    *rules("GET", _ONE, PROVIDERS, "provide", "operate"),
    *rules("GET", f"{_ONE}/photos", PROVIDERS, "provide", "operate"),
    # The import itself stands in the audit log; a hundred thousand photos of it need not.
    *rules(
        "POST",
        f"{_ONE}/photos",
        PROVIDERS,
        "provide",
        "operate",
        longest_body=UPLOAD_BODY,
        audited=False,
    ),
    *rules("POST", f"{_ONE}/end", PROVIDERS, "provide", "operate"),
)
_TABLE: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "sku,name,category,price,currency,path\n"
                "oat-milk,Oat milk 1 l,drinks,1.99,EUR,oat-milk/front.jpg\n",
            }
        },
    }
}
ImportId = Annotated[str, Path(pattern=r"^[0-9A-Za-z_-]{1,64}$", description="The import.")]


def router(portal: Portal) -> APIRouter:
    """Imports."""
    routes = APIRouter(tags=["imports"])

    @routes.get(f"{API}/imports", responses=refusals())
    def imports(request: Request) -> tuple[Import, ...]:
        """The latest imports, newest first."""
        return portal.imports(whoever(request))

    @routes.post(
        f"{API}/imports", status_code=201, responses=refusals(413, 422), openapi_extra=_TABLE
    )
    async def begin(request: Request, name: FileName = "products.csv") -> Import:
        """Take in a CSV file of products; its lines are worked off in the background."""
        request.state.audited = name
        table = await request.body()
        return await run_in_threadpool(portal.begin_import, whoever(request), name, table)

    @routes.get(_ONE, responses=refusals(404, 422))
    def one(request: Request, import_id: ImportId) -> Import:
        """How far an import is."""
        return portal.one_import(whoever(request), import_id)

    @routes.get(f"{_ONE}/photos", responses=refusals(404, 422))
    def photos_there(request: Request, import_id: ImportId) -> tuple[str, ...]:
        """Paths of the photos that are here, as a line names them or as they were sent."""
        return portal.import_has(whoever(request), import_id)

    @routes.post(
        f"{_ONE}/photos",
        status_code=201,
        responses=refusals(404, 409, 413, 422),
        openapi_extra=IMAGE_BODY,
    )
    async def add_photo(
        request: Request,
        import_id: ImportId,
        path: Annotated[
            str, Query(max_length=300, description="`folder/oat-milk/front.jpg`, as a browser has.")
        ],
    ) -> ShownPhoto:
        """A photo: of the product that a line names it for, or that its folder is called after."""
        content = await request.body()
        return await run_in_threadpool(
            portal.add_import_photo, whoever(request), import_id, path, content
        )

    @routes.post(f"{_ONE}/end", responses=refusals(404, 422))
    def end(request: Request, import_id: ImportId) -> Import:
        """No more photos come: products with enough good photos are handed in."""
        return portal.end_import(whoever(request), import_id)

    return routes
