"""Receipts, and giving pieces back."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field

from edge.dashboard.access import STAFF, VIEWERS
from edge.dashboard.shown import ShownShop
from edge.dashboard.views.receipts import ReceiptBrief, SessionReceipts
from web.access import Rule, rules
from web.asking import After, Limit, Name, refusals, who
from web.shape import Listed, Shape

RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", "/api/v1/receipts", VIEWERS, "read"),
    *rules("GET", "/api/v1/receipts/{session_id}", VIEWERS, "read"),
    *rules("GET", "/api/v1/receipts/{session_id}/page.html", VIEWERS, "read"),
    *rules("POST", "/api/v1/receipts/{session_id}/refunds", STAFF),
)
_Id = Annotated[str, Field(min_length=1, max_length=200)]


class AskedRefund(Shape):
    """Pieces to be given back.

    Attributes:
        refund_id: Of whoever asks; the same id is the same refund, however often it is sent.
        line_id: Line of the basket, from one of the receipt's proofs.
        quantity: Pieces.
        reason: Why, for the till and the shopper.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "refund_id": "f3b0c9",
                    "line_id": "20260302T080000Z-shelf-1-0000301-0",
                    "quantity": 1,
                    "reason": "the carton was open",
                }
            ]
        }
    )

    refund_id: _Id
    line_id: _Id
    quantity: Annotated[int, Field(ge=1, le=1000)] = 1
    reason: Annotated[str, Field(min_length=1, max_length=500)]


def router(shop: ShownShop) -> APIRouter:
    """The receipts of a shop."""
    routes = APIRouter(tags=["receipts"])

    @routes.get("/api/v1/receipts", responses=refusals(409, 422))
    def receipts(after: After = None, limit: Limit = 50) -> Listed[ReceiptBrief]:
        """Visits that have ended, newest first."""
        return shop.receipts(after=after, limit=limit)

    @routes.get("/api/v1/receipts/{session_id}", responses=refusals(404, 409))
    def receipt(session_id: Name) -> SessionReceipts:
        """All versions of a receipt with the evidence of every line, its refunds and disputes."""
        return shop.receipt(session_id)

    @routes.get(
        "/api/v1/receipts/{session_id}/page.html",
        response_class=Response,
        responses={**refusals(404, 409), 200: {"content": {"text/html": {}}}},
    )
    def page(session_id: Name) -> Response:
        """The newest version as a file to keep, print or send, its pictures within it."""
        # Kept as a file: it brings its own style, which no page of this server may.
        kept = {"Content-Disposition": 'attachment; filename="receipt.html"'}
        return Response(shop.receipt_page(session_id), media_type="text/html", headers=kept)

    @routes.post("/api/v1/receipts/{session_id}/refunds", responses=refusals(404, 409, 422, 503))
    def refund(request: Request, session_id: Name, asked: AskedRefund) -> SessionReceipts:
        """Give pieces of a line back: a corrected receipt follows, and the till is told."""
        given = shop.refund(
            session_id,
            asked.refund_id,
            asked.line_id,
            asked.quantity,
            reviewer=who(request),
            reason=asked.reason,
        )
        request.state.audited = f"gave back {asked.quantity} of line {asked.line_id}"
        return given

    return routes
