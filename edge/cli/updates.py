"""``walkout-edge updates``: how updates stand on this device, and the agent as a process alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from edge.cameras.clock import SystemClock
from edge.cli.errors import complain, plain_errors
from edge.cli.logs import log_to_stderr
from edge.rehearsal import rehearsed
from edge.updates.assembly import Updates, install
from edge.updates.live import PointerOnly
from edge.updates.settings_file import load_update_settings
from edge.updates.status import read_status
from edge.workers import Crew
from models.bundle import open_bundle
from models.delivery import CategoryStatus

_CHECKS_EVERY_S: Final = 0.1
_ENDS_WITHIN_S: Final = 10.0
_STUCK: Final = 3
_LITTLE_ROOM: Final = 1

_commands = typer.Typer(help="Bundles that come to the device by themselves.")

_Config = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG", help="YAML with the agent's settings, alone or under 'updates'."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(_commands, name="updates")


@_commands.command("status")
@plain_errors
def show_status(
    config: _Config,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what serves, what is being done, and what failed here."""
    settings = load_update_settings(config)
    found = read_status(config.parent / settings.folder)
    if as_json:
        typer.echo(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
    else:
        Console().print(_table(settings.device_id, found))


@_commands.command("agent")
@plain_errors
def run_agent(
    config: _Config,
    bundles: Annotated[
        list[Path] | None,
        typer.Option("--bundle", help="Bundle that serves until a release does; repeatable."),
    ] = None,
    for_s: Annotated[
        float | None, typer.Option("--for", metavar="SECONDS", help="Stop after so long.")
    ] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log JSON lines.")] = False,
) -> None:
    """Keep releases on this device up to date; whoever decides with them reads serving.json."""
    log_to_stderr(log_json)
    settings, clock, line = load_update_settings(config), SystemClock(), PointerOnly()
    configured = [open_bundle(path) for path in bundles or ()]
    installation = install(settings, config.parent, configured, clock)
    try:
        for bundle in installation.open_bundles():
            line.serve(bundle)
        updates = Updates(settings, config.parent, installation, line, clock, os.environ)
        problem = _work(Crew(updates.workers(), time.monotonic), for_s)
    finally:
        installation.close()
    if problem is not None:
        complain(f"{problem}; what serves is safe, start again")
        raise typer.Exit(_STUCK)


@_commands.command("rehearse")
@plain_errors
def rehearse(
    store: Annotated[Path, typer.Argument(metavar="STORE.YAML", help="The shop, or its folder.")],
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="DIR", help="Folder of the ledger instead of the file's."),
    ] = None,
) -> None:
    """Open all that a start of this shop needs, and start nothing.

    A release of the software is asked this before it is ever started: the configuration and what it
    names, the networks of the bundles that serve with their golden crops, the ledger. A shop may
    run meanwhile.
    """
    file = store / "store.yaml" if store.is_dir() else store
    typer.echo(rehearsed(file, state))


@_commands.command("room")
@plain_errors
def room(
    store: Annotated[Path, typer.Argument(metavar="STORE.YAML", help="The shop, or its folder.")],
    at_least: Annotated[
        float, typer.Option("--at-least", min=0, max=100, metavar="PERCENT", help="Of the disk.")
    ] = 10.0,
) -> None:
    """Say how much room the shop's disk has; ends with 1 where it is less than is asked for."""
    folder = store if store.is_dir() else store.parent
    disk = shutil.disk_usage(folder)
    percent = 100.0 * disk.free / disk.total
    typer.echo(f"{folder}: {disk.free / 1e9:.1f} GB of {disk.total / 1e9:.1f} are free")
    if percent < at_least:
        complain(f"only {percent:.1f} % of the disk are free, {at_least:g} % are asked for")
        raise typer.Exit(_LITTLE_ROOM)


def _work(crew: Crew, for_s: float | None) -> str | None:
    """Let the crew work until told to stop; why it should be started again, or ``None``."""
    told = threading.Event()
    before = {
        each: signal.signal(each, lambda *_: told.set()) for each in (signal.SIGTERM, signal.SIGINT)
    }
    ends_at_s = float("inf") if for_s is None else time.monotonic() + for_s
    crew.start()
    try:
        while crew.failed is None and time.monotonic() < ends_at_s:
            if told.wait(_CHECKS_EVERY_S):
                break
            crew.check()
        return crew.failed
    finally:
        crew.stop(_ENDS_WITHIN_S)
        for each, handler in before.items():
            signal.signal(each, handler)


def _table(device_id: str, found: Sequence[CategoryStatus]) -> Table:
    table = Table(title=f"Updates of {device_id}")
    for column in ("category", "serves", "before", "state", "to", "decided", "why"):
        table.add_column(column, overflow="fold")
    for each in found:
        state = each.state.replace("_", " ")
        shown = f"{state} {each.percent:.0f} %" if 0 < each.percent < 100 else state
        table.add_row(
            each.category,
            _release(each.serving_release),
            _release(each.previous_release),
            shown,
            "" if each.target_release is None else str(each.target_release),
            f"{each.accepts} / {each.reviews} / {each.rejects}",
            each.reason,
        )
        for failed in each.quarantined:
            table.add_row("", "", "", "quarantined", str(failed.release), "", failed.reason)
    return table


def _release(number: int | None) -> str:
    return "as configured" if number is None else str(number)
