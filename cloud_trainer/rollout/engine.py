"""What a rollout does next: a pure function of its record and of what devices last said.

Each call looks at everything again, so it does not matter how often it is called, or whether the
process was killed in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cloud_trainer.fleet.devices import DecisionCounts, HeardDevice
from cloud_trainer.rollout.health import (
    Standing,
    failures_of,
    tripped_gate,
    verdict_on,
    worse_decisions,
)
from cloud_trainer.rollout.state import PausedBy, Rollout, paused, plan_for, taken_back
from models.delivery import RolloutPlan, device_share_percent, takes_candidate

ActionKind = Literal["wait", "admit", "advance", "pause", "take_back", "finish", "supersede"]


@dataclass(frozen=True)
class Fleet:
    """What is known of all devices when a rollout is looked at.

    Attributes:
        devices: The devices, by id.
        decisions_before: Decisions of the previous release, on all devices.
        decisions_after: Decisions of the release being rolled out.
    """

    devices: dict[str, HeardDevice] = field(default_factory=dict)
    decisions_before: DecisionCounts = DecisionCounts()
    decisions_after: DecisionCounts = DecisionCounts()


@dataclass(frozen=True)
class Action:
    """The next step of a rollout.

    Attributes:
        kind: ``admit`` more devices to the step, ``advance`` to the next one, ``pause``,
            ``take_back`` the release, ``finish`` (also a taking back), ``supersede`` where somebody
            else decided what devices run, or ``wait``.
        reason: Why, for people.
        percent: With ``admit``: the share to let in.
        paused_by: With ``pause``: what for.
    """

    kind: ActionKind
    reason: str
    percent: float = 0.0
    paused_by: PausedBy = "failures"


def standing_of(rollout: Rollout, fleet: Fleet, signed: RolloutPlan, now: datetime) -> Standing:
    """Verdicts on the devices that a rollout has let in so far, named ones that are silent too."""
    plan = plan_for(rollout, signed, now) or signed
    if rollout.is_unfinished:
        let_in = {name for name in fleet.devices if takes_candidate(plan, name)}
        let_in |= set(plan.candidate_devices)
    else:
        let_in = set(fleet.devices)
    release = rollout.release
    verdicts = {
        name: verdict_on(
            fleet.devices.get(name),
            rollout.category,
            release,
            attempt=rollout.retry.get(name, 0),
            now=now,
            silent_after_s=rollout.course.gates.silent_after_s,
        )
        for name in sorted(let_in)
    }
    kinds = [
        (name, fleet.devices[name].failure_kind(release))
        for name, verdict in verdicts.items()
        if verdict == "failed"
    ]
    return Standing(tuple(verdicts.items()), tuple(kinds))


def failed_devices(rollout: Rollout, fleet: Fleet) -> dict[str, int]:
    """How often the release has failed on each device that has it in quarantine."""
    counts = {
        name: failures_of(device.agent(rollout.category), rollout.release)
        for name, device in sorted(fleet.devices.items())
    }
    return {name: n for name, n in counts.items() if n}


def next_action(rollout: Rollout, fleet: Fleet, signed: RolloutPlan, now: datetime) -> Action:
    """What to do now.

    Args:
        rollout: Its record.
        fleet: What is known of the devices.
        signed: The plan of the category that is signed now.
        now: The cloud's time.
    """
    if rollout.status in ("taken_back", "done", "superseded"):
        return Action("wait", rollout.reason)
    if rollout.status == "taking_back":
        return _while_taking_back(rollout, fleet, now)
    if rollout.release in signed.withdrawn:
        return Action("take_back", "the release was withdrawn")
    if rollout.is_superseded(signed):
        return Action("supersede", f"release {signed.stable} was made the stable one meanwhile")
    standing = standing_of(rollout, fleet, signed, now).without(rollout.excused)
    gates = rollout.course.gates
    tripped = tripped_gate(standing, gates.failures)
    if tripped and tripped[0].action == "abort":
        return Action("take_back", tripped[1])
    if rollout.status == "paused":
        return Action("wait", rollout.reason)
    if tripped:
        return Action("pause", tripped[1])
    worse = worse_decisions(fleet.decisions_before, fleet.decisions_after, gates.decisions)
    if worse and not rollout.decisions_accepted:
        return Action("pause", worse, paused_by="decisions")
    return _within_step(rollout, fleet, standing, now)


def after(rollout: Rollout, action: Action, now: datetime) -> Rollout:
    """The record after an action.

    Args:
        rollout: The record before.
        action: What ``next_action`` said of it.
        now: The cloud's time.
    """
    if action.kind == "pause":
        return paused(rollout, action.paused_by, action.reason)
    if action.kind == "take_back":
        return taken_back(rollout, action.reason)
    changes: dict[str, object] = {"reason": action.reason}
    if action.kind == "supersede":
        changes |= {"status": "superseded", "paused_by": None}
    if action.kind == "finish":
        changes["status"] = "taken_back" if rollout.status == "taking_back" else "done"
    if action.kind == "admit":
        changes["percent"] = action.percent
    if action.kind == "advance":
        changes |= {"step": rollout.step + 1, "step_began_at": now}
    return rollout.model_copy(update=changes)


def _within_step(rollout: Rollout, fleet: Fleet, standing: Standing, now: datetime) -> Action:
    course, step = rollout.course, rollout.course.steps[rollout.step]
    gates = course.gates
    if not any(not d.is_silent(now, gates.silent_after_s) for d in fleet.devices.values()):
        return Action("wait", "no device has been heard of")
    open_count = standing.count("waiting", "under_way")
    if rollout.percent < step.percent:
        percent = _paced_percent(rollout, fleet, step.percent, open_count, now)
        if percent > rollout.percent:
            return Action("admit", f"step {step.name}: up to {percent:.2f} % of devices", percent)
        return Action("wait", f"{open_count} devices are under way, no more at a time")
    if standing.unknown_percent > gates.max_unknown_percent:
        silent = standing.count("unknown")
        return Action("wait", f"{silent} of {len(standing.verdicts)} devices are silent")
    share = standing.succeeded_percent
    if standing.verdicts and share < gates.success_percent:
        reached = (
            f"{standing.count('succeeded')} of {len(standing.verdicts)} devices serve the release "
            f"({share:.1f} % of those heard, {gates.success_percent:g} % are needed)"
        )
        if open_count:
            return Action("wait", reached)
        return Action("pause", f"{reached}, and no other is under way", paused_by="successes")
    waited_s = (now - rollout.step_began_at).total_seconds()
    if waited_s < course.wait_s:
        return Action("wait", f"step {step.name} is good; {course.wait_s - waited_s:.0f} s to go")
    if rollout.is_last_step:
        return Action("finish", f"{standing.count('succeeded')} devices serve the release")
    return Action("advance", f"step {course.steps[rollout.step + 1].name} begins")


def _paced_percent(
    rollout: Rollout, fleet: Fleet, target: float, open_count: int, now: datetime
) -> float:
    """The share up to which the step may go now, without more devices under way than allowed."""
    limit = rollout.course.max_under_way
    if limit is None:
        return target
    silent_after_s = rollout.course.gates.silent_after_s
    shares = (
        device_share_percent(rollout.salt, name)
        for name, device in fleet.devices.items()
        if not device.is_silent(now, silent_after_s)
    )
    behind = sorted(share for share in shares if rollout.percent <= share < target)
    room = max(0, limit - open_count)
    return target if len(behind) <= room else max(rollout.percent, behind[room])


def _while_taking_back(rollout: Rollout, fleet: Fleet, now: datetime) -> Action:
    serving = _still_serving(rollout, fleet.devices.values())
    silent_after_s = rollout.course.gates.silent_after_s
    heard = [device for device in serving if not device.is_silent(now, silent_after_s)]
    if heard:
        return Action("wait", f"{len(heard)} devices have not gone back yet")
    late = len(serving) - len(heard)
    word = f"; {late} silent ones will when they are heard again" if late else ""
    return Action("finish", f"every device heard is back on release {rollout.previous}{word}")


def _still_serving(rollout: Rollout, devices: Iterable[HeardDevice]) -> list[HeardDevice]:
    found = []
    for device in devices:
        agent = device.agent(rollout.category)
        if agent and rollout.release in (agent.serving_release, agent.target_release):
            found.append(device)
    return found
