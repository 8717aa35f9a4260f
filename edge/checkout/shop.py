"""Entries of the ledger become the state of the shop: sessions, baskets, reviews, receipts. Pure.

Owns what entries mean together. The state is always what the ledger says and nothing more: folding
all entries after a restart gives what folding them one by one gave before. Entries that contradict
those before them are refused, so a state that exists is a state that holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from edge.checkout.basket import Basket, Line, Member, Review, Settlement
from edge.checkout.entries import (
    DisputeOpened,
    DisputeSettled,
    Entry,
    InteractionRecorded,
    LineCharged,
    LineReleased,
    MemberLeft,
    ReceiptIssued,
    RefundIssued,
    ReviewOpened,
    ReviewSettled,
    SessionClosed,
    SessionJoined,
    SessionOpened,
    StaffRestocked,
)
from edge.checkout.receipt import Receipt
from edge.errors import CheckoutError

_T = TypeVar("_T")


@dataclass(frozen=True)
class Dispute:
    """A shopper's objection to a line.

    Attributes:
        opened: What the shopper says.
        settled: How it ended; ``None`` while open.
    """

    opened: DisputeOpened
    settled: DisputeSettled | None = None


@dataclass(frozen=True)
class Shop:
    """Everything the ledger says, ready to be asked.

    Attributes:
        baskets: By session, in the order of opening.
        session_of_member: Session by check-in.
        interactions: What was recorded of each event.
        reviews: By id, open and settled.
        line_sessions: Session by line.
        receipts: All versions by session, ascending.
        refunds: By id.
        disputes: By id.
        restocked: What staff did at the fixtures, in order.
    """

    baskets: Mapping[str, Basket] = field(default_factory=dict)
    session_of_member: Mapping[str, str] = field(default_factory=dict)
    interactions: Mapping[str, InteractionRecorded] = field(default_factory=dict)
    reviews: Mapping[str, Review] = field(default_factory=dict)
    line_sessions: Mapping[str, str] = field(default_factory=dict)
    receipts: Mapping[str, tuple[Receipt, ...]] = field(default_factory=dict)
    refunds: Mapping[str, RefundIssued] = field(default_factory=dict)
    disputes: Mapping[str, Dispute] = field(default_factory=dict)
    restocked: tuple[StaffRestocked, ...] = ()

    def basket(self, session_id: str) -> Basket:
        """A session's basket.

        Raises:
            CheckoutError: There is no such session.
        """
        try:
            return self.baskets[session_id]
        except KeyError:
            raise CheckoutError(
                f"there is no session {session_id}; record its check-in first"
            ) from None

    def sessions_of(self, names: Iterable[str]) -> tuple[str, ...]:
        """The sessions of sessions and members, each once: a group is one, whoever it was.

        Raises:
            CheckoutError: Nobody checked in under one of the names.
        """
        sessions: dict[str, None] = {}
        for name in names:
            session = name if name in self.baskets else self.session_of_member.get(name)
            if session is None:
                raise CheckoutError(f"nobody checked in as {name}; record the check-in first")
            sessions[session] = None
        return tuple(sessions)

    def line(self, line_id: str) -> Line:
        """A line of a basket.

        Raises:
            CheckoutError: There is no such line.
        """
        session = self.line_sessions.get(line_id)
        if session is None:
            raise CheckoutError(f"there is no line {line_id}; take its id from a basket or receipt")
        return next(line for line in self.baskets[session].lines if line.line_id == line_id)

    def review(self, review_id: str) -> Review:
        """A review, open or settled.

        Raises:
            CheckoutError: There is no such review.
        """
        try:
            return self.reviews[review_id]
        except KeyError:
            raise CheckoutError(f"there is no review {review_id}") from None

    def open_reviews(self, session_id: str | None = None) -> tuple[Review, ...]:
        """Reviews that wait for a person, oldest first.

        Args:
            session_id: Only those that may concern this session.
        """
        return tuple(
            review
            for review in self.reviews.values()
            if review.settlement is None and (session_id is None or session_id in review.sessions)
        )

    def open_baskets(self) -> tuple[Basket, ...]:
        """Baskets of sessions that go on, in the order of opening."""
        return tuple(basket for basket in self.baskets.values() if basket.is_open)

    def latest_receipt(self, session_id: str) -> Receipt | None:
        """The newest version of a session's receipt; ``None`` before the first."""
        versions = self.receipts.get(session_id, ())
        return versions[-1] if versions else None


EMPTY_SHOP: Final = Shop()


def fold(entries: Iterable[Entry], shop: Shop = EMPTY_SHOP) -> Shop:
    """The state after further entries.

    Args:
        entries: In the order of the ledger.
        shop: The state before them; it stays as it is.

    Raises:
        CheckoutError: An entry contradicts those before it.
    """
    state = _Unfinished(shop)
    for entry in entries:
        state.add(entry)
    return state.finished()


class _Unfinished:
    """A shop that entries are being added to; copied once a fold, not once an entry."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.baskets = dict(shop.baskets)
        self.members = dict(shop.session_of_member)
        self.interactions = dict(shop.interactions)
        self.reviews = dict(shop.reviews)
        self.line_sessions = dict(shop.line_sessions)
        self.receipts = dict(shop.receipts)
        self.refunds = dict(shop.refunds)
        self.disputes = dict(shop.disputes)
        self.restocked: list[StaffRestocked] = []

    def finished(self) -> Shop:
        return Shop(
            self.baskets,
            self.members,
            self.interactions,
            self.reviews,
            self.line_sessions,
            self.receipts,
            self.refunds,
            self.disputes,
            (*self.shop.restocked, *self.restocked),
        )

    def add(self, entry: Entry) -> None:
        if isinstance(entry, SessionOpened | SessionJoined | MemberLeft | SessionClosed):
            self._add_coming_and_going(entry)
        elif isinstance(entry, LineCharged | LineReleased | RefundIssued):
            self._add_to_lines(entry)
        elif isinstance(entry, ReviewOpened | ReviewSettled):
            self._add_to_reviews(entry)
        elif isinstance(entry, InteractionRecorded):
            self.interactions[entry.event.event_id] = entry
        elif isinstance(entry, ReceiptIssued):
            self.receipts[entry.session_id] = (
                *self.receipts.get(entry.session_id, ()),
                entry.receipt,
            )
        elif isinstance(entry, DisputeOpened):
            self.disputes[entry.dispute_id] = Dispute(entry)
        elif isinstance(entry, DisputeSettled):
            dispute = _known(self.disputes, entry.dispute_id, entry)
            self.disputes[entry.dispute_id] = replace(dispute, settled=entry)
        else:
            self.restocked.append(entry)

    def _add_coming_and_going(
        self, entry: SessionOpened | SessionJoined | MemberLeft | SessionClosed
    ) -> None:
        session = entry.session_id
        if isinstance(entry, SessionOpened):
            if session in self.baskets or entry.checkin_id in self.members:
                raise _contradiction(entry, f"{entry.checkin_id} has checked in before")
            member = Member(entry.checkin_id, entry.shopper, entry.token_hash, entry.at)
            self.baskets[session] = Basket(session, entry.role, (member,), entry.at)
            self.members[entry.checkin_id] = session
            return
        basket = _known(self.baskets, session, entry)
        if not basket.is_open:
            raise _contradiction(entry, f"session {session} is closed")
        if isinstance(entry, SessionJoined):
            member = Member(entry.checkin_id, entry.shopper, entry.token_hash, entry.at)
            self.members[entry.checkin_id] = session
            basket = replace(basket, members=(*basket.members, member))
        elif isinstance(entry, MemberLeft):
            basket = replace(
                basket,
                members=tuple(
                    replace(member, left_at=entry.at)
                    if member.checkin_id == entry.checkin_id
                    else member
                    for member in basket.members
                ),
            )
        else:
            basket = replace(basket, closed_at=entry.at, closed_by=entry.closed_by)
        self.baskets[session] = basket

    def _add_to_lines(self, entry: LineCharged | LineReleased | RefundIssued) -> None:
        basket = _known(self.baskets, entry.session_id, entry)
        if isinstance(entry, LineCharged):
            line = Line(
                line_id=entry.line_id,
                session_id=entry.session_id,
                sku=entry.sku,
                quantity=entry.quantity,
                released=0,
                refunded=0,
                charged_at=entry.at,
                event=_known(self.interactions, entry.event_id, entry).event,
                reviewer=entry.reviewer,
                reason=entry.reason,
            )
            self.line_sessions[line.line_id] = basket.session_id
            self.baskets[basket.session_id] = replace(basket, lines=(*basket.lines, line))
            return
        if self.line_sessions.get(entry.line_id) != entry.session_id:
            raise _contradiction(entry, f"session {entry.session_id} has no line {entry.line_id}")
        self.baskets[basket.session_id] = replace(
            basket,
            lines=tuple(
                _reduced(line, entry) if line.line_id == entry.line_id else line
                for line in basket.lines
            ),
        )
        if isinstance(entry, RefundIssued):
            self.refunds[entry.refund_id] = entry

    def _add_to_reviews(self, entry: ReviewOpened | ReviewSettled) -> None:
        if isinstance(entry, ReviewOpened):
            self.reviews[entry.review_id] = Review(
                review_id=entry.review_id,
                why=entry.why,
                event=_known(self.interactions, entry.event_id, entry).event,
                quantity=entry.quantity,
                skus=entry.skus,
                sessions=entry.sessions,
                reason=entry.reason,
                opened_at=entry.at,
            )
            return
        review = _known(self.reviews, entry.review_id, entry)
        self.reviews[entry.review_id] = replace(
            review,
            settlement=Settlement(
                reviewer=entry.reviewer,
                sku=entry.sku,
                session_id=entry.session_id,
                quantity=entry.quantity,
                reason=entry.reason,
                settled_at=entry.at,
            ),
        )


def _reduced(line: Line, entry: LineReleased | RefundIssued) -> Line:
    if entry.quantity > line.pieces:
        raise _contradiction(
            entry, f"line {line.line_id} has {line.pieces} pieces, not {entry.quantity}"
        )
    if isinstance(entry, LineReleased):
        return replace(line, released=line.released + entry.quantity)
    return replace(line, refunded=line.refunded + entry.quantity)


def _known(values: Mapping[str, _T], name: str, entry: Entry) -> _T:
    try:
        return values[name]
    except KeyError:
        raise _contradiction(entry, f"nothing before it speaks of {name}") from None


def _contradiction(entry: Entry, why: str) -> CheckoutError:
    return CheckoutError(f"entry {entry.entry_id} contradicts those before it: {why}")
