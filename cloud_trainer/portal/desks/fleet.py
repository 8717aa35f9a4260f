"""The desk of the fleet: rollouts, devices, and what the pipeline does.

Owns how records become shapes. What a rollout does next is ``cloud_trainer.rollout``'s business;
whatever is asked here goes by the same record and the same signatures as the command line.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Final, Literal

from pydantic import ValidationError

from cloud_trainer.fleet.devices import DecisionCounts, HeardDevice
from cloud_trainer.fleet.records import FleetRecords
from cloud_trainer.pipeline import CategoryProgress, RunProgress
from cloud_trainer.portal.access import sees_only
from cloud_trainer.portal.desks.ground import Desk, Ground
from cloud_trainer.portal.desks.imports import running_imports
from cloud_trainer.portal.errors import PortalMissingError, PortalUnusableError
from cloud_trainer.portal.records import products as records
from cloud_trainer.portal.shown import RolloutChange
from cloud_trainer.portal.views.fleet import (
    AskedRollout,
    Line,
    OnDevice,
    Shares,
    ShownDevice,
    ShownProgress,
    ShownRollout,
    ShownStep,
    SigningKey,
    SigningRole,
    Waiting,
)
from cloud_trainer.publishing import StoredKey
from cloud_trainer.rollout.course import Course, make_steps
from cloud_trainer.rollout.running import Overview, Rollouts
from models.bundle.manifest import first_complaint
from models.delivery import CategoryStatus
from web.access import Asking

SILENT_AFTER_S: Final = 900.0
_AT_REST: Final = frozenset({"idle", "done", "rolled_back", "quarantined"})
_CHANGES: Final[dict[RolloutChange, Callable[[Rollouts, str, str], object]]] = {
    "pause": Rollouts.pause,
    "resume": Rollouts.resume,
    "abort": Rollouts.abort,
    "rollback": Rollouts.roll_back,
}
_CAN: Final[dict[str, tuple[str, ...]]] = {
    "rolling": ("pause", "abort"),
    "paused": ("resume", "abort"),
    "done": ("rollback",),
}


class FleetDesk(Desk):
    """Answers for rollouts, fleet and pipeline.

    Args:
        ground: What it stands on.
    """

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground)
        self._fleet_records = FleetRecords(ground.fleet_file)
        self._deciding = threading.RLock()

    def waiting(self, asking: Asking) -> Waiting:
        """See ``Portal``."""
        organisation = sees_only(asking)
        with self._ground.database.reading() as connection:
            stages = records.stages(connection, organisation)
            imports = running_imports(connection, organisation)
        if organisation is not None or asking.role == "provider":
            return Waiting(stages=stages, running_imports=imports)
        failing = [each.device for each in self.fleet() if each.health in ("failing", "silent")]
        paused = [each.category for each in self.rollouts() if each.status == "paused"]
        return Waiting(
            stages=stages,
            paused_rollouts=tuple(paused),
            failing_devices=tuple(failing),
            running_imports=imports,
            pipeline=self.pipeline(),
        )

    def rollouts(self) -> tuple[ShownRollout, ...]:
        """See ``Portal``."""
        with self._rollouts() as rollouts:
            return tuple(self._rollout(rollouts, category) for category in rollouts.categories())

    def rollout(self, category: str) -> ShownRollout:
        """See ``Portal``."""
        with self._rollouts() as rollouts:
            if category not in rollouts.categories():
                raise PortalMissingError(f"{category} has had no rollout")
            return self._rollout(rollouts, category)

    def start_rollout(self, asking: Asking, asked: AskedRollout) -> ShownRollout:
        """See ``Portal``."""
        rings = [(f"ring {number}", devices) for number, devices in enumerate(asked.rings, 1)]
        try:
            course = Course(steps=make_steps(rings, asked.percents), wait_s=asked.wait_s)
        except ValidationError as err:
            raise PortalUnusableError(f"{first_complaint(err)}; correct it") from err
        with self._rollouts() as rollouts:
            rollouts.start(asked.category, asked.release, course)
            return self._rollout(rollouts, asked.category)

    def change_rollout(
        self, asking: Asking, category: str, change: RolloutChange, reason: str
    ) -> ShownRollout:
        """See ``Portal``."""
        said = f"{reason} ({asking.name})" if reason else f"{change} by {asking.name}"
        with self._rollouts() as rollouts:
            if category not in rollouts.categories():
                raise PortalMissingError(f"{category} has had no rollout")
            _CHANGES[change](rollouts, category, said)
            return self._rollout(rollouts, category)

    def signing(self) -> tuple[SigningRole, ...]:
        """See ``Portal``."""
        return tuple(
            SigningRole(
                role=role.role,
                version=role.version,
                expires_at=role.expires.timestamp(),
                threshold=role.threshold,
                keys=tuple(
                    SigningKey(id=keyid, name=name, state=_key_state(key))
                    for (keyid, name), key in zip(role.keys, keys, strict=True)
                ),
            )
            for role, keys in self._ground.releases.signing()
        )

    def fleet(self) -> tuple[ShownDevice, ...]:
        """See ``Portal``."""
        now = self._now()
        devices = self._fleet_records.devices()
        return tuple(shown_device(name, device, now) for name, device in devices.items())

    def pipeline(self) -> tuple[ShownProgress, ...]:
        """See ``Portal``."""
        found = []
        for progress in self._ground.pipeline.categories():
            runs = self._ground.pipeline.runs(progress.category, limit=1)
            run = runs[0] if runs and runs[0].status == "under_way" else None
            found.append(shown_progress(progress, run))
        return tuple(found)

    def _rollout(self, rollouts: Rollouts, category: str) -> ShownRollout:
        overview = rollouts.overview(category)
        rollout = overview.rollout
        return shown_rollout(
            overview,
            self._fleet_records.decisions(category, rollout.release),
            self._fleet_records.decisions(category, rollout.previous),
        )

    @contextmanager
    def _rollouts(self) -> Iterator[Rollouts]:
        # The record file tells writers of other processes apart; here one decides at a time.
        with self._deciding:
            ground = self._ground
            yield Rollouts(ground.fleet_file, ground.signer, ground.announcer, self._now)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._ground.wall_time_s(), timezone.utc)


def shown_rollout(
    overview: Overview, decisions: DecisionCounts, before: DecisionCounts
) -> ShownRollout:
    """A rollout as people see it."""
    rollout, standing = overview.rollout, overview.standing
    return ShownRollout(
        category=rollout.category,
        release=rollout.release,
        previous=rollout.previous,
        status=rollout.status,
        reason=rollout.reason,
        steps=tuple(
            ShownStep(name=each.name, devices=each.devices, percent=each.percent)
            for each in rollout.course.steps
        ),
        step=rollout.step,
        percent=rollout.percent,
        succeeded=standing.count("succeeded"),
        under_way=standing.count("under_way"),
        failed=standing.count("failed"),
        waiting=standing.count("waiting"),
        unknown=standing.count("unknown"),
        devices=overview.devices,
        next=f"{overview.action.kind.replace('_', ' ')}: {overview.action.reason}",
        can=_CAN.get(rollout.status, ()),
        decisions=shares(decisions),
        decisions_before=shares(before),
        history=tuple(
            Line(at=each.at.timestamp(), what=each.what, reason=each.reason)
            for each in reversed(overview.history)
        ),
    )


def shown_device(name: str, device: HeardDevice, now: datetime) -> ShownDevice:
    """A device as people see it."""
    status = device.status
    agents = tuple(_on_device(each) for each in status.agents)
    is_silent = device.is_silent(now, SILENT_AFTER_S)
    is_busy = any(each.state not in _AT_REST for each in status.agents)
    is_failing = any(each.state in ("rolled_back", "quarantined") for each in status.agents)
    return ShownDevice(
        device=name,
        is_online=not is_silent,
        heard_at=device.heard_at.timestamp(),
        version=status.walkout_version,
        disk_free_bytes=status.disk_free_bytes,
        health="silent"
        if is_silent
        else ("failing" if is_failing else ("busy" if is_busy else "well")),
        agents=agents,
    )


def shown_progress(progress: CategoryProgress, run: RunProgress | None) -> ShownProgress:
    """What the pipeline does with a category, as people see it."""
    current = None if run is None else run.current
    names = [] if run is None else [each.name for each in run.steps]
    since = None if run is None else run.began_at.timestamp()
    figures: dict[str, float | str | None] = {
        "release": progress.release,
        "version": progress.bundle_version,
        "products": progress.products,
        "enrolled": progress.enrolled,
        "to_enrol": len(progress.to_enrol),
        "to_withdraw": len(progress.to_withdraw),
        "verified_events": progress.verified_events,
        "verified_wrong": progress.verified_wrong,
        "crops_waiting": progress.crops_waiting,
    }
    return ShownProgress(
        category=progress.category,
        doing=progress.doing,
        why=progress.reason,
        next=progress.following,
        since=since,
        step=None if current is None else names.index(current.name),
        steps=None if run is None else len(names),
        figures=figures,
    )


def shares(counts: DecisionCounts) -> Shares:
    """Decisions as people see them."""
    return Shares(accepts=counts.accepts, reviews=counts.reviews, rejects=counts.rejects)


def _key_state(key: StoredKey | None) -> Literal["open", "locked", "away"]:
    if key is None or key.locked is None:
        return "away"
    return "locked" if key.locked else "open"


def _on_device(agent: CategoryStatus) -> OnDevice:
    return OnDevice(
        category=agent.category,
        release=agent.serving_release,
        state=agent.state,
        target=agent.target_release,
        percent=agent.percent,
        reason=agent.reason,
        decisions=Shares(accepts=agent.accepts, reviews=agent.reviews, rejects=agent.rejects),
        refused=tuple(each.release for each in agent.quarantined),
    )
