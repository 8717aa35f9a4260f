"""Who is who: how sure it is that a track still is the shopper it was.

When two people stand too close to tell apart, no tracker knows afterwards which is which; most
guess and forget that they guessed. Here every body carries a belief, a probability for each
identity it may have. Coming too close mixes the beliefs of two bodies, looks that are clearly
somebody's sharpen them again, and what remains uncertain is told with every track, so that nobody
is charged for it.

After Shin, Guibas and Zhao, "A Distributed Algorithm for Managing Multi-Target Identities in
Wireless Ad-hoc Sensor Networks" (IPSN 2003): mixing, local evidence, and Sinkhorn scaling to keep
the beliefs doubly stochastic. Pure. Does not own where anybody is (``tracks``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from edge.tracking.assignment import assign
from edge.tracking.observations import Look, blend_looks, look_distance

_WORTH_TELLING: Final = 0.02
# Looks of one who was known better are learned from this belief on.
_LEARNS_FROM: Final = 0.9
# The Hellinger distance from which on a look is likelier somebody else's than theirs, and how much
# likelier it is for each unit of distance: one person's looks were 0.27 apart in rendered shops,
# two people's 0.69 (medians). Evidence of one separation is capped: light and posture change
# together for all pixels of a body.
_AS_LIKELY_AT: Final = 0.485
_PER_DISTANCE: Final = 40.0
_MOST_EVIDENCE: Final = 5.0
_FRESH_LOOKS: Final = 4
_LEARNING_SHARE: Final = 0.06
_REMEMBERED_LOOKS: Final = 500


@dataclass(frozen=True)
class Swap:
    """A body's identity may be another's.

    Attributes:
        track_id: Whose it may be.
        probability: How likely, 0 to 1.
        at_s: When the two were last too close to tell apart.
    """

    track_id: str
    probability: float
    at_s: float


@dataclass(eq=False)
class _Body:
    label: str
    belief: dict[str, float]
    recent: Mapping[str, Look] = field(default_factory=dict)
    recent_count: int = 0
    mixed_with: set[int] = field(default_factory=set)
    mixed_at_s: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Known:
    """What an identity looks like, and whose looks these may be, with the belief at that time."""

    looks: Mapping[str, Look]
    belief: Mapping[str, float]


class Identities:
    """The beliefs of all bodies on the floor. A body is a number the tracker gives."""

    def __init__(self) -> None:
        self._bodies: dict[int, _Body] = {}
        # Those with whom somebody who is still there may have been exchanged before they went.
        self._gone: dict[int, _Body] = {}
        self._known: dict[str, _Known] = {}
        self._episodes: dict[tuple[int, int], float] = {}

    def enter(self, body: int, label: str, belief: Mapping[str, float], at_s: float) -> None:
        """A body appears under a label, with the identities it may have."""
        self._bodies[body] = _Body(label, dict(belief), mixed_at_s=dict.fromkeys(belief, at_s))

    def leave(self, body: int) -> None:
        """A body is gone. The others keep what they may have of its identity."""
        gone = self._bodies.pop(body, None)
        self._episodes = {pair: p for pair, p in self._episodes.items() if body not in pair}
        if gone is not None:
            self._gone[body] = gone
        asked_for = {each for other in self._bodies.values() for each in other.mixed_with}
        self._gone = {each: found for each, found in self._gone.items() if each in asked_for}
        while len(self._known) > _REMEMBERED_LOOKS:
            del self._known[next(iter(self._known))]

    def label(self, body: int) -> str:
        """The identity a body goes by: the likeliest, and no two bodies go by the same."""
        return self._bodies[body].label

    def belief(self, body: int) -> dict[str, float]:
        """How likely a body is which identity; sums to 1."""
        return dict(self._bodies[body].belief)

    def swaps(self, body: int) -> tuple[Swap, ...]:
        """Whom a body may be besides its label, likeliest first."""
        mine = self._bodies[body]
        found = [
            Swap(name, round(p, 4), mine.mixed_at_s[name])
            for name, p in mine.belief.items()
            if name != mine.label and p >= _WORTH_TELLING
        ]
        return tuple(sorted(found, key=lambda swap: (-swap.probability, swap.track_id)))

    def looks_of(self, track_id: str) -> Mapping[str, Look]:
        """What an identity looks like, as far as it is known."""
        known = self._known.get(track_id)
        return {} if known is None else known.looks

    def close(self, one: int, other: int, probability: float, at_s: float) -> None:
        """Two bodies are so close that they may have been swapped with this probability.

        Called with every scan of one closeness; only what exceeds its worst moment so far mixes.
        """
        pair = (min(one, other), max(one, other))
        before = self._episodes.get(pair, 0.0)
        total = min(probability, 0.5)
        if total <= before:
            return
        self._episodes[pair] = total
        # Mixing by `more` on top of `before` has swapped with probability `total` in all.
        more = (total - before) / (1 - 2 * before)
        first, second = self._bodies[one], self._bodies[other]
        names = first.belief.keys() | second.belief.keys()
        mixed = {
            name: (first.belief.get(name, 0.0), second.belief.get(name, 0.0))
            for name in sorted(names)
        }
        first.belief = {n: (1 - more) * a + more * b for n, (a, b) in mixed.items()}
        second.belief = {n: (1 - more) * b + more * a for n, (a, b) in mixed.items()}
        stamps = (_stamps(first, second, mixed, at_s), _stamps(second, first, mixed, at_s))
        for body, partner, stamped in zip((first, second), (other, one), stamps, strict=True):
            body.mixed_with.add(partner)
            body.mixed_at_s = stamped
            body.recent, body.recent_count = {}, 0

    def apart(self, one: int, other: int) -> None:
        """Two bodies are clear of each other: the next closeness counts anew."""
        self._episodes.pop((min(one, other), max(one, other)), None)

    def seen(self, body: int, looks: Mapping[str, Look], alone: bool, at_s: float) -> None:
        """A body was seen; when nobody is near it, its looks are learned and used as evidence."""
        if not looks or not alone:
            return
        mine = self._bodies[body]
        if self._learns(mine):
            learned = blend_looks(self.looks_of(mine.label), looks, _LEARNING_SHARE)
            self._known[mine.label] = _Known(learned, dict(mine.belief))
            return
        share = 1 / (mine.recent_count + 1)
        mine.recent, mine.recent_count = (
            blend_looks(mine.recent, looks, share),
            mine.recent_count + 1,
        )
        if mine.recent_count >= _FRESH_LOOKS and mine.mixed_with:
            self._weigh(body, at_s)

    def _learns(self, mine: _Body) -> bool:
        """Whether a body's looks are its label's: as surely, at least, as those known so far."""
        if mine.mixed_with:
            return False
        known = self._known.get(mine.label)
        belief = mine.belief.get(mine.label, 0.0)
        return known is None or belief >= min(_LEARNS_FROM, known.belief.get(mine.label, 0.0))

    def _weigh(self, body: int, at_s: float) -> None:
        """Let looks speak once for all bodies that mixed since they last did.

        Whoever was not seen alone yet is spoken of by the others' looks alone, and has their own
        word later.
        """
        involved = self._involved(body)
        bodies = [self._bodies.get(each) or self._gone[each] for each in involved]
        names = sorted({name for each in bodies for name in each.belief})
        beliefs = np.array([[each.belief.get(name, 0.0) for name in names] for each in bodies])
        fits = np.array([[self._fit(each, name) for name in names] for each in bodies])
        # Looks tell whose looks a body has. A doubt from when they were learned is not theirs to
        # settle: it is taken out before and is there again afterwards.
        learned = self._as_learned(names)
        looked = np.clip(beliefs @ np.linalg.pinv(learned), 1e-9, None)
        looked /= looked.sum(axis=1, keepdims=True)
        sharpened = _scaled(looked * np.exp(fits), looked.sum(axis=0)) @ learned
        for row, mine in zip(sharpened, bodies, strict=True):
            mine.belief = {n: float(p) for n, p in zip(names, row, strict=True) if p > 1e-6}
            mine.mixed_at_s = {n: mine.mixed_at_s.get(n, at_s) for n in mine.belief}
            if mine.recent_count >= _FRESH_LOOKS:
                mine.mixed_with.clear()
                mine.recent, mine.recent_count = {}, 0
        self._relabel([each for each in involved if each in self._bodies])

    def _as_learned(self, names: Sequence[str]) -> np.ndarray:
        """How likely the looks known of an identity, a row each, are another's, a column each."""
        learned = np.eye(len(names))
        for row, name in enumerate(names):
            if name in self._known:
                belief = self._known[name].belief
                learned[row] = [belief.get(other, 0.0) for other in names]
                learned[row] /= max(float(learned[row].sum()), 1e-9)
        return learned

    def _fit(self, mine: _Body, name: str) -> float:
        """Log of how much likelier a body's looks are if it is somebody than if it is another."""
        if mine.recent_count < _FRESH_LOOKS:
            return 0.0
        distance = look_distance(mine.recent, self.looks_of(name))
        if distance is None:
            return 0.0
        told = _PER_DISTANCE * (_AS_LIKELY_AT - distance)
        return max(-_MOST_EVIDENCE, min(told, _MOST_EVIDENCE))

    def _involved(self, body: int) -> list[int]:
        found, queue = [body], [body]
        while queue:
            body = queue.pop()
            for partner in sorted((self._bodies.get(body) or self._gone[body]).mixed_with):
                if partner not in found and (partner in self._bodies or partner in self._gone):
                    found.append(partner)
                    queue.append(partner)
        return found

    def _relabel(self, involved: Sequence[int]) -> None:
        """Hand the labels of these bodies out again, to the likeliest joint choice of owners."""
        labels = [self._bodies[each].label for each in involved]
        beliefs = np.array(
            [[self._bodies[each].belief.get(name, 0.0) for name in labels] for each in involved]
        )
        # Where nothing speaks for a change, everybody keeps theirs.
        costs = -np.log(np.maximum(beliefs, 1e-9)) - 1e-3 * np.eye(len(labels))
        for row, column in assign(costs, 1e3).items():
            self._bodies[involved[row]].label = labels[column]


def _stamps(
    mine: _Body, partner: _Body, mixed: Mapping[str, tuple[float, float]], at_s: float
) -> dict[str, float]:
    """When each identity that a body may have came near enough to be taken for it.

    What comes over from a partner who goes by another identity came to the partner before; it is
    as old as it was there.
    """
    stamps = {}
    for name, shares in mixed.items():
        if name in (mine.label, partner.label):
            stamps[name] = at_s
            continue
        told = [
            body.mixed_at_s[name]
            for body, share in zip((mine, partner), shares, strict=True)
            if share > 0 and name in body.mixed_at_s
        ]
        stamps[name] = max(told, default=at_s)
    return stamps


def _scaled(weights: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Sinkhorn scaling: rows sum to 1, columns to what their identity had among these bodies."""
    scaled = np.maximum(weights, 1e-12)
    for _ in range(50):
        scaled = scaled / scaled.sum(axis=1, keepdims=True)
        columns = scaled.sum(axis=0)
        scaled = scaled * np.where(columns > 0, masses / columns, 0.0)
        if math.isclose(float(np.abs(scaled.sum(axis=1) - 1).max()), 0.0, abs_tol=1e-6):
            break
    result: np.ndarray = scaled / scaled.sum(axis=1, keepdims=True)
    return result
