from __future__ import annotations

import pytest

from cloud_trainer.cost.assumptions import Assumptions
from cloud_trainer.cost.model import (
    cashiers,
    device_count,
    lines_per_year,
    product_change,
    self_checkout,
    walkout,
)
from cloud_trainer.cost.reckoning import reckon
from cloud_trainer.cost.sensitivity import break_even
from tests.cloud_trainer.cost.example import PAGE, document, example

# By hand, as docs/cost.md has it.
WALKOUT = {
    "devices": 3000 / 5 + 150 + 8 * 45 / 5,
    "power": 0.09 * 8760 * 0.20,
    "network": 600 + 12 * 0.010 * 2 * 0.1,
    "storage": 12 * (0.1 + 0.8) * 0.02,
    "messages": 0.45048 + 0.10512,
    "servers": 175.20,
    "training": 0.06,
    "product_changes": 26 * 6.1554,
    "review": 20 * 30.0,
    "wrong_charges": 400 * 10.0,
    "missed_pieces": 3600.0,
    "people": 18_000 + 540 + 1170.0,
}
CASHIERS = {"devices": 1000.0, "power": 60.0, "people": 54_000.0, "losses": 720.0}
SELF_CHECKOUT = {"devices": 3000.0, "power": 120.0, "people": 45_000.0, "losses": 10_800.0}
CHANGE = {
    "handing_in": 6.0,
    "approving": 0.15,
    "enrolling": 0.005,
    "sending": 0.0002,
    "telling": 0.0002,
}


def test_the_worked_example_comes_out_as_by_hand() -> None:
    a = example()
    assert dict(walkout(a).parts) == pytest.approx(WALKOUT)
    assert walkout(a).total == pytest.approx(29_825.776)
    assert dict(cashiers(a).parts) == pytest.approx(CASHIERS)
    assert dict(self_checkout(a).parts) == pytest.approx(SELF_CHECKOUT)
    assert dict(product_change(a).parts) == pytest.approx(CHANGE)
    told = reckon(a)
    assert [way.per_year for way in told.ways] == pytest.approx([29_825.776, 55_780, 58_920])
    assert told.ways[0].per_checkout == pytest.approx(0.4970963, rel=1e-6)
    assert told.product_change_total == pytest.approx(6.1554)
    assert told.savings == pytest.approx({"cashiers": 25_954.224, "self_checkout": 29_094.224})
    turn = break_even(a, "people.host_hours_per_day", "cashiers")
    assert turn.at == pytest.approx(2 + 25_954.224 / 9000)
    assert turn.cheaper == "below"


def test_the_worked_example_names_every_figure_so_that_no_default_hides_in_it() -> None:
    named = {
        f"{section}.{name}"
        for section, each in document().items()
        if isinstance(each, dict)
        for name in each
    }
    assert named == {figure.path for figure in Assumptions().figures()}


def test_what_the_page_says_of_the_defaults_is_what_they_come_to() -> None:
    told = reckon(Assumptions())
    walkout_way, cashiers_way, kiosks_way = told.ways
    page = PAGE.read_text("utf-8")
    for amount in (
        round(walkout_way.per_year, -2),
        round(cashiers_way.per_year, -2),
        round(kiosks_way.per_year, -2),
        round(walkout_way.parts["missed_pieces"], -2),
        round(walkout_way.parts["people"], -2),
    ):
        assert f"{amount:,.0f}" in page
    turns = {(turn.path, turn.against): turn.at for turn in told.turns}
    assert f"{turns['shop.checkouts_per_day', 'cashiers']:.0f} checkouts" in page
    assert f"{turns['accuracy.missed_pieces_share', 'cashiers']:.1%}".replace("%", " %") in page
    assert f"{told.product_change_total:.2f}" in page


def test_a_camera_more_than_devices_carry_needs_one_device_more() -> None:
    a = Assumptions()
    assert device_count(a) == 8
    assert device_count(a.having("devices.shelf_cameras", 25)) == 9


def test_reviews_cost_in_proportion_to_their_share_and_never_anything_else() -> None:
    a = Assumptions()
    twice = a.having("accuracy.lines_in_review_share", 0.16)
    before, after = walkout(a).parts, walkout(twice).parts
    assert after["review"] == pytest.approx(2 * before["review"])
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"review", "storage"}


def test_more_shops_share_what_is_in_the_cloud_and_not_what_is_in_a_shop() -> None:
    a = Assumptions()
    one, many = walkout(a.having("shop.shops", 1)).parts, walkout(a).parts
    assert one["servers"] == pytest.approx(20 * many["servers"])
    assert one["devices"] == many["devices"]
    assert one["people"] > many["people"]


def test_busy_tills_need_more_hours_than_the_shop_is_open() -> None:
    a = Assumptions().having("shop.checkouts_per_day", 1491)
    serving_s = 25 + 4 * 2.8
    hours = 1491 * serving_s / 3600 / 0.6 * 0.7 * 360
    assert hours > 16 * 0.7 * 360
    assert cashiers(a).parts["people"] == pytest.approx(hours * 15 * 1.43)


def test_lines_are_fewer_than_pieces() -> None:
    a = Assumptions()
    assert lines_per_year(a) == pytest.approx(400 * 360 * 2.8 / 1.39)
