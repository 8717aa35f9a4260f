"""The seam to whoever signs rollout plans, and the signed repository behind it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from cloud_trainer.publishing import Repository, current_plan, sign_plan
from models.delivery import RolloutPlan


class PlanSigner(Protocol):
    """Reads and signs rollout plans."""

    def current(self, category: str) -> RolloutPlan | None:
        """The plan that is signed now, ``None`` where the category has none yet.

        Raises:
            WalkoutTrainerError: It cannot be read.
        """
        ...

    def sign(self, plan: RolloutPlan) -> None:
        """Sign and publish a plan.

        Raises:
            WalkoutTrainerError: It could not be, or another plan with its serial was faster; the
                plan before is still served.
        """
        ...


class RepositorySigner:
    """Signs plans in a repository; the key of the role ``rollouts`` must be at hand.

    Args:
        repository: Where the releases are published.
        clock: The cloud's time, with its time zone.
    """

    def __init__(self, repository: Repository, clock: Callable[[], datetime]) -> None:
        self._repository = repository
        self._clock = clock

    def current(self, category: str) -> RolloutPlan | None:
        """See ``PlanSigner``."""
        return current_plan(self._repository, category)

    def sign(self, plan: RolloutPlan) -> None:
        """See ``PlanSigner``."""
        sign_plan(self._repository, plan, self._clock())
