from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from calibration.planogram import Facing, Planogram
from edge.checkout.basket import Attribution
from edge.checkout.correcting import Verdict
from edge.checkout.desk import Desk
from edge.dashboard.views.stock import ShownStock, stock_of_ledger, stock_shape
from edge.events import InteractionEvent
from tests.edge.checkout.shopping import check_in, event, moment, open_desk, open_ledger


def facing(sku: str, u_m: float, stock: int) -> Facing:
    return Facing(
        fixture="fixture-1",
        u_m=u_m,
        v_m=0.1,
        width_m=0.3,
        height_m=0.3,
        depth_m=0.3,
        sku=sku,
        capacity=6,
        stock=stock,
    )


PLANOGRAM = Planogram(
    facings={"A1": facing("milk", 0.0, 3), "A2": facing("bear", 0.4, 6)},
)


def at(happened: InteractionEvent, place: str) -> InteractionEvent:
    return replace(happened, facing=place)


def shown(desk: Desk) -> ShownStock:
    stock = stock_of_ledger(PLANOGRAM, desk.shop)
    return stock_shape(stock, PLANOGRAM, desk.name_of, "ledger")


def test_a_hub_knows_its_shelves_from_its_ledger(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        desk = open_desk(ledger)
        check_in(desk, "ann")

        def happen(happened: InteractionEvent) -> None:
            desk.record(happened, Attribution(("ann",), "near"), wall_time_s=1e9)

        happen(at(event("e-1", quantity=3), "A1"))
        happen(at(event("e-2", "put_back", at_s=20), "A2"))
        stock = shown(desk)
        milk, bear = stock.facings
        assert (milk.name, milk.pieces, milk.missing, milk.level) == ("Oat milk", 0, 6, "empty")
        assert (bear.pieces, bear.level) == (6, "well")
        (stray,) = stock.misplaced
        assert (stray.name, stray.facing, stray.belongs_at) == ("Oat milk", "A2", ("A1",))

        happen(at(event("e-3", at_s=30), "A2"))
        assert shown(desk).misplaced == ()


def test_what_a_person_settled_counts_as_they_saw_it(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        desk = open_desk(ledger)
        check_in(desk, "ann")
        unsure = at(event("e-1", sku="bear", outcome="review", quantity=1), "A2")
        desk.record(unsure, Attribution(("ann",), "near"), wall_time_s=1e9)
        assert shown(desk).facings[1].pieces == 5
        verdict = Verdict("ann", "bear", "ann", 4)
        desk.settle_review("e-1", verdict, at=moment(40))
        assert (shown(desk).facings[1].pieces, shown(desk).facings[1].level) == (2, "low")
