"""Baskets become receipts: what is owed, what is still being checked, and why. Pure.

Owns the receipt's shape and its arithmetic: Decimal throughout, every line total and the tax of
every rate rounded half up to the currency's minor unit. A receipt is never changed: when a review
is settled or a piece is refunded, a new version follows. How it looks is ``receipt_page.py``'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from decimal import Decimal
from itertools import groupby
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from edge.checkout.basket import Basket, Line, Review
from edge.checkout.money import Tax, minor_unit, rounded, tax_of
from edge.errors import PriceError
from edge.events import InteractionEvent, InteractionKind
from models.catalogue import Product


class Closed(BaseModel):
    """A frozen value that knows all of its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Terms(Closed):
    """What a shop charges by.

    Attributes:
        store_id: The shop, for machines.
        store_name: The shop, for people.
        currency: ISO 4217 code of everything it sells.
        tax: Its tax.
        locale: Language of its receipts, such as ``en``.
        timezone: IANA name of the zone that receipts show times in.
    """

    store_id: str = Field(pattern=r"^[0-9A-Za-z_-]{1,255}$")
    store_name: str = Field(min_length=1)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    tax: Tax = Tax()
    locale: str = "en"
    timezone: str = "UTC"


class Numbers(Closed):
    """The numbers of a recognition.

    Attributes:
        outcome: What the thresholds said.
        distance: Cosine distance to the nearest product.
        margin: Lead over the second.
        gated: What is compared with TL.
        tl: Accepted at once at or below this gated distance.
        tl_full: Accepted by the full check at or below this gated distance.
        th: Rejected at or above this distance.
        crops: Crops that differed from each other and were pooled.
        category: Category of the bundle.
        bundle_version: Its version.
        precision: Precision of the network.
    """

    outcome: Literal["accept", "reject", "review"]
    distance: float
    margin: float
    gated: float
    tl: float
    tl_full: float
    th: float
    crops: int
    category: str
    bundle_version: str
    precision: str


class Proof(Closed):
    """Why pieces are on a receipt.

    Attributes:
        line_id: Line of the basket.
        event_id: The interaction event behind it.
        quantity: Pieces.
        at: When it happened, ISO 8601 in UTC.
        camera: Camera that saw it.
        fixture: Where.
        facing: Where on it; ``None`` between facings.
        crops: Names of the stored crops.
        clip: Camera and span of the video; ``None`` when none was kept.
        reason: Why it was decided so, in words.
        reviewer: Who settled it; ``None`` when nobody had to.
        numbers: Of the recognition; ``None`` when no crop was looked at.
    """

    line_id: str
    event_id: str
    quantity: int
    at: str
    camera: str
    fixture: str
    facing: str | None
    crops: tuple[str, ...]
    clip: str | None
    reason: str
    reviewer: str | None
    numbers: Numbers | None


class ReceiptLine(Closed):
    """One product on a receipt.

    Attributes:
        sku: The product.
        name: Its name.
        quantity: Pieces.
        unit_price: Price of a piece.
        total: Price of all pieces.
        tax_percent: Rate that applies to it.
        proofs: What it rests on.
    """

    sku: str
    name: str
    quantity: Annotated[int, Field(ge=1)]
    unit_price: Decimal
    total: Decimal
    tax_percent: Decimal
    proofs: tuple[Proof, ...]


class PendingLine(Closed):
    """Something that is being checked by a person and is not charged so far.

    Attributes:
        review_id: The review.
        kind: Taken or put back.
        quantity: Pieces.
        names: Products it may be, likeliest first; empty when unknown.
        at: When it happened, ISO 8601 in UTC.
        crops: Names of the stored crops.
        reason: Why it is being checked, in words.
    """

    review_id: str
    kind: InteractionKind
    quantity: int
    names: tuple[str, ...]
    at: str
    crops: tuple[str, ...]
    reason: str


class TaxLine(Closed):
    """The sums of one rate; ``net + tax = gross``."""

    percent: Decimal
    net: Decimal
    tax: Decimal
    gross: Decimal


class Receipt(Closed):
    """What a session owes.

    Attributes:
        schema_version: Of this format.
        receipt_id: Its id.
        version: 1, and one more with every correction.
        corrects: Id of the receipt that this one replaces; ``None`` for the first.
        terms: What was charged by.
        session_id: Whose.
        shoppers: Labels of the members.
        opened_at: Start of the session, ISO 8601 in UTC.
        closed_at: Its end.
        issued_at: When this version was made.
        lines: In the order that products were first charged.
        pending: What is being checked; nothing of it is in the sums.
        taxes: One a rate, ascending.
        total: What is to be paid.
    """

    schema_version: Literal[1] = 1
    receipt_id: str
    version: Annotated[int, Field(ge=1)]
    corrects: str | None
    terms: Terms
    session_id: str
    shoppers: tuple[str, ...]
    opened_at: str
    closed_at: str
    issued_at: str
    lines: tuple[ReceiptLine, ...]
    pending: tuple[PendingLine, ...]
    taxes: tuple[TaxLine, ...]
    total: Decimal

    def says_the_same_as(self, other: Receipt) -> bool:
        """Whether both charge and leave open the same, whatever their version."""
        return (self.lines, self.pending) == (other.lines, other.pending)

    def quantities(self) -> dict[str, int]:
        """Pieces by SKU."""
        return {line.sku: line.quantity for line in self.lines}


def check_prices(products: Iterable[Product], currency: str) -> None:
    """Check that every product can be charged; meant for the start of the device.

    Raises:
        PriceError: A product has no price, one of another currency or one with too many decimals.
    """
    unit = minor_unit(currency)
    for product in products:
        if product.price is None:
            raise PriceError(
                f"product {product.sku} has no price; fill in the column price of products.csv"
            )
        if product.currency is not None and product.currency != currency:
            raise PriceError(
                f"product {product.sku} is priced in {product.currency}, the shop charges "
                f"{currency}; convert the price or change the store's currency"
            )
        if product.price % unit:
            raise PriceError(
                f"product {product.sku} costs {product.price} {currency}, which nobody can pay: "
                f"the smallest unit is {unit}; round the price"
            )


def iso_utc(wall_time_s: float) -> str:
    """A wall time as ISO 8601 in UTC with milliseconds, ``2026-03-02T08:00:01.200Z``."""
    at = datetime.fromtimestamp(wall_time_s, timezone.utc)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_receipt(
    basket: Basket,
    reviews: Sequence[Review],
    products: Mapping[str, Product],
    terms: Terms,
    *,
    issued_at_s: float,
    previous: Receipt | None = None,
) -> Receipt:
    """The receipt of a closed session.

    Args:
        basket: The session.
        reviews: Open reviews that may concern it; what may have been put back by them is not
            charged so far.
        products: The catalogue by SKU; ``check_prices`` has passed it.
        terms: What the shop charges by.
        issued_at_s: Wall time of issue.
        previous: The version that this one corrects; what it charged is charged at its prices
            and terms, whatever the catalogue says by now.

    Raises:
        PriceError: A product in the basket is not in the catalogue or has no price.
    """
    terms = previous.terms if previous else terms
    lines = _lines(_to_pay(basket, reviews), products, terms, previous)
    taxes = _taxes(lines, terms)
    version = previous.version + 1 if previous else 1
    closed_at = basket.closed_at or basket.opened_at
    return Receipt(
        receipt_id=f"{basket.session_id}-r{version}",
        version=version,
        corrects=previous.receipt_id if previous else None,
        terms=terms,
        session_id=basket.session_id,
        shoppers=tuple(member.shopper for member in basket.members),
        opened_at=iso_utc(basket.opened_at.wall_time_s),
        closed_at=iso_utc(closed_at.wall_time_s),
        issued_at=iso_utc(issued_at_s),
        lines=lines,
        pending=tuple(_pending(review, basket, products) for review in reviews),
        taxes=taxes,
        total=sum((tax.gross for tax in taxes), start=rounded(Decimal(0), terms.currency)),
    )


def _to_pay(basket: Basket, reviews: Sequence[Review]) -> list[tuple[Line, int]]:
    """Lines with the pieces of each that are to be paid."""
    kept_off = basket.kept_off(reviews)
    left = [(line, line.pieces - kept_off.get(line.line_id, 0)) for line in basket.lines]
    return [(line, pieces) for line, pieces in left if pieces > 0]


def _lines(
    to_pay: Sequence[tuple[Line, int]],
    products: Mapping[str, Product],
    terms: Terms,
    previous: Receipt | None,
) -> tuple[ReceiptLine, ...]:
    by_sku: dict[str, list[tuple[Line, int]]] = {}
    for line, pieces in to_pay:
        by_sku.setdefault(line.sku, []).append((line, pieces))
    charged_before = {line.sku: line for line in previous.lines} if previous else {}
    receipt_lines = []
    for sku, lines in by_sku.items():
        before = charged_before.get(sku)
        name, price = (before.name, before.unit_price) if before else _offer(sku, products)
        quantity = sum(pieces for _, pieces in lines)
        receipt_lines.append(
            ReceiptLine(
                sku=sku,
                name=name,
                quantity=quantity,
                unit_price=rounded(price, terms.currency),
                total=rounded(price * quantity, terms.currency),
                # One rate for the whole store: products carry none of their own.
                tax_percent=terms.tax.percent,
                proofs=tuple(_proof(line, pieces) for line, pieces in lines),
            )
        )
    return tuple(receipt_lines)


def _offer(sku: str, products: Mapping[str, Product]) -> tuple[str, Decimal]:
    product = products.get(sku)
    if product is None or product.price is None:
        raise PriceError(
            f"a basket holds {sku}, which has no price in the catalogue; "
            "bring it back to products.csv and restart"
        )
    return product.name, product.price


def _taxes(lines: Sequence[ReceiptLine], terms: Terms) -> tuple[TaxLine, ...]:
    currency, included = terms.currency, terms.tax.included
    taxes = []
    by_rate = sorted(lines, key=lambda line: line.tax_percent)
    for percent, of_rate in groupby(by_rate, key=lambda line: line.tax_percent):
        shelf = sum((line.total for line in of_rate), start=rounded(Decimal(0), currency))
        tax = tax_of(shelf, percent, included, currency)
        net, gross = (shelf - tax, shelf) if included else (shelf, shelf + tax)
        taxes.append(TaxLine(percent=percent, net=net, tax=tax, gross=gross))
    return tuple(taxes)


def _proof(line: Line, pieces: int) -> Proof:
    event = line.event
    return Proof(
        line_id=line.line_id,
        event_id=event.event_id,
        quantity=pieces,
        at=iso_utc(line.charged_at.wall_time_s),
        camera=event.camera,
        fixture=event.fixture,
        facing=event.facing,
        crops=event.evidence.crops,
        clip=event.evidence.clip,
        reason=line.reason,
        reviewer=line.reviewer,
        numbers=numbers_of(event),
    )


def numbers_of(event: InteractionEvent) -> Numbers | None:
    """The numbers of an event's recognition; ``None`` when no crop was looked at."""
    recognition = event.evidence.recognition
    if recognition is None:
        return None
    decision = recognition.decision
    return Numbers(
        outcome=decision.outcome,
        distance=decision.distance,
        margin=decision.margin,
        gated=decision.gated,
        tl=decision.thresholds.tl,
        tl_full=decision.thresholds.tl_full,
        th=decision.thresholds.th,
        crops=decision.crops,
        category=recognition.category,
        bundle_version=recognition.bundle_version,
        precision=recognition.precision,
    )


def _pending(review: Review, basket: Basket, products: Mapping[str, Product]) -> PendingLine:
    charged = basket.charged_for(review.event)
    return PendingLine(
        review_id=review.review_id,
        kind=review.event.kind,
        quantity=max(1, review.quantity - charged),
        names=tuple(products[sku].name if sku in products else sku for sku in review.skus),
        at=iso_utc(review.opened_at.wall_time_s),
        crops=review.event.evidence.crops,
        reason=review.reason,
    )
