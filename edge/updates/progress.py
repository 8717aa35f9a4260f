"""How far an update of a category is, what follows what, and what a signed plan asks for. Pure.

::

    idle -> noticed -> fetching -> verifying -> building -> self_testing -> shadowing
         -> waiting_to_swap -> swapping -> watching -> done
    up to swapping: -> quarantined        swapping, watching: -> rolled_back

A state is written down before its work begins, so work that was interrupted is begun anew; every
step may be done twice. A trial is one child process and begins anew as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from models.delivery import FailureKind, RolloutPlan, State, attempt, wanted_release

NEXT: Final[Mapping[State, State]] = {
    "noticed": "fetching",
    "fetching": "verifying",
    "verifying": "building",
    "building": "self_testing",
    "self_testing": "shadowing",
    "shadowing": "waiting_to_swap",
    "waiting_to_swap": "swapping",
    "swapping": "watching",
    "watching": "done",
}
TRIAL: Final[frozenset[State]] = frozenset({"verifying", "building", "self_testing", "shadowing"})
RESTING: Final[frozenset[State]] = frozenset({"idle", "done", "rolled_back", "quarantined"})


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Counts(_Closed):
    """What became of recognitions.

    Attributes:
        accepts: Decided to accept.
        reviews: Decided to ask a person.
        rejects: Decided to reject.
        errors: Failed.
    """

    accepts: int = Field(default=0, ge=0)
    reviews: int = Field(default=0, ge=0)
    rejects: int = Field(default=0, ge=0)
    errors: int = Field(default=0, ge=0)

    @property
    def decisions(self) -> int:
        """All that did not fail."""
        return self.accepts + self.reviews + self.rejects

    def plus(self, other: Counts, sign: int = 1) -> Counts:
        """Sum, or with ``sign`` -1 the difference."""
        return Counts(
            accepts=self.accepts + sign * other.accepts,
            reviews=self.reviews + sign * other.reviews,
            rejects=self.rejects + sign * other.rejects,
            errors=self.errors + sign * other.errors,
        )


class Quarantine(_Closed):
    """Why a release is not tried again.

    Attributes:
        kind: What failed.
        reason: For people.
        failures: How often.
        attempt: The plan's number of the attempt that failed; a greater one tries again.
        at_s: When, seconds since 1970.
    """

    kind: FailureKind
    reason: str
    failures: int = Field(ge=1)
    attempt: int = Field(ge=0)
    at_s: float


class Progress(_Closed):
    """How far a category is.

    Attributes:
        state: What is being done.
        target: The release it is done for.
        attempt: The plan's number of this attempt.
        urgent: What serves must not: nothing is waited for, and it is no measure of its successor.
        percent: How far the state is.
        reason: Why it is there, for people.
        failures: In a row, of things that may pass.
        starts: Of the device since the swap that have not yet gone well.
        watched_s: How long the release was watched so far.
        swapped_at_s: When what serves began to, seconds since 1970.
        proved: Whether what serves has been watched to the end.
        before: Recognitions of what served before.
        since: Recognitions since the swap.
    """

    state: State = "idle"
    target: int | None = None
    attempt: int = 0
    urgent: bool = False
    percent: float = Field(default=0.0, ge=0, le=100)
    reason: str = ""
    failures: int = Field(default=0, ge=0)
    starts: int = Field(default=0, ge=0)
    watched_s: float = Field(default=0.0, ge=0)
    swapped_at_s: float | None = None
    proved: bool = True
    before: Counts = Counts()
    since: Counts = Counts()

    def to(self, state: State, reason: str, percent: float = 0.0) -> Progress:
        """The same update in another state."""
        return self.model_copy(
            update={"state": state, "reason": reason, "percent": percent, "failures": 0}
        )

    def because(self, reason: str, percent: float | None = None) -> Progress:
        """The same state for another reason."""
        shown = self.percent if percent is None else percent
        return self.model_copy(update={"reason": reason, "percent": shown})

    def failed_once_more(self, reason: str) -> Progress:
        """The same state after a failure that may pass."""
        return self.model_copy(update={"reason": reason, "failures": self.failures + 1})

    def begin(self, target: int, number: int, urgent: bool, reason: str) -> Progress:
        """An update to ``target``; what serves goes on being counted."""
        return self.model_copy(
            update={
                "state": "noticed",
                "target": target,
                "attempt": number,
                "urgent": urgent,
                "percent": 0.0,
                "reason": reason,
                "failures": 0,
            }
        )

    def settled(self) -> Progress:
        """The same, and what serves has proved itself, or is what served before."""
        return self.model_copy(update={"proved": True, "starts": 0, "urgent": False})

    def swapped(self, at_s: float, reason: str) -> Progress:
        """The target serves from now on, and is watched."""
        return self.to("watching", reason).model_copy(
            update={
                "swapped_at_s": at_s,
                "before": self.since,
                "since": Counts(),
                "starts": 0,
                "watched_s": 0.0,
                "proved": False,
            }
        )


@dataclass(frozen=True)
class Wish:
    """What a plan asks of this device now.

    Attributes:
        release: Where to go; ``None`` to stay.
        attempt: Number of the attempt.
        urgent: Whether what serves must not.
        reason: For people.
    """

    release: int | None
    attempt: int
    urgent: bool
    reason: str


def wish(
    plan: RolloutPlan,
    device_id: str,
    serving: int | None,
    quarantined: Mapping[int, Quarantine],
    floor: int,
) -> Wish:
    """What a plan asks of this device.

    Args:
        plan: The plan, believed.
        device_id: This device.
        serving: The release that serves; ``None`` for a bundle that came with the configuration.
        quarantined: Releases that failed here.
        floor: No release below it is taken, whatever this plan says.
    """
    number = attempt(plan, device_id)
    floor = max(floor, plan.floor)
    urgent = serving is not None and (serving in plan.withdrawn or serving < floor)
    obstacles: list[str] = []
    for release in dict.fromkeys((wanted_release(plan, device_id, serving), plan.stable)):
        if release == serving and not urgent:
            held = f"; {'; '.join(obstacles)}" if obstacles else ""
            return Wish(None, number, False, f"release {release} serves, as planned{held}")
        failed = quarantined.get(release)
        if release < floor:
            obstacles.append(f"release {release} is below the floor {floor}")
        elif release in plan.withdrawn:
            obstacles.append(f"release {release} is withdrawn")
        elif failed is not None and number <= failed.attempt:
            obstacles.append(f"release {release} is in quarantine: {failed.reason}")
        else:
            why = f"release {serving} must not run any more" if urgent else "the plan asks for it"
            return Wish(release, number, urgent, f"release {release} is wanted: {why}")
    return Wish(None, number, urgent, f"nothing to go to: {'; '.join(obstacles)}")


def next_previous(serving: int | None, previous: int | None, progress: Progress) -> int | None:
    """What a swap to the target leaves to roll back to.

    Args:
        serving: What serves before the swap; ``None`` is the bundle of the configuration.
        previous: What that would have been rolled back to.
        progress: Of the update.

    Returns:
        What served, unless it must not or has not proved itself: then what it had replaced.
    """
    kept = serving if progress.proved and not progress.urgent else previous
    return None if kept == progress.target else kept
