"""What people decide afterwards: reviews, disputes, refunds. Pure.

Owns what may be settled and how. Nothing is edited: a verdict is a further entry, and where a
receipt has been issued, a corrected version follows it. Every function gives no entries when the
same was said before, and refuses when something else was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge.checkout.basket import Basket, Line, Moment, Review
from edge.checkout.entries import (
    DisputeOpened,
    DisputeSettled,
    Entry,
    LineCharged,
    LineReleased,
    RefundIssued,
    ReviewSettled,
    StaffRestocked,
)
from edge.checkout.shop import Shop
from edge.errors import CheckoutError, LedgerConflictError


@dataclass(frozen=True)
class Verdict:
    """What a person saw in a review.

    Attributes:
        reviewer: Who looked.
        sku: The product; ``None`` when nothing of the shop was taken or put back.
        session_id: Whose it was; ``None`` when nobody's.
        quantity: Pieces; 0 exactly when there is no product.
        reason: In words.
    """

    reviewer: str
    sku: str | None
    session_id: str | None
    quantity: int
    reason: str = ""


def settle_review(review_id: str, verdict: Verdict, shop: Shop, *, at: Moment) -> tuple[Entry, ...]:
    """End a review: charge, release or neither.

    What a take was found to be replaces what was charged for it while its number was in doubt.

    Raises:
        CheckoutError: The review or session is unknown, product and quantity contradict each
            other, or more would come back than the session holds.
        LedgerConflictError: It was settled in another way.
    """
    review = shop.review(review_id)
    settled = ReviewSettled(
        entry_id=f"{review_id}:settled",
        captured_at_s=at.captured_at_s,
        wall_time_s=at.wall_time_s,
        review_id=review_id,
        reviewer=verdict.reviewer,
        sku=verdict.sku,
        session_id=verdict.session_id,
        quantity=verdict.quantity,
        reason=verdict.reason,
    )
    if review.settlement is not None:
        ended = review.settlement
        if (ended.sku, ended.session_id, ended.quantity) != (
            verdict.sku,
            verdict.session_id,
            verdict.quantity,
        ):
            raise LedgerConflictError(
                f"review {review_id} was settled by {ended.reviewer} before; refund the line or "
                "settle the shopper's dispute instead"
            )
        return ()
    if (verdict.sku is None) != (verdict.quantity == 0) or verdict.quantity < 0:
        raise CheckoutError(
            f"review {review_id}: give a product with at least one piece, or no product and 0"
        )
    if verdict.sku is None and verdict.session_id is not None:
        raise CheckoutError(f"review {review_id}: without a product there is no session to name")
    if review.event.kind == "put_back":
        return (settled, *_of_verdict(review, verdict, shop, settled))
    left, undone = _undone(review, verdict, shop, settled.at)
    return (settled, *undone, *_of_verdict(review, left, shop, settled))


def _undone(
    review: Review, verdict: Verdict, shop: Shop, at: Moment
) -> tuple[Verdict, tuple[Entry, ...]]:
    """What is left to charge of a verdict, and what was charged before it and is not so."""
    lines = (each for name in review.sessions for each in shop.baskets[name].lines)
    line = next((each for each in lines if each.event.event_id == review.event.event_id), None)
    if line is None:
        return verdict, ()
    right = 0
    if (line.sku, line.session_id) == (verdict.sku, _session_of(verdict, shop)):
        right = min(line.quantity, verdict.quantity)
    more = verdict.quantity - right
    left = replace(verdict, quantity=more, sku=verdict.sku if more else None)
    wrong = min(line.quantity - right, line.pieces)
    return left, (_release_of(line, wrong, review, verdict, at),) if wrong else ()


def _session_of(verdict: Verdict, shop: Shop) -> str | None:
    return shop.sessions_of([verdict.session_id])[0] if verdict.session_id is not None else None


def _release_of(
    line: Line, pieces: int, review: Review, verdict: Verdict, at: Moment
) -> LineReleased:
    return LineReleased(
        entry_id=f"{review.review_id}:settled:released:{line.line_id}",
        captured_at_s=at.captured_at_s,
        wall_time_s=at.wall_time_s,
        line_id=line.line_id,
        session_id=line.session_id,
        event_id=review.event.event_id,
        quantity=pieces,
        reviewer=verdict.reviewer,
        reason=verdict.reason or review.reason,
    )


def _of_verdict(
    review: Review, verdict: Verdict, shop: Shop, settled: ReviewSettled
) -> tuple[Entry, ...]:
    session_id = _session_of(verdict, shop)
    if verdict.sku is None or session_id is None:
        return ()
    event = review.event
    if shop.baskets[session_id].role == "staff":
        return (
            StaffRestocked(
                entry_id=f"{review.review_id}:restocked",
                captured_at_s=settled.at.captured_at_s,
                wall_time_s=settled.at.wall_time_s,
                event_id=event.event_id,
                session_id=session_id,
                interaction=event.kind,
                fixture=event.fixture,
                facing=event.facing,
                sku=verdict.sku,
                quantity=verdict.quantity,
            ),
        )
    if event.kind == "take":
        return (
            LineCharged(
                entry_id=f"{review.review_id}:charged",
                captured_at_s=settled.at.captured_at_s,
                wall_time_s=settled.at.wall_time_s,
                line_id=review.review_id,
                session_id=session_id,
                event_id=event.event_id,
                sku=verdict.sku,
                quantity=verdict.quantity,
                reviewer=verdict.reviewer,
                reason=verdict.reason or review.reason,
            ),
        )
    return _release(review, verdict, verdict.sku, shop.baskets[session_id], settled.at)


def _release(
    review: Review, verdict: Verdict, sku: str, basket: Basket, at: Moment
) -> tuple[Entry, ...]:
    left, entries = verdict.quantity, []
    for line, pieces in basket.newest(sku, verdict.quantity):
        left -= pieces
        entries.append(_release_of(line, pieces, review, verdict, at))
    if left:
        raise CheckoutError(
            f"review {review.review_id}: session {basket.session_id} holds "
            f"{verdict.quantity - left} pieces of {sku}, so {verdict.quantity} cannot have "
            "come back; settle the review of the take first, or settle this one as nobody's"
        )
    return tuple(entries)


def refund(
    refund_id: str,
    line_id: str,
    quantity: int,
    shop: Shop,
    *,
    reviewer: str,
    reason: str,
    at: Moment,
) -> tuple[Entry, ...]:
    """Give pieces of a line back after its receipt was issued.

    Args:
        refund_id: The caller's id of this refund; the same id is the same refund.
        line_id: The line.
        quantity: Pieces.
        shop: The state before.
        reviewer: Who decided it.
        reason: Why, for the till and the shopper.
        at: When.

    Raises:
        CheckoutError: There is no such line, its session is open, or it has fewer pieces left.
        LedgerConflictError: The id was used for another refund.
    """
    known = shop.refunds.get(refund_id)
    if known is not None:
        if (known.line_id, known.quantity) != (line_id, quantity):
            raise LedgerConflictError(
                f"refund {refund_id} was of {known.quantity} pieces of line {known.line_id}; "
                "give another refund another id"
            )
        return ()
    line = shop.line(line_id)
    _check_pieces(line, quantity)
    if shop.latest_receipt(line.session_id) is None:
        raise CheckoutError(
            f"session {line.session_id} has no receipt yet, so there is nothing to give back; "
            "settle a dispute of the line instead"
        )
    return (
        RefundIssued(
            entry_id=f"{refund_id}:refund",
            captured_at_s=at.captured_at_s,
            wall_time_s=at.wall_time_s,
            refund_id=refund_id,
            session_id=line.session_id,
            line_id=line_id,
            quantity=quantity,
            reviewer=reviewer,
            reason=reason,
        ),
    )


def open_dispute(
    dispute_id: str, line_id: str, quantity: int, shop: Shop, *, reason: str, at: Moment
) -> tuple[Entry, ...]:
    """A shopper says that pieces of a line are wrong, while shopping or afterwards.

    Raises:
        CheckoutError: There is no such line, or it has fewer pieces left.
        LedgerConflictError: The id was used for another dispute.
    """
    known = shop.disputes.get(dispute_id)
    if known is not None:
        if (known.opened.line_id, known.opened.quantity) != (line_id, quantity):
            raise LedgerConflictError(
                f"dispute {dispute_id} is about line {known.opened.line_id}; "
                "give another dispute another id"
            )
        return ()
    line = shop.line(line_id)
    _check_pieces(line, quantity)
    return (
        DisputeOpened(
            entry_id=f"{dispute_id}:disputed",
            captured_at_s=at.captured_at_s,
            wall_time_s=at.wall_time_s,
            dispute_id=dispute_id,
            session_id=line.session_id,
            line_id=line_id,
            quantity=quantity,
            reason=reason,
        ),
    )


def settle_dispute(
    dispute_id: str, upheld: bool, shop: Shop, *, reviewer: str, reason: str, at: Moment
) -> tuple[Entry, ...]:
    """End a dispute; upheld, its pieces leave the basket or are refunded.

    Raises:
        CheckoutError: There is no such dispute, or its pieces have gone in the meantime.
        LedgerConflictError: It was settled the other way.
    """
    dispute = shop.disputes.get(dispute_id)
    if dispute is None:
        raise CheckoutError(f"there is no dispute {dispute_id}")
    if dispute.settled is not None:
        if dispute.settled.upheld != upheld:
            raise LedgerConflictError(
                f"dispute {dispute_id} was settled the other way by {dispute.settled.reviewer}"
            )
        return ()
    opened = dispute.opened
    settled = DisputeSettled(
        entry_id=f"{dispute_id}:settled",
        captured_at_s=at.captured_at_s,
        wall_time_s=at.wall_time_s,
        dispute_id=dispute_id,
        reviewer=reviewer,
        upheld=upheld,
        reason=reason,
    )
    if not upheld:
        return (settled,)
    if shop.latest_receipt(opened.session_id) is not None:
        refunds = refund(
            dispute_id,
            opened.line_id,
            opened.quantity,
            shop,
            reviewer=reviewer,
            reason=reason or opened.reason or "disputed",
            at=at,
        )
        return (settled, *refunds)
    _check_pieces(shop.line(opened.line_id), opened.quantity)
    released = LineReleased(
        entry_id=f"{dispute_id}:released",
        captured_at_s=at.captured_at_s,
        wall_time_s=at.wall_time_s,
        line_id=opened.line_id,
        session_id=opened.session_id,
        event_id=None,
        quantity=opened.quantity,
        reviewer=reviewer,
        reason=reason or opened.reason,
    )
    return (settled, released)


def _check_pieces(line: Line, quantity: int) -> None:
    if not 1 <= quantity <= line.pieces:
        raise CheckoutError(
            f"line {line.line_id} has {line.pieces} pieces left to give back, not {quantity}"
        )
