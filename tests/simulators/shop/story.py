"""What a script has written: who came, what they did, what was where. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulators.shop.acts import Interaction
from tests.simulators.shop.motion import Person, Piece


@dataclass(frozen=True)
class CheckIn:
    """Somebody at the entry.

    Attributes:
        checkin_id: Of this check-in.
        at_s: When.
        token: What they showed.
        shopper: Who.
        role: ``shopper`` or ``staff``.
        group: The check-in of the first of their group.
    """

    checkin_id: str
    at_s: float
    token: str
    shopper: str
    role: str
    group: str


@dataclass(frozen=True)
class UnknownObject:
    """A thing the shop does not sell.

    Attributes:
        thing: What it is.
        shopper: Who brought it.
        from_s: When they came.
        left_at: Facing where they left it; ``None`` when they took it along again.
    """

    thing: str
    shopper: str
    from_s: float
    left_at: str | None


@dataclass(frozen=True, eq=False)
class Story:
    """What happens in a recording.

    Attributes:
        seconds: How long it is.
        people: Everybody, in order of entering.
        pieces: Everything that can be held.
        interactions: In order of time.
        checkins: In order of time.
        unknown_objects: Brought along.
        stock_at_end: Pieces of each SKU on each facing.
    """

    seconds: float
    people: tuple[Person, ...]
    pieces: tuple[Piece, ...]
    interactions: tuple[Interaction, ...]
    checkins: tuple[CheckIn, ...]
    unknown_objects: tuple[UnknownObject, ...]
    stock_at_end: dict[str, dict[str, int]]
