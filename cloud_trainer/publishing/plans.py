"""Rollout plans in the repository: read, check against what is published, sign."""

from __future__ import annotations

from datetime import datetime

from cloud_trainer.publishing.draft import Draft
from cloud_trainer.publishing.errors import PlanRefusedError, RepositoryDamagedError
from cloud_trainer.publishing.repository import Repository
from models.delivery import (
    ROLLOUTS_ROLE,
    DeliveryFormatError,
    RolloutPlan,
    category_role,
    decode_plan,
    encode_plan,
    parse_release_path,
    plan_path,
)


def current_plan(repository: Repository, category: str) -> RolloutPlan | None:
    """The newest plan of a category; ``None`` where nothing of it was ever published.

    Raises:
        PublishingError: The repository cannot be believed.
        StoreError: The store cannot be read.
    """
    return plan_in(repository.read(), category)


def sign_plan(repository: Repository, plan: RolloutPlan, now: datetime) -> RolloutPlan:
    """Sign a plan and make it the one that devices see.

    Args:
        repository: Where the releases lie; the key of the role ``rollouts`` must be at hand.
        plan: Its serial must be greater than that of the newest plan, and the releases that it
            lets run must be published.
        now: The time, from which expiries count.

    Returns:
        The plan.

    Raises:
        PlanRefusedError: Another plan came first, or a release does not exist.
        KeysError: A key is missing.
        StoreError: The store cannot be read or written.
    """
    repository.commit(lambda draft: put_plan(draft, plan), now)
    return plan


def plan_in(draft: Draft, category: str) -> RolloutPlan | None:
    """The plan of a category in a draft."""
    content = draft.fetch(ROLLOUTS_ROLE, plan_path(category))
    if content is None:
        return None
    try:
        return decode_plan(content)
    except DeliveryFormatError as err:
        raise RepositoryDamagedError(f"the rollout plan of {category}: {err}") from err


def releases_in(draft: Draft, category: str) -> tuple[int, ...]:
    """Numbers of the releases of a category that devices can fetch, in order."""
    role = category_role(category)
    if role not in draft.roles():
        return ()
    found = (parse_release_path(path) for path in draft.role(role).targets)
    return tuple(sorted(number for owner, number in filter(None, found) if owner == category))


def put_plan(draft: Draft, plan: RolloutPlan) -> None:
    """Put a plan into a draft.

    Raises:
        PlanRefusedError: Another plan came first, a release does not exist, or the plan is too
            long.
    """
    before = plan_in(draft, plan.category)
    if before is not None and plan.serial <= before.serial:
        raise PlanRefusedError(
            f"plan {plan.serial} of {plan.category} is not newer than {before.serial}, which was "
            "signed meanwhile; look at that one and decide again"
        )
    published = releases_in(draft, plan.category)
    for word, release in (("stable", plan.stable), ("candidate", plan.candidate)):
        if release is not None and release not in published:
            raise PlanRefusedError(
                f"{word} release {release} of {plan.category} is not published (there are "
                f"{', '.join(map(str, published)) or 'none'}); publish it first"
            )
    try:
        content = encode_plan(plan)
    except DeliveryFormatError as err:
        raise PlanRefusedError(f"the plan of {plan.category} cannot travel: {err}") from err
    draft.add(ROLLOUTS_ROLE, plan_path(plan.category), content)
