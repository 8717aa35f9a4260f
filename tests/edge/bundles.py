"""Bundles for the device's tests: parts of drawn ones, and what serves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.runtime.onnxruntime import OnnxRuntimeEmbedder
from models.bundle import Bundle, Vectors
from models.decision import Thresholds
from models.preprocess import photo_region
from tests.simulators.photos import draw_photo, write_photo

PHOTO_PX = 96

Image = NDArray[np.uint8]


def embedder_of(bundle: Bundle) -> OnnxRuntimeEmbedder:
    """The bundle's own network on one thread."""
    return OnnxRuntimeEmbedder.from_bundle(bundle, threads=1)


def look_at(bundle: Bundle, product: int, photo: int, seed: int = 0) -> Image:
    """What is looked at of a drawn photo."""
    return photo_region(draw_photo(product, photo, seed, PHOTO_PX), bundle.manifest.preprocessing)


def photo_file(path: Path, product: int, photo: int = 0, seed: int = 0) -> Path:
    """A drawn photo as a file."""
    return write_photo(path, draw_photo(product, photo, seed, PHOTO_PX))


def part_of(bundle: Bundle, rows: Sequence[int], category: str) -> Bundle:
    """A bundle of the same network with only some of the products, in memory."""
    vectors = bundle.vectors
    keep = list(rows)

    def of(products: NDArray[np.int32]) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
        mask = np.isin(products, keep)
        return mask, np.array([keep.index(product) for product in products[mask]], np.int32)

    anchors, anchor_products = of(vectors.anchor_products)
    negatives, negative_products = of(vectors.negative_products)
    return replace(
        bundle,
        manifest=with_fields(
            bundle,
            category=category,
            products=tuple(bundle.manifest.products[row] for row in keep),
        ).manifest,
        vectors=Vectors(
            centroids=vectors.centroids[keep],
            anchors=vectors.anchors[anchors],
            anchor_products=anchor_products,
            negatives=vectors.negatives[negatives],
            negative_products=negative_products,
        ),
    )


def with_fields(bundle: Bundle, **fields: object) -> Bundle:
    """The same bundle with other fields in its manifest, in memory."""
    return replace(bundle, manifest=bundle.manifest.model_copy(update=fields))


def with_thresholds(bundle: Bundle, tl: float, tl_full: float, th: float) -> Bundle:
    """The same bundle with one pair of thresholds for every pool, in memory."""
    pair = bundle.manifest.thresholds.pairs[0]
    pairs = (pair.model_copy(update={"tl": tl, "tl_full": tl_full, "th": th}),)
    return with_fields(bundle, thresholds=Thresholds(pairs=pairs))
