"""Does a release do as well in the shop as the one before it? Pure.

A share of accepts that has fallen is compared by the pooled two-proportion z-test (Fleiss,
"Statistical Methods for Rates and Proportions", 2nd ed., section 2.3): it must have fallen by more
than is allowed *and* by more than chance explains, so that a few odd items take nothing back.
"""

from __future__ import annotations

import math
from typing import Final, Literal

from edge.updates.progress import Counts
from edge.updates.settings import WatchSettings

Verdict = Literal["watching", "good", "bad"]
# One in 740 by chance alone.
_SURE_Z: Final = 3.0


def judge(
    before: Counts, since: Counts, watched_s: float, settings: WatchSettings
) -> tuple[Verdict, str]:
    """How a release does so far.

    Args:
        before: Recognitions of what served before.
        since: Recognitions of the release.
        watched_s: How long it has served.
        settings: What is borne, and for how long it is watched.

    Returns:
        The verdict, and why.
    """
    tried = since.decisions + since.errors
    if since.errors >= settings.errors_at_least and (
        since.errors > settings.errors_at_most * tried
    ):
        return "bad", f"{since.errors} of {tried} recognitions failed since the swap"
    comparable = min(before.decisions, since.decisions) >= settings.decisions_at_least
    told = f"{since.decisions} decisions since the swap"
    if comparable:
        was, now = before.accepts / before.decisions, since.accepts / since.decisions
        told = f"{now:.0%} of {since.decisions} decisions accept, {was:.0%} did before"
        if was - now > settings.accepts_fall_at_most and _z(before, since) > _SURE_Z:
            return "bad", f"{told}; that is more than {settings.accepts_fall_at_most:.0%} less"
    if watched_s < settings.watch_s:
        return "watching", told
    if not comparable:
        told += ", too few to compare with what served before"
    return "good", f"watched for {watched_s:.0f} s: {told}"


def _z(before: Counts, since: Counts) -> float:
    pooled = (before.accepts + since.accepts) / (before.decisions + since.decisions)
    spread = pooled * (1 - pooled) * (1 / before.decisions + 1 / since.decisions)
    fall = before.accepts / before.decisions - since.accepts / since.decisions
    return fall / math.sqrt(spread) if spread > 0 else 0.0
