"""Unit vectors to match: random directions, and queries some way off them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return result.astype(np.float32)


def directions(count: int, dim: int = 32, seed: int = 0) -> NDArray[np.float32]:
    """Random unit vectors, shape ``(count, dim)``."""
    return unit(np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32))


def off(vectors: NDArray[np.float32], by: float, seed: int = 1) -> NDArray[np.float32]:
    """Vectors moved by a random step of length ``by`` and made unit again."""
    step = directions(len(vectors), vectors.shape[1], seed)
    return unit(vectors + np.float32(by) * step)
