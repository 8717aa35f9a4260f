"""One simulated device: what it does with a plan, and what it says about it. Pure.

It obeys signed plans by the same function as a real device (``models.delivery.wanted_release``),
keeps its own quarantine with the attempt that it failed at, and reports in the same words. Only
what a real device does with bytes is left out: an update takes a while and ends well or not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from models.delivery import (
    CategoryStatus,
    DeviceStatus,
    FailureKind,
    Quarantined,
    RolloutPlan,
    State,
    UpdateEvent,
    UpdateOutcome,
    attempt,
    event_id_of,
    wanted_release,
)

# What an update goes through, with the share of its time at which each state begins.
_COURSE: tuple[tuple[State, float], ...] = (
    ("noticed", 0.0),
    ("fetching", 0.1),
    ("self_testing", 0.5),
    ("watching", 0.7),
)
_FAILS_IN: dict[FailureKind, State] = {
    "download": "fetching",
    "self_test": "self_testing",
    "watch": "watching",
    "start": "watching",
}


@dataclass(frozen=True)
class Shares:
    """What a release decides on a device.

    Attributes:
        accepted: Share accepted.
        reviewed: Share reviewed; the rest is rejected.
    """

    accepted: float = 0.85
    reviewed: float = 0.10


@dataclass(frozen=True)
class Character:
    """How a device behaves.

    Attributes:
        fails: By release, the kind of failure that it ends in.
        mends_at: The attempt at which a failing release works after all.
        shares: By release, what it decides; others decide as usual.
        decisions_per_s: How much happens in its shop.
        update_s: How long an update takes.
    """

    fails: dict[int, FailureKind] = field(default_factory=dict)
    mends_at: int | None = None
    shares: dict[int, Shares] = field(default_factory=dict)
    decisions_per_s: float = 0.0
    update_s: float = 0.5


class SimulatedDevice:
    """A device with one category.

    Attributes:
        device_id: Its id.
        serving: The release that it serves.
        had: Every release that it ever served.
    """

    def __init__(
        self,
        device_id: str,
        category: str,
        serving: int,
        character: Character,
        *,
        boot: int = 1,
    ) -> None:
        self.device_id = device_id
        self.serving = serving
        self.had = {serving}
        self._category = category
        self._character = character
        self._boot = boot
        self._previous: int | None = None
        self._target: int | None = None
        self._began_s = 0.0
        self._state: State = "idle"
        self._quarantine: dict[int, tuple[int, int, str]] = {}
        self._attempt = 0
        self._swapped_s: float | None = None
        self._swapped_at: datetime | None = None
        self._events = 0

    def obey(self, plan: RolloutPlan, now_s: float, at: datetime) -> list[UpdateEvent]:
        """Do what a plan says; the events are what is to be reported.

        Args:
            plan: The signed plan of its category.
            now_s: A clock that never jumps.
            at: Wall time.
        """
        wanted = wanted_release(plan, self.device_id, self.serving)
        if self._target is not None and wanted != self._target:
            self._rest("idle")  # called off
        if wanted == self.serving or self._target is not None:
            return []
        if self.serving in plan.withdrawn:
            self._swap(wanted, now_s, at)
            self._rest("idle")
            return [self._event(wanted, at, "serving", None, "went back, the release is withdrawn")]
        failed_at = self._quarantine.get(wanted)
        if failed_at is not None and attempt(plan, self.device_id) <= failed_at[1]:
            return []
        self._target, self._began_s, self._state = wanted, now_s, "noticed"
        self._attempt = attempt(plan, self.device_id)
        return [self._event(wanted, at, None, None, "")]

    def go_on(self, now_s: float, at: datetime) -> list[UpdateEvent]:
        """Let time pass; a changed state or an end is worth a report."""
        if self._target is None:
            return []
        share = (now_s - self._began_s) / self._character.update_s
        state = [name for name, begins in _COURSE if begins <= share][-1]
        kind = self._character.fails.get(self._target)
        mended = self._character.mends_at is not None and self._attempt >= self._character.mends_at
        if kind is not None and not mended and state == _FAILS_IN.get(kind, "self_testing"):
            return [self._fail(kind, now_s, at)]
        if state == "watching" and self.serving != self._target:
            self._swap(self._target, now_s, at)
        if share >= 1.0:
            release = self._target
            self._quarantine.pop(release, None)
            self._rest("done")
            return [self._event(release, at, "serving", None, "")]
        if state != self._state:
            self._state = state
            return [self._event(self._target, at, None, None, "")]
        return []

    def status(self, now_s: float, at: datetime, *, online: bool = True) -> DeviceStatus:
        """How it is."""
        usual = self._character.shares.get(self.serving, Shares())
        since_s = now_s - self._swapped_s if self._swapped_s is not None else now_s
        decided = int(max(0.0, since_s) * self._character.decisions_per_s)
        accepts, reviews = int(decided * usual.accepted), int(decided * usual.reviewed)
        return DeviceStatus(
            device_id=self.device_id,
            online=online,
            boot=self._boot,
            sent_at=at,
            walkout_version="0.1.0",
            disk_free_bytes=1 << 33,
            agents=(
                CategoryStatus(
                    category=self._category,
                    serving_release=self.serving,
                    previous_release=self._previous,
                    state=self._state,
                    target_release=self._target,
                    percent=0.0 if self._target is None else 50.0,
                    quarantined=tuple(
                        Quarantined(release=release, reason=reason, failures=failures)
                        for release, (failures, _, reason) in sorted(self._quarantine.items())
                    ),
                    accepts=accepts,
                    reviews=reviews,
                    rejects=decided - accepts - reviews,
                    swapped_at=self._swapped_at,
                ),
            ),
        )

    @property
    def is_busy(self) -> bool:
        """Whether an update is under way."""
        return self._target is not None

    def _fail(self, kind: FailureKind, now_s: float, at: datetime) -> UpdateEvent:
        release = self._target
        assert release is not None
        outcome: UpdateOutcome = "quarantined"
        if kind in ("watch", "start"):
            self.had.add(release)
            outcome = "rolled_back"
            if self.serving == release and self._previous is not None:
                self._swap(self._previous, now_s, at)
        reason = f"simulated failure: {kind}"
        failures = self._quarantine.get(release, (0, 0, ""))[0] + 1
        self._quarantine[release] = (failures, self._attempt, reason)
        self._rest("rolled_back" if outcome == "rolled_back" else "quarantined")
        return self._event(release, at, outcome, kind, reason)

    def _swap(self, release: int, now_s: float, at: datetime) -> None:
        self._previous, self.serving = self.serving, release
        self._swapped_s, self._swapped_at = now_s, at
        self.had.add(release)

    def _rest(self, state: State) -> None:
        self._target, self._state = None, state

    def _event(
        self,
        release: int,
        at: datetime,
        outcome: UpdateOutcome | None,
        kind: FailureKind | None,
        reason: str,
    ) -> UpdateEvent:
        self._events += 1
        return UpdateEvent(
            event_id=event_id_of(self.device_id, self._boot, self._events),
            device_id=self.device_id,
            boot=self._boot,
            at=at,
            category=self._category,
            release=release,
            state=self._state,
            outcome=outcome,
            kind=kind,
            reason=reason,
        )
