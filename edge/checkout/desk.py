"""The checkout desk: whoever has something to say about a session says it here.

Owns the one way into the ledger. Every step is worked out by pure rules from the state, written
with the messages it causes in one transaction, and only then becomes the state; a step that could
not be written has not happened. Opening a desk on a ledger is all that recovery is: the state is
folded from the entries, and what the outbox holds goes out again.

Example::

    desk = Desk(Ledger(path, "demo"), terms, catalogue.products, receivers=("till",))
    desk.check_in("c-1", token_hash=..., shopper="shopper-1", role="shopper", at=...)
    desk.record(event, Attribution(("c-1",), "within 0.3 m"), wall_time_s=...)
    desk.leave("c-1", at=...)
    desk.shop.latest_receipt("c-1").total
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Sequence

from pydantic import ValidationError

from calibration.format import first_complaint
from edge.checkout.basket import Attribution, Basket, ClosedBy, Moment, Role
from edge.checkout.charging import entries_for
from edge.checkout.correcting import (
    Verdict,
    open_dispute,
    refund,
    settle_dispute,
    settle_review,
)
from edge.checkout.entries import (
    Entry,
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
)
from edge.checkout.handoff import basket_announcement, receipt_announcement, till_messages
from edge.checkout.ledger import Ledger
from edge.checkout.message import OutgoingMessage, Receiver
from edge.checkout.receipt import Receipt, Terms, check_prices, make_receipt
from edge.checkout.remembering import remembered
from edge.checkout.shop import Shop, fold
from edge.errors import CheckoutError, LedgerConflictError
from edge.events import InteractionEvent
from models.catalogue import Product


class Desk:
    """The checkout of one shop; safe to use from several threads.

    Args:
        ledger: Its ledger; what it says is taken up.
        terms: What the shop charges by.
        products: What it sells.
        receivers: Who is told of receipts (``till`` and ``mqtt``) and baskets (``mqtt``).

    Raises:
        PriceError: A product, or one in an open basket, cannot be charged.
        LedgerDamagedError: The ledger holds what cannot be, or what this version does not know.
    """

    def __init__(
        self,
        ledger: Ledger,
        terms: Terms,
        products: Iterable[Product],
        receivers: Collection[Receiver] = (),
    ) -> None:
        self._products = {product.sku: product for product in products}
        check_prices(self._products.values(), terms.currency)
        self._ledger = ledger
        self._terms = terms
        self._receivers = frozenset(receivers)
        self._shop = fold(ledger.entries())
        self._stepping = threading.Lock()
        for basket in self._shop.open_baskets():
            # A catalogue that lost a product is found now, not when its shopper leaves.
            self.preview(basket.session_id)

    @property
    def shop(self) -> Shop:
        """The state at this moment; it never changes, the next step puts another in its place."""
        return self._shop

    def forget(self, before_wall_s: float, now_s: float) -> int:
        """Let go of visits that ended long ago; the ledger keeps them.

        Args:
            before_wall_s: See ``remembering.remembered``.
            now_s: Likewise.

        Returns:
            How many were forgotten.
        """
        with self._stepping:
            before = len(self._shop.baskets)
            self._shop = remembered(self._shop, before_wall_s, now_s)
            return before - len(self._shop.baskets)

    def name_of(self, sku: str) -> str:
        """What people call a product; one that is no longer sold has only its SKU."""
        product = self._products.get(sku)
        return sku if product is None else product.name

    def preview(self, session_id: str) -> Receipt:
        """What a session's receipt would say if it closed now; nothing is issued.

        Raises:
            CheckoutError: There is no such session.
        """
        return self._receipt_of(self._shop, self._shop.basket(session_id), None)

    def check_in(
        self,
        checkin_id: str,
        *,
        token_hash: str,
        shopper: str,
        role: Role,
        at: Moment,
        group: str | None = None,
    ) -> tuple[Entry, ...]:
        """Somebody checks in, alone or as one of a group that pays together.

        Args:
            checkin_id: Id of the check-in; the same id is the same check-in.
            token_hash: Hash of the token shown; see ``entries.token_hash``.
            shopper: Label for people.
            role: Staff is never charged.
            at: When.
            group: Id of the group, the session's id; ``None`` for whoever comes alone.

        Returns:
            New entries; none when the check-in is known.

        Raises:
            CheckoutError: The group's session has closed, or is of another role.
            LedgerConflictError: The id was used for another check-in.
        """
        session_id = checkin_id if group is None else group

        def entries(shop: Shop) -> tuple[Entry, ...]:
            known = shop.session_of_member.get(checkin_id)
            if known is not None:
                _check_same_check_in(shop.baskets[known], checkin_id, token_hash, session_id)
                return ()
            basket = shop.baskets.get(session_id)
            if basket is None:
                return (
                    SessionOpened(
                        entry_id=f"{checkin_id}:checked-in",
                        captured_at_s=at.captured_at_s,
                        wall_time_s=at.wall_time_s,
                        session_id=session_id,
                        checkin_id=checkin_id,
                        token_hash=token_hash,
                        shopper=shopper,
                        role=role,
                    ),
                )
            if not basket.is_open or basket.role != role:
                what = "has left" if not basket.is_open else f"checked in as {basket.role}"
                raise CheckoutError(
                    f"{checkin_id} cannot join group {session_id}, which {what}; check in alone"
                )
            return (
                SessionJoined(
                    entry_id=f"{checkin_id}:checked-in",
                    captured_at_s=at.captured_at_s,
                    wall_time_s=at.wall_time_s,
                    session_id=session_id,
                    checkin_id=checkin_id,
                    token_hash=token_hash,
                    shopper=shopper,
                ),
            )

        return self._step(entries, at)

    def record(
        self,
        event: InteractionEvent,
        attribution: Attribution,
        *,
        wall_time_s: float,
        camera_sick: bool = False,
    ) -> tuple[Entry, ...]:
        """Take up an interaction event; see ``charging.entries_for``.

        Returns:
            New entries; none when the event is recorded already.

        Raises:
            CheckoutError: Its attribution names a session that nobody opened.
            LedgerError: It could not be written: give it again later.
        """
        at = Moment(event.ended_at_s, wall_time_s)
        return self._step(
            lambda shop: entries_for(
                event,
                attribution,
                shop,
                wall_time_s=wall_time_s,
                camera_sick=camera_sick,
                sellable=self._products,
            ),
            at,
        )

    def leave(self, checkin_id: str, *, at: Moment) -> tuple[Entry, ...]:
        """A member leaves by the exit; with the last one the session closes.

        Raises:
            CheckoutError: Nobody checked in under that id.
        """

        def entries(shop: Shop) -> tuple[Entry, ...]:
            basket = shop.basket(shop.sessions_of([checkin_id])[0])
            inside = [m.checkin_id for m in basket.members if m.left_at is None]
            if not basket.is_open or checkin_id not in inside:
                return ()
            if inside == [checkin_id]:
                return (_closing(basket, "exit", at),)
            return (
                MemberLeft(
                    entry_id=f"{checkin_id}:left",
                    captured_at_s=at.captured_at_s,
                    wall_time_s=at.wall_time_s,
                    session_id=basket.session_id,
                    checkin_id=checkin_id,
                ),
            )

        return self._step(entries, at)

    def close(self, session_id: str, closed_by: ClosedBy, *, at: Moment) -> tuple[Entry, ...]:
        """Close a session, whoever of it is inside.

        Raises:
            CheckoutError: There is no such session.
        """

        def entries(shop: Shop) -> tuple[Entry, ...]:
            basket = shop.basket(session_id)
            return (_closing(basket, closed_by, at),) if basket.is_open else ()

        return self._step(entries, at)

    def settle_review(self, review_id: str, verdict: Verdict, *, at: Moment) -> tuple[Entry, ...]:
        """End a review; see ``correcting.settle_review``."""
        if verdict.sku is not None and verdict.sku not in self._products:
            raise CheckoutError(
                f"review {review_id}: the catalogue has no {verdict.sku}; choose a product of it"
            )
        return self._step(lambda shop: settle_review(review_id, verdict, shop, at=at), at)

    def refund(
        self,
        refund_id: str,
        line_id: str,
        quantity: int,
        *,
        reviewer: str,
        reason: str,
        at: Moment,
    ) -> tuple[Entry, ...]:
        """Give pieces back after the receipt; see ``correcting.refund``."""
        return self._step(
            lambda shop: refund(
                refund_id, line_id, quantity, shop, reviewer=reviewer, reason=reason, at=at
            ),
            at,
        )

    def open_dispute(
        self, dispute_id: str, line_id: str, quantity: int, *, reason: str, at: Moment
    ) -> tuple[Entry, ...]:
        """A shopper objects to a line; see ``correcting.open_dispute``."""
        return self._step(
            lambda shop: open_dispute(dispute_id, line_id, quantity, shop, reason=reason, at=at),
            at,
        )

    def settle_dispute(
        self, dispute_id: str, upheld: bool, *, reviewer: str, reason: str, at: Moment
    ) -> tuple[Entry, ...]:
        """End a dispute; see ``correcting.settle_dispute``."""
        return self._step(
            lambda shop: settle_dispute(
                dispute_id, upheld, shop, reviewer=reviewer, reason=reason, at=at
            ),
            at,
        )

    def _step(
        self, entries_of: Callable[[Shop], tuple[Entry, ...]], at: Moment
    ) -> tuple[Entry, ...]:
        with self._stepping:
            before = self._shop
            try:
                entries = entries_of(before)
            except ValidationError as err:
                raise CheckoutError(
                    f"this cannot be recorded: {first_complaint(err)}; correct it"
                ) from err
            if not entries:
                return ()
            after = fold(entries, before)
            touched = [
                after.baskets[session]
                for session in _touched(entries, after)
                if after.baskets[session].role == "shopper"
            ]
            receipts = self._receipts(touched, after, at)
            outgoing = self._outgoing(entries, receipts, touched, before, after)
            after = fold(receipts, after)
            new = self._ledger.append((*entries, *receipts), outgoing)
            self._shop = after
            return new

    def _receipts(
        self, baskets: Sequence[Basket], shop: Shop, at: Moment
    ) -> tuple[ReceiptIssued, ...]:
        """First receipts of sessions that closed, corrected ones where something changed."""
        issued = []
        for basket in baskets:
            if basket.is_open:
                continue
            previous = shop.latest_receipt(basket.session_id)
            receipt = self._receipt_of(shop, basket, previous, at)
            if previous is None or not receipt.says_the_same_as(previous):
                issued.append(
                    ReceiptIssued(
                        entry_id=f"{receipt.receipt_id}:issued",
                        captured_at_s=at.captured_at_s,
                        wall_time_s=at.wall_time_s,
                        session_id=basket.session_id,
                        receipt=receipt,
                    )
                )
        return tuple(issued)

    def _receipt_of(
        self, shop: Shop, basket: Basket, previous: Receipt | None, at: Moment | None = None
    ) -> Receipt:
        return make_receipt(
            basket,
            shop.open_reviews(basket.session_id),
            self._products,
            self._terms,
            issued_at_s=(at or basket.opened_at).wall_time_s,
            previous=previous,
        )

    def _outgoing(
        self,
        entries: Sequence[Entry],
        receipts: Sequence[ReceiptIssued],
        touched: Sequence[Basket],
        before: Shop,
        after: Shop,
    ) -> tuple[OutgoingMessage, ...]:
        outgoing: list[OutgoingMessage] = []
        reason = "; ".join(each.reason for each in entries if isinstance(each, RefundIssued))
        for issued in receipts:
            session = issued.session_id
            if "till" in self._receivers:
                outgoing += till_messages(
                    issued.receipt,
                    before.latest_receipt(session),
                    after.baskets[session],
                    self._products,
                    reason,
                )
            if "mqtt" in self._receivers:
                outgoing.append(receipt_announcement(issued.receipt))
        if "mqtt" in self._receivers:
            for basket in touched:
                if basket.is_open:
                    preview = self._receipt_of(after, basket, None)
                    cause = f"{basket.session_id}.{entries[0].entry_id}"
                    outgoing.append(basket_announcement(basket, preview, cause))
        return tuple(outgoing)


def _closing(basket: Basket, closed_by: ClosedBy, at: Moment) -> SessionClosed:
    return SessionClosed(
        entry_id=f"{basket.session_id}:closed",
        captured_at_s=at.captured_at_s,
        wall_time_s=at.wall_time_s,
        session_id=basket.session_id,
        closed_by=closed_by,
    )


def _touched(entries: Iterable[Entry], shop: Shop) -> tuple[str, ...]:
    """Sessions whose basket or receipt may say something else after these entries."""
    sessions: dict[str, None] = {}
    for entry in entries:
        if isinstance(entry, ReviewOpened):
            sessions |= dict.fromkeys(entry.sessions)
        elif isinstance(entry, ReviewSettled):
            sessions |= dict.fromkeys(shop.reviews[entry.review_id].sessions)
        elif isinstance(
            entry,
            SessionOpened
            | SessionJoined
            | SessionClosed
            | LineCharged
            | LineReleased
            | RefundIssued,
        ):
            sessions[entry.session_id] = None
    return tuple(sessions)


def _check_same_check_in(basket: Basket, checkin_id: str, token_hash: str, session_id: str) -> None:
    (member,) = (m for m in basket.members if m.checkin_id == checkin_id)
    if (member.token_hash, basket.session_id) != (token_hash, session_id):
        raise LedgerConflictError(
            f"check-in {checkin_id} is known with another token or group; "
            "give every check-in an id of its own"
        )
