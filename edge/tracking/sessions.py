"""Who is who on the floor: check-ins bound to tracks, groups, and sessions that end at the exit.

Owns the rule by which a check-in finds its track and a session its end. Pure: check-ins and tracks
come in with their times, changes go out. Does not own tokens (only their hashes pass here), baskets
or the ledger.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from calibration.format import Floor, Point2
from edge.errors import TrackingError
from edge.tracking.entering import MOST_CHECKINS, Entered, Entrant, entered, fitting
from edge.tracking.session import (
    ChangeKind,
    CheckIn,
    Member,
    MemberState,
    Rival,
    Session,
    SessionChange,
    SessionSettings,
)
from edge.tracking.track import Track

_REMEMBERED_CHECKINS: Final = 10_000
_IS_THERE: Final = 0.1
_STILL_THERE_S: Final = 0.5


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
        self._bound: list[CheckIn] = []
        self._at_entry: dict[str, Entrant] = {}
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
            before = self._at_entry.get(track.track_id)
            if track.state in ("left", "lost"):
                if before is not None:
                    self._at_entry[track.track_id] = replace(before, ended_s=at_s)
                continue
            emerged = track.found_inside and at_s - track.first_seen_s < self._settings.rethinks_s
            if not (self._is_at_entry(track.position_m) or (before is None and emerged)):
                continue
            if before is None:
                came_in_s = track.first_seen_s if not track.found_inside else at_s
                hidden = emerged and not self._is_at_entry(track.position_m)
                past = self._past(track.position_m, at_s)
                before = Entrant(track.track_id, came_in_s, (), emerged=hidden, past=past)
            seen = (*before.seen[-200:], (at_s, track.position_m, math.hypot(*track.velocity_m_s)))
            self._at_entry[track.track_id] = replace(before, seen=seen, ended_s=None)
        for track in tracks:
            if track.track_id in self._at_entry:
                before = self._at_entry[track.track_id]
                self._at_entry[track.track_id] = replace(before, swaps=track.swaps)

    def _past(self, place: Point2, at_s: float) -> frozenset[str]:
        """Who is still before the entry now that somebody is first seen in it."""

        def inside(at: Point2) -> bool:
            return any(zone.contains(*at) for zone in self._entries)

        if not inside(place):
            return frozenset()
        return frozenset(
            name
            for name, each in self._at_entry.items()
            if each.ended_s is None
            and each.seen[-1][0] > at_s - _STILL_THERE_S
            and not inside(each.seen[-1][1])
        )

    def _bind_pending(self, at_s: float) -> list[SessionChange]:
        """Bind who waits, and think again about whoever was bound just now."""
        waiting = [each for each in self._pending if each.at_s <= at_s]
        asked = sorted([*waiting, *self._bound], key=lambda each: (each.at_s, each.checkin_id))
        asked = self._together(asked, at_s)
        self._bound = [each for each in asked if each in self._bound]
        if not asked:
            return []
        there = self._entrants(asked)
        fit = fitting(asked, there, self._entries, self._settings, self._reader_m)
        found = entered(asked, there, fit)
        changes: list[SessionChange] = []
        for checkin in asked:
            changes += self._settled(checkin, found, fit, at_s)
        if changes:  # two may have exchanged theirs
            self._session_of_track = {
                member.track_id: name
                for name, session in self._sessions.items()
                for member in session.members
                if member.track_id is not None
            }
        return changes

    def _together(self, asked: Sequence[CheckIn], at_s: float) -> list[CheckIn]:
        """Who waits, whoever checked in just now, and whoever did so just before one of them.

        Whose one was says whose the other was not, so nobody is settled before the other.
        """
        found: list[CheckIn] = []
        next_s = at_s
        for each in reversed(asked):
            near = next_s - each.at_s < self._settings.rethinks_s and len(found) < MOST_CHECKINS
            if near or each in self._pending:
                found.append(each)
                next_s = each.at_s
        return found[::-1]

    def _entrants(self, asked: Sequence[CheckIn]) -> list[Entrant]:
        """Who may be one of some check-ins: nobody who is known to be another."""
        open_ids = {each.checkin_id for each in asked}
        taken = {
            member.track_id
            for session in self._sessions.values()
            for member in session.members
            if member.checkin.checkin_id not in open_ids
        }
        return [each for each in self._at_entry.values() if each.track_id not in taken]

    def _settled(
        self,
        checkin: CheckIn,
        found: Entered,
        fit: Mapping[tuple[str, str], float],
        at_s: float,
    ) -> list[SessionChange]:
        """What is now known about one check-in, when that is something new."""
        waited_s = at_s - checkin.at_s
        track_id = found.best.get(checkin.checkin_id)
        shares = found.shares.get(checkin.checkin_id, {})
        if checkin in self._bound:
            return [] if track_id is None else self._rebound(checkin, track_id, shares, at_s)
        if track_id is None:
            if waited_s < self._settings.waits_s:
                return []
            self._pending.remove(checkin)
            return [self._nobody_there(checkin, at_s)]
        there = [name for (c, name), p in fit.items() if c == checkin.checkin_id and p >= _IS_THERE]
        rivals = [c for c in self._pending if c is not checkin and c.at_s <= at_s]
        if waited_s < self._settings.settles_s and (len(there) != 1 or rivals):
            return []
        self._pending.remove(checkin)
        self._bound.append(checkin)
        return [self._bind(checkin, track_id, shares, at_s)]

    def _rebound(
        self, checkin: CheckIn, track_id: str, shares: Mapping[str, float], at_s: float
    ) -> list[SessionChange]:
        member = next(
            each
            for each in self._sessions[checkin.group].members
            if each.checkin.checkin_id == checkin.checkin_id
        )
        if member.track_id == track_id:
            self._change(
                checkin,
                member.state,
                member.changed_at_s,
                track_id=track_id,
                may_be=self._rivals(track_id, shares),
                weighed_at_s=at_s,
            )
            return []
        return [self._bind(checkin, track_id, shares, at_s)]

    def _bind(
        self, checkin: CheckIn, track_id: str, shares: Mapping[str, float], at_s: float
    ) -> SessionChange:
        rivals = self._rivals(track_id, shares)
        self._change(checkin, "bound", at_s, track_id=track_id, may_be=rivals, weighed_at_s=at_s)
        told = ", ".join(f"{each.track_id} {each.probability:.0%}" for each in rivals)
        reason = f"fits best at the entry, {shares[track_id]:.0%}"
        if told:
            reason += f"; it may have been {told}"
        return SessionChange("bound", at_s, checkin.group, checkin.checkin_id, track_id, reason)

    def _rivals(self, track_id: str, shares: Mapping[str, float]) -> tuple[Rival, ...]:
        found = [
            Rival(name, round(share, 4))
            for name, share in shares.items()
            if name != track_id and share >= self._settings.worth_telling
        ]
        return tuple(sorted(found, key=lambda each: (-each.probability, each.track_id)))

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
        may_be: tuple[Rival, ...] = (),
        weighed_at_s: float | None = None,
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
                if state == "bound" and (each.bound_at_s is None or each.track_id != track_id)
                else each.bound_at_s,
                weighed_at_s=each.weighed_at_s if weighed_at_s is None else weighed_at_s,
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
