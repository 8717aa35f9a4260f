"""What a bundle looks like while it serves: its index and its anchors by product, frozen.

Owns nothing that changes. A swap makes a new ``ServingSet`` beside the one in use and puts it into
a new ``Serving``, so whoever holds a ``Serving`` holds bundle, index and thresholds that belong
together for as long as it needs them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import MatchingError
from edge.matching.build import IndexChoice, choose_index
from edge.matching.embedding import CropEmbedder
from models.bundle import Bundle, BundleSpaceError
from models.decision import Thresholds


@dataclass(frozen=True)
class VectorsByProduct:
    """Unit vectors grouped by product.

    Attributes:
        vectors: Shape ``(N, D)``, those of one product side by side.
        starts: Shape ``(P + 1,)``: product ``p`` owns rows ``starts[p]`` to ``starts[p + 1]``.
    """

    vectors: NDArray[np.float32]
    starts: NDArray[np.int64]

    @classmethod
    def group(
        cls, vectors: NDArray[np.float32], products: NDArray[np.int32], product_count: int
    ) -> VectorsByProduct:
        """Group vectors ``(N, D)`` that belong to ``products`` ``(N,)``."""
        order = np.argsort(products, kind="stable")
        starts = np.searchsorted(products[order], np.arange(product_count + 1))
        return cls(np.ascontiguousarray(vectors[order]), starts)

    def nearest(self, product: int, query: NDArray[np.float32]) -> float | None:
        """Cosine distance of ``query`` ``(D,)`` to the nearest of a product's vectors, if any."""
        own = self.vectors[self.starts[product] : self.starts[product + 1]]
        return 1 - float((own @ query).max()) if len(own) else None


@dataclass(frozen=True)
class ServingSet:
    """One category as it serves.

    Attributes:
        bundle: The verified bundle.
        choice: Index over its centroids and why it is this one.
        anchors: Its anchors by product.
        negatives: Embeddings of its negative photos by product.
        names: Name of each product by SKU.
    """

    bundle: Bundle
    choice: IndexChoice
    anchors: VectorsByProduct
    negatives: VectorsByProduct
    names: Mapping[str, str]

    @property
    def category(self) -> str:
        """Category of the bundle."""
        return self.bundle.manifest.category

    @property
    def space_id(self) -> str:
        """Embedding space of the bundle."""
        return self.bundle.manifest.space_id

    @property
    def thresholds(self) -> Thresholds:
        """Thresholds of the bundle."""
        return self.bundle.manifest.thresholds


@dataclass(frozen=True)
class Serving:
    """All that a recogniser serves with, exchanged whole.

    Attributes:
        sets: One a category, in the order in which the bundles came.
        embedders: The network of each embedding space in use.
    """

    sets: tuple[ServingSet, ...]
    embedders: Mapping[str, CropEmbedder]

    def with_set(self, new: ServingSet, embedder: CropEmbedder) -> Serving:
        """The same with ``new`` in place of its category's set, or beside the others."""
        kept = [new if old.category == new.category else old for old in self.sets]
        sets = tuple(kept) if any(s is new for s in kept) else (*kept, new)
        in_use = {served.space_id for served in sets}
        known = {**self.embedders, new.space_id: embedder}
        return Serving(sets, {space: known[space] for space in known if space in in_use})

    def without(self, category: str) -> Serving:
        """The same without a category's set."""
        sets = tuple(served for served in self.sets if served.category != category)
        in_use = {served.space_id for served in sets}
        return Serving(sets, {s: e for s, e in self.embedders.items() if s in in_use})


def serve(bundle: Bundle, embedder: CropEmbedder) -> ServingSet:
    """Make a bundle ready to serve: choose its index, group its anchors.

    Args:
        bundle: A verified bundle.
        embedder: The network of its embedding space.

    Raises:
        BundleSpaceError: The network is of another embedding space.
        MatchingError: The network takes other crops or gives other embeddings.
    """
    manifest, vectors = bundle.manifest, bundle.vectors
    if embedder.space_id != manifest.space_id:
        raise BundleSpaceError(
            f"bundle {manifest.category} {manifest.version} is of embedding space "
            f"{manifest.space_id[:12]}, the network of {embedder.space_id[:12]}: their distances "
            "mean nothing to each other; open the network of this bundle and swap both"
        )
    promised = (manifest.preprocessing.input_size_px, manifest.embedding_dim)
    if (embedder.input_size_px, embedder.embedding_dim) != promised:
        raise MatchingError(
            f"the network takes {embedder.input_size_px} px and gives "
            f"{embedder.embedding_dim} numbers, bundle {manifest.category} {manifest.version} "
            f"promises {promised[0]} px and {promised[1]}; fetch the bundle again"
        )
    products = len(manifest.products)
    return ServingSet(
        bundle=bundle,
        choice=choose_index(vectors.centroids, _embedding_ms(embedder, bundle)),
        anchors=VectorsByProduct.group(vectors.anchors, vectors.anchor_products, products),
        negatives=VectorsByProduct.group(vectors.negatives, vectors.negative_products, products),
        names={product.sku: product.name for product in manifest.products},
    )


def _embedding_ms(embedder: CropEmbedder, bundle: Bundle) -> float:
    """What one embedding costs: the faster of two, after one that warms the network up."""
    crop = bundle.golden.crops[:1]
    embedder.embed(crop)
    elapsed_ms = []
    for _ in range(2):
        started_s = time.perf_counter()
        embedder.embed(crop)
        elapsed_ms.append((time.perf_counter() - started_s) * 1000)
    return min(elapsed_ms)
