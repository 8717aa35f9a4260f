"""Truths by hand, and desks that were told something else."""

from __future__ import annotations

from edge.checkout.basket import Attribution
from edge.checkout.desk import Desk
from edge.events import InteractionEvent
from edge.score.truth import Piece, TrueInteraction, TrueShopper, Truth
from tests.edge.checkout.shopping import OPENED_AT_S, moment


def shopper(
    name: str,
    *carried: tuple[str, int],
    group: str = "",
    role: str = "shopper",
    left_at_s: float = 60,
) -> TrueShopper:
    return TrueShopper(
        shopper=f"label {name}",
        checkin_id=name,
        role="staff" if role == "staff" else "shopper",
        group=group or name,
        left_at_s=left_at_s,
        receipt=tuple(Piece(sku=sku, quantity=quantity) for sku, quantity in carried),
    )


def did(
    name: str,
    kind: str = "take",
    sku: str | None = "milk",
    *,
    at_s: float = 10.0,
    quantity: int = 1,
    behaviour: str = "",
    facing: str = "facing-1",
) -> TrueInteraction:
    return TrueInteraction.model_validate(
        {
            "kind": kind,
            "behaviour": behaviour or kind,
            "shopper": f"label {name}",
            "fixture": "fixture-1",
            "facing": facing,
            "sku": sku,
            "quantity": quantity,
            "started_at_s": at_s - 1.5,
            "ended_at_s": at_s,
            "camera": "shelf-1",
        }
    )


def truth(shoppers: list[TrueShopper], interactions: list[TrueInteraction]) -> Truth:
    return Truth(schema_version=1, shoppers=tuple(shoppers), interactions=tuple(interactions))


def record(desk: Desk, event: InteractionEvent, *sessions: str) -> None:
    attribution = Attribution(sessions, "within 0.3 m")
    desk.record(event, attribution, wall_time_s=OPENED_AT_S + event.ended_at_s)


def leave(desk: Desk, *names: str, at_s: float = 60.0) -> None:
    for name in names:
        desk.leave(name, at=moment(at_s))
