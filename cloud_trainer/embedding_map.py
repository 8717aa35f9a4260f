"""Lays embeddings out in the plane so that what is alike lies together: exact t-SNE in numpy.

Pure and seeded by nothing: it starts from the principal components, so equal input gives an equal
map. Meant for at most a few thousand points; time and memory grow with their square.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STEPS = 350
_EXAGGERATED_STEPS = 100
_EXAGGERATION = 12.0
_PERPLEXITY = 15.0


def principal_components(embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    """Project onto the two directions of largest spread.

    Args:
        embeddings: Shape ``(N, D)``.

    Returns:
        Shape ``(N, 2)``; each direction's sign is fixed by its largest component.
    """
    centred = embeddings.astype(np.float64) - embeddings.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    two = np.zeros((2, centred.shape[1]))
    two[: min(2, len(directions))] = directions[:2]
    largest = np.abs(two).argmax(axis=1)
    signs = np.sign(two[np.arange(2), largest])
    projected: NDArray[np.float64] = centred @ (two * np.where(signs == 0, 1, signs)[:, None]).T
    return projected


def embedding_map(embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    """Places in the unit square, shape ``(N, 2)``, for embeddings of shape ``(N, D)``."""
    count = len(embeddings)
    if count == 0:
        return np.zeros((0, 2))
    places = principal_components(embeddings)
    if count > 4:
        places = _tsne(embeddings, places)
    low, high = places.min(axis=0), places.max(axis=0)
    unit: NDArray[np.float64] = (places - low) / np.maximum(high - low, 1e-12)
    return unit


def _tsne(embeddings: NDArray[np.float32], start: NDArray[np.float64]) -> NDArray[np.float64]:
    alike = _neighbourhoods(embeddings)
    places = start / max(float(start.std()), 1e-12) * 1e-2
    places += 1e-6 * np.arange(places.size).reshape(places.shape) / places.size  # parts twins
    velocity = np.zeros_like(places)
    gain = np.ones_like(places)
    rate = max(len(places) / _EXAGGERATION / 4, 10.0)
    for step in range(_STEPS):
        early = step < _EXAGGERATED_STEPS
        squares = (places**2).sum(axis=1)
        near = 1 / (1 + np.maximum(squares[:, None] + squares - 2 * places @ places.T, 0))
        np.fill_diagonal(near, 0)
        pull = ((_EXAGGERATION if early else 1.0) * alike - near / near.sum()) * near
        gradient = 4 * (pull.sum(axis=1)[:, None] * places - pull @ places)
        gain = np.where(gradient * velocity > 0, np.maximum(gain * 0.8, 0.01), gain + 0.2)
        velocity = (0.5 if early else 0.8) * velocity - rate * gain * gradient
        places = places + velocity
    return places


def _neighbourhoods(embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    """Symmetric affinities, shape ``(N, N)``, sum 1, each row of about the same perplexity."""
    points = embeddings.astype(np.float64)
    squares = (points**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * points @ points.T, 0)
    np.fill_diagonal(distances, np.inf)
    distances -= distances.min(axis=1, keepdims=True)
    wanted = np.log(min(_PERPLEXITY, (len(points) - 1) / 3))
    low, high = np.full(len(points), 1e-6), np.full(len(points), 1e9)
    for _ in range(50):  # bisection of the precision in the logarithm, all rows at once
        precision = np.sqrt(low * high)
        weights = np.exp(-distances * precision[:, None])
        rows = weights / weights.sum(axis=1, keepdims=True)
        entropy = -(rows * np.log(np.maximum(rows, 1e-300))).sum(axis=1)
        low = np.where(entropy > wanted, precision, low)
        high = np.where(entropy > wanted, high, precision)
    symmetric: NDArray[np.float64] = (rows + rows.T) / (2 * len(points))
    return symmetric
