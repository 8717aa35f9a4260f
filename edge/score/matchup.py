"""Which recorded event shows which true interaction. Pure.

Owns the pairing that the scoreboard counts by. An event fits an interaction of the same direction
at the same fixture and about the same time. The closest pairs are made first, those at one facing
before others. Two events of one piece each may both belong to an interaction with two pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge.events import InteractionEvent
from edge.score.truth import TrueInteraction

SLACK_S: Final = 1.5
_OTHER_FACING_S: Final = 100.0


@dataclass(frozen=True)
class Matchup:
    """Interactions and the events that show them.

    Attributes:
        interactions: All true ones but touches.
        events: All recorded ones.
        events_of: For each interaction the rows of its events; empty when it was not seen.
        interaction_of: For each event the row of its interaction; ``None`` when there was none.
    """

    interactions: tuple[TrueInteraction, ...]
    events: tuple[InteractionEvent, ...]
    events_of: tuple[tuple[int, ...], ...]
    interaction_of: tuple[int | None, ...]

    def of_event(self, event_id: str) -> TrueInteraction | None:
        """What an event truly shows; ``None`` when nothing."""
        for event, row in zip(self.events, self.interaction_of, strict=True):
            if event.event_id == event_id:
                return None if row is None else self.interactions[row]
        return None


def match_up(
    interactions: Sequence[TrueInteraction], events: Sequence[InteractionEvent]
) -> Matchup:
    """Pair interactions with events.

    Args:
        interactions: Of the truth; touches are left out.
        events: Of the ledger.
    """
    real = tuple(each for each in interactions if each.kind != "touch")
    fitting = sorted(
        (_distance(true, event), row, column)
        for row, true in enumerate(real)
        for column, event in enumerate(events)
        if _fits(true, event)
    )
    events_of: list[list[int]] = [[] for _ in real]
    interaction_of: list[int | None] = [None] * len(events)
    for only_first in (True, False):
        for _, row, column in fitting:
            if interaction_of[column] is not None or (only_first and events_of[row]):
                continue
            pieces = sum(events[each].quantity for each in events_of[row])
            if events_of[row] and pieces + events[column].quantity > real[row].quantity:
                continue
            events_of[row].append(column)
            interaction_of[column] = row
    return Matchup(
        real, tuple(events), tuple(tuple(each) for each in events_of), tuple(interaction_of)
    )


def direction(interaction: TrueInteraction) -> str:
    """Taken or put back, whoever did it."""
    return "take" if interaction.kind == "take" else "put_back"


def _fits(true: TrueInteraction, event: InteractionEvent) -> bool:
    return (
        event.kind == direction(true)
        and event.fixture == true.fixture
        and event.started_at_s - SLACK_S <= true.ended_at_s
        and true.started_at_s <= event.ended_at_s + SLACK_S
    )


def _distance(true: TrueInteraction, event: InteractionEvent) -> float:
    apart_s = abs(true.started_at_s - event.started_at_s) + abs(true.ended_at_s - event.ended_at_s)
    return apart_s + (0.0 if event.facing == true.facing else _OTHER_FACING_S)
