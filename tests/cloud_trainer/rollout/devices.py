"""Devices as values, for tests of pure rules."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from cloud_trainer.fleet.devices import HeardDevice
from cloud_trainer.rollout.course import Course, Gates, make_steps
from models.delivery import (
    CategoryStatus,
    DeviceStatus,
    FailureKind,
    Quarantined,
    RolloutPlan,
    State,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=timezone.utc)
PLAN = RolloutPlan(category="soda", serial=7, stable=1, issued_at=NOW - timedelta(days=1))


def course(
    *percents: float,
    canaries: tuple[str, ...] = (),
    gates: Gates | None = None,
    wait_s: float = 0.0,
    max_under_way: int | None = None,
) -> Course:
    rings = [("canary", canaries)] if canaries else []
    return Course(
        steps=make_steps(rings, percents or (100.0,)),
        gates=gates or Gates(),
        wait_s=wait_s,
        max_under_way=max_under_way,
    )


def device(
    name: str,
    serving: int | None = 1,
    *,
    state: State = "idle",
    target: int | None = None,
    failures: int = 0,
    kind: FailureKind | None = None,
    online: bool = True,
    heard_s_ago: float = 1.0,
) -> HeardDevice:
    """A device in the category ``soda``; ``failures`` is how often release 2 failed there."""
    quarantined = (
        (Quarantined(release=2, reason="it was bad", failures=failures),) if failures else ()
    )
    status = DeviceStatus(
        device_id=name,
        online=online,
        boot=1,
        sent_at=NOW,
        walkout_version="0.1.0",
        agents=(
            CategoryStatus(
                category="soda",
                serving_release=serving,
                state=state,
                target_release=target,
                quarantined=quarantined,
            ),
        ),
    )
    kinds = ((2, kind),) if kind else ()
    return HeardDevice(status, NOW - timedelta(seconds=heard_s_ago), kinds)


def fleet_of(*devices: HeardDevice) -> dict[str, HeardDevice]:
    return {each.device_id: each for each in devices}
