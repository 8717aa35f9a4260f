"""What routers and pages ask of a device, whatever kind of device it is.

Owns the seam ``ShownShop`` alone. Shapes are ``edge.dashboard.views``'; ``shown_store`` and
``shown_shelf`` answer for a shop and for a shelf device.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from edge.dashboard.views.baskets import ShownBasket
from edge.dashboard.views.cameras import CameraOverlay, ShownCamera
from edge.dashboard.views.events import ShownEvent
from edge.dashboard.views.floor import Plan, StoreCard
from edge.dashboard.views.health import ShownHealth
from edge.dashboard.views.labelled import LabelledEvent
from edge.dashboard.views.live import LiveState
from edge.dashboard.views.products import ShownProduct
from edge.dashboard.views.receipts import ReceiptBrief, SessionReceipts, ShownDispute
from edge.dashboard.views.reviews import ReviewVerdict, ShownReview
from edge.dashboard.views.serving import ShownModels
from edge.dashboard.views.shopper import ShopperView
from edge.dashboard.views.stats import Stats
from edge.dashboard.views.stock import ShownStock
from edge.events import Frame, InteractionKind
from edge.health import Health
from edge.shop.checkin import AskedCheckIn
from edge.tracking.session import CheckIn
from web.shape import Listed

Wanted = Literal["open", "settled", "all"]


class ShownShop(Protocol):
    """A device as its pages and its API see it.

    Every method may be called from any thread and answers quickly: from what is in memory, a file
    of a picture, or the desk's own worker. All may raise, and routers let it pass:

    - ``NotThereError``: there is no such thing here (any more) - 404
    - ``CheckoutError``: it cannot be done, also because this device is not the one that does it;
      the text says what to do - 409
    - ``LedgerError`` (but not ``LedgerConflictError``) and ``QueueFullError``: it cannot be
      written now, and nothing has happened - 503

    Attributes:
        card: Name, locale, currency, zone and role.
    """

    card: StoreCard

    # Looking

    def plan(self) -> Plan:
        """What stands still."""
        ...

    def state(self) -> LiveState:
        """What changes from moment to moment."""
        ...

    def health(self) -> Health:
        """How the device is, for metrics, ``/healthz`` and ``/readyz``."""
        ...

    def health_shown(self) -> ShownHealth:
        """How the device is, in plain words and with what to do."""
        ...

    def stats(self) -> Stats:
        """The device in numbers."""
        ...

    def config_shown(self) -> dict[str, Any]:
        """The configuration as JSON values, without any secret."""
        ...

    def models(self) -> ShownModels:
        """What recognises, how far an update is, what was rolled back."""
        ...

    def stock(self) -> ShownStock:
        """The live planogram."""
        ...

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
        ...

    def reviews(
        self, wanted: Wanted = "open", *, after: str | None = None, limit: int = 50
    ) -> Listed[ShownReview]:
        """The queue in the order of work; settled ones newest first."""
        ...

    def review(self, review_id: str) -> ShownReview:
        """One review, open or settled."""
        ...

    def settle(self, review_id: str, verdict: ReviewVerdict, reviewer: str) -> ShownReview:
        """A person says what it was; the baskets and receipts follow."""
        ...

    def pass_on(self, review_id: str, reviewer: str, reason: str) -> ShownReview:
        """A person is not sure: it goes to the end of the queue, and that is remembered."""
        ...

    # Receipts, refunds, disputes

    def basket(self, session_id: str) -> ShownBasket:
        """What a session holds now, or held when it closed."""
        ...

    def for_shopper(self, session_id: str) -> ShopperView:
        """All that a shopper sees of their own session; nothing once its evidence is too old."""
        ...

    def receipts(self, *, after: str | None = None, limit: int = 50) -> Listed[ReceiptBrief]:
        """Sessions that have a receipt, newest first; named by their session."""
        ...

    def receipt(self, session_id: str) -> SessionReceipts:
        """All versions of a session's receipt, with its refunds and disputes."""
        ...

    def receipt_page(self, session_id: str) -> str:
        """A session's newest receipt as a page to keep, its pictures within it."""
        ...

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
        ...

    def disputes(
        self, wanted: Wanted = "open", *, after: str | None = None, limit: int = 50
    ) -> Listed[ShownDispute]:
        """Open disputes oldest first, others newest first."""
        ...

    def open_dispute(
        self, session_id: str, dispute_id: str, line_id: str, quantity: int, *, reason: str
    ) -> ShownDispute:
        """A shopper says that a line is wrong; the same id is the same dispute."""
        ...

    def settle_dispute(
        self, dispute_id: str, upheld: bool, *, reviewer: str, reason: str
    ) -> ShownDispute:
        """A person ends a dispute; upheld, the pieces leave the basket or are given back."""
        ...

    def check_in(self, asked: AskedCheckIn) -> CheckIn:
        """Check somebody in; its ``group`` is the session."""
        ...

    def close_session(self, session_id: str) -> SessionReceipts | None:
        """Close a session, whoever of it is inside; ``None`` for staff, who get no receipt."""
        ...

    # Pictures

    def cameras(self) -> tuple[ShownCamera, ...]:
        """How the cameras are, by name."""
        ...

    def camera_picture(self, camera: str, width_px: int = 1280) -> bytes:
        """A camera's newest picture as JPEG, at most so wide, nobody's head to be recognised."""
        ...

    def camera_frame(self, camera: str) -> Frame:
        """A camera's newest frame as it came, for technicians and machines, not for pages."""
        ...

    def camera_overlay(self, camera: str) -> CameraOverlay:
        """What is drawn over it."""
        ...

    def crop(self, name: str) -> bytes:
        """A stored crop as JPEG."""
        ...

    # Products and what people have said of crops

    def products(
        self, *, query: str = "", after: str | None = None, limit: int = 50
    ) -> Listed[ShownProduct]:
        """Products by name; with a query, those whose name, SKU or GTIN holds all its words."""
        ...

    def product_photo(self, sku: str, number: int, width_px: int = 320) -> bytes:
        """A photo of the catalogue as JPEG, at most so wide."""
        ...

    def labelled(self, *, after: str | None = None, limit: int = 50) -> Listed[LabelledEvent]:
        """Events that people have settled, in the order in which they did."""
        ...

    def labelled_crop(self, name: str) -> bytes:
        """A crop of one of them, as PNG."""
        ...
