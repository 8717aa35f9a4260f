"""Everything that changes from moment to moment, as one value."""

from __future__ import annotations

from edge.dashboard.views.baskets import ShownBasket
from edge.dashboard.views.events import ShownEvent
from edge.dashboard.views.floor import ShownShopper
from edge.dashboard.views.health import Trouble
from edge.dashboard.views.receipts import ReceiptBrief
from web.shape import Shape


class CameraBrief(Shape):
    """A camera in the live state.

    Attributes:
        name: Its name.
        status: See ``ShownCamera.status``.
    """

    name: str
    status: str


class LiveState(Shape):
    """What changes.

    Attributes:
        looked_at: When the floor was last looked at; ``None`` before the first time.
        shoppers: Who is where.
        baskets: Of shoppers inside.
        events: The newest, newest first.
        receipts: The newest, newest first.
        cameras: Of this device.
        troubles: What is not as it should be, the worst first.
        open_reviews: Reviews that wait for a person.
        open_disputes: Disputes that wait for a person.
        over: Whether a recording has come to its end.
    """

    looked_at: float | None
    shoppers: tuple[ShownShopper, ...]
    baskets: tuple[ShownBasket, ...]
    events: tuple[ShownEvent, ...]
    receipts: tuple[ReceiptBrief, ...]
    cameras: tuple[CameraBrief, ...]
    troubles: tuple[Trouble, ...]
    open_reviews: int
    open_disputes: int
    over: bool
