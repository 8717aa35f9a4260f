from __future__ import annotations

from dataclasses import replace

import pytest

from edge.checkout.basket import Attribution
from edge.checkout.correcting import Verdict
from edge.checkout.desk import Desk
from edge.checkout.entries import Entry
from edge.checkout.putting_back import BY_RULE
from edge.errors import CheckoutError, LedgerConflictError
from edge.events import InteractionEvent
from tests.edge.checkout.shopping import OPENED_AT_S, event, moment

ANNA = Attribution(("anna",), "within 0.3 m")
EITHER = Attribution(("anna", "ben"), "both within 0.5 m")
NOBODY = Attribution((), "nobody within 0.9 m")


def record(
    desk: Desk, seen: InteractionEvent, by: Attribution = ANNA, *, sick: bool = False
) -> tuple[Entry, ...]:
    return desk.record(seen, by, wall_time_s=OPENED_AT_S + seen.ended_at_s, camera_sick=sick)


def held(desk: Desk, session: str = "anna") -> dict[str, int]:
    basket = desk.shop.baskets[session]
    return {line.sku: basket.held(line.sku) for line in basket.lines if basket.held(line.sku)}


def open_reviews(desk: Desk) -> list[tuple[str, str]]:
    return [(review.review_id, review.why) for review in desk.shop.open_reviews()]


def test_an_accepted_take_by_one_session_is_charged_without_a_person(desk: Desk) -> None:
    record(desk, event("e1", quantity=2))
    assert held(desk) == {"milk": 2}
    assert open_reviews(desk) == []
    (line,) = desk.shop.baskets["anna"].lines
    assert line.event.evidence.crops == ("e1/1.jpg",)
    assert line.reviewer is None
    assert "within 0.3 m" in line.reason


@pytest.mark.parametrize(
    ("seen", "by", "sick", "why"),
    [
        (event("e1"), EITHER, False, "several_shoppers"),
        (event("e1"), NOBODY, False, "no_shopper"),
        (event("e1"), ANNA, True, "camera_sick"),
        (event("e1", outcome="review"), ANNA, False, "low_confidence"),
        (event("e1", sku=None, outcome="review"), ANNA, False, "unknown_product"),
        (event("e1", sku="not-sold-here"), ANNA, False, "unknown_product"),
        (event("e1", "put_back"), ANNA, False, "not_taken"),
        (event("e1", "put_back"), NOBODY, False, "no_shopper"),
        (
            event("e1", "put_back", outcome="review", candidates=(("milk", 0.9),)),
            Attribution(("anna", "staff-1"), ""),
            False,
            "several_shoppers",
        ),
        (event("e1"), Attribution(("anna", "staff-1"), ""), False, "several_shoppers"),
    ],
)
def test_what_is_in_doubt_goes_to_review_and_charges_nobody(
    desk: Desk, seen: InteractionEvent, by: Attribution, sick: bool, why: str
) -> None:
    record(desk, seen, by, sick=sick)
    assert open_reviews(desk) == [("e1", why)]
    assert held(desk) == held(desk, "ben") == {}


def test_of_a_doubtful_number_what_is_certain_is_charged_and_the_rest_asked_about(
    desk: Desk,
) -> None:
    record(desk, replace(event("e1", quantity=3, outcome="review"), certain=2))
    assert held(desk) == {"milk": 2}
    (review,) = desk.shop.open_reviews()
    assert (review.why, review.quantity) == ("low_confidence", 3)
    assert "2 charged already" in review.reason
    desk.leave("anna", at=moment(20))
    (pending,) = desk.shop.receipts["anna"][0].pending
    assert pending.quantity == 1


@pytest.mark.parametrize(
    ("said", "anna", "ben"),
    [
        (Verdict("maria", "milk", "anna", 3), {"milk": 3}, {}),
        (Verdict("maria", "milk", "anna", 2), {"milk": 2}, {}),
        (Verdict("maria", "milk", "anna", 1), {"milk": 1}, {}),
        (Verdict("maria", "bear", "anna", 2), {"bear": 2}, {}),
        (Verdict("maria", "milk", "ben", 2), {}, {"milk": 2}),
        (Verdict("maria", None, None, 0), {}, {}),
    ],
)
def test_what_a_person_says_of_a_doubtful_number_replaces_what_was_certain(
    desk: Desk, said: Verdict, anna: dict[str, int], ben: dict[str, int]
) -> None:
    record(desk, replace(event("e1", quantity=3, outcome="review"), certain=2))
    desk.settle_review("e1", said, at=moment(20))
    assert (held(desk), held(desk, "ben")) == (anna, ben)
    assert desk.settle_review("e1", said, at=moment(21)) == ()


def test_what_came_back_before_a_person_looked_is_not_given_back_again(desk: Desk) -> None:
    record(desk, replace(event("e1", quantity=2, outcome="review"), certain=1))
    record(desk, event("e2", "put_back", at_s=20))
    desk.settle_review("e1", Verdict("maria", None, None, 0), at=moment(30))
    assert held(desk) == {}


def test_a_doubtful_number_that_comes_back_whole_needs_no_person(desk: Desk) -> None:
    record(desk, replace(event("e1", quantity=2, outcome="review"), certain=1))
    record(desk, event("e2", "put_back", at_s=20, quantity=2))
    assert held(desk) == {}
    assert open_reviews(desk) == []


@pytest.mark.parametrize(
    ("by", "sku", "why"),
    [(EITHER, "milk", "several_shoppers"), (ANNA, "not-sold-here", "low_confidence")],
)
def test_what_is_in_doubt_otherwise_too_is_asked_about_as_a_whole(
    desk: Desk, by: Attribution, sku: str, why: str
) -> None:
    record(desk, replace(event("e1", sku=sku, quantity=2, outcome="review"), certain=1), by)
    assert held(desk) == {}
    assert [(each.why, each.quantity) for each in desk.shop.open_reviews()] == [(why, 2)]


def test_what_is_certain_of_a_take_can_come_back_and_the_rest_stays_in_review(desk: Desk) -> None:
    record(desk, replace(event("e1", quantity=2, outcome="review"), certain=1))
    record(desk, event("e2", "put_back", at_s=20))
    assert held(desk) == {}
    assert open_reviews(desk) == [("e1", "low_confidence")]


def test_no_more_is_kept_off_a_receipt_than_may_have_come_back(desk: Desk) -> None:
    ben = Attribution(("ben",), "")
    record(desk, event("e1"))
    record(desk, event("e2", at_s=12))
    record(desk, event("e3", sku="bear", at_s=13))
    record(desk, event("e4", at_s=14), ben)
    for number in (5, 6, 7):
        record(desk, event(f"e{number}", "put_back", at_s=20), EITHER)
    basket, reviews = desk.shop.baskets["anna"], desk.shop.open_reviews("anna")
    assert basket.kept_off(reviews[:1]) == {"e2": 1}
    assert basket.kept_off(reviews) == {"e1": 1, "e2": 1}
    assert desk.shop.baskets["ben"].kept_off(reviews) == {"e4": 1}
    assert basket.kept_off(()) == {}


def test_an_object_that_the_shop_does_not_sell_is_recorded_and_nothing_else(desk: Desk) -> None:
    new = record(desk, event("e1", sku=None, outcome="reject"))
    assert [entry.kind for entry in new] == ["interaction_recorded"]


def test_an_object_told_to_be_none_of_the_shops_is_asked_about_where_its_like_is_held(
    desk: Desk,
) -> None:
    record(desk, event("e1"))
    like_milk = event(
        "e2", "put_back", sku=None, outcome="reject", candidates=(("milk", 0.3), ("bear", 0.7))
    )
    record(desk, like_milk)
    assert open_reviews(desk) == [("e2", "low_confidence")]
    assert held(desk) == {"milk": 1}
    record(desk, event("e3", "put_back", sku=None, outcome="reject", candidates=(("bear", 0.9),)))
    assert len(open_reviews(desk)) == 1


def test_the_same_event_again_changes_nothing_even_if_somebody_else_seems_to_have_done_it(
    desk: Desk,
) -> None:
    record(desk, event("e1"))
    assert record(desk, event("e1"), EITHER) == ()
    assert held(desk) == {"milk": 1}


def test_another_event_under_the_same_id_is_refused(desk: Desk) -> None:
    record(desk, event("e1"))
    with pytest.raises(LedgerConflictError, match="e1 is recorded already"):
        record(desk, event("e1", sku="bear"))


def test_an_event_of_a_session_that_nobody_opened_is_refused(desk: Desk) -> None:
    with pytest.raises(CheckoutError, match="nobody checked in as carla"):
        record(desk, event("e1"), Attribution(("carla",), ""))
    assert "e1" not in desk.shop.interactions


def test_a_put_back_releases_the_newest_line_of_its_product(desk: Desk) -> None:
    for name, sku in [("e1", "milk"), ("e2", "bear"), ("e3", "milk")]:
        record(desk, event(name, sku=sku))
    record(desk, event("e4", "put_back"))
    pieces = {line.line_id: line.pieces for line in desk.shop.baskets["anna"].lines}
    assert pieces == {"e1": 1, "e2": 1, "e3": 0}


def test_putting_back_more_than_was_taken_never_makes_a_line_negative(desk: Desk) -> None:
    record(desk, event("e1", quantity=2))
    record(desk, event("e2", "put_back", quantity=3))
    assert held(desk) == {}
    assert open_reviews(desk) == [("e2", "not_taken")]
    assert desk.shop.reviews["e2"].quantity == 1


def test_of_two_who_could_have_put_it_back_the_one_who_holds_it_did(desk: Desk) -> None:
    record(desk, event("e1"))
    record(desk, event("e2", sku="bear"), Attribution(("ben",), ""))
    record(desk, event("e3", "put_back"), EITHER)
    assert held(desk) == {}
    assert held(desk, "ben") == {"bear": 1}
    assert open_reviews(desk) == []


def test_when_both_hold_it_a_person_says_who_put_it_back(desk: Desk) -> None:
    record(desk, event("e1"))
    record(desk, event("e2"), Attribution(("ben",), ""))
    record(desk, event("e3", "put_back"), EITHER)
    assert held(desk) == held(desk, "ben") == {"milk": 1}
    assert open_reviews(desk) == [("e3", "several_shoppers")]


def test_when_the_other_may_hold_it_a_person_says_who_put_it_back(desk: Desk) -> None:
    record(desk, event("e1"))
    record(
        desk,
        event("e2", outcome="review", candidates=(("milk", 0.6), ("bear", 0.4))),
        Attribution(("ben",), ""),
    )
    record(desk, event("e3", "put_back"), EITHER)
    assert held(desk) == {"milk": 1}
    assert [review for review, _ in open_reviews(desk)] == ["e2", "e3"]


def test_an_unsure_put_back_is_of_the_only_candidate_that_is_held(desk: Desk) -> None:
    record(desk, event("e1"))
    unsure = event(
        "e2", "put_back", "tea", outcome="review", candidates=(("tea", 0.5), ("milk", 0.45))
    )
    record(desk, unsure)
    assert held(desk) == {}
    assert open_reviews(desk) == []


def test_an_unsure_put_back_of_something_that_is_hardly_held_goes_to_review(desk: Desk) -> None:
    record(desk, event("e1", sku="milk"))
    looks = (("tea", 0.85), ("milk", 0.05))
    record(desk, event("e2", "put_back", "tea", outcome="review", candidates=looks))
    assert open_reviews(desk) == [("e2", "not_taken")]
    assert held(desk) == {"milk": 1}


def test_an_unsure_put_back_like_nothing_that_they_hold_was_brought_along(desk: Desk) -> None:
    record(desk, event("e1", sku="bear"))
    looks = (("tea", 0.55), ("milk", 0.45))
    record(desk, event("e2", "put_back", "tea", outcome="review", candidates=looks))
    assert open_reviews(desk) == []
    assert held(desk) == {"bear": 1}


@pytest.mark.parametrize(("milk_share", "released"), [(0.4, True), (0.3, False)])
def test_a_put_back_of_what_nobody_holds_is_of_what_they_hold_and_it_looks_as_much_like(
    desk: Desk, milk_share: float, released: bool
) -> None:
    record(desk, event("e1", sku="milk"))
    looks = (("tea", 0.5), ("milk", milk_share))
    record(desk, event("e2", "put_back", "tea", candidates=looks))
    assert held(desk) == ({} if released else {"milk": 1})
    assert open_reviews(desk) == ([] if released else [("e2", "not_taken")])


@pytest.mark.parametrize(("milk_share", "released"), [(0.3, True), (0.36, False)])
def test_an_unsure_put_back_is_of_what_is_held_and_clearly_likelier_than_what_else_is(
    desk: Desk, milk_share: float, released: bool
) -> None:
    record(desk, event("e1", sku="tea"))
    record(desk, event("e2", sku="milk"))
    looks = (("tea", 0.4), ("milk", milk_share), ("bear", 0.6 - milk_share))
    record(desk, event("e3", "put_back", "tea", outcome="review", candidates=looks))
    assert held(desk) == ({"milk": 1} if released else {"milk": 1, "tea": 1})
    assert open_reviews(desk) == ([] if released else [("e3", "low_confidence")])


_EITHER_OF_TWO = (("bear", 0.4), ("milk", 0.35), ("tea", 0.25))


def _misplaced_and_taken(
    desk: Desk, *, taken: tuple[tuple[str, float], ...] = _EITHER_OF_TWO, quantity: int = 1
) -> None:
    """Milk is taken, put where it does not belong, and taken from there; looks say bear."""
    record(desk, event("e1"))
    put_there = event("e2", "put_back", "bear", outcome="review", candidates=_EITHER_OF_TWO)
    record(desk, replace(put_there, facing="facing-2"))
    again = event("e3", sku="bear", outcome="review", candidates=taken, quantity=quantity)
    record(desk, replace(again, facing="facing-2"))


def test_what_who_held_it_told_of_a_piece_put_elsewhere_it_is_when_taken_again(desk: Desk) -> None:
    _misplaced_and_taken(desk)
    assert open_reviews(desk) == []
    assert held(desk) == {"milk": 1}
    line = desk.shop.baskets["anna"].lines[-1]
    assert "told to be milk when it was put there" in line.reason


@pytest.mark.parametrize(
    ("taken", "quantity"),
    [
        ((("bear", 1.0),), 1),  # how many is in doubt, not what
        (_EITHER_OF_TWO, 2),
        ((("bear", 0.6), ("tea", 0.4)), 1),  # it is known not to be milk
    ],
)
def test_another_doubt_than_what_was_put_there_is_left_to_a_person(
    desk: Desk, taken: tuple[tuple[str, float], ...], quantity: int
) -> None:
    _misplaced_and_taken(desk, taken=taken, quantity=quantity)
    assert open_reviews(desk) == [("e3", "low_confidence")]
    assert held(desk) == {}


def test_what_a_person_said_of_a_piece_put_elsewhere_it_is_when_taken_again(desk: Desk) -> None:
    for name, sku in (("e1", "milk"), ("e2", "bear")):
        record(desk, event(name, sku=sku))
    put_there = event("e3", "put_back", "bear", outcome="review", candidates=_EITHER_OF_TWO)
    record(desk, put_there)
    assert open_reviews(desk) == [("e3", "low_confidence")]
    again = event("e4", sku="bear", at_s=20.0, outcome="review", candidates=_EITHER_OF_TWO)
    desk.settle_review("e3", Verdict("Eva", "milk", "anna", 1), at=moment(15))
    record(desk, again)
    assert open_reviews(desk) == []
    assert held(desk) == {"milk": 1, "bear": 1}


def test_which_of_two_pieces_put_there_in_doubt_was_taken_a_person_says(desk: Desk) -> None:
    for name, sku in (("e1", "milk"), ("e2", "tea")):
        record(desk, event(name, sku=sku), ANNA if sku == "milk" else Attribution(("ben",), ""))
    for name, by in (("e3", ANNA), ("e4", Attribution(("ben",), ""))):
        unsure = event(name, "put_back", "bear", outcome="review", candidates=_EITHER_OF_TWO)
        record(desk, unsure, by)
    record(desk, event("e5", sku="bear", outcome="review", candidates=_EITHER_OF_TWO))
    assert open_reviews(desk) == [("e5", "low_confidence")]


def test_what_waits_for_review_and_comes_back_ends_without_a_person(desk: Desk) -> None:
    record(desk, event("e1", outcome="review", candidates=(("milk", 0.6), ("bear", 0.4))))
    record(desk, event("e2", "put_back", "bear"))
    assert open_reviews(desk) == []
    settlement = desk.shop.reviews["e1"].settlement
    assert settlement is not None
    assert (settlement.reviewer, settlement.sku) == (BY_RULE, None)
    assert held(desk) == {}


@pytest.mark.parametrize(("by", "taken", "left"), [(ANNA, 1, 0), (ANNA, 2, 1), (EITHER, 1, 0)])
def test_a_take_that_is_seen_after_its_put_back_explains_it(
    desk: Desk, by: Attribution, taken: int, left: int
) -> None:
    record(desk, event("e1", "put_back", at_s=20))
    assert open_reviews(desk) == [("e1", "not_taken")]
    record(desk, event("e2", at_s=21, quantity=taken), by)
    assert held(desk) == ({"milk": left} if left else {})
    assert held(desk, "ben") == {}
    assert open_reviews(desk) == []


@pytest.mark.parametrize(
    ("seen", "by", "open_after"),
    [
        (event("e2", at_s=21, quantity=2), EITHER, ["e1", "e2"]),
        (event("e2", sku="bear", at_s=21), ANNA, ["e1"]),
        (event("e2", at_s=21), Attribution(("ben",), ""), ["e1"]),
        (event("e2", at_s=21, outcome="review"), ANNA, ["e1", "e2"]),
        (event("e2", at_s=30), ANNA, ["e1"]),
        (replace(event("e2", at_s=21), contact_at_s=20.5), ANNA, ["e1"]),
    ],
)
def test_another_take_than_that_of_a_put_back_explains_nothing(
    desk: Desk, seen: InteractionEvent, by: Attribution, open_after: list[str]
) -> None:
    record(desk, replace(event("e1", "put_back", at_s=20), contact_at_s=19.5))
    record(desk, seen, by)
    assert [review for review, _ in open_reviews(desk)] == open_after


def test_who_puts_back_what_they_can_only_have_from_a_take_of_two_had_taken_it(desk: Desk) -> None:
    record(desk, event("e1"), EITHER)
    record(desk, event("e2", "put_back"))
    assert open_reviews(desk) == []
    assert held(desk) == held(desk, "ben") == {}


@pytest.mark.parametrize(
    ("earlier", "take"),
    [
        ((event("e0"),), event("e1")),  # they had one of their own
        ((), event("e1", quantity=2)),  # that one of the two came back says little
        ((), event("e1", outcome="review")),  # it may have been something else
    ],
)
def test_a_take_of_two_that_a_put_back_does_not_explain_is_left_to_a_person(
    desk: Desk, earlier: tuple[InteractionEvent, ...], take: InteractionEvent
) -> None:
    for each in earlier:
        record(desk, each)
    record(desk, take, EITHER)
    record(desk, event("e2", "put_back"))
    assert "e1" in [review for review, _ in open_reviews(desk)]


def test_what_no_shopper_holds_was_restocked_where_staff_stood_beside_them(desk: Desk) -> None:
    record(desk, event("e1", "put_back", quantity=2), Attribution(("anna", "staff-1"), ""))
    assert open_reviews(desk) == []
    assert [(e.session_id, e.quantity) for e in desk.shop.restocked] == [("staff-1", 2)]


def test_where_staff_stood_beside_a_shopper_who_holds_it_a_person_says_who_it_was(
    desk: Desk,
) -> None:
    record(desk, event("e1"))
    record(desk, event("e2", "put_back"), Attribution(("anna", "staff-1"), ""))
    assert held(desk) == {"milk": 1}
    assert open_reviews(desk) == [("e2", "several_shoppers")]


def test_a_shopper_who_puts_back_what_they_or_staff_took_had_taken_it(desk: Desk) -> None:
    record(desk, event("e1"), Attribution(("anna", "staff-1"), ""))
    record(desk, event("e2", "put_back"))
    assert open_reviews(desk) == []
    assert held(desk) == {}


def test_staff_restock_and_clear_shelves_without_being_charged(desk: Desk) -> None:
    staff = Attribution(("staff-1",), "")
    record(desk, event("e1", "put_back", quantity=3), staff)
    record(desk, event("e2"), staff, sick=True)
    desk.close("staff-1", "staff", at=moment(20))
    assert [(e.interaction, e.quantity) for e in desk.shop.restocked] == [
        ("put_back", 3),
        ("take", 1),
    ]
    assert desk.shop.open_reviews() == ()
    assert desk.shop.latest_receipt("staff-1") is None


def test_an_event_that_began_before_its_shopper_left_is_charged_with_a_corrected_receipt(
    desk: Desk,
) -> None:
    desk.leave("anna", at=moment(9.0))
    record(desk, event("e1", at_s=10.0))
    receipts = desk.shop.receipts["anna"]
    assert [receipt.quantities() for receipt in receipts] == [{}, {"milk": 1}]


def test_an_event_after_its_shopper_left_goes_to_review(desk: Desk) -> None:
    desk.leave("anna", at=moment(9.0))
    record(desk, event("e1", at_s=20.0))
    assert open_reviews(desk) == [("e1", "after_leaving")]
    (first, second) = desk.shop.receipts["anna"]
    assert second.total == first.total == 0
    assert [line.review_id for line in second.pending] == ["e1"]
