"""Visual search as it travels: the names of Google Cloud Vision's Product Search, and a few more.

Whoever has written a client for that finds the same fields in the same places. What Walkout adds:
``sku``, ``category`` and ``price`` of a product, ``distance`` of a result, and for every group the
``decision`` of the shop's own thresholds with the numbers behind it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from edge.search.product_sets import MOST_PRODUCTS, SetName

MOST_PICTURES: Final = 16
MOST_RESULTS: Final = 5
MOST_REGIONS: Final = 64
USUAL_REGIONS: Final = 24


class _Asked(BaseModel):
    """What comes from outside: closed, camel case or snake case."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        alias_generator=to_camel,
        populate_by_name=True,
    )


class _Told(BaseModel):
    """What is answered."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        alias_generator=to_camel,
        populate_by_name=True,
    )


class Vertex(_Asked):
    """A corner; what is left out is 0.

    Attributes:
        x: To the right: pixels, or a share of the width.
        y: Downwards: pixels, or a share of the height.
    """

    x: float = Field(0.0, ge=-1e6, le=1e6)
    y: float = Field(0.0, ge=-1e6, le=1e6)


class BoundingPoly(_Asked):
    """A polygon in a picture.

    Attributes:
        vertices: Its corners in pixels.
        normalized_vertices: Its corners as shares of the picture's sides. One of the two is enough.
    """

    vertices: Annotated[tuple[Vertex, ...], Field(max_length=64)] = ()
    normalized_vertices: Annotated[tuple[Vertex, ...], Field(max_length=64)] = ()

    @model_validator(mode="after")
    def _has_corners(self) -> BoundingPoly:
        if max(len(self.vertices), len(self.normalized_vertices)) < 3:
            raise ValueError("give at least 3 vertices or normalizedVertices, or no boundingPoly")
        return self


class ImageAsked(_Asked):
    """Where a picture comes from.

    Attributes:
        content: A JPEG, PNG, WebP or BMP file in base64.
        camera: Name of a camera of the shop instead: its newest picture.
    """

    content: Base64Bytes | None = None
    camera: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> ImageAsked:
        if (self.content is None) == (self.camera is None):
            raise ValueError(
                "give either content (the file in base64) or camera; pictures are not fetched "
                "from addresses"
            )
        return self


class ProductSearchParams(_Asked):
    """What is searched for.

    Attributes:
        bounding_poly: Around the product; without it the picture shows the product in its middle.
        product_set: Search only among a named set; a longer name counts by its last part.
        product_categories: Search only among these categories.
        find: Look for all products in the picture or the polygon instead of taking it for one.
        regions: Parts of it that are looked at for that; more find more and take longer.
    """

    bounding_poly: BoundingPoly | None = None
    product_set: Annotated[str, Field(max_length=400)] | None = None
    product_categories: Annotated[tuple[str, ...], Field(max_length=200)] = ()
    find: bool = False
    regions: Annotated[int, Field(ge=1, le=MOST_REGIONS)] = USUAL_REGIONS


class ImageContext(_Asked):
    """Further parameters of a picture.

    Attributes:
        product_search_params: For the search.
    """

    product_search_params: ProductSearchParams = ProductSearchParams()


class Feature(_Asked):
    """What is wanted; there is only this.

    Attributes:
        type: Always ``PRODUCT_SEARCH``.
        max_results: Products to rank; more than five are not.
    """

    type: Literal["PRODUCT_SEARCH"] = "PRODUCT_SEARCH"
    max_results: Annotated[int, Field(ge=1, le=500)] = MOST_RESULTS


class SearchAsked(_Asked):
    """One picture and what is asked about it.

    Attributes:
        image: The picture.
        features: What is wanted.
        image_context: Further parameters.
    """

    image: ImageAsked
    features: Annotated[tuple[Feature, ...], Field(min_length=1, max_length=1)] = (Feature(),)
    image_context: ImageContext = ImageContext()


class SearchesAsked(_Asked):
    """Several pictures at once.

    Attributes:
        requests: The pictures.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "requests": [
                        {
                            "image": {"camera": "shelf-1"},
                            "features": [{"type": "PRODUCT_SEARCH", "maxResults": 3}],
                            "imageContext": {
                                "productSearchParams": {
                                    "boundingPoly": {
                                        "normalizedVertices": [
                                            {"x": 0.2, "y": 0.3},
                                            {"x": 0.5, "y": 0.3},
                                            {"x": 0.5, "y": 0.8},
                                            {"x": 0.2, "y": 0.8},
                                        ]
                                    },
                                    "productCategories": ["groceries"],
                                }
                            },
                        }
                    ]
                }
            ]
        }
    )

    requests: Annotated[tuple[SearchAsked, ...], Field(min_length=1, max_length=MOST_PICTURES)]


class Price(_Told):
    """What a piece costs.

    Attributes:
        amount: A decimal number as text.
        currency: ISO 4217 code.
    """

    amount: str
    currency: str


class FoundProduct(_Told):
    """A product.

    Attributes:
        name: ``products/`` and its SKU.
        sku: The shop's own number or name of it.
        display_name: What people call it.
        product_category: Its category.
        price: What a piece costs; ``None`` where the shop does not sell it.
    """

    name: str
    sku: str
    display_name: str
    product_category: str
    price: Price | None


class SearchResult(_Told):
    """A product that a picture may show.

    Attributes:
        product: The product.
        score: 1 is the same, 0 nothing in common: one less the distance, and never below 0.
        distance: Cosine distance to the product's centroid, 0 to 2.
        image: Address of its photo in the catalogue.
    """

    product: FoundProduct
    score: float
    distance: float
    image: str


class Applied(_Told):
    """The thresholds that were applied; see the model card.

    Attributes:
        tl: Accepted at once at or below this gated distance.
        tl_full: Accepted by the full check at or below this one.
        th: Rejected at or above this distance.
    """

    tl: float
    tl_full: float
    th: float


class GroupedResult(_Told):
    """One part of a picture and what it may show.

    Attributes:
        bounding_poly: The part that was looked at, in pixels and as shares.
        decision: ``accept``: it is the first result, as surely as the shop charges by; ``review``:
            a person should look; ``reject``: none of the products.
        reason: Why, in words.
        margin: Lead of the first over the second.
        gated: What is compared with ``tl``.
        thresholds: What was applied.
        category: Category of the bundle that decided.
        bundle_version: Its version.
        results: The nearest products, the nearest first.
    """

    bounding_poly: BoundingPoly
    decision: Literal["accept", "review", "reject"]
    reason: str
    margin: float
    gated: float
    thresholds: Applied
    category: str
    bundle_version: str
    results: tuple[SearchResult, ...]


class ProductSearchResults(_Told):
    """What a picture shows.

    Attributes:
        index_time: When the newest bundle that was searched with was made, ISO 8601.
        results: Of all its parts, each product once, the best first.
        product_grouped_results: Part by part; none when nothing was found.
    """

    index_time: str
    results: tuple[SearchResult, ...]
    product_grouped_results: tuple[GroupedResult, ...]


class SearchFault(_Told):
    """Why one of several pictures has no results.

    Attributes:
        code: As the status of an answer would have been.
        message: What is wrong and what to do.
    """

    code: int
    message: str


class SearchTold(_Told):
    """What came of one picture.

    Attributes:
        product_search_results: What it shows.
        error: Why there are none.
    """

    product_search_results: ProductSearchResults | None = None
    error: SearchFault | None = None


class SearchesTold(_Told):
    """What came of the pictures, in their order.

    Attributes:
        responses: One a picture.
    """

    responses: tuple[SearchTold, ...]


class ProductSetAsked(_Asked):
    """The products of a set.

    Attributes:
        skus: Their SKUs.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"skus": ["medicine", "soap"]}]})

    skus: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST_PRODUCTS)]


class ProductSetTold(_Told):
    """A product set.

    Attributes:
        name: Its name.
        skus: Its products, ascending.
    """

    name: SetName
    skus: tuple[str, ...]


class ProductSetsTold(_Told):
    """All product sets.

    Attributes:
        product_sets: By name.
    """

    product_sets: tuple[ProductSetTold, ...]
