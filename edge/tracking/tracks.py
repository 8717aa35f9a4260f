"""Tracks of shoppers on the floor plane, fused over cameras.

Owns who is where from one scan to the next: global nearest neighbour association, births at the
doors (or found inside, and marked so), bridging of the time when nobody sees somebody, and ends
with a stated reason. Pure and deterministic: tracks are numbered t-1, t-2 ... in the order they are
confirmed. Does not own detection (``foreground``, ``onnx_detectors``), how sure an identity is
(``identity``), nor sessions.

Example::

    tracks = Tracks(calibration.floor)
    for scan in scans:
        for track in tracks.update(scan):
            print(track.track_id, track.position_m, track.state)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np

from calibration.format import Floor, Point2
from edge.errors import TrackingError
from edge.tracking.assignment import assign
from edge.tracking.identity import Identities
from edge.tracking.motion import Motion
from edge.tracking.observations import FloorObservation, FloorScan, look_distance
from edge.tracking.track import Track, TrackingSettings, TrackState

_LOOK_SD: Final = 0.16
_MOST_LOOK_COST: Final = 6.0
# Two neighbouring explanations less than this far apart (odds of about 400) are worth a mark.
_CLEAR_MARGIN: Final = 12.0
_UNSEEN_COST: Final = 4.0
# Minus twice the log of how often somebody stops or turns between two scans.
_TURN_COST: Final = 5.0
# Two who come so near to each other are now and then exchanged with nothing in the way they walk to
# tell it; how they look afterwards does.
_TOUCHING_M: Final = 0.6
_EXCHANGED_UNTOLD: Final = 0.01
# Somebody who appears inside, so near to another, was hidden by them, and may as well be them.
_EMERGES_WITHIN_M: Final = 0.6
_EMERGED_SWAPPED: Final = 0.35
_NEWCOMER_SWAPPED_FROM: Final = 0.2
# Nobody comes in unseen farther than this.
_THRESHOLD_M: Final = 0.6
# Whoever was this far within the floor's border has come in, and can go out.
_INSIDE_FROM_M: Final = 0.25


@dataclass(eq=False)
class _Followed:
    """What the tracker keeps of a body; ``body`` is its number in ``Identities``.

    ``rivals`` are the confirmed bodies that it may have been exchanged with before it was trusted.
    ``outside_since_s`` is when it went out over the floor's border; whoever is ``gone`` was told to
    have left and is watched only so that nobody new is seen in them.
    """

    body: int
    motion: Motion
    first_seen_s: float
    last_seen_s: float
    last_at_m: Point2
    cameras: tuple[str, ...]
    turning: Motion
    confirmed: bool = False
    found_inside: bool = False
    scans: int = 1
    seen_now: bool = True
    rivals: dict[int, float] = field(default_factory=dict)
    was_inside: bool = False
    outside_since_s: float | None = None
    gone: bool = False


@dataclass(frozen=True, eq=False)
class _Lost:
    track_id: str
    belief: dict[str, float]
    at_s: float
    at_m: Point2


class Tracks:
    """All shoppers on the floor, one scan after the other."""

    def __init__(self, floor: Floor, settings: TrackingSettings | None = None) -> None:
        self._settings = settings or TrackingSettings()
        self._outline = np.array(floor.outline, np.float32)
        self._doors = [
            (zone.name, np.array(zone.polygon, np.float32))
            for zone in floor.zones
            if zone.kind in ("entry", "exit")
        ]
        self._alive: list[_Followed] = []
        self._lost: list[_Lost] = []
        self._identities = Identities()
        self._at_s = -math.inf
        self._bodies = 0
        self._confirmed = 0

    def update(self, scan: FloorScan) -> tuple[Track, ...]:
        """Take in one scan.

        Returns:
            Everybody, in the order of their ids; tracks that ended are told once, as their last.

        Raises:
            TrackingError: The scan is older than the one before.
        """
        if scan.at_s < self._at_s:
            raise TrackingError(
                f"a scan of {scan.at_s:.3f} s came after one of {self._at_s:.3f} s; "
                "hand the scans over in the order they were taken"
            )
        self._predict(scan.at_s)
        self._at_s = scan.at_s
        for view in scan.views:
            self._take_in(view, scan.at_s)
        self._watch_border(scan.at_s)
        self._confirm(scan.at_s)
        self._judge_closeness(scan.at_s)
        ended = self._end(scan.at_s)
        alive = [self._snapshot(each) for each in self._alive if each.confirmed]
        return tuple(sorted([*alive, *ended], key=lambda track: int(track.track_id[2:])))

    def predicted_m(self, at_s: float) -> tuple[Point2, ...]:
        """Where everybody should be at a moment, for a detector that can use it."""
        step = max(0.0, at_s - self._at_s) if math.isfinite(self._at_s) else 0.0
        sd = self._settings.acceleration_sd_m_s2
        return tuple(
            each.motion.predicted(step, sd).position_m for each in self._alive if each.confirmed
        )

    def _predict(self, at_s: float) -> None:
        step = at_s - self._at_s if math.isfinite(self._at_s) else 0.0
        for each in self._alive:
            hidden = at_s - each.last_seen_s > self._settings.hidden_after_s
            each.motion = each.motion.predicted(
                step, self._settings.acceleration_sd_m_s2, 0.8 if hidden else None
            )
            each.turning = each.turning.predicted(step, self._settings.acceleration_sd_m_s2, 0.8)
            each.seen_now = False

    def _take_in(self, view: Sequence[FloorObservation], at_s: float) -> None:
        """Associate one view: confirmed tracks first, then those not yet trusted, then births."""
        everybody = list(self._alive)
        costs = np.array(
            [[self._cost(each, seen, at_s) for seen in view] for each in everybody]
        ).reshape(len(everybody), len(view))
        limits = np.array([self._limit(seen) for seen in view])
        pairs: dict[int, int] = {}
        for confirmed in (True, False):
            rows = [row for row, each in enumerate(everybody) if each.confirmed is confirmed]
            free = [i for i in range(len(view)) if i not in pairs.values()]
            chosen = assign((costs - limits)[np.ix_(rows, free)], 0.0)
            pairs |= {rows[row]: free[column] for row, column in chosen.items()}
        self._mark_rivals(everybody, costs, pairs, at_s)
        for row, column in pairs.items():
            self._see(everybody[row], view[column], at_s)
        for i in range(len(view)):
            if i not in pairs.values() and not self._doubles_somebody(view[i]):
                born = self._begin(view[i], at_s)
                self._mark_newcomer(born, i, everybody, costs, pairs)
                self._alive.append(born)

    def _cost(self, each: _Followed, seen: FloorObservation, at_s: float) -> float:
        """Minus twice the log likelihood that this is them; infinite where it cannot be."""
        squared, cost = self._likelier(each, seen)[1:]
        unseen_s = at_s - each.last_seen_s
        walked_m = math.dist(each.last_at_m, seen.position_m)
        if (
            squared > self._settings.gate_chi2
            or walked_m > self._settings.fastest_m_s * unseen_s + 0.45
        ):
            return math.inf
        if each.confirmed:
            known = self._identities.looks_of(self._identities.label(each.body))
            distance = look_distance(known, seen.looks)
            if distance is not None:
                cost += min(_MOST_LOOK_COST, (distance / _LOOK_SD) ** 2)
        return cost

    def _likelier(self, each: _Followed, seen: FloorObservation) -> tuple[Motion, float, float]:
        """Walking on, or having stopped or turned on the spot: whichever explains it better."""
        squared, cost = each.motion.surprise(seen)
        turn_squared, turn_cost = each.turning.surprise(seen)
        if turn_cost + _TURN_COST < cost:
            return each.turning, turn_squared, turn_cost + _TURN_COST
        return each.motion, squared, cost

    def _limit(self, seen: FloorObservation) -> float:
        """The cost from which an observation is likelier to be somebody new.

        Minus twice the log of how many new people (or false sightings) there are a square metre
        and scan: many at a door, hardly any inside.
        """
        new_per_m2 = 0.01 if self._door_at(seen.position_m) else 0.003
        return _UNSEEN_COST - 2 * math.log(new_per_m2)

    def _see(self, each: _Followed, seen: FloorObservation, at_s: float) -> None:
        each.motion = self._likelier(each, seen)[0].updated(seen)
        each.turning = each.motion.stopped()
        each.cameras = tuple(sorted({*seen.cameras, *(each.cameras if each.seen_now else ())}))
        if not each.seen_now:
            each.scans += 1
        each.seen_now = True
        each.last_seen_s, each.last_at_m = at_s, each.motion.position_m
        if each.confirmed:
            alone = self._nearest_other_m(each) > self._settings.alone_from_m
            self._identities.seen(each.body, seen.looks, alone, at_s)

    def _begin(self, seen: FloorObservation, at_s: float) -> _Followed:
        self._bodies += 1
        motion = Motion.from_observation(seen)
        return _Followed(self._bodies, motion, at_s, at_s, seen.position_m, seen.cameras, motion)

    def _doubles_somebody(self, seen: FloorObservation) -> bool:
        return any(
            each.seen_now and math.dist(each.motion.position_m, seen.position_m) < 0.25
            for each in self._alive
        )

    def _nearest_other_m(self, each: _Followed) -> float:
        return min(
            (
                math.dist(each.motion.position_m, other.motion.position_m)
                for other in self._alive
                if other is not each and other.confirmed
            ),
            default=math.inf,
        )

    def _mark_rivals(
        self,
        everybody: Sequence[_Followed],
        costs: np.ndarray,
        pairs: Mapping[int, int],
        at_s: float,
    ) -> None:
        """Tell the identities of every two tracks that could as well have been the other way."""

        def cost(row: int, column: int | None) -> float:
            return _UNSEEN_COST if column is None else float(costs[row, column])

        for i, one in enumerate(everybody):
            for j, other in enumerate(everybody[:i]):
                a, b = pairs.get(i), pairs.get(j)
                if (a is None and b is None) or not (one.confirmed or other.confirmed):
                    continue
                margin = cost(i, b) + cost(j, a) - cost(i, a) - cost(j, b)
                if margin >= _CLEAR_MARGIN:
                    continue
                if one.confirmed and other.confirmed:
                    self._identities.close(one.body, other.body, _odds(margin), at_s)
                elif _odds(margin) >= _NEWCOMER_SWAPPED_FROM:
                    young, old = (other, one) if one.confirmed else (one, other)
                    young.rivals[old.body] = max(young.rivals.get(old.body, 0), _odds(margin))

    def _mark_newcomer(
        self,
        born: _Followed,
        column: int,
        everybody: Sequence[_Followed],
        costs: np.ndarray,
        pairs: Mapping[int, int],
    ) -> None:
        """A new sighting beside somebody may be them, and what they were given the newcomer.

        Inside, it must have been hidden by them until now. On the threshold people do come in
        behind others, and only a near toss-up counts.
        """
        deep_m = cv2.pointPolygonTest(self._outline, born.last_at_m, True)
        inside = self._door_at(born.last_at_m) is None or deep_m > _THRESHOLD_M
        for row, taken in pairs.items():
            other = everybody[row]
            if not other.confirmed:
                continue
            swapped = _odds(float(costs[row, column] - costs[row, taken]))
            if inside and math.dist(other.motion.position_m, born.last_at_m) < _EMERGES_WITHIN_M:
                swapped = max(swapped, _EMERGED_SWAPPED)
            if swapped >= _NEWCOMER_SWAPPED_FROM:
                born.rivals[other.body] = swapped

    def _watch_border(self, at_s: float) -> None:
        """Who is outside, since when; and who has come back and is somebody new."""
        for each in self._alive:
            if self._within(self._outline, each.motion.position_m, -_INSIDE_FROM_M):
                if each.gone:
                    each.gone, each.scans, each.first_seen_s = False, 1, at_s
                each.was_inside = True
            if self._within(self._outline, each.motion.position_m, self._settings.out_from_m):
                each.outside_since_s = None
            elif each.outside_since_s is None:
                each.outside_since_s = at_s

    def _judge_closeness(self, at_s: float) -> None:
        """Two that are seen clear of each other begin a new page; touching, they may mix."""
        seen = [each for each in self._alive if each.confirmed and each.seen_now]
        for k, one in enumerate(seen):
            for other in seen[k + 1 :]:
                apart_m = math.dist(one.motion.position_m, other.motion.position_m)
                if apart_m > self._settings.alone_from_m:
                    self._identities.apart(one.body, other.body)
                elif apart_m < _TOUCHING_M:
                    self._identities.close(one.body, other.body, _EXCHANGED_UNTOLD, at_s)

    def _confirm(self, at_s: float) -> None:
        for each in self._alive:
            if (
                each.confirmed
                or each.gone
                or not each.seen_now
                or each.scans < self._settings.confirm_scans
            ):
                continue
            at_door = self._door_at(each.last_at_m) is not None
            needed_s = (
                self._settings.confirm_at_door_s if at_door else self._settings.confirm_inside_s
            )
            if at_s - each.first_seen_s < needed_s - 1e-9:
                continue
            each.confirmed, each.found_inside = True, not at_door
            self._name(each, at_s)
            for other in self._alive:
                if other.confirmed and other.body in each.rivals:
                    self._identities.close(each.body, other.body, each.rivals[other.body], at_s)

    def _name(self, each: _Followed, at_s: float) -> None:
        """A new id; or the id of the one lost track that this can be."""
        self._lost = [
            lost for lost in self._lost if at_s - lost.at_s < self._settings.revived_within_s
        ]
        could_be = [lost for lost in self._lost if self._reachable(lost, each)]
        if each.found_inside and len(could_be) == 1:
            [lost] = could_be
            self._lost.remove(lost)
            self._identities.enter(each.body, lost.track_id, lost.belief, at_s)
            return
        self._confirmed += 1
        label = f"t-{self._confirmed}"
        belief = {label: 1.0}
        if each.found_inside and could_be:
            share = 1 / (len(could_be) + 1)
            belief = {label: share} | {lost.track_id: share for lost in could_be}
        self._identities.enter(each.body, label, belief, at_s)

    def _reachable(self, lost: _Lost, each: _Followed) -> bool:
        away_m = math.dist(lost.at_m, each.last_at_m)
        return away_m < 0.8 + 1.2 * (each.first_seen_s - lost.at_s)

    def _end(self, at_s: float) -> list[Track]:
        ended, kept = [], []
        for each in self._alive:
            verdict = self._verdict(each, at_s)
            if verdict is None:
                kept.append(each)
                continue
            if each.confirmed and each.seen_now:  # still there, but no longer a shopper
                each.gone = True
                kept.append(each)
            if each.confirmed:
                state, reason = verdict
                ended.append(self._snapshot(each, state, reason))
                if state == "lost":
                    name = self._identities.label(each.body)
                    belief = self._identities.belief(each.body)
                    self._lost.append(_Lost(name, belief, each.last_seen_s, each.last_at_m))
                self._identities.leave(each.body)
                each.confirmed = False
        self._alive = kept
        return ended

    def _verdict(self, each: _Followed, at_s: float) -> tuple[TrackState, str] | None:
        """Whether somebody is no longer on the floor, and why in words."""
        unseen_s = at_s - each.last_seen_s
        if not each.confirmed:
            return ("lost", "never trusted") if unseen_s > 0.5 else None
        door = self._door_at(each.last_at_m)
        out_s = 0.0 if each.outside_since_s is None else at_s - each.outside_since_s
        walked_out = each.was_inside and not self._within(self._outline, each.last_at_m, 0.0)
        if door and walked_out and out_s >= self._settings.out_after_s - 1e-9:
            return "left", f"went out at {door} {out_s:.1f} s ago"
        outside = each.was_inside and not self._within(self._outline, each.motion.position_m, -0.05)
        if door and unseen_s >= self._settings.left_after_s * (0.5 if outside else 1.0) - 1e-9:
            return "left", f"last seen at {door}, then unseen for {unseen_s:.1f} s"
        if unseen_s >= self._settings.lost_after_s - 1e-9:
            x_m, y_m = each.last_at_m
            return "lost", f"unseen for {unseen_s:.1f} s since ({x_m:.2f}, {y_m:.2f}) m, at no door"
        return None

    def _door_at(self, position_m: Point2) -> str | None:
        for name, polygon in self._doors:
            if self._within(polygon, position_m, self._settings.door_margin_m):
                return name
        return None

    @staticmethod
    def _within(polygon: np.ndarray, position_m: Point2, margin_m: float) -> bool:
        point = (float(position_m[0]), float(position_m[1]))
        return cv2.pointPolygonTest(polygon, point, True) >= -margin_m

    def _snapshot(
        self, each: _Followed, state: TrackState | None = None, reason: str = ""
    ) -> Track:
        at_s = self._at_s
        unseen_s = at_s - each.last_seen_s
        if state is None:
            if unseen_s > self._settings.hidden_after_s:
                state, reason = "hidden", f"unseen for {unseen_s:.1f} s"
            elif at_s - each.first_seen_s < 1.0:
                state, reason = "new", "found inside" if each.found_inside else "came in"
            else:
                state, reason = "followed", f"seen by {', '.join(each.cameras)}"
        (xx, xy), (yx, yy) = each.motion.covariance[:2, :2].tolist()
        return Track(
            track_id=self._identities.label(each.body),
            at_s=at_s,
            position_m=each.motion.position_m,
            velocity_m_s=each.motion.velocity_m_s,
            covariance_m2=((xx, xy), (yx, yy)),
            state=state,
            first_seen_s=each.first_seen_s,
            last_seen_s=each.last_seen_s,
            found_inside=each.found_inside,
            swaps=self._identities.swaps(each.body),
            cameras=each.cameras,
            reason=reason,
        )


def _odds(margin: float) -> float:
    """How likely the other way round is, by how much dearer it would be."""
    return 1 / (1 + math.exp(max(0.0, margin) / 2))
