"""Checking people in, what they hold, and closing a session by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Request
from pydantic import ConfigDict

from edge.dashboard.access import STAFF, VIEWERS
from edge.dashboard.shown import ShownShop
from edge.dashboard.views.baskets import ShownBasket
from edge.dashboard.views.receipts import SessionReceipts
from edge.shop.checkin import AskedCheckIn
from web.access import Rule, rules
from web.asking import Name, refusals
from web.shape import Shape

RULES: Final[tuple[Rule, ...]] = (
    # The reader at the door checks people in all day; who they are is in the ledger.
    *rules("POST", "/api/v1/checkins", STAFF, "checkin", audited=False),
    *rules("GET", "/api/v1/sessions/{session_id}/basket", VIEWERS, "read"),
    *rules("POST", "/api/v1/sessions/{session_id}/close", STAFF),
)


class CheckedIn(Shape):
    """Somebody is checked in.

    Attributes:
        checkin_id: Id of the check-in; sent again with the same id, it is the same check-in.
        session_id: The basket they pay with.
        basket_link: Path of the shopper's own page; whoever has it sees this basket.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"checkin_id": "c-1", "session_id": "c-1", "basket_link": "/s/Yy0x..."}]
        }
    )

    checkin_id: str
    session_id: str
    basket_link: str | None


class SessionClosed(Shape):
    """A session is closed.

    Attributes:
        session_id: The session.
        receipts: Its receipt; ``None`` for staff, who get none.
    """

    session_id: str
    receipts: SessionReceipts | None


def router(
    shop: ShownShop, basket_link: Callable[[str], str | None] = lambda session_id: None
) -> APIRouter:
    """Sessions of a shop.

    Args:
        shop: The device.
        basket_link: Path of a session's page for its shopper; ``None`` where there is none.
    """
    routes = APIRouter(tags=["sessions"])

    @routes.post("/api/v1/checkins", responses=refusals(409, 422, 503))
    def check_in(asked: AskedCheckIn) -> CheckedIn:
        """Check somebody in at the entry."""
        checkin = shop.check_in(asked)
        return CheckedIn(
            checkin_id=checkin.checkin_id,
            session_id=checkin.group,
            basket_link=None if checkin.role == "staff" else basket_link(checkin.group),
        )

    @routes.get("/api/v1/sessions/{session_id}/basket", responses=refusals(404, 409))
    def basket(session_id: Name) -> ShownBasket:
        """What a session holds now, or held when it closed."""
        return shop.basket(session_id)

    @routes.post("/api/v1/sessions/{session_id}/close", responses=refusals(404, 409, 503))
    def close(request: Request, session_id: Name) -> SessionClosed:
        """Close a session whose people have left unseen: its receipt follows."""
        receipts = shop.close_session(session_id)
        request.state.audited = f"closed session {session_id}"
        return SessionClosed(session_id=session_id, receipts=receipts)

    return routes
