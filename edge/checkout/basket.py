"""What a session holds: members, lines, reviews, and who may have done what. Values only, pure.

Owns the shape of a basket as the other modules of this package see it. How entries of the ledger
become baskets is ``shop.py``'s, what is charged ``charging.py``'s business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from edge.events import InteractionEvent

# Below this share a candidate does not speak for a product, held or not.
_PLAUSIBLE_SHARE: Final = 0.2

Role = Literal["shopper", "staff"]
ClosedBy = Literal["exit", "time_out", "staff"]
ReviewWhy = Literal[
    "unknown_product",
    "low_confidence",
    "several_shoppers",
    "no_shopper",
    "camera_sick",
    "not_taken",
    "after_leaving",
]


@dataclass(frozen=True)
class Moment:
    """A moment on both clocks.

    Attributes:
        captured_at_s: On the clock of ``Frame.captured_at_s``; what is ordered is ordered by it.
        wall_time_s: Seconds since 1970, for people.
    """

    captured_at_s: float
    wall_time_s: float


@dataclass(frozen=True)
class Attribution:
    """Who may have done an interaction.

    Attributes:
        sessions: Sessions, or members of sessions, whose reach covered it: one when it is sure,
            several when each of them could have, none when nobody was near.
        reason: In words, with the numbers.
    """

    sessions: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Member:
    """Somebody who checked in.

    Attributes:
        checkin_id: Id of the check-in.
        shopper: Label for people; not a name.
        token_hash: Hash of the token that was shown at check-in.
        joined_at: When.
        left_at: When the member left before the others; ``None`` while inside, and for whoever
            leaves last.
    """

    checkin_id: str
    shopper: str
    token_hash: str
    joined_at: Moment
    left_at: Moment | None = None


@dataclass(frozen=True)
class Line:
    """Pieces of one product that were charged at once.

    Attributes:
        line_id: Its id.
        session_id: Whose basket.
        sku: The product.
        quantity: Pieces that were charged.
        released: Pieces of them that were put back.
        refunded: Pieces of them that were given back after the receipt.
        charged_at: When.
        event: The interaction event behind it, with its evidence.
        reviewer: Who settled it; ``None`` when nobody had to.
        reason: Why it was charged, in words.
    """

    line_id: str
    session_id: str
    sku: str
    quantity: int
    released: int
    refunded: int
    charged_at: Moment
    event: InteractionEvent
    reviewer: str | None
    reason: str

    @property
    def pieces(self) -> int:
        """Pieces that are to be paid."""
        return self.quantity - self.released - self.refunded


@dataclass(frozen=True)
class Settlement:
    """How a review ended.

    Attributes:
        reviewer: Who settled it.
        sku: The product; ``None`` when it was none.
        session_id: Whose it was; ``None`` when nobody's.
        quantity: Pieces; 0 when it was nothing.
        reason: In words.
        settled_at: When.
    """

    reviewer: str
    sku: str | None
    session_id: str | None
    quantity: int
    reason: str
    settled_at: Moment


@dataclass(frozen=True)
class Review:
    """Something that a person should look at.

    Attributes:
        review_id: Its id.
        why: Why it was not decided at once.
        event: The interaction event.
        quantity: Pieces that are in question. Of a put-back fewer than the event's when the rest
            was clear; of a take all of them, with those that were charged for certain.
        skus: Products it may have been about, likeliest first; empty when unknown.
        sessions: Sessions that may have done it.
        reason: In words.
        opened_at: When.
        settlement: How it ended; ``None`` while open.
    """

    review_id: str
    why: ReviewWhy
    event: InteractionEvent
    quantity: int
    skus: tuple[str, ...]
    sessions: tuple[str, ...]
    reason: str
    opened_at: Moment
    settlement: Settlement | None = None


@dataclass(frozen=True)
class Basket:
    """A session and what it holds. A group shares one.

    Attributes:
        session_id: Its id: that of the group, or of the check-in of whoever came alone.
        role: Staff baskets are never charged.
        members: In the order of their check-ins.
        opened_at: When.
        closed_at: When it closed; ``None`` while open.
        closed_by: What closed it.
        lines: In the order they were charged, those without pieces left among them.
    """

    session_id: str
    role: Role
    members: tuple[Member, ...]
    opened_at: Moment
    closed_at: Moment | None = None
    closed_by: ClosedBy | None = None
    lines: tuple[Line, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether the session goes on."""
        return self.closed_at is None

    def newest(self, sku: str, quantity: int) -> tuple[tuple[Line, int], ...]:
        """Lines of a product with pieces of each, newest line first, ``quantity`` at most in all.

        What is put back is what was taken last: which pieces a put-back releases.
        """
        found: list[tuple[Line, int]] = []
        for line in reversed(self.lines):
            pieces = min(quantity, line.pieces) if line.sku == sku else 0
            if pieces:
                quantity -= pieces
                found.append((line, pieces))
        return tuple(found)

    def charged_for(self, event: InteractionEvent) -> int:
        """Pieces that were charged for an event, whatever became of them."""
        return sum(each.quantity for each in self.lines if each.event.event_id == event.event_id)

    def held(self, sku: str) -> int:
        """Pieces of a product that are to be paid."""
        return sum(line.pieces for line in self.lines if line.sku == sku)

    def kept_off(self, reviews: Sequence[Review]) -> dict[str, int]:
        """Pieces by line that no receipt charges while a person looks whether they were put back.

        Of what it may have been, likeliest first, and of what had been taken by then, newest first.

        Args:
            reviews: Open reviews that may concern the session.
        """
        kept: Counter[str] = Counter()
        for back in (each for each in reviews if each.event.kind == "put_back"):
            left = back.quantity
            for sku in plausible_skus(back.event):
                for line in reversed(self.lines):
                    if line.sku == sku and line.event.started_at_s < back.event.ended_at_s:
                        pieces = min(left, line.pieces - kept[line.line_id])
                        kept[line.line_id] += pieces
                        left -= pieces
        return dict(+kept)


def possible_skus(event: InteractionEvent) -> tuple[str, ...]:
    """Products that an event may have been about, likeliest first."""
    if event.outcome == "accept" and event.sku is not None:
        return (event.sku,)
    named = [event.sku] if event.sku is not None else []
    return tuple(dict.fromkeys([*named, *(each.sku for each in event.candidates)]))


def plausible_skus(event: InteractionEvent) -> tuple[str, ...]:
    """Products it may well have been about, likeliest first."""
    skus = possible_skus(event)
    if event.outcome == "accept":
        return skus
    shares = {each.sku: each.share for each in event.candidates}
    return tuple(sku for sku in skus if sku == event.sku or shares[sku] >= _PLAUSIBLE_SHARE)
