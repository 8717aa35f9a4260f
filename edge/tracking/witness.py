"""Remembers who was where, and who could have done each of the late interactions.

Owns the memory that lets an interaction be asked about again: who could have reached it is worked
out once, while it is known where everybody was; whose it was may come out more clearly later, once
more is known about who came in and about what else was done at that time. Pure but for its memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from calibration.format import Fixture
from calibration.planogram import Facing
from edge.events import InteractionEvent
from edge.tracking.attribution import Attribution, whose
from edge.tracking.history import TrackHistory
from edge.tracking.session import Session
from edge.tracking.watch import FloorMoment
from edge.tracking.within_reach import ReachSettings, WithinReach, within_reach

_REMEMBERED: Final = 1000


class Witness:
    """What was seen of everybody on the floor, to answer for interactions.

    Args:
        fixtures: By name.
        facings: By name: where hands reach for.
        settings: How sure an attribution must be; may be replaced at any time.
    """

    def __init__(
        self,
        fixtures: Mapping[str, Fixture],
        facings: Mapping[str, Facing],
        settings: ReachSettings | None = None,
    ) -> None:
        self.settings = settings or ReachSettings()
        self._fixtures = fixtures
        self._facings = facings
        self._history = TrackHistory()
        self._reached: dict[str, WithinReach] = {}

    @property
    def until_s(self) -> float | None:
        """The last moment it knows of; ``None`` before the first."""
        return self._history.until_s

    def saw(self, moment: FloorMoment) -> None:
        """Remember a moment; they come in order."""
        self._history.add(moment.scan.at_s, moment.tracks, moment.scan.silhouettes)

    def within_reach(self, event: InteractionEvent) -> WithinReach | None:
        """Who could have done it; ``None`` when the floor was not seen until its end."""
        known_s = self._history.until_s
        if known_s is None or known_s < event.ended_at_s:
            return None
        return within_reach(
            event,
            self._fixtures[event.fixture],
            self._history,
            self.settings,
            facing=self._facings.get(event.facing or ""),
        )

    def remember(self, reached: WithinReach) -> None:
        """Keep who could have done an interaction, to ask again and to know who was busy."""
        self._reached[reached.event.event_id] = reached
        while len(self._reached) > _REMEMBERED:
            del self._reached[next(iter(self._reached))]

    def recall(self, event_id: str) -> WithinReach | None:
        """Who could have done an interaction, where that was kept."""
        return self._reached.get(event_id)

    def whose(
        self,
        reached: WithinReach,
        sessions: Sequence[Session],
        held: Mapping[str, Collection[str]] | None = None,
    ) -> Attribution:
        """Whose an interaction was, as far as it is known by now.

        Args:
            reached: Who could have done it.
            sessions: As for ``attribution.whose``.
            held: As for ``attribution.whose``.
        """
        event, apart_s = reached.event, self.settings.hand_back_s
        meanwhile = [
            each
            for name, each in self._reached.items()
            if name != event.event_id
            and each.event.started_at_s <= event.ended_at_s + apart_s
            and each.event.ended_at_s >= event.started_at_s - apart_s
        ]
        return whose(reached, sessions, self.settings, held=held, meanwhile=meanwhile)
