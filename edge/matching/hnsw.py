"""Approximate search over very many centroids, tuned until it may stand in for exact search.

An HNSW graph (Malkov and Yashunin, 2018, by hnswlib) walks from centroid to centroid; ``ef`` says
how many it keeps in view. Too small an ``ef`` quietly misses the nearest product, worst for queries
that resemble nothing, which is where rejects live. So ``ef`` is raised until recall@1 against
exact search holds in every group of test queries, not on average:

* near duplicates: a centroid and a little noise, as a good photo of a known product gives,
* between products: half-way between two neighbours, as confusable products give,
* open set: directions of no product at all.

Built in memory from vectors, from a fixed seed on one thread; never read from a file.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import hnswlib
import numpy as np
from numpy.typing import NDArray

from edge.matching.exact import ExactIndex
from edge.matching.index import require_dimension

REQUIRED_RECALL: Final = 0.995
_LINKS: Final = 16
_EF_CONSTRUCTION: Final = 200
_EF_LADDER: Final = (32, 64, 128, 256, 512, 1024, 2048)
_QUERIES_A_GROUP: Final = 1000
# Other draws of queries miss a little more or less: half of the misses are kept in hand.
_MISSES_SPENT: Final = 0.5
_QUERIES_AT_ONCE: Final = 100
_SEED: Final = 20240229
# Two centroids this close in distance are one answer: float32 rounding must not count as a miss.
_SAME_DISTANCE: Final = 1e-5


@dataclass(frozen=True)
class Tuning:
    """How an index was tuned.

    Attributes:
        ef: Breadth of the search that was tried last.
        recall: Recall@1 against exact search in the worst group of queries at this ``ef``.
        query_ms: What a query cost at this ``ef``.
    """

    ef: int
    recall: float
    query_ms: float


class HnswIndex:
    """A graph over centroids; make one with ``build_hnsw``.

    Args:
        centroids: Shape ``(P, D)``, unit length.
    """

    def __init__(self, centroids: NDArray[np.float32]) -> None:
        self._count: int = centroids.shape[0]
        self._dimension: int = centroids.shape[1]
        self._graph = hnswlib.Index(space="ip", dim=self._dimension)
        self._graph.init_index(
            max_elements=self._count,
            ef_construction=_EF_CONSTRUCTION,
            M=_LINKS,
            random_seed=_SEED,
        )
        self._graph.add_items(centroids, np.arange(self._count), num_threads=1)

    def __len__(self) -> int:
        return self._count

    def set_ef(self, ef: int) -> None:
        """Set the breadth of the search; only while the index is being built."""
        self._graph.set_ef(ef)

    def search(
        self, queries: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The ``k`` nearest centroids of each query; see ``CentroidIndex.search``."""
        require_dimension(queries, self._dimension)
        k = min(k, self._count)
        if not len(queries):
            return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
        labels, distances = self._graph.knn_query(queries, k=k, num_threads=1)
        return distances.astype(np.float32, copy=False), labels.astype(np.int64)


def tuning_queries(
    centroids: NDArray[np.float32], count: int = _QUERIES_A_GROUP, seed: int = _SEED
) -> dict[str, NDArray[np.float32]]:
    """Unit queries that an index must answer like exact search does, by group.

    Args:
        centroids: Shape ``(P, D)``, unit length.
        count: Queries a group.
        seed: Seed of the draw.

    Returns:
        Groups ``near_duplicate``, ``between``, ``open_set``, each ``(count, D)``.
    """
    rng = np.random.default_rng(seed)
    products, dimension = centroids.shape
    chosen = centroids[rng.integers(products, size=count)]

    def noise(length: float) -> NDArray[np.float32]:
        drawn = rng.standard_normal((count, dimension), dtype=np.float32)
        return drawn * np.float32(length / np.sqrt(dimension))

    neighbours = ExactIndex(centroids).search(chosen, 2)[1][:, -1]
    return {
        "near_duplicate": _unit(chosen + noise(0.2)),
        "between": _unit(chosen + centroids[neighbours] + noise(0.2)),
        "open_set": _unit(noise(1.0)),
    }


def recall_at_1(
    found: tuple[NDArray[np.float32], NDArray[np.int64]],
    exact: tuple[NDArray[np.float32], NDArray[np.int64]],
) -> float:
    """Share of queries whose first answer is exact search's, or lies at the same distance.

    Args:
        found: Distances and rows ``(Q, k)`` of the index in question.
        exact: The same of exact search.
    """
    same_row = found[1][:, 0] == exact[1][:, 0]
    same_distance = found[0][:, 0] <= exact[0][:, 0] + _SAME_DISTANCE
    return float(np.mean(same_row | same_distance))


def build_hnsw(
    centroids: NDArray[np.float32],
    required_recall: float = REQUIRED_RECALL,
    worth_ms: float = math.inf,
) -> tuple[HnswIndex | None, Tuning]:
    """Build a graph and raise ``ef`` until every group of queries reaches the recall.

    Args:
        centroids: Shape ``(P, D)``, unit length.
        required_recall: Recall@1 against exact search that each group must reach with ease.
        worth_ms: What a query may cost; from there on the graph is of no use.

    Returns:
        The index, or ``None`` when no ``ef`` reaches the recall at that cost, and the tuning that
        was tried last.
    """
    centroids = np.ascontiguousarray(centroids, np.float32)
    index, exact = HnswIndex(centroids), ExactIndex(centroids)
    groups = tuning_queries(centroids)
    answers = {name: exact.search(queries, 1) for name, queries in groups.items()}
    allowed = (1 - required_recall) * _MISSES_SPENT
    tuning = Tuning(0, 0.0, 0.0)
    for ef in _EF_LADDER:
        index.set_ef(ef)
        tuning = _tried(index, ef, groups, answers, allowed)
        if tuning.query_ms >= worth_ms:
            return None, tuning
        if 1 - tuning.recall <= allowed:
            return index, tuning
    return None, tuning


def _tried(
    index: HnswIndex,
    ef: int,
    groups: Mapping[str, NDArray[np.float32]],
    answers: Mapping[str, tuple[NDArray[np.float32], NDArray[np.int64]]],
    allowed: float,
) -> Tuning:
    """Recall and cost at one ``ef``; a group is left as soon as it has missed too often."""
    recall, elapsed_s, asked = 1.0, 0.0, 0
    for name, queries in groups.items():
        misses = 0.0
        for at in range(0, len(queries), _QUERIES_AT_ONCE):
            block = slice(at, at + _QUERIES_AT_ONCE)
            started_s = time.perf_counter()
            found = index.search(queries[block], 1)
            elapsed_s += time.perf_counter() - started_s
            looked_at = len(queries[block])
            asked += looked_at
            distances, rows = answers[name]
            misses += looked_at * (1 - recall_at_1(found, (distances[block], rows[block])))
            if misses > allowed * len(queries):
                recall = min(recall, 1 - misses / (at + looked_at))
                break
        recall = min(recall, 1 - misses / len(queries))
    return Tuning(ef, recall, elapsed_s * 1000 / asked)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
