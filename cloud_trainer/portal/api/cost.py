"""What it costs: assumptions in, everything that follows from them and from what was measured out.

The formulas and the answer's shape are ``cloud_trainer.cost``'s.
"""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request

from cloud_trainer.cost.assumptions import Assumptions
from cloud_trainer.cost.measured import Measurements
from cloud_trainer.cost.reckoning import reckon
from cloud_trainer.portal.access import DEVELOPERS
from cloud_trainer.portal.shown import Portal
from cloud_trainer.portal.views.fleet import Measured
from web.access import Rule, rules
from web.asking import refusals
from web.shape import API

RULES: Final[tuple[Rule, ...]] = (
    # Nothing is kept of what is reckoned, so the audit log has nothing to tell.
    *rules("POST", f"{API}/cost", DEVELOPERS, "read", audited=False),
)


def router(portal: Portal) -> APIRouter:
    """The cost model."""
    routes = APIRouter(tags=["cost"])

    @routes.post(f"{API}/cost", responses=refusals(422))
    def cost(request: Request, assumptions: Assumptions) -> dict[str, Any]:
        """What it costs by these assumptions; what they do not name is measured or a default."""
        return reckon(assumptions, measurements(portal.measured())).document()

    return routes


def measurements(measured: Measured) -> Measurements:
    """What the portal measured, as the cost model takes it."""
    decisions = measured.decisions
    networks, trainings = measured.bundle_bytes.values(), measured.training_s.values()
    return Measurements(
        decisions=decisions.accepts + decisions.reviews + decisions.rejects,
        reviews=decisions.reviews,
        product_bytes=measured.product_bytes,
        network_bytes=sum(networks) / len(networks) if networks else None,
        training_s=sum(trainings) / len(trainings) if trainings else None,
        enrolment_s=measured.enrolment_s,
        products=measured.products or None,
        categories=len(networks) or None,
        product_changes_per_week=measured.product_changes_per_week or None,
    )
