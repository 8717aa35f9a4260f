"""The device in numbers."""

from __future__ import annotations

from edge.dashboard.views.cameras import ShownCamera
from edge.health import Health
from web.shape import Shape


class QueueStats(Shape):
    """A channel between workers.

    Attributes:
        waiting: Items that wait.
        sent: Items so far.
        dropped: Of those, dropped.
    """

    waiting: int
    sent: int
    dropped: int


class Stats(Shape):
    """The device in numbers.

    Attributes:
        version: Of this software.
        at: When these were taken.
        uptime_s: Since the device started.
        cameras: By name.
        stages_cpu_s: Processor seconds by stage since the start.
        queues: By name.
        open_baskets: Sessions that go on.
        open_reviews: Reviews that wait for a person.
        open_disputes: Disputes that wait for a person.
        interactions: Recorded so far.
        receipts: Issued so far, corrected ones too.
        reviewed_share: Share of all interactions that a person was asked about; ``None`` before
            the first.
        peak_memory_bytes: Of the process.
    """

    version: str
    at: float
    uptime_s: float
    cameras: dict[str, ShownCamera]
    stages_cpu_s: dict[str, float]
    queues: dict[str, QueueStats]
    open_baskets: int
    open_reviews: int
    open_disputes: int
    interactions: int
    receipts: int
    reviewed_share: float | None
    peak_memory_bytes: int


def stats_shape(
    health: Health,
    cameras: tuple[ShownCamera, ...],
    *,
    version: str,
    at: float,
    uptime_s: float,
    open_disputes: int,
    reviewed: int,
) -> Stats:
    """The device in numbers.

    Args:
        health: How it is.
        cameras: Likewise.
        version: Of this software.
        at: Now.
        uptime_s: Since it started.
        open_disputes: Disputes that wait for a person.
        reviewed: Interactions that a person was asked about.
    """
    return Stats(
        version=version,
        at=at,
        uptime_s=round(uptime_s, 3),
        cameras={each.name: each for each in cameras},
        stages_cpu_s={name: round(spent_s, 3) for name, spent_s in health.stages_s.items()},
        queues={
            each.spec.name: QueueStats(waiting=each.waiting, sent=each.sent, dropped=each.dropped)
            for each in health.queues
        },
        open_baskets=health.open_baskets,
        open_reviews=health.open_reviews,
        open_disputes=open_disputes,
        interactions=health.interactions,
        receipts=health.receipts,
        reviewed_share=reviewed / health.interactions if health.interactions else None,
        peak_memory_bytes=health.peak_memory_bytes,
    )
