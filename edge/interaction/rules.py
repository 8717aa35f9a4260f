"""What a change at a facing means: take, put_back or nothing, of what, how sure. Pure.

Fuses what the pictures of the facing say (something went or came, and how many), what the live
planogram says should be there, what the object looks like next to goods seen on these shelves, and
what the recogniser made of it. Where they agree, the event is accepted, without any recogniser if
need be; where they contradict each other a person is asked; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from edge.events import Candidate, InteractionKind, Recognition
from edge.interaction.compare import Direction
from edge.interaction.stock import LiveStock, Stray
from edge.interaction.usual import distance_to
from models.decision import Outcome

_ALIKE: Final = 0.58
_HARDLY_A_PIECE: Final = 0.6
_UNLIKE: Final = 0.55
_LEAD: Final = 0.10
_STRAY_LEAD: Final = 0.06
_TWIN: Final = 0.72
_COLOURS_ALONE: Final = 0.55  # colours that a facing has too are a hint, no more
_ALL_BACK: Final = 0.1  # as much less a product fits of which as many pieces have come as went
_DISTANCE_WEIGHT: Final = 0.8
_ABOUT_AS_NEAR: Final = 0.1
_USUALLY_WITHIN: Final = 0.15  # of how far its pieces usually are, a piece of a product is
_CLEAR_NUMBER: Final = 0.85
# That it was more is the shop's loss, so to charge the fewer needs less to be sure of.
_LIKELY_NUMBER: Final = 0.8
_HARDLY_FEWER: Final = 0.02


@dataclass(frozen=True)
class Sight:
    """What was seen of one change.

    Attributes:
        facing: Where.
        u_m: Where along the front.
        direction: Whether goods went or came.
        numbers: How likely each number of pieces is, likeliest first; shares sum to 1.
        part: How large it is against the smallest piece of the facing's own that was seen before.
        looks: How alike the object is to goods of each SKU seen on these shelves, 0 to 1.
        own_colours: How much of its colours the facing's goods have too; ``None`` when they were
            not seen.
        twin: How well something that stands on the same facing looks like it, 0 to 1.
        recognition: What the recogniser made of it; ``None`` without one.
        further: How much further it is from products than their pieces usually are here, as far as
            that is known.
        unfit: Products that it cannot be by its size, as far as sizes are known.
        doubts: What makes the sight itself uncertain, in words.
    """

    facing: str
    u_m: float
    direction: Direction
    numbers: tuple[tuple[int, float], ...] = ((1, 1.0),)
    part: float = 1.0
    looks: Mapping[str, float] = field(default_factory=dict)
    own_colours: float | None = None
    twin: float = 0.0
    recognition: Recognition | None = None
    further: Mapping[str, float] = field(default_factory=dict)
    unfit: frozenset[str] = frozenset()
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What happened, as far as it is known.

    Attributes:
        kind: Taken or put back.
        sku: The product; ``None`` when unknown.
        quantity: Pieces, at least 1.
        outcome: Accept, review or reject.
        candidates: Products it may have been, likeliest first.
        reason: Why, in words.
        stray: The stray that was taken, where it was one.
        certain: Pieces of the product that it was at least, where only their number is in doubt.
    """

    kind: InteractionKind
    sku: str | None
    quantity: int
    outcome: Outcome
    candidates: tuple[Candidate, ...]
    reason: str
    stray: Stray | None = None
    certain: int = 0


def judge(sight: Sight, stock: LiveStock) -> Verdict | None:
    """What a sight means given what stands where; ``None`` when nothing was taken or put back."""
    if sight.direction == "unclear":
        return None
    if sight.direction == "vanished" and _is_no_piece(sight, stock):
        return None
    verdict = _taken(sight, stock) if sight.direction == "vanished" else _put_back(sight, stock)
    if sight.doubts and verdict.outcome == "accept":
        return _asked(verdict, "; ".join(sight.doubts))
    return verdict


def _is_no_piece(sight: Sight, stock: LiveStock) -> bool:
    """Whether what vanished is neither large enough for a piece nor looks like one.

    The shadow of a hand or what compression left of it stays in a picture now and then.
    """
    alike = sight.looks.get(stock.belongs[sight.facing], 1.0)
    return (
        alike < _ALIKE
        and sight.part < _HARDLY_A_PIECE
        and not stock.strays_at(sight.facing, sight.u_m)
    )


def _taken(sight: Sight, stock: LiveStock) -> Verdict:
    own = stock.belongs[sight.facing]
    quantity = sight.numbers[0][0]
    strays = stock.strays_at(sight.facing, sight.u_m)
    pieces = stock.pieces[sight.facing]
    if strays:
        return _taken_where_strays_stand(sight, stock, strays[0])
    if pieces == 0:
        return Verdict(
            "take", own, quantity, "review", _shares({own: 1.0}, sight),
            f"something went from {sight.facing}, which was believed to be empty",
        )  # fmt: skip
    quantity = min(quantity, pieces)
    if pieces > 1 and not _is_sure(sight.numbers):
        return Verdict(
            "take", own, quantity, "review", _shares({own: 1.0}, sight),
            f"{own} went from {sight.facing}, but {_in_words(sight.numbers)}",
            certain=min(_at_least(sight.numbers), pieces) if _is_clearly(own, sight) else 0,
        )  # fmt: skip
    return Verdict(
        "take", own, quantity, "accept", _shares({own: 1.0}, sight),
        f"{quantity} went from {sight.facing}, where only {own} stood",
    )  # fmt: skip


def _is_sure(numbers: tuple[tuple[int, float], ...]) -> bool:
    """Whether the likeliest number of pieces can be charged without a person."""
    likeliest, share = numbers[0]
    fewer = sum(each for number, each in numbers if number < likeliest)
    return share >= _CLEAR_NUMBER or (share >= _LIKELY_NUMBER and fewer <= _HARDLY_FEWER)


def _is_clearly(sku: str, sight: Sight) -> bool:
    """Whether what changed looks as one looks like the other of the same goods."""
    return sight.looks.get(sku, 0.0) >= _TWIN


def _at_least(numbers: tuple[tuple[int, float], ...]) -> int:
    """How many pieces it was for certain."""
    return max(
        number
        for number, _ in numbers
        if sum(share for other, share in numbers if other < number) <= _HARDLY_FEWER
    )


def _taken_where_strays_stand(sight: Sight, stock: LiveStock, stray: Stray) -> Verdict:
    """A piece that does not belong stands in front of the others, unless it looks otherwise."""
    own = stock.belongs[sight.facing]
    own_alike = sight.looks.get(own, 0.5)
    stray_alike = sight.looks.get(stray.sku, 0.0) if stray.sku else 0.0
    sku = stray.sku
    if sku is None:
        return Verdict(
            "take", None, 1, "reject", (), f"an unknown object was taken from {sight.facing}", stray
        )
    if own_alike > stray_alike + _STRAY_LEAD:
        return Verdict(
            "take", own, 1, "accept", _shares({own: own_alike, sku: stray_alike}, sight),
            f"{own} went from {sight.facing}; the {sku} beside it looks different",
        )  # fmt: skip
    weights = {own: own_alike} | {each: sight.looks.get(each, 0.5) for each in stray.may_be}
    verdict = Verdict(
        "take", sku, 1, "accept", _shares(weights | {sku: max(stray_alike, 0.5)}, sight),
        f"the {sku} that had been put onto {sight.facing} was taken from there", stray,
    )  # fmt: skip
    if stray.may_be:
        return _asked(verdict, f"it may have been {' or '.join(stray.may_be)}")
    return verdict


def _put_back(sight: Sight, stock: LiveStock) -> Verdict:
    own = stock.belongs[sight.facing]
    scores = _scores(sight, stock)
    ranked = sorted(scores.items(), key=lambda each: (-each[1], each[0]))
    best, score = ranked[0]
    lead = score - ranked[1][1] if len(ranked) > 1 else score
    candidates = _shares({sku: max(each, 0.01) for sku, each in ranked[:4]}, sight)
    where = "where it belongs" if best == own else f"where {own} belongs"
    said = f"{score:.2f} like {best}, {lead:.2f} more than like anything else that it may be"
    if score >= _ALIKE and lead >= _LEAD:
        return Verdict(
            "put_back", best, sight.numbers[0][0] if best == own else 1, "accept", candidates,
            f"{best} was put onto {sight.facing}, {where}: it is {said}",
        )  # fmt: skip
    recognised = sight.recognition.decision if sight.recognition else None
    if score < _ALIKE and recognised is not None and recognised.outcome == "reject":
        return Verdict(
            "put_back", None, 1, "reject", candidates,
            f"an object was put onto {sight.facing} that the shop does not sell: "
            f"{recognised.reason}",
        )  # fmt: skip
    if score < _UNLIKE and recognised is not None and not _may_be_known(sight, own, stock):
        nearest = recognised.candidates[0]
        return Verdict(
            "put_back", None, 1, "reject", candidates,
            f"an object was put onto {sight.facing} that neither looks like nor is recognised as "
            "anything which belongs there or is out of the shelves: it is "
            f"{score:.2f} like {best}, and {nearest.distance:.2f} from the nearest product, "
            f"{nearest.sku}",
        )  # fmt: skip
    return Verdict(
        "put_back", best, 1, "review", candidates,
        f"something was put onto {sight.facing}; it is {said}, which is not enough to be sure",
    )  # fmt: skip


def _may_be_known(sight: Sight, own: str, stock: LiveStock) -> bool:
    """Whether a recogniser finds an object near anything that it can be.

    That is what belongs where it is and what is out of the shelves; near is about as near as the
    nearest product of all, and about as near as that product's pieces usually are.
    """
    if sight.recognition is None:
        return True
    candidates = sight.recognition.decision.candidates
    return any(
        each.distance <= candidates[0].distance + _ABOUT_AS_NEAR
        and sight.further.get(each.sku, 0.0) <= _USUALLY_WITHIN
        for each in candidates
        if each.sku not in sight.unfit and (each.sku == own or each.sku in stock.out)
    )


def _scores(sight: Sight, stock: LiveStock) -> dict[str, float]:
    """How well the object fits what it may be: the facing's own goods, and what is out or was.

    Looks speak for a product. Against it speaks how much further it is for the recogniser than its
    nearest product, or than pieces of the product usually are; its size rules it out.
    """
    own = stock.belongs[sight.facing]
    looks = {
        sku: sight.looks[sku] - (0.0 if sku in stock.out else _ALL_BACK)
        for sku in sorted({*stock.out, *stock.ever_out})
        if sku in sight.looks and sku not in sight.unfit
    }
    if own in sight.unfit:
        return {own: 0.0, **_held_against(looks, sight)}
    by_colour = min(sight.own_colours or 0.0, _COLOURS_ALONE)
    by_twin = sight.twin if sight.twin >= _TWIN else 0.0
    looks[own] = max(sight.looks.get(own, 0.0), by_colour, by_twin)
    return _held_against(looks, sight)


def _held_against(looks: dict[str, float], sight: Sight) -> dict[str, float]:
    """Looks, less what the recogniser has to say against each product."""
    if sight.recognition is None:
        return looks
    nearest_by = sight.recognition.decision.candidates[0].distance
    off = {
        sku: max(
            distance_to(sku, sight.recognition) - nearest_by,
            sight.further.get(sku, 0.0) - _USUALLY_WITHIN,
        )
        for sku in looks
    }
    return {sku: look - _DISTANCE_WEIGHT * off[sku] for sku, look in looks.items()}


def _shares(weights: Mapping[str, float], sight: Sight) -> tuple[Candidate, ...]:
    distances: dict[str, float] = {}
    if sight.recognition is not None:
        distances = {each.sku: each.distance for each in sight.recognition.decision.candidates}
    total = sum(weights.values()) or 1.0
    return tuple(
        Candidate(sku, distances.get(sku), weight / total)
        for sku, weight in sorted(weights.items(), key=lambda each: (-each[1], each[0]))
    )


def _in_words(numbers: tuple[tuple[int, float], ...]) -> str:
    said = " or ".join(f"{number} ({share:.0%})" for number, share in numbers[:3])
    return f"it may have been {said}"


def _asked(verdict: Verdict, doubt: str) -> Verdict:
    return Verdict(
        verdict.kind, verdict.sku, verdict.quantity, "review", verdict.candidates,
        f"{verdict.reason}; but {doubt}", verdict.stray,
    )  # fmt: skip
