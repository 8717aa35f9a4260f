"""``walkout-trainer fleet``: what the devices say of themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from cloud_trainer.cli.errors import fail, plain_errors
from cloud_trainer.cli.fleet_options import (
    DEFAULT_RECORDS,
    JsonOption,
    RecordsOption,
    ago,
    connected,
    print_json,
    utc_now,
    with_broker,
)
from cloud_trainer.cli.signals import until_told
from cloud_trainer.fleet.devices import HeardDevice
from cloud_trainer.fleet.link import BrokerAddress
from cloud_trainer.fleet.records import FleetRecords, UpdateEnd
from cloud_trainer.rollout.running import open_records
from models.delivery import CategoryStatus

_GIB = 2.0**30

app = typer.Typer(no_args_is_help=True, help="What the devices say of themselves.")


def register(parent: typer.Typer) -> None:
    """Add the commands to ``walkout-trainer``."""
    parent.add_typer(app, name="fleet")


@app.command("list")
@plain_errors
@with_broker
def list_command(
    records: RecordsOption = DEFAULT_RECORDS,
    live: Annotated[bool, typer.Option("--live", help="Stay, and show what changes.")] = False,
    retired: Annotated[bool, typer.Option("--retired", help="Retired devices too.")] = False,
    as_json: JsonOption = False,
    *,
    address: BrokerAddress | None,
) -> None:
    """List the devices: live from the broker where one is given, else as last heard."""
    with connected(address) as link, open_records(records) as file:
        fleet = FleetRecords(file)
        if link:
            link.collect()
            fleet.hear(*link.take())
        if as_json:
            devices = fleet.devices(retired_too=retired)
            print_json([_document(device) for device in devices.values()])
            return
        console = Console(highlight=False)
        if not live:
            console.print(_table(fleet, retired))
            return
        stop = until_told()
        with Live(_table(fleet, retired), console=console) as shown:
            while not stop.wait(1.0):
                if link:
                    fleet.hear(*link.take())
                shown.update(_table(fleet, retired))


@app.command("show")
@plain_errors
@with_broker
def show_command(
    device: Annotated[str, typer.Argument(help="Id of the device.")],
    records: RecordsOption = DEFAULT_RECORDS,
    as_json: JsonOption = False,
    *,
    address: BrokerAddress | None,
) -> None:
    """Show one device: what it runs, what it refused and why, how its updates ended."""
    with connected(address) as link, open_records(records) as file:
        fleet = FleetRecords(file)
        if link:
            link.collect()
            fleet.hear(*link.take())
        found = fleet.devices(retired_too=True).get(device)
        if found is None:
            fail(f"no device {device} was ever heard; see 'walkout-trainer fleet list'")
        ends = fleet.ends(device)
    if as_json:
        print_json(_document(found) | {"ends": [_end(end) for end in ends]})
        return
    Console(highlight=False).print(_shown(found, ends))


@app.command("retire")
@plain_errors
def retire_command(
    device: Annotated[str, typer.Argument(help="Id of the device.")],
    records: RecordsOption = DEFAULT_RECORDS,
    undo: Annotated[bool, typer.Option("--undo", help="Take it in again.")] = False,
) -> None:
    """Leave a device that is no longer in use out of lists and rollouts."""
    with open_records(records) as file:
        if not FleetRecords(file).retire(device, retired=not undo):
            fail(f"no device {device} was ever heard; see 'walkout-trainer fleet list'")
    typer.echo(f"{device} is {'in use again' if undo else 'retired'}; revoke its certificate too")


def _document(device: HeardDevice) -> dict[str, object]:
    return {
        "heard_at": device.heard_at.isoformat(),
        "status": device.status.model_dump(mode="json"),
    }


def _end(end: UpdateEnd) -> dict[str, object]:
    return {
        "category": end.category,
        "release": end.release,
        "outcome": end.outcome,
        "kind": end.kind,
        "reason": end.reason,
        "at": end.at.isoformat(),
    }


def _table(fleet: FleetRecords, retired: bool) -> Group:
    devices = fleet.devices(retired_too=retired)
    table = Table()
    for heading in ("device", "", "heard", "category", "serves", "state", "decided", "why"):
        table.add_column(heading, overflow="fold")
    now = utc_now()
    for name, device in devices.items():
        for number, agent in enumerate(device.status.agents or (None,)):
            first = number == 0
            table.add_row(
                escape(name) if first else "",
                _presence(device) if first else "",
                ago(device.heard_at, now) if first else "",
                *_agent_cells(agent),
            )
    online = sum(device.status.online for device in devices.values())
    return Group(table, f"{len(devices)} devices, {online} online")


def _agent_cells(agent: CategoryStatus | None) -> tuple[str, ...]:
    if agent is None:
        return ("", "", "", "", "")
    state = agent.state.replace("_", " ")
    if agent.target_release is not None:
        state += f" {agent.percent:.0f} % of {agent.target_release}"
    refused = "; ".join(f"not {each.release}: {each.reason}" for each in agent.quarantined)
    return (
        escape(agent.category),
        _serves(agent),
        state,
        f"{agent.accepts} / {agent.reviews} / {agent.rejects}",
        escape(agent.reason or refused),
    )


def _serves(agent: CategoryStatus) -> str:
    return "as shipped" if agent.serving_release is None else str(agent.serving_release)


def _presence(device: HeardDevice) -> str:
    return "[green]online[/]" if device.status.online else "[red]offline[/]"


def _shown(device: HeardDevice, ends: tuple[UpdateEnd, ...]) -> Group:
    status, now = device.status, utc_now()
    facts = Table(box=None, show_header=False)
    for word, value in (
        ("device", escape(status.device_id)),
        ("", _presence(device)),
        ("heard", ago(device.heard_at, now)),
        ("its time", _time(status.sent_at)),
        ("starts", str(status.boot)),
        ("Walkout", escape(status.walkout_version)),
        ("free on disk", f"{status.disk_free_bytes / _GIB:.1f} GiB"),
    ):
        facts.add_row(word, value)
    agents = Table("category", "serves", "state", "accept / review / reject", "why")
    for agent in status.agents:
        agents.add_row(*_agent_cells(agent))
    history = Table("when", "category", "release", "ended", "why")
    for end in ends:
        outcome = end.outcome.replace("_", " ") + (f" ({end.kind})" if end.kind else "")
        history.add_row(
            _time(end.at), escape(end.category), str(end.release), outcome, escape(end.reason)
        )
    return Group(facts, agents, history)


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")
