"""An interaction event that has to be decided, and the entries that a decision can make. Pure.

Owns how entries of the ledger about an event are named and dated, not which of them are made.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from edge.checkout.basket import ReviewWhy, possible_skus
from edge.checkout.entries import (
    Entry,
    LineCharged,
    LineReleased,
    ReviewOpened,
    ReviewSettled,
    StaffRestocked,
)
from edge.checkout.shop import Shop
from edge.events import InteractionEvent


@dataclass(frozen=True)
class Case:
    """An event and all that its entries have in common.

    Attributes:
        event: What was seen.
        sessions: Which sessions may have done it.
        attribution: Why these, in words.
        shop: The state before it.
        wall_time_s: Wall time of its entries.
        sellable: SKUs that have a price; ``None`` is all.
    """

    event: InteractionEvent
    sessions: tuple[str, ...]
    attribution: str
    shop: Shop
    wall_time_s: float
    sellable: Container[str] | None

    @property
    def skus(self) -> tuple[str, ...]:
        """Products it may have been about, likeliest first."""
        return possible_skus(self.event)

    def charged(
        self, line_id: str, sku: str, quantity: int, reason: str, session: str | None = None
    ) -> LineCharged:
        """That pieces are charged to a session, the only one when left out."""
        event = self.event
        return LineCharged(
            entry_id=f"{line_id}:charged",
            captured_at_s=event.ended_at_s,
            wall_time_s=self.wall_time_s,
            line_id=line_id,
            session_id=session or self.sessions[0],
            event_id=event.event_id,
            sku=sku,
            quantity=quantity,
            reviewer=None,
            reason=f"{reason}; {self.attribution}",
        )

    def released(self, line_id: str, session: str, pieces: int, reason: str) -> LineReleased:
        """That pieces of a line have come back."""
        event = self.event
        return LineReleased(
            entry_id=f"{event.event_id}:released:{line_id}",
            captured_at_s=event.ended_at_s,
            wall_time_s=self.wall_time_s,
            line_id=line_id,
            session_id=session,
            event_id=event.event_id,
            quantity=pieces,
            reviewer=None,
            reason=reason,
        )

    def settled(self, review_id: str, rule: str, reason: str) -> ReviewSettled:
        """That a review needs no person, by a rule: it was of nothing that anybody has."""
        return ReviewSettled(
            entry_id=f"{review_id}:settled",
            captured_at_s=self.event.ended_at_s,
            wall_time_s=self.wall_time_s,
            review_id=review_id,
            reviewer=rule,
            sku=None,
            session_id=None,
            quantity=0,
            reason=reason,
        )

    def restocked(self, session: str) -> tuple[Entry, ...]:
        """That staff did it, where it is clear what it was of; none else."""
        event = self.event
        if event.outcome != "accept" or event.sku is None:
            return ()
        return (
            StaffRestocked(
                entry_id=f"{event.event_id}:restocked",
                captured_at_s=event.ended_at_s,
                wall_time_s=self.wall_time_s,
                event_id=event.event_id,
                session_id=session,
                interaction=event.kind,
                fixture=event.fixture,
                facing=event.facing,
                sku=event.sku,
                quantity=event.quantity,
            ),
        )

    def asked(
        self,
        why: ReviewWhy,
        reason: str,
        quantity: int | None = None,
        sessions: tuple[str, ...] | None = None,
    ) -> ReviewOpened:
        """That a person is asked, of all pieces and sessions when left out."""
        event = self.event
        return ReviewOpened(
            entry_id=f"{event.event_id}:review",
            captured_at_s=event.ended_at_s,
            wall_time_s=self.wall_time_s,
            review_id=event.event_id,
            event_id=event.event_id,
            why=why,
            interaction=event.kind,
            quantity=event.quantity if quantity is None else quantity,
            skus=self.skus,
            sessions=self.sessions if sessions is None else sessions,
            reason=reason,
        )
