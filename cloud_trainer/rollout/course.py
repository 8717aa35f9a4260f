"""What an operator asks of a rollout: its steps and its gates. Values only.

A step names devices (a ring) or a share of all devices; every step contains those before it. The
gates say what must hold for the next step, and what stops a rollout. How they are judged is
``health.py``'s business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from models.delivery import FailureKind
from models.delivery.names import DEVICE_PATTERN
from models.delivery.wire import Closed

ANY_KIND: Literal["any"] = "any"

DeviceId = Annotated[str, Field(pattern=DEVICE_PATTERN)]


class Step(Closed):
    """One step of a rollout.

    Attributes:
        name: For people, such as ``canary`` or ``10 %``.
        devices: Devices named by the step, besides those that its share draws.
        percent: Share of all devices, by their bucket, 0 to 100.
    """

    name: str = Field(min_length=1, max_length=64)
    devices: tuple[DeviceId, ...] = ()
    percent: float = Field(default=0.0, ge=0.0, le=100.0)


class FailureGate(Closed):
    """Failures that stop a rollout: so many, and such a share. Both must be exceeded.

    Attributes:
        kind: The kind of failure that counts, such as ``start`` or ``watch``; ``any`` counts all.
        max_percent: Share that is borne, of the devices whose update has ended.
        min_failed: So many must have failed before the share says anything.
        action: ``pause`` leaves the devices as they are, ``abort`` takes the release back.
    """

    kind: FailureKind | Literal["any"] = ANY_KIND
    max_percent: float = Field(ge=0.0, lt=100.0)
    min_failed: int = Field(ge=1)
    action: Literal["pause", "abort"] = "pause"


class DecisionGate(Closed):
    """How much worse the release may decide than the one before it.

    A share (accepted, reviewed, rejected) is worse when the difference exceeds ``margin_points``
    *and* its lower confidence bound exceeds zero; see ``health.worse_by``.

    Attributes:
        margin_points: Percentage points that are borne.
        min_decisions: Decisions that both releases must have before they are compared.
        z: Standard deviations of the one-sided bound; 2.326 is 99 %.
        design_effect: By how much decisions of one shop resemble each other: counts are worth so
            many times fewer independent ones.
    """

    margin_points: float = Field(default=3.0, ge=0.0, le=100.0)
    min_decisions: int = Field(default=200, ge=1)
    z: float = Field(default=2.326, gt=0.0)
    design_effect: float = Field(default=2.0, ge=1.0)


class Gates(Closed):
    """What a rollout must pass.

    Attributes:
        failures: Each on its own stops the rollout.
        decisions: Accept, review and reject shares against the previous release.
        success_percent: Share of a step's devices, of those heard, that must serve the release
            before the next step.
        max_unknown_percent: With a larger share of a step's devices silent, the step is not judged.
        silent_after_s: A device not heard for so long is unknown, whatever it said last.
    """

    failures: tuple[FailureGate, ...] = (FailureGate(max_percent=5.0, min_failed=2),)
    decisions: DecisionGate = DecisionGate()
    success_percent: float = Field(default=90.0, gt=0.0, le=100.0)
    max_unknown_percent: float = Field(default=50.0, ge=0.0, lt=100.0)
    silent_after_s: float = Field(default=900.0, gt=0.0)


class Course(Closed):
    """Steps, gates and pace of a rollout.

    Attributes:
        steps: In order; shares do not shrink, and the last one is 100 %.
        gates: What each step must pass.
        wait_s: A step lasts at least so long.
        max_under_way: A step lets in so many devices at a time, and further ones as those end;
            ``None`` lets in a whole step at once.
    """

    steps: tuple[Step, ...] = Field(min_length=1)
    gates: Gates = Gates()
    wait_s: float = Field(default=3600.0, ge=0.0)
    max_under_way: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _grows_to_everyone(self) -> Course:
        shares = [step.percent for step in self.steps]
        if shares != sorted(shares):
            raise ValueError("steps must not shrink; give shares in growing order")
        if shares[-1] != 100.0:
            raise ValueError("the last step must be 100, or the rollout would never end")
        return self

    def devices_up_to(self, step: int) -> tuple[str, ...]:
        """Devices that steps up to and with ``step`` name, sorted."""
        return tuple(sorted({name for each in self.steps[: step + 1] for name in each.devices}))


def make_steps(
    rings: Iterable[tuple[str, tuple[str, ...]]], percents: Iterable[float]
) -> tuple[Step, ...]:
    """Steps from named rings, one each, and then shares.

    Args:
        rings: Name and devices of each ring, in order.
        percents: Shares of all devices, in growing order.
    """
    named = [Step(name=name, devices=devices) for name, devices in rings]
    shares = [Step(name=f"{percent:g} %", percent=percent) for percent in percents]
    return (*named, *shares)
