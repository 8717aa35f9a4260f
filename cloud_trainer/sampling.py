"""PK batches: P products with K photos each, the same for the same seed and step.

A batch depends on the seed and its step alone, never on what was drawn before, so that training
resumed after a kill continues with exactly the batches it would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class PKSampler:
    """Draws P products and K photos of each; with fewer photos than K, photos repeat."""

    def __init__(self, labels: Sequence[int], products: int, photos: int, seed: int) -> None:
        """Index the photos.

        Args:
            labels: Product index of each photo.
            products: P; taken down to the number of products there are.
            photos: K.
            seed: Seed of all draws.
        """
        by_product: dict[int, list[int]] = {}
        for row, label in enumerate(labels):
            by_product.setdefault(label, []).append(row)
        self._rows = [np.asarray(rows) for _, rows in sorted(by_product.items())]
        self._products = min(products, len(self._rows))
        self._photos = photos
        self._seed = seed

    @property
    def batch_size(self) -> int:
        """Photos in a batch."""
        return self._products * self._photos

    def batch(self, step: int) -> tuple[list[int], np.random.Generator]:
        """Photo rows of the batch of ``step``, and the generator for its augmentation."""
        rng = np.random.default_rng((self._seed, step))
        rows: list[int] = []
        for product in rng.choice(len(self._rows), self._products, replace=False):
            own = self._rows[product]
            rows += rng.choice(own, self._photos, replace=len(own) < self._photos).tolist()
        return rows, rng
