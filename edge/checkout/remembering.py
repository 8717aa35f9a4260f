"""What the desk still remembers of days long gone. Pure.

Owns what may be forgotten. The ledger forgets nothing; this is about the state that is folded from
it and held in memory, which would grow for as long as the shop is open. What nobody can judge any
more, because its pictures are deleted, need not be at hand either.
"""

from __future__ import annotations

from typing import Final

from edge.checkout.basket import Basket
from edge.checkout.shop import Shop

# Events of whoever left just now may still come, whatever the clock on the wall shows.
_JUST_NOW_S: Final = 3600.0


def remembered(shop: Shop, before_wall_s: float, now_s: float) -> Shop:
    """The state without visits that ended long ago and of which nothing is open.

    Args:
        shop: The state.
        before_wall_s: What ended before this moment, seconds since 1970, is forgotten.
        now_s: The clock of frames; what ended within the last hour on it is kept.
    """
    asked = {name for review in shop.open_reviews() for name in review.sessions}
    asked |= {each.opened.session_id for each in shop.disputes.values() if each.settled is None}
    sessions = {
        name
        for name, basket in shop.baskets.items()
        if name in asked or not _is_long_gone(basket, before_wall_s, now_s)
    }
    open_events = {review.event.event_id for review in shop.open_reviews()}
    interactions = {
        name: each
        for name, each in shop.interactions.items()
        if each.wall_time_s >= before_wall_s
        or name in open_events
        or not sessions.isdisjoint(each.sessions)
    }
    reviews = {
        name: each for name, each in shop.reviews.items() if each.event.event_id in interactions
    }
    # Whoever is named by what is kept is kept too.
    sessions |= {name for each in interactions.values() for name in each.sessions}
    sessions |= {name for each in reviews.values() for name in each.sessions}
    return Shop(
        baskets={name: each for name, each in shop.baskets.items() if name in sessions},
        session_of_member={
            member: name for member, name in shop.session_of_member.items() if name in sessions
        },
        interactions=interactions,
        reviews=reviews,
        line_sessions={line: name for line, name in shop.line_sessions.items() if name in sessions},
        receipts={name: each for name, each in shop.receipts.items() if name in sessions},
        refunds={name: each for name, each in shop.refunds.items() if each.session_id in sessions},
        disputes={
            name: each for name, each in shop.disputes.items() if each.opened.session_id in sessions
        },
        restocked=tuple(each for each in shop.restocked if each.wall_time_s >= before_wall_s),
    )


def _is_long_gone(basket: Basket, before_wall_s: float, now_s: float) -> bool:
    closed_at = basket.closed_at
    if closed_at is None or closed_at.wall_time_s >= before_wall_s:
        return False
    return not 0 <= now_s - closed_at.captured_at_s <= _JUST_NOW_S
