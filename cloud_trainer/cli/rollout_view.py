"""How a rollout is shown: tables for people, a document for programs."""

from __future__ import annotations

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from cloud_trainer.cli.fleet_options import ago, utc_now
from cloud_trainer.rollout.running import Overview, Rollouts


def document(overview: Overview) -> dict[str, object]:
    """Everything about a rollout, for JSON."""
    verdicts: dict[str, list[str]] = {}
    for device, verdict in overview.standing.verdicts:
        verdicts.setdefault(verdict, []).append(device)
    return {
        "rollout": overview.rollout.model_dump(mode="json"),
        "plan_serial": overview.serial,
        "devices_known": overview.devices,
        "devices": verdicts,
        "failure_kinds": dict(overview.standing.failure_kinds),
        "next": {"action": overview.action.kind, "reason": overview.action.reason},
        "history": [
            {"at": each.at.isoformat(), "what": each.what, "reason": each.reason}
            for each in overview.history
        ],
    }


def tables(rollouts: Rollouts, categories: tuple[str, ...]) -> Group:
    """The latest rollout of each category, for a terminal."""
    if not categories:
        return Group("no rollout was started yet")
    return Group(*(part for each in categories for part in _pictured(rollouts.overview(each))))


def _pictured(overview: Overview) -> tuple[Table, Table]:
    rollout, standing = overview.rollout, overview.standing
    table = Table(
        title=f"release {rollout.release} of {escape(rollout.category)}: "
        f"[bold]{rollout.status.replace('_', ' ')}[/]",
        caption=escape(f"next: {overview.action.kind.replace('_', ' ')}, {overview.action.reason}"),
        title_justify="left",
        caption_justify="left",
    )
    for heading in ("step", "devices", "serve it", "under way", "waiting", "failed", "silent"):
        table.add_column(heading)
    step = rollout.course.steps[rollout.step]
    counts = [
        standing.count(verdict)
        for verdict in ("succeeded", "under_way", "waiting", "failed", "unknown")
    ]
    table.add_row(
        escape(f"{step.name} ({rollout.step + 1} of {len(rollout.course.steps)})"),
        f"{len(standing.verdicts)} of {overview.devices}",
        *map(str, counts),
    )
    history = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    now = utc_now()
    for happened in overview.history[-6:]:
        history.add_row(ago(happened.at, now), happened.what, escape(happened.reason))
    return table, history
