"""Check-ins and sessions: the values. How they find their tracks is ``sessions``' to know.

A session is a basket to be paid: one shopper, or a group whose members each check in. It ends when
all its members have left by a door.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["shopper", "staff"]
MemberState = Literal["waiting", "bound", "nobody_there", "left", "lost"]
ChangeKind = Literal["opened", "joined", "bound", "nobody_there", "lost", "found", "left", "closed"]


@dataclass(frozen=True)
class CheckIn:
    """Somebody showed a token or a badge at the entry.

    Attributes:
        checkin_id: Unique; the same when it is delivered again.
        at_s: When, on the clock of the tracks.
        token_hash: Hash of the token; the token itself stays outside.
        shopper: Label of the person for people.
        role: Shopper or staff.
        group: The ``checkin_id`` of the group's first member; its own when alone.
    """

    checkin_id: str
    at_s: float
    token_hash: str
    shopper: str
    role: Role
    group: str


@dataclass(frozen=True)
class Rival:
    """A track that a check-in may have belonged to besides the one that it is bound to.

    Attributes:
        track_id: The track.
        probability: How likely, 0 to 1.
    """

    track_id: str
    probability: float


@dataclass(frozen=True)
class Member:
    """One person of a session.

    Attributes:
        checkin: How they checked in.
        state: Where they are in their visit.
        track_id: Their track; ``None`` until bound.
        may_be: Tracks that the check-in may have belonged to instead, likeliest first.
        changed_at_s: When the state was reached.
        bound_at_s: When the check-in was bound to its track; ``None`` until then.
        weighed_at_s: When it was last weighed, jointly with those about then, whose track it is;
            whom that may have been exchanged with until then is part of ``may_be``.
    """

    checkin: CheckIn
    state: MemberState
    track_id: str | None
    may_be: tuple[Rival, ...]
    changed_at_s: float
    bound_at_s: float | None = None
    weighed_at_s: float | None = None


@dataclass(frozen=True)
class Session:
    """One basket's people.

    Attributes:
        session_id: The ``group`` of its check-ins.
        role: Shopper or staff.
        opened_at_s: When its first member checked in.
        closed_at_s: When its last member had left; ``None`` while open.
        members: In the order they checked in.
    """

    session_id: str
    role: Role
    opened_at_s: float
    closed_at_s: float | None
    members: tuple[Member, ...]


@dataclass(frozen=True)
class SessionChange:
    """Something that happened to a session.

    Attributes:
        kind: ``opened`` and ``joined`` by a check-in; ``bound`` to a track, or ``nobody_there``;
            a member's track ``lost`` or ``found`` again; a member ``left``; the session ``closed``.
        at_s: When.
        session_id: Whose.
        checkin_id: Of the member; of the last one for ``closed``.
        track_id: The member's track, when it has one.
        reason: Why, in words.
    """

    kind: ChangeKind
    at_s: float
    session_id: str
    checkin_id: str
    track_id: str | None
    reason: str


@dataclass(frozen=True)
class SessionSettings:
    """How check-ins and tracks find each other.

    Attributes:
        waits_s: A check-in waits so long for a track in the entry zone.
        settles_s: With several to choose from, wait so long for the others to check in too.
        rethinks_s: Those who come or check in so much later can still change whose it was.
        seen_around_s: A track counts as at the entry when it was there within this time of the
            check-in.
        gone_after_s: Who left the entry so long before a check-in is none of it.
        entry_margin_m: How far beyond the zone's border still counts.
        worth_telling: A track less likely than this to be a check-in's is not told as its rival.
        remembers_s: Closed sessions are known so long, for interactions that are judged late.
    """

    waits_s: float = 6.0
    settles_s: float = 1.0
    rethinks_s: float = 5.0
    seen_around_s: float = 1.5
    gone_after_s: float = 3.0
    entry_margin_m: float = 0.3
    worth_telling: float = 0.01
    remembers_s: float = 600.0
