"""How a product stands, and what may become of it. Pure: standings in, standings out.

A product is *collected* (its provider adds fields and photos), *handed in*, and approved or refused
by an operator. What was approved goes on being recognised while a change of it waits. Withdrawn,
it leaves the next release; handed in and approved again, it comes back.

The pipeline is told *editions*: another edition of a product has other photos.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal

from cloud_trainer.portal.errors import PortalRefusedError
from cloud_trainer.portal.views.products import Stage

State = Literal["collecting", "waiting", "refused", "approved"]
STAGES: Final[tuple[Stage, ...]] = (
    "collecting",
    "waiting",
    "refused",
    "approved",
    "live",
    "withdrawing",
    "withdrawn",
)


@dataclass(frozen=True)
class Standing:
    """How a product stands.

    Attributes:
        state: Of its newest revision.
        is_withdrawn: Whether it shall not be recognised.
        reason: Why it stands so, for people.
        revision: Counts its changes.
        edition: Of the photos that were approved last; ``None`` before the first approval.
        served_release: Newest release that knew it when it became what every device may run.
        served_edition: The edition that this release knows; ``None`` where it knows none.
        handed_in_at: When it was handed in last; seconds since 1970.
        withdrawn_at: When it was withdrawn last.
    """

    state: State = "collecting"
    is_withdrawn: bool = False
    reason: str = ""
    revision: int = 1
    edition: str | None = None
    served_release: int | None = None
    served_edition: str | None = None
    handed_in_at: float | None = None
    withdrawn_at: float | None = None

    @property
    def is_served(self) -> bool:
        """Whether a release that every device may run knows it."""
        return self.served_edition is not None

    @property
    def stage(self) -> Stage:
        """How it stands, for people."""
        if self.state == "waiting":
            return "waiting"
        if self.is_withdrawn:
            return "withdrawing" if self.is_served else "withdrawn"
        if self.state != "approved":
            return self.state
        return "live" if self.served_edition == self.edition else "approved"


def edition_of(photo_ids: Iterable[str]) -> str:
    """The edition that photos make, whatever their order."""
    return hashlib.sha256("\n".join(sorted(photo_ids)).encode("ascii")).hexdigest()


def changed(standing: Standing) -> Standing:
    """Something of it was changed; it has to be handed in again."""
    return replace(
        standing,
        state="collecting",
        revision=standing.revision + 1,
        reason="what was approved before is recognised meanwhile" if standing.is_served else "",
    )


def handed_in(standing: Standing, good_photos: int, least: int, now_s: float) -> Standing:
    """Its provider is done.

    Args:
        standing: How it stands.
        good_photos: Photos that are used.
        least: So many it needs.
        now_s: Seconds since 1970.

    Raises:
        PortalRefusedError: It waits already, nothing was changed, or photos are missing.
    """
    if standing.state == "waiting":
        raise PortalRefusedError("it waits for an operator already")
    if standing.state == "approved" and not standing.is_withdrawn:
        raise PortalRefusedError("it is approved as it is; change something first")
    if good_photos < least:
        missing = least - good_photos
        raise PortalRefusedError(
            f"{missing} good photo{'s are' if missing > 1 else ' is'} missing: it has "
            f"{good_photos} of {least}; add some"
        )
    return replace(standing, state="waiting", reason="handed in", handed_in_at=now_s)


def approved(standing: Standing, edition: str, revision: int | None) -> Standing:
    """The pipeline may take it.

    Args:
        standing: How it stands.
        edition: Of its good photos.
        revision: What was looked at; ``None`` for whatever is there.

    Raises:
        PortalRefusedError: It does not wait, or was changed since it was looked at.
    """
    if revision is not None and revision != standing.revision:
        raise PortalRefusedError("it was changed since you looked at it; look again")
    if standing.state != "waiting":
        raise PortalRefusedError(f"it does not wait for an operator: it is {standing.stage}")
    return replace(
        standing,
        state="approved",
        is_withdrawn=False,
        edition=edition,
        reason="approved; the pipeline takes it",
    )


def refused(standing: Standing, reason: str) -> Standing:
    """Back to its provider.

    Raises:
        PortalRefusedError: It does not wait.
    """
    if standing.state != "waiting":
        raise PortalRefusedError(f"it does not wait for an operator: it is {standing.stage}")
    return replace(standing, state="refused", reason=reason)


def withdrawn(standing: Standing, reason: str, now_s: float) -> Standing:
    """It shall not be recognised any more; withdrawing twice is withdrawing once."""
    if standing.is_withdrawn and standing.state != "waiting":
        return standing
    return replace(
        standing,
        state="collecting",
        is_withdrawn=True,
        reason=reason or "withdrawn",
        withdrawn_at=now_s,
    )


def served(standing: Standing, release: int, edition: str | None) -> Standing:
    """A release became what every device may run.

    Args:
        standing: How it stands.
        release: Its number.
        edition: Of the product in it; ``None`` where it is not in it.
    """
    told = replace(
        standing,
        served_edition=edition,
        served_release=release if edition is not None else standing.served_release,
    )
    if told.stage == "live":
        return replace(told, reason=f"recognised since release {told.served_release}")
    if told.stage == "withdrawn" and standing.is_served:
        return replace(told, reason=f"not recognised any more since release {release}")
    return told


def not_enrolled(standing: Standing, edition: str, reason: str) -> Standing:
    """The pipeline could not take an edition; nothing changes where it is not the newest one."""
    if standing.edition != edition or standing.state != "approved":
        return standing
    return replace(standing, state="refused", reason=reason)
