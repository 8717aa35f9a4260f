from __future__ import annotations

import json
import math
import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from edge.checkout.basket import Attribution
from edge.checkout.correcting import Verdict
from edge.checkout.desk import Desk
from edge.checkout.ledger import Ledger
from edge.checkout.outbox import Outbox
from edge.errors import CheckoutError, LedgerConflictError, PriceError
from edge.events import InteractionKind
from models.catalogue import Product
from tests.edge.checkout.shopping import (
    OPENED_AT_S,
    PRODUCTS,
    TERMS,
    check_in,
    event,
    moment,
    open_desk,
)

ANNA = Attribution(("anna",), "alone")
EITHER = Attribution(("anna", "ben"), "both near")


def take(
    desk: Desk,
    name: str,
    by: Attribution = ANNA,
    kind: InteractionKind = "take",
    sku: str = "milk",
    quantity: int = 1,
    at_s: float = 10.0,
) -> None:
    seen = event(name, kind, sku, quantity=quantity, at_s=at_s)
    desk.record(seen, by, wall_time_s=OPENED_AT_S + seen.ended_at_s)


def till_bodies(ledger: Ledger) -> list[tuple[str, dict[str, Any]]]:
    """Everything that the till is to be told, in order."""
    outbox = Outbox(ledger.file)
    bodies: list[tuple[str, dict[str, Any]]] = []
    while True:
        waiting = outbox.next_messages("till")
        if not waiting:
            return bodies
        for message in waiting:
            bodies.append((message.address, json.loads(message.body)))
            outbox.acknowledge(message.message_id, 0.0)


def test_leaving_closes_the_session_with_a_receipt_and_tells_the_till(
    desk: Desk, ledger: Ledger
) -> None:
    take(desk, "e1", quantity=2)
    desk.leave("anna", at=moment(30))
    receipt = desk.shop.latest_receipt("anna")
    assert receipt is not None
    assert receipt.total == Decimal("4.98")
    ((address, purchase),) = till_bodies(ledger)
    assert address == "/v1/order/purchases"
    assert purchase["cartItems"] == [
        {"id": "milk", "type": "SKU", "quantity": {"value": "2", "unit": "unit"}}
    ]
    trip = purchase["shoppingTrip"]
    assert (trip["startTime"], trip["endTime"]) == (
        "2026-03-02T08:00:01.000Z",
        "2026-03-02T08:00:30.000Z",
    )
    (check_in_event,) = trip["authEvents"]
    assert check_in_event["timestamp"] == "2026-03-02T08:00:01.000Z"
    assert check_in_event["scanResult"] == {"id": "hash-of-anna", "type": "SHOPPER"}
    for name in (purchase["requestId"], check_in_event["id"]):
        assert uuid.UUID(name).version == 5


def test_who_took_nothing_gets_an_empty_receipt_and_the_till_an_empty_cart(
    desk: Desk, ledger: Ledger
) -> None:
    desk.close("anna", "time_out", at=moment(30))
    assert desk.shop.baskets["anna"].closed_by == "time_out"
    ((_, purchase),) = till_bodies(ledger)
    assert purchase["cartItems"] == []


def test_leaving_twice_is_leaving_once(desk: Desk) -> None:
    desk.leave("anna", at=moment(30))
    assert desk.leave("anna", at=moment(31)) == ()
    assert len(desk.shop.receipts["anna"]) == 1


def test_a_group_shares_one_basket_that_closes_with_the_last_of_them(desk: Desk) -> None:
    check_in(desk, "carla", group="family")
    check_in(desk, "dora", group="family")
    take(desk, "e1", Attribution(("carla",), ""))
    # Two of one group are no two shoppers.
    take(desk, "e2", Attribution(("dora", "carla"), ""), sku="bear")
    desk.leave("carla", at=moment(20))
    assert desk.shop.baskets["family"].is_open
    desk.leave("dora", at=moment(25))
    receipt = desk.shop.latest_receipt("family")
    assert receipt is not None
    assert receipt.quantities() == {"milk": 1, "bear": 1}
    assert receipt.shoppers == ("shopper carla", "shopper dora")


def test_checking_in_twice_is_checking_in_once(desk: Desk) -> None:
    check_in(desk, "anna", at_s=5.0)
    assert len(desk.shop.baskets["anna"].members) == 1


def test_a_check_in_with_the_id_of_another_is_refused(desk: Desk) -> None:
    with pytest.raises(LedgerConflictError, match="anna is known with another token"):
        desk.check_in(
            "anna", token_hash="stolen", shopper="x", role="shopper", at=moment(2), group=None
        )


def test_nobody_joins_a_group_that_has_left_or_is_of_the_staff(desk: Desk) -> None:
    desk.leave("anna", at=moment(5))
    with pytest.raises(CheckoutError, match="has left"):
        check_in(desk, "eve", group="anna")
    with pytest.raises(CheckoutError, match="checked in as staff"):
        check_in(desk, "eve", group="staff-1")


def test_a_review_settled_after_the_exit_corrects_the_receipt_and_charges_what_came_on(
    desk: Desk, ledger: Ledger
) -> None:
    take(desk, "e1")
    take(desk, "e2", EITHER, sku="bear")
    desk.leave("anna", at=moment(30))
    desk.leave("ben", at=moment(31))
    (first,) = desk.shop.receipts["anna"]
    assert [line.names for line in first.pending] == [("Teddy bear",)]
    desk.settle_review("e2", Verdict("maria", "bear", "anna", 1, "seen on the clip"), at=moment(60))

    (_, second) = desk.shop.receipts["anna"]
    assert (second.version, second.corrects, second.pending) == (2, "anna-r1", ())
    assert second.quantities() == {"milk": 1, "bear": 1}
    assert second.lines[1].proofs[0].reviewer == "maria"
    # The other shopper's receipt said that something was being checked.
    assert desk.shop.receipts["ben"][-1].pending == ()
    told = till_bodies(ledger)
    carts = [[item["id"] for item in body["cartItems"]] for _, body in told]
    assert sorted(carts) == [[], ["bear"], ["milk"]]
    trips = {body["idempotentShoppingTripId"] for _, body in told}
    assert len(trips) == 3


def test_what_may_have_been_put_back_is_charged_once_a_person_has_seen_that_it_was_not(
    desk: Desk, ledger: Ledger
) -> None:
    take(desk, "e1", quantity=2)
    take(desk, "e2", Attribution(("ben",), ""))
    take(desk, "e3", EITHER, kind="put_back", at_s=20)
    take(desk, "e4", at_s=25)
    desk.leave("anna", at=moment(30))
    desk.leave("ben", at=moment(31))
    assert [desk.shop.receipts[each][0].quantities() for each in ("anna", "ben")] == [
        {"milk": 2},  # one of the two, and what was taken later
        {},
    ]
    assert [each.kind for each in desk.shop.receipts["ben"][0].pending] == ["put_back"]
    desk.settle_review("e3", Verdict("maria", "milk", "ben", 1), at=moment(60))
    assert desk.shop.receipts["anna"][-1].quantities() == {"milk": 3}
    assert desk.shop.receipts["ben"][-1].quantities() == {}
    told = till_bodies(ledger)
    assert [address for address, _ in told] == ["/v1/order/purchases"] * 3
    pieces = [[item["quantity"]["value"] for item in body["cartItems"]] for _, body in told]
    assert pieces == [["2"], [], ["1"]]


def test_a_put_back_that_is_seen_after_the_receipt_gives_the_money_back(
    desk: Desk, ledger: Ledger
) -> None:
    take(desk, "e1")
    desk.leave("anna", at=moment(30))
    take(desk, "e2", kind="put_back", at_s=29)
    assert desk.shop.receipts["anna"][-1].total == 0
    (purchase, refund) = till_bodies(ledger)
    assert refund[0] == "/v1/refund"
    assert refund[1]["amount"] == {"amount": 2.49, "code": "EUR"}
    assert refund[1]["shoppingTripId"] == purchase[1]["idempotentShoppingTripId"]


def test_a_review_that_turns_out_to_be_nothing_charges_nobody(desk: Desk) -> None:
    take(desk, "e1", EITHER)
    desk.settle_review("e1", Verdict("maria", None, None, 0), at=moment(20))
    assert desk.shop.open_reviews() == ()
    assert desk.shop.baskets["anna"].lines == ()


def test_a_review_is_settled_once(desk: Desk) -> None:
    take(desk, "e1", EITHER)
    verdict = Verdict("maria", "milk", "anna", 1)
    desk.settle_review("e1", verdict, at=moment(20))
    assert desk.settle_review("e1", verdict, at=moment(21)) == ()
    with pytest.raises(LedgerConflictError, match="settled by maria"):
        desk.settle_review("e1", Verdict("jon", "milk", "ben", 1), at=moment(22))


@pytest.mark.parametrize(
    ("verdict", "complaint"),
    [
        (Verdict("maria", "milk", "anna", 0), "at least one piece"),
        (Verdict("maria", None, None, 1), "no product and 0"),
        (Verdict("maria", None, "anna", 0), "no session to name"),
        (Verdict("maria", "milk", "carla", 1), "nobody checked in as carla"),
        (Verdict("maria", "caviar", "anna", 1), "catalogue has no caviar"),
        (Verdict("maria", "milk", "anna", 1), "holds 0 pieces"),
    ],
)
def test_a_verdict_that_cannot_be_is_refused(desk: Desk, verdict: Verdict, complaint: str) -> None:
    take(desk, "e1", EITHER, kind="put_back")
    with pytest.raises(CheckoutError, match=complaint):
        desk.settle_review("e1", verdict, at=moment(20))
    assert len(desk.shop.open_reviews()) == 1


def test_a_refund_gives_pieces_back_with_a_corrected_receipt_and_its_reason(
    desk: Desk, ledger: Ledger
) -> None:
    take(desk, "e1", quantity=2)
    desk.leave("anna", at=moment(30))
    for _ in range(2):
        desk.refund("r1", "e1", 1, reviewer="maria", reason="leaking", at=moment(90))
    assert desk.shop.receipts["anna"][-1].total == Decimal("2.49")
    (_, (_, refund)) = till_bodies(ledger)
    assert refund["reason"] == "leaking"
    with pytest.raises(CheckoutError, match="1 pieces left"):
        desk.refund("r2", "e1", 2, reviewer="maria", reason="all", at=moment(91))
    with pytest.raises(LedgerConflictError, match="refund r1 was of 1 pieces"):
        desk.refund("r1", "e1", 2, reviewer="maria", reason="all", at=moment(91))


def test_before_the_receipt_there_is_nothing_to_refund(desk: Desk) -> None:
    take(desk, "e1")
    with pytest.raises(CheckoutError, match="no receipt yet"):
        desk.refund("r1", "e1", 1, reviewer="maria", reason="x", at=moment(20))


@pytest.mark.parametrize("leave_first", [False, True])
@pytest.mark.parametrize("upheld", [False, True])
def test_a_dispute_ends_with_the_pieces_off_the_receipt_or_on_it(
    desk: Desk, leave_first: bool, upheld: bool
) -> None:
    take(desk, "e1")
    if leave_first:
        desk.leave("anna", at=moment(30))
    desk.open_dispute("d1", "e1", 1, reason="I did not take it", at=moment(40))
    for _ in range(2):
        desk.settle_dispute("d1", upheld, reviewer="maria", reason="", at=moment(50))
    desk.leave("anna", at=moment(60))
    receipt = desk.shop.latest_receipt("anna")
    assert receipt is not None
    assert receipt.quantities() == ({} if upheld else {"milk": 1})
    assert len(desk.shop.refunds) == (leave_first and upheld)
    with pytest.raises(LedgerConflictError, match="the other way by maria"):
        desk.settle_dispute("d1", not upheld, reviewer="jon", reason="", at=moment(70))


def test_a_desk_opened_on_a_ledger_knows_everything_that_was(desk: Desk, ledger: Ledger) -> None:
    take(desk, "e1")
    take(desk, "e2", EITHER, sku="bear")
    take(desk, "e3", kind="put_back")
    desk.leave("ben", at=moment(30))
    assert open_desk(ledger).shop == desk.shop


def test_a_correction_charges_at_the_prices_of_the_receipt_it_corrects(
    desk: Desk, ledger: Ledger
) -> None:
    take(desk, "e1", quantity=2)
    desk.leave("anna", at=moment(30))
    dearer = [p.model_copy(update={"price": Decimal("9.99"), "name": "x"}) for p in PRODUCTS]
    later = Desk(ledger, TERMS, dearer, ["till"])
    later.refund("r1", "e1", 1, reviewer="maria", reason="leaking", at=moment(90))
    (line,) = later.shop.receipts["anna"][-1].lines
    assert (line.name, line.total) == ("Oat milk", Decimal("2.49"))


def test_a_catalogue_that_lost_a_product_of_an_open_basket_is_refused_at_the_start(
    desk: Desk, ledger: Ledger
) -> None:
    take(desk, "e1")
    with pytest.raises(PriceError, match="holds milk"):
        Desk(ledger, TERMS, [p for p in PRODUCTS if p.sku != "milk"])


def test_a_product_without_a_price_is_refused_at_the_start(ledger: Ledger) -> None:
    with pytest.raises(PriceError, match="product free has no price"):
        Desk(ledger, TERMS, [*PRODUCTS, Product(sku="free")])


def test_subscribers_hear_of_every_change_of_a_basket_and_of_the_receipt(
    desk: Desk, ledger: Ledger
) -> None:
    take(desk, "e1")
    take(desk, "e2", kind="put_back")
    desk.leave("anna", at=moment(30))
    outbox, heard = Outbox(ledger.file), []
    while waiting := [m for m in outbox.next_messages("mqtt") if m.stream == "anna"]:
        body = json.loads(waiting[0].body)
        content = body[body["type"]]
        heard.append((waiting[0].address, content["total"], len(content["lines"])))
        outbox.acknowledge(waiting[0].message_id, 0.0)
    assert heard == [
        ("baskets/anna", "0.00", 0),
        ("baskets/anna", "2.49", 1),
        ("baskets/anna", "0.00", 0),
        ("receipts/anna", "0.00", 0),
    ]
    assert outbox.next_messages("mqtt")[0].stream == "ben"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"floor_m": (math.nan, 1.0)}, r"event\.floor_m\.0: .* finite"),
        ({"quantity": 0}, "quantity: .* greater than or equal to 1"),
        ({"kind": "grab"}, "event.kind: "),
    ],
)
def test_an_event_that_cannot_be_is_refused_by_name(
    desk: Desk, changes: dict[str, Any], complaint: str
) -> None:
    seen = replace(event("e1"), **changes)
    with pytest.raises(CheckoutError, match=f"cannot be recorded: {complaint}"):
        desk.record(seen, ANNA, wall_time_s=OPENED_AT_S)
    assert "e1" not in desk.shop.interactions
