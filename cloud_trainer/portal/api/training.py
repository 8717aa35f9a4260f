"""Categories, runs, bundles and their comparison."""

from __future__ import annotations

import mimetypes
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ConfigDict, Field

from cloud_trainer.portal.access import DEVELOPERS, OPERATORS
from cloud_trainer.portal.shown import Portal
from cloud_trainer.portal.views.products import CATEGORY_PATTERN, SKU_PATTERN
from cloud_trainer.portal.views.training import (
    Comparison,
    RunBrief,
    ShownBundle,
    ShownCategory,
    ShownRun,
    Suggestion,
)
from web.access import Rule, rules
from web.asking import After, Limit, refusals, whoever
from web.shape import API, Listed, Shape

_RUN: Final = f"{API}/runs/{{run_id}}"
_BUNDLE: Final = f"{API}/bundles/{{category}}/{{release}}"
RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", f"{API}/categories", DEVELOPERS, "read", "operate"),
    *rules("POST", f"{API}/categories/arrange", OPERATORS, "operate"),
    *rules(("GET", "POST"), f"{API}/categories/suggestion", OPERATORS, "operate"),
    *rules("GET", f"{API}/runs", DEVELOPERS, "read", "operate"),
    *rules("GET", _RUN, DEVELOPERS, "read", "operate"),
    *rules("GET", f"{_RUN}/files/{{name:path}}", DEVELOPERS, "read", "operate"),
    *rules("GET", f"{API}/bundles", DEVELOPERS, "read", "operate"),
    *rules("GET", _BUNDLE, DEVELOPERS, "read", "operate"),
    *rules("GET", f"{_BUNDLE}/files/{{name:path}}", DEVELOPERS, "read", "operate"),
    *rules("GET", f"{API}/compare", DEVELOPERS, "read", "operate"),
)
_FILE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"application/octet-stream": {}}}}

Category = Annotated[str, Path(pattern=CATEGORY_PATTERN, description="The category.")]
Release = Annotated[int, Path(ge=1, le=2**31, description="Its number.")]
RunId = Annotated[str, Path(pattern=r"^[0-9]{1,9}$", description="The run.")]
FileName = Annotated[str, Path(min_length=1, max_length=200)]
# ``category/release``.
BundleId = Annotated[
    str, Query(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,62}/[1-9][0-9]{0,8}$", examples=["drinks/3"])
]


class Arrangement(Shape):
    """Which product shall be in which category.

    Attributes:
        places: Category by SKU.
    """

    places: Annotated[
        dict[
            Annotated[str, Field(pattern=SKU_PATTERN)],
            Annotated[str, Field(pattern=CATEGORY_PATTERN)],
        ],
        Field(min_length=1, max_length=1000),
    ]
    model_config = ConfigDict(json_schema_extra={"examples": [{"places": {"oat-milk": "drinks"}}]})


class Arranged(Shape):
    """How many products moved."""

    moved: int


class AskedSuggestion(Shape):
    """How many categories are wanted; left out, the clustering decides."""

    categories: Annotated[int, Field(ge=1, le=500)] | None = None
    model_config = ConfigDict(json_schema_extra={"examples": [{"categories": None}]})


def router(portal: Portal) -> APIRouter:
    """Categories, runs and bundles."""
    routes = APIRouter(tags=["training"])
    _add_categories(routes, portal)
    _add_runs(routes, portal)
    _add_bundles(routes, portal)
    return routes


def _add_categories(routes: APIRouter, portal: Portal) -> None:
    @routes.get(f"{API}/categories", responses=refusals())
    def categories() -> tuple[ShownCategory, ...]:
        """All categories, by name."""
        return portal.categories()

    @routes.post(f"{API}/categories/arrange", responses=refusals(404, 409, 422))
    def arrange(request: Request, asked: Arrangement) -> Arranged:
        """Put products into categories; all of them or none."""
        request.state.audited = f"{len(asked.places)} products"
        return Arranged(moved=portal.arrange(whoever(request), asked.places))

    @routes.get(f"{API}/categories/suggestion", responses=refusals())
    def suggestion() -> Suggestion:
        """What the clustering proposes."""
        return portal.suggestion()

    @routes.post(f"{API}/categories/suggestion", status_code=202, responses=refusals(409, 422))
    def suggest(request: Request, asked: AskedSuggestion) -> Suggestion:
        """Begin to make a proposal; look again until it is made."""
        return portal.suggest_categories(whoever(request), asked.categories)


def _add_runs(routes: APIRouter, portal: Portal) -> None:
    @routes.get(f"{API}/runs", responses=refusals(422))
    def runs(
        category: Annotated[str | None, Query(pattern=CATEGORY_PATTERN)] = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Listed[RunBrief]:
        """Runs, newest first."""
        return portal.runs(category=category, after=after, limit=limit)

    @routes.get(_RUN, responses=refusals(404, 422))
    def run(run_id: RunId) -> ShownRun:
        """A run with its curves."""
        return portal.run(run_id)

    @routes.get(
        f"{_RUN}/files/{{name:path}}",
        response_class=Response,
        responses={**refusals(404, 422), **_FILE},
    )
    def run_file(run_id: RunId, name: FileName) -> Response:
        """A file that a run left."""
        return _download(portal.run_file(run_id, name), name)


def _add_bundles(routes: APIRouter, portal: Portal) -> None:
    @routes.get(f"{API}/bundles", responses=refusals(422))
    def bundles(
        category: Annotated[str | None, Query(pattern=CATEGORY_PATTERN)] = None,
    ) -> tuple[ShownBundle, ...]:
        """Published bundles, newest first within their categories."""
        return portal.bundles(category)

    @routes.get(_BUNDLE, responses=refusals(404, 422))
    def bundle(category: Category, release: Release) -> ShownBundle:
        """A published bundle."""
        return portal.bundle(category, release)

    @routes.get(
        f"{_BUNDLE}/files/{{name:path}}",
        response_class=Response,
        responses={**refusals(404, 422), **_FILE},
    )
    def bundle_file(category: Category, release: Release, name: FileName) -> Response:
        """A file of a bundle, as it was signed."""
        return _download(portal.bundle_file(category, release, name), name)

    @routes.get(f"{API}/compare", responses=refusals(404, 409, 422))
    def compare(first: BundleId, second: BundleId) -> Comparison:
        """Two bundles on the same photos; made in the background, ask again for the rest."""
        return portal.compare(_named(first), _named(second))


def _named(bundle_id: str) -> tuple[str, int]:
    category, _, release = bundle_id.rpartition("/")
    return category, int(release)


def _download(content: bytes, name: str) -> Response:
    """A file to be kept; whatever it is, no page of ours shows it."""
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind not in ("application/json", "text/csv", "text/plain", "image/png"):
        kind = "application/octet-stream"
    last = "".join(each for each in name.rpartition("/")[2] if each.isalnum() or each in "._-")
    named = {"Content-Disposition": f'attachment; filename="{last}"'}
    return Response(content, media_type=kind, headers=named)
