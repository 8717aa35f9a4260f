"""Choose the index of a bundle: exact search while it is cheap, a tuned graph above.

Exact search needs no tuning and cannot miss, so it stays for as long as it costs less than a tenth
of one embedding, and wherever the graph would not be faster or not as good.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from edge.matching.exact import ExactIndex
from edge.matching.hnsw import REQUIRED_RECALL, build_hnsw, tuning_queries
from edge.matching.index import CentroidIndex

_SHARE_OF_EMBEDDING: Final = 0.1
# Fewer are compared in some microseconds: no network is quick enough for that to matter.
_FEW: Final = 1000
_TIMED_QUERIES: Final = 15
_CANDIDATES: Final = 5


@dataclass(frozen=True)
class IndexChoice:
    """An index and why it is this one.

    Attributes:
        index: The index.
        kind: Its kind.
        reason: The choice in words, with its numbers.
        recall: Recall@1 against exact search in the worst group of tuning queries.
    """

    index: CentroidIndex
    kind: Literal["exact", "hnsw"]
    reason: str
    recall: float


def choose_index(centroids: NDArray[np.float32], embedding_ms: float) -> IndexChoice:
    """The index that serves these centroids.

    Args:
        centroids: Shape ``(P, D)``, unit length.
        embedding_ms: What one embedding costs on this device.
    """
    exact = ExactIndex(centroids)
    if len(centroids) <= _FEW:
        return IndexChoice(exact, "exact", f"exact: {len(centroids):,} centroids are few", 1.0)
    queries = tuning_queries(centroids, _TIMED_QUERIES)["near_duplicate"]
    exact_ms = _query_ms(exact, queries)
    limit_ms = _SHARE_OF_EMBEDDING * embedding_ms
    size = f"{len(centroids):,} centroids"
    if exact_ms < limit_ms:
        return IndexChoice(
            exact,
            "exact",
            f"exact: comparing with all {size} takes {exact_ms:.3f} ms, "
            f"less than a tenth of an embedding ({limit_ms:.3f} ms)",
            1.0,
        )
    graph, tuning = build_hnsw(centroids, worth_ms=exact_ms)
    if graph is None:
        return IndexChoice(
            exact,
            "exact",
            f"exact: a graph over {size} came to recall@1 {tuning.recall:.4f} at ef {tuning.ef} "
            f"for {tuning.query_ms:.3f} ms a query; to be taken it must hold {REQUIRED_RECALL} "
            f"with a margin and stay below the {exact_ms:.3f} ms of exact search",
            1.0,
        )
    return IndexChoice(
        graph,
        "hnsw",
        f"hnsw: {tuning.query_ms:.3f} ms a query at ef {tuning.ef} instead of {exact_ms:.3f} ms "
        f"over {size}, recall@1 {tuning.recall:.4f} in the worst group of queries",
        tuning.recall,
    )


def _query_ms(index: CentroidIndex, queries: NDArray[np.float32]) -> float:
    """Milliseconds of a single query: the quickest, which a busy machine disturbs least."""
    index.search(queries[:1], _CANDIDATES)
    elapsed_ms = []
    for row in range(len(queries)):
        started_s = time.perf_counter()
        index.search(queries[row : row + 1], _CANDIDATES)
        elapsed_ms.append((time.perf_counter() - started_s) * 1000)
    return min(elapsed_ms)
