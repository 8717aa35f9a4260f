from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge.checkout.ledger import Ledger
from edge.score.scoreboard import InteractionCount, count_receipts, score, together
from edge.score.truth import Truth
from tests.edge.checkout.shopping import check_in, event, open_desk, open_ledger
from tests.edge.score.scored_shops import did, leave, record, shopper, truth


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path) as opened:
        yield opened


def test_a_shop_without_mistakes_is_right(ledger: Ledger) -> None:
    desk = open_desk(ledger)
    check_in(desk, "ann")
    record(desk, event("e-1"), "ann")
    leave(desk, "ann")
    figures = score(
        ledger.entries(), truth([shopper("ann", ("milk", 1))], [did("ann")]), {"ann": 61.5}
    )
    assert (figures.receipts.f1, figures.receipts.exact_share) == (1, 1)
    assert figures.receipts.shop_accuracy == 1
    assert figures.receipts.wrong_share == 0
    assert figures.review_share == 0
    assert figures.exit_quantile_s(0.95) == 1.5
    assert figures.reviewed == figures.receipts


def test_pieces_are_counted_by_what_was_charged_and_carried_out() -> None:
    count = count_receipts(
        {"ann": Counter(milk=2, tea=1), "bob": Counter(bear=1)},
        {"ann": Counter(milk=1, tea=2), "bob": Counter(bear=1)},
    )
    assert (count.true_pieces, count.charged_pieces, count.right_pieces) == (4, 4, 3)
    assert count.f1 == 0.75
    assert (count.lines, count.wrong_lines, count.missed_lines) == (3, 1, 1)
    assert (count.exact, count.receipts, count.right_shops) == (1, 2, 0)
    assert count.association_errors == 0


def test_the_right_product_at_the_wrong_shopper_is_an_association_error(ledger: Ledger) -> None:
    desk = open_desk(ledger)
    check_in(desk, "ann")
    check_in(desk, "bob")
    record(desk, event("e-1", quantity=2), "bob")
    leave(desk, "ann", "bob")
    figures = score(
        ledger.entries(),
        truth([shopper("ann", ("milk", 2)), shopper("bob")], [did("ann", quantity=2)]),
    )
    assert figures.receipts.association_errors == 2
    assert figures.kinds["take"].right == 1
    assert figures.receipts.f1 == 0


def test_a_group_is_compared_as_one(ledger: Ledger) -> None:
    desk = open_desk(ledger)
    check_in(desk, "ann", group="ann")
    check_in(desk, "bob", group="ann")
    record(desk, event("e-1", quantity=2), "bob")
    leave(desk, "ann", "bob")
    figures = score(
        ledger.entries(),
        truth(
            [shopper("ann", ("milk", 1)), shopper("bob", ("milk", 1), group="ann", left_at_s=70)],
            [did("ann", at_s=10), did("bob", at_s=10.5)],
        ),
        {"ann": 72.0},
    )
    assert (figures.receipts.receipts, figures.receipts.exact) == (1, 1)
    assert figures.exit_to_receipt_s == (2.0,)


def test_whoever_should_have_a_receipt_and_has_none_is_missed(ledger: Ledger) -> None:
    figures = score(ledger.entries(), truth([shopper("ann", ("milk", 1))], [did("ann")]))
    assert (figures.receipts.exact, figures.receipts.missed_lines) == (0, 1)
    assert figures.kinds["take"].recall == 0
    assert figures.kinds["take"].precision is None


def test_an_empty_basket_that_stays_empty_is_exact(ledger: Ledger) -> None:
    desk = open_desk(ledger)
    check_in(desk, "ann")
    leave(desk, "ann")
    figures = score(ledger.entries(), truth([shopper("ann")], []))
    assert figures.receipts.exact == 1
    assert figures.receipts.f1 is None


def reviewed_day(ledger: Ledger) -> Truth:
    """A take that is in review between two, and one of a product that was not sure."""
    desk = open_desk(ledger)
    check_in(desk, "ann")
    check_in(desk, "bob")
    record(desk, event("e-1"), "ann", "bob")
    record(
        desk,
        event("e-2", at_s=20, outcome="review", candidates=(("milk", 0.6), ("tea", 0.4))),
        "bob",
    )
    record(desk, event("e-3", sku="bear", at_s=30), "ann")
    record(desk, event("e-4", at_s=40), "ann", "bob")
    leave(desk, "ann", "bob")
    return truth(
        [shopper("ann", ("bear", 1)), shopper("bob", ("milk", 1), ("tea", 2))],
        [
            did("bob", at_s=10),
            did("bob", sku="tea", quantity=2, at_s=20, behaviour="take_two"),
            did("ann", sku="bear", at_s=30),
            did("ann", "touch", quantity=0, at_s=40),
        ],
    )


def test_an_ideal_review_settles_by_what_really_happened(ledger: Ledger) -> None:
    figures = score(ledger.entries(), reviewed_day(ledger))
    assert figures.open_reviews == 3
    assert figures.review_share == 0.75
    assert (figures.receipts.exact, figures.receipts.f1) == (1, 0.4)
    assert (figures.reviewed.exact, figures.reviewed.f1) == (2, 1)
    assert figures.reviewed.association_errors == 0


def test_kinds_and_behaviours_are_told_apart(ledger: Ledger) -> None:
    figures = score(ledger.entries(), reviewed_day(ledger))
    take = figures.kinds["take"]
    assert (take.true, take.found, take.right, take.unasked) == (3, 3, 2, 2)
    assert take.precision == 0.75
    assert figures.behaviours["take_two"] == InteractionCount(1, 1, 0, 0)
    assert figures.touches == (0, 1)


def test_a_put_back_in_review_comes_off_in_an_ideal_review(ledger: Ledger) -> None:
    desk = open_desk(ledger)
    check_in(desk, "ann")
    check_in(desk, "bob")
    record(desk, event("e-1"), "ann")
    record(desk, event("e-2", at_s=12), "bob")
    record(desk, event("e-3", "put_back", at_s=30), "ann", "bob")
    leave(desk, "ann", "bob")
    figures = score(
        ledger.entries(),
        truth(
            [shopper("ann", ("milk", 1)), shopper("bob")],
            [did("ann", at_s=10), did("bob", at_s=12), did("bob", "put_back", at_s=30)],
        ),
    )
    # Neither is charged before it is clear which of the two put it back.
    assert (figures.receipts.exact, figures.receipts.lines, figures.receipts.wrong_lines) == (
        1,
        0,
        0,
    )
    assert (figures.reviewed.exact, figures.reviewed.lines) == (2, 1)
    assert figures.kinds["put_back"].recall == 1


def test_an_ideal_review_adds_what_a_doubtful_number_left_open(ledger: Ledger) -> None:
    desk = open_desk(ledger)
    check_in(desk, "ann")
    record(desk, replace(event("e-1", quantity=1, outcome="review"), certain=1), "ann")
    leave(desk, "ann")
    for taken, exact in ((1, (1, 1)), (2, (0, 1))):
        figures = score(
            ledger.entries(), truth([shopper("ann", ("milk", taken))], [did("ann", quantity=taken)])
        )
        assert (figures.receipts.exact, figures.reviewed.exact) == exact
    nothing = score(ledger.entries(), truth([shopper("ann")], []))
    assert (nothing.receipts.exact, nothing.reviewed.exact) == (0, 1)


def test_several_shops_are_counted_together(ledger: Ledger, tmp_path: Path) -> None:
    first = score(ledger.entries(), reviewed_day(ledger), {"ann": 62, "bob": 61})
    with Ledger(tmp_path / "other.sqlite", "demo") as other:
        desk = open_desk(other)
        check_in(desk, "cid")
        leave(desk, "cid")
        second = score(other.entries(), truth([shopper("cid")], []), {"cid": 60.5})
    whole = together([first, second])
    assert (whole.receipts.shops, whole.receipts.right_shops) == (2, 1)
    assert whole.receipts.exact == 2
    assert list(whole.exit_to_receipt_s) == [0.5, 1, 2]
    assert [whole.exit_quantile_s(share) for share in (0.5, 0.95)] == [1, 2]
    assert whole.kinds["take"].true == 3
    assert together([]).receipts.f1 is None
