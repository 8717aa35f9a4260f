from __future__ import annotations

from dataclasses import replace

from edge.checkout.ledger import Ledger
from edge.checkout.message import OutgoingMessage
from edge.checkout.outbox import Outbox

EVENT = OutgoingMessage("e-1", "hub", "e-1", "events/e-1", '{"message_id":"e-1"}')


def test_a_message_without_an_entry_is_kept_once(ledger: Ledger) -> None:
    outbox = Outbox(ledger.file)
    outbox.keep(EVENT)
    outbox.keep(replace(EVENT, body="{}"))
    assert outbox.next_messages("hub") == (EVENT,)
    outbox.acknowledge("e-1", 5.0)
    outbox.keep(EVENT)
    assert outbox.next_messages("hub") == ()
    assert outbox.counts("hub").acknowledged == 1


def test_a_message_that_became_an_entry_is_dropped(ledger: Ledger) -> None:
    outbox = Outbox(ledger.file)
    outbox.keep(replace(EVENT, receiver="desk"))
    outbox.keep(replace(EVENT, message_id="e-2", stream="e-2", receiver="desk"))
    outbox.drop("e-1")
    outbox.drop("e-1")
    assert [each.message_id for each in outbox.next_messages("desk")] == ["e-2"]


def test_what_is_parked_says_whose_it_was(ledger: Ledger) -> None:
    outbox = Outbox(ledger.file)
    outbox.keep(EVENT)
    outbox.park("e-1", "no such device", 5.0)
    (parked,) = outbox.parked()
    assert (parked.message, parked.reason) == (EVENT, "no such device")
