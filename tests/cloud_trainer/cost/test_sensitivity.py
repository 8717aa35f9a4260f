from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_trainer.cost.assumptions import Assumptions
from cloud_trainer.cost.model import WAYS, walkout
from cloud_trainer.cost.reckoning import TURNING_ON, reckon
from cloud_trainer.cost.sensitivity import break_even, saving, tornado

DEFAULTS = Assumptions()


def cost(a: Assumptions) -> float:
    return walkout(a).total


def test_the_widest_swing_comes_first_and_is_what_the_ends_cost() -> None:
    swings = tornado(DEFAULTS, cost)
    assert [swing.width for swing in swings] == sorted(
        (swing.width for swing in swings), reverse=True
    )
    first = swings[0]
    assert first.path in ("shop.checkouts_per_day", "people.host_hours_per_day")
    assert first.at_low == pytest.approx(cost(DEFAULTS.having(first.path, first.low)))
    assert first.at_high == pytest.approx(cost(DEFAULTS.having(first.path, first.high)))


def test_figures_of_other_ways_move_nothing_of_the_walk_out_shop() -> None:
    moved = {swing.path for swing in tornado(DEFAULTS, cost)}
    assert not any(path.startswith(("cashiers.", "self_checkout.")) for path in moved)
    against = {swing.path for swing in tornado(DEFAULTS, saving("cashiers"))}
    assert "cashiers.other_work_share" in against


def test_an_edited_figure_is_moved_in_proportion_around_its_new_value() -> None:
    figure = DEFAULTS.having("people.wage_per_hour", 30.0).figure("people.wage_per_hour")
    assert figure.likely() == pytest.approx((22.0, 50.0))
    share = DEFAULTS.having("accuracy.claimed_share", 0.9).figure("accuracy.claimed_share")
    assert share.likely() == pytest.approx((0.36, 1.0))


@settings(max_examples=25, deadline=None)
@given(
    path=st.sampled_from(TURNING_ON),
    against=st.sampled_from(["cashiers", "self_checkout"]),
    checkouts=st.floats(50, 3000),
    missed=st.floats(0.0, 0.2),
)
def test_both_sides_of_a_break_even_differ_in_who_is_cheaper(
    path: str, against: str, checkouts: float, missed: float
) -> None:
    a = DEFAULTS.having("shop.checkouts_per_day", checkouts)
    a = a.having("accuracy.missed_pieces_share", missed)
    turn, gain = break_even(a, path, against), saving(against)
    if turn.at is None:
        assert turn.cheaper == ("always" if gain(a) > 0 else "never")
        return
    below, above = (gain(a.having(path, turn.at * scale)) for scale in (1 - 1e-6, 1 + 1e-6))
    assert (below > 0, above > 0) == ((True, False) if turn.cheaper == "below" else (False, True))


def test_a_shop_that_misses_nothing_and_employs_nobody_is_cheaper_whatever_a_camera_costs() -> None:
    a = DEFAULTS.having("accuracy.missed_pieces_share", 0.0)
    a = a.having("people.host_hours_per_day", 0.0).having("accuracy.wrong_lines_share", 0.0)
    turn = break_even(a, "devices.life_years", "cashiers")
    assert turn.cheaper in ("above", "always")
    assert WAYS["cashiers"](a).total > WAYS["walkout"](a).total


def test_the_document_is_made_of_json_values() -> None:
    document = reckon(DEFAULTS).document()
    assert set(document["swings"]) == {"walkout", "cashiers", "self_checkout"}
    assert [way["name"] for way in document["ways"]] == ["walkout", "cashiers", "self_checkout"]
    assert len(document["turns"]) == 2 * len(TURNING_ON)
