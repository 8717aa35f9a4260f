"""What the pipeline does next about a category, and why. Pure: a situation in, the next step out.

Two runs of a category may be under way at a time: one enrols what was approved, one trains. Only
one of them is on its way out (from its step ``enrol`` on): a training takes an hour and must not
keep a product from the shops, but what goes out is built on what every device may run, so the
second one waits for the first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from cloud_trainer.pipeline.seams import RunKind, RunProgress, StepName
from cloud_trainer.pipeline.settings import Bounds

UNFINISHED_ROLLOUT = frozenset({"rolling", "paused", "taking_back"})

BY_ERROR = "error"
"""What the reason of a training begins with where measured error is the reason."""

_BEFORE_GOING_OUT = frozenset({"gather", "train"})
_SHOWN = 5  # names in a sentence


@dataclass(frozen=True)
class Serving:
    """What every device may run.

    Attributes:
        release: The release.
        version: Version of its bundle.
        skus: Its products.
        enrolled: Those of them that no training has seen.
        editions: By SKU, what is known of the photos behind its vectors.
        relabelled: SKUs whose name, price or other fields were changed since.
    """

    release: int
    version: str
    skus: frozenset[str]
    enrolled: frozenset[str]
    editions: Mapping[str, str]
    relabelled: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Verified:
    """How the serving bundle does on events that people have verified and it did not learn from.

    Attributes:
        events: How many.
        wrong: How many it gets wrong.
        bound: Lower confidence bound of the share, 0 to 1.
        learnable: Wrong ones that are approved to learn from.
    """

    events: int = 0
    wrong: int = 0
    bound: float = 0.0
    learnable: int = 0


@dataclass(frozen=True)
class RolloutStanding:
    """How the latest rollout of the category stands.

    Attributes:
        release: The release.
        status: As in ``cloud_trainer.rollout.state``.
        reason: Why.
    """

    release: int
    status: str
    reason: str

    @property
    def is_unfinished(self) -> bool:
        """Whether no other may begin."""
        return self.status in UNFINISHED_ROLLOUT


@dataclass(frozen=True)
class Situation:
    """Everything that the next step depends on.

    Attributes:
        category: The category.
        now: The time.
        serving: What every device may run; ``None`` before the first release.
        approved: Editions of approved products by SKU.
        withdrawn: SKUs that must not be recognised any more.
        refused: Editions that cannot be enrolled, as (SKU, edition).
        verified: How the serving bundle does on verified events.
        crops_approved: Approved events in all that may be learned from.
        crops_waiting: Events that wait for approval.
        enrol_run: The latest run that enrols.
        train_run: The latest run that trains.
        rollout: The latest rollout.
    """

    category: str
    now: datetime
    serving: Serving | None = None
    approved: Mapping[str, str] = field(default_factory=dict)
    withdrawn: frozenset[str] = frozenset()
    refused: Collection[tuple[str, str]] = frozenset()
    verified: Verified = Verified()
    crops_approved: int = 0
    crops_waiting: int = 0
    enrol_run: RunProgress | None = None
    train_run: RunProgress | None = None
    rollout: RolloutStanding | None = None

    @property
    def to_enrol(self) -> tuple[str, ...]:
        """Approved SKUs whose edition is not served and not refused."""
        served = self.serving.editions if self.serving else {}
        return tuple(
            sku
            for sku, edition in sorted(self.approved.items())
            if served.get(sku) != edition and (sku, edition) not in self.refused
        )

    @property
    def to_withdraw(self) -> tuple[str, ...]:
        """Withdrawn SKUs that are served."""
        return tuple(sorted(self.withdrawn & self.serving.skus)) if self.serving else ()

    @property
    def to_relabel(self) -> tuple[str, ...]:
        """SKUs whose fields alone are to change."""
        changed = self.serving.relabelled if self.serving else frozenset()
        return tuple(sorted(changed - set(self.to_enrol)))


@dataclass(frozen=True)
class Next:
    """What is next for one of a category's two runs.

    Attributes:
        kind: ``wait``; ``begin`` a run; do a ``step`` of the one under way; go ``back`` to its
            step ``enrol`` because something else is served by now; ``stop`` it.
        run: Which of the two.
        reason: Why, for people.
        step: With ``step``: which.
        subject: With ``begin``: what it is about.
    """

    kind: Literal["wait", "begin", "step", "back", "stop"]
    run: RunKind
    reason: str
    step: StepName | None = None
    subject: str = ""


def next_steps(situation: Situation, bounds: Bounds) -> tuple[Next, Next]:
    """What is next: first for the run that enrols, then for the one that trains."""
    train = _training(situation, bounds)
    if train.kind in ("step", "back", "stop") and _goes_out(situation.train_run):
        train = _out(situation, situation.train_run, "train", situation.enrol_run)
    return _enrolment(situation), train


def is_on_its_way_out(run: RunProgress | None) -> bool:
    """Whether a run has begun to make what devices will get."""
    if run is None or run.status != "under_way":
        return False
    step = run.current
    if step is None or step.name in _BEFORE_GOING_OUT:
        return False
    return step.name != "enrol" or step.attempts > 0


def listed(names: Sequence[str]) -> str:
    """Names in a sentence, not all of many."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _goes_out(run: RunProgress | None) -> bool:
    step = run.current if run else None
    return step is not None and step.name not in _BEFORE_GOING_OUT


def _enrolment(situation: Situation) -> Next:
    run = situation.enrol_run
    if run is not None and run.status == "under_way":
        return _out(situation, run, "enrol", situation.train_run)
    if situation.serving is None:
        return Next("wait", "enrol", "no bundle serves yet that products could be enrolled into")
    wanted = _wanted(situation)
    if not wanted:
        return Next("wait", "enrol", "everything approved is served")
    reason = "; ".join(wanted)
    subject = _checksum(
        *(f"{sku}={situation.approved[sku]}" for sku in situation.to_enrol),
        *(f"-{sku}" for sku in situation.to_withdraw),
        *(f"~{sku}" for sku in situation.to_relabel),
    )
    if run is not None and run.subject == subject:
        return Next("wait", "enrol", f"{reason}: {_before(run)}")
    return Next("begin", "enrol", reason, subject=subject)


def _wanted(situation: Situation) -> list[str]:
    return [
        f"{listed(skus)} {'is' if len(skus) == 1 else 'are'} {what}"
        for skus, what in (
            (situation.to_enrol, "approved and not yet served"),
            (situation.to_withdraw, "withdrawn and still served"),
            (situation.to_relabel, "described anew"),
        )
        if skus
    ]


def _before(run: RunProgress) -> str:
    if run.status == "done":
        word = f"release {run.release} had just this and was taken back"
    else:
        word = f"run {run.number} was about just this and {run.status}: {run.outcome}"
    return f"{word}; hand in other photos, or have it tried again"


def _training(situation: Situation, bounds: Bounds) -> Next:
    run = situation.train_run
    if run is not None and run.status == "under_way":
        step = run.current
        if step is None:
            return Next("stop", "train", "all of its steps are done")
        if pause := _pause(situation, run):
            return Next("wait", "train", pause)
        return Next("step", "train", step.reason or run.reason, step=step.name)
    reason = _reason_to_train(situation, bounds)
    if reason is None:
        return Next("wait", "train", _calm(situation, bounds))
    if obstacle := _obstacle(situation, bounds):
        return Next("wait", "train", f"{reason}, but {obstacle}")
    events = situation.crops_approved
    subject = _checksum(reason, str(events), *map("=".join, sorted(situation.approved.items())))
    return Next("begin", "train", reason, subject=subject)


def _reason_to_train(situation: Situation, bounds: Bounds) -> str | None:
    serving, verified = situation.serving, situation.verified
    if serving is None:
        return "no bundle serves yet" if situation.approved else None
    limit = bounds.verified_error_percent
    if verified.events >= bounds.least_events and 100 * verified.bound > limit:
        return (
            f"{BY_ERROR}: {verified.wrong} of {verified.events} human-verified events are wrong, "
            f"{100 * verified.bound:.1f} % at the least; {limit:g} % are borne"
        )
    share = 100 * len(serving.enrolled) / max(len(serving.skus), 1)
    if share > bounds.enrolled_percent and len(serving.enrolled) >= bounds.least_enrolled:
        return (
            f"enrolled: {len(serving.enrolled)} of {len(serving.skus)} products were never in a "
            f"training, {share:.0f} %; {bounds.enrolled_percent:g} % are borne"
        )
    return None


def _calm(situation: Situation, bounds: Bounds) -> str:
    serving, verified = situation.serving, situation.verified
    if serving is None:
        return "nothing is approved"
    if verified.events < bounds.least_events:
        seen = f"{verified.events} verified events, {bounds.least_events} are needed to judge"
    else:
        seen = (
            f"{verified.wrong} of {verified.events} verified events wrong, "
            f"{100 * verified.bound:.1f} % at the least"
        )
    return (
        f"within bounds: {seen} ({bounds.verified_error_percent:g} % are borne); "
        f"{len(serving.enrolled)} of {len(serving.skus)} products enrolled "
        f"({bounds.enrolled_percent:g} % are borne)"
    )


def _obstacle(situation: Situation, bounds: Bounds) -> str | None:
    """What keeps a training that there is reason for."""
    serving, run = situation.serving, situation.train_run
    if len(situation.approved) < 2:
        return "a training takes two products; approve more"
    if serving is not None:
        strange = sorted(serving.skus - set(situation.approved) - situation.withdrawn)
        if strange:
            return (
                f"photos of {listed(strange)} were never handed in, and a training would lose "
                "them; hand them in, or withdraw them"
            )
        by_error = 100 * situation.verified.bound > bounds.verified_error_percent
        learnable = situation.verified.learnable
        if by_error and learnable < bounds.least_crops:
            return (
                f"only {learnable} of the wrong ones are approved to learn from "
                f"({bounds.least_crops} are needed); {situation.crops_waiting} events wait for "
                "approval"
            )
    if run is None or run.ended_at is None:
        return None
    if run.status != "done" and serving is None:
        return None if run.subject == "" else f"run {run.number} {run.status}: {run.outcome}"
    until = run.ended_at + timedelta(seconds=bounds.rest_s)
    if situation.now < until:
        return f"run {run.number} has only just ended; not before {until:%Y-%m-%d %H:%M}"
    if run.status != "done" and run.subject:
        gathered = run.step("gather")
        learned = int(str(gathered.figures.get("events", 0))) if gathered else 0
        fresh = situation.crops_approved - learned
        if fresh < bounds.fresh_events:
            return (
                f"run {run.number} {run.status} ({run.outcome}), and only {max(fresh, 0)} events "
                f"were approved since ({bounds.fresh_events} are needed to try again)"
            )
    return None


def _out(
    situation: Situation, run: RunProgress | None, kind: RunKind, other: RunProgress | None
) -> Next:
    """What is next for a run on its way out."""
    step = run.current if run else None
    if run is None or step is None:
        return Next("stop", kind, "all of its steps are done")
    if pause := _pause(situation, run):
        return Next("wait", kind, pause)
    if not is_on_its_way_out(run) and other is not None:
        # Training made a network that new products are enrolled into as well: it goes first.
        first = is_on_its_way_out(other) or (kind == "enrol" and _is_trained(other))
        if first:
            return Next("wait", kind, f"run {other.number} is on its way out; this one follows")
    rollout = situation.rollout
    if rollout is not None and rollout.is_unfinished and rollout.release != run.release:
        return Next(
            "wait", kind, f"release {rollout.release} is {rollout.status.replace('_', ' ')}"
        )
    enrolled = run.step("enrol")
    base = enrolled.figures.get("base") if enrolled and enrolled.status == "done" else None
    serving = situation.serving.release if situation.serving else None
    if step.name in ("examine", "gate", "publish") and base != serving:
        return Next("back", kind, f"release {serving} serves by now, not {base}: built on that")
    return Next("step", kind, step.reason or run.reason, step=step.name)


def _is_trained(run: RunProgress) -> bool:
    return run.status == "under_way" and _goes_out(run)


def _pause(situation: Situation, run: RunProgress) -> str | None:
    step = run.current
    if step is None or step.not_before is None or step.not_before <= situation.now:
        return None
    return f"{step.name} failed ({step.reason}); tried again at {step.not_before:%H:%M:%S}"


def _checksum(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
