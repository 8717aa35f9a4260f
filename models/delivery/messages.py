"""What trainer and devices tell each other over MQTT: hints down, reports up.

Never trusted: a hint only makes a device look at what is signed, sooner than it would have. Send
and read with ``encode`` and ``decode``; ``names`` has the topics. Quality of service is at most 1.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from models.delivery.names import CATEGORY_PATTERN, DEVICE_PATTERN
from models.delivery.wire import Closed, Words

State = Literal[
    "idle",
    "noticed",
    "fetching",
    "verifying",
    "building",
    "self_testing",
    "shadowing",
    "waiting_to_swap",
    "swapping",
    "watching",
    "done",
    "rolled_back",
    "quarantined",
]
UpdateOutcome = Literal["serving", "rolled_back", "quarantined", "refused", "failed"]
FailureKind = Literal[
    "download", "verify", "build", "self_test", "shadow", "watch", "disk", "start"
]

_Category = Annotated[str, Field(pattern=CATEGORY_PATTERN)]
_DeviceId = Annotated[str, Field(pattern=DEVICE_PATTERN)]
_ReleaseNumber = Annotated[int, Field(ge=1)]
_Count = Annotated[int, Field(ge=0)]
_Percent = Annotated[float, Field(ge=0, le=100)]


class Announcement(Closed):
    """A hint that the rollout plan of a category changed.

    Attributes:
        schema_version: Always 1.
        category: The category.
        serial: Serial of its plan.
    """

    schema_version: Literal[1] = 1
    category: _Category
    serial: int = Field(ge=1)


class Command(Closed):
    """A hint for one device.

    Attributes:
        schema_version: Always 1.
        command: ``poll``: look at what is signed now. ``report``: send the status now.
    """

    schema_version: Literal[1] = 1
    command: Literal["poll", "report"]


class Quarantined(Closed):
    """A release that the device will not try again by itself.

    Attributes:
        release: The release.
        reason: Why, for people.
        failures: How often it failed.
    """

    release: _ReleaseNumber
    reason: Words
    failures: int = Field(ge=1)


class CategoryStatus(Closed):
    """How it stands with one category on a device.

    Attributes:
        category: The category.
        serving_release: What it runs; ``None`` where that did not come by an update.
        previous_release: What it would roll back to.
        state: What the update agent is doing.
        target_release: What it is going to.
        percent: How far the state is.
        reason: Why it is there, for people.
        quarantined: What it will not try again.
        accepts: Decisions to accept since the swap.
        reviews: Decisions to review since the swap.
        rejects: Decisions to reject since the swap.
        swapped_at: When the serving release began to serve.
    """

    category: _Category
    serving_release: _ReleaseNumber | None = None
    previous_release: _ReleaseNumber | None = None
    state: State = "idle"
    target_release: _ReleaseNumber | None = None
    percent: _Percent = 0.0
    reason: Words = ""
    quarantined: tuple[Quarantined, ...] = Field(default=(), max_length=100)
    accepts: _Count = 0
    reviews: _Count = 0
    rejects: _Count = 0
    swapped_at: AwareDatetime | None = None


class DeviceStatus(Closed):
    """How a device is: retained on its topic; the last will is one with ``online`` false.

    Attributes:
        schema_version: Always 1.
        device_id: The device.
        online: Whether it is connected.
        boot: How often it was started: of two reports the one with the greater number is newer.
        sent_at: The device's time.
        walkout_version: Version of this software.
        agents: One a category.
        disk_free_bytes: Free room where bundles are kept.
    """

    schema_version: Literal[1] = 1
    device_id: _DeviceId
    online: bool
    boot: _Count
    sent_at: AwareDatetime
    walkout_version: Words
    agents: tuple[CategoryStatus, ...] = Field(default=(), max_length=200)
    disk_free_bytes: _Count = 0


class UpdateEvent(Closed):
    """A step of an update on a device; the receiver knows it by its id when it comes twice.

    Attributes:
        schema_version: Always 1.
        event_id: ``<device>:<boot>:<n>``, see ``event_id_of``.
        device_id: The device.
        boot: How often it was started.
        at: The device's time.
        category: The category.
        release: The release that it is about.
        state: What the update agent is doing.
        outcome: How it ended; ``None`` while it goes on.
        kind: What kind of failure it was, to stop a rollout by.
        reason: Why, for people.
        percent: How far the state is.
    """

    schema_version: Literal[1] = 1
    event_id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}:[0-9]{1,12}:[0-9]{1,12}$")
    device_id: _DeviceId
    boot: _Count
    at: AwareDatetime
    category: _Category
    release: _ReleaseNumber
    state: State
    outcome: UpdateOutcome | None = None
    kind: FailureKind | None = None
    reason: Words = ""
    percent: _Percent = 0.0


def event_id_of(device_id: str, boot: int, number: int) -> str:
    """The id of a device's ``number``-th event after its ``boot``-th start."""
    return f"{device_id}:{boot}:{number}"
