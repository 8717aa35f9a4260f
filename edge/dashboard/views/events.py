"""Interaction events as people see them: what was seen, who it was, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from edge.checkout.basket import Review
from edge.checkout.entries import InteractionRecorded
from edge.checkout.shop import Shop
from edge.dashboard.views.shape import Crop, crops_of
from edge.events import InteractionKind
from edge.tracing import trace_id
from models.decision import Outcome
from web.shape import Shape

Result = Literal["counted", "in_review", "settled", "restocked", "not_sold_here"]


class Whose(Shape):
    """A session that may have done something.

    Attributes:
        session: Its id.
        shoppers: Labels of its members.
        role: ``shopper`` or ``staff``.
        open: Whether it goes on.
    """

    session: str
    shoppers: tuple[str, ...]
    role: str
    open: bool


class ShownEvent(Shape):
    """Somebody took something or put something back.

    Attributes:
        event_id: Its id.
        trace: The same in all logs and messages, from the camera's frame on.
        kind: ``take`` or ``put_back``.
        happened_at: When the hand had gone.
        started_at: When the hand came.
        camera: Shelf camera that saw it.
        fixture: Where.
        facing: Where on it; ``None`` between facings.
        sku: The product as the shelf saw it; ``None`` when unknown.
        name: Its name.
        quantity: Pieces.
        outcome: What the shelf made of it: ``accept``, ``review`` or ``reject``.
        result: What came of it: ``counted`` for a basket, ``in_review`` while a person is asked,
            ``settled`` by one, ``restocked`` by staff, ``not_sold_here`` for a foreign object.
        whose: Sessions that may have done it.
        attribution: Why those, in words.
        reason: Why it was decided so, in words.
        review: Id of its review; ``None`` without one.
        crops: Its pictures.
    """

    event_id: str
    trace: str
    kind: InteractionKind
    happened_at: float
    started_at: float
    camera: str
    fixture: str
    facing: str | None
    sku: str | None
    name: str | None
    quantity: int
    outcome: Outcome
    result: Result
    whose: tuple[Whose, ...]
    attribution: str
    reason: str
    review: str | None
    crops: tuple[Crop, ...]


def event_shape(
    recorded: InteractionRecorded, shop: Shop, name_of: Callable[[str], str], store_id: str
) -> ShownEvent:
    """An event as people see it.

    Args:
        recorded: What the ledger says of it.
        shop: All of the ledger.
        name_of: Name of a product.
        store_id: The shop.
    """
    event = recorded.event
    # A review is named after its event.
    review = shop.reviews.get(event.event_id)
    return ShownEvent(
        event_id=event.event_id,
        trace=trace_id(store_id, event.event_id),
        kind=event.kind,
        happened_at=recorded.wall_time_s,
        started_at=recorded.wall_time_s - (event.ended_at_s - event.started_at_s),
        camera=event.camera,
        fixture=event.fixture,
        facing=event.facing,
        sku=event.sku,
        name=None if event.sku is None else name_of(event.sku),
        quantity=event.quantity,
        outcome=event.outcome,
        result=_result(recorded, review, shop),
        whose=tuple(whose(session, shop) for session in recorded.sessions),
        attribution=recorded.attribution,
        reason=event.evidence.reason,
        review=None if review is None else review.review_id,
        crops=crops_of(event),
    )


def whose(session_id: str, shop: Shop) -> Whose:
    """A session as one that may have done something."""
    basket = shop.baskets[session_id]
    return Whose(
        session=session_id,
        shoppers=tuple(member.shopper for member in basket.members),
        role=basket.role,
        open=basket.is_open,
    )


def _result(recorded: InteractionRecorded, review: Review | None, shop: Shop) -> Result:
    if review is not None:
        return "in_review" if review.settlement is None else "settled"
    if recorded.event.outcome == "reject":
        return "not_sold_here"
    staff = [shop.baskets[session].role == "staff" for session in recorded.sessions]
    return "restocked" if staff and all(staff) else "counted"
