"""Visual search: a picture, and what is asked about it, become products with their decisions.

Owns what of a picture is embedded and among which products it is searched. Without a polygon, a
picture is one query and looked at as a photo is by ``walkout-trainer evaluate`` and
``walkout-edge recognise``; a polygon's rectangle is looked at whole, as a camera's crop is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final

from edge.errors import SearchError, SourceError
from edge.events import Recognition
from edge.matching.recogniser import Embedded, Recogniser
from edge.matching.serving import Serving
from edge.recognise import preprocessing_of
from edge.search.batching import Batching, Job
from edge.search.finding import Found, standing
from edge.search.narrowing import decided_with, narrowed
from edge.search.region import Image, Point, Region, around, middle
from edge.search.regions import propose
from models.bundle import BundleProduct
from models.catalogue import Product

_REMEMBERED: Final = 32


@dataclass(frozen=True)
class Polygon:
    """A polygon around what is asked about.

    Attributes:
        points: Its corners.
        normalised: Whether they are shares of the picture's width and height instead of pixels.
    """

    points: tuple[Point, ...]
    normalised: bool = True


@dataclass(frozen=True)
class Wanted:
    """What is asked about a picture.

    Attributes:
        polygon: Around one product; ``None`` for the whole picture.
        find: Whether to look for products within that, instead of taking it for one.
        categories: Categories to search among; none for all.
        skus: Products to search among; ``None`` for all.
        regions: Parts of the picture that are looked at to find products.
    """

    polygon: Polygon | None = None
    find: bool = False
    categories: frozenset[str] = frozenset()
    skus: frozenset[str] | None = None
    regions: int = 24


class VisualSearch:
    """Searches pictures with what the shop is recognised by; safe to use from several threads.

    Args:
        recogniser: The shop's recogniser; it may be swapped underneath.
        products: What the shop sells.
        currency: Of prices that do not say theirs.
    """

    def __init__(self, recogniser: Recogniser, products: Iterable[Product], currency: str) -> None:
        self.currency: Final = currency
        self._recogniser = recogniser
        self._sold: Mapping[str, Product] = {product.sku: product for product in products}
        self._batching: Batching[frozenset[str] | None, tuple[Recognition, ...]] = Batching(
            self._recognise
        )
        # Only the batching thread touches these.
        self._narrowed_of: Serving | None = None
        self._narrowed: dict[frozenset[str], Serving] = {}

    def __enter__(self) -> VisualSearch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Answer nothing more."""
        self._batching.close()

    def search(self, picture: Image, wanted: Wanted) -> Future[tuple[Found, ...]]:
        """Search with a picture.

        Args:
            picture: uint8 BGR ``(H, W, 3)``.
            wanted: What is asked.

        Returns:
            Without ``find`` exactly one region with its recognition, whatever was decided; with
            it those that may be products, the surest first.

        Raises:
            SearchError: The polygon encloses nothing, or nothing is left to search among.
            SearchBusyError: Too many wait.
        """
        regions = self._looked_at(picture, wanted)
        recognised = self._batching.ask(
            [region.cut(picture) for region in regions], self._among(wanted)
        )
        return _then(recognised, regions, wanted.find)

    def product(self, sku: str) -> Product | BundleProduct | None:
        """What is known of a product: as it is sold, or as the bundle that recognises it says."""
        sold = self._sold.get(sku)
        return sold or next((each for each in self._recognised_products() if each.sku == sku), None)

    @property
    def serving(self) -> Serving:
        """What it searches with at this moment."""
        return self._recogniser.serving

    def _looked_at(self, picture: Image, wanted: Wanted) -> tuple[Region, ...]:
        height, width = picture.shape[:2]
        if wanted.polygon is not None:
            within = _enclosed(wanted.polygon, width, height)
            first = within
        else:
            within = Region(0, 0, width, height)
            first = self._middle(picture)
        if not wanted.find:
            return (first,)
        proposed = propose(within.cut(picture), wanted.regions - 1)
        return (*(_shifted(each, within) for each in proposed), first)

    def _middle(self, picture: Image) -> Region:
        try:
            return middle(picture, preprocessing_of(self._recogniser))
        except SourceError as err:
            raise SearchError(
                "the bundles that serve look at different parts of a photo; give a bounding "
                "polygon around the product"
            ) from err

    def _among(self, wanted: Wanted) -> frozenset[str] | None:
        if not wanted.categories and wanted.skus is None:
            return None
        known = {product.sku: product.category for product in self._recognised_products()}
        known |= {sku: self._sold[sku].category for sku in known if sku in self._sold}
        unknown = sorted(wanted.categories - set(known.values()))
        if unknown:
            raise SearchError(
                f"no product of category {', '.join(unknown)} is recognised here; there are "
                f"{', '.join(sorted(set(known.values())))}"
            )
        among = frozenset(
            sku
            for sku, category in known.items()
            if (not wanted.categories or category in wanted.categories)
            and (wanted.skus is None or sku in wanted.skus)
        )
        if not among:
            raise SearchError(
                "none of the products asked for is recognised here; look at the product set and "
                "the categories"
            )
        return among

    def _recognised_products(self) -> Iterable[BundleProduct]:
        for served in self._recogniser.serving.sets:
            yield from served.bundle.manifest.products

    def _recognise(
        self, jobs: Sequence[Job[frozenset[str] | None, tuple[Recognition, ...]]]
    ) -> list[tuple[Recognition, ...]]:
        embedded = self._recogniser.embed([crop for job in jobs for crop in job.crops])
        answers, first = [], 0
        for job in jobs:
            rows = [[row] for row in range(first, first + len(job.crops))]
            first += len(job.crops)
            answers.append(self._recogniser.decide(self._narrow(embedded, job.asked), rows))
        return answers

    def _narrow(self, embedded: Embedded, among: frozenset[str] | None) -> Embedded:
        if among is None:
            return embedded
        if self._narrowed_of is not embedded.serving or len(self._narrowed) >= _REMEMBERED:
            self._narrowed_of, self._narrowed = embedded.serving, {}
        if among not in self._narrowed:
            self._narrowed[among] = narrowed(embedded.serving, among)
        serving = self._narrowed[among]
        if not serving.sets:
            raise SearchError("the products asked for are recognised no more; ask again")
        return decided_with(embedded, serving)


def _enclosed(polygon: Polygon, width: int, height: int) -> Region:
    x, y = (width, height) if polygon.normalised else (1, 1)
    return around([(across * x, down * y) for across, down in polygon.points], width, height)


def _shifted(region: Region, within: Region) -> Region:
    x, y = within.left_px, within.top_px
    return replace(
        region,
        left_px=region.left_px + x,
        top_px=region.top_px + y,
        right_px=region.right_px + x,
        bottom_px=region.bottom_px + y,
    )


def _then(
    recognised: Future[tuple[Recognition, ...]], regions: Sequence[Region], find: bool
) -> Future[tuple[Found, ...]]:
    """The same future with regions beside the recognitions."""
    answer: Future[tuple[Found, ...]] = Future()

    def hand_on(done: Future[tuple[Recognition, ...]]) -> None:
        if not answer.set_running_or_notify_cancel():
            return
        err = done.exception()
        if err is not None:
            answer.set_exception(err)
            return
        found = tuple(map(Found, regions, done.result()))
        answer.set_result(standing(found) if find else found)

    recognised.add_done_callback(hand_on)
    return answer
