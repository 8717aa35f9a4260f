"""Searching among some of the products: the same vectors and thresholds, fewer rows. Pure.

A category filter or a product set changes what is compared with, and nothing else: the margin is
then the lead over the runner-up *within* the set, so telling apart two products of which only one
is in the set becomes easier, and a picture of what is not in it is still rejected by its distance.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge.matching.build import IndexChoice
from edge.matching.exact import ExactIndex
from edge.matching.recogniser import Embedded
from edge.matching.serving import Serving, ServingSet


class SomeRows:
    """Exact search over some of an index's rows; answers with the rows of the whole.

    Args:
        centroids: All, shape ``(P, D)``, unit length.
        rows: Those to search, ascending, at least one.
    """

    def __init__(self, centroids: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        self._rows = rows
        self._exact = ExactIndex(centroids[rows])

    def __len__(self) -> int:
        return len(self._rows)

    def search(
        self, queries: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The ``k`` nearest of these rows; see ``CentroidIndex.search``."""
        distances, places = self._exact.search(queries, k)
        return distances, self._rows[places]


def narrowed(serving: Serving, skus: Collection[str]) -> Serving:
    """What serves, with only some products to be found.

    Args:
        serving: What serves.
        skus: Products to search among; those that nothing serves for are ignored.

    Returns:
        Categories without any of them are left out; there may be none left.
    """
    sets = []
    for served in serving.sets:
        rows = np.array(
            [
                row
                for row, product in enumerate(served.bundle.manifest.products)
                if product.sku in skus
            ],
            np.int64,
        )
        if len(rows):
            sets.append(_with_rows(served, rows))
    in_use = {served.space_id for served in sets}
    return Serving(
        tuple(sets), {space: each for space, each in serving.embedders.items() if space in in_use}
    )


def decided_with(embedded: Embedded, serving: Serving) -> Embedded:
    """Crops that were embedded for everything, to be decided with a part of it.

    Args:
        embedded: The crops.
        serving: A narrowed form of what they were embedded for.
    """
    spaces = {served.space_id for served in serving.sets}
    return replace(
        embedded,
        serving=serving,
        by_space={space: rows for space, rows in embedded.by_space.items() if space in spaces},
    )


def _with_rows(served: ServingSet, rows: NDArray[np.int64]) -> ServingSet:
    index = SomeRows(served.bundle.vectors.centroids, rows)
    reason = f"exact: {len(rows):,} of {len(served.bundle.manifest.products):,} products were asked"
    return replace(served, choice=IndexChoice(index, "exact", reason, 1.0))
