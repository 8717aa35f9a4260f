from dataclasses import replace

import pytest

from edge.events import Recognition
from edge.interaction.rules import Sight, judge
from edge.interaction.stock import LiveStock
from models.decision import Candidate, Decision, Outcome, ThresholdPair

_PAIR = ThresholdPair(
    pool=1, tl=0.2, tl_full=0.3, th=0.6, accepted_share=0.8,
    accepted_error_bound=0.01, rejected_error_bound=0.01, fitted_on=100,
)  # fmt: skip


def _stock(**changes: object) -> LiveStock:
    stock = LiveStock(
        belongs={"A1": "tea", "A2": "milk"},
        capacity={"A1": 6, "A2": 6},
        pieces={"A1": 4, "A2": 3},
    )
    return replace(stock, **changes)  # type: ignore[arg-type]


def _recognised(outcome: Outcome, **distances: float) -> Recognition:
    near = sorted(distances.items(), key=lambda each: each[1])
    decision = Decision(
        outcome=outcome,
        stage="at_once",
        sku=None if outcome == "reject" else near[0][0],
        candidates=tuple(Candidate(sku, distance) for sku, distance in near),
        distance=near[0][1],
        margin=0.1,
        gated=near[0][1],
        thresholds=_PAIR,
        crops=1,
        reason="as asked",
    )
    return Recognition(decision, "groceries", "1", "space", "fp32", None, 1, 1, "")


def test_a_take_from_a_facing_of_one_product_needs_no_recogniser() -> None:
    verdict = judge(Sight("A1", 0.2, "vanished"), _stock())
    assert verdict is not None
    assert (verdict.kind, verdict.sku, verdict.quantity, verdict.outcome) == (
        "take", "tea", 1, "accept",
    )  # fmt: skip


def test_an_unclear_change_is_no_event() -> None:
    assert judge(Sight("A1", 0.2, "unclear"), _stock()) is None


@pytest.mark.parametrize(
    ("numbers", "quantity", "outcome"),
    [
        (((2, 0.95), (1, 0.05)), 2, "accept"),
        (((1, 0.95), (2, 0.05)), 1, "accept"),
        (((1, 0.85), (2, 0.15)), 1, "accept"),  # charging the fewer wrongs no shopper
        (((2, 0.84), (1, 0.16)), 2, "review"),
        (((2, 0.85), (3, 0.14), (1, 0.01)), 2, "accept"),
        (((1, 0.75), (2, 0.25)), 1, "review"),
        (((1, 0.5), (2, 0.45), (3, 0.05)), 1, "review"),
    ],
)
def test_the_number_taken_is_the_likeliest_or_a_person_is_asked(
    numbers: tuple[tuple[int, float], ...], quantity: int, outcome: str
) -> None:
    verdict = judge(Sight("A1", 0.2, "vanished", numbers=numbers), _stock())
    assert verdict is not None
    assert (verdict.quantity, verdict.outcome) == (quantity, outcome)


@pytest.mark.parametrize(
    ("numbers", "alike", "certain"),
    [
        (((2, 0.6), (1, 0.4)), 0.8, 1),
        (((1, 0.6), (2, 0.4)), 0.8, 1),
        (((2, 0.6), (3, 0.385), (1, 0.015)), 0.8, 2),
        (((3, 0.6), (2, 0.37), (1, 0.03)), 0.8, 1),
        (((2, 0.6), (1, 0.4)), 0.6, 0),  # it may have been something else
        (((2, 0.95), (1, 0.05)), 0.8, 0),  # nothing is asked
    ],
)
def test_of_a_doubtful_number_taken_it_is_told_how_many_it_was_at_least(
    numbers: tuple[tuple[int, float], ...], alike: float, certain: int
) -> None:
    sight = Sight("A1", 0.2, "vanished", numbers=numbers, looks={"tea": alike})
    verdict = judge(sight, _stock())
    assert verdict is not None
    assert verdict.certain == certain


@pytest.mark.parametrize(
    ("alike", "part", "taken"), [(0.5, 0.4, False), (0.5, 0.9, True), (0.8, 0.4, True)]
)
def test_what_is_too_small_for_a_piece_and_looks_like_none_was_no_piece(
    alike: float, part: float, taken: bool
) -> None:
    sight = Sight("A1", 0.2, "vanished", looks={"tea": alike}, part=part)
    assert (judge(sight, _stock()) is not None) == taken
    strays = _stock().put_back("A1", 0.2, "milk", 1, "e-1")
    assert judge(sight, strays) is not None


def test_what_was_taken_is_still_out_though_as_many_of_it_were_restocked() -> None:
    stock = _stock().taken("A2", 1).put_back("A2", 0.9, "milk", 1, "restock")
    assert stock.out == {} and stock.ever_out == {"milk"}
    verdict = judge(Sight("A1", 0.2, "appeared", looks={"milk": 0.9, "tea": 0.4}), stock)
    assert verdict is not None
    assert (verdict.sku, verdict.outcome) == ("milk", "accept")
    # Where it is not clear, it is less likely than what is known to be out.
    doubtful = Sight("A1", 0.2, "appeared", looks={"milk": 0.7, "tea": 0.65})
    verdict = judge(doubtful, stock)
    assert verdict is not None
    assert (verdict.sku, verdict.outcome) == ("tea", "review")


def test_the_last_piece_is_one_piece_whatever_the_picture_says() -> None:
    sight = Sight("A1", 0.2, "vanished", numbers=((2, 0.55), (1, 0.45)))
    verdict = judge(sight, _stock(pieces={"A1": 1, "A2": 3}))
    assert verdict is not None
    assert (verdict.quantity, verdict.outcome) == (1, "accept")


def test_a_take_from_a_facing_believed_empty_is_reviewed() -> None:
    verdict = judge(Sight("A1", 0.2, "vanished"), _stock(pieces={"A1": 0, "A2": 3}))
    assert verdict is not None
    assert (verdict.sku, verdict.outcome) == ("tea", "review")


def test_a_stray_is_taken_under_its_own_sku() -> None:
    stock = _stock().put_back("A1", 0.2, "milk", 1, "e-1")
    sight = Sight("A1", 0.21, "vanished", looks={"milk": 0.8, "tea": 0.3})
    verdict = judge(sight, stock)
    assert verdict is not None and verdict.stray is stock.strays[0]
    assert (verdict.sku, verdict.outcome) == ("milk", "accept")


def test_a_stray_that_was_not_known_for_sure_when_it_came_is_asked_about_when_it_goes() -> None:
    stock = _stock().put_back("A1", 0.3, "soap", 1, "e-1", ("wine",))
    verdict = judge(Sight("A1", 0.31, "vanished", looks={"soap": 0.8, "wine": 0.7}), stock)
    assert verdict is not None and verdict.stray is stock.strays[0]
    assert (verdict.sku, verdict.outcome) == ("soap", "review")
    assert {each.sku for each in verdict.candidates} >= {"soap", "wine"}


def test_the_piece_beside_a_stray_is_taken_as_what_it_looks_like() -> None:
    stock = _stock().put_back("A1", 0.2, "milk", 1, "e-1")
    verdict = judge(Sight("A1", 0.21, "vanished", looks={"milk": 0.3, "tea": 0.9}), stock)
    assert verdict is not None and verdict.stray is None
    assert verdict.sku == "tea"


def test_an_unknown_object_that_is_taken_again_is_nothing_the_shop_sells() -> None:
    stock = _stock().put_back("A1", 0.2, None, 1, "e-1")
    verdict = judge(Sight("A1", 0.2, "vanished"), stock)
    assert verdict is not None
    assert (verdict.sku, verdict.outcome) == (None, "reject")


def test_a_put_back_next_to_its_like_is_accepted_without_a_recogniser() -> None:
    verdict = judge(Sight("A1", 0.2, "appeared", twin=0.9), _stock())
    assert verdict is not None
    assert (verdict.kind, verdict.sku, verdict.outcome) == ("put_back", "tea", "accept")


def test_a_misplaced_piece_is_what_it_looks_like_and_not_what_belongs_there() -> None:
    stock = _stock().taken("A2", 1)
    sight = Sight("A1", 0.2, "appeared", looks={"milk": 0.8}, own_colours=0.4)
    verdict = judge(sight, stock)
    assert verdict is not None
    assert (verdict.sku, verdict.outcome) == ("milk", "accept")
    assert "where tea belongs" in verdict.reason


def test_a_product_that_nobody_has_taken_cannot_be_put_back_elsewhere() -> None:
    sight = Sight("A1", 0.2, "appeared", looks={"milk": 0.95}, own_colours=0.4)
    verdict = judge(sight, _stock())
    assert verdict is not None
    assert verdict.sku != "milk" and verdict.outcome == "review"


def test_two_products_that_it_looks_alike_go_to_review_with_both_as_candidates() -> None:
    stock = _stock().taken("A2", 1)
    verdict = judge(Sight("A1", 0.2, "appeared", looks={"milk": 0.80, "tea": 0.78}), stock)
    assert verdict is not None and verdict.outcome == "review"
    assert {each.sku for each in verdict.candidates} == {"milk", "tea"}
    assert sum(each.share for each in verdict.candidates) == pytest.approx(1)


def test_the_recogniser_settles_what_looks_leave_open() -> None:
    stock = _stock().taken("A2", 1)
    sight = Sight(
        "A1", 0.2, "appeared", looks={"milk": 0.70, "tea": 0.68},
        recognition=_recognised("accept", milk=0.15, tea=0.55),
    )  # fmt: skip
    verdict = judge(sight, stock)
    assert verdict is not None
    assert (verdict.sku, verdict.outcome) == ("milk", "accept")
    assert verdict.candidates[0].distance == 0.15


def test_an_object_like_nothing_that_the_recogniser_rejects_is_rejected() -> None:
    sight = Sight(
        "A1", 0.2, "appeared", own_colours=0.2, recognition=_recognised("reject", tea=0.8, milk=0.9)
    )
    verdict = judge(sight, _stock())
    assert verdict is not None
    assert (verdict.sku, verdict.outcome) == (None, "reject")


def test_an_object_like_nothing_that_can_be_put_back_is_rejected() -> None:
    sight = Sight(
        "A1", 0.2, "appeared", own_colours=0.3, recognition=_recognised("review", jam=0.5)
    )
    verdict = judge(sight, _stock())
    assert verdict is not None
    assert (verdict.sku, verdict.outcome) == (None, "reject")
    out = judge(sight, _stock(belongs={"A1": "tea", "A2": "jam"}).taken("A2", 1))
    assert out is not None
    assert out.outcome == "review"


def test_what_is_much_further_from_a_product_than_its_pieces_are_is_none_of_them() -> None:
    stock = _stock().taken("A2", 1)
    sight = Sight(
        "A1", 0.2, "appeared", looks={"milk": 0.53}, own_colours=0.3,
        recognition=_recognised("review", milk=0.55, jam=0.56),
    )  # fmt: skip
    usual = judge(replace(sight, further={"milk": 0.1}), stock)
    assert usual is not None and usual.outcome == "review"
    far = judge(replace(sight, further={"milk": 0.2}), stock)
    assert far is not None
    assert (far.sku, far.outcome) == (None, "reject")


def test_a_product_that_the_recogniser_always_finds_near_is_held_against_its_own_pieces() -> None:
    stock = _stock(belongs={"A1": "tea", "A2": "milk", "A3": "heels"}).taken("A2", 1)
    stock = replace(stock, out={**stock.out, "heels": 1})
    sight = Sight(
        "A1", 0.2, "appeared", looks={"milk": 0.8, "heels": 0.7}, own_colours=0.2,
        recognition=_recognised("review", heels=0.52, milk=0.6),
    )  # fmt: skip
    unsure = judge(sight, stock)
    assert unsure is not None and unsure.outcome == "review"
    sure = judge(replace(sight, further={"heels": 0.34, "milk": -0.01}), stock)
    assert sure is not None
    assert (sure.sku, sure.outcome) == ("milk", "accept")


def test_what_cannot_be_a_product_by_its_size_is_none_of_it() -> None:
    stock = _stock(out={"milk": 1}, ever_out=frozenset({"milk"}))
    sight = Sight("A1", 0.2, "appeared", looks={"tea": 0.7, "milk": 0.9}, own_colours=0.9)
    verdict = judge(sight, stock)
    assert verdict is not None
    assert (verdict.sku, verdict.outcome) == ("milk", "accept")
    verdict = judge(replace(sight, unfit=frozenset({"milk"})), stock)
    assert verdict is not None
    assert (verdict.sku, verdict.outcome) == ("tea", "accept")
    far = _recognised("review", tea=0.4, milk=0.41)
    none = replace(sight, unfit=frozenset({"milk", "tea"}), recognition=far)
    verdict = judge(none, stock)
    assert verdict is not None
    assert (verdict.sku, verdict.outcome) == (None, "reject")


def test_colours_alone_never_make_a_put_back_certain() -> None:
    verdict = judge(Sight("A1", 0.2, "appeared", own_colours=1.0), _stock())
    assert verdict is not None and verdict.outcome == "review"


def test_a_doubtful_sight_is_reviewed_though_everything_else_agrees() -> None:
    verdict = judge(Sight("A1", 0.2, "vanished", doubts=("two hands were there",)), _stock())
    assert verdict is not None
    assert verdict.outcome == "review"
    assert "two hands were there" in verdict.reason
