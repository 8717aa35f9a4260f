"""Disputes: what shoppers object to, and how people end it."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field

from edge.dashboard.access import STAFF, VIEWERS
from edge.dashboard.shown import ShownShop, Wanted
from edge.dashboard.views.receipts import ShownDispute
from web.access import Rule, rules
from web.asking import After, Limit, Name, refusals, who
from web.shape import Listed, Shape

RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", "/api/v1/disputes", VIEWERS, "read"),
    *rules("POST", "/api/v1/disputes", STAFF),
    *rules("POST", "/api/v1/disputes/{dispute_id}/verdict", STAFF),
)
_Id = Annotated[str, Field(min_length=1, max_length=200)]
_Reason = Annotated[str, Field(max_length=500)]


class AskedDispute(Shape):
    """A shopper's objection that staff writes down.

    Attributes:
        dispute_id: Of whoever asks; the same id is the same dispute, however often it is sent.
        session: Whose line it is.
        line_id: Line of the basket, from a basket's line or one of the receipt's proofs.
        quantity: Pieces.
        reason: What the shopper says.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "dispute_id": "d-71f0",
                    "session": "c-1",
                    "line_id": "20260302T080000Z-shelf-1-0000301-0",
                    "quantity": 1,
                    "reason": "I put it back",
                }
            ]
        }
    )

    dispute_id: _Id
    session: _Id
    line_id: _Id
    quantity: Annotated[int, Field(ge=1, le=1000)] = 1
    reason: _Reason = ""


class AskedDisputeVerdict(Shape):
    """How a dispute ends.

    Attributes:
        upheld: Whether the shopper is right: then the pieces leave the basket or are given back.
        reason: In words, for the shopper.
    """

    upheld: bool
    reason: _Reason = ""


def router(shop: ShownShop) -> APIRouter:
    """The disputes of a shop."""
    routes = APIRouter(tags=["receipts"])

    @routes.get("/api/v1/disputes", responses=refusals(409, 422))
    def disputes(
        wanted: Wanted = "open", after: After = None, limit: Limit = 50
    ) -> Listed[ShownDispute]:
        """Open disputes oldest first, settled ones newest first."""
        return shop.disputes(wanted, after=after, limit=limit)

    @routes.post("/api/v1/disputes", responses=refusals(404, 409, 422, 503))
    def open_dispute(request: Request, asked: AskedDispute) -> ShownDispute:
        """Write down a shopper's objection."""
        opened = shop.open_dispute(
            asked.session, asked.dispute_id, asked.line_id, asked.quantity, reason=asked.reason
        )
        request.state.audited = f"wrote down dispute {asked.dispute_id} of line {asked.line_id}"
        return opened

    @routes.post("/api/v1/disputes/{dispute_id}/verdict", responses=refusals(404, 409, 422, 503))
    def settle(request: Request, dispute_id: Name, verdict: AskedDisputeVerdict) -> ShownDispute:
        """End a dispute."""
        settled = shop.settle_dispute(
            dispute_id, verdict.upheld, reviewer=who(request), reason=verdict.reason
        )
        how = "upheld" if verdict.upheld else "rejected"
        request.state.audited = f"{how} dispute {dispute_id}"
        return settled

    return routes
