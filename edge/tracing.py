"""One id from a camera's frame to a line of a receipt and on to the cloud. Pure.

Owns how the id is made and what a ledger and its outbox say about it. The id of a trace has the
form of W3C Trace Context (https://www.w3.org/TR/trace-context/), so that any tool for traces takes
it. It is worked out from the shop and the interaction event, whose own id names the run, the camera
and the frame: everybody who has the event has the trace, nothing has to be carried or kept for it,
and a recording that is played again has the same ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from edge.checkout.entries import (
    Entry,
    InteractionRecorded,
    LineCharged,
    LineReleased,
    ReceiptIssued,
    ReviewOpened,
    ReviewSettled,
)
from edge.checkout.receipt import Receipt

Stage: TypeAlias = Literal[
    "frame", "evidence", "event", "charged", "released", "review", "settled", "receipt", "message"
]
_TRACE_BYTES: Final = 16
_SPAN_BYTES: Final = 8
_VERSION: Final = "00"
_SAMPLED: Final = "01"


@dataclass(frozen=True)
class Step:
    """One thing that happened on the way.

    Attributes:
        stage: Where.
        name: Of what it happened to: a frame, an event, a line, a receipt, a message.
        at_s: Wall time; ``None`` where nobody noted it.
        words: What happened.
    """

    stage: Stage
    name: str
    at_s: float | None
    words: str


@dataclass(frozen=True)
class MessageState:
    """What the outbox says about a message.

    Attributes:
        message_id: Its id.
        receiver: Whose it is.
        body: JSON.
        state: ``waiting``, ``acknowledged`` or ``parked``.
        ended_at_s: When its receiver answered; ``None`` while it waits.
    """

    message_id: str
    receiver: str
    body: str
    state: str
    ended_at_s: float | None


def trace_id(store_id: str, event_id: str) -> str:
    """The trace of an interaction event: 32 hexadecimal digits.

    Args:
        store_id: The shop.
        event_id: The event.
    """
    return _digest(_TRACE_BYTES, "trace", store_id, event_id)


def traceparent(store_id: str, event_id: str, stage: Stage) -> str:
    """The same as a ``traceparent``, with the stage as its span."""
    trace = trace_id(store_id, event_id)
    return f"{_VERSION}-{trace}-{_digest(_SPAN_BYTES, 'span', trace, stage)}-{_SAMPLED}"


def traces_of(receipt: Receipt) -> dict[str, str]:
    """The ``traceparent`` of everything that a receipt rests on or waits for, by event."""
    store = receipt.terms.store_id
    events = [proof.event_id for line in receipt.lines for proof in line.proofs]
    # A review is named after its event.
    events += [pending.review_id for pending in receipt.pending]
    return {name: traceparent(store, name, "receipt") for name in events}


def events_named(asked: str, store_id: str, entries: Iterable[Entry]) -> tuple[str, ...]:
    """Events that something is about, in the order of the ledger.

    Args:
        asked: A trace, a ``traceparent``, or the id of an event, line, review, session or receipt.
        store_id: The shop.
        entries: Of its ledger.
    """
    parts = asked.split("-")
    if len(parts) == 4 and parts[0] == _VERSION and len(parts[1]) == 2 * _TRACE_BYTES:
        asked = parts[1]
    events: dict[str, None] = {}
    for entry in entries:
        if isinstance(entry, InteractionRecorded):
            name = entry.event.event_id
            if asked in (name, trace_id(store_id, name)):
                events[name] = None
        elif isinstance(entry, LineCharged) and asked in (entry.line_id, entry.session_id):
            events[entry.event_id] = None
        elif isinstance(entry, ReviewOpened):
            if asked == entry.review_id or asked in entry.sessions:
                events[entry.event_id] = None
        elif isinstance(entry, ReceiptIssued) and asked in (
            entry.receipt.receipt_id,
            entry.session_id,
        ):
            events |= dict.fromkeys(traces_of(entry.receipt))
    return tuple(events)


def steps_of(
    event_id: str, entries: Iterable[Entry], messages: Sequence[MessageState]
) -> tuple[Step, ...]:
    """Everything that ledger and outbox say about an event, in order.

    Args:
        event_id: The event.
        entries: Of the ledger.
        messages: Of the outbox, as far as it still has them.
    """
    steps: list[Step] = []
    receipts: set[str] = set()
    for entry in entries:
        steps += _of_entry(event_id, entry)
        if isinstance(entry, ReceiptIssued) and event_id in traces_of(entry.receipt):
            receipts.add(entry.receipt.receipt_id)
    steps += [
        Step("message", each.message_id, each.ended_at_s, f"to {each.receiver}: {each.state}")
        for each in messages
        if any(each.message_id.endswith(f".{name}") for name in receipts)
        or (each.receiver in ("hub", "desk") and each.message_id == event_id)
    ]
    return tuple(steps)


def _of_entry(event_id: str, entry: Entry) -> Iterator[Step]:
    at_s = entry.wall_time_s
    if isinstance(entry, InteractionRecorded) and entry.event.event_id == event_id:
        event = entry.event
        kind = "take" if event.kind == "take" else "put back"
        began_s = at_s - (event.ended_at_s - event.started_at_s)
        yield Step("frame", event.evidence.clip or event.camera, began_s, f"seen by {event.camera}")
        for crop in event.evidence.crops:
            yield Step("evidence", crop, at_s, "kept")
        words = f"{kind} {event.quantity} x {event.sku or 'unknown'}: {event.evidence.reason}"
        yield Step("event", event_id, at_s, f"{words}; {entry.attribution}")
    elif isinstance(entry, LineCharged) and entry.event_id == event_id:
        words = f"{entry.quantity} x {entry.sku} to {entry.session_id}: {entry.reason}"
        yield Step("charged", entry.line_id, at_s, words)
    elif isinstance(entry, LineReleased) and event_id in (entry.event_id, entry.line_id):
        words = f"{entry.quantity} pieces of {entry.session_id}: {entry.reason}"
        yield Step("released", entry.line_id, at_s, words)
    elif isinstance(entry, ReviewOpened) and entry.event_id == event_id:
        yield Step("review", entry.review_id, at_s, f"{entry.why}: {entry.reason}")
    elif isinstance(entry, ReviewSettled) and entry.review_id == event_id:
        what = f"{entry.quantity} x {entry.sku} of {entry.session_id}" if entry.sku else "nothing"
        yield Step("settled", entry.review_id, at_s, f"{what}, says {entry.reviewer}")
    elif isinstance(entry, ReceiptIssued) and event_id in traces_of(entry.receipt):
        receipt = entry.receipt
        words = f"version {receipt.version}, {receipt.total} {receipt.terms.currency}"
        yield Step("receipt", receipt.receipt_id, at_s, words)


def _digest(size_bytes: int, *names: str) -> str:
    named = json.dumps(["walkout", *names], ensure_ascii=False, separators=(",", ":"))
    # Neither may be all zeros, says the standard; no hash that anybody has found is.
    return hashlib.sha256(named.encode()).digest()[:size_bytes].hex()
