"""How a rollout goes, from what devices last said: verdicts, shares, and whether gates hold. Pure.

A verdict is about one device and the release being rolled out. Nobody is healthy by silence: a
device that has not been heard for long is ``unknown``, also when it was well the last time. A
failure stays a failure in silence.

Decision shares are compared between the release and the one before it, over all devices. The
difference of two proportions gets a one-sided lower confidence bound (Wald's interval with one
success and one failure added to each group: Agresti and Caffo, "Simple and effective confidence
intervals for proportions", The American Statistician 54, 2000), with counts divided by a design
effect because decisions of one shop resemble each other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cloud_trainer.fleet.devices import DecisionCounts, HeardDevice
from cloud_trainer.rollout.course import ANY_KIND, DecisionGate, FailureGate
from models.delivery import CategoryStatus, FailureKind

Verdict = Literal["waiting", "under_way", "succeeded", "failed", "unknown"]

_AT_REST = frozenset({"idle", "done", "rolled_back", "quarantined"})


def failures_of(agent: CategoryStatus | None, release: int) -> int:
    """How often a release failed on a device, as far as it is in quarantine there."""
    if agent is None:
        return 0
    return next((each.failures for each in agent.quarantined if each.release == release), 0)


def verdict_on(
    device: HeardDevice | None,
    category: str,
    release: int,
    *,
    attempt: int,
    now: datetime,
    silent_after_s: float,
) -> Verdict:
    """How it stands with a release on a device that is to run it.

    Args:
        device: What is known of it; ``None`` where it was never heard.
        category: The category.
        release: The release.
        attempt: The attempt that the plan asks of it; an older failure does not count any more.
        now: The cloud's time.
        silent_after_s: See ``course.Gates``.
    """
    if device is None:
        return "unknown"
    agent = device.agent(category)
    if failures_of(agent, release) > 0 and failures_of(agent, release) >= attempt:
        return "failed"
    if device.is_silent(now, silent_after_s):
        return "unknown"
    if agent is None:
        return "waiting"
    if agent.serving_release == release:
        return "succeeded" if agent.state in _AT_REST else "under_way"
    return "under_way" if agent.target_release == release else "waiting"


@dataclass(frozen=True)
class Standing:
    """The devices of a step, by verdict.

    Attributes:
        verdicts: Device and verdict, sorted by device.
        failure_kinds: Kind of failure of those that failed, ``None`` where they told none.
    """

    verdicts: tuple[tuple[str, Verdict], ...]
    failure_kinds: tuple[tuple[str, FailureKind | None], ...] = ()

    def devices(self, *verdicts: Verdict) -> tuple[str, ...]:
        """Devices with one of the verdicts, sorted."""
        return tuple(name for name, verdict in self.verdicts if verdict in verdicts)

    def count(self, *verdicts: Verdict) -> int:
        """How many devices have one of the verdicts."""
        return len(self.devices(*verdicts))

    @property
    def failed_percent(self) -> float:
        """Share of failed ones of the devices whose update has ended."""
        return _percent(self.count("failed"), self.count("failed", "succeeded"))

    @property
    def unknown_percent(self) -> float:
        """Share of unknown ones of all."""
        return _percent(self.count("unknown"), len(self.verdicts))

    @property
    def succeeded_percent(self) -> float:
        """Share of succeeded ones of the devices that are known."""
        return _percent(self.count("succeeded"), len(self.verdicts) - self.count("unknown"))

    def without(self, devices: Iterable[str]) -> Standing:
        """The same without some devices."""
        gone = frozenset(devices)
        return Standing(
            tuple(each for each in self.verdicts if each[0] not in gone),
            tuple(each for each in self.failure_kinds if each[0] not in gone),
        )


def tripped_gate(
    standing: Standing, gates: Sequence[FailureGate]
) -> tuple[FailureGate, str] | None:
    """The first gate that failures have tripped, those that abort before those that pause.

    Returns:
        The gate, and the reason in words; ``None`` while all hold.
    """
    ended = standing.count("failed", "succeeded")
    kinds = Counter(kind for _, kind in standing.failure_kinds)
    for gate in sorted(gates, key=lambda gate: gate.action):
        failed = standing.count("failed") if gate.kind == ANY_KIND else kinds[gate.kind]
        share = _percent(failed, ended)
        if failed >= gate.min_failed and share > gate.max_percent:
            sort = "" if gate.kind == ANY_KIND else f" in {gate.kind.replace('_', ' ')}"
            return gate, (
                f"{failed} of {ended} devices failed{sort} ({share:.1f} %; "
                f"{gate.max_percent:g} % and {gate.min_failed - 1} are borne)"
            )
    return None


def worse_decisions(
    before: DecisionCounts, after: DecisionCounts, gate: DecisionGate
) -> str | None:
    """Whether a release decides worse than the one before it.

    Fewer accepted, more reviewed or more rejected is worse.

    Returns:
        In words what is worse; ``None`` where nothing is, or too few decisions are known.
    """
    if min(before.total, after.total) < gate.min_decisions:
        return None
    for word, old, new, sign in (
        ("accepted", before.accepts, after.accepts, -1),
        ("reviewed", before.reviews, after.reviews, 1),
        ("rejected", before.rejects, after.rejects, 1),
    ):
        if worse_by(old, before.total, new, after.total, sign, gate):
            return (
                f"{_percent(new, after.total):.1f} % are {word} instead of "
                f"{_percent(old, before.total):.1f} % ({after.total} decisions against "
                f"{before.total}; {gate.margin_points:g} points are borne)"
            )
    return None


def worse_by(old: int, of_old: int, new: int, of_new: int, sign: int, gate: DecisionGate) -> bool:
    """Whether a share has moved for the worse by more than the margin, and not by chance.

    Args:
        old: Decisions of the kind before.
        of_old: All decisions before.
        new: Decisions of the kind now.
        of_new: All decisions now.
        sign: 1 where a greater share is worse, -1 where a smaller one is.
        gate: Margin, confidence and design effect.
    """
    moved_points = 100.0 * sign * (new / of_new - old / of_old)
    effective_old, effective_new = of_old / gate.design_effect, of_new / gate.design_effect
    share_old = (old / gate.design_effect + 1.0) / (effective_old + 2.0)
    share_new = (new / gate.design_effect + 1.0) / (effective_new + 2.0)
    deviation = math.sqrt(
        share_old * (1.0 - share_old) / (effective_old + 2.0)
        + share_new * (1.0 - share_new) / (effective_new + 2.0)
    )
    bound = sign * (share_new - share_old) - gate.z * deviation
    return moved_points > gate.margin_points and bound > 0.0


def _percent(part: int, whole: int) -> float:
    return 100.0 * part / whole if whole else 0.0
