"""The rollout engine at work: what devices said goes into the records, what follows is signed.

Owns the order of things: first the record, then the signed plan, then the hint. Killed anywhere,
the next look finds what is missing and does it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from cloud_trainer.errors import RolloutError
from cloud_trainer.fleet import records as fleet_records
from cloud_trainer.fleet.records import FleetRecords, HeardStatus
from cloud_trainer.record_file import RecordFile
from cloud_trainer.rollout import records as rollout_records
from cloud_trainer.rollout.course import Course
from cloud_trainer.rollout.engine import (
    Action,
    Fleet,
    after,
    failed_devices,
    next_action,
    standing_of,
)
from cloud_trainer.rollout.health import Standing
from cloud_trainer.rollout.records import Happened, Recorded, RolloutRecords
from cloud_trainer.rollout.signing import PlanSigner
from cloud_trainer.rollout.state import (
    Rollout,
    begin,
    paused,
    plan_for,
    resumed,
    retried,
    taken_back,
)
from models.delivery import RolloutPlan, UpdateEvent

_LOGGER = logging.getLogger(__name__)
_APPLICATION_ID: Final = 0x574C4B46  # "WLKF"
_VERSION: Final = 1
_LOOKS_AT_ONCE: Final = 10


def open_records(path: Path) -> RecordFile:
    """Open the file that keeps fleet and rollouts; it is made where there is none.

    Raises:
        RecordError: It cannot be opened.
    """
    schema = f"{fleet_records.SCHEMA};{rollout_records.SCHEMA}"
    return RecordFile(path, application_id=_APPLICATION_ID, version=_VERSION, schema=schema)


class Announcer(Protocol):
    """Hints to devices that a plan changed."""

    def announce(self, category: str, serial: int) -> bool:
        """Hint; returns whether the broker took it."""
        ...


@dataclass(frozen=True)
class Overview:
    """How a rollout stands, for people.

    Attributes:
        rollout: Its record.
        standing: Verdicts on the devices let in so far.
        devices: How many devices are known of the category.
        action: What the engine would do now.
        history: What happened.
        serial: Serial of the signed plan.
    """

    rollout: Rollout
    standing: Standing
    devices: int
    action: Action
    history: tuple[Happened, ...]
    serial: int


class Rollouts:
    """Everything that may be done to rollouts, on an open record file.

    Args:
        file: From ``open_records``.
        signer: Signs plans.
        announcer: Hints at them; ``None`` leaves it to the devices to look.
        clock: The cloud's time, with its time zone.
    """

    def __init__(
        self,
        file: RecordFile,
        signer: PlanSigner,
        announcer: Announcer | None,
        clock: Callable[[], datetime],
    ) -> None:
        self.fleet = FleetRecords(file)
        self._records = RolloutRecords(file)
        self._signer = signer
        self._announcer = announcer
        self._clock = clock

    def start(self, category: str, release: int, course: Course) -> Rollout:
        """Begin a rollout; devices hear of it at once.

        Raises:
            RolloutError: The plan of the category does not allow it.
        """
        latest = self._records.latest(category)
        signed = self._carry_out(latest.rollout) if latest else self._plan(category)
        if latest and latest.rollout.status in ("rolling", "paused", "taking_back"):
            raise RolloutError(
                f"release {latest.rollout.release} of {category} is "
                f"{latest.rollout.status.replace('_', ' ')}; let that finish, or abort it first"
            )
        number = latest.rollout.number + 1 if latest else 1
        now = self._clock()
        rollout = begin(signed, release, course, number=number, now=now)
        self._records.add(rollout, now)
        self.look(category)
        return self._latest(category).rollout

    def pause(self, category: str, reason: str) -> Rollout:
        """Let no further device in; those that have the release keep it."""
        return self._change(category, "pause", lambda r: paused(r, "person", reason))

    def resume(self, category: str, reason: str = "resumed") -> Rollout:
        """Go on after a pause; what has failed by now was seen and is borne."""
        failed = tuple(self._failures(category))
        return self._change(category, "resume", lambda r: resumed(r, failed, self._clock(), reason))

    def abort(self, category: str, reason: str) -> Rollout:
        """Take the release of an unfinished rollout back from every device."""
        return self._change(category, "abort", lambda r: taken_back(r, reason, finished_too=False))

    def roll_back(self, category: str, reason: str) -> Rollout:
        """Take the release of the latest rollout back, also when every device has it."""
        return self._change(category, "rollback", lambda r: taken_back(r, reason))

    def retry(self, category: str, only: tuple[str, ...] = ()) -> Rollout:
        """Let the devices that failed try once more, and no others.

        Args:
            category: The category.
            only: Some of them; all where empty.
        """
        failures = self._failures(category)
        if only:
            if strange := [name for name in only if name not in failures]:
                raise RolloutError(f"{', '.join(strange)} has not failed; name failed devices")
            failures = {name: failures[name] for name in only}
        return self._change(category, "retry", lambda r: retried(r, failures))

    def hear(self, statuses: Iterable[HeardStatus], events: Iterable[UpdateEvent]) -> None:
        """Write down what devices said."""
        self.fleet.hear(statuses, events)

    def categories(self) -> tuple[str, ...]:
        """Categories that have had a rollout."""
        return self._records.categories()

    def look(self, category: str) -> list[Action]:
        """Look at the latest rollout of a category and do what follows.

        Returns:
            What was done; empty where there is nothing to do but wait.

        Raises:
            WalkoutTrainerError: It could not be done now; the next look tries again.
        """
        done: list[Action] = []
        for _ in range(_LOOKS_AT_ONCE):
            recorded = self._latest(category)
            signed = self._carry_out(recorded.rollout)
            now = self._clock()
            fleet = self._fleet(recorded.rollout)
            action = next_action(recorded.rollout, fleet, signed, now)
            if action.kind == "wait":
                break
            changed = after(recorded.rollout, action, now)
            self._records.change(recorded, changed, action.kind, now)
            _LOGGER.info("%s: %s, %s", category, action.kind, action.reason)
            done.append(action)
        return done

    def overview(self, category: str) -> Overview:
        """How the latest rollout of a category stands.

        Raises:
            RolloutError: It has had none.
        """
        rollout = self._latest(category).rollout
        fleet, plan, now = self._fleet(rollout), self._plan(category), self._clock()
        return Overview(
            rollout=rollout,
            standing=standing_of(rollout, fleet, plan, now),
            devices=len(fleet.devices),
            action=next_action(rollout, fleet, plan, now),
            history=self._records.history(category, rollout.number),
            serial=plan.serial,
        )

    def announce_again(self) -> None:
        """Hint at the plans that are signed: the broker may have lost what it retained."""
        for category in self.categories():
            self._announce(self._plan(category))

    def _change(self, category: str, what: str, change: Callable[[Rollout], Rollout]) -> Rollout:
        recorded = self._latest(category)
        rollout = change(recorded.rollout)
        self._records.change(recorded, rollout, what, self._clock())
        self._carry_out(rollout)
        return rollout

    def _carry_out(self, rollout: Rollout) -> RolloutPlan:
        """Sign the plan that the rollout asks for, where it is not signed yet."""
        signed = self._plan(rollout.category)
        plan = plan_for(rollout, signed, self._clock())
        if plan is None:
            return signed
        self._signer.sign(plan)
        self._announce(plan)
        return plan

    def _announce(self, plan: RolloutPlan) -> None:
        if self._announcer and not self._announcer.announce(plan.category, plan.serial):
            _LOGGER.warning(
                "plan %d of %s is signed, but the broker did not take the hint: devices will find "
                "it by themselves",
                plan.serial,
                plan.category,
            )

    def _failures(self, category: str) -> dict[str, int]:
        rollout = self._latest(category).rollout
        return failed_devices(rollout, self._fleet(rollout))

    def _fleet(self, rollout: Rollout) -> Fleet:
        return Fleet(
            self.fleet.devices_for(rollout.category),
            self.fleet.decisions(rollout.category, rollout.previous),
            self.fleet.decisions(rollout.category, rollout.release),
        )

    def _plan(self, category: str) -> RolloutPlan:
        plan = self._signer.current(category)
        if plan is None:
            raise RolloutError(
                f"{category} has no published release that every device may run; publish one first"
            )
        return plan

    def _latest(self, category: str) -> Recorded:
        latest = self._records.latest(category)
        if latest is None:
            raise RolloutError(f"{category} has had no rollout; start one")
        return latest
