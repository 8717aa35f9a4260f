"""Baskets while people shop."""

from __future__ import annotations

from edge.checkout.basket import Basket
from edge.checkout.receipt import Receipt
from web.shape import Shape, money


class BasketMember(Shape):
    """Somebody who pays with this basket.

    Attributes:
        checkin_id: Id of the check-in.
        shopper: Label for people.
        joined_at: When they checked in.
        left_at: When they left before the others; ``None`` while inside.
    """

    checkin_id: str
    shopper: str
    joined_at: float
    left_at: float | None


class BasketLine(Shape):
    """One product in a basket.

    Attributes:
        sku: The product.
        name: Its name.
        quantity: Pieces.
        unit_price: Price of a piece.
        total: Price of all pieces.
        line_ids: What the ledger calls the lines behind it; a dispute is about one of them.
    """

    sku: str
    name: str
    quantity: int
    unit_price: str
    total: str
    line_ids: tuple[str, ...]


class ShownBasket(Shape):
    """What a session holds now.

    Attributes:
        session: Its id.
        shoppers: Labels of its members.
        members: Its members.
        opened_at: When the first of them checked in.
        lines: What it holds.
        pending: Reviews that may still change it.
        total: What it would have to pay now, without what is pending.
        currency: Of all amounts.
    """

    session: str
    shoppers: tuple[str, ...]
    members: tuple[BasketMember, ...]
    opened_at: float
    lines: tuple[BasketLine, ...]
    pending: int
    total: str
    currency: str


def basket_shape(basket: Basket, preview: Receipt) -> ShownBasket:
    """A basket as people see it.

    Args:
        basket: The session.
        preview: What its receipt would say now.
    """
    return ShownBasket(
        session=basket.session_id,
        shoppers=tuple(member.shopper for member in basket.members),
        members=tuple(
            BasketMember(
                checkin_id=member.checkin_id,
                shopper=member.shopper,
                joined_at=member.joined_at.wall_time_s,
                left_at=None if member.left_at is None else member.left_at.wall_time_s,
            )
            for member in basket.members
        ),
        opened_at=basket.opened_at.wall_time_s,
        lines=tuple(
            BasketLine(
                sku=line.sku,
                name=line.name,
                quantity=line.quantity,
                unit_price=money(line.unit_price),
                total=money(line.total),
                line_ids=tuple(proof.line_id for proof in line.proofs),
            )
            for line in preview.lines
        ),
        pending=len(preview.pending),
        total=money(preview.total),
        currency=preview.terms.currency,
    )
