"""PK batches: P products with K photos each, the same for the same seed and step.

The K photos of a product come from as many of its scenes as there are, each scene as likely as any
other: the hardest positive is then the product in another place, which is what a device meets,
and a shelf that was photographed twenty times does not drown one that was photographed twice.

A batch depends on the seed and its step alone, never on what was drawn before, so that training
resumed after a kill continues with exactly the batches it would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class PKSampler:
    """Draws P products and K photos of each; with fewer photos than K, photos repeat."""

    def __init__(
        self,
        labels: Sequence[int],
        scenes: Sequence[int],
        products: int,
        photos: int,
        seed: int,
    ) -> None:
        """Index the photos.

        Args:
            labels: Product index of each photo.
            scenes: Scene of each photo.
            products: P; taken down to the number of products there are.
            photos: K.
            seed: Seed of all draws.
        """
        by_product: dict[int, dict[int, list[int]]] = {}
        for row, (label, scene) in enumerate(zip(labels, scenes, strict=True)):
            by_product.setdefault(label, {}).setdefault(scene, []).append(row)
        self._scenes = [
            [rows for _, rows in sorted(by_scene.items())]
            for _, by_scene in sorted(by_product.items())
        ]
        self._products = min(products, len(self._scenes))
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
        for product in rng.choice(len(self._scenes), self._products, replace=False):
            rows += self._draw(self._scenes[product], rng)
        return rows, rng

    def _draw(self, scenes: list[list[int]], rng: np.random.Generator) -> list[int]:
        """K photos of one product: round after round, one of each scene in random order."""
        left = [rng.permutation(rows).tolist() for rows in scenes]
        drawn: list[int] = []
        while len(drawn) < self._photos:
            if not any(left):
                left = [rng.permutation(rows).tolist() for rows in scenes]
            for scene in rng.permutation(len(scenes)):
                if left[scene] and len(drawn) < self._photos:
                    drawn.append(int(left[scene].pop()))
        return drawn
