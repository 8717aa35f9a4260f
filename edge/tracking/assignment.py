"""One-to-one assignment at the least total cost, with the right to leave anybody out.

The Jonker-Volgenant algorithm of ``lap``; this file owns only what Walkout means by it.
"""

from __future__ import annotations

import lap
import numpy as np
from numpy.typing import NDArray


def assign(costs: NDArray[np.float64], limit: float) -> dict[int, int]:
    """Pair rows with columns at the least total cost.

    Args:
        costs: Shape ``(R, C)``; infinite where a pair is impossible.
        limit: What leaving out both a row and a column costs: dearer pairs are not made.

    Returns:
        Column by row, of the pairs that were made.
    """
    if costs.size == 0:
        return {}
    possible = np.where(np.isfinite(costs), costs, 1e6)
    # lap wants positive costs; a shift of all pairs and of the limit changes nothing.
    shift = min(0.0, float(possible.min()), limit) - 1.0
    _, columns, _ = lap.lapjv(possible - shift, extend_cost=True, cost_limit=limit - shift)
    return {
        row: int(column)
        for row, column in enumerate(columns)
        if column >= 0 and costs[row, column] < limit
    }
