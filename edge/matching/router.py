"""Several categories looked at one item: which of them decides. Pure.

Categories of one embedding space were searched together, so their nearest product already speaks
for all of them. Distances of different spaces have different scales; what they have in common is
that each was fitted to the same error budget, so they compare by where the gated distance lies
between the thresholds: ``(gated - TL) / (TH - TL)``, at most 0 where a category accepts.

This is a comparison of confidences, not a classifier: a network has never seen the other
categories' products and may place one of them near its own. So when two spaces accept different
products nobody is believed and a person looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from models.decision import Decision

# Where TL and TH coincide the quotient would be infinite on either side; its sign is what counts.
_SMALLEST_BAND = 1e-6


@dataclass(frozen=True)
class Route:
    """Which decision stands.

    Attributes:
        chosen: Its place among the decisions.
        decision: The decision; turned into a review where two spaces contradict each other.
        reason: Why this one, in words; empty when there was only one.
    """

    chosen: int
    decision: Decision
    reason: str


def normalised(decision: Decision) -> float:
    """Where a gated distance lies between the thresholds: 0 at TL, 1 at TH."""
    pair = decision.thresholds
    return (decision.gated - pair.tl) / max(pair.th - pair.tl, _SMALLEST_BAND)


def route(decisions: Sequence[Decision], categories: Sequence[str]) -> Route:
    """Choose among the decisions of different embedding spaces about one item.

    Args:
        decisions: One a space, at least one.
        categories: Category of each decision's nearest product.
    """
    if len(decisions) == 1:
        return Route(0, decisions[0], "")

    def rank(place: int) -> tuple[bool, float, int]:
        return decisions[place].outcome == "reject", normalised(decisions[place]), place

    order = sorted(range(len(decisions)), key=rank)
    first, second = order[0], order[1]
    chosen, other = decisions[first], decisions[second]
    reason = (
        f"{categories[first]} at {normalised(chosen):.2f} between its thresholds, "
        f"{categories[second]} at {normalised(other):.2f}"
    )
    if chosen.outcome == other.outcome == "accept" and chosen.sku != other.sku:
        chosen = replace(
            chosen,
            outcome="review",
            reason=f"{categories[first]} accepts {chosen.sku} and {categories[second]} accepts "
            f"{other.sku}; a person should look",
        )
    return Route(first, chosen, reason)
