from __future__ import annotations

from pathlib import Path

import pytest

from edge.checkout.basket import Attribution
from edge.checkout.correcting import Verdict
from edge.checkout.desk import Desk
from edge.errors import CheckoutError
from tests.edge.checkout.shopping import (
    OPENED_AT_S,
    check_in,
    event,
    moment,
    open_desk,
    open_ledger,
)

DAY_S = 86_400.0


def visit(desk: Desk, name: str, at_s: float, outcome: str = "accept") -> None:
    check_in(desk, name, at_s=at_s)
    desk.record(
        event(f"e-{name}", at_s=at_s + 5, outcome=outcome),  # type: ignore[arg-type]
        Attribution((name,), "near"),
        wall_time_s=OPENED_AT_S + at_s + 5,
    )
    desk.leave(name, at=moment(at_s + 10))


def test_what_ended_long_ago_is_let_go_and_the_ledger_keeps_it(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        desk = open_desk(ledger)
        for day in range(5):
            visit(desk, f"v{day}", day * DAY_S)
        digest = ledger.digest()
        assert desk.forget(OPENED_AT_S + 3 * DAY_S, 4 * DAY_S + 20) == 3
        shop = desk.shop
        assert list(shop.baskets) == ["v3", "v4"]
        assert list(shop.interactions) == ["e-v3", "e-v4"]
        assert list(shop.receipts) == ["v3", "v4"]
        assert (list(shop.line_sessions), list(shop.session_of_member)) == (
            ["e-v3", "e-v4"],
            ["v3", "v4"],
        )
        assert ledger.digest() == digest
    with open_ledger(tmp_path) as ledger:
        assert len(open_desk(ledger).shop.receipts) == 5


def test_what_is_open_is_remembered_however_old_it_is(tmp_path: Path) -> None:
    with open_ledger(tmp_path) as ledger:
        desk = open_desk(ledger)
        visit(desk, "asked", 0.0, outcome="review")
        visit(desk, "disputed", 100.0)
        visit(desk, "gone", 200.0)
        check_in(desk, "inside", at_s=300.0)
        desk.open_dispute("d-1", "e-disputed", 1, reason="not mine", at=moment(400))
        far_s = OPENED_AT_S + 100 * DAY_S
        assert desk.forget(far_s, 100 * DAY_S) == 1
        assert list(desk.shop.baskets) == ["asked", "disputed", "inside"]
        later = moment(99 * DAY_S)
        desk.settle_review("e-asked", Verdict("maria", "milk", "asked", 1), at=later)
        desk.settle_dispute("d-1", True, reviewer="maria", reason="seen", at=later)
        assert desk.shop.receipts["asked"][-1].quantities() == {"milk": 1}
        assert desk.shop.receipts["disputed"][-1].quantities() == {}
        desk.leave("inside", at=later)
        assert "inside" in desk.shop.receipts


def test_whoever_left_just_now_is_remembered_whatever_the_clock_on_the_wall_shows(
    tmp_path: Path,
) -> None:
    with open_ledger(tmp_path) as ledger:
        desk = open_desk(ledger)
        visit(desk, "now", 1000.0)
        assert desk.forget(OPENED_AT_S + 100 * DAY_S, 1500.0) == 0
        assert desk.forget(OPENED_AT_S + 100 * DAY_S, 1010.0 + 3601.0) == 1
        with pytest.raises(CheckoutError, match="there is no line e-now"):
            desk.refund("r-1", "e-now", 1, reviewer="maria", reason="late", at=moment(9000))
