"""The seam between the device and its inference backends: one class, one method.

A backend implements ``_run`` only; this base class checks what goes in and what comes out, so that
nothing but ``EmbedderError`` escapes and whatever leaves is finite and of unit length.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edge.errors import EmbedderError
from edge.events import EmbedderDescription


class Embedder(ABC):
    """Turns prepared crops into unit embeddings of one embedding space.

    Attributes:
        space_id: The embedding space, from the bundle the network came with.
        input_size_px: Side of the square crops it takes.
        embedding_dim: Length of an embedding.
    """

    def __init__(self, space_id: str, input_size_px: int, embedding_dim: int) -> None:
        self.space_id = space_id
        self.input_size_px = input_size_px
        self.embedding_dim = embedding_dim

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed prepared crops.

        Args:
            crops: Shape ``(B, S, S, 3)``, uint8, BGR, as ``models.preprocess.prepare`` leaves them;
                ``S`` is ``input_size_px``. ``B`` may be 0.

        Returns:
            Shape ``(B, embedding_dim)``, float32, unit length.

        Raises:
            EmbedderError: The crops have another shape or type, or the network failed.
        """
        side = self.input_size_px
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (side, side, 3):
            raise EmbedderError(
                f"the network takes uint8 crops of shape (B, {side}, {side}, 3), not "
                f"{crops.dtype} {crops.shape}; prepare them with models.preprocess.prepare"
            )
        if not len(crops):
            return np.empty((0, self.embedding_dim), np.float32)
        embeddings = self._run(np.ascontiguousarray(crops))
        if embeddings.shape != (len(crops), self.embedding_dim):
            raise EmbedderError(
                f"the network gave embeddings of shape {embeddings.shape} where its bundle "
                f"promises ({len(crops)}, {self.embedding_dim}); fetch the bundle again"
            )
        norms = np.sqrt(np.einsum("bd,bd->b", embeddings, embeddings))
        if not np.isfinite(norms).all() or float(norms.min()) < 1e-6:
            raise EmbedderError(
                "the network gave an embedding that is not finite or has no direction; "
                "the network file is damaged or this runtime computes it wrongly"
            )
        unit: NDArray[np.float32] = embeddings / norms[:, None]
        return unit

    def bare(self, crops: NDArray[np.uint8]) -> Callable[[], object]:
        """The runtime alone on these crops, without what is around it; for measuring.

        Args:
            crops: As for ``embed``, at least one.
        """
        return partial(self._run, crops)

    @abstractmethod
    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Run the network on contiguous crops ``(B, S, S, 3)``, ``B`` at least 1.

        Raises:
            EmbedderError: The network failed.
        """

    @abstractmethod
    def describe(self) -> EmbedderDescription:
        """What runs the network, and why it was chosen."""
