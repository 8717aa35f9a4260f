"""A rollout as it is written down, the plan that follows from it, what people may do to it. Pure.

The record is the wish, the signed plan is what devices see. ``plan_for`` says what the plan has to
be; whoever finds it different signs it. So a crash between writing and signing mends itself: the
next look finds the difference again.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, ValidationError

from cloud_trainer.errors import RolloutError
from cloud_trainer.rollout.course import Course, DeviceId
from models.bundle.manifest import first_complaint
from models.delivery import RolloutPlan
from models.delivery.wire import Closed

Status = Literal["rolling", "paused", "taking_back", "taken_back", "done", "superseded"]
PausedBy = Literal["person", "failures", "decisions", "successes"]

_UNFINISHED: frozenset[Status] = frozenset({"rolling", "paused"})


class Rollout(Closed):
    """A rollout.

    Attributes:
        category: The category.
        number: Counts the rollouts of the category from 1.
        release: The release that is rolled out.
        previous: The release that every device may run meanwhile, and goes back to.
        course: Steps, gates and pace.
        status: ``taking_back`` until no device that is heard serves the release any more;
            ``superseded`` where somebody signed another stable release meanwhile.
        step: Index of the step.
        percent: Share that the step has let in so far.
        step_began_at: When the step began.
        reason: Why it is as it is, for people.
        paused_by: What paused it.
        excused: Failed devices that a person has seen: gates do not count them again.
        decisions_accepted: A person has seen that it decides differently, and let it go on.
        retry: By device, the number of its attempt; see ``RolloutPlan.retry``.
        began_at: When it began.
    """

    category: str
    number: int = Field(ge=1)
    release: int = Field(ge=1)
    previous: int = Field(ge=1)
    course: Course
    status: Status = "rolling"
    step: int = Field(default=0, ge=0)
    percent: float = Field(default=0.0, ge=0.0, le=100.0)
    step_began_at: AwareDatetime
    reason: str = ""
    paused_by: PausedBy | None = None
    excused: tuple[DeviceId, ...] = ()
    decisions_accepted: bool = False
    retry: dict[DeviceId, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    began_at: AwareDatetime

    @property
    def is_unfinished(self) -> bool:
        """Whether it may still let devices in."""
        return self.status in _UNFINISHED

    def is_superseded(self, signed: RolloutPlan) -> bool:
        """Whether somebody else decided meanwhile what every device may run."""
        return self.is_unfinished and signed.stable != self.previous

    @property
    def salt(self) -> str:
        """Draws another order of devices for every rollout."""
        return f"{self.category}/{self.release}/{self.number}"

    @property
    def is_last_step(self) -> bool:
        """Whether no step follows."""
        return self.step == len(self.course.steps) - 1


def begin(
    plan: RolloutPlan, release: int, course: Course, *, number: int, now: datetime
) -> Rollout:
    """A new rollout on top of the plan that is signed now.

    Args:
        plan: The plan of the category.
        release: The release to roll out.
        course: Steps, gates and pace.
        number: Counts the rollouts of the category.
        now: The cloud's time.

    Raises:
        RolloutError: The plan does not allow it.
    """
    if release == plan.stable:
        raise RolloutError(
            f"every device may run release {release} of {plan.category} already; "
            "publish another one to roll out"
        )
    if release in plan.withdrawn:
        raise RolloutError(
            f"release {release} of {plan.category} is withdrawn; publish the bundle again, "
            "it gets a new number"
        )
    if release < plan.floor:
        raise RolloutError(
            f"release {release} of {plan.category} is below the floor {plan.floor}, devices refuse "
            "it; publish the bundle again, it gets a new number"
        )
    if plan.candidate is not None:
        raise RolloutError(
            f"release {plan.candidate} of {plan.category} is being rolled out; finish or abort that"
        )
    return Rollout(
        category=plan.category,
        number=number,
        release=release,
        previous=plan.stable,
        course=course,
        step_began_at=now,
        began_at=now,
        reason=f"step {course.steps[0].name} begins",
    )


def plan_for(rollout: Rollout, signed: RolloutPlan, now: datetime) -> RolloutPlan | None:
    """The plan that the category should have.

    Args:
        rollout: The latest rollout of the category.
        signed: Its plan now; what the rollout does not speak of (floor, other withdrawn releases)
            stays.
        now: The cloud's time.

    Returns:
        The plan to sign; ``None`` where the signed one says so already.

    Raises:
        RolloutError: No such plan may be signed, as where both releases are withdrawn.
    """
    wanted = signed.model_copy(update=_orders(rollout, signed))
    if wanted == signed:
        return None
    document = wanted.model_dump() | {"serial": signed.serial + 1, "issued_at": now}
    try:
        return RolloutPlan.model_validate(document)
    except ValidationError as err:
        raise RolloutError(
            f"{_title(rollout)} cannot become a plan: {first_complaint(err)}; publish a release "
            "that may run to everybody, which makes it the stable one"
        ) from err


def paused(rollout: Rollout, by: PausedBy, reason: str) -> Rollout:
    """The rollout with no further device let in.

    Raises:
        RolloutError: It is not under way.
    """
    if rollout.status != "rolling":
        raise RolloutError(f"{_title(rollout)} is {_word(rollout)}; there is nothing to pause")
    return rollout.model_copy(update={"status": "paused", "paused_by": by, "reason": reason})


def resumed(
    rollout: Rollout, failed: tuple[str, ...], now: datetime, reason: str = "resumed"
) -> Rollout:
    """The rollout going on where it was paused; what paused it has been seen and is borne.

    Args:
        rollout: A paused one.
        failed: Devices that have failed by now.
        now: The cloud's time: the step's waiting time begins anew.
        reason: Why, for people.

    Raises:
        RolloutError: It is not paused.
    """
    if rollout.status != "paused":
        raise RolloutError(f"{_title(rollout)} is {_word(rollout)}; only a paused one goes on")
    return rollout.model_copy(
        update={
            "status": "rolling",
            "paused_by": None,
            "excused": tuple(sorted({*rollout.excused, *failed})),
            "decisions_accepted": rollout.decisions_accepted or rollout.paused_by == "decisions",
            "step_began_at": now,
            "reason": reason,
        }
    )


def taken_back(rollout: Rollout, reason: str, *, finished_too: bool = True) -> Rollout:
    """The rollout undone: every device goes back to the release before.

    Args:
        rollout: The latest rollout of the category.
        reason: Why, for people.
        finished_too: Whether one that every device has may be undone.

    Raises:
        RolloutError: It cannot be undone.
    """
    if not (rollout.is_unfinished or (finished_too and rollout.status == "done")):
        more = "; roll it back" if rollout.status == "done" else ""
        raise RolloutError(f"{_title(rollout)} is {_word(rollout)}{more}")
    return rollout.model_copy(
        update={"status": "taking_back", "paused_by": None, "retry": {}, "reason": reason}
    )


def retried(rollout: Rollout, failures: dict[str, int]) -> Rollout:
    """The rollout with another attempt for devices that failed.

    Args:
        rollout: One that is not taken back.
        failures: How often each of the failed devices has failed by now.

    Raises:
        RolloutError: It is taken back, or nobody failed.
    """
    if not (rollout.is_unfinished or rollout.status == "done"):
        raise RolloutError(f"{_title(rollout)} is {_word(rollout)}; start a new one")
    if not failures:
        raise RolloutError(f"{_title(rollout)} has failed on no device; there is nothing to retry")
    again = {name: max(rollout.retry.get(name, 0), n) + 1 for name, n in failures.items()}
    excused = tuple(name for name in rollout.excused if name not in again)
    return rollout.model_copy(update={"retry": {**rollout.retry, **again}, "excused": excused})


def _orders(rollout: Rollout, signed: RolloutPlan) -> dict[str, object]:
    """Fields of the plan that the rollout decides."""
    nobody: dict[str, object] = {
        "candidate": None,
        "candidate_percent": 0.0,
        "candidate_devices": (),
        "salt": "",
        "paused": False,
    }
    is_carried = signed.candidate == rollout.release
    if rollout.is_unfinished and (
        rollout.is_superseded(signed) or rollout.release in signed.withdrawn
    ):
        return {}  # the next look at the rollout says what becomes of it
    if rollout.status == "superseded":
        return {}
    if rollout.is_unfinished:
        return {
            "candidate": rollout.release,
            "candidate_percent": rollout.percent,
            "candidate_devices": rollout.course.devices_up_to(rollout.step),
            "salt": rollout.salt,
            "paused": rollout.status == "paused",
            "retry": dict(rollout.retry),
        }
    if rollout.status == "done":
        if is_carried:
            return nobody | {"stable": rollout.release, "retry": dict(rollout.retry)}
        is_ours = signed.stable == rollout.release and signed.candidate is None
        return {"retry": dict(rollout.retry)} if is_ours else {}
    orders: dict[str, object] = {
        "withdrawn": tuple(sorted({*signed.withdrawn, rollout.release})),
    }
    if is_carried:
        orders |= nobody | {"retry": {}}
    if signed.stable == rollout.release:
        orders |= {"stable": rollout.previous, "retry": {}}
    return orders


def _title(rollout: Rollout) -> str:
    return f"the rollout of release {rollout.release} of {rollout.category}"


def _word(rollout: Rollout) -> str:
    return rollout.status.replace("_", " ")
