"""Fits TL and TH to an error budget, so that the budget also holds on photos not yet taken.

Pure: distances and truth in, thresholds out. Owns how thresholds are chosen; what they mean is
``models.decision``'s. The queries must be photos that training never saw, and the thresholds must
be reported on others again.

*The bound.* An error rate that was counted is only an estimate. What must stay within the budget is
its upper Clopper-Pearson bound at the budget's confidence.

*Photos of one scene resemble each other*, so a hundred photos of twenty scenes tell less than a
hundred scenes would. Counts are therefore divided by Kish's design effect ``1 + (m - 1) * r``
before they are bounded: ``m`` is the number of queries in the scene of an average query, ``r`` the
correlation of being wrong within a scene (one-way analysis of variance over all queries). Where
few queries are wrong ``r`` can hardly be seen, so it is drawn towards 0.3 with the weight of five
wrong queries.

*Choosing from many candidates* would break the confidence if each were tested afresh. Candidates
are fixed by counts of queries, without a look at what is right, and are tested from strict to
loose: fixed-sequence testing as in "Learn then Test" (Angelopoulos et al., 2021). The strictest
candidate is the smallest number of queries that could be certified at all. Where queries are plenty
there are two starting points (Wiens's fallback procedure), so that one unlucky early error does not
end the search: they share the admissible error probability; a candidate that passes hands its share
on to the next, one that fails forfeits it. The loosest candidate that passes is taken.

*The looser TL of the full check* must keep the budget for everything accepted so far. Its search
starts from what TL accepted, which was already chosen as lucky, and therefore runs with half the
admissible error probability.

*TH* with queries of unknown products bounds the share of known ones among the rejected; that share
holds where known and unknown products come as often as in these queries. Without unknown queries no
such share can be seen, and the share of all known queries that are rejected is bounded instead.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from models.decision import ErrorBudget, ThresholdPair, Thresholds, gated_distance

NEVER_ACCEPT = -10.0  # below every gated distance
NEVER_REJECT = 2.5  # above every cosine distance

RejectedBasis = Literal["share of rejected", "share of known"]
_Starts = tuple[tuple[float, float], ...]

_PRIOR_CORRELATION = 0.3
_PRIOR_WRONG = 5.0
_CANDIDATES = 80
# Starting points: place in the sequence from strict (0) to loose (1), share of error probability.
# Splitting costs power, which small samples cannot spare.
_ONE_START: _Starts = ((0.0, 1.0),)
_TWO_STARTS: _Starts = ((0.1, 0.7), (0.4, 0.3))
# Just beyond TL little has changed and the bound is still at its limit: it takes some more right
# answers of the full check to make room for any.
_STARTS_BEYOND: _Starts = ((0.4, 1.0),)
_LARGER_BUDGETS = (1.5, 2.0, 3.0, 5.0, 10.0)  # times the budget asked for
_PLENTY = 4  # so many times the smallest sample that could certify anything


@dataclass(frozen=True)
class PooledQueries:
    """Queries with their truth, each pooled over the same number of photos.

    Attributes:
        distances: Cosine distances to the two nearest centroids, ascending, shape ``(Q, 2)``;
            ``(Q, 1)`` in a category of a single product.
        correct: Whether the nearest centroid is the right product, bool, shape ``(Q,)``.
        known: False for queries of products that were never enrolled; accepting one is wrong.
        anchors_agree: Whether the nearest anchor belongs to the product with the nearest centroid.
        groups: Scene of each query, int, shape ``(Q,)``.
    """

    distances: NDArray[np.float32]
    correct: NDArray[np.bool_]
    known: NDArray[np.bool_]
    anchors_agree: NDArray[np.bool_]
    groups: NDArray[np.int64]

    def __post_init__(self) -> None:
        count = len(self.distances)
        columns = (self.correct, self.known, self.anchors_agree, self.groups)
        if self.distances.shape[1:] not in ((1,), (2,)) or any(
            c.shape != (count,) for c in columns
        ):
            raise ValueError(
                "distances must be (Q, 2) or (Q, 1) and every other array (Q,), of one length"
            )
        if bool((self.correct & ~self.known).any()):
            raise ValueError("a query of an unknown product cannot be correct")

    @staticmethod
    def joined(parts: Sequence[PooledQueries]) -> PooledQueries:
        """The queries of all parts, one after the other."""
        return PooledQueries(
            distances=np.concatenate([part.distances for part in parts]),
            correct=np.concatenate([part.correct for part in parts]),
            known=np.concatenate([part.known for part in parts]),
            anchors_agree=np.concatenate([part.anchors_agree for part in parts]),
            groups=np.concatenate([part.groups for part in parts]),
        )


@dataclass(frozen=True)
class ThresholdFit:
    """Fitted thresholds and what a person should know about them.

    Attributes:
        thresholds: The thresholds.
        rejected_basis: Of what ``rejected_error_bound`` bounds the share of known queries.
        notes: What could not be had, and what would help; empty when all went well.
    """

    thresholds: Thresholds
    rejected_basis: RejectedBasis
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Scan:
    """The loosest candidate that kept the budget; ``cut`` is ``None`` when none did."""

    cut: float | None
    bound: float
    needed: int  # queries it would take to certify an error-free decision


def fit_thresholds(
    pools: Mapping[int, PooledQueries], budget: ErrorBudget, margin_weight: float = 1.5
) -> ThresholdFit:
    """Fit TL and TH for every pool size.

    A pool size above 1 whose queries are too few to certify anything gets no thresholds of its own:
    ``Thresholds.for_pool`` then uses those of the next smaller size, which were certified. Should
    its queries speak against that, nothing is accepted at that size.

    Args:
        pools: Queries by pool size, pool size 1 among them.
        budget: What errors are tolerated, and with which confidence.
        margin_weight: Weight of the lead over the second product in the gated distance.

    Raises:
        ValueError: Pool size 1 is missing.
    """
    if 1 not in pools:
        raise ValueError(f"thresholds start with single photos; pool sizes given: {sorted(pools)}")
    pairs: list[ThresholdPair] = []
    notes: list[str] = []
    for size in sorted(pools):
        queries = pools[size]
        pair, needed = _fit_pair(size, queries, budget, margin_weight)
        if pair.tl == NEVER_ACCEPT:
            more = needed - len(queries.correct)
            remedy = (
                f"about {more} more queries of other scenes could"
                if more > 0
                else "train longer, add photos, or allow a larger error"
            )
            shortage = (
                f"pools of {size}: {len(queries.correct)} queries cannot show that at most "
                f"{budget.accepted_error:.2%} of those accepted at once are wrong; {remedy}"
            )
            if pairs and _inherits(queries, pairs[-1], budget, margin_weight):
                notes.append(f"{shortage}; until then the thresholds for {pairs[-1].pool} apply")
                continue
            larger = _smallest_larger_budget(size, queries, budget, margin_weight)
            notes.append(f"{shortage}; until then nothing is accepted at once{larger}")
        pairs.append(pair)
    return ThresholdFit(
        thresholds=Thresholds(margin_weight=margin_weight, budget=budget, pairs=tuple(pairs)),
        rejected_basis=("share of known" if bool(pools[1].known.all()) else "share of rejected"),
        notes=tuple(notes),
    )


def _smallest_larger_budget(
    size: int, queries: PooledQueries, budget: ErrorBudget, margin_weight: float
) -> str:
    """What accepted error these queries could show, and what would then be accepted, in words."""
    for times in _LARGER_BUDGETS:
        error = budget.accepted_error * times
        if error >= 0.5:
            break
        larger = budget.model_copy(update={"accepted_error": error})
        pair, _ = _fit_pair(size, queries, larger, margin_weight)
        if pair.tl != NEVER_ACCEPT:
            return (
                f" (a budget of {error:.2%} could be kept, with {pair.accepted_share:.0%} "
                "accepted at once)"
            )
    return ""


def upper_bound(wrong: float, count: float, confidence: float) -> float:
    """One-sided upper Clopper-Pearson bound of an error rate.

    Args:
        wrong: Number of errors; a fraction after division by a design effect.
        count: Number of trials, at least ``wrong``.
        confidence: Probability with which the bound is not exceeded.
    """
    if count <= 0 or wrong >= count:
        return 1.0
    return float(beta.ppf(confidence, wrong + 1, count - wrong))


def scene_correlation(wrong: NDArray[np.bool_], groups: NDArray[np.int64]) -> float:
    """How alike queries of one scene are in being wrong: 0 not at all, 1 entirely.

    Args:
        wrong: Shape ``(Q,)``.
        groups: Scene of each query, shape ``(Q,)``.
    """
    count, errors = len(wrong), float(wrong.sum())
    _, scene = np.unique(groups, return_inverse=True)
    sizes = np.bincount(scene) if count else np.zeros(0)
    scenes = len(sizes)
    estimate = 0.0
    if 1 < scenes < count and 0 < errors < count:
        rates = np.bincount(scene, weights=wrong) / sizes
        between = float((sizes * (rates - wrong.mean()) ** 2).sum()) / (scenes - 1)
        within = float((sizes * rates * (1 - rates)).sum()) / (count - scenes)
        typical = (count - float((sizes**2).sum()) / count) / (scenes - 1)
        spread = between + (typical - 1) * within
        estimate = min(max((between - within) / spread, 0.0), 1.0) if spread > 0 else 0.0
    seen = min(errors, count - errors) if scenes > 1 else 0.0
    return (seen * estimate + _PRIOR_WRONG * _PRIOR_CORRELATION) / (seen + _PRIOR_WRONG)


def _fit_pair(
    size: int, queries: PooledQueries, budget: ErrorBudget, margin_weight: float
) -> tuple[ThresholdPair, int]:
    """Thresholds of one pool size, and how many queries TL would need at least."""
    first = queries.distances[:, 0].astype(np.float64)
    gated = gated_distance(queries.distances.astype(np.float64), margin_weight)
    wrong = ~queries.correct
    correlation = scene_correlation(wrong, queries.groups)
    _, groups = np.unique(queries.groups, return_inverse=True)  # 0, 1, ...: cheap to count
    th, rejected_bound = _fit_th(first, queries.known, groups, budget)
    near = first < th
    at_once = _scan(
        np.where(near, gated, np.inf), wrong, groups, correlation,
        budget.accepted_error, budget.confidence,
    )  # fmt: skip
    tl = NEVER_ACCEPT if at_once.cut is None else min(at_once.cut, 2.0)
    accepted = near & (gated <= tl)
    in_full = _scan(
        np.where(accepted, -np.inf, np.where(near & queries.anchors_agree, gated, np.inf)),
        wrong, groups, correlation, budget.accepted_error, (1 + budget.confidence) / 2,
    )  # fmt: skip
    # A gated distance never exceeds the distance, which is under TH for everything accepted.
    tl_full = max(tl, in_full.cut) if in_full.cut is not None else tl
    known = queries.known
    pair = ThresholdPair(
        pool=size,
        tl=min(tl, th),
        tl_full=min(tl_full, th, 2.0),
        th=th,
        accepted_share=float(accepted[known].mean()) if bool(known.any()) else 0.0,
        accepted_error_bound=at_once.bound,
        rejected_error_bound=rejected_bound,
        fitted_on=len(first),
    )
    return pair, at_once.needed


def _fit_th(
    first: NDArray[np.float64],
    known: NDArray[np.bool_],
    groups: NDArray[np.int64],
    budget: ErrorBudget,
) -> tuple[float, float]:
    """TH and the bound that it keeps."""
    if bool(known.all()):
        return _th_of_known(first, groups, budget)
    correlation = scene_correlation(known, groups)
    found = _scan(-first, known, groups, correlation, budget.rejected_error, budget.confidence)
    if found.cut is None:
        return NEVER_REJECT, 0.0
    return max(-found.cut, 0.0), found.bound


def _th_of_known(
    first: NDArray[np.float64], groups: NDArray[np.int64], budget: ErrorBudget
) -> tuple[float, float]:
    """Smallest TH at which few enough known queries are rejected.

    The share rejected only falls as TH rises, so the smallest TH within the bound needs no
    correction for having tried several (risk-controlling prediction sets, Bates et al., 2021).
    """
    if len(first) == 0:
        return NEVER_REJECT, 0.0
    farthest = np.sort(first)[::-1]
    best, best_bound = NEVER_REJECT, 0.0
    for rejected in range(len(farthest)):
        # Just above the next nearer query, so that exactly `rejected` queries are at TH or beyond.
        th = float(np.nextafter(np.float32(farthest[rejected]), np.float32(np.inf)))
        beyond = first >= th
        effect = _design_effect(groups, scene_correlation(beyond, groups))
        bound = upper_bound(float(beyond.sum()) / effect, len(first) / effect, budget.confidence)
        if bound > budget.rejected_error:
            break
        best, best_bound = th, bound
    return best, best_bound


def _scan(
    score: NDArray[np.float64],
    wrong: NDArray[np.bool_],
    groups: NDArray[np.int64],
    correlation: float,
    tolerated: float,
    confidence: float,
) -> _Scan:
    """Find the loosest cut on ``score`` whose errors stay within ``tolerated``.

    Args:
        score: Decided when at or below the cut; ``inf`` never, ``-inf`` always; shape ``(Q,)``.
            Where some always are, the search goes on from an earlier one and begins further on.
        wrong: Whether deciding is an error, shape ``(Q,)``.
        groups: Scene of each query, shape ``(Q,)``.
        correlation: Correlation of errors within a scene.
        tolerated: Largest error rate among the decided.
        confidence: Confidence of the bound, over all candidates together.
    """
    order = np.argsort(score, kind="stable")
    ranked = score[order]
    usable = int(np.isfinite(ranked).sum() + np.isneginf(ranked).sum())
    smallest = math.ceil(math.log(1 - confidence) / math.log(1 - tolerated))
    needed = math.ceil(smallest * _design_effect(groups, correlation))
    always = int(np.isneginf(ranked).sum())
    first = max(needed, always + 1)
    if usable < first:
        return _Scan(None, 1.0, needed)
    counts = np.unique(np.linspace(first, usable, _CANDIDATES).astype(int))
    starts = _TWO_STARTS if usable >= _PLENTY * first else _ONE_START
    if always:
        starts = _STARTS_BEYOND
    allowances = {
        round(place * (len(counts) - 1)): share * (1 - confidence) for place, share in starts
    }
    best = _Scan(None, 1.0, needed)
    allowance = 0.0
    for position, count in enumerate(counts):
        allowance += allowances.get(position, 0.0)
        if allowance <= 0:
            continue
        cut = ranked[count - 1]
        decided = order[: int(np.searchsorted(ranked, cut, side="right"))]
        effect = _design_effect(groups[decided], correlation)
        errors, trials = float(wrong[decided].sum()) / effect, len(decided) / effect
        if upper_bound(errors, trials, 1 - allowance) <= tolerated:
            best = _Scan(float(cut), upper_bound(errors, trials, confidence), needed)
        else:
            allowance = 0.0
    return best


def _design_effect(groups: NDArray[np.int64], correlation: float) -> float:
    """By how much scenes shrink the number of independent queries; at least 1."""
    if len(groups) == 0:
        return 1.0
    sizes = np.bincount(groups)
    return 1 + (float((sizes**2).sum()) / len(groups) - 1) * correlation


def _inherits(
    queries: PooledQueries, pair: ThresholdPair, budget: ErrorBudget, margin_weight: float
) -> bool:
    """Whether larger pools may use a smaller pool's thresholds: nothing seen speaks against it."""
    gated = gated_distance(queries.distances, margin_weight)
    accepted = (gated <= pair.tl_full) & (queries.distances[:, 0] < pair.th)
    wrong = int((~queries.correct[accepted]).sum())
    if pair.tl == NEVER_ACCEPT or wrong == 0:
        return pair.tl != NEVER_ACCEPT
    lowest_rate = float(beta.ppf(1 - budget.confidence, wrong, int(accepted.sum()) - wrong + 1))
    return lowest_rate <= budget.accepted_error
