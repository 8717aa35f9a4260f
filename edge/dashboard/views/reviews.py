"""What a person is asked: the pictures, what it may be, who it may have been, and what they said.

Owns the order of the queue: what nobody has looked at comes first, oldest first; what somebody
passed on comes after all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from edge.checkout.basket import Review, ReviewWhy
from edge.checkout.receipt import Numbers, numbers_of
from edge.checkout.shop import Shop
from edge.dashboard.views.events import Whose, whose
from edge.dashboard.views.shape import Crop, crops_of
from edge.events import InteractionKind
from edge.shop.passed import Pass
from web.shape import Shape

Answer = Literal["product", "not_sold_here", "nothing"]
_Reason = Annotated[str, Field(max_length=500)]


class Holding(Shape):
    """What a session holds of a product.

    Attributes:
        sku: The product.
        name: Its name.
        quantity: Pieces.
    """

    sku: str
    name: str
    quantity: int


class ReviewSession(Whose):
    """A session that may have done it.

    Attributes:
        holds: What it holds now, for reviews of what was put back.
    """

    holds: tuple[Holding, ...]


class ReviewCandidate(Shape):
    """A product that it may have been.

    Attributes:
        sku: The product.
        name: Its name.
        price: Price of a piece; ``None`` where the shop does not sell it any more.
        currency: Of the price.
        photos: Addresses of its photos in the catalogue.
        share: How likely it is among the candidates, 0 to 1; ``None`` where only the network
            named it.
        distance: Cosine distance of the crops to it; ``None`` where only the shelf speaks for it.
    """

    sku: str
    name: str
    price: str | None
    currency: str
    photos: tuple[str, ...]
    share: float | None
    distance: float | None


class PassedOn(Shape):
    """Somebody looked and was not sure.

    Attributes:
        reviewer: Who.
        reason: In words; may be empty.
        passed_at: When.
    """

    reviewer: str
    reason: str
    passed_at: float


class ReviewSettlement(Shape):
    """How a review ended.

    Attributes:
        reviewer: Who settled it; ``rule: ...`` where nobody had to.
        sku: The product; ``None`` when it was none.
        name: Its name.
        session: Whose it was; ``None`` when nobody's.
        quantity: Pieces; 0 when it was nothing.
        reason: In words.
        settled_at: When.
    """

    reviewer: str
    sku: str | None
    name: str | None
    session: str | None
    quantity: int
    reason: str
    settled_at: float


class ShownReview(Shape):
    """Something that a person should look at.

    Attributes:
        review_id: Its id.
        why: Why it was not decided at once.
        event_id: The interaction event.
        kind: Taken or put back.
        quantity: Pieces in question; of a take all that it most likely was, though some of them may
            be charged already.
        happened_at: When.
        opened_at: Since when a person is asked.
        camera: Shelf camera that saw it.
        fixture: Where.
        facing: Where on it; ``None`` between facings.
        reason: In words.
        crops: Its pictures in the order in which they happened.
        candidates: What it may have been, likeliest first.
        sessions: Who it may have been; of a put-back, who may hold it.
        numbers: Of the recognition; ``None`` when no crop was looked at.
        clip: Camera and span of the video; ``None`` when none was kept.
        passes: Who looked and was not sure.
        settlement: How it ended; ``None`` while open.
    """

    review_id: str
    why: ReviewWhy
    event_id: str
    kind: InteractionKind
    quantity: int
    happened_at: float
    opened_at: float
    camera: str
    fixture: str
    facing: str | None
    reason: str
    crops: tuple[Crop, ...]
    candidates: tuple[ReviewCandidate, ...]
    sessions: tuple[ReviewSession, ...]
    numbers: Numbers | None
    clip: str | None
    passes: tuple[PassedOn, ...]
    settlement: ReviewSettlement | None


class ReviewVerdict(Shape):
    """What a person saw.

    Attributes:
        answer: ``product`` of the shop, ``not_sold_here`` for a foreign object, or ``nothing``.
        sku: The product; exactly with ``product``.
        quantity: Pieces; exactly with ``product``.
        session: Whose it was; ``None`` when nobody's, or when exactly one session is in question.
        nobody: It was the product, and none of the sessions did it.
        reason: In words, for the receipt's evidence.
    """

    answer: Answer
    sku: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    quantity: Annotated[int, Field(ge=1, le=1000)] | None = None
    session: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    nobody: bool = False
    reason: _Reason = ""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"answer": "product", "sku": "oat-milk", "quantity": 1, "session": "c-1"},
                {"answer": "nothing", "reason": "a hand and nothing in it"},
            ]
        }
    )

    @model_validator(mode="after")
    def _fits_together(self) -> ReviewVerdict:
        if self.answer == "product" and self.sku is None:
            raise ValueError("name the product's sku, or answer not_sold_here or nothing")
        if self.answer != "product" and (self.sku or self.session or self.quantity or self.nobody):
            raise ValueError("sku, quantity, session and nobody belong to the answer product only")
        if self.nobody and self.session is not None:
            raise ValueError("give a session or nobody: true, not both")
        return self


@dataclass(frozen=True)
class Offers:
    """What the catalogue says, for candidates.

    Attributes:
        name_of: Name of a product.
        price_of: Price of a piece as money; ``None`` where it is not sold.
        photos_of: Addresses of its photos.
        currency: Of the shop.
    """

    name_of: Callable[[str], str]
    price_of: Callable[[str], str | None]
    photos_of: Callable[[str], tuple[str, ...]]
    currency: str


def review_shape(review: Review, shop: Shop, offers: Offers, passes: Sequence[Pass]) -> ShownReview:
    """A review as people see it."""
    event, ended = review.event, review.settlement
    return ShownReview(
        review_id=review.review_id,
        why=review.why,
        event_id=event.event_id,
        kind=event.kind,
        quantity=review.quantity,
        happened_at=shop.interactions[event.event_id].wall_time_s,
        opened_at=review.opened_at.wall_time_s,
        camera=event.camera,
        fixture=event.fixture,
        facing=event.facing,
        reason=review.reason,
        crops=crops_of(event),
        candidates=candidates_of(review, offers),
        sessions=tuple(_session(each, shop, offers) for each in review.sessions),
        numbers=numbers_of(event),
        clip=event.evidence.clip,
        passes=tuple(
            PassedOn(reviewer=each.reviewer, reason=each.reason, passed_at=each.passed_at)
            for each in passes
        ),
        settlement=None
        if ended is None
        else ReviewSettlement(
            reviewer=ended.reviewer,
            sku=ended.sku,
            name=None if ended.sku is None else offers.name_of(ended.sku),
            session=ended.session_id,
            quantity=ended.quantity,
            reason=ended.reason,
            settled_at=ended.settled_at.wall_time_s,
        ),
    )


def candidates_of(review: Review, offers: Offers) -> tuple[ReviewCandidate, ...]:
    """What a review may be about: as the ledger asks, then what else shelf and network named.

    A network knows products that this shop does not sell; those are no answer to anything.
    """
    event = review.event
    shares = {each.sku: each.share for each in event.candidates}
    distances = {each.sku: each.distance for each in event.candidates if each.distance is not None}
    if event.evidence.recognition is not None:
        for each in event.evidence.recognition.decision.candidates:
            if offers.price_of(each.sku) is not None:
                distances.setdefault(each.sku, each.distance)
    named = dict.fromkeys([*review.skus, *shares, *sorted(distances, key=distances.__getitem__)])
    return tuple(
        ReviewCandidate(
            sku=sku,
            name=offers.name_of(sku),
            price=offers.price_of(sku),
            currency=offers.currency,
            photos=offers.photos_of(sku),
            share=shares.get(sku),
            distance=distances.get(sku),
        )
        for sku in named
    )


def queue_of(shop: Shop, passes: Mapping[str, Sequence[Pass]]) -> tuple[Review, ...]:
    """Open reviews in the order in which people should look at them."""

    def place(review: Review) -> tuple[float, float]:
        passed = passes.get(review.review_id)
        return (passed[-1].passed_at if passed else 0.0, review.opened_at.captured_at_s)

    return tuple(sorted(shop.open_reviews(), key=place))


def _session(session_id: str, shop: Shop, offers: Offers) -> ReviewSession:
    held: dict[str, int] = {}
    for line in shop.baskets[session_id].lines:
        held[line.sku] = held.get(line.sku, 0) + line.pieces
    return ReviewSession(
        **whose(session_id, shop).model_dump(),
        holds=tuple(
            Holding(sku=sku, name=offers.name_of(sku), quantity=pieces)
            for sku, pieces in held.items()
            if pieces
        ),
    )
