"""Receipts with the evidence behind every line, their corrections, refunds and disputes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal

from edge.checkout.receipt import Numbers, PendingLine, Proof, Receipt, ReceiptLine
from edge.checkout.shop import Dispute, Shop
from edge.dashboard.views.shape import Crop, crop_shape, crops_of
from edge.events import InteractionKind
from edge.tracing import trace_id
from web.shape import Shape, money


class ShownProof(Shape):
    """Why pieces are on a receipt.

    Attributes:
        line_id: Line of the basket; refunds and disputes are of one of these.
        event_id: The interaction event behind it.
        trace: The same in all logs and messages, from the camera's frame on.
        quantity: Pieces.
        happened_at: When.
        camera: Camera that saw it.
        fixture: Where.
        facing: Where on it; ``None`` between facings.
        crops: Its pictures.
        clip: Camera and span of the video; ``None`` when none was kept.
        reason: Why it was decided so, in words.
        reviewer: Who settled it; ``None`` when nobody had to.
        numbers: Of the recognition; ``None`` when no crop was looked at.
        returnable: Pieces that can still be given back.
        disputes: Ids of the disputes about it.
    """

    line_id: str
    event_id: str
    trace: str
    quantity: int
    happened_at: float
    camera: str
    fixture: str
    facing: str | None
    crops: tuple[Crop, ...]
    clip: str | None
    reason: str
    reviewer: str | None
    numbers: Numbers | None
    returnable: int
    disputes: tuple[str, ...]


class ShownLine(Shape):
    """One product on a receipt.

    Attributes:
        sku: The product.
        name: Its name.
        quantity: Pieces.
        unit_price: Price of a piece.
        total: Price of all pieces.
        tax_percent: Rate that applies.
        proofs: What it rests on.
    """

    sku: str
    name: str
    quantity: int
    unit_price: str
    total: str
    tax_percent: str
    proofs: tuple[ShownProof, ...]


class ShownPending(Shape):
    """Something that a person is still asked about; nothing of it is in the sums.

    Attributes:
        review_id: The review.
        trace: The same in all logs and messages, from the camera's frame on.
        kind: Taken or put back.
        quantity: Pieces in question.
        names: Products it may be.
        happened_at: When.
        crops: Its pictures.
        reason: Why a person is asked.
    """

    review_id: str
    trace: str
    kind: InteractionKind
    quantity: int
    names: tuple[str, ...]
    happened_at: float
    crops: tuple[Crop, ...]
    reason: str


class ShownTax(Shape):
    """The tax of one rate.

    Attributes:
        percent: The rate.
        net: Without it.
        tax: It.
        gross: Both.
    """

    percent: str
    net: str
    tax: str
    gross: str


class ShownReceipt(Shape):
    """One version of a receipt.

    Attributes:
        receipt_id: Its id.
        version: 1, and one more with every correction.
        corrects: Id of the version before.
        issued_at: When.
        lines: What was bought.
        pending: What is still being checked.
        taxes: By rate.
        total: What is to be paid.
        currency: Of all amounts.
        tax_included: Whether prices include the tax.
    """

    receipt_id: str
    version: int
    corrects: str | None
    issued_at: float
    lines: tuple[ShownLine, ...]
    pending: tuple[ShownPending, ...]
    taxes: tuple[ShownTax, ...]
    total: str
    currency: str
    tax_included: bool


class ShownRefund(Shape):
    """Pieces that were given back after the receipt.

    Attributes:
        refund_id: Its id.
        line_id: The line.
        name: Name of the product.
        quantity: Pieces.
        amount: What they cost.
        reviewer: Who decided it.
        reason: Why.
        refunded_at: When.
    """

    refund_id: str
    line_id: str
    name: str
    quantity: int
    amount: str
    reviewer: str
    reason: str
    refunded_at: float


class DisputeVerdict(Shape):
    """How a dispute ended.

    Attributes:
        upheld: Whether the shopper was right.
        reviewer: Who settled it.
        reason: In words.
        settled_at: When.
    """

    upheld: bool
    reviewer: str
    reason: str
    settled_at: float


class ShownDispute(Shape):
    """A shopper's objection to a line.

    Attributes:
        dispute_id: Its id.
        session: Whose.
        shoppers: Labels of the session's members.
        line_id: The line.
        sku: The product.
        name: Its name.
        quantity: Pieces in dispute.
        amount: What they cost.
        currency: Of the amount.
        reason: What the shopper says.
        disputed_at: When.
        happened_at: When the pieces were taken.
        crops: Pictures of that.
        line_reason: Why they were charged.
        verdict: How it ended; ``None`` while open.
    """

    dispute_id: str
    session: str
    shoppers: tuple[str, ...]
    line_id: str
    sku: str
    name: str
    quantity: int
    amount: str
    currency: str
    reason: str
    disputed_at: float
    happened_at: float
    crops: tuple[Crop, ...]
    line_reason: str
    verdict: DisputeVerdict | None


class ReceiptBrief(Shape):
    """A receipt in a list.

    Attributes:
        session: Whose.
        shoppers: Labels of its members.
        closed_at: When they left.
        issued_at: When the newest version was made.
        version: Of the newest version.
        pieces: On it.
        pending: What is still being checked.
        open_disputes: Of its lines.
        refunds: Of its lines.
        total: What is to be paid.
        currency: Of the total.
        lines: Its products, shortly: name and pieces.
    """

    session: str
    shoppers: tuple[str, ...]
    closed_at: float
    issued_at: float
    version: int
    pieces: int
    pending: int
    open_disputes: int
    refunds: int
    total: str
    currency: str
    lines: tuple[tuple[str, int], ...]


class SessionReceipts(Shape):
    """Everything about one visit that has ended.

    Attributes:
        brief: Its newest version, shortly.
        opened_at: When the first member checked in.
        closed_by: ``exit``, ``time_out`` or ``staff``.
        versions: All versions, the newest first.
        refunds: In order.
        disputes: In order.
    """

    brief: ReceiptBrief
    opened_at: float
    closed_by: str | None
    versions: tuple[ShownReceipt, ...]
    refunds: tuple[ShownRefund, ...]
    disputes: tuple[ShownDispute, ...]


def receipt_shape(receipt: Receipt, shop: Shop) -> ShownReceipt:
    """A version of a receipt as people see it."""
    return ShownReceipt(
        receipt_id=receipt.receipt_id,
        version=receipt.version,
        corrects=receipt.corrects,
        issued_at=_seconds(receipt.issued_at),
        lines=tuple(_line(line, receipt, shop) for line in receipt.lines),
        pending=tuple(_pending(each, receipt) for each in receipt.pending),
        taxes=tuple(
            ShownTax(
                percent=str(tax.percent),
                net=money(tax.net),
                tax=money(tax.tax),
                gross=money(tax.gross),
            )
            for tax in receipt.taxes
        ),
        total=money(receipt.total),
        currency=receipt.terms.currency,
        tax_included=receipt.terms.tax.included,
    )


def brief_of(receipt: Receipt, shop: Shop) -> ReceiptBrief:
    """A receipt in a list."""
    session = receipt.session_id
    return ReceiptBrief(
        session=session,
        shoppers=receipt.shoppers,
        closed_at=_seconds(receipt.closed_at),
        issued_at=_seconds(receipt.issued_at),
        version=receipt.version,
        pieces=sum(line.quantity for line in receipt.lines),
        pending=len(receipt.pending),
        open_disputes=sum(each.settled is None for each in _disputes_of(session, shop)),
        refunds=sum(each.session_id == session for each in shop.refunds.values()),
        total=money(receipt.total),
        currency=receipt.terms.currency,
        lines=tuple((line.name, line.quantity) for line in receipt.lines),
    )


def session_receipts(
    session_id: str, shop: Shop, name_of: Callable[[str], str], price_of: Callable[[str], str]
) -> SessionReceipts | None:
    """Everything about a visit; ``None`` where it has no receipt.

    Args:
        session_id: The session.
        shop: All of the ledger.
        name_of: Name of a product.
        price_of: Price of one piece of a line, by line id, as money.
    """
    versions = shop.receipts.get(session_id, ())
    if not versions:
        return None
    basket = shop.baskets[session_id]
    return SessionReceipts(
        brief=brief_of(versions[-1], shop),
        opened_at=basket.opened_at.wall_time_s,
        closed_by=basket.closed_by,
        versions=tuple(receipt_shape(each, shop) for each in reversed(versions)),
        refunds=tuple(
            ShownRefund(
                refund_id=each.refund_id,
                line_id=each.line_id,
                name=name_of(shop.line(each.line_id).sku),
                quantity=each.quantity,
                amount=_times(price_of(each.line_id), each.quantity),
                reviewer=each.reviewer,
                reason=each.reason,
                refunded_at=each.wall_time_s,
            )
            for each in shop.refunds.values()
            if each.session_id == session_id
        ),
        disputes=tuple(
            dispute_shape(each, shop, name_of, price_of, versions[-1].terms.currency)
            for each in _disputes_of(session_id, shop)
        ),
    )


def dispute_shape(
    dispute: Dispute,
    shop: Shop,
    name_of: Callable[[str], str],
    price_of: Callable[[str], str],
    currency: str,
) -> ShownDispute:
    """A dispute as people see it; see ``session_receipts``."""
    opened, settled = dispute.opened, dispute.settled
    line, basket = shop.line(opened.line_id), shop.baskets[opened.session_id]
    return ShownDispute(
        dispute_id=opened.dispute_id,
        session=opened.session_id,
        shoppers=tuple(member.shopper for member in basket.members),
        line_id=opened.line_id,
        sku=line.sku,
        name=name_of(line.sku),
        quantity=opened.quantity,
        amount=_times(price_of(opened.line_id), opened.quantity),
        currency=currency,
        reason=opened.reason,
        disputed_at=opened.wall_time_s,
        happened_at=line.charged_at.wall_time_s,
        crops=crops_of(line.event),
        line_reason=line.reason,
        verdict=None
        if settled is None
        else DisputeVerdict(
            upheld=settled.upheld,
            reviewer=settled.reviewer,
            reason=settled.reason,
            settled_at=settled.wall_time_s,
        ),
    )


def _line(line: ReceiptLine, receipt: Receipt, shop: Shop) -> ShownLine:
    return ShownLine(
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        unit_price=money(line.unit_price),
        total=money(line.total),
        tax_percent=str(line.tax_percent),
        proofs=tuple(_proof(proof, receipt, shop) for proof in line.proofs),
    )


def _proof(proof: Proof, receipt: Receipt, shop: Shop) -> ShownProof:
    line = shop.line(proof.line_id)
    return ShownProof(
        line_id=proof.line_id,
        event_id=proof.event_id,
        trace=trace_id(receipt.terms.store_id, proof.event_id),
        quantity=proof.quantity,
        happened_at=line.charged_at.wall_time_s,
        camera=proof.camera,
        fixture=proof.fixture,
        facing=proof.facing,
        crops=crops_of(line.event),
        clip=proof.clip,
        reason=proof.reason,
        reviewer=proof.reviewer,
        numbers=proof.numbers,
        returnable=line.pieces,
        disputes=tuple(
            each.opened.dispute_id
            for each in _disputes_of(receipt.session_id, shop)
            if each.opened.line_id == proof.line_id
        ),
    )


def _pending(pending: PendingLine, receipt: Receipt) -> ShownPending:
    return ShownPending(
        review_id=pending.review_id,
        # A review is named after its event.
        trace=trace_id(receipt.terms.store_id, pending.review_id),
        kind=pending.kind,
        quantity=pending.quantity,
        names=pending.names,
        happened_at=_seconds(pending.at),
        crops=tuple(crop_shape(name) for name in pending.crops),
        reason=pending.reason,
    )


def _disputes_of(session_id: str, shop: Shop) -> Iterable[Dispute]:
    return [each for each in shop.disputes.values() if each.opened.session_id == session_id]


def _times(price: str, quantity: int) -> str:
    return money(Decimal(price) * quantity)


def _seconds(iso_utc: str) -> float:
    """Seconds since 1970 of what ``receipt.iso_utc`` wrote."""
    return datetime.fromisoformat(iso_utc.replace("Z", "+00:00")).timestamp()
