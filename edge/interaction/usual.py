"""How far this shop's goods usually are from their product, as the network sees them. Pure.

A network that learned from product photos finds the pieces on a shelf further from their product
than its photos, and some products' much further than others'. So how far an object is from a
product says little by itself. It says more beside how far that product's own pieces were when they
left their facing here: what is known from the planogram needs no network. Knows distances, not
pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from edge.events import Recognition

_KEEP: Final = 8
_NOT_AMONG_NEAREST: Final = 0.05


@dataclass(frozen=True)
class UsualDistances:
    """Distances of goods to their product by SKU, the newest few of each.

    Attributes:
        space_id: Embedding space that they were measured in; empty before the first. Distances of
            another network are another matter, so they begin anew with it.
        seen: Cosine distances, newest last.
    """

    space_id: str = ""
    seen: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def with_piece(self, sku: str, recognition: Recognition) -> UsualDistances:
        """The same with another piece that is known to be of a product."""
        known = self.seen if recognition.space_id == self.space_id else {}
        kept = (*known.get(sku, ()), distance_to(sku, recognition))[-_KEEP:]
        return UsualDistances(recognition.space_id, {**known, sku: kept})

    def further(self, recognition: Recognition) -> dict[str, float]:
        """How much further an object is from each SKU that was seen than its pieces usually are."""
        if recognition.space_id != self.space_id:
            return {}
        return {
            sku: distance_to(sku, recognition) - sum(each) / len(each)
            for sku, each in self.seen.items()
        }


def distance_to(sku: str, recognition: Recognition) -> float:
    """Distance of an object to a product; to one that is not among its nearest, at least so far."""
    nearest = recognition.decision.candidates
    for each in nearest:
        if each.sku == sku:
            return each.distance
    return nearest[-1].distance + _NOT_AMONG_NEAREST
