"""What an interaction event does to baskets: charge, release, ask a person, or nothing. Pure.

Owns the rule of charging. An accepted product and exactly one session that can have done it are
charged without a person; everything in doubt goes to review, never to a guess. Of a take whose
number is in doubt, what it was at least is charged and the rest asked about. What a piece was told
to be when it was put where it does not belong, by who held it or by a person, it is when taken from
there. A take that is seen after what it took has come back explains that put-back. What put-backs
mean is ``putting_back.py``'s.
"""

from __future__ import annotations

from collections.abc import Container

from edge.checkout.basket import Attribution, Basket, Review, ReviewWhy, plausible_skus
from edge.checkout.case import Case
from edge.checkout.entries import Entry, InteractionRecorded
from edge.checkout.putting_back import BY_RULE, like_what_they_hold, put_back
from edge.checkout.shop import Shop
from edge.errors import LedgerConflictError
from edge.events import InteractionEvent


def entries_for(
    event: InteractionEvent,
    attribution: Attribution,
    shop: Shop,
    *,
    wall_time_s: float,
    camera_sick: bool = False,
    sellable: Container[str] | None = None,
) -> tuple[Entry, ...]:
    """What the ledger is to say about an event.

    Args:
        event: What was seen.
        attribution: Who may have done it.
        shop: The state before it.
        wall_time_s: Wall time of ``event.ended_at_s``.
        camera_sick: Its camera is stale, frozen, moved or otherwise not to be trusted, so nothing
            is charged without a person.
        sellable: SKUs that have a price; others are not charged without a person. ``None`` is all.

    Returns:
        The entries in order; none when the event is recorded already.

    Raises:
        CheckoutError: A session of the attribution is unknown.
        LedgerConflictError: The event is recorded already, but with other content.
    """
    sessions = shop.sessions_of(attribution.sessions)
    case = Case(event, sessions, attribution.reason, shop, wall_time_s, sellable)
    recorded = InteractionRecorded(
        entry_id=f"{event.event_id}:recorded",
        captured_at_s=event.ended_at_s,
        wall_time_s=wall_time_s,
        event=event,
        sessions=case.sessions,
        attribution=attribution.reason,
    )
    before = shop.interactions.get(event.event_id)
    if before is not None:
        # Who may have done it can come out differently after a restart; what was seen cannot.
        if before.event != recorded.event:
            raise LedgerConflictError(
                f"event {event.event_id} is recorded already, but with other content; "
                "give every event an id of its own"
            )
        return ()
    return (recorded, *_consequences(case, camera_sick))


def _consequences(case: Case, camera_sick: bool) -> tuple[Entry, ...]:
    event, baskets = case.event, [case.shop.baskets[session] for session in case.sessions]
    if event.outcome == "reject":
        return like_what_they_hold(case)
    if baskets and all(basket.role == "staff" for basket in baskets):
        return case.restocked(case.sessions[0])
    if camera_sick:
        reason = f"camera {event.camera} cannot be trusted; {event.evidence.reason}"
        return (case.asked("camera_sick", reason),)
    if not baskets:
        return (case.asked("no_shopper", case.attribution),)
    if len(baskets) == 1 and _came_after(event, baskets[0]):
        return (case.asked("after_leaving", f"session {case.sessions[0]} had closed before"),)
    return put_back(case) if event.kind == "put_back" else _taken(case)


def _taken(case: Case) -> tuple[Entry, ...]:
    event, sku = case.event, case.event.sku
    back = _back_already(case)
    if back is not None and sku is not None and _has_price(case, sku):
        return _taken_and_back(case, sku, back)
    if len(case.sessions) > 1:
        return (case.asked("several_shoppers", case.attribution),)
    reason = event.evidence.reason
    if event.outcome == "review" or sku is None:
        told = _told_when_put_there(case)
        if told is None and event.certain and sku is not None and _has_price(case, sku):
            return _certain_of(case, sku)
        if told is None:
            why: ReviewWhy = "low_confidence" if case.skus else "unknown_product"
            return (case.asked(why, reason),)
        sku, reason = told, f"{reason}; it was told to be {told} when it was put there"
    if not _has_price(case, sku):
        return (case.asked("unknown_product", f"the catalogue has no price of {sku}"),)
    return (case.charged(event.event_id, sku, event.quantity, reason),)


def _has_price(case: Case, sku: str) -> bool:
    return case.sellable is None or sku in case.sellable


def _certain_of(case: Case, sku: str) -> tuple[Entry, ...]:
    """A take whose number is in doubt: what it was at least is charged, the rest is asked about."""
    event, reason = case.event, case.event.evidence.reason
    charged = case.charged(f"{event.event_id}:certain", sku, event.certain, reason)
    return charged, case.asked("low_confidence", f"{reason}; {event.certain} charged already")


def _back_already(case: Case) -> Review | None:
    """The open put-back of what nobody had taken by then that this take explains, if there is one.

    A place that is seen late tells of a take when what was taken has come back already. Of several
    who may have taken it, it was who put it back.
    """
    take = case.event
    for review in case.shop.open_reviews():
        back = review.event
        if (
            review.why == "not_taken"
            and take.outcome == back.outcome == "accept"
            and take.sku == back.sku
            and len(review.sessions) == 1
            and review.sessions[0] in case.sessions
            and _was_before(take, back)
            and (
                take.quantity == review.quantity
                or (take.quantity > review.quantity and len(case.sessions) == 1)
            )
        ):
            return review
    return None


def _was_before(take: InteractionEvent, back: InteractionEvent) -> bool:
    if take.contact_at_s is None or back.contact_at_s is None:
        return take.started_at_s < back.ended_at_s
    return take.contact_at_s < back.contact_at_s


def _taken_and_back(case: Case, sku: str, back: Review) -> tuple[Entry, ...]:
    event, session = case.event, back.sessions[0]
    why = f"{session} had put it back by then, as event {back.event.event_id} shows"
    charged = case.charged(event.event_id, sku, event.quantity, why, session)
    released = case.released(charged.line_id, session, back.quantity, why)
    return charged, released, case.settled(back.review_id, BY_RULE, why)


def _told_when_put_there(case: Case) -> str | None:
    """What a taken piece is that was in doubt when it was put there; ``None``: not told.

    The shelf, which looks at pictures alone, doubts it again under the same guess. Only where one
    piece was put there so, it is clear which one has been taken.
    """
    take = case.event
    if take.quantity != 1 or len(take.candidates) < 2:
        return None
    there = [
        each.event
        for each in case.shop.interactions.values()
        if (each.event.fixture, each.event.facing) == (take.fixture, take.facing)
        and each.event.event_id != take.event_id
        and each.event.outcome == "review"
        and each.event.sku == take.sku
        and len(each.event.candidates) > 1
    ]
    if len(there) != 1 or there[0].kind != "put_back" or there[0].ended_at_s > take.ended_at_s:
        return None
    told = _told_to_be(case.shop, there[0])
    return told if any(told == each.sku for each in take.candidates) else None


def _told_to_be(shop: Shop, back: InteractionEvent) -> str | None:
    """What somebody said a doubtful put-back was of, or else what alone it can have released."""
    review = shop.reviews.get(back.event_id)
    if review is not None:
        return None if review.settlement is None else review.settlement.sku
    released = {
        line.sku
        for session in shop.interactions[back.event_id].sessions
        for line in shop.baskets[session].lines
        if line.released and line.sku in plausible_skus(back)
    }
    return released.pop() if len(released) == 1 else None


def _came_after(event: InteractionEvent, basket: Basket) -> bool:
    return basket.closed_at is not None and event.started_at_s > basket.closed_at.captured_at_s
