"""One query against its candidates: the two thresholds, then the full check, then negatives. Pure.

The rule itself is ``models.decision``; this module brings it what it asks for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.matching.serving import ServingSet
from models.decision import Candidate, Decision, decide_at_once, decide_in_full

CANDIDATES = 5


@dataclass(frozen=True)
class Located:
    """A candidate and where it comes from.

    Attributes:
        distance: Cosine distance of the query to its centroid.
        served: The category it belongs to.
        row: Its row among that category's products.
    """

    distance: float
    served: ServingSet
    row: int

    @property
    def sku(self) -> str:
        """The candidate's SKU."""
        return self.served.bundle.manifest.products[self.row].sku


def locate(queries: NDArray[np.float32], sets: tuple[ServingSet, ...]) -> list[tuple[Located, ...]]:
    """The nearest products of each query over all categories of one embedding space.

    Distances of one space compare directly, so the runner-up may come from another category, and a
    product listed in two categories counts once.

    Args:
        queries: Shape ``(Q, D)``, unit length.
        sets: Categories of the space.

    Returns:
        For each query at most ``CANDIDATES`` products, nearest first.
    """
    found = [(served, *served.choice.index.search(queries, CANDIDATES)) for served in sets]
    located = []
    for query in range(len(queries)):
        every = sorted(
            (
                Located(float(distance), served, int(row))
                for served, distances, rows in found
                for distance, row in zip(distances[query], rows[query], strict=True)
            ),
            key=lambda candidate: candidate.distance,
        )
        nearest: dict[str, Located] = {}
        for candidate in every:
            nearest.setdefault(candidate.sku, candidate)
        located.append(tuple(nearest.values())[:CANDIDATES])
    return located


def judge(query: NDArray[np.float32], located: tuple[Located, ...], crops: int) -> Decision:
    """Decide about one query.

    The thresholds are those of the nearest product's category. Between them every anchor of the
    candidates is compared. Whatever would be accepted is held against the product's negatives.

    Args:
        query: Shape ``(D,)``, unit length.
        located: Its candidates, nearest first; at least one.
        crops: Number of crops pooled into the query.
    """
    candidates = tuple(Candidate(each.sku, each.distance) for each in located)
    decision = decide_at_once(candidates, located[0].served.thresholds, crops)
    if decision.outcome == "review":
        compared = tuple(
            replace(
                candidate,
                anchor_distance=each.served.anchors.nearest(each.row, query),
            )
            for candidate, each in zip(candidates, located, strict=True)
        )
        decision = decide_in_full(decision, compared)
    return heed_negatives(decision, query, located[0]) if decision.outcome == "accept" else decision


def heed_negatives(decision: Decision, query: NDArray[np.float32], accepted: Located) -> Decision:
    """Turn an acceptance into a review where the query is nearer to what the product is not.

    Args:
        decision: An acceptance of the product ``accepted``.
        query: Shape ``(D,)``, unit length.
        accepted: The accepted product.
    """
    negative = accepted.served.negatives.nearest(accepted.row, query)
    if negative is None:
        return decision
    anchor = accepted.served.anchors.nearest(accepted.row, query)
    positive = accepted.distance if anchor is None else anchor
    if positive <= negative:
        return decision
    return replace(
        decision,
        outcome="review",
        stage="full_check",
        reason=f"a photo marked as not {accepted.sku} is nearer ({negative:.3f}) than its nearest "
        f"anchor ({positive:.3f}); a person should look",
    )
