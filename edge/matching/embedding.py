"""What matching needs of a network, so that it need not know any inference runtime."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.events import EmbedderDescription


class CropEmbedder(Protocol):
    """Turns prepared crops into unit embeddings; ``edge.runtime.base.Embedder`` is one.

    Attributes:
        space_id: The embedding space.
        input_size_px: Side ``S`` of the square crops it takes.
        embedding_dim: Length ``D`` of an embedding.
    """

    space_id: str
    input_size_px: int
    embedding_dim: int

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Unit embeddings ``(B, D)`` of prepared BGR crops ``(B, S, S, 3)``."""

    def describe(self) -> EmbedderDescription:
        """What computes the embeddings."""
