"""The review queue: what people are asked, and what they say."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Body, Request
from pydantic import Field

from edge.dashboard.access import STAFF, VIEWERS
from edge.dashboard.shown import ShownShop, Wanted
from edge.dashboard.views.reviews import ReviewVerdict, ShownReview
from web.access import Rule, rules
from web.asking import After, Limit, Name, refusals, who
from web.shape import Listed, Shape

RULES: Final[tuple[Rule, ...]] = (
    *rules("GET", "/api/v1/review", VIEWERS, "read", "review"),
    *rules("GET", "/api/v1/review/{review_id}", VIEWERS, "read", "review"),
    *rules("POST", "/api/v1/review/{review_id}/verdict", STAFF, "review"),
    *rules("POST", "/api/v1/review/{review_id}/pass", STAFF, "review"),
)


class PassingOn(Shape):
    """Somebody is not sure.

    Attributes:
        reason: In words; may be empty.
    """

    reason: Annotated[str, Field(max_length=500)] = ""


def router(shop: ShownShop) -> APIRouter:
    """The review queue of a shop."""
    routes = APIRouter(tags=["reviews"])

    @routes.get("/api/v1/review", responses=refusals(409, 422))
    def reviews(
        wanted: Wanted = "open", after: After = None, limit: Limit = 50
    ) -> Listed[ShownReview]:
        """Open reviews in the order of work, settled ones newest first."""
        return shop.reviews(wanted, after=after, limit=limit)

    @routes.get("/api/v1/review/{review_id}", responses=refusals(404, 409))
    def review(review_id: Name) -> ShownReview:
        """One review, open or settled."""
        return shop.review(review_id)

    @routes.post("/api/v1/review/{review_id}/verdict", responses=refusals(404, 409, 422, 503))
    def settle(request: Request, review_id: Name, verdict: ReviewVerdict) -> ShownReview:
        """Say what it was: baskets and receipts follow, and the pictures are kept with it.

        Said twice, it is one answer; another answer than before is refused.
        """
        settled = shop.settle(review_id, verdict, who(request))
        said = verdict.sku or verdict.answer
        request.state.audited = f"settled review {review_id}: {said}"
        return settled

    @routes.post("/api/v1/review/{review_id}/pass", responses=refusals(404, 409, 422, 503))
    def pass_on(
        request: Request, review_id: Name, passing: Annotated[PassingOn | None, Body()] = None
    ) -> ShownReview:
        """Leave it to somebody else: it goes to the end of the queue."""
        passed = shop.pass_on(review_id, who(request), passing.reason if passing else "")
        request.state.audited = f"was not sure of review {review_id}"
        return passed

    return routes
