"""Ways over the floor: straight or round somebody, at a walking pace, turning as people turn.

Pure. A way is chosen against what the others are known to do; close passes are allowed, walking
through each other is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tests.simulators.shop.motion import Walk

STEP_S = 0.05
_CLEARANCE_M = 0.58
_SPEED_UP_S = 0.4
_TURN_RATE_RAD_S = 4.5
Where = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def way(
    start_s: float,
    start_m: tuple[float, float],
    heading: float,
    goal_m: tuple[float, float],
    goal_heading: float | None,
    *,
    speed_m_s: float,
    others: Sequence[Where],
    floor_m: tuple[float, float],
) -> Walk:
    """The walk to a goal that keeps clear of the others, waiting or stepping aside if need be.

    Args:
        start_s: When it may begin.
        start_m: Where.
        heading: Radians at the start.
        goal_m: Where to.
        goal_heading: Radians at the end; ``None`` keeps the direction of walking.
        speed_m_s: Walking pace.
        others: Each gives the other person's places ``(N, 2)`` at moments ``(N,)``; NaN while
            not there.
        floor_m: The floor's extent; detours stay inside.
    """
    start, goal = np.array(start_m), np.array(goal_m)
    along = goal - start
    length = float(np.linalg.norm(along))
    aside = np.array([-along[1], along[0]]) / max(length, 1e-6)
    best: tuple[float, float, list[NDArray[np.float64]]] | None = None
    for wait_s in (0.0, 0.6, 1.2, 2.0, 3.0, 4.5, 6.5, 9.0):
        for offset in (0.0, 0.45, -0.45, 0.9, -0.9):
            corners = [start, goal]
            if offset and length > 0.9:
                corner = start + along / 2 + aside * offset
                low = np.array([0.4, 0.3])
                corner = np.clip(corner, low, np.array(floor_m) - [0.4, 0.8])
                corners = [start, corner, goal]
            elif offset:
                continue
            times, places, _ = _moved(wait_s, corners, speed_m_s)
            near = clearance_m(start_s + times, places, others)
            cost = 12 * max(0.0, _CLEARANCE_M - near) + wait_s * 0.35 + abs(offset) * 0.6
            if best is None or cost < best[0] - 1e-9:
                best = cost, wait_s, corners
        if best is not None and best[0] <= (wait_s + 0.6) * 0.35:
            break  # to wait longer costs more than the best way so far
    assert best is not None
    _, wait_s, corners = best
    return _walked(start_s, wait_s, corners, heading, goal_heading, speed_m_s)


def standing(start_s: float, floor_m: tuple[float, float], heading: float, seconds: float) -> Walk:
    """Standing still, swaying a little as people do."""
    count = max(2, round(seconds / STEP_S) + 1)
    times = start_s + np.linspace(0, seconds, count)
    fade = np.minimum(1.0, np.minimum(times - start_s, times[-1] - times) / 0.5)
    sway = np.stack([np.sin(times * 1.9), np.cos(times * 1.3)], axis=1) * 0.012 * fade[:, None]
    return Walk(times, np.array(floor_m) + sway, np.full(count, heading))


def chained(walks: Sequence[Walk]) -> Walk:
    """One walk of several that follow each other."""
    times = np.concatenate([walk.at_s for walk in walks])
    places = np.concatenate([walk.floor_m for walk in walks])
    heading = np.unwrap(np.concatenate([walk.heading for walk in walks]))
    keep = np.concatenate([[True], np.diff(times) > 1e-6])
    return Walk(times[keep], places[keep], heading[keep])


def turn_towards(heading: float, goal: float) -> float:
    """The goal's angle plus whole turns, so that turning from ``heading`` is shortest."""
    return heading + (goal - heading + np.pi) % (2 * np.pi) - np.pi


def _walked(
    start_s: float,
    wait_s: float,
    corners: list[NDArray[np.float64]],
    heading: float,
    goal_heading: float | None,
    speed_m_s: float,
) -> Walk:
    times, places, (gone, lengths, points) = _moved(wait_s, corners, speed_m_s)
    total = float(lengths[-1])
    x, y = places.T
    ahead = np.interp(np.minimum(gone + 0.15, total), lengths, points[:, 0]) - x
    ahead_y = np.interp(np.minimum(gone + 0.15, total), lengths, points[:, 1]) - y
    headings = np.empty(len(times))
    now = heading
    for index in range(len(times)):
        wanted = now
        arriving = total - gone[index] < 0.35
        if goal_heading is not None and arriving:
            wanted = turn_towards(now, goal_heading)
        elif np.hypot(ahead[index], ahead_y[index]) > 0.05 and times[index] >= wait_s - 0.2:
            wanted = turn_towards(now, float(np.arctan2(ahead_y[index], ahead[index])))
        now += float(np.clip((wanted - now) * 0.25, -1, 1)) * _TURN_RATE_RAD_S * STEP_S * 4
        headings[index] = now
    return Walk(start_s + times, places, headings)


def _moved(
    wait_s: float, corners: list[NDArray[np.float64]], speed_m_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[NDArray[np.float64], ...]]:
    """Moments and places of a way; then how far it has come, and its corners by length."""
    points = _rounded(corners)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    lengths = np.concatenate([[0.0], np.cumsum(steps)])
    total = float(lengths[-1])
    walking_s = total / speed_m_s + _SPEED_UP_S
    times = np.arange(0.0, wait_s + walking_s + 0.45, STEP_S)
    share = np.clip((times - wait_s) / walking_s, 0, 1)
    ramp = min(0.45, _SPEED_UP_S / walking_s)
    gone = total * _trapezoid(share, ramp)
    places = np.stack([np.interp(gone, lengths, points[:, axis]) for axis in (0, 1)], axis=1)
    return times, places, (gone, lengths, points)


def _trapezoid(share: NDArray[np.float64], ramp: float) -> NDArray[np.float64]:
    """The share of the way after a share of the time, speeding up and slowing down over ramps."""
    top = 1 / (1 - ramp)
    rising = 0.5 * top / ramp * share**2
    falling = 1 - 0.5 * top / ramp * (1 - share) ** 2
    even = top * (share - ramp / 2)
    return np.where(share < ramp, rising, np.where(share > 1 - ramp, falling, even))


def _rounded(corners: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    if len(corners) == 2:
        return np.array(corners)
    start, corner, goal = corners
    # A quadratic curve that passes through the corner halfway.
    control = 2 * corner - (start + goal) / 2
    t = np.linspace(0, 1, 24)[:, None]
    return np.asarray((1 - t) ** 2 * start + 2 * t * (1 - t) * control + t**2 * goal)


def clearance_m(
    moments_s: NDArray[np.float64], places_m: NDArray[np.float64], others: Sequence[Where]
) -> float:
    """How close places ``(N, 2)`` at moments ``(N,)`` come to anybody."""
    closest = np.inf
    for other in others:
        away = np.linalg.norm(places_m[::2] - other(moments_s[::2]), axis=1)
        if np.isfinite(away).any():
            closest = min(closest, float(np.nanmin(away)))
    return closest
