"""Every line of a receipt that is wrong, with the events behind it and why it went wrong. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edge.checkout.basket import Line
from edge.checkout.shop import Shop
from edge.events import InteractionEvent
from edge.score.matchup import Matchup, direction
from edge.score.scoreboard import charged_baskets
from edge.score.truth import TrueInteraction, Truth

MistakeKind = Literal["wrongly_charged", "missed"]


@dataclass(frozen=True)
class Cause:
    """One reason why a line is wrong.

    Attributes:
        reason: In words.
        event_id: The event it is about; ``None`` when nothing was seen.
        said: What the device said about the event.
        crops: Its pictures.
    """

    reason: str
    event_id: str | None = None
    said: str = ""
    crops: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mistake:
    """A wrong line.

    Attributes:
        kind: Too much was charged, or too little.
        session_id: Whose receipt.
        sku: The product.
        charged: Pieces on the receipt.
        carried_out: Pieces that should be.
        causes: Why, as far as events and truth tell.
    """

    kind: MistakeKind
    session_id: str
    sku: str
    charged: int
    carried_out: int
    causes: tuple[Cause, ...]


def find_mistakes(shop: Shop, truth: Truth, matchup: Matchup) -> tuple[Mistake, ...]:
    """All wrong lines of a shop, by session and product.

    Args:
        shop: Its ledger, folded.
        truth: What really happened.
        matchup: Which event shows what.
    """
    charged, owed = charged_baskets(shop, truth), truth.receipts()
    found = []
    for session in sorted(charged.keys() | owed.keys()):
        has, should = charged.get(session, Counter()), owed.get(session, Counter())
        for sku in sorted(has.keys() | should.keys()):
            if has[sku] == should[sku]:
                continue
            search = _Search(shop, truth, matchup, session, sku)
            too_much = has[sku] > should[sku]
            causes = search.why_charged() if too_much else search.why_missed()
            found.append(
                Mistake(
                    kind="wrongly_charged" if too_much else "missed",
                    session_id=session,
                    sku=sku,
                    charged=has[sku],
                    carried_out=should[sku],
                    causes=tuple(causes) or (Cause("neither events nor truth explain it"),),
                )
            )
    return tuple(found)


@dataclass(frozen=True)
class _Search:
    shop: Shop
    truth: Truth
    matchup: Matchup
    session: str
    sku: str

    def why_charged(self) -> list[Cause]:
        causes = []
        for line in self._lines():
            true = self.matchup.of_event(line.event.event_id)
            said = f"{line.reason} ({line.event.outcome})"
            reason = self._why_wrong(line, true)
            if reason:
                causes.append(_cause(reason, line.event, said))
        for true, events in self._own("put_back"):
            causes += self._why_not_settled(true, events)
        return causes

    def why_missed(self) -> list[Cause]:
        causes = []
        for true, events in self._own("take"):
            causes += self._why_not_settled(true, events)
        for line in self.shop.baskets[self.session].lines if self._known() else ():
            if line.sku == self.sku and line.released:
                causes.append(
                    _cause(f"{line.released} released as put back", line.event, line.reason)
                )
        causes += self._why_kept_off()
        if not self._known() or self.shop.latest_receipt(self.session) is None:
            causes.append(Cause("the session has no receipt"))
        return causes

    def _why_kept_off(self) -> Iterator[Cause]:
        if not self._known():
            return
        basket = self.shop.baskets[self.session]
        for review in self.shop.open_reviews(self.session):
            for line_id, pieces in basket.kept_off([review]).items():
                if self.shop.line(line_id).sku == self.sku:
                    reason = f"{pieces} kept off: in review whether put back, {review.why}"
                    yield _cause(reason, review.event, review.reason)

    def _known(self) -> bool:
        return self.session in self.shop.baskets

    def _lines(self) -> list[Line]:
        if not self._known():
            return []
        return [
            line
            for line in self.shop.baskets[self.session].lines
            if line.sku == self.sku and line.pieces
        ]

    def _why_wrong(self, line: Line, true: TrueInteraction | None) -> str:
        if true is None:
            return "nothing was taken there then"
        whose = self.truth.group_of(true.shopper)
        what = true.sku or "an object that the shop does not sell"
        if true.sku != self.sku:
            return f"it was {what}, taken as {self.sku}"
        if whose != self.session:
            return f"right product, wrong shopper: {true.shopper} took it"
        if line.quantity > true.quantity:
            return f"{line.quantity} pieces were charged and {true.quantity} taken"
        return ""

    def _own(self, kind: str) -> list[tuple[TrueInteraction, list[InteractionEvent]]]:
        """What the session's members truly did with the product, and the events that show it."""
        return [
            (true, [self.matchup.events[column] for column in columns])
            for true, columns in zip(self.matchup.interactions, self.matchup.events_of, strict=True)
            if true.sku == self.sku
            and direction(true) == kind
            and self.truth.group_of(true.shopper) == self.session
        ]

    def _why_not_settled(
        self, true: TrueInteraction, events: list[InteractionEvent]
    ) -> list[Cause]:
        where = f"{true.behaviour} at {true.facing or true.fixture}, {true.started_at_s:.1f} s"
        if not events:
            return [Cause(f"{where}: no camera saw it")]
        causes = []
        for event in events:
            recorded = self.shop.interactions[event.event_id]
            review = self.shop.reviews.get(event.event_id)
            said = f"{event.evidence.reason}; {recorded.attribution}"
            if review is not None and review.settlement is None:
                causes.append(_cause(f"{where}: in review, {review.why}", event, said))
            elif event.sku != self.sku:
                causes.append(_cause(f"{where}: taken for {event.sku}", event, said))
            elif self.session not in recorded.sessions:
                whose = ", ".join(recorded.sessions) or "nobody"
                causes.append(_cause(f"{where}: attributed to {whose}", event, said))
            elif sum(each.quantity for each in events) != true.quantity:
                pieces = f"{event.quantity} of {true.quantity} pieces were seen"
                causes.append(_cause(f"{where}: {pieces}", event, said))
        return causes


def _cause(reason: str, event: InteractionEvent, said: str) -> Cause:
    return Cause(reason, event.event_id, said, event.evidence.crops)
