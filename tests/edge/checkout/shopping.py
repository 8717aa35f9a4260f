"""Products, events and desks that the checkout's tests share."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from pathlib import Path

from edge.checkout.basket import Moment
from edge.checkout.desk import Desk
from edge.checkout.ledger import Ledger
from edge.checkout.message import Receiver
from edge.checkout.money import Tax
from edge.checkout.receipt import Terms
from edge.events import Candidate, Evidence, InteractionEvent, InteractionKind, Recognition
from models import decision as rule
from models.catalogue import Product

OPENED_AT_S = 1_772_438_400.0  # 2026-03-02T08:00:00Z
STORE = "demo"
TERMS = Terms(
    store_id=STORE,
    store_name="Walkout demo shop",
    currency="EUR",
    tax=Tax(percent=Decimal(19)),
    timezone="Europe/Berlin",
)
PRODUCTS = (
    Product(sku="milk", name="Oat milk", price=Decimal("2.49"), currency="EUR"),
    Product(sku="bear", name="Teddy bear", price=Decimal("12.99"), currency="EUR"),
    Product(
        sku="tea",
        name="Green <tea> & mint",
        price=Decimal("3.05"),
        currency="EUR",
        gtin="4006381333931",
    ),
)
THRESHOLDS = rule.ThresholdPair(
    pool=1,
    tl=0.25,
    tl_full=0.3,
    th=0.6,
    accepted_share=0.9,
    accepted_error_bound=0.01,
    rejected_error_bound=0.01,
    fitted_on=500,
)


def moment(captured_at_s: float) -> Moment:
    return Moment(captured_at_s, OPENED_AT_S + captured_at_s)


def recognition(sku: str | None, outcome: rule.Outcome) -> Recognition:
    nearest = sku or "milk"
    return Recognition(
        decision=rule.Decision(
            outcome=outcome,
            stage="at_once",
            sku=sku,
            candidates=(rule.Candidate(nearest, 0.21),),
            distance=0.21,
            margin=0.1,
            gated=0.06,
            thresholds=THRESHOLDS,
            crops=4,
            reason="gated distance 0.060 is within TL 0.250",
        ),
        category="groceries",
        bundle_version="3",
        space_id="space-1",
        precision="fp32",
        product_name=None,
        crops_given=5,
        crops_agreed=4,
        routing="",
    )


def event(
    event_id: str,
    kind: InteractionKind = "take",
    sku: str | None = "milk",
    *,
    at_s: float = 10.0,
    quantity: int = 1,
    outcome: rule.Outcome = "accept",
    candidates: tuple[tuple[str, float], ...] = (),
) -> InteractionEvent:
    return InteractionEvent(
        event_id=event_id,
        kind=kind,
        camera="shelf-1",
        fixture="fixture-1",
        facing="facing-1",
        started_at_s=at_s - 1.5,
        ended_at_s=at_s,
        floor_m=(1.0, 2.0),
        sku=sku,
        quantity=quantity,
        outcome=outcome,
        candidates=tuple(Candidate(name, 0.3, share) for name, share in candidates),
        evidence=Evidence(
            crops=(f"{event_id}/1.jpg",),
            clip=f"shelf-1 {at_s - 1.5:.2f}-{at_s:.2f}",
            recognition=recognition(sku, outcome),
            reason="gated distance 0.060 is within TL 0.250",
        ),
    )


class Clock:
    """A clock that tests set, for waits without waiting."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def open_ledger(folder: Path) -> Ledger:
    return Ledger(folder / "ledger.sqlite", STORE)


def open_desk(ledger: Ledger, receivers: Collection[Receiver] = ()) -> Desk:
    return Desk(ledger, TERMS, PRODUCTS, receivers)


def check_in(desk: Desk, name: str, *, at_s: float = 1.0, group: str | None = None) -> None:
    desk.check_in(
        name,
        token_hash=f"hash-of-{name}",
        shopper=f"shopper {name}",
        role="staff" if name.startswith("staff") else "shopper",
        at=moment(at_s),
        group=group,
    )
