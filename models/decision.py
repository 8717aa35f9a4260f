"""The two-threshold rule: from distances to accept, reject or review, with every number kept.

Pure: arrays in, a frozen ``Decision`` out. Owns the rule and the shape of its thresholds, not how
they are fitted (the trainer) nor where distances come from (an index on the device).

Distances are cosine distances ``1 - cos`` of unit embeddings, in [0, 2]; smaller is more alike.
Accepting uses the *gated distance* ``d1 - margin_weight * (d2 - d1)``: a product that is near but
hardly nearer than the runner-up is not yet known. Rejecting uses the plain distance ``d1``::

    gated <= TL  -> accept at once        d1 >= TH -> reject at once        else -> the full check

The full check looks at every anchor of the candidates, not only at centroids, and at whatever
further evidence the caller has pooled. Pooling several frames draws embeddings towards their
product, so TL and TH are fitted for several pool sizes and the largest fitted size that the
evidence reaches is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Outcome = Literal["accept", "reject", "review"]
Stage = Literal["at_once", "full_check"]


class ErrorBudget(BaseModel):
    """What a shop tolerates of decisions that nobody looks at again.

    Attributes:
        accepted_error: Largest share of wrong products among those accepted at once.
        rejected_error: Largest share of known products among those rejected at once.
        confidence: One-sided confidence with which the bounds hold on unseen photos.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accepted_error: float = Field(default=0.01, gt=0, lt=0.5)
    rejected_error: float = Field(default=0.01, gt=0, lt=0.5)
    confidence: float = Field(default=0.9, ge=0.5, lt=1)


class ThresholdPair(BaseModel):
    """TL and TH for evidence pooled over ``pool`` crops.

    Attributes:
        pool: Number of crops of one item whose embeddings were averaged.
        tl: Gated distance at or below which a product is accepted at once.
        tl_full: Gated distance at or below which the full check accepts when the anchors agree.
        th: Plain distance at or above which a product is rejected at once.
        accepted_share: Share of known queries accepted at once where the thresholds were fitted.
        accepted_error_bound: Upper confidence bound of the error among them.
        rejected_error_bound: Upper confidence bound of known products among rejected at once.
        fitted_on: Number of pooled queries that the thresholds were fitted to.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    pool: int = Field(ge=1)
    tl: float = Field(ge=-10, le=2)
    tl_full: float = Field(ge=-10, le=2)
    th: float = Field(ge=0, le=2.5)
    accepted_share: float = Field(ge=0, le=1)
    accepted_error_bound: float = Field(ge=0, le=1)
    rejected_error_bound: float = Field(ge=0, le=1)
    fitted_on: int = Field(ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> ThresholdPair:
        if not self.tl <= self.tl_full <= self.th:
            raise ValueError(
                f"thresholds for pools of {self.pool} are out of order: "
                f"TL {self.tl} <= TL of the full check {self.tl_full} <= TH {self.th} must hold"
            )
        return self


class Thresholds(BaseModel):
    """Every threshold of one category, with the error budget they were fitted to.

    Attributes:
        margin_weight: How much the lead over the second product counts in the gated distance.
        budget: The error budget.
        pairs: One pair a pool size, ascending, beginning with 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    margin_weight: float = Field(default=1.5, ge=0, le=10)
    budget: ErrorBudget = ErrorBudget()
    pairs: tuple[ThresholdPair, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ascending(self) -> Thresholds:
        pools = [pair.pool for pair in self.pairs]
        if pools[0] != 1 or pools != sorted(set(pools)):
            raise ValueError(f"pool sizes must ascend from 1, not {pools}")
        return self

    def for_pool(self, crops: int) -> ThresholdPair:
        """The pair fitted for the largest pool that ``crops`` crops fill."""
        return [pair for pair in self.pairs if pair.pool <= max(crops, 1)][-1]


@dataclass(frozen=True)
class Candidate:
    """A product and how far the query is from it.

    Attributes:
        sku: The product.
        distance: Cosine distance to its centroid.
        anchor_distance: Cosine distance to its nearest anchor; ``None`` before the full check.
    """

    sku: str
    distance: float
    anchor_distance: float | None = None


@dataclass(frozen=True)
class Decision:
    """What was decided and every number that led to it.

    Attributes:
        outcome: Accept, reject (not a product of this category), or review by a person.
        stage: Whether the thresholds decided at once or the full check did.
        sku: The accepted product; for a review the best guess; ``None`` for a reject.
        candidates: Nearest products, nearest first.
        distance: Distance of the first candidate.
        margin: Distance of the second candidate minus that of the first.
        gated: ``distance - margin_weight * margin``.
        thresholds: The pair that was applied.
        crops: Number of crops behind the query.
        reason: The decision in words.
    """

    outcome: Outcome
    stage: Stage
    sku: str | None
    candidates: tuple[Candidate, ...]
    distance: float
    margin: float
    gated: float
    thresholds: ThresholdPair
    crops: int
    reason: str


def gated_distance(distances: NDArray[np.float32], margin_weight: float) -> NDArray[np.float32]:
    """Gated distance of ascending candidate distances.

    Args:
        distances: Shape ``(Q, K)``, ascending along the second axis. With ``K == 1`` there is no
            runner-up and the margin is taken as 0, the cautious reading.
        margin_weight: Weight of the lead over the second product.

    Returns:
        Shape ``(Q,)``.
    """
    first = distances[:, 0]
    if distances.shape[1] == 1:
        return first
    gated: NDArray[np.float32] = first - margin_weight * (distances[:, 1] - first)
    return gated


def pool(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """One unit embedding, shape ``(D,)``, for several crops ``(N, D)`` of the same item."""
    mean = embeddings.mean(axis=0)
    unit: NDArray[np.float32] = mean / max(float(np.linalg.norm(mean)), 1e-12)
    return unit


def decide_at_once(
    candidates: tuple[Candidate, ...], thresholds: Thresholds, crops: int = 1
) -> Decision:
    """Apply TL and TH; ``review`` here means that the full check is needed.

    Args:
        candidates: Nearest products, nearest first; at least one, ideally two.
        thresholds: The category's thresholds.
        crops: Number of crops pooled into the query.
    """
    pair = thresholds.for_pool(crops)
    distance = candidates[0].distance
    margin = candidates[1].distance - distance if len(candidates) > 1 else 0.0
    gated = distance - thresholds.margin_weight * margin
    outcome: Outcome = "review"
    reason = (
        f"between TL and TH (gated {gated:.3f} > {pair.tl:.3f}, {distance:.3f} < {pair.th:.3f})"
    )
    if distance >= pair.th:
        outcome, reason = "reject", f"nearest product is {distance:.3f} away, TH is {pair.th:.3f}"
    elif gated <= pair.tl:
        outcome, reason = "accept", f"gated distance {gated:.3f} is within TL {pair.tl:.3f}"
    return Decision(
        outcome=outcome,
        stage="at_once",
        sku=None if outcome == "reject" else candidates[0].sku,
        candidates=candidates,
        distance=distance,
        margin=margin,
        gated=gated,
        thresholds=pair,
        crops=crops,
        reason=reason,
    )


def decide_in_full(first: Decision, candidates: tuple[Candidate, ...]) -> Decision:
    """The full check of a query that TL and TH left open.

    Accepts when the nearest anchor of all belongs to the product with the nearest centroid and the
    gated distance is within ``tl_full``, the looser bound fitted for exactly this agreement.

    Args:
        first: The decision at once; its outcome must be ``review``.
        candidates: The same products as ``first.candidates``, now with their anchor distances.
    """
    best_by_anchor = min(
        (c for c in candidates if c.anchor_distance is not None),
        key=lambda c: c.anchor_distance if c.anchor_distance is not None else np.inf,
        default=None,
    )
    outcome: Outcome = "review"
    if best_by_anchor is None:
        reason = "no anchors to compare with; a person should look"
    elif best_by_anchor.sku != candidates[0].sku:
        reason = f"centroid says {candidates[0].sku}, nearest anchor says {best_by_anchor.sku}"
    elif first.gated <= first.thresholds.tl_full:
        outcome = "accept"
        reason = (
            f"anchors agree and gated distance {first.gated:.3f} is within "
            f"{first.thresholds.tl_full:.3f}"
        )
    else:
        reason = (
            f"anchors agree but gated distance {first.gated:.3f} is over "
            f"{first.thresholds.tl_full:.3f}; more frames would help"
        )
    return Decision(
        outcome=outcome,
        stage="full_check",
        sku=candidates[0].sku,
        candidates=candidates,
        distance=first.distance,
        margin=first.margin,
        gated=first.gated,
        thresholds=first.thresholds,
        crops=first.crops,
        reason=reason,
    )
