"""Several crops of one item become one query, and a crop that shows something else is left out.

A hand in front of the lens, a blurred frame or the neighbour's carton gives an embedding far from
the others. Averaging it in would spoil the query, so crops far from where most of them are do not
count. Nor does the same picture twice: thresholds for pools were fitted to different photos, and
ten frames of a video that stands still are one piece of evidence. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.decision import pool

# A crop is left out beyond both: an absolute distance that other views of the same item stay
# within, and a multiple of how far the crops usually lie from their centre.
_FAR: Final = 0.3
_TIMES_USUAL: Final = 3.0
# Two crops nearer to each other than this are one look at the item; photos taken one after the
# other by hand lie ten and more times as far apart.
_SAME_LOOK: Final = 0.005


@dataclass(frozen=True)
class Consensus:
    """One query for several crops.

    Attributes:
        embedding: Shape ``(D,)``, unit length: the mean of the crops that count.
        kept: Shape ``(N,)``, bool: which crops count.
        looks: How many of those crops differ from each other, at least 1.
        spread: Mean cosine distance of those crops to the embedding.
    """

    embedding: NDArray[np.float32]
    kept: NDArray[np.bool_]
    looks: int
    spread: float


def consensus(embeddings: NDArray[np.float32]) -> Consensus:
    """Pool the embeddings of one item's crops.

    With one or two crops all count: two that differ do not say which of them is wrong. Of three or
    more, those count that lie near the crop with the smallest median distance to the others; at
    least half always do.

    Args:
        embeddings: Shape ``(N, D)``, unit length, ``N`` at least 1.
    """
    kept = np.ones(len(embeddings), np.bool_)
    if len(embeddings) > 2:
        between = 1 - embeddings @ embeddings.T
        from_centre = between[np.median(between, axis=1).argmin()]
        cut = max(_FAR, _TIMES_USUAL * float(np.median(from_centre)))
        kept = from_centre <= cut
    counted = embeddings[kept]
    pooled = pool(counted)
    return Consensus(pooled, kept, _looks(counted), float(1 - (counted @ pooled).mean()))


def _looks(embeddings: NDArray[np.float32]) -> int:
    """How many embeddings ``(N, D)`` remain when each one near an earlier one is left out."""
    near = 1 - embeddings @ embeddings.T < _SAME_LOOK
    chosen: list[int] = []
    for row in range(len(embeddings)):
        if not near[row, chosen].any():
            chosen.append(row)
    return len(chosen)
