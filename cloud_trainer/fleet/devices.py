"""What the cloud knows of one device, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from models.delivery import CategoryStatus, DeviceStatus, FailureKind


@dataclass(frozen=True)
class DecisionCounts:
    """Decisions of one release, on one device or many.

    Attributes:
        accepts: To accept.
        reviews: To review.
        rejects: To reject.
    """

    accepts: int = 0
    reviews: int = 0
    rejects: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.accepts + self.reviews + self.rejects

    def __add__(self, other: DecisionCounts) -> DecisionCounts:
        return DecisionCounts(
            self.accepts + other.accepts,
            self.reviews + other.reviews,
            self.rejects + other.rejects,
        )


@dataclass(frozen=True)
class HeardDevice:
    """What the cloud knows of a device.

    Attributes:
        status: The last thing that it said.
        heard_at: When that was, by the cloud's clock.
        failure_kinds: By release, the kind of its last failure, where it told one.
    """

    status: DeviceStatus
    heard_at: datetime
    failure_kinds: tuple[tuple[int, FailureKind], ...] = ()

    @property
    def device_id(self) -> str:
        """The device."""
        return self.status.device_id

    def agent(self, category: str) -> CategoryStatus | None:
        """How it stands with one category there, if it has said so."""
        return next((agent for agent in self.status.agents if agent.category == category), None)

    def failure_kind(self, release: int) -> FailureKind | None:
        """What kind of failure a release had there."""
        return dict(self.failure_kinds).get(release)

    def is_silent(self, now: datetime, silent_after_s: float) -> bool:
        """Whether nothing can be said about it now."""
        return not self.status.online or (now - self.heard_at).total_seconds() > silent_after_s
