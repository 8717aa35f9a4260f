"""A shelf device as its pages see it: cameras, shelves, models, and how it is.

Baskets, receipts, reviews and people are the hub's; whoever asks for them here is sent there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final, NoReturn

from edge.dashboard.shown import Wanted
from edge.dashboard.shown_device import ShownDevice, walkout_version
from edge.dashboard.views.baskets import ShownBasket
from edge.dashboard.views.events import ShownEvent
from edge.dashboard.views.floor import ShownShopper
from edge.dashboard.views.health import troubles_of
from edge.dashboard.views.labelled import LabelledEvent
from edge.dashboard.views.live import CameraBrief, LiveState
from edge.dashboard.views.receipts import ReceiptBrief, SessionReceipts, ShownDispute
from edge.dashboard.views.reviews import ReviewVerdict, ShownReview
from edge.dashboard.views.shopper import ShopperView
from edge.dashboard.views.stock import ShownStock, stock_shape
from edge.errors import CheckoutError
from edge.events import InteractionKind
from edge.health import Health
from edge.shop.checkin import AskedCheckIn
from edge.shop.replay import peak_memory_bytes
from edge.shop.shelf_device import ShelfDevice
from edge.tracking.session import CheckIn
from edge.tracking.watch import FloorMoment
from edge.updates.assembly import Updates
from edge.workers import WorkerState
from web.shape import Listed

_ELSEWHERE: Final = "this is a shelf device and knows of no {}; ask the shop's hub"


class ShownShelfDevice(ShownDevice):
    """What is shown of a shelf device; see ``shown.ShownShop``.

    Args:
        device: The device.
        workers: How its workers are.
        updates: What keeps its bundles up to date; ``None`` without.
    """

    def __init__(
        self,
        device: ShelfDevice,
        workers: Callable[[], tuple[WorkerState, ...]],
        updates: Updates | None = None,
    ) -> None:
        super().__init__(device, workers, updates)
        self._shelf = device

    def state(self) -> LiveState:
        """What changes from moment to moment."""
        health = self.health()
        return LiveState(
            looked_at=None,
            shoppers=(),
            baskets=(),
            events=(),
            receipts=(),
            cameras=tuple(
                CameraBrief(name=each.camera, status=each.status) for each in health.cameras
            ),
            troubles=troubles_of(health),
            open_reviews=0,
            open_disputes=0,
            over=False,
        )

    def health(self) -> Health:
        """How the device is, for machines."""
        device = self._shelf
        return Health(
            cameras=device.camera_states(),
            workers=self._workers(),
            queues=device.queue_states(),
            outbox={"hub": device.outbox.counts("hub")},
            stages_s=device.stages.spent_s(),
            ledger_trouble=device.dispatch.trouble,
            open_baskets=0,
            open_reviews=0,
            interactions=0,
            receipts=0,
            peak_memory_bytes=peak_memory_bytes(),
            link_trouble=device.link_trouble(),
            disk_bytes=self._disk_bytes(),
            wall_time_s=time.time(),
            updates=self._updates_health(),
            version=walkout_version(),
        )

    def stock(self) -> ShownStock:
        """What this device's cameras know of their shelves."""
        seen = self._shelf.eyes.stock()
        if seen is None:
            _elsewhere("stock")
        return stock_shape(seen, self._premises.planogram, self.name_of, "shelves")

    def events(
        self,
        *,
        after: str | None = None,
        limit: int = 50,
        kind: InteractionKind | None = None,
        camera: str | None = None,
    ) -> Listed[ShownEvent]:
        """The hub shows events."""
        _elsewhere("events")

    def reviews(
        self, wanted: Wanted = "open", *, after: str | None = None, limit: int = 50
    ) -> Listed[ShownReview]:
        """The hub asks people."""
        _elsewhere("reviews")

    def review(self, review_id: str) -> ShownReview:
        """The hub asks people."""
        _elsewhere("reviews")

    def settle(self, review_id: str, verdict: ReviewVerdict, reviewer: str) -> ShownReview:
        """The hub asks people."""
        _elsewhere("reviews")

    def pass_on(self, review_id: str, reviewer: str, reason: str) -> ShownReview:
        """The hub asks people."""
        _elsewhere("reviews")

    def basket(self, session_id: str) -> ShownBasket:
        """The hub has the baskets."""
        _elsewhere("baskets")

    def for_shopper(self, session_id: str) -> ShopperView:
        """The hub has the baskets."""
        _elsewhere("baskets")

    def receipts(self, *, after: str | None = None, limit: int = 50) -> Listed[ReceiptBrief]:
        """The hub has the receipts."""
        _elsewhere("receipts")

    def receipt(self, session_id: str) -> SessionReceipts:
        """The hub has the receipts."""
        _elsewhere("receipts")

    def receipt_page(self, session_id: str) -> str:
        """The hub has the receipts."""
        _elsewhere("receipts")

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
        """The hub has the receipts."""
        _elsewhere("receipts")

    def disputes(
        self, wanted: Wanted = "open", *, after: str | None = None, limit: int = 50
    ) -> Listed[ShownDispute]:
        """The hub has the receipts."""
        _elsewhere("disputes")

    def open_dispute(
        self, session_id: str, dispute_id: str, line_id: str, quantity: int, *, reason: str
    ) -> ShownDispute:
        """The hub has the receipts."""
        _elsewhere("disputes")

    def settle_dispute(
        self, dispute_id: str, upheld: bool, *, reviewer: str, reason: str
    ) -> ShownDispute:
        """The hub has the receipts."""
        _elsewhere("disputes")

    def check_in(self, asked: AskedCheckIn) -> CheckIn:
        """People check in at the hub."""
        _elsewhere("check-ins")

    def close_session(self, session_id: str) -> SessionReceipts | None:
        """The hub has the sessions."""
        _elsewhere("sessions")

    def crop(self, name: str) -> bytes:
        """The hub keeps the crops."""
        _elsewhere("crops")

    def labelled(self, *, after: str | None = None, limit: int = 50) -> Listed[LabelledEvent]:
        """The hub asks people."""
        _elsewhere("settled reviews")

    def labelled_crop(self, name: str) -> bytes:
        """The hub asks people."""
        _elsewhere("settled reviews")

    def _moment(self) -> FloorMoment | None:
        return None

    def _shoppers(self) -> tuple[ShownShopper, ...]:
        return ()

    def _latest(self) -> Iterable[ShownEvent]:
        return ()

    def _asked_about(self) -> tuple[int, int]:
        return 0, 0


def _elsewhere(what: str) -> NoReturn:
    raise CheckoutError(_ELSEWHERE.format(what))
