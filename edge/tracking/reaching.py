"""Who stretched an arm out: what silhouettes from above tell about a reach. Pure.

An arm that reaches for a piece bridges the way from a body to it. Where a camera sees floor on that
way, nobody's arm is there; where it sees somebody, an arm may be. Where another body stands before
or behind the way, nothing is known. Whoever takes from a low board also stoops for it, which their
head shows. Owns both measures; how they weigh against distance is ``attribution``'s to know.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.format import Point2
from edge.tracking.silhouettes import Silhouettes

_SHOULDERS_M: Final = (0.9, 1.15, 1.38)
_SHOULDER_ASIDE_M: Final = 0.17
_STEPS: Final = 14
_FIRST_STEP: Final = 0.2
_TOPS_M: Final = np.arange(0.6, 2.05, 0.06)
_FLAT_FROM: Final = 1.0
_HEAD_M: Final = 1.4
_TRUNK_M: Final = 1.0
# Whose head is lower than usual by this stoops; how many stoop for a hand at a share of their
# height, and how many who have no hand at a shelf.
_STOOPS_FROM_M: Final = 0.17
_STOOP_SOFTNESS_M: Final = 0.04
_HAND_SHARES: Final = (0.38, 0.53, 0.68)
_STOOPS_AT: Final = (0.95, 0.3, 0.05)
_STOOPS_ANYWAY: Final = 0.2


@dataclass(frozen=True)
class ArmSettings:
    """How much silhouettes say.

    Attributes:
        filled_per_m: Log likelihood ratio for a metre of the way that is filled, one camera.
        empty_per_m: The same against, for a metre that is empty.
    """

    filled_per_m: float = 2.0
    empty_per_m: float = 6.0


def arm_evidence(
    silhouettes: Silhouettes,
    places_m: Mapping[str, Point2],
    who: Sequence[str],
    hands_m: NDArray[np.float64],
    settings: ArmSettings | None = None,
) -> dict[str, float]:
    """How much silhouettes speak for each of some people having an arm at a piece.

    Where exactly the hand was and which shoulder it came from is not known: the ratio is the mean
    over all ways from shoulders to hands.

    Args:
        silhouettes: Of one moment.
        places_m: Where everybody stands then, by track id.
        who: Whose arm is asked about.
        hands_m: Where the hand may have been, shop metres, shape ``(M, 3)``, before the fixture.
        settings: Weights.

    Returns:
        By track id, log of how much likelier the silhouettes are with their arm there than not; 0
        where nothing is seen of it.
    """
    settings = settings or ArmSettings()
    if not who:
        return {}
    stand_m = np.array(list(places_m.values()))
    ways = np.stack([_ways(places_m[name], hands_m) for name in who])
    step_m = np.linalg.norm(ways[:, :, -1] - ways[:, :, 0], axis=-1) / _STEPS
    told = np.zeros(ways.shape[:2])
    for camera in silhouettes.bits:
        view = silhouettes.views[camera]
        pixels, seen = view.pixels_of(ways.reshape(-1, 3))
        seen &= ~_within(pixels, view.bodies_px(stand_m).reshape(-1, 3))
        there = silhouettes.picture(camera)[pixels[:, 1], pixels[:, 0]]
        filled = (seen & there).reshape(ways.shape[:3]).sum(axis=-1)
        empty = (seen & ~there).reshape(ways.shape[:3]).sum(axis=-1)
        told += step_m * (settings.filled_per_m * filled - settings.empty_per_m * empty)
    return {name: _mean_of_logs(each) for name, each in zip(who, told, strict=True)}


def tops_m(
    silhouettes: Silhouettes, places_m: Mapping[str, Point2], who: Sequence[str]
) -> dict[str, float]:
    """How high some people reach up above where they stand, where a camera can tell.

    Only cameras that look flatly enough tell, and only where nobody else is in the way.

    Returns:
        Metres above the floor by track id; who cannot be judged is left out.
    """
    found: dict[str, list[float]] = {}
    if not who:
        return {}
    stand_m, names = np.array(list(places_m.values())), list(places_m)
    for camera in silhouettes.bits:
        view = silhouettes.views[camera]
        judged = [
            name
            for name, slant in zip(names, view.slants(stand_m, _HEAD_M).tolist(), strict=True)
            if name in who and slant >= _FLAT_FROM
        ]
        if not judged:
            continue
        filled, bodies = silhouettes.picture(camera), view.bodies_px(stand_m)
        axes = np.zeros((len(judged), len(_TOPS_M), 3))
        axes[..., :2] = np.array([places_m[name] for name in judged])[:, None]
        axes[..., 2] = _TOPS_M
        pixels, seen = view.pixels_of(axes.reshape(-1, 3))
        pixels, seen = pixels.reshape(*axes.shape[:2], 2), seen.reshape(axes.shape[:2])
        for row, name in enumerate(judged):
            others = np.delete(bodies, names.index(name), axis=0).reshape(-1, 3)
            free = seen[row] & ~_within(pixels[row], others)
            there = np.nonzero(filled[pixels[row, :, 1], pixels[row, :, 0]] & free)[0]
            if free[_TOPS_M > _TRUNK_M].all() and len(there):
                found.setdefault(name, []).append(float(_TOPS_M[there[-1]]))
    return {name: float(np.mean(tops)) for name, tops in found.items()}


def stoop_evidence(top_m: float | None, upright_m: float | None, hand_m: float) -> float:
    """How much somebody's height at a moment speaks for having a hand at some height.

    Args:
        top_m: How high they reach up then.
        upright_m: The same when they stand upright.
        hand_m: Height of the hand above the floor.

    Returns:
        Log of how much likelier it is when they have a hand there than when not; 0 where nothing is
        known.
    """
    if top_m is None or upright_m is None:
        return 0.0
    stoops = 1 / (1 + math.exp(-(upright_m - top_m - _STOOPS_FROM_M) / _STOOP_SOFTNESS_M))
    reaching = float(np.interp(hand_m / upright_m, _HAND_SHARES, _STOOPS_AT))
    likely = reaching * stoops + (1 - reaching) * (1 - stoops)
    usual = _STOOPS_ANYWAY * stoops + (1 - _STOOPS_ANYWAY) * (1 - stoops)
    return math.log(likely / usual)


def _ways(place_m: Point2, hands_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Straight ways from both shoulders at several heights to the hands, ``(L, steps, 3)``."""
    along = np.linspace(_FIRST_STEP, 1.0, _STEPS)[:, None]
    ways = []
    for hand in hands_m:
        towards = hand[:2] - np.array(place_m)
        towards = towards / max(float(np.hypot(*towards)), 1e-6)
        aside = np.array([-towards[1], towards[0]]) * _SHOULDER_ASIDE_M
        for height_m in _SHOULDERS_M:
            for side in (aside, -aside):
                shoulder = np.array([*(np.array(place_m) + side), height_m])
                ways.append(shoulder + (hand - shoulder) * along)
    return np.array(ways)


def _within(pixels: NDArray[np.intp], circles: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which pixels ``(N, 2)`` lie in any of some circles ``(K, 3)``; NaN circles hold nothing."""
    across = pixels[:, None, 0] + 0.5 - circles[None, :, 0]
    down = pixels[:, None, 1] + 0.5 - circles[None, :, 1]
    with np.errstate(invalid="ignore"):
        return np.asarray((across**2 + down**2 < circles[:, 2] ** 2).any(axis=1))


def _mean_of_logs(logs: NDArray[np.float64]) -> float:
    highest = float(logs.max())
    return highest + math.log(float(np.exp(logs - highest).mean()))
