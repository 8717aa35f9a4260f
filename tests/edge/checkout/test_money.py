from __future__ import annotations

from decimal import Decimal

import pytest

from edge.checkout.money import Tax, minor_unit, rounded, tax_of
from edge.checkout.receipt import check_prices
from edge.errors import PriceError
from models.catalogue import Product


@pytest.mark.parametrize(
    ("currency", "unit"), [("JPY", "1"), ("EUR", "0.01"), ("KWD", "0.001"), ("USD", "0.01")]
)
def test_every_currency_has_its_own_smallest_unit(currency: str, unit: str) -> None:
    assert minor_unit(currency) == Decimal(unit)


def test_a_currency_that_does_not_exist_is_refused() -> None:
    with pytest.raises(PriceError, match="'EUX' is no ISO 4217 currency"):
        minor_unit("EUX")


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("0.005", "EUR", "0.01"),
        ("0.0049", "EUR", "0.00"),
        ("2.5", "JPY", "3"),
        ("-0.005", "EUR", "-0.01"),
        ("1.0005", "KWD", "1.001"),
    ],
)
def test_halves_are_rounded_up(amount: str, currency: str, expected: str) -> None:
    assert str(rounded(Decimal(amount), currency)) == expected


@pytest.mark.parametrize(
    ("amount", "percent", "included", "expected"),
    [
        ("11.90", "19", True, "1.90"),
        ("10.00", "19", False, "1.90"),
        ("0.99", "7", True, "0.06"),
        ("5.00", "0", True, "0.00"),
    ],
)
def test_tax_is_in_the_price_or_on_it(
    amount: str, percent: str, included: bool, expected: str
) -> None:
    assert tax_of(Decimal(amount), Decimal(percent), included, "EUR") == Decimal(expected)


def test_a_rate_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="percent"):
        Tax(percent=Decimal(-1))


@pytest.mark.parametrize(
    ("price", "currency", "complaint"),
    [
        (None, "EUR", "product tea has no price; fill in"),
        ("1.00", "USD", "priced in USD, the shop charges EUR"),
        ("1.005", "EUR", r"the smallest unit is 0\.01"),
    ],
)
def test_a_product_that_cannot_be_charged_is_named(
    price: str | None, currency: str, complaint: str
) -> None:
    product = Product(sku="tea", price=None if price is None else Decimal(price), currency=currency)
    with pytest.raises(PriceError, match=complaint):
        check_prices([product], "EUR")


def test_prices_with_trailing_zeros_or_without_a_currency_of_their_own_are_fine() -> None:
    products = [Product(sku="a", price=Decimal("1.5000")), Product(sku="b", price=Decimal(0))]
    check_prices(products, "EUR")
