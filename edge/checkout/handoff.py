"""What is told to the till and to subscribers: receipts and baskets as messages. Pure.

Owns the shape of those messages. The till's follow Amazon's published Just Walk Out interfaces, so
that a retailer's existing connector takes them: ``POST /v1/order/purchases`` ("Create Purchases")
and ``POST /v1/refund`` ("Refund Charge"), https://developer.amazon.com/docs/physicalstores/. Ids
that those ask to be UUIDs are version 5 (RFC 4122), made from the ids of the ledger: the same
message has the same id whenever it is made.

A correction of a receipt goes out as what differs: pieces that came on as a further purchase with a
trip id of its own, money that goes back as a refund of the first.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Final
from urllib.parse import quote

from edge.checkout.basket import Basket
from edge.checkout.entries import canonical_json
from edge.checkout.message import OutgoingMessage
from edge.checkout.money import rounded
from edge.checkout.receipt import Receipt, iso_utc
from edge.tracing import traces_of
from models.catalogue import Product

PURCHASES: Final = "/v1/order/purchases"
REFUND: Final = "/v1/refund"
_NAMES: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "walkout.till")


def till_messages(
    receipt: Receipt,
    previous: Receipt | None,
    basket: Basket,
    products: Mapping[str, Product],
    reason: str = "",
) -> tuple[OutgoingMessage, ...]:
    """What the till is told about a receipt.

    Args:
        receipt: A version of a receipt.
        previous: The version before; ``None`` for the first, which is told even when empty.
        basket: Its session.
        products: The catalogue by SKU.
        reason: Why money goes back, where it does.
    """
    before = previous.quantities() if previous else {}
    after = receipt.quantities()
    added = {sku: n - before.get(sku, 0) for sku, n in after.items() if n > before.get(sku, 0)}
    messages = []
    if previous is None or added:
        purchase = _purchase(receipt, basket, added, products)
        messages.append(_to_till("purchase", PURCHASES, receipt, purchase))
    back = _money_back(receipt, previous)
    if back > 0:
        refund = _refund(receipt, back, reason or "corrected after a person has looked")
        messages.append(_to_till("refund", REFUND, receipt, refund))
    return tuple(messages)


def receipt_announcement(receipt: Receipt) -> OutgoingMessage:
    """A receipt for subscribers, on ``receipts/<session>``, with the traces of its lines."""
    return _announcement(
        "receipt",
        receipt.session_id,
        receipt.receipt_id,
        receipt.model_dump(mode="json"),
        {"traces": traces_of(receipt)},
    )


def basket_announcement(basket: Basket, preview: Receipt, cause: str) -> OutgoingMessage:
    """A basket for subscribers while the session goes on, on ``baskets/<session>``.

    Args:
        basket: The session.
        preview: What its receipt would say now.
        cause: Id of the ledger entry that changed it.
    """
    lines = [line.model_dump(mode="json", exclude={"proofs"}) for line in preview.lines]
    content = {
        "session_id": basket.session_id,
        "shoppers": [member.shopper for member in basket.members],
        "currency": preview.terms.currency,
        "lines": lines,
        "pending": [line.model_dump(mode="json") for line in preview.pending],
        "total": str(preview.total),
    }
    return _announcement("basket", basket.session_id, cause, content)


def trip_id(store_id: str, session_id: str, version: int = 1) -> str:
    """The UUID that a till knows a session by; corrections that add pieces have their own."""
    return _uuid("trip", store_id, session_id, str(version))


def _purchase(
    receipt: Receipt, basket: Basket, added: Mapping[str, int], products: Mapping[str, Product]
) -> dict[str, object]:
    store = receipt.terms.store_id
    first = basket.members[0]
    return {
        "requestId": _uuid("request", store, receipt.receipt_id, "purchase"),
        "idempotentShoppingTripId": trip_id(store, receipt.session_id, receipt.version),
        "storeId": store,
        "shoppingTrip": {
            "startTime": receipt.opened_at,
            "endTime": receipt.closed_at,
            "authEvents": [
                {
                    "id": _uuid("check-in", store, member.checkin_id),
                    "timestamp": iso_utc(member.joined_at.wall_time_s),
                    "location": "ENTRY",
                    "payloadType": "SCAN_CODE",
                    "scanResult": {"id": member.token_hash, "type": "SHOPPER"},
                }
                for member in basket.members
            ],
        },
        "cartItems": [_cart_item(sku, added[sku], products[sku]) for sku in added],
        "shopperIdentity": {"id": first.token_hash},
    }


def _cart_item(sku: str, quantity: int, product: Product) -> dict[str, object]:
    item: dict[str, object] = {
        "id": sku,
        "type": "SKU",
        "quantity": {"value": str(quantity), "unit": "unit"},
    }
    if product.gtin is not None:
        item["externalIdentifiers"] = [{"id": product.gtin, "type": "GTIN"}]
    return item


def _money_back(receipt: Receipt, previous: Receipt | None) -> Decimal:
    """What the pieces that went off the receipt had cost; pieces that came on do not count."""
    if previous is None:
        return Decimal(0)
    after = {line.sku: line.total for line in receipt.lines}
    gone = {line.sku: line.total - after.get(line.sku, Decimal(0)) for line in previous.lines}
    if all(amount >= 0 for amount in gone.values()) and set(after) <= set(gone):
        # Nothing came on, so the totals say it to the cent, tax included.
        return previous.total - receipt.total
    rate = {line.sku: line.tax_percent for line in previous.lines}
    added_tax = Decimal(0) if receipt.terms.tax.included else Decimal(1)
    back = sum(
        (amount * (1 + added_tax * rate[sku] / 100) for sku, amount in gone.items() if amount > 0),
        start=Decimal(0),
    )
    return rounded(back, receipt.terms.currency)


def _refund(receipt: Receipt, back: Decimal, reason: str) -> dict[str, object]:
    store = receipt.terms.store_id
    return {
        "storeId": store,
        "shoppingTripId": trip_id(store, receipt.session_id),
        "amount": {"amount": float(back), "code": receipt.terms.currency},
        "refundRequestId": _uuid("request", store, receipt.receipt_id, "refund"),
        "refundReasonCode": "OTHER",
        "reason": reason,
    }


def _to_till(
    kind: str, address: str, receipt: Receipt, content: Mapping[str, object]
) -> OutgoingMessage:
    return OutgoingMessage(
        message_id=f"till.{kind}.{receipt.receipt_id}",
        receiver="till",
        stream=receipt.session_id,
        address=address,
        body=canonical_json(content),
    )


def _announcement(
    kind: str,
    session_id: str,
    cause: str,
    content: object,
    beside: Mapping[str, object] | None = None,
) -> OutgoingMessage:
    # Ids become levels of topics, where / + and # would mean something.
    message_id = quote(f"{kind}.{cause}", safe="")
    envelope = {
        "schema_version": 1,
        "message_id": message_id,
        "type": kind,
        kind: content,
        **(beside or {}),
    }
    return OutgoingMessage(
        message_id=message_id,
        receiver="mqtt",
        stream=session_id,
        address=f"{kind}s/{quote(session_id, safe='')}",
        body=canonical_json(envelope),
    )


def _uuid(*names: str) -> str:
    return str(uuid.uuid5(_NAMES, json.dumps(names)))
