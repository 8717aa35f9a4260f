"""What a put-back means: whose it was, and of what. Pure.

A put-back adds something to what the cameras say: only what a session holds can come back from it.
So where one session alone can hold the product, or a session can hold one of the candidates alone,
that settles whose or what it was. "Can hold" counts lines and open reviews alike. And who alone put
back what they can only have from a take that several may have done, did take it. What shoppers put
back and nobody can hold goes to review and never makes a line negative; where staff stood
beside them it was restocked, as no receipt depends on it; where it was unsure in the first place
and they hold nothing like it, they brought it along. What is told to be none of the shop's is asked
about where they hold what it is like at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edge.checkout.basket import Review, ReviewWhy, plausible_skus
from edge.checkout.case import Case
from edge.checkout.entries import Entry
from edge.checkout.shop import Shop

_CLEARLY_LIKELIER: Final = 1.25
_NEARLY_AS_LIKELY: Final = 0.7
_OF_NO_LINE: Final = ("not_taken", "no_shopper")
RULES: Final = "rule: "  # begins the name of every reviewer who is none
BY_RULE: Final = f"{RULES}put back"
BROUGHT_ALONG: Final = f"{RULES}brought along"


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


def put_back(case: Case) -> tuple[Entry, ...]:
    """What a put-back of something that the shop sells, or may sell, leads to."""
    staff = [each for each in case.sessions if _is_staff(case.shop, each)]
    skus, holders = plausible_skus(case.event), _holders(case)
    if staff and not holders and case.event.outcome == "accept" and skus:
        return case.restocked(staff[0])
    if staff:
        # Staff can put anything there, so what shoppers hold settles nothing.
        return (case.asked("several_shoppers", case.attribution),)
    if len(holders) == 1:
        return _released(case, *holders[0])
    likeliest = _likeliest_held(case, [sku for _, sku in holders])
    if likeliest is not None:
        return _released(case, case.sessions[0], likeliest)
    if not holders and skus:
        return _of_nobody(case, skus)
    if len({session for session, _ in holders}) > 1 or len(case.sessions) > 1:
        return (case.asked("several_shoppers", case.attribution),)
    why: ReviewWhy = "low_confidence" if skus else "unknown_product"
    return (case.asked(why, case.event.evidence.reason),)


def like_what_they_hold(case: Case) -> tuple[Entry, ...]:
    """What is told to be none of the shop's, where one who put it there holds what it is like.

    A piece that lies on its side, or half behind another, is like itself only a little.
    """
    if case.event.kind != "put_back":
        return ()
    held = dict.fromkeys(sku for _, sku in _holders(case))
    if not held:
        return ()
    reason = f"{case.event.evidence.reason}; but whoever put it there has {' and '.join(held)}"
    return (case.asked("low_confidence", reason),)


def _holders(case: Case) -> list[tuple[str, str]]:
    """Which shoppers can hold which of the products that it may well have been about."""
    return [
        (session, sku)
        for session in case.sessions
        for sku in plausible_skus(case.event)
        if not _is_staff(case.shop, session) and _can_hold(case.shop, session, sku)
    ]


def _of_nobody(case: Case, skus: tuple[str, ...]) -> tuple[Entry, ...]:
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
    review = case.asked("not_taken", f"nobody who was near holds {names}")
    if held or case.event.outcome == "accept":
        return (review,)
    why = "nobody who was near holds anything that it looks like"
    return review, case.settled(review.review_id, BROUGHT_ALONG, why)


def _likeliest_held(case: Case, skus: Sequence[str]) -> str | None:
    """What one session put back of the products that it can hold, where one is clearly likelier.

    What it looks like as well, but cannot be, is no reason to ask.
    """
    shares = {each.sku: each.share for each in case.event.candidates if each.sku in skus}
    ranked = sorted(shares.items(), key=lambda each: -each[1])
    if len(case.sessions) > 1 or len(ranked) < 2 or len(ranked) < len(skus):
        return None
    (best, share), (_, next_share) = ranked[:2]
    return best if share >= _CLEARLY_LIKELIER * next_share else None


def _released(case: Case, session: str, sku: str) -> tuple[Entry, ...]:
    """Release what the session holds of it, then what waits for review; the rest is in doubt."""
    event, left = case.event, case.event.quantity
    entries: list[Entry] = []
    reason = f"{session} alone can have put back {sku}; {event.evidence.reason}"
    for line, pieces in case.shop.baskets[session].newest(sku, event.quantity):
        left -= pieces
        entries.append(case.released(line.line_id, session, pieces, reason))
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
            entries.append(case.settled(review.review_id, BY_RULE, why))
    if left:
        entries.append(
            case.asked(
                "not_taken",
                f"{session} is not known to hold that many {sku}",
                left,
                (session,),
            )
        )
    return tuple(entries)


def _can_only_be(take: Review, case: Case, sku: str) -> bool:
    """Whether the put-back shows whose take it was: what it was and who put it back is clear."""
    events = (take.event, case.event)
    return len(case.sessions) == 1 and all(
        each.outcome == "accept" and each.sku == sku for each in events
    )


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
