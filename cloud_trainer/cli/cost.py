"""``walkout-trainer cost``: what a walk-out shop costs, beside cashiers and self-checkout."""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cloud_trainer.cli.errors import plain_errors
from cloud_trainer.cli.fleet_options import JsonOption, print_json
from cloud_trainer.cost.assumptions import Assumptions
from cloud_trainer.cost.measured import Measurements
from cloud_trainer.cost.reading import read_assumptions, template
from cloud_trainer.cost.reckoning import Reckoning, reckon
from cloud_trainer.cost.sensitivity import BreakEven
from cloud_trainer.fleet.devices import DecisionCounts
from cloud_trainer.fleet.records import FleetRecords
from cloud_trainer.rollout.running import open_records
from models.bundle import Bundle, open_bundle

_DOMINATING = 8


def register(parent: typer.Typer) -> None:
    """Add the command to ``walkout-trainer``."""
    parent.command("cost")(cost_command)


@plain_errors
def cost_command(
    assumptions: Annotated[
        Path | None, typer.Option(help="YAML file with figures of your own; see --template.")
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option(
            envvar="WALKOUT_FLEET_RECORDS", help="Fleet whose decisions stand in for defaults."
        ),
    ] = None,
    bundle: Annotated[
        list[Path] | None,
        typer.Option(help="Bundle whose size and training stand in for defaults; may be repeated."),
    ] = None,
    as_template: Annotated[
        bool, typer.Option("--template", help="Print a file of all figures, with their sources.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Reckon what a shop costs in a year, what dominates, and where it turns."""
    assumed = Assumptions() if assumptions is None else read_assumptions(assumptions)
    if as_template:
        typer.echo(template(assumed), nl=False)
        return
    reckoning = reckon(assumed, _measured(records, bundle or []))
    if as_json:
        print_json(reckoning.document())
        return
    console = Console(highlight=False)
    for table in (_ways(reckoning), _changes(reckoning), _dominating(reckoning), _turns(reckoning)):
        console.print(table)
    console.print(_remark(reckoning))


def _measured(records: Path | None, bundles: list[Path]) -> Measurements:
    """What a fleet's record and bundles say."""
    counts = DecisionCounts()
    if records is not None and records.exists():
        with open_records(records) as file:
            for device in FleetRecords(file).devices().values():
                for agent in device.status.agents:
                    counts += DecisionCounts(agent.accepts, agent.reviews, agent.rejects)
    opened = [open_bundle(path) for path in bundles]
    trained = [float(s) for each in opened if (s := each.manifest.evaluation.get("training_s"))]
    return Measurements(
        decisions=counts.total,
        reviews=counts.reviews,
        network_bytes=fmean(map(_size_bytes, opened)) if opened else None,
        training_s=fmean(trained) if trained else None,
    )


def _size_bytes(bundle: Bundle) -> int:
    return sum(each.size_bytes for each in bundle.manifest.files.values())


def _ways(reckoning: Reckoning) -> Table:
    table = Table(title=f"One shop, one year, {reckoning.currency}")
    table.add_column("")
    for way in reckoning.ways:
        table.add_column(_words(way.name), justify="right")
    parts = dict.fromkeys(part for way in reckoning.ways for part in way.parts)
    for part in parts:
        table.add_row(
            _words(part),
            *(f"{way.parts[part]:,.0f}" if part in way.parts else "" for way in reckoning.ways),
        )
    table.add_section()
    table.add_row("a year", *(f"{way.per_year:,.0f}" for way in reckoning.ways))
    table.add_row("a checkout", *(f"{way.per_checkout:.4f}" for way in reckoning.ways))
    table.add_row("of turnover", *(f"{way.share_of_turnover:.1%}" for way in reckoning.ways))
    return table


def _changes(reckoning: Reckoning) -> Table:
    table = Table("part", "", title=f"One product change, in all shops, {reckoning.currency}")
    for part, amount in reckoning.product_change.items():
        table.add_row(_words(part), f"{amount:.4f}")
    table.add_section()
    table.add_row("together", f"{reckoning.product_change_total:.4f}")
    return table


def _dominating(reckoning: Reckoning) -> Table:
    table = Table("figure", "from", "to", "a year costs", title="What dominates the walk-out shop")
    for swing in reckoning.swings["walkout"][:_DOMINATING]:
        table.add_row(
            _words(swing.path),
            f"{swing.low:g}",
            f"{swing.high:g}",
            f"{swing.at_low:,.0f} to {swing.at_high:,.0f}",
        )
    return table


def _turns(reckoning: Reckoning) -> Table:
    table = Table("figure", "now", "against", "cheaper", title="Where the walk-out shop is cheaper")
    for turn in reckoning.turns:
        table.add_row(_words(turn.path), f"{turn.value:g}", _words(turn.against), _turned(turn))
    return table


def _turned(turn: BreakEven) -> str:
    return turn.cheaper if turn.at is None else f"{turn.cheaper} {turn.at:,.4g}"


def _remark(reckoning: Reckoning) -> str:
    kinds = [figure.kind for figure in reckoning.figures]
    edited = sum(figure.is_edited for figure in reckoning.figures)
    return (
        f"{kinds.count('measured')} figures measured, {kinds.count('published')} published, "
        f"{kinds.count('assumption')} assumed, {edited} yours: --template has every source"
    )


def _words(path: str) -> str:
    return path.rpartition(".")[2].replace("_", " ")
