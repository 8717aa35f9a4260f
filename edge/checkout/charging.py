"""What an interaction event does to baskets: charge, release, ask a person, or nothing. Pure.

Owns the rule of charging. An accepted product and exactly one session that can have done it are
charged without a person; everything in doubt goes to review, never to a guess.

A put-back adds something to what the cameras say: only what a session holds can come back from it.
So where one session alone can hold the product, or a session can hold one of the candidates alone,
that settles whose or what it was. "Can hold" counts lines and open reviews alike. And who alone put
back what they can only have from a take that several may have done, did take it. What shoppers put
back and nobody can hold goes to review and never makes a line negative; where staff stood
beside them it was restocked, as no receipt depends on it; where it was unsure in the first place
and they hold nothing like it, they brought it along. What is told to be none of the shop's is asked
about where they hold what it is like at all. What a piece was told to be when it was
put where it does not belong, by who held it or by a person, it is when it is taken from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final

from edge.checkout.basket import Attribution, Basket, Review, ReviewWhy
from edge.checkout.entries import (
    Entry,
    InteractionRecorded,
    LineCharged,
    LineReleased,
    ReviewOpened,
    ReviewSettled,
    StaffRestocked,
)
from edge.checkout.shop import Shop
from edge.errors import LedgerConflictError
from edge.events import InteractionEvent

# Below this share a candidate does not speak for a product, held or not.
_PLAUSIBLE_SHARE: Final = 0.2
_CLEARLY_LIKELIER: Final = 1.25
_NEARLY_AS_LIKELY: Final = 0.7
_OF_NO_LINE: Final = ("not_taken", "no_shopper")
RULES: Final = "rule: "  # begins the name of every reviewer who is none
BY_RULE: Final = f"{RULES}put back"
BROUGHT_ALONG: Final = f"{RULES}brought along"


@dataclass(frozen=True)
class _Case:
    """An event and all that its entries have in common."""

    event: InteractionEvent
    sessions: tuple[str, ...]
    attribution: str
    shop: Shop
    wall_time_s: float
    sellable: Container[str] | None

    @property
    def skus(self) -> tuple[str, ...]:
        """Products it may have been about, likeliest first."""
        return _skus(self.event)


def _skus(event: InteractionEvent) -> tuple[str, ...]:
    if event.outcome == "accept" and event.sku is not None:
        return (event.sku,)
    named = [event.sku] if event.sku is not None else []
    return tuple(dict.fromkeys([*named, *(each.sku for each in event.candidates)]))


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
    case = _Case(event, sessions, attribution.reason, shop, wall_time_s, sellable)
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


def is_nobodys(review: Review, shop: Shop) -> bool:
    """Whether a put-back that waits for a person is of a product that no basket has or may have.

    Whatever came back then, no receipt can say less by it: its take was not seen either, or it only
    looked like the product.
    """
    event = review.event
    if event.kind != "put_back" or event.outcome != "accept" or event.sku is None:
        return False
    return review.why in _OF_NO_LINE and not any(
        _can_hold(shop, session, event.sku) for session in shop.baskets
    )


def kept_off(basket: Basket, reviews: Sequence[Review]) -> dict[str, int]:
    """Pieces by line that no receipt charges while a person looks whether they were put back.

    Of what it may have been, likeliest first, and of what had been taken by then, newest first.

    Args:
        basket: The session.
        reviews: Open reviews that may concern it.
    """
    kept: Counter[str] = Counter()
    for put_back in (each for each in reviews if each.event.kind == "put_back"):
        left = put_back.quantity
        for sku in _plausible_skus(put_back.event):
            for line in reversed(basket.lines):
                if line.sku == sku and line.event.started_at_s < put_back.event.ended_at_s:
                    pieces = min(left, line.pieces - kept[line.line_id])
                    kept[line.line_id] += pieces
                    left -= pieces
    return dict(+kept)


def _consequences(case: _Case, camera_sick: bool) -> tuple[Entry, ...]:
    event, baskets = case.event, [case.shop.baskets[session] for session in case.sessions]
    if event.outcome == "reject":
        return _like_what_they_hold(case)
    if baskets and all(basket.role == "staff" for basket in baskets):
        return _restocked(case, case.sessions[0])
    if camera_sick:
        reason = f"camera {event.camera} cannot be trusted; {event.evidence.reason}"
        return (_review(case, "camera_sick", reason),)
    if not baskets:
        return (_review(case, "no_shopper", case.attribution),)
    if len(baskets) == 1 and _came_after(event, baskets[0]):
        return (_review(case, "after_leaving", f"session {case.sessions[0]} had closed before"),)
    return _put_back(case) if event.kind == "put_back" else _taken(case)


def _taken(case: _Case) -> tuple[Entry, ...]:
    event, sku = case.event, case.event.sku
    if len(case.sessions) > 1:
        return (_review(case, "several_shoppers", case.attribution),)
    reason = event.evidence.reason
    if event.outcome == "review" or sku is None:
        told = _told_when_put_there(case)
        if told is None and event.certain and sku is not None and _has_price(case, sku):
            return _certain_of(case, sku)
        if told is None:
            why: ReviewWhy = "low_confidence" if case.skus else "unknown_product"
            return (_review(case, why, reason),)
        sku, reason = told, f"{reason}; it was told to be {told} when it was put there"
    if not _has_price(case, sku):
        return (_review(case, "unknown_product", f"the catalogue has no price of {sku}"),)
    return (_charged(case, event.event_id, sku, event.quantity, reason),)


def _has_price(case: _Case, sku: str) -> bool:
    return case.sellable is None or sku in case.sellable


def _certain_of(case: _Case, sku: str) -> tuple[Entry, ...]:
    """A take whose number is in doubt: what it was at least is charged, the rest is asked about."""
    event, reason = case.event, case.event.evidence.reason
    charged = _charged(case, f"{event.event_id}:certain", sku, event.certain, reason)
    return charged, _review(case, "low_confidence", f"{reason}; {event.certain} charged already")


def _charged(case: _Case, line_id: str, sku: str, quantity: int, reason: str) -> LineCharged:
    event = case.event
    return LineCharged(
        entry_id=f"{line_id}:charged",
        captured_at_s=event.ended_at_s,
        wall_time_s=case.wall_time_s,
        line_id=line_id,
        session_id=case.sessions[0],
        event_id=event.event_id,
        sku=sku,
        quantity=quantity,
        reviewer=None,
        reason=f"{reason}; {case.attribution}",
    )


def _told_when_put_there(case: _Case) -> str | None:
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


def _told_to_be(shop: Shop, put_back: InteractionEvent) -> str | None:
    """What somebody said a doubtful put-back was of, or else what alone it can have released."""
    review = shop.reviews.get(put_back.event_id)
    if review is not None:
        return None if review.settlement is None else review.settlement.sku
    released = {
        line.sku
        for session in shop.interactions[put_back.event_id].sessions
        for line in shop.baskets[session].lines
        if line.released and line.sku in _plausible_skus(put_back)
    }
    return released.pop() if len(released) == 1 else None


def _put_back(case: _Case) -> tuple[Entry, ...]:
    staff = [each for each in case.sessions if _is_staff(case.shop, each)]
    skus, holders = _plausible_skus(case.event), _holders(case)
    if staff and not holders and case.event.outcome == "accept" and skus:
        return _restocked(case, staff[0])
    if staff:
        # Staff can put anything there, so what shoppers hold settles nothing.
        return (_review(case, "several_shoppers", case.attribution),)
    if len(holders) == 1:
        return _released(case, *holders[0])
    likeliest = _likeliest_held(case, [sku for _, sku in holders])
    if likeliest is not None:
        return _released(case, case.sessions[0], likeliest)
    if not holders and skus:
        return _of_nobody(case, skus)
    if len({session for session, _ in holders}) > 1 or len(case.sessions) > 1:
        return (_review(case, "several_shoppers", case.attribution),)
    why: ReviewWhy = "low_confidence" if skus else "unknown_product"
    return (_review(case, why, case.event.evidence.reason),)


def _holders(case: _Case) -> list[tuple[str, str]]:
    """Which shoppers can hold which of the products that it may well have been about."""
    return [
        (session, sku)
        for session in case.sessions
        for sku in _plausible_skus(case.event)
        if not _is_staff(case.shop, session) and _can_hold(case.shop, session, sku)
    ]


def _like_what_they_hold(case: _Case) -> tuple[Entry, ...]:
    """What is told to be none of the shop's, where one who put it there holds what it is like.

    A piece that lies on its side, or half behind another, is like itself only a little.
    """
    if case.event.kind != "put_back":
        return ()
    held = dict.fromkeys(sku for _, sku in _holders(case))
    if not held:
        return ()
    reason = f"{case.event.evidence.reason}; but whoever put it there has {' and '.join(held)}"
    return (_review(case, "low_confidence", reason),)


def _of_nobody(case: _Case, skus: tuple[str, ...]) -> tuple[Entry, ...]:
    """A put-back of what nobody who was near can hold.

    It looked as much like something that one of them does hold; or it was unsure in the first
    place and like nothing that they have: then it is no piece of the shop's, but was brought along.
    """
    shares = {each.sku: each.share for each in case.event.candidates}
    held = [
        (session, sku)
        for session in case.sessions
        for sku in shares
        if _can_hold(case.shop, session, sku)
    ]
    likely = [each for each in held if shares[each[1]] >= _NEARLY_AS_LIKELY * max(shares.values())]
    if len(likely) == 1:
        return _released(case, *likely[0])
    names = " or ".join(skus)
    review = _review(case, "not_taken", f"nobody who was near holds {names}")
    if held or case.event.outcome == "accept":
        return (review,)
    why = "nobody who was near holds anything that it looks like"
    return review, _settled(case, review.review_id, BROUGHT_ALONG, why)


def _likeliest_held(case: _Case, skus: Sequence[str]) -> str | None:
    """What one session put back of the products that it can hold, where one is clearly likelier.

    What it looks like as well, but cannot be, is no reason to ask.
    """
    shares = {each.sku: each.share for each in case.event.candidates if each.sku in skus}
    ranked = sorted(shares.items(), key=lambda each: -each[1])
    if len(case.sessions) > 1 or len(ranked) < 2 or len(ranked) < len(skus):
        return None
    (best, share), (_, next_share) = ranked[:2]
    return best if share >= _CLEARLY_LIKELIER * next_share else None


def _released(case: _Case, session: str, sku: str) -> tuple[Entry, ...]:
    """Release what the session holds of it, then what waits for review; the rest is in doubt."""
    event, left = case.event, case.event.quantity
    entries: list[Entry] = []
    reason = f"{session} alone can have put back {sku}; {event.evidence.reason}"
    for line, pieces in case.shop.baskets[session].newest(sku, event.quantity):
        left -= pieces
        entries.append(
            LineReleased(
                entry_id=f"{event.event_id}:released:{line.line_id}",
                captured_at_s=event.ended_at_s,
                wall_time_s=case.wall_time_s,
                line_id=line.line_id,
                session_id=session,
                event_id=event.event_id,
                quantity=pieces,
                reviewer=None,
                reason=reason,
            )
        )
    takes = _takes_in_review(case.shop, session, sku)
    for review in reversed(takes):
        # Only a review that concerns no other shopper and is wholly explained may end without a
        # person: that it was staff who took the piece leaves none to put back.
        others = [each for each in review.sessions if each != session]
        concerned = [each for each in others if not _is_staff(case.shop, each)]
        theirs = not concerned or (len(takes) == 1 and _can_only_be(review, case, sku))
        in_question = review.quantity - case.shop.baskets[session].charged_for(review.event)
        if left and theirs and in_question <= left:
            left -= max(0, in_question)
            why = f"put back as event {event.event_id} shows"
            entries.append(_settled(case, review.review_id, BY_RULE, why))
    if left:
        entries.append(
            _review(
                case,
                "not_taken",
                f"{session} is not known to hold that many {sku}",
                left,
                (session,),
            )
        )
    return tuple(entries)


def _settled(case: _Case, review_id: str, rule: str, reason: str) -> ReviewSettled:
    """That a review needs no person, by a rule: it was of nothing that anybody has."""
    return ReviewSettled(
        entry_id=f"{review_id}:settled",
        captured_at_s=case.event.ended_at_s,
        wall_time_s=case.wall_time_s,
        review_id=review_id,
        reviewer=rule,
        sku=None,
        session_id=None,
        quantity=0,
        reason=reason,
    )


def _can_only_be(take: Review, case: _Case, sku: str) -> bool:
    """Whether the put-back shows whose take it was: what it was and who put it back is clear."""
    events = (take.event, case.event)
    return len(case.sessions) == 1 and all(
        each.outcome == "accept" and each.sku == sku for each in events
    )


def _restocked(case: _Case, session: str) -> tuple[Entry, ...]:
    event = case.event
    if event.outcome != "accept" or event.sku is None:
        return ()
    return (
        StaffRestocked(
            entry_id=f"{event.event_id}:restocked",
            captured_at_s=event.ended_at_s,
            wall_time_s=case.wall_time_s,
            event_id=event.event_id,
            session_id=session,
            interaction=event.kind,
            fixture=event.fixture,
            facing=event.facing,
            sku=event.sku,
            quantity=event.quantity,
        ),
    )


def _review(
    case: _Case,
    why: ReviewWhy,
    reason: str,
    quantity: int | None = None,
    sessions: tuple[str, ...] | None = None,
) -> ReviewOpened:
    event = case.event
    return ReviewOpened(
        entry_id=f"{event.event_id}:review",
        captured_at_s=event.ended_at_s,
        wall_time_s=case.wall_time_s,
        review_id=event.event_id,
        event_id=event.event_id,
        why=why,
        interaction=event.kind,
        quantity=event.quantity if quantity is None else quantity,
        skus=case.skus,
        sessions=case.sessions if sessions is None else sessions,
        reason=reason,
    )


def _plausible_skus(event: InteractionEvent) -> tuple[str, ...]:
    """Products it may well have been about, likeliest first."""
    skus = _skus(event)
    if event.outcome == "accept":
        return skus
    shares = {each.sku: each.share for each in event.candidates}
    return tuple(sku for sku in skus if sku == event.sku or shares[sku] >= _PLAUSIBLE_SHARE)


def _is_staff(shop: Shop, session: str) -> bool:
    return shop.baskets[session].role == "staff"


def _can_hold(shop: Shop, session: str, sku: str) -> bool:
    return shop.baskets[session].held(sku) > 0 or bool(_takes_in_review(shop, session, sku))


def _takes_in_review(shop: Shop, session: str, sku: str) -> tuple[Review, ...]:
    """Open reviews of takes that may have brought the product to the session."""
    return tuple(
        review
        for review in shop.open_reviews(session)
        if review.event.kind == "take" and (not review.skus or sku in review.skus)
    )


def _came_after(event: InteractionEvent, basket: Basket) -> bool:
    return basket.closed_at is not None and event.started_at_s > basket.closed_at.captured_at_s
