"""What was found in a picture, put into the shape of an answer. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import quote

from edge.dashboard.views.search import (
    Applied,
    BoundingPoly,
    FoundProduct,
    GroupedResult,
    Price,
    ProductSearchResults,
    SearchResult,
    Vertex,
)
from edge.search.finding import Found
from edge.search.region import Region
from edge.search.searching import VisualSearch
from models.catalogue import Product
from models.decision import Candidate
from web.shape import API, money


def results_shape(
    found: Sequence[Found], size: tuple[int, int], most: int, search: VisualSearch
) -> ProductSearchResults:
    """An answer about one picture.

    Args:
        found: Its parts.
        size: Height and width of the picture, pixels.
        most: Products to rank.
        search: Knows products.
    """
    groups = tuple(_group(each, size, most, search) for each in found)
    made_at = max(served.bundle.manifest.created_at for served in search.serving.sets)
    return ProductSearchResults(
        index_time=made_at.isoformat().replace("+00:00", "Z"),
        results=_best(groups, most),
        product_grouped_results=groups,
    )


def _best(groups: Iterable[GroupedResult], most: int) -> tuple[SearchResult, ...]:
    """Each product once, the nearest first."""
    nearest: dict[str, SearchResult] = {}
    for group in groups:
        for result in group.results:
            known = nearest.get(result.product.sku)
            if known is None or result.distance < known.distance:
                nearest[result.product.sku] = result
    return tuple(sorted(nearest.values(), key=lambda result: result.distance)[:most])


def _group(found: Found, size: tuple[int, int], most: int, search: VisualSearch) -> GroupedResult:
    recognition, decision = found.recognition, found.recognition.decision
    pair = decision.thresholds
    return GroupedResult(
        bounding_poly=_polygon(found.region, size),
        decision=decision.outcome,
        reason=decision.reason,
        margin=round(decision.margin, 6),
        gated=round(decision.gated, 6),
        thresholds=Applied(tl=pair.tl, tl_full=pair.tl_full, th=pair.th),
        category=recognition.category,
        bundle_version=recognition.bundle_version,
        results=tuple(_result(each, search) for each in decision.candidates[:most]),
    )


def _result(candidate: Candidate, search: VisualSearch) -> SearchResult:
    product = search.product(candidate.sku)
    price = None
    if isinstance(product, Product) and product.price is not None:
        price = Price(amount=money(product.price), currency=product.currency or search.currency)
    return SearchResult(
        product=FoundProduct(
            name=f"products/{candidate.sku}",
            sku=candidate.sku,
            display_name=candidate.sku if product is None else product.name,
            product_category="" if product is None else product.category,
            price=price,
        ),
        score=round(min(max(1 - candidate.distance, 0.0), 1.0), 6),
        distance=round(candidate.distance, 6),
        image=f"{API}/products/{quote(candidate.sku, safe='')}/photos/0.jpg",
    )


def _polygon(region: Region, size: tuple[int, int]) -> BoundingPoly:
    height, width = size
    corners = region.corners_px
    return BoundingPoly(
        vertices=tuple(Vertex(x=x, y=y) for x, y in corners),
        normalized_vertices=tuple(
            Vertex(x=round(x / width, 6), y=round(y / height, 6)) for x, y in corners
        ),
    )
