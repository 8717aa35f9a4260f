from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.checkout.ledger import Ledger
from edge.checkout.shop import fold
from edge.score.matchup import match_up
from edge.score.mistakes import Mistake, find_mistakes
from edge.score.scoreboard import events_of
from edge.score.truth import Truth
from tests.edge.checkout.shopping import check_in, event, open_desk, open_ledger
from tests.edge.score.scored_shops import did, leave, record, shopper, truth


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path) as opened:
        yield opened


def mistakes(ledger: Ledger, true: Truth) -> tuple[Mistake, ...]:
    shop = fold(ledger.entries())
    return find_mistakes(shop, true, match_up(true.interactions, events_of(shop)))


def reasons(found: tuple[Mistake, ...]) -> list[tuple[str, str, str]]:
    return [(each.session_id, each.kind, each.causes[0].reason) for each in found]


def test_a_right_receipt_has_no_mistakes(ledger: Ledger) -> None:
    desk = open_desk(ledger)
    check_in(desk, "ann")
    record(desk, event("e-1"), "ann")
    leave(desk, "ann")
    assert mistakes(ledger, truth([shopper("ann", ("milk", 1))], [did("ann")])) == ()


def test_a_line_at_the_wrong_shopper_says_whose_it_was(ledger: Ledger) -> None:
    desk = open_desk(ledger)
    check_in(desk, "ann")
    check_in(desk, "bob")
    record(desk, event("e-1"), "bob")
    leave(desk, "ann", "bob")
    found = mistakes(ledger, truth([shopper("ann", ("milk", 1)), shopper("bob")], [did("ann")]))
    assert reasons(found) == [
        ("ann", "missed", "take at facing-1, 8.5 s: attributed to bob"),
        ("bob", "wrongly_charged", "right product, wrong shopper: label ann took it"),
    ]
    assert found[1].causes[0].crops == ("e-1/1.jpg",)
    assert "within 0.3 m" in found[1].causes[0].said


def test_another_product_is_named_on_both_lines(ledger: Ledger) -> None:
    desk = open_desk(ledger)
    check_in(desk, "ann")
    record(desk, event("e-1", sku="tea"), "ann")
    leave(desk, "ann")
    found = mistakes(ledger, truth([shopper("ann", ("milk", 1))], [did("ann")]))
    assert reasons(found) == [
        ("ann", "missed", "take at facing-1, 8.5 s: taken for tea"),
        ("ann", "wrongly_charged", "it was milk, taken as tea"),
    ]


def test_what_no_camera_saw_what_nobody_did_and_what_is_in_review(ledger: Ledger) -> None:
    desk = open_desk(ledger)
    check_in(desk, "ann")
    record(desk, event("e-1", sku="bear", at_s=50), "ann")
    record(desk, event("e-2", sku="tea", at_s=30, outcome="review"), "ann")
    leave(desk, "ann")
    found = mistakes(
        ledger,
        truth(
            [shopper("ann", ("milk", 1), ("tea", 1))],
            [did("ann", at_s=10), did("ann", sku="tea", at_s=30)],
        ),
    )
    assert reasons(found) == [
        ("ann", "wrongly_charged", "nothing was taken there then"),
        ("ann", "missed", "take at facing-1, 8.5 s: no camera saw it"),
        ("ann", "missed", "take at facing-1, 28.5 s: in review, low_confidence"),
    ]


def test_pieces_that_were_not_seen_and_a_put_back_that_was_not(ledger: Ledger) -> None:
    desk = open_desk(ledger)
    check_in(desk, "ann")
    record(desk, event("e-1"), "ann")
    record(desk, event("e-2", sku="tea", at_s=20), "ann")
    leave(desk, "ann")
    found = mistakes(
        ledger,
        truth(
            [shopper("ann", ("milk", 2))],
            [
                did("ann", quantity=2, behaviour="take_two"),
                did("ann", sku="tea", at_s=20),
                did("ann", "put_back", sku="tea", at_s=40),
            ],
        ),
    )
    assert reasons(found) == [
        ("ann", "missed", "take_two at facing-1, 8.5 s: 1 of 2 pieces were seen"),
        ("ann", "wrongly_charged", "put_back at facing-1, 38.5 s: no camera saw it"),
    ]


def test_a_session_without_a_receipt_says_so(ledger: Ledger) -> None:
    desk = open_desk(ledger)
    check_in(desk, "ann")
    record(desk, event("e-1"), "ann")
    (mistake,) = mistakes(ledger, truth([shopper("ann", ("milk", 1))], [did("ann")]))
    assert mistake.causes[-1].reason == "the session has no receipt"
