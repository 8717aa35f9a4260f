"""Currencies and tax: what an amount may look like and how it is rounded. Pure.

Owns the number of decimals of each currency (ISO 4217, minor units) and the one rounding rule of
the house, half up to the minor unit.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from edge.errors import PriceError

_TWO_DECIMALS: Final = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD
    CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD
    HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD
    MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON
    RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD
    TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW
"""
_OTHER_DECIMALS: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
}
_DECIMALS: Final[dict[str, int]] = dict.fromkeys(_TWO_DECIMALS.split(), 2) | {
    code: decimals for decimals, codes in _OTHER_DECIMALS.items() for code in codes.split()
}


class Tax(BaseModel):
    """The tax on what a shop sells.

    Attributes:
        percent: The store-wide rate.
        included: Whether shelf prices include it; where they do not, it is added to the total.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    percent: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(0)
    included: bool = True


def minor_unit(currency: str) -> Decimal:
    """The smallest amount of a currency: ``0.01`` for ``EUR``, ``1`` for ``JPY``.

    Args:
        currency: ISO 4217 code.

    Raises:
        PriceError: There is no such currency.
    """
    decimals = _DECIMALS.get(currency)
    if decimals is None:
        raise PriceError(
            f"{currency!r} is no ISO 4217 currency that shops charge in; write EUR, USD, JPY or so"
        )
    return Decimal(1).scaleb(-decimals)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """An amount to the currency's minor unit, halves away from zero."""
    return amount.quantize(minor_unit(currency), ROUND_HALF_UP)


def tax_of(amount: Decimal, percent: Decimal, included: bool, currency: str) -> Decimal:
    """The tax in (``included``) or on an amount, rounded."""
    share = percent / (100 + percent) if included else percent / 100
    return rounded(amount * share, currency)
