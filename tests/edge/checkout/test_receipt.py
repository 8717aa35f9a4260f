from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.checkout.basket import Attribution, Basket, Line, Member
from edge.checkout.desk import Desk
from edge.checkout.money import Tax
from edge.checkout.receipt import Receipt, Terms, make_receipt
from edge.errors import PriceError
from models.catalogue import Product
from tests.edge.checkout.shopping import OPENED_AT_S, PRODUCTS, TERMS, event, moment


def basket_of(*lines: tuple[str, int]) -> Basket:
    return Basket(
        session_id="anna",
        role="shopper",
        members=(Member("anna", "shopper anna", "hash", moment(1)),),
        opened_at=moment(1),
        closed_at=moment(30),
        closed_by="exit",
        lines=tuple(
            Line(f"l{n}", "anna", sku, quantity, 0, 0, moment(10 + n), event(f"e{n}"), None, "seen")
            for n, (sku, quantity) in enumerate(lines)
        ),
    )


def receipt_of(
    basket: Basket, terms: Terms = TERMS, products: tuple[Product, ...] = PRODUCTS
) -> Receipt:
    by_sku = {product.sku: product for product in products}
    return make_receipt(basket, (), by_sku, terms, issued_at_s=OPENED_AT_S + 30)


def test_pieces_of_a_product_are_one_line_in_the_order_they_were_first_taken() -> None:
    receipt = receipt_of(basket_of(("milk", 1), ("bear", 1), ("milk", 2)))
    assert [(line.sku, line.quantity, line.total) for line in receipt.lines] == [
        ("milk", 3, Decimal("7.47")),
        ("bear", 1, Decimal("12.99")),
    ]
    assert [proof.line_id for proof in receipt.lines[0].proofs] == ["l0", "l2"]


def test_every_line_carries_the_numbers_of_its_decision() -> None:
    (line,) = receipt_of(basket_of(("milk", 1))).lines
    (proof,) = line.proofs
    assert proof.crops == ("e0/1.jpg",)
    assert proof.clip == "shelf-1 8.50-10.00"
    assert proof.numbers is not None
    assert (proof.numbers.distance, proof.numbers.tl, proof.numbers.th) == (0.21, 0.25, 0.6)
    assert (proof.numbers.bundle_version, proof.numbers.precision) == ("3", "fp32")


def test_tax_in_the_price_is_shown_and_not_added() -> None:
    receipt = receipt_of(basket_of(("milk", 1), ("bear", 1)))
    (tax,) = receipt.taxes
    assert (tax.net, tax.tax, tax.gross) == (Decimal("13.01"), Decimal("2.47"), Decimal("15.48"))
    assert receipt.total == Decimal("15.48")


def test_tax_on_the_price_is_added_once_on_the_sum() -> None:
    terms = TERMS.model_copy(update={"tax": Tax(percent=Decimal("8.875"), included=False)})
    receipt = receipt_of(basket_of(("milk", 1), ("bear", 1)), terms)
    (tax,) = receipt.taxes
    assert (tax.net, tax.tax) == (Decimal("15.48"), Decimal("1.37"))
    assert receipt.total == Decimal("16.85")


@pytest.mark.parametrize(
    ("currency", "price", "total"), [("JPY", "120", "360"), ("KWD", "0.255", "0.765")]
)
def test_amounts_have_the_decimals_of_the_currency(currency: str, price: str, total: str) -> None:
    terms = TERMS.model_copy(update={"currency": currency})
    product = Product(sku="milk", price=Decimal(price), currency=currency)
    receipt = receipt_of(basket_of(("milk", 3)), terms, (product,))
    assert str(receipt.total) == total


def test_who_holds_nothing_owes_nothing() -> None:
    receipt = receipt_of(basket_of())
    assert (receipt.lines, receipt.taxes, str(receipt.total)) == ((), (), "0.00")


def test_a_product_that_is_not_in_the_catalogue_is_named() -> None:
    with pytest.raises(PriceError, match="holds caviar, which has no price"):
        receipt_of(basket_of(("caviar", 1)))


def test_a_receipt_survives_its_json_to_the_cent() -> None:
    receipt = receipt_of(basket_of(("milk", 3), ("bear", 1)))
    text = receipt.model_dump_json()
    assert Receipt.model_validate_json(text) == receipt
    assert json.loads(text)["total"] == "20.46"
    with pytest.raises(ValueError, match="discount"):
        Receipt.model_validate(json.loads(text) | {"discount": "1.00"})


def test_what_is_being_checked_is_on_the_receipt_and_not_in_its_sums(desk: Desk) -> None:
    for name, by in [("e1", ("anna",)), ("e2", ("anna", "ben"))]:
        desk.record(event(name), Attribution(by, ""), wall_time_s=OPENED_AT_S + 10)
    receipt = desk.preview("anna")
    assert receipt.total == Decimal("2.49")
    (pending,) = receipt.pending
    assert (pending.review_id, pending.names, pending.quantity) == ("e2", ("Oat milk",), 1)


@given(
    lines=st.lists(st.tuples(st.sampled_from(["milk", "bear", "tea"]), st.integers(1, 9))),
    percent=st.decimals(0, 30, places=3),
    included=st.booleans(),
)
def test_sums_always_add_up(lines: list[tuple[str, int]], percent: Decimal, included: bool) -> None:
    terms = TERMS.model_copy(update={"tax": Tax(percent=percent, included=included)})
    receipt = receipt_of(basket_of(*lines), terms)
    shelf = sum((line.total for line in receipt.lines), start=Decimal(0))
    prices = {product.sku: product.price or Decimal(0) for product in PRODUCTS}
    assert shelf == sum((prices[sku] * quantity for sku, quantity in lines), start=Decimal(0))
    assert all(tax.net + tax.tax == tax.gross for tax in receipt.taxes)
    assert receipt.total == sum((tax.gross for tax in receipt.taxes), start=Decimal(0))
    if included:
        assert receipt.total == shelf
    else:
        exact = shelf * (1 + percent / 100)
        assert abs(receipt.total - exact) <= Decimal("0.005")
