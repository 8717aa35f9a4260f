"""One shopper's basket as that shopper sees it: while shopping, and the receipt afterwards. Pure.

Owns what of a session is for its shopper: what is charged and why it is, what is still being
checked, what was objected to and what came of it. Nobody else's session is in it, and nothing of
how the shop works inside.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from edge.checkout.desk import Desk
from edge.checkout.receipt import PendingLine, Receipt, ReceiptLine
from edge.checkout.shop import Dispute, Shop
from edge.events import InteractionKind
from web.shape import Shape, money

DisputeState = Literal["open", "upheld", "declined"]


class Take(Shape):
    """Pieces that were taken at once.

    Attributes:
        line_id: What an objection names.
        quantity: Pieces of it that are charged.
        happened_at: When they were taken.
        crops: Names of its pictures.
        disputed: Whether an objection to it is being looked at.
    """

    line_id: str
    quantity: int
    happened_at: float
    crops: tuple[str, ...]
    disputed: bool


class ShopperLine(Shape):
    """One product.

    Attributes:
        sku: The product.
        name: Its name.
        quantity: Pieces.
        unit_price: Price of a piece.
        total: Price of all.
        takes: When they were taken.
    """

    sku: str
    name: str
    quantity: int
    unit_price: str
    total: str
    takes: tuple[Take, ...]


class BeingChecked(Shape):
    """Something that a person is looking at; it is not charged so far.

    Attributes:
        kind: Taken or put back.
        quantity: Pieces.
        names: Products it may be.
        happened_at: When.
    """

    kind: InteractionKind
    quantity: int
    names: tuple[str, ...]
    happened_at: float


class Objection(Shape):
    """What the shopper objected to.

    Attributes:
        name: Name of the product.
        quantity: Pieces.
        reason: What the shopper said.
        disputed_at: When.
        state: ``open``, ``upheld`` or ``declined``.
        answer: What the shop says; empty while it is open.
    """

    name: str
    quantity: int
    reason: str
    disputed_at: float
    state: DisputeState
    answer: str


class GivenBack(Shape):
    """Money that was given back after the receipt.

    Attributes:
        name: Name of the product.
        quantity: Pieces.
        amount: What they cost.
        refunded_at: When.
    """

    name: str
    quantity: int
    amount: str
    refunded_at: float


class ShopperTax(Shape):
    """The tax of one rate.

    Attributes:
        percent: The rate.
        tax: The tax.
    """

    percent: str
    tax: str


class ShopperView(Shape):
    """All that a shopper's page shows.

    Attributes:
        shopping: Whether the session goes on.
        opened_at: When it began.
        closed_at: When it ended; ``None`` while it goes on.
        receipt_id: Id of the newest receipt; ``None`` before the first.
        version: Its version; 0 before the first.
        lines: What is charged.
        checking: What is still being checked.
        taxes: By rate.
        tax_included: Whether prices include it.
        total: What is to be paid.
        currency: Of all amounts.
        objections: In order.
        given_back: In order.
    """

    shopping: bool
    opened_at: float
    closed_at: float | None
    receipt_id: str | None
    version: int
    lines: tuple[ShopperLine, ...]
    checking: tuple[BeingChecked, ...]
    taxes: tuple[ShopperTax, ...]
    tax_included: bool
    total: str
    currency: str
    objections: tuple[Objection, ...]
    given_back: tuple[GivenBack, ...]

    def take(self, line_id: str) -> Take | None:
        """A take by the id of its line; ``None`` where the basket has none such."""
        return next(
            (take for line in self.lines for take in line.takes if take.line_id == line_id), None
        )

    @property
    def crops(self) -> frozenset[str]:
        """Names of all pictures that belong to this basket."""
        return frozenset(crop for line in self.lines for take in line.takes for crop in take.crops)


def shopper_view(desk: Desk, session_id: str) -> ShopperView | None:
    """A session as its shopper sees it; ``None`` where there is none, or it is staff's.

    Args:
        desk: The shop's checkout.
        session_id: The session.
    """
    shop = desk.shop
    basket = shop.baskets.get(session_id)
    if basket is None or basket.role != "shopper":
        return None
    issued = shop.latest_receipt(session_id)
    receipt = issued or desk.preview(session_id)
    disputes = [each for each in shop.disputes.values() if each.opened.session_id == session_id]
    disputed = {each.opened.line_id for each in disputes if each.settled is None}
    return ShopperView(
        shopping=basket.is_open,
        opened_at=basket.opened_at.wall_time_s,
        closed_at=None if basket.closed_at is None else basket.closed_at.wall_time_s,
        receipt_id=None if issued is None else issued.receipt_id,
        version=0 if issued is None else issued.version,
        lines=tuple(_line(line, disputed) for line in receipt.lines),
        checking=tuple(_checking(each) for each in receipt.pending),
        taxes=tuple(
            ShopperTax(percent=f"{tax.percent.normalize():f}", tax=money(tax.tax))
            for tax in receipt.taxes
        ),
        tax_included=receipt.terms.tax.included,
        total=money(receipt.total),
        currency=receipt.terms.currency,
        objections=tuple(_objection(each, shop, desk) for each in disputes),
        given_back=_given_back(session_id, shop, desk),
    )


def _line(line: ReceiptLine, disputed: set[str]) -> ShopperLine:
    return ShopperLine(
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        unit_price=money(line.unit_price),
        total=money(line.total),
        takes=tuple(
            Take(
                line_id=proof.line_id,
                quantity=proof.quantity,
                happened_at=_seconds(proof.at),
                crops=proof.crops,
                disputed=proof.line_id in disputed,
            )
            for proof in line.proofs
        ),
    )


def _checking(pending: PendingLine) -> BeingChecked:
    return BeingChecked(
        kind=pending.kind,
        quantity=pending.quantity,
        names=pending.names,
        happened_at=_seconds(pending.at),
    )


def _objection(dispute: Dispute, shop: Shop, desk: Desk) -> Objection:
    opened, settled = dispute.opened, dispute.settled
    state: DisputeState = "open"
    if settled is not None:
        state = "upheld" if settled.upheld else "declined"
    return Objection(
        name=desk.name_of(shop.line(opened.line_id).sku),
        quantity=opened.quantity,
        reason=opened.reason,
        disputed_at=opened.wall_time_s,
        state=state,
        answer="" if settled is None else settled.reason,
    )


def _given_back(session_id: str, shop: Shop, desk: Desk) -> tuple[GivenBack, ...]:
    prices = _prices(shop.receipts.get(session_id, ()))
    return tuple(
        GivenBack(
            name=desk.name_of(shop.line(refund.line_id).sku),
            quantity=refund.quantity,
            amount=money(prices[shop.line(refund.line_id).sku] * refund.quantity),
            refunded_at=refund.wall_time_s,
        )
        for refund in shop.refunds.values()
        if refund.session_id == session_id
    )


def _prices(versions: tuple[Receipt, ...]) -> dict[str, Decimal]:
    return {line.sku: line.unit_price for receipt in versions for line in receipt.lines}


def _seconds(iso_utc: str) -> float:
    """Seconds since 1970 of what ``receipt.iso_utc`` wrote."""
    return datetime.fromisoformat(iso_utc.replace("Z", "+00:00")).timestamp()
