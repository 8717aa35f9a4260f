"""Which models serve, how far an update is, and what was rolled back and why."""

from __future__ import annotations

from typing import Final

from edge.updates.progress import NEXT, Quarantine
from models.bundle import Bundle
from models.delivery import CategoryStatus
from web.shape import Shape

STEPS: Final[tuple[str, ...]] = ("noticed", *NEXT.values())


class ServingBundle(Shape):
    """What recognises the products of a category.

    Attributes:
        version: Name of the edition.
        space: Beginning of its embedding space's identity: equal ones can be compared.
        products: How many it knows.
        enrolled: How many of those were added without training.
        made_at: When it was made.
        accepted_error: Share of wrong products that the shop tolerates among those accepted.
        figures: Of its evaluation, by name.
    """

    version: str
    space: str
    products: int
    enrolled: int
    made_at: float
    accepted_error: float
    figures: dict[str, float | str | None]


class FailedRelease(Shape):
    """A release that is not tried again.

    Attributes:
        release: Its number.
        kind: What failed.
        reason: In words.
        failures: How often.
        failed_at: When.
    """

    release: int
    kind: str
    reason: str
    failures: int
    failed_at: float


class ServingCategory(Shape):
    """How a category of products is recognised, and kept up to date.

    Attributes:
        category: Its name.
        serving: What decides now; ``None`` where it cannot be looked into.
        release: Number of the release that serves; ``None`` for the bundle of the configuration.
        previous_release: What it would be rolled back to.
        state: What the update agent is doing; ``idle`` without one.
        step: Place of the state among ``steps``; ``None`` while nothing is going on.
        steps: What an update goes through, in order.
        target_release: Where the update goes.
        percent: How far the state is.
        reason: Why it is there, in words.
        swapped_at: When what serves began to.
        accepts: Decisions to accept since.
        reviews: Decisions to ask a person since.
        rejects: Decisions to reject since.
        failed: Releases that failed here, the newest failure first.
        rolled_back: The newest of them that was taken back after it had served.
    """

    category: str
    serving: ServingBundle | None
    release: int | None
    previous_release: int | None
    state: str
    step: int | None
    steps: tuple[str, ...]
    target_release: int | None
    percent: float
    reason: str
    swapped_at: float | None
    accepts: int
    reviews: int
    rejects: int
    failed: tuple[FailedRelease, ...]
    rolled_back: FailedRelease | None


class ShownModels(Shape):
    """All that recognises products on this device.

    Attributes:
        updated: Whether an agent keeps it up to date.
        trouble: Why the agent cannot look for releases; empty when it can.
        categories: By name.
    """

    updated: bool
    trouble: str
    categories: tuple[ServingCategory, ...]


# What can go wrong with a release once it serves; the other kinds keep it from serving.
_AFTER_THE_SWAP: Final = frozenset({"watch", "start"})


def bundle_shape(bundle: Bundle) -> ServingBundle:
    """A bundle as people see it."""
    manifest = bundle.manifest
    return ServingBundle(
        version=manifest.version,
        space=manifest.space_id[:12],
        products=len(manifest.products),
        enrolled=sum(product.enrolled for product in manifest.products),
        made_at=manifest.created_at.timestamp(),
        accepted_error=manifest.thresholds.budget.accepted_error,
        figures=dict(manifest.evaluation),
    )


def category_shape(
    status: CategoryStatus, bundle: Bundle | None, quarantined: dict[int, Quarantine]
) -> ServingCategory:
    """A category as people see it.

    Args:
        status: What the fleet is told of it.
        bundle: What serves.
        quarantined: Releases that failed here.
    """
    failed = tuple(
        FailedRelease(
            release=release,
            kind=each.kind,
            reason=each.reason,
            failures=each.failures,
            failed_at=each.at_s,
        )
        for release, each in sorted(
            quarantined.items(), key=lambda item: (item[1].at_s, item[0]), reverse=True
        )
    )
    return ServingCategory(
        category=status.category,
        serving=None if bundle is None else bundle_shape(bundle),
        release=status.serving_release,
        previous_release=status.previous_release,
        state=status.state,
        step=STEPS.index(status.state) if status.state in STEPS else None,
        steps=STEPS,
        target_release=status.target_release,
        percent=status.percent,
        reason=status.reason,
        swapped_at=None if status.swapped_at is None else status.swapped_at.timestamp(),
        accepts=status.accepts,
        reviews=status.reviews,
        rejects=status.rejects,
        failed=failed,
        rolled_back=next((each for each in failed if each.kind in _AFTER_THE_SWAP), None),
    )


def without_updates(bundle: Bundle) -> ServingCategory:
    """A category whose bundle is the configuration's for good."""
    return category_shape(CategoryStatus(category=bundle.manifest.category), bundle, {})
