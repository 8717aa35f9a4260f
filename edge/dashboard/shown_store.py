"""A shop as its pages see it: a device that does everything, or the hub of several.

Reads frozen values, and has everything that changes said at the desk by the desk's own worker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from edge.checkout.basket import Moment, Review
from edge.checkout.correcting import Verdict
from edge.checkout.entries import Entry, InteractionRecorded
from edge.checkout.message import Receiver
from edge.checkout.outbox import OutboxCounts
from edge.checkout.receipt_page import embedded_pictures, receipt_page
from edge.checkout.shop import Dispute, Shop
from edge.dashboard.shown import Wanted
from edge.dashboard.shown_device import ShownDevice, walkout_version
from edge.dashboard.views.baskets import ShownBasket, basket_shape
from edge.dashboard.views.events import ShownEvent, event_shape
from edge.dashboard.views.floor import ShownShopper, shoppers_of
from edge.dashboard.views.health import troubles_of
from edge.dashboard.views.labelled import LabelledEvent, labelled_shape
from edge.dashboard.views.live import CameraBrief, LiveState
from edge.dashboard.views.receipts import (
    ReceiptBrief,
    SessionReceipts,
    ShownDispute,
    brief_of,
    dispute_shape,
    session_receipts,
)
from edge.dashboard.views.reviews import ReviewVerdict, ShownReview, queue_of, review_shape
from edge.dashboard.views.shopper import ShopperView, shopper_view
from edge.dashboard.views.stock import ShownStock, stock_of_ledger, stock_shape
from edge.errors import CheckoutError, NotThereError
from edge.events import InteractionKind
from edge.health import Health
from edge.shop.checkin import AskedCheckIn
from edge.shop.passed import Pass
from edge.shop.replay import peak_memory_bytes
from edge.shop.store import Store
from edge.tracking.session import CheckIn
from edge.tracking.watch import FloorMoment
from edge.updates.assembly import Updates
from edge.workers import WorkerState
from web.shape import Listed, money, page_of

_SHOWN_LIVE: Final = 12
_COUNTS_EVERY_S: Final = 2.0
_DAY_S: Final = 86_400.0


class ShownStore(ShownDevice):
    """What is shown of a shop; see ``shown.ShownShop``.

    Args:
        store: The shop.
        workers: How its workers are.
        updates: What keeps its bundles up to date; ``None`` without.
    """

    def __init__(
        self,
        store: Store,
        workers: Callable[[], tuple[WorkerState, ...]],
        updates: Updates | None = None,
    ) -> None:
        super().__init__(store, workers, updates)
        self._store = store
        self._counted: tuple[float, dict[Receiver, OutboxCounts]] = (float("-inf"), {})

    @property
    def _shop(self) -> Shop:
        return self._store.desk.shop

    # Looking

    def state(self) -> LiveState:
        """What changes from moment to moment."""
        store, shop, health = self._store, self._shop, self.health()
        moment = self._moment()
        receipts = (
            brief_of(versions[-1], shop)
            for session, versions in reversed(list(shop.receipts.items()))
            if shop.baskets[session].role == "shopper"
        )
        return LiveState(
            looked_at=None if moment is None else round(store.wall_time_s(moment.scan.at_s), 2),
            shoppers=self._shoppers(),
            baskets=tuple(
                basket_shape(basket, store.desk.preview(basket.session_id))
                for basket in shop.open_baskets()
                if basket.role == "shopper"
            ),
            events=tuple(islice(self._latest(), _SHOWN_LIVE)),
            receipts=tuple(islice(receipts, _SHOWN_LIVE)),
            cameras=tuple(
                CameraBrief(name=each.camera, status=each.status) for each in health.cameras
            ),
            troubles=troubles_of(health),
            open_reviews=health.open_reviews,
            open_disputes=sum(each.settled is None for each in shop.disputes.values()),
            over=store.over,
        )

    def health(self) -> Health:
        """How the device is, for machines."""
        store, shop = self._store, self._shop
        return Health(
            cameras=store.camera_states(),
            workers=self._workers(),
            queues=store.queue_states(),
            outbox=self._outbox(),
            stages_s=store.stages.spent_s(),
            ledger_trouble=store.ledger_trouble,
            open_baskets=len(shop.open_baskets()),
            open_reviews=len(shop.open_reviews()),
            interactions=len(shop.interactions),
            receipts=sum(len(versions) for versions in shop.receipts.values()),
            peak_memory_bytes=peak_memory_bytes(),
            devices=store.device_states(),
            oldest_review_s=self._oldest_review_s(),
            disk_bytes=self._disk_bytes(),
            wall_time_s=time.time(),
            updates=self._updates_health(),
            version=walkout_version(),
        )

    def _oldest_review_s(self) -> float | None:
        opened_s = (each.opened_at.captured_at_s for each in self._shop.open_reviews())
        oldest_s = min(opened_s, default=None)
        # Those from before the machine was started are older than its clock.
        return None if oldest_s is None else max(0.0, self._store.now_s() - oldest_s)

    def stock(self) -> ShownStock:
        """The live planogram."""
        planogram, seen = self._premises.planogram, self._store.eyes.stock()
        if seen is None:
            told = stock_of_ledger(planogram, self._shop)
            return stock_shape(told, planogram, self.name_of, "ledger")
        return stock_shape(seen, planogram, self.name_of, "shelves")

    # Events and reviews

    def events(
        self,
        *,
        after: str | None = None,
        limit: int = 50,
        kind: InteractionKind | None = None,
        camera: str | None = None,
    ) -> Listed[ShownEvent]:
        """Interaction events, newest first."""
        shop = self._shop
        found = [
            each
            for each in reversed(list(shop.interactions.values()))
            if kind in (None, each.event.kind) and camera in (None, each.event.camera)
        ]
        part, following = page_of(found, (each.event.event_id for each in found), after, limit)
        items = tuple(self._shown_event(each, shop) for each in part)
        return Listed[ShownEvent](items=items, next=following)

    def reviews(
        self, wanted: Wanted = "open", *, after: str | None = None, limit: int = 50
    ) -> Listed[ShownReview]:
        """The queue in the order of work; settled ones newest first."""
        shop = self._shop
        settled = sorted(
            (each for each in shop.reviews.values() if each.settlement is not None),
            key=_settled_at_s,
            reverse=True,
        )
        waiting = queue_of(shop, self._store.passed.all())
        found = {"open": waiting, "settled": settled, "all": (*waiting, *settled)}[wanted]
        part, following = page_of(found, (each.review_id for each in found), after, limit)
        items = tuple(self._review(each, shop) for each in part)
        return Listed[ShownReview](items=items, next=following)

    def review(self, review_id: str) -> ShownReview:
        """One review, open or settled."""
        shop = self._shop
        return self._review(self._known(review_id, shop), shop)

    def settle(self, review_id: str, verdict: ReviewVerdict, reviewer: str) -> ShownReview:
        """A person says what it was; the baskets and receipts follow."""
        review = self._known(review_id, self._shop)
        said = _said(review, verdict, reviewer)
        self._store.at_desk(lambda at: self._store.desk.settle_review(review_id, said, at=at))
        # A hand with nothing in it shows no product; neither does a crop of it.
        if verdict.answer != "nothing":
            self._store.verified.add(review.event, said.sku)
        return self.review(review_id)

    def pass_on(self, review_id: str, reviewer: str, reason: str) -> ShownReview:
        """A person is not sure: it goes to the end of the queue, and that is remembered."""
        if self._known(review_id, self._shop).settlement is not None:
            raise CheckoutError(f"review {review_id} is settled; there is nothing to pass on")
        passed = Pass(
            review_id=review_id, reviewer=reviewer, reason=reason, passed_at=self._now_wall_s()
        )
        self._store.passed.add(passed)
        return self.review(review_id)

    # Receipts, refunds, disputes

    def basket(self, session_id: str) -> ShownBasket:
        """What a session holds now, or held when it closed."""
        basket = self._shop.baskets.get(session_id)
        if basket is None or basket.role == "staff":
            raise NotThereError(f"there is no basket of a session {session_id}")
        return basket_shape(basket, self._store.desk.preview(session_id))

    def for_shopper(self, session_id: str) -> ShopperView:
        """All that a shopper sees of their own session; nothing once its evidence is too old."""
        store = self._store
        view = shopper_view(store.desk, session_id)
        # By the shop's own clock: a recording's is that of its day.
        now, kept_s = store.wall_time_s(store.now_s()), store.config.evidence_days * _DAY_S
        if view is None or (view.closed_at is not None and now - view.closed_at > kept_s):
            raise NotThereError(f"there is no basket of a session {session_id}")
        return view

    def receipts(self, *, after: str | None = None, limit: int = 50) -> Listed[ReceiptBrief]:
        """Sessions that have a receipt, newest first; named by their session."""
        shop = self._shop
        found = [
            versions[-1]
            for session, versions in reversed(list(shop.receipts.items()))
            if shop.baskets[session].role == "shopper"
        ]
        part, following = page_of(found, (each.session_id for each in found), after, limit)
        items = tuple(brief_of(each, shop) for each in part)
        return Listed[ReceiptBrief](items=items, next=following)

    def receipt(self, session_id: str) -> SessionReceipts:
        """All versions of a session's receipt, with its refunds and disputes."""
        found = session_receipts(session_id, self._shop, self.name_of, self._line_price)
        if found is None:
            raise NotThereError(f"session {session_id} has no receipt (yet)")
        return found

    def receipt_page(self, session_id: str) -> str:
        """A session's newest receipt as a page to keep, its pictures within it."""
        receipt = self._shop.latest_receipt(session_id)
        if receipt is None:
            raise NotThereError(f"session {session_id} has no receipt (yet)")
        return receipt_page(receipt, embedded_pictures(self._store.evidence.folder))

    def refund(
        self,
        session_id: str,
        refund_id: str,
        line_id: str,
        quantity: int,
        *,
        reviewer: str,
        reason: str,
    ) -> SessionReceipts:
        """Give pieces back after the receipt; the same id is the same refund."""
        self._check_line(session_id, line_id)
        desk = self._store.desk
        self._store.at_desk(
            lambda at: desk.refund(
                refund_id, line_id, quantity, reviewer=reviewer, reason=reason, at=at
            )
        )
        return self.receipt(session_id)

    def disputes(
        self, wanted: Wanted = "open", *, after: str | None = None, limit: int = 50
    ) -> Listed[ShownDispute]:
        """Open disputes oldest first, others newest first."""
        all_of_them = list(self._shop.disputes.values())
        waiting = [each for each in all_of_them if each.settled is None]
        settled = [each for each in reversed(all_of_them) if each.settled is not None]
        found = {"open": waiting, "settled": settled, "all": [*waiting, *settled]}[wanted]
        names = (each.opened.dispute_id for each in found)
        part, following = page_of(found, names, after, limit)
        items = tuple(self._dispute(each) for each in part)
        return Listed[ShownDispute](items=items, next=following)

    def open_dispute(
        self, session_id: str, dispute_id: str, line_id: str, quantity: int, *, reason: str
    ) -> ShownDispute:
        """A shopper says that a line is wrong; the same id is the same dispute."""
        self._check_line(session_id, line_id)
        desk = self._store.desk
        self._store.at_desk(
            lambda at: desk.open_dispute(dispute_id, line_id, quantity, reason=reason, at=at)
        )
        return self._dispute(self._shop.disputes[dispute_id])

    def settle_dispute(
        self, dispute_id: str, upheld: bool, *, reviewer: str, reason: str
    ) -> ShownDispute:
        """A person ends a dispute; upheld, the pieces leave the basket or are given back."""
        if dispute_id not in self._shop.disputes:
            raise NotThereError(f"there is no dispute {dispute_id}")
        desk = self._store.desk
        self._store.at_desk(
            lambda at: desk.settle_dispute(
                dispute_id, upheld, reviewer=reviewer, reason=reason, at=at
            )
        )
        return self._dispute(self._shop.disputes[dispute_id])

    def check_in(self, asked: AskedCheckIn) -> CheckIn:
        """Check somebody in; its ``group`` is the session."""
        return self._store.check_in(asked)

    def close_session(self, session_id: str) -> SessionReceipts | None:
        """Close a session, whoever of it is inside; ``None`` for staff, who get no receipt."""
        basket = self._shop.baskets.get(session_id)
        if basket is None:
            raise NotThereError(f"there is no session {session_id}")

        def closing(at: Moment) -> tuple[Entry, ...]:
            return self._store.desk.close(session_id, "staff", at=at)

        self._store.at_desk(closing)
        return None if basket.role == "staff" else self.receipt(session_id)

    # Pictures and what people have said of them

    def crop(self, name: str) -> bytes:
        """A stored crop as JPEG."""
        picture = self._store.evidence.read(name)
        if picture is None:
            raise NotThereError("there is no such crop (any more)")
        return picture

    def labelled(self, *, after: str | None = None, limit: int = 50) -> Listed[LabelledEvent]:
        """Events that people have settled, in the order in which they did."""
        shop, found = self._shop, self._store.verified.events()
        part, following = page_of(found, (each.event_id for each in found), after, limit)
        items = tuple(labelled_shape(each, shop) for each in part)
        return Listed[LabelledEvent](items=items, next=following)

    def labelled_crop(self, name: str) -> bytes:
        """A crop of one of them, as PNG."""
        picture = self._store.verified.read(name)
        if picture is None:
            raise NotThereError("there is no such labelled crop (any more)")
        return picture

    # What ``ShownDevice`` asks

    def _moment(self) -> FloorMoment | None:
        return self._store.floor_view.moment

    def _shoppers(self) -> tuple[ShownShopper, ...]:
        view = self._store.floor_view
        return shoppers_of(view.moment, view.sessions)

    def _latest(self) -> Iterator[ShownEvent]:
        shop = self._shop
        newest = reversed(list(shop.interactions.values()))
        return (self._shown_event(each, shop) for each in newest)

    def _shown_event(self, recorded: InteractionRecorded, shop: Shop) -> ShownEvent:
        return event_shape(recorded, shop, self.name_of, self._store.config.store.id)

    def _asked_about(self) -> tuple[int, int]:
        shop = self._shop
        return len(shop.reviews), _open(shop.disputes.values())

    # Pieces

    def _outbox(self) -> dict[Receiver, OutboxCounts]:
        """Messages by receiver; counted seldom, as the ledger's file has other work to do."""
        now_s = time.monotonic()
        if now_s - self._counted[0] >= _COUNTS_EVERY_S:
            store = self._store
            self._counted = (now_s, {name: store.outbox.counts(name) for name in store.receivers})
        return self._counted[1]

    def _review(self, review: Review, shop: Shop) -> ShownReview:
        return review_shape(review, shop, self.offers, self._store.passed.of(review.review_id))

    def _dispute(self, dispute: Dispute) -> ShownDispute:
        return dispute_shape(
            dispute, self._shop, self.name_of, self._line_price, self.card.currency
        )

    def _known(self, review_id: str, shop: Shop) -> Review:
        review = shop.reviews.get(review_id)
        if review is None:
            raise NotThereError(f"there is no review {review_id}")
        return review

    def _check_line(self, session_id: str, line_id: str) -> None:
        if self._shop.line_sessions.get(line_id) != session_id:
            raise NotThereError(f"session {session_id} has no line {line_id}")

    def _line_price(self, line_id: str) -> str:
        """Price of one piece of a line: as its receipt says, else as the catalogue does."""
        shop = self._shop
        line = shop.line(line_id)
        for receipt in reversed(shop.receipts.get(line.session_id, ())):
            for each in receipt.lines:
                if each.sku == line.sku:
                    return money(each.unit_price)
        return self.offers.price_of(line.sku) or "0"


def _said(review: Review, verdict: ReviewVerdict, reviewer: str) -> Verdict:
    """What a person saw, as the ledger takes it.

    Raises:
        CheckoutError: It is not said whose it was, and it may have been several.
    """
    if verdict.answer != "product":
        reason = verdict.reason or _WORDS[verdict.answer]
        return Verdict(reviewer, None, None, 0, reason)
    session_id = verdict.session
    if session_id is None and not verdict.nobody:
        if len(review.sessions) != 1:
            raise CheckoutError(
                f"review {review.review_id} may be about {len(review.sessions)} sessions; name the "
                "session whose it was, or say nobody: true"
            )
        session_id = review.sessions[0]
    quantity = review.quantity if verdict.quantity is None else verdict.quantity
    return Verdict(reviewer, verdict.sku, session_id, quantity, verdict.reason)


_WORDS: Final = {
    "not_sold_here": "it is nothing that the shop sells",
    "nothing": "nothing was taken or put back",
}


def _settled_at_s(review: Review) -> float:
    assert review.settlement is not None
    return review.settlement.settled_at.wall_time_s


def _open(disputes: Iterable[Dispute]) -> int:
    return sum(each.settled is None for each in disputes)
