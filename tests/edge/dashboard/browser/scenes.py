"""Things that happen in a shop while somebody looks: said at its desk, as shelves say them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge.checkout.basket import Attribution, Moment
from edge.events import Candidate, InteractionEvent
from tests.edge.dashboard.serving import Site


def first_event(site: Site) -> InteractionEvent:
    """The first thing that was taken in the recording, with its real pictures."""
    return next(iter(site.store.desk.shop.interactions.values())).event


def ask(site: Site, event_id: str, sessions: Sequence[str], skus: Sequence[str]) -> str:
    """Something is taken that a person has to look at; the id of its review.

    Args:
        site: The shop.
        event_id: Of the event.
        sessions: Who it may have been.
        skus: What it may have been, likeliest first.
    """
    seen = first_event(site)
    event = replace(
        seen,
        event_id=event_id,
        kind="take",
        outcome="review",
        sku=skus[0],
        quantity=1,
        candidates=tuple(
            Candidate(sku, 0.3 + 0.1 * place, 0.6 / (place + 1)) for place, sku in enumerate(skus)
        ),
    )
    desk = site.store.desk
    desk.record(event, Attribution(tuple(sessions), "in reach"), wall_time_s=wall_time_s(site))
    known = [each.review_id for each in desk.shop.open_reviews() if each.event.event_id == event_id]
    assert len(known) == 1, known
    return known[0]


def enter(site: Site, checkin_id: str) -> None:
    """Somebody checks in."""
    site.store.desk.check_in(
        checkin_id,
        token_hash="0" * 64,
        shopper=checkin_id,
        role="shopper",
        at=Moment(site.store.now_s(), wall_time_s(site)),
    )


def wall_time_s(site: Site) -> float:
    """Now, on the shop's clock."""
    return site.store.wall_time_s(site.store.now_s())


def sold(site: Site) -> list[str]:
    """SKUs of the catalogue."""
    return [product.sku for product in site.store.premises.products]
