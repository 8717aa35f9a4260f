"""What an index over centroids is: nearest rows and their cosine distances."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import MatchingError


class CentroidIndex(Protocol):
    """Nearest centroids of queries; built from vectors in memory, never read from a file."""

    def __len__(self) -> int:
        """Number of centroids."""

    def search(
        self, queries: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The ``k`` nearest centroids of each query, nearest first.

        Args:
            queries: Shape ``(Q, D)``, float32, unit length.
            k: How many; at most as many as there are centroids are returned.

        Returns:
            Cosine distances ``1 - cos`` and rows of the centroids, both of shape ``(Q, k)``.

        Raises:
            MatchingError: The queries have another length than the centroids.
        """


def require_dimension(queries: NDArray[np.float32], dimension: int) -> None:
    """Refuse queries that are not of shape ``(Q, dimension)``.

    Raises:
        MatchingError: They are not; most often embeddings of another network.
    """
    if queries.ndim != 2 or queries.shape[1] != dimension:
        raise MatchingError(
            f"queries of shape {queries.shape} do not fit an index of {dimension}-d centroids; "
            "they come from another network than the index was built for"
        )
