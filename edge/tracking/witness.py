"""Remembers who was where, and who could have done each of the late interactions.

Owns the memory that lets an interaction be asked about again: who could have reached it is worked
out once, while it is known where everybody was; whose it was may come out more clearly later, once
more is known about who came in and about what else was done at that time. What people's arms look
like is known from what they did while nobody else could have done it. Pure but for its memory.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from calibration.format import Fixture
from calibration.planogram import Facing
from edge.events import InteractionEvent
from edge.interaction.sleeves import Sleeve
from edge.tracking.attribution import Attribution, Binding, binding_of, doing, identities, whose
from edge.tracking.history import TrackHistory
from edge.tracking.session import Session
from edge.tracking.track import Track
from edge.tracking.watch import FloorMoment
from edge.tracking.within_reach import (
    ReachSettings,
    WithinReach,
    contact_wrong,
    within_reach,
)

_REMEMBERED: Final = 1000
_SURELY: Final = 0.95
_HARDLY_WRONG: Final = 0.25
_DRESSED_SO_S: Final = 1800.0  # coats come off
_REACHES_BESIDE_S: Final = 2.0


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
        self._sleeves: dict[str, Sleeve] = {}
        self._held: dict[str, dict[str, frozenset[str]]] = {}

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

    def remember(self, reached: WithinReach, sleeve: Sleeve | None = None) -> None:
        """Keep who could have done an interaction, to ask again and to know who was busy.

        Args:
            reached: Who could.
            sleeve: The arm that was seen.
        """
        event_id = reached.event.event_id
        self._reached[event_id] = reached
        if sleeve is not None:
            self._sleeves[event_id] = sleeve
        while len(self._reached) > _REMEMBERED:
            oldest = next(iter(self._reached))
            del self._reached[oldest]
            self._sleeves.pop(oldest, None)
            self._held.pop(oldest, None)

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
        return whose(
            reached,
            sessions,
            self.settings,
            held=held,
            meanwhile=meanwhile,
            dressed=self._dressed(reached, sessions),
            did=self._did(reached, sessions, held),
        )

    def _did(
        self,
        reached: WithinReach,
        sessions: Sequence[Session],
        held: Mapping[str, Collection[str]] | None,
    ) -> dict[str, dict[str, float]]:
        """By track id, by session, how likely it does what else that track alone has done.

        While nobody came so close to it that it may have been another.
        """
        event_id = reached.event.event_id
        if held is not None and event_id in self._reached and event_id not in self._held:
            self._held[event_id] = {name: frozenset(skus) for name, skus in held.items()}
        found: dict[str, dict[str, float]] = {}
        for name, other in self._reached.items():
            track_id = self._only(other)
            if name == event_id or other.event.outcome != "accept":
                continue
            if track_id is None or track_id not in reached.tracks:
                continue
            now, then = reached.tracks[track_id].track, other.tracks[track_id].track
            if _mixed(now) != _mixed(then):
                continue
            had = _either(held, self._held.get(name))
            mine = found.setdefault(track_id, {})
            for session_id, share in doing(other.event, sessions, had, self.settings).items():
                so_far = mine.get(session_id, 1.0)
                mine[session_id] = max(self.settings.did_least, so_far * share)
        return found

    def _dressed(self, reached: WithinReach, sessions: Sequence[Session]) -> dict[str, float]:
        """By track id, how many times likelier the arm that was seen is with theirs than another.

        If it was the arm that did it: seen is the one that was there at the moment that is told.
        """
        event, settings = reached.event, self.settings
        arms = self._arms(event.camera, event.ended_at_s)
        arm = arms.pop(event.event_id, None)
        if arm is None:
            return {}
        closest: dict[str, float] = {}
        binding = binding_of(sessions)
        for name, theirs in arms.items():
            who = self._surely(self._reached[name], binding)
            if who is not None:
                closest[who] = max(closest.get(who, 0.0), arm.alike(theirs))
        told = {
            who: 100 * settings.dressed_per * (alike - settings.dressed_for)
            for who, alike in closest.items()
        }
        return {
            who: math.exp(min(max(each, -settings.dressed_against), settings.dressed_most))
            for who, each in told.items()
        }

    def _arms(self, camera: str, around_s: float) -> dict[str, Sleeve]:
        """By event, the arms that a camera saw about a time; where somebody reached beside, none.

        What moved there then may have been the other's arm.
        """
        at_s = {
            name: each.event.contact_at_s
            for name, each in self._reached.items()
            if each.event.camera == camera
            and each.event.contact_at_s is not None
            and abs(each.event.ended_at_s - around_s) <= _DRESSED_SO_S
        }
        times_s = sorted(at_s.values())
        return {
            name: self._sleeves[name]
            for name, contact_s in at_s.items()
            if name in self._sleeves
            and bisect_left(times_s, contact_s + _REACHES_BESIDE_S)
            - bisect_right(times_s, contact_s - _REACHES_BESIDE_S)
            == 1
        }

    def _surely(self, reached: WithinReach, binding: Binding) -> str | None:
        """Whose an interaction was beyond doubt, by place alone; ``None`` where that is not so."""
        track_id = self._only(reached)
        if track_id is None:
            return None
        who, clear = identities(reached.tracks[track_id].track, binding)[0]
        return who if clear >= _SURELY else None

    def _only(self, reached: WithinReach) -> str | None:
        """Which track alone explains an interaction; ``None`` where that is not so."""
        shares = reached.shares()
        if not shares or contact_wrong(reached.event, self.settings) > _HARDLY_WRONG:
            return None
        track_id, share = max(shares.items(), key=lambda each: each[1])
        return track_id if share >= _SURELY else None


def _either(
    one: Mapping[str, Collection[str]] | None, other: Mapping[str, Collection[str]] | None
) -> dict[str, set[str]] | None:
    """By session, what it had at one of two times."""
    if one is None or other is None:
        return None
    return {name: {*one.get(name, ()), *other.get(name, ())} for name in {*one, *other}}


def _mixed(track: Track) -> set[tuple[str, float]]:
    """With whom somebody may have been exchanged, and when last."""
    return {(each.track_id, each.at_s) for each in track.swaps}
