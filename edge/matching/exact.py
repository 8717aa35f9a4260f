"""Exact search: one matrix product, then the few smallest. The reference all else is held to."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from edge.matching.index import require_dimension

# Rows of queries compared at a time: bounds the scratch at 64 x 4 bytes a centroid.
_QUERIES_AT_ONCE = 64


class _Scratch(threading.local):
    """Similarities of one block of queries; each thread has its own, so searches may overlap."""

    similarities: NDArray[np.float32] | None = None


class ExactIndex:
    """Compares a query with every centroid.

    Nothing of the size of the centroids is allocated after a thread's first search. The nearest
    are taken one by one, which for the handful of candidates that a decision looks at costs less
    than partitioning an array of row numbers.

    Args:
        centroids: Shape ``(P, D)``, unit length; kept as they are when contiguous float32.
    """

    def __init__(self, centroids: NDArray[np.float32]) -> None:
        self._centroids = np.ascontiguousarray(centroids, np.float32)
        self._scratch = _Scratch()

    def __len__(self) -> int:
        return len(self._centroids)

    def search(
        self, queries: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The ``k`` nearest centroids of each query; see ``CentroidIndex.search``."""
        require_dimension(queries, self._centroids.shape[1])
        k = min(k, len(self))
        distances = np.empty((len(queries), k), np.float32)
        rows = np.empty((len(queries), k), np.int64)
        for at in range(0, len(queries), _QUERIES_AT_ONCE):
            block = queries[at : at + _QUERIES_AT_ONCE]
            similarities = self._similarities(len(block))
            np.matmul(block, self._centroids.T, out=similarities)
            each = np.arange(len(block))
            for rank in range(k):
                nearest = similarities.argmax(axis=1)
                rows[at : at + len(block), rank] = nearest
                distances[at : at + len(block), rank] = 1 - similarities[each, nearest]
                similarities[each, nearest] = -np.inf
        return distances, rows

    def _similarities(self, queries: int) -> NDArray[np.float32]:
        scratch = self._scratch.similarities
        if scratch is None or len(scratch) < queries:
            scratch = np.empty((queries, len(self)), np.float32)
            self._scratch.similarities = scratch
        return scratch[:queries]
