"""The closed set of things that the ledger can say, each a frozen value with one JSON form.

Owns the kinds of entries and their canonical JSON (keys sorted, no spaces, Decimals as strings):
the same entry is the same bytes on every device. What entries mean together is ``shop.py``'s, how
they are kept ``ledger.py``'s business.

Every entry has an id that follows from what it is about, never from chance or from the clock, so
that a step that is repeated after a crash says the same thing again and is known by it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from edge.checkout.basket import ClosedBy, Moment, ReviewWhy, Role
from edge.checkout.receipt import Closed, Receipt
from edge.events import InteractionEvent, InteractionKind

Quantity = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(min_length=1)]


class EntryBase(Closed):
    """What every entry has.

    Attributes:
        entry_id: Unique in the ledger; the same thing said again has the same id.
        captured_at_s: When it happened, on the clock of ``Frame.captured_at_s``.
        wall_time_s: The same moment as seconds since 1970. The same thing may be heard again at
            another wall time, so this does not count when two entries are compared.
    """

    # Numbers from numpy become Python's own, in dataclasses of events too.
    model_config = ConfigDict(revalidate_instances="always")

    entry_id: Name
    captured_at_s: float
    wall_time_s: float

    @property
    def at(self) -> Moment:
        """When, on both clocks."""
        return Moment(self.captured_at_s, self.wall_time_s)

    def content(self) -> str:
        """Canonical JSON of everything but the wall time."""
        return canonical_json(self.model_dump(mode="json", exclude={"wall_time_s"}))


class SessionOpened(EntryBase):
    """Somebody checked in, alone or as the first of a group to do so.

    ``session_id`` is the id of the group; whoever comes alone is a group of one, named after the
    check-in.
    """

    kind: Literal["session_opened"] = "session_opened"
    session_id: Name
    checkin_id: Name
    token_hash: Name
    shopper: str
    role: Role


class SessionJoined(EntryBase):
    """Another member of the group ``session_id`` checked in; they share a basket."""

    kind: Literal["session_joined"] = "session_joined"
    session_id: Name
    checkin_id: Name
    token_hash: Name
    shopper: str


class MemberLeft(EntryBase):
    """A member left while others of the group shop on."""

    kind: Literal["member_left"] = "member_left"
    session_id: Name
    checkin_id: Name


class InteractionRecorded(EntryBase):
    """An interaction event, whoever did it and whatever came of it."""

    kind: Literal["interaction_recorded"] = "interaction_recorded"
    event: InteractionEvent
    sessions: tuple[Name, ...]
    attribution: str


class LineCharged(EntryBase):
    """Pieces were put on a session's basket; the evidence is that of ``event_id``."""

    kind: Literal["line_charged"] = "line_charged"
    line_id: Name
    session_id: Name
    event_id: Name
    sku: Name
    quantity: Quantity
    reviewer: str | None
    reason: str


class LineReleased(EntryBase):
    """Pieces of a line were put back, as ``event_id`` shows, or should never have been on it."""

    kind: Literal["line_released"] = "line_released"
    line_id: Name
    session_id: Name
    event_id: str | None
    quantity: Quantity
    reviewer: str | None
    reason: str


class ReviewOpened(EntryBase):
    """A person should look: at which event, why, and what it may have been by whom."""

    kind: Literal["review_opened"] = "review_opened"
    review_id: Name
    event_id: Name
    why: ReviewWhy
    interaction: InteractionKind
    quantity: Quantity
    skus: tuple[Name, ...]
    sessions: tuple[Name, ...]
    reason: str


class ReviewSettled(EntryBase):
    """A review ended; a SKU without a session is nobody's, none at all was nothing."""

    kind: Literal["review_settled"] = "review_settled"
    review_id: Name
    reviewer: Name
    sku: Name | None
    session_id: Name | None
    quantity: Annotated[int, Field(ge=0)]
    reason: str


class SessionClosed(EntryBase):
    """A session ended."""

    kind: Literal["session_closed"] = "session_closed"
    session_id: Name
    closed_by: ClosedBy


class ReceiptIssued(EntryBase):
    """A version of a session's receipt, in full: later prices do not change it."""

    kind: Literal["receipt_issued"] = "receipt_issued"
    session_id: Name
    receipt: Receipt


class RefundIssued(EntryBase):
    """Pieces of a line were given back after its receipt; a corrected receipt follows."""

    kind: Literal["refund_issued"] = "refund_issued"
    refund_id: Name
    session_id: Name
    line_id: Name
    quantity: Quantity
    reviewer: Name
    reason: Name


class DisputeOpened(EntryBase):
    """A shopper says that a line is wrong."""

    kind: Literal["dispute_opened"] = "dispute_opened"
    dispute_id: Name
    session_id: Name
    line_id: Name
    quantity: Quantity
    reason: str


class DisputeSettled(EntryBase):
    """A dispute ended; where it was upheld, a release or a refund stands beside this entry."""

    kind: Literal["dispute_settled"] = "dispute_settled"
    dispute_id: Name
    reviewer: Name
    upheld: bool
    reason: str


class StaffRestocked(EntryBase):
    """Staff put pieces to a fixture or took them from it; nobody is charged."""

    kind: Literal["staff_restocked"] = "staff_restocked"
    event_id: Name
    session_id: Name
    interaction: InteractionKind
    fixture: Name
    facing: str | None
    sku: Name
    quantity: Quantity


Entry = (
    SessionOpened
    | SessionJoined
    | MemberLeft
    | InteractionRecorded
    | LineCharged
    | LineReleased
    | ReviewOpened
    | ReviewSettled
    | SessionClosed
    | ReceiptIssued
    | RefundIssued
    | DisputeOpened
    | DisputeSettled
    | StaffRestocked
)

_ENTRY: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="kind")])


def entry_from_content(content: str, wall_time_s: float) -> Entry:
    """The entry that ``content()`` was called on.

    Raises:
        ValueError: It is no entry of a kind known here.
    """
    fields = json.loads(content)
    if not isinstance(fields, dict):
        raise ValueError("an entry is a JSON object")
    return _ENTRY.validate_python(fields | {"wall_time_s": wall_time_s}, strict=False)


def canonical_json(value: object) -> str:
    """JSON with sorted keys, no spaces and every letter as it is: one text for one value."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def token_hash(token: str, store_id: str) -> str:
    """What the ledger keeps of a check-in's token; the same token differs between shops."""
    return hashlib.sha256(f"{store_id}\0{token}".encode()).hexdigest()
