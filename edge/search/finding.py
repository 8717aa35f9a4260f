"""Which of many regions of one picture stand: each product once for each place. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge.events import Recognition
from edge.matching.router import normalised
from edge.search.region import Region

_SAME_PLACE: Final = 0.35  # overlap from which two regions speak of one place
_ALMOST: Final = 0.25  # between the thresholds: reviews this near to each other are as good
_WITHIN: Final = 0.7  # share of the smaller region from which it is a part of the larger


@dataclass(frozen=True)
class Found:
    """A part of a picture and what it was recognised as.

    Attributes:
        region: The part.
        recognition: The decision and its numbers.
    """

    region: Region
    recognition: Recognition


def standing(looked_at: Sequence[Found]) -> tuple[Found, ...]:
    """What remains when every place of a picture speaks once.

    Regions that are no product of the shop go. Of those that lie over each other the surest says
    what it is: an acceptance before a review, then the smallest gated distance between its
    thresholds. Where it is, the most promising region says of all that agree: what is surest is
    often the most striking detail alone.

    Args:
        looked_at: Regions of one picture, the most promising first.

    Returns:
        The surest first.
    """
    products = [each for each in looked_at if each.recognition.decision.outcome != "reject"]
    taken: list[Region] = []
    stays: list[Found] = []
    for surest in sorted(products, key=_doubt):
        if any(_one_place(surest.region, region) for region in taken):
            continue
        place = next(
            each
            for each in products
            if _agree(each, surest) and _one_place(each.region, surest.region)
        )
        taken += (surest.region, place.region)
        stays.append(place)
    return tuple(stays)


def _agree(one: Found, other: Found) -> bool:
    mine, others = one.recognition.decision, other.recognition.decision
    if (mine.outcome, mine.sku) != (others.outcome, others.sku):
        return False
    return mine.outcome == "accept" or normalised(mine) - normalised(others) < _ALMOST


def _doubt(found: Found) -> tuple[bool, float, Region]:
    decision = found.recognition.decision
    return decision.outcome != "accept", normalised(decision), found.region


def _one_place(one: Region, other: Region) -> bool:
    smaller = min(one.area_px, other.area_px)
    return one.overlap(other) > _SAME_PLACE or one.common_px(other) > _WITHIN * smaller
