"""Who is who on the floor: check-ins bound to tracks, groups, and sessions that end at the exit.

Owns the rule by which a check-in finds its track and a session its end. Pure: check-ins and tracks
come in with their times, changes go out. Does not own tokens (only their hashes pass here), baskets
or the ledger.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from calibration.format import Floor, Point2
from edge.errors import TrackingError
from edge.tracking.session import (
    ChangeKind,
    CheckIn,
    Member,
    MemberState,
    Session,
    SessionChange,
    SessionSettings,
)
from edge.tracking.track import Track

_REMEMBERED_CHECKINS: Final = 10_000
_AT_THE_MOMENT_S: Final = 0.3


@dataclass(frozen=True)
class _AtEntry:
    track_id: str
    came_in_s: float
    seen: tuple[tuple[float, Point2], ...]


class Sessions:
    """All sessions of a shop.

    Args:
        floor: With at least one entry zone.
        reader_m: Where the entry reader is on the floor, when that is known.
        settings: Times and distances.

    Raises:
        TrackingError: The floor has no entry zone.
    """

    def __init__(
        self,
        floor: Floor,
        reader_m: Point2 | None = None,
        settings: SessionSettings | None = None,
    ) -> None:
        self._entries = [zone for zone in floor.zones if zone.kind == "entry"]
        if not self._entries:
            raise TrackingError(
                "the floor has no entry zone, so no check-in can find its shopper; "
                "draw one in the calibration"
            )
        self._settings = settings or SessionSettings()
        self._reader_m = reader_m
        self._sessions: dict[str, Session] = {}
        self._pending: list[CheckIn] = []
        self._at_entry: dict[str, _AtEntry] = {}
        self._session_of_track: dict[str, str] = {}
        self._taken: dict[str, None] = {}

    def sessions(self) -> tuple[Session, ...]:
        """The open ones and those closed of late, in the order they were opened."""
        return tuple(self._sessions.values())

    def of_track(self, track_id: str) -> Session | None:
        """The session that a track belongs to; of those closed, only the late ones."""
        name = self._session_of_track.get(track_id)
        return None if name is None else self._sessions[name]

    def unclaimed(self, tracks: Sequence[Track]) -> tuple[str, ...]:
        """Tracks on the floor that have walked on from the entry without a check-in."""
        return tuple(
            track.track_id
            for track in tracks
            if track.state in ("followed", "hidden")
            and self.of_track(track.track_id) is None
            and not self._is_at_entry(track.position_m)
        )

    def check_in(self, checkin: CheckIn) -> tuple[SessionChange, ...]:
        """Take a check-in. The same one again changes nothing."""
        if checkin.checkin_id in self._taken:
            return ()
        self._taken[checkin.checkin_id] = None
        if len(self._taken) > _REMEMBERED_CHECKINS:
            del self._taken[next(iter(self._taken))]
        known = self._sessions.get(checkin.group)
        member = Member(checkin, "waiting", None, (), checkin.at_s)
        if known is None:
            self._sessions[checkin.group] = Session(
                checkin.group, checkin.role, checkin.at_s, None, (member,)
            )
            kind: ChangeKind = "opened"
        else:
            self._sessions[checkin.group] = replace(
                known, members=(*known.members, member), closed_at_s=None
            )
            kind = "joined"
        self._pending.append(checkin)
        self._pending.sort(key=lambda each: (each.at_s, each.checkin_id))
        return (
            SessionChange(
                kind,
                checkin.at_s,
                checkin.group,
                checkin.checkin_id,
                None,
                f"{checkin.shopper} checked in",
            ),
        )

    def update(self, at_s: float, tracks: Sequence[Track]) -> tuple[SessionChange, ...]:
        """Bind waiting check-ins and close the sessions of those who left.

        Args:
            at_s: The moment of the tracks.
            tracks: What ``Tracks.update`` told about it.
        """
        self._remember_entries(at_s, tracks)
        changes = self._bind_pending(at_s)
        for track in tracks:
            changes += self._follow(track)
        changes += self._close(at_s)
        self._forget(at_s)
        return tuple(changes)

    def _is_at_entry(self, place: Point2) -> bool:
        margin = self._settings.entry_margin_m
        steps = [(0.0, 0.0), (margin, 0.0), (-margin, 0.0), (0.0, margin), (0.0, -margin)]
        return any(
            zone.contains(place[0] + dx, place[1] + dy)
            for zone in self._entries
            for dx, dy in steps
        )

    def _remember_entries(self, at_s: float, tracks: Sequence[Track]) -> None:
        for track in tracks:
            if not self._is_at_entry(track.position_m) or track.state in ("left", "lost"):
                continue
            before = self._at_entry.get(track.track_id)
            if before is None:
                came_in_s = track.first_seen_s if not track.found_inside else at_s
                before = _AtEntry(track.track_id, came_in_s, ())
            seen = (*before.seen[-200:], (at_s, track.position_m))
            self._at_entry[track.track_id] = replace(before, seen=seen)

    def _bind_pending(self, at_s: float) -> list[SessionChange]:
        changes: list[SessionChange] = []
        for checkin in list(self._pending):
            if checkin.at_s > at_s:
                continue
            there = self._candidates(checkin)
            waited_s = at_s - checkin.at_s
            rivals = [c for c in self._pending if c is not checkin and c.at_s <= at_s]
            if not there:
                if waited_s >= self._settings.waits_s:
                    self._pending.remove(checkin)
                    changes.append(self._nobody_there(checkin, at_s))
                continue
            if waited_s < self._settings.settles_s and (len(there) > 1 or rivals):
                continue
            chosen, may_be, reason = self._choose(checkin, there)
            self._pending.remove(checkin)
            changes.append(self._bind(checkin, chosen, may_be, at_s, reason))
        return changes

    def _candidates(self, checkin: CheckIn) -> list[_AtEntry]:
        """Unbound tracks that were at the entry around a check-in, in the order they came in."""
        around_s = self._settings.seen_around_s
        there = [
            each
            for each in self._at_entry.values()
            if self.of_track(each.track_id) is None
            and any(abs(at_s - checkin.at_s) <= around_s for at_s, _ in each.seen)
        ]
        if not there:  # nobody yet: whoever comes while the check-in waits
            there = [
                each
                for each in self._at_entry.values()
                if self.of_track(each.track_id) is None
                and any(
                    checkin.at_s <= at_s <= checkin.at_s + self._settings.waits_s
                    for at_s, _ in each.seen
                )
            ]
        return sorted(there, key=lambda each: (each.came_in_s, int(each.track_id[2:])))

    def _choose(
        self, checkin: CheckIn, there: Sequence[_AtEntry]
    ) -> tuple[str, tuple[str, ...], str]:
        """The track of a check-in, and those it could as well be."""
        if len(there) == 1:
            return self._only_one(checkin, there[0])
        if self._reader_m is not None:
            away = sorted(
                (math.dist(self._place_at(each, checkin.at_s), self._reader_m), each.track_id)
                for each in there
            )
            if away[1][0] - away[0][0] >= self._settings.reader_is_clear_m:
                return away[0][1], (), "nearest to the reader"
        first = there[0]
        close = tuple(
            each.track_id
            for each in there[1:]
            if each.came_in_s - first.came_in_s < self._settings.order_is_clear_s
        )
        if not close:
            return first.track_id, (), "first of those at the entry"
        return first.track_id, close, f"came in together with {', '.join(close)}"

    def _only_one(self, checkin: CheckIn, only: _AtEntry) -> tuple[str, tuple[str, ...], str]:
        """The one unbound track; doubted when it had walked on while others stood at the entry."""
        if self._stood_there(only, checkin.at_s):
            return only.track_id, (), "alone at the entry"
        others = tuple(
            name
            for name, each in self._at_entry.items()
            if name != only.track_id and self._stood_there(each, checkin.at_s)
        )
        if not others or only.seen[-1][0] >= checkin.at_s:
            return only.track_id, (), "alone at the entry"
        return only.track_id, others, f"had walked on while {', '.join(others)} stood at the entry"

    @staticmethod
    def _stood_there(each: _AtEntry, at_s: float) -> bool:
        return any(abs(seen_s - at_s) <= _AT_THE_MOMENT_S for seen_s, _ in each.seen)

    @staticmethod
    def _place_at(each: _AtEntry, at_s: float) -> Point2:
        return min(each.seen, key=lambda seen: abs(seen[0] - at_s))[1]

    def _bind(
        self, checkin: CheckIn, track_id: str, may_be: tuple[str, ...], at_s: float, reason: str
    ) -> SessionChange:
        self._change(checkin, "bound", at_s, track_id=track_id, may_be=may_be)
        return SessionChange("bound", at_s, checkin.group, checkin.checkin_id, track_id, reason)

    def _nobody_there(self, checkin: CheckIn, at_s: float) -> SessionChange:
        self._change(checkin, "nobody_there", at_s)
        return SessionChange(
            "nobody_there",
            at_s,
            checkin.group,
            checkin.checkin_id,
            None,
            f"nobody came to the entry within {self._settings.waits_s:g} s of the check-in; "
            "check in again",
        )

    def _change(
        self,
        checkin: CheckIn,
        state: MemberState,
        at_s: float,
        *,
        track_id: str | None = None,
        may_be: tuple[str, ...] = (),
    ) -> None:
        session = self._sessions[checkin.group]
        members = tuple(
            replace(
                each,
                state=state,
                track_id=track_id,
                may_be=may_be,
                changed_at_s=at_s,
                bound_at_s=at_s
                if state == "bound" and each.bound_at_s is None
                else each.bound_at_s,
            )
            if each.checkin.checkin_id == checkin.checkin_id
            else each
            for each in session.members
        )
        self._sessions[checkin.group] = replace(session, members=members)
        if track_id is not None:
            self._session_of_track[track_id] = checkin.group

    def _follow(self, track: Track) -> list[SessionChange]:
        session = self.of_track(track.track_id)
        if session is None or session.closed_at_s is not None:
            return []
        member = next(each for each in session.members if each.track_id == track.track_id)
        state: MemberState = "bound"
        kind: ChangeKind = "found"
        if track.state == "left" or track.state == "lost":
            state = kind = track.state
        if member.state == state or member.state == "left":
            return []
        self._change(
            member.checkin, state, track.at_s, track_id=track.track_id, may_be=member.may_be
        )
        return [
            SessionChange(
                kind,
                track.at_s,
                session.session_id,
                member.checkin.checkin_id,
                track.track_id,
                track.reason,
            )
        ]

    def _close(self, at_s: float) -> list[SessionChange]:
        """End the sessions all of whose members have left, or never came."""
        changes = []
        for name, session in self._sessions.items():
            states = {member.state for member in session.members}
            if session.closed_at_s is not None or not states <= {"left", "nobody_there"}:
                continue
            self._sessions[name] = replace(session, closed_at_s=at_s)
            last = max(session.members, key=lambda member: member.changed_at_s)
            reason = "everybody of it has left" if "left" in states else "nobody of it came in"
            changes.append(
                SessionChange("closed", at_s, name, last.checkin.checkin_id, last.track_id, reason)
            )
        return changes

    def _forget(self, at_s: float) -> None:
        """Drop what nothing can ask for any more, so that a day is no slower than an hour."""
        old_s = at_s - self._settings.remembers_s
        gone = [
            name
            for name, session in self._sessions.items()
            if session.closed_at_s is not None and session.closed_at_s < old_s
        ]
        for name in gone:
            for member in self._sessions.pop(name).members:
                self._session_of_track.pop(member.track_id or "", None)
        for track_id in [k for k, each in self._at_entry.items() if each.seen[-1][0] < old_s]:
            del self._at_entry[track_id]
