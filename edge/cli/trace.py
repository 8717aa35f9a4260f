"""``walkout-edge trace``: the way of a line, from the camera's frame to the receiver."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.checkout.entries import Entry, entry_from_content
from edge.cli.errors import fail, plain_errors
from edge.config_file import load_config
from edge.shop.replay import LEDGER_NAME
from edge.tracing import MessageState, Step, events_named, steps_of, trace_id

_PLAIN_WIDTH = 160


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("trace")(trace)


@plain_errors
def trace(
    store: Annotated[Path, typer.Argument(metavar="STORE.YAML", help="The shop, or its folder.")],
    asked: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="A trace, or the id of a line, event, review, session or receipt."
        ),
    ],
    state: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the ledger instead of the file's."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show the way of a line: frame, pictures, event, decision, receipt, and who has been told.

    Reads beside a shop at work and disturbs nothing.
    """
    file = store / "store.yaml" if store.is_dir() else store
    config = load_config(file)
    ledger = (state or file.parent / config.state) / LEDGER_NAME
    if not ledger.is_file():
        fail(f"there is no ledger at {ledger}; name the folder of the device with --state")
    entries, messages = _read(ledger)
    events = events_named(asked, config.store.id, entries)
    if not events:
        fail(f"the ledger knows nothing of {asked}; take an id from a receipt or an event")
    found = {name: steps_of(name, entries, messages) for name in events}
    if as_json:
        document: list[dict[str, Any]] = [
            {
                "trace": trace_id(config.store.id, name),
                "event": name,
                "steps": [asdict(step) for step in steps],
            }
            for name, steps in found.items()
        ]
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=_PLAIN_WIDTH)
    for name, steps in found.items():
        console.print(Text(f"trace {trace_id(config.store.id, name)}", style="bold"))
        console.print(_table(steps))


def _read(ledger: Path) -> tuple[tuple[Entry, ...], tuple[MessageState, ...]]:
    """All entries and messages, read beside the device that writes them."""
    try:
        with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT content, wall_time_s FROM ledger ORDER BY sequence")
            entries = tuple(entry_from_content(content, at_s) for content, at_s in rows)
            query = "SELECT message_id, receiver, body, state, ended_at_s FROM outbox"
            messages = tuple(MessageState(*row) for row in connection.execute(query))
    except (sqlite3.Error, ValueError) as err:
        fail(f"ledger {ledger} cannot be read: {err}")
    return entries, messages


def _table(steps: Sequence[Step]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for step in steps:
        table.add_row("  " + step.stage, _moment(step.at_s), Text(step.name), Text(step.words))
    return table


def _moment(at_s: float | None) -> str:
    if at_s is None:
        return ""
    at = datetime.fromtimestamp(at_s, timezone.utc)
    return at.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")
