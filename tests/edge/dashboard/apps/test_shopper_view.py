from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.checkout.correcting import Verdict
from edge.checkout.desk import Desk
from edge.dashboard.views.shopper import ShopperView, shopper_view
from tests.edge.checkout.shopping import (
    OPENED_AT_S,
    check_in,
    event,
    moment,
    open_desk,
    open_ledger,
)
from tests.edge.score.scored_shops import leave, record


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_ledger(tmp_path) as ledger:
        desk = open_desk(ledger)
        check_in(desk, "ann")
        check_in(desk, "bob")
        check_in(desk, "staff-1")
        yield desk


def seen(desk: Desk, session: str = "ann") -> ShopperView:
    view = shopper_view(desk, session)
    assert view is not None
    return view


def test_what_is_taken_is_there_at_once_and_each_take_by_itself(desk: Desk) -> None:
    assert (seen(desk).shopping, seen(desk).lines, seen(desk).total) == (True, (), "0.00")
    record(desk, event("e-1"), "ann")
    record(desk, event("e-2", quantity=2, at_s=20), "ann")
    record(desk, event("e-3", sku="bear", at_s=30), "bob")
    (line,) = seen(desk).lines
    assert (line.name, line.quantity, line.unit_price, line.total) == (
        "Oat milk",
        3,
        "2.49",
        "7.47",
    )
    assert [(take.quantity, take.happened_at) for take in line.takes] == [
        (1, OPENED_AT_S + 10),
        (2, OPENED_AT_S + 20),
    ]
    assert seen(desk).crops == {"e-1/1.jpg", "e-2/1.jpg"}
    assert (seen(desk).receipt_id, seen(desk).version, seen(desk).closed_at) == (None, 0, None)


def test_what_is_being_checked_is_told_and_not_charged(desk: Desk) -> None:
    unsure = event("e-1", sku=None, outcome="review", candidates=(("milk", 0.6), ("tea", 0.4)))
    record(desk, unsure, "ann")
    view = seen(desk)
    assert (view.total, view.lines) == ("0.00", ())
    (checking,) = view.checking
    assert checking.kind == "take"
    assert "Oat milk" in checking.names
    assert shopper_view(desk, "bob") == seen(desk, "bob")
    assert seen(desk, "bob").checking == ()


def test_after_leaving_the_receipt_is_shown_with_its_tax_and_corrections(desk: Desk) -> None:
    record(desk, event("e-1", quantity=2), "ann")
    leave(desk, "ann")
    view = seen(desk)
    assert not view.shopping
    assert (view.receipt_id, view.version) == ("ann-r1", 1)
    assert view.closed_at is not None
    assert [(tax.percent, tax.tax) for tax in view.taxes] == [("19", "0.80")]
    (line,) = view.lines
    desk.refund("r-1", line.takes[0].line_id, 1, reviewer="eve", reason="damaged", at=moment(90))
    after = seen(desk)
    assert (after.version, after.total) == (2, "2.49")
    (back,) = after.given_back
    assert (back.name, back.quantity, back.amount) == ("Oat milk", 1, "2.49")


@pytest.mark.parametrize("upheld", [True, False])
def test_an_objection_is_followed_to_its_end(desk: Desk, upheld: bool) -> None:
    record(desk, event("e-1"), "ann")
    line_id = seen(desk).lines[0].takes[0].line_id
    desk.open_dispute("d-1", line_id, 1, reason="I put it back", at=moment(40))
    (open_one,) = seen(desk).objections
    assert (open_one.state, open_one.reason, open_one.answer) == ("open", "I put it back", "")
    assert seen(desk).lines[0].takes[0].disputed
    desk.settle_dispute("d-1", upheld, reviewer="eve", reason="seen on the shelf", at=moment(50))
    (ended,) = seen(desk).objections
    assert ended.state == ("upheld" if upheld else "declined")
    assert ended.answer == "seen on the shelf"
    assert seen(desk).total == ("0.00" if upheld else "2.49")
    assert "eve" not in seen(desk).model_dump_json()


def test_a_settled_review_comes_to_the_basket(desk: Desk) -> None:
    record(desk, event("e-1", sku=None, outcome="review", candidates=(("tea", 0.9),)), "ann")
    (review,) = desk.shop.open_reviews()
    verdict = Verdict("eve", "tea", "ann", 1)
    desk.settle_review(review.review_id, verdict, at=moment(60))
    assert [line.sku for line in seen(desk).lines] == ["tea"]
    assert seen(desk).checking == ()


def test_staff_and_strangers_have_no_basket_to_look_at(desk: Desk) -> None:
    assert shopper_view(desk, "staff-1") is None
    assert shopper_view(desk, "nobody") is None
