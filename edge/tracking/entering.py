"""Who checked in: check-ins and the people at the entry, assigned to each other jointly. Pure.

One check-in alone says little about which of several people it was. Together they do: nobody checks
in twice, whoever checks in stands at the entry at that moment, and people check in about in the
order in which they came in. Every way to assign the check-ins of a few seconds is weighed, and the
share of all ways in which a check-in is a track's says how sure that is. Owns that weighing; when
it is done, and what becomes of it, is ``sessions``' to know.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from calibration.format import Point2, Zone
from edge.tracking.identity import Swap
from edge.tracking.session import CheckIn, SessionSettings

# Spread of when a check-in is told around when somebody stood there, and around the zone.
_TOLD_SD_S: Final = 0.5
_BESIDE_SD_M: Final = 0.2
_READER_SD_M: Final = 0.35
# Who walks faster than this does not check in meanwhile, with few exceptions.
_STANDS_BELOW_M_S: Final = 0.5
_STANDS_SOFTNESS_M_S: Final = 0.12
_WALKS_PAST: Final = 0.1
# Who stood there hidden by others and was seen only farther in.
_HIDDEN_THERE: Final = 0.02
_EMERGES_WITHIN_M: Final = 0.8
_WALKS_M_S: Final = 1.2
# Whose track ended by then or soon after: nobody checks in and goes out again at once.
_WENT_OUT_AGAIN: Final = 0.05
_AT_ONCE_S: Final = 2.0
# Who has walked on or comes only later, less with every few seconds; that it was nobody who is
# known; and that somebody who came in never checks in.
_NOT_THERE: Final = 0.02
_NOT_THERE_S: Final = 2.0
_NOBODY: Final = 0.001
_UNCHECKED: Final = 0.1
MOST_CHECKINS: Final = 5
_MOST_ENTRANTS: Final = 8


@dataclass(frozen=True)
class Entrant:
    """Somebody who is or was at the entry.

    Attributes:
        track_id: Their track.
        came_in_s: When they came.
        seen: When they were at the entry: the moment, where, and how fast they went.
        ended_s: When their track ended; ``None`` while it is followed.
        swaps: Whom their track may have been exchanged with.
        emerged: They were first seen farther in, then and there where ``seen`` begins, so that
            nobody knows when they came.
        past: Tracks that were still before the entry when this one was first seen in it. One of
            them may be who came in first, and this one who stands there now.
    """

    track_id: str
    came_in_s: float
    seen: tuple[tuple[float, Point2, float], ...]
    ended_s: float | None = None
    swaps: tuple[Swap, ...] = ()
    emerged: bool = False
    past: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Entered:
    """Whose check-ins they were.

    Attributes:
        best: The likeliest joint assignment, track by check-in; who is in it nobody's is left out.
        shares: By check-in, how likely each track is its own; what lacks to 1 is nobody's.
    """

    best: Mapping[str, str]
    shares: Mapping[str, Mapping[str, float]]


def fitting(
    checkins: Sequence[CheckIn],
    entrants: Sequence[Entrant],
    entries: Sequence[Zone],
    settings: SessionSettings,
    reader_m: Point2 | None = None,
) -> dict[tuple[str, str], float]:
    """How well each entrant explains each check-in, by the ids of check-in and track.

    Whoever was exchanged since then is asked about as the one that they were.
    """
    found = {}
    for checkin in checkins:
        alone = {e.track_id: _fits(checkin, e, entries, settings, reader_m) for e in entrants}
        for each in entrants:
            since = [
                swap
                for swap in each.swaps
                if swap.at_s > checkin.at_s - _TOLD_SD_S and swap.track_id in alone
            ]
            kept = 1 - sum(swap.probability for swap in since)
            found[checkin.checkin_id, each.track_id] = kept * alone[each.track_id] + sum(
                swap.probability * alone[swap.track_id] for swap in since
            )
    return {pair: share for pair, share in found.items() if share > 0}


def _fits(
    checkin: CheckIn,
    entrant: Entrant,
    entries: Sequence[Zone],
    settings: SessionSettings,
    reader_m: Point2 | None,
) -> float:
    """How well somebody explains a check-in, against somebody who stood right there, 0 to 1."""
    if entrant.ended_s is not None and entrant.ended_s < checkin.at_s - _TOLD_SD_S:
        return 0.0
    first_s, last_s = entrant.seen[0][0], entrant.seen[-1][0]
    if first_s > checkin.at_s + settings.waits_s or last_s < checkin.at_s - settings.gone_after_s:
        return 0.0
    if entrant.emerged:
        return _hidden_there(checkin, entrant, entries)
    away_s = max(0.0, first_s - checkin.at_s, checkin.at_s - last_s)
    best = _NOT_THERE * math.exp(-away_s / _NOT_THERE_S)
    for at_s, place, speed_m_s in entrant.seen:
        off_s = abs(at_s - checkin.at_s)
        if off_s <= settings.seen_around_s:
            there = math.exp(-0.5 * (off_s / _TOLD_SD_S) ** 2) * _stands(speed_m_s)
            there *= math.exp(-0.5 * (_beside_m(place, entries) / _BESIDE_SD_M) ** 2)
            if reader_m is not None:
                there *= math.exp(-0.5 * (math.dist(place, reader_m) / _READER_SD_M) ** 2)
            best = max(best, there)
    if entrant.ended_s is not None and entrant.ended_s < checkin.at_s + _AT_ONCE_S:
        best *= _WENT_OUT_AGAIN
    return best


def _hidden_there(checkin: CheckIn, entrant: Entrant, entries: Sequence[Zone]) -> float:
    """How well somebody who was first seen farther in explains a check-in, 0 to 1."""
    found_s, place, _ = entrant.seen[0]
    walked_s = found_s - checkin.at_s
    reachable = _beside_m(place, entries) < _EMERGES_WITHIN_M + _WALKS_M_S * walked_s
    return _HIDDEN_THERE if reachable else 0.0


def entered(
    checkins: Sequence[CheckIn], entrants: Sequence[Entrant], fit: Mapping[tuple[str, str], float]
) -> Entered:
    """Assign check-ins to the people at the entry.

    Args:
        checkins: In the order of their times; of very many only the last are assigned.
        entrants: Whoever may have been one of them.
        fit: How well each explains each, by the ids of check-in and track; 0 where it is missing.
    """
    late = list(checkins)[-MOST_CHECKINS:]
    likely = {
        each.track_id: max(fit.get((c.checkin_id, each.track_id), 0.0) for c in late)
        for each in entrants
    }
    people = sorted(entrants, key=lambda each: (-likely[each.track_id], each.came_in_s))
    people = [each for each in people[:_MOST_ENTRANTS] if likely[each.track_id] > 0]
    total = most = 0.0
    best: dict[str, str] = {}
    shares: dict[str, dict[str, float]] = {each.checkin_id: {} for each in late}
    for chosen in _ways(late, people, fit, ()):
        weight = _weight(late, people, fit, chosen)
        total += weight
        told = {c.checkin_id: p.track_id for c, p in zip(late, chosen, strict=True) if p}
        if weight > most:
            most, best = weight, told
        for checkin_id, track_id in told.items():
            mine = shares[checkin_id]
            mine[track_id] = mine.get(track_id, 0.0) + weight
    return Entered(
        best,
        {name: {k: v / total for k, v in mine.items()} for name, mine in shares.items()},
    )


def _ways(
    checkins: Sequence[CheckIn],
    people: Sequence[Entrant],
    fit: Mapping[tuple[str, str], float],
    chosen: tuple[Entrant | None, ...],
) -> Iterator[tuple[Entrant | None, ...]]:
    """All ways to give each check-in somebody of their own, or nobody."""
    if len(chosen) == len(checkins):
        yield chosen
        return
    checkin = checkins[len(chosen)]
    for each in (*people, None):
        if each is None or (
            each not in chosen and fit.get((checkin.checkin_id, each.track_id), 0.0) > 0
        ):
            yield from _ways(checkins, people, fit, (*chosen, each))


def _weight(
    checkins: Sequence[CheckIn],
    people: Sequence[Entrant],
    fit: Mapping[tuple[str, str], float],
    chosen: Sequence[Entrant | None],
) -> float:
    """How likely one way is, against all others."""
    weight = 1.0
    for k, (checkin, each) in enumerate(zip(checkins, chosen, strict=True)):
        if each is None:
            weight *= _NOBODY
            continue
        weight *= fit[checkin.checkin_id, each.track_id]
        for other in chosen[k + 1 :]:
            if other is not None:
                weight *= _in_order(each, other)
        for other in people:
            if other not in chosen:  # they stood there too, and have yet to check in
                also = fit.get((checkin.checkin_id, other.track_id), 0.0)
                weight *= 1 - also * (1 - _in_order(each, other))
    inside = [each for each in people if each.ended_s is None and each not in chosen]
    return weight * _UNCHECKED ** len(inside)


def _in_order(one: Entrant, other: Entrant) -> float:
    """How likely the one checks in before the other, by when they came in."""
    if one.emerged or other.emerged or one.track_id in other.past or other.track_id in one.past:
        return 0.5
    softness_s = 0.2
    return 1 / (1 + math.exp(min(50.0, (one.came_in_s - other.came_in_s) / softness_s)))


def _stands(speed_m_s: float) -> float:
    sds = (speed_m_s - _STANDS_BELOW_M_S) / _STANDS_SOFTNESS_M_S
    return max(_WALKS_PAST, 1 / (1 + math.exp(min(50.0, sds))))


def _beside_m(place: Point2, entries: Sequence[Zone]) -> float:
    """How far outside of all entry zones a place is; 0 within one."""
    point = (float(place[0]), float(place[1]))
    inside = max(
        cv2.pointPolygonTest(np.array(zone.polygon, np.float32), point, True) for zone in entries
    )
    return max(0.0, -float(inside))
