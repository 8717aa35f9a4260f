"""Rollouts, devices and what the pipeline does, as operators see them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from cloud_trainer.portal.views.products import CATEGORY_PATTERN
from web.shape import Shape


class Shares(Shape):
    """What was decided.

    Attributes:
        accepts: Decisions to accept.
        reviews: Decisions to review.
        rejects: Decisions to reject.
    """

    accepts: int
    reviews: int
    rejects: int


class ShownStep(Shape):
    """A step of a rollout: a ring of devices, or a share of all."""

    name: str
    devices: tuple[str, ...]
    percent: float


class Line(Shape):
    """A line of a rollout's history; ``at`` in seconds since 1970."""

    at: float
    what: str
    reason: str


class ShownRollout(Shape):
    """The latest rollout of a category.

    Attributes:
        category: The category.
        release: What is rolled out.
        previous: What was there before.
        status: ``rolling``, ``paused``, ``taking_back``, ``taken_back``, ``done``, ``superseded``.
        reason: Why it stands so.
        steps: All steps.
        step: Which of them it is at, counted from 0.
        percent: Share of all devices that may have it.
        succeeded: Devices let in that serve it.
        under_way: Devices let in that are on their way.
        failed: Devices let in that failed.
        waiting: Devices let in that have not begun.
        unknown: Devices let in that are silent.
        devices: Devices of the category.
        next: What the engine would do now, and why.
        can: What may be done: ``pause``, ``resume``, ``abort``, ``rollback``.
        decisions: Of this release.
        decisions_before: Of the previous one.
        history: What happened, newest first.
    """

    category: str
    release: int
    previous: int
    status: str
    reason: str
    steps: tuple[ShownStep, ...]
    step: int
    percent: float
    succeeded: int
    under_way: int
    failed: int
    waiting: int
    unknown: int
    devices: int
    next: str
    can: tuple[str, ...]
    decisions: Shares
    decisions_before: Shares
    history: tuple[Line, ...]


class SigningKey(Shape):
    """A key that may sign for a role.

    Attributes:
        id: Its id in the signed metadata.
        name: Of its file, where this portal's key ring has its public half.
        state: ``open``, ``locked`` by a passphrase, or ``away``: its private half is not here.
    """

    id: str
    name: str | None
    state: Literal["open", "locked", "away"]


class SigningRole(Shape):
    """Who signs what devices believe, and until when it holds.

    Attributes:
        role: ``root``, ``timestamp``, ``category-drinks``, ...
        version: Of what it signed last.
        expires_at: When that expires.
        threshold: How many of its keys must sign.
        keys: Those that may.
    """

    role: str
    version: int
    expires_at: float
    threshold: int
    keys: tuple[SigningKey, ...]


class AskedRollout(Shape):
    """A rollout that shall begin.

    Attributes:
        category: The category.
        release: As published.
        rings: Named devices first, each ring a step.
        percents: Then shares of all devices, in growing order, ending with 100.
        wait_s: A step lasts at least so long.
    """

    category: Annotated[str, Field(pattern=CATEGORY_PATTERN)]
    release: Annotated[int, Field(ge=1, le=2**31)]
    rings: tuple[tuple[Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,128}$")], ...], ...] = ()
    percents: tuple[Annotated[float, Field(gt=0, le=100)], ...] = (1.0, 10.0, 50.0, 100.0)
    wait_s: Annotated[float, Field(ge=0, le=30 * 86400)] = 3600.0

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "category": "drinks",
                    "release": 7,
                    "rings": [["shelf-1"]],
                    "percents": [10, 100],
                    "wait_s": 900,
                }
            ]
        }
    )


class OnDevice(Shape):
    """How a category stands on a device.

    Attributes:
        category: The category.
        release: What serves; ``None`` where that did not come by an update.
        state: What its update agent does.
        target: The release it is going to.
        percent: How far the state is.
        reason: Why, in words.
        decisions: Since the swap.
        refused: Releases that it will not try again.
    """

    category: str
    release: int | None
    state: str
    target: int | None
    percent: float
    reason: str
    decisions: Shares
    refused: tuple[int, ...]


class ShownDevice(Shape):
    """A device of the fleet.

    Attributes:
        device: Its id.
        is_online: Whether it is heard.
        heard_at: When it was heard last; seconds since 1970.
        version: Of Walkout on it.
        disk_free_bytes: Where its bundles are kept.
        health: ``well``, ``busy`` with an update, ``failing`` or ``silent``.
        agents: One a category.
    """

    device: str
    is_online: bool
    heard_at: float
    version: str
    disk_free_bytes: int
    health: Literal["well", "busy", "failing", "silent"]
    agents: tuple[OnDevice, ...]


class ShownProgress(Shape):
    """What the pipeline does with a category.

    Attributes:
        category: The category.
        doing: What it does now, one word: ``nothing``, ``enrol``, ``evaluate``, ``publish``,
            ``rollout``, ``retrain``, ``compare``, ``stopped``.
        why: The reason, in words.
        next: What comes next, in words.
        since: Since when; seconds since 1970.
        step: Which step of how many; ``None`` where that says nothing.
        steps: How many steps.
        figures: What the decision rests on, by name, each with its bound where it has one.
    """

    category: str
    doing: str
    why: str
    next: str
    since: float | None
    step: int | None = None
    steps: int | None = None
    figures: dict[str, float | str | None] = {}


class Measured(Shape):
    """What the system measured of itself, for the cost of it.

    Attributes:
        devices: Devices heard within a day.
        decisions: What all of them decided since their last swaps.
        bundle_bytes: All files of the published bundles, a category each.
        product_bytes: What travels for a new product; ``None`` before there was one.
        training_s: Seconds of the last training, a category each.
        enrolment_s: Seconds of the last enrolment.
        products: Products that are live.
        product_changes_per_week: Approved and withdrawn products, over the last four weeks.
        error_percent: Wrong among what people verified; ``None`` without any.
    """

    devices: int
    decisions: Shares
    bundle_bytes: dict[str, int]
    product_bytes: int | None
    training_s: dict[str, float]
    enrolment_s: float | None
    products: int
    product_changes_per_week: float
    error_percent: float | None


class Waiting(Shape):
    """What waits for whoever asks, for the first page.

    Attributes:
        stages: Products that they may see, by stage.
        paused_rollouts: Categories whose rollout is paused.
        failing_devices: Devices that failed an update or are silent.
        running_imports: Imports of theirs that are under way.
        pipeline: What the pipeline does, for operators and developers.
    """

    stages: dict[str, int]
    paused_rollouts: tuple[str, ...] = ()
    failing_devices: tuple[str, ...] = ()
    running_imports: int = 0
    pipeline: tuple[ShownProgress, ...] = ()
