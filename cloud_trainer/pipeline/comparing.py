"""Whether a bundle may replace the serving one: the same queries put to both. Pure.

*The comparison is paired.* Both bundles see the same photos and the same human-verified events, so
only those count on which they differ, as in McNemar's test (Psychometrika 12, 1947). Queries of one
product in one shop resemble each other; so the variance of the difference is taken over groups of
them, as Obuchowski extends that test to clustered data ("On the comparison of correlated
proportions for clustered data", Statistics in Medicine 17, 1998), and counts are divided by the
design effect that this shows. The bound itself is Agresti and Min's ("Simple improved confidence
intervals for comparing matched proportions", Statistics in Medicine 24, 2005): Wald's, with half a
query added to each of the four cells, which keeps a small sample from certifying anything.

*The rule* (``may_replace``): a retrained bundle is better, with confidence, on what it was trained
for, and nowhere worse by more than a margin, with confidence. What cannot be shown does not go out.
An enrolment under the same network changes little and is stopped where harm is shown instead
(``may_enrol``). What a new product takes, it takes from one or two others, so there every query
counts by itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from cloud_trainer.pipeline.settings import ComparisonRule

TrainedFor = Literal["events", "photos"]


@dataclass(frozen=True)
class Sight:
    """What a bundle made of one query.

    Attributes:
        group: Queries of one group resemble each other, such as those of a product in a shop.
        right: The nearest product is the right one; for an unknown object: it was not accepted.
        settled: It was accepted rightly, without a person.
        wrong: It was accepted as something that it is not.
    """

    group: str
    right: bool
    settled: bool
    wrong: bool


@dataclass(frozen=True)
class Difference:
    """How a share differs between two bundles on the same queries, the new one's minus the old.

    Attributes:
        queries: How many.
        groups: In how many groups.
        before: Those that the old bundle has.
        after: Those that the new one has.
        gained: Those that only the new one has.
        lost: Those that only the old one has.
        design_effect: By how much groups shrink the number of independent queries.
        low_points: Lower bound of the difference in percentage points, one-sided.
        high_points: Upper bound, one-sided.
    """

    queries: int
    groups: int
    before: int
    after: int
    gained: int
    lost: int
    design_effect: float
    low_points: float
    high_points: float

    @property
    def points(self) -> float:
        """The difference as counted, in percentage points."""
        return 100 * (self.after - self.before) / self.queries if self.queries else 0.0

    def words(self) -> str:
        """It in a few words."""
        return (
            f"{self.before} -> {self.after} of {self.queries} ({self.points:+.1f} points, "
            f"between {self.low_points:+.1f} and {self.high_points:+.1f})"
        )


@dataclass(frozen=True)
class Compared:
    """Two bundles on the same queries of one kind.

    Attributes:
        right: Queries whose nearest product is right.
        settled: Queries accepted rightly.
        wrong: Queries accepted wrongly.
    """

    right: Difference
    settled: Difference
    wrong: Difference

    @property
    def queries(self) -> int:
        """How many queries."""
        return self.right.queries


@dataclass(frozen=True)
class Verdict:
    """Whether a bundle may go out, and why.

    Attributes:
        passes: Whether it may.
        reasons: What was looked at, one line each, for people.
    """

    passes: bool
    reasons: tuple[str, ...]


def difference(
    groups: Sequence[str], before: Sequence[bool], after: Sequence[bool], confidence: float
) -> Difference:
    """Compare two shares on the same queries.

    Args:
        groups: Group of each query.
        before: Whether the old bundle has each.
        after: Whether the new one has.
        confidence: One-sided, of each bound.
    """
    count = len(groups)
    gained = sum(new and not old for old, new in zip(before, after, strict=True))
    lost = sum(old and not new for old, new in zip(before, after, strict=True))
    changes: dict[str, list[int]] = {}
    for group, old, new in zip(groups, before, after, strict=True):
        changes.setdefault(group, []).append(int(new) - int(old))
    effect = _design_effect(tuple(changes.values()))
    low, high = _bounds(count / effect, gained / effect, lost / effect, confidence)
    return Difference(
        queries=count,
        groups=len(changes),
        before=sum(before),
        after=sum(after),
        gained=gained,
        lost=lost,
        design_effect=effect,
        low_points=100 * low,
        high_points=100 * high,
    )


def compare(
    groups: Sequence[str], before: Sequence[Sight], after: Sequence[Sight], confidence: float
) -> Compared:
    """Compare what two bundles made of the same queries, in the same order.

    Args:
        groups: Group of each query.
        before: Of the serving bundle.
        after: Of the one to come.
        confidence: One-sided, of each bound.
    """

    def of(pick: str) -> Difference:
        return difference(
            groups,
            [bool(getattr(sight, pick)) for sight in before],
            [bool(getattr(sight, pick)) for sight in after],
            confidence,
        )

    return Compared(of("right"), of("settled"), of("wrong"))


def error_bound(groups: Sequence[str], wrong: Sequence[bool], confidence: float) -> float:
    """Lower bound of a share of wrong queries, 0 to 1, one-sided.

    The share against none at all: the same bound as between two bundles, of which one is perfect.
    """
    if not wrong:
        return 0.0
    found = difference(groups, [False] * len(wrong), wrong, confidence)
    return max(0.0, found.low_points / 100)


def may_replace(
    photos: Compared | None,
    events: Compared | None,
    trained_for: TrainedFor,
    rule: ComparisonRule,
) -> Verdict:
    """Whether a retrained bundle may replace the serving one.

    Args:
        photos: Both on held-out photos; ``None`` where there are too few to compare on.
        events: Both on human-verified events that neither learned from.
        trained_for: What it has to be better on.
        rule: By how much it may be worse elsewhere.
    """
    found: list[tuple[bool, str]] = []
    for name, compared, margin_points in (
        ("photos", photos, rule.photos_margin_points),
        ("events", events, rule.events_margin_points),
    ):
        what = _WORDS[name]
        if compared is None:
            needed = name == trained_for
            words = "it was trained for these" if needed else "nothing is said of these"
            found.append((not needed, f"{what}: fewer than {rule.least_queries}; {words}"))
            continue
        right = compared.right
        if name == trained_for:
            better = right.low_points > 0
            found.append((better, f"{what} must be better: {right.words()}"))
        else:
            kept = right.low_points > -margin_points
            limit = f"{what} may lose {margin_points:g} points"
            found.append((kept, f"{limit}: {right.words()}"))
        found.append(
            (
                compared.wrong.high_points < rule.wrong_margin_points,
                f"{what}, accepted wrongly, may gain {rule.wrong_margin_points:g} points: "
                f"{compared.wrong.words()}",
            )
        )
        found.append(
            (
                compared.settled.points >= -rule.settled_margin_points,
                f"{what}, settled without a person, may lose {rule.settled_margin_points:g} "
                f"points: {compared.settled.words()}",
            )
        )
    return _verdict(found)


def may_enrol(
    photos: Compared | None,
    events: Compared | None,
    own: Mapping[str, tuple[int, int]],
    rule: ComparisonRule,
) -> Verdict:
    """Whether a bundle with other vectors under the same network may replace the serving one.

    Args:
        photos: Both on held-out photos of products that both have.
        events: Both on human-verified events of such products.
        own: By enrolled SKU: photos recognised by its other photos, of how many.
        rule: How much harm is borne.
    """
    found: list[tuple[bool, str]] = []
    for name, compared in (("photos", photos), ("events", events)):
        if compared is None:
            found.append((True, f"{_WORDS[name]}: fewer than {rule.least_queries}, not compared"))
            continue
        right = compared.right
        harmed = -right.points > rule.enrolment_margin_points and right.high_points < 0
        limit = f"other products' {_WORDS[name]} may lose {rule.enrolment_margin_points:g} points"
        found.append((not harmed, f"{limit}: {right.words()}"))
    strange = strangers(own, rule)
    if strange:
        words = ", ".join(f"{sku} {own[sku][0]} of {own[sku][1]}" for sku in strange)
        found.append((False, f"photos of a product must know each other: {words}"))
    return _verdict(found)


def strangers(own: Mapping[str, tuple[int, int]], rule: ComparisonRule) -> tuple[str, ...]:
    """Enrolled SKUs whose own photos are not recognised by each other."""
    return tuple(
        sku
        for sku, (right, of) in sorted(own.items())
        if of and 100 * right < rule.least_own_percent * of
    )


_WORDS: Mapping[str, str] = {"photos": "held-out photos", "events": "human-verified events"}


def _verdict(found: Sequence[tuple[bool, str]]) -> Verdict:
    return Verdict(
        all(good for good, _ in found),
        tuple(f"{'held' if good else 'NOT HELD'}: {words}" for good, words in found),
    )


def _design_effect(changes: Sequence[Sequence[int]]) -> float:
    """Variance of the mean change over groups, as a multiple of what independent queries have."""
    count = sum(map(len, changes))
    if len(changes) < 2:
        return float(max(count, 1))  # one group says as much as one query
    mean = sum(map(sum, changes)) / count
    scatter = sum((change - mean) ** 2 for group in changes for change in group)
    if scatter == 0:
        return 1.0
    between = sum((sum(group) - mean * len(group)) ** 2 for group in changes)
    of_groups = len(changes) / (len(changes) - 1) * between / count**2
    return max(1.0, of_groups / (scatter / (count * (count - 1))))


def _bounds(count: float, gained: float, lost: float, confidence: float) -> tuple[float, float]:
    count, gained, lost = count + 2, gained + 0.5, lost + 0.5
    mean = (gained - lost) / count
    spread = math.sqrt(max(gained + lost - (gained - lost) ** 2 / count, 0.0)) / count
    reach = NormalDist().inv_cdf(confidence) * spread
    return max(mean - reach, -1.0), min(mean + reach, 1.0)
