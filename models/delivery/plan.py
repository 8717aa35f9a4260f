"""The rollout plan of a category: which device may run which release. Pure.

The plan is signed, so whoever may write messages to devices cannot make them run anything. A device
reads it as follows::

    wanted = wanted_release(plan, "shelf-7", serving=4)

and goes there, unless it has put that release into quarantine and ``attempt(plan, "shelf-7")`` is
not greater than the attempt that it recorded then.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, model_validator

from models.delivery.names import CATEGORY_PATTERN, DEVICE_PATTERN
from models.delivery.wire import Closed, decode, encode

# Room for some ten thousand devices by name.
MAX_PLAN_BYTES = 2**20

_DeviceId = Annotated[str, Field(pattern=DEVICE_PATTERN)]
_ReleaseNumber = Annotated[int, Field(ge=1)]


class RolloutPlan(Closed):
    """Which device may run which release of a category.

    Attributes:
        schema_version: Always 1.
        category: The category.
        serial: Grows with every plan of the category; a device refuses a smaller one.
        stable: The release that every device may run.
        candidate: The release that is being rolled out, if any.
        candidate_percent: Share of the devices that take the candidate, 0 to 100.
        candidate_devices: Devices that take it whatever their share.
        salt: Makes another order of devices for each rollout.
        paused: Devices that serve the candidate keep it, no other takes it.
        withdrawn: Releases that must not run; a device that serves one goes to stable at once.
        retry: By device, the number of an attempt: a device that has put the candidate into
            quarantine tries again where this is greater than the number it recorded.
        floor: No release below it is ever taken.
        issued_at: The publisher's time; a clock that says less is wrong.
    """

    schema_version: Literal[1] = 1
    category: str = Field(pattern=CATEGORY_PATTERN)
    serial: int = Field(ge=1)
    stable: _ReleaseNumber
    candidate: _ReleaseNumber | None = None
    candidate_percent: float = Field(default=0.0, ge=0, le=100)
    candidate_devices: tuple[_DeviceId, ...] = ()
    salt: str = Field(default="", max_length=200)
    paused: bool = False
    withdrawn: tuple[_ReleaseNumber, ...] = ()
    retry: dict[_DeviceId, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    floor: _ReleaseNumber = 1
    issued_at: AwareDatetime

    @model_validator(mode="after")
    def _releases_may_run(self) -> RolloutPlan:
        for word, release in (("stable", self.stable), ("candidate", self.candidate)):
            if release is None:
                continue
            if release in self.withdrawn:
                raise ValueError(f"{word} release {release} is withdrawn")
            if release < self.floor:
                raise ValueError(f"{word} release {release} is below the floor {self.floor}")
        return self


def takes_candidate(plan: RolloutPlan, device_id: str) -> bool:
    """Whether the device is among those that the candidate is meant for."""
    if plan.candidate is None:
        return False
    if device_id in plan.candidate_devices or plan.candidate_percent >= 100:
        return True
    return device_share_percent(plan.salt, device_id) < plan.candidate_percent


def device_share_percent(salt: str, device_id: str) -> float:
    """The device's place among all devices, 0 to 100, the same for the same salt.

    The first 8 bytes of SHA-256 over ``<salt>:<device id>`` as a share of 2**64. A step that takes
    in more devices keeps those that were in before.
    """
    digest = hashlib.sha256(f"{salt}:{device_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 * 100


def wanted_release(plan: RolloutPlan, device_id: str, serving: int | None = None) -> int:
    """The release that the plan wants a device to run.

    Args:
        plan: The plan, signature checked.
        device_id: The device.
        serving: What it runs now; decides only where the plan is paused.
    """
    if plan.candidate is None:
        return plan.stable
    if plan.paused:
        return plan.candidate if serving == plan.candidate else plan.stable
    return plan.candidate if takes_candidate(plan, device_id) else plan.stable


def attempt(plan: RolloutPlan, device_id: str) -> int:
    """Number of the attempt at the candidate that the plan asks of a device; 0 is the first."""
    return plan.retry.get(device_id, 0)


def encode_plan(plan: RolloutPlan) -> bytes:
    """The content of ``rollouts/<category>.json``.

    Raises:
        MessageTooLargeError: It is too long.
    """
    return encode(plan, MAX_PLAN_BYTES)


def decode_plan(content: bytes) -> RolloutPlan:
    """Read ``rollouts/<category>.json``.

    Raises:
        DeliveryFormatError: It is not acceptable.
    """
    return decode(RolloutPlan, content, MAX_PLAN_BYTES)
