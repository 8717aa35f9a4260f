"""``walkout-trainer rollout``: which devices take a release, step by step."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.live import Live
from rich.markup import escape

from cloud_trainer.cli.errors import complain, plain_errors
from cloud_trainer.cli.fleet_options import (
    DEFAULT_RECORDS,
    JsonOption,
    RecordsOption,
    StoreOption,
    connected,
    print_json,
    required,
    seconds,
    utc_now,
    with_broker,
)
from cloud_trainer.cli.keys import KeyFoldersOption, key_ring
from cloud_trainer.cli.rollout_course import gate as parsed_gate
from cloud_trainer.cli.rollout_course import percents, rings
from cloud_trainer.cli.rollout_view import document, tables
from cloud_trainer.cli.signals import until_told
from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.fleet.link import BrokerAddress, FleetLink
from cloud_trainer.publishing import Repository
from cloud_trainer.rollout.course import Course, DecisionGate, FailureGate, Gates, make_steps
from cloud_trainer.rollout.running import Rollouts, open_records
from cloud_trainer.rollout.signing import RepositorySigner
from cloud_trainer.rollout.state import Rollout
from cloud_trainer.store import open_store
from models.bundle.manifest import first_complaint

CategoryOption = Annotated[str, typer.Option(help="The category.")]

_Change = Callable[[Rollouts, str, str], Rollout]

app = typer.Typer(no_args_is_help=True, help="Roll a release out in growing steps.")


def register(parent: typer.Typer) -> None:
    """Add the commands to ``walkout-trainer``."""
    parent.add_typer(app, name="rollout")


@app.command("start")
@plain_errors
@with_broker
def start_command(
    category: CategoryOption,
    release: Annotated[int, typer.Option(help="Number of the release, as published.")],
    store: StoreOption,
    keys: KeyFoldersOption,
    records: RecordsOption = DEFAULT_RECORDS,
    ring: Annotated[
        list[str] | None,
        typer.Option(help="NAME=DEVICE,DEVICE: a step of named devices, before the shares."),
    ] = None,
    steps: Annotated[str, typer.Option(help="Shares of all devices, in %.")] = "1,10,50,100",
    wait: Annotated[str, typer.Option(help="A step lasts at least so long: 90s, 15m, 1h.")] = "1h",
    under_way: Annotated[
        int | None, typer.Option(help="Let so many devices at a time into a step.")
    ] = None,
    max_failed_percent: Annotated[
        float, typer.Option(help="Pause above this share of failed devices ...")
    ] = 5.0,
    min_failed: Annotated[int, typer.Option(help="... once so many have failed.")] = 2,
    gate: Annotated[
        list[str] | None,
        typer.Option(
            help="KIND:PERCENT:COUNT:pause|abort, KIND being any, download, verify, build, "
            "self_test, shadow, watch, disk or start: another gate on failures."
        ),
    ] = None,
    success_percent: Annotated[
        float, typer.Option(help="Share of the devices heard that must serve it to go on.")
    ] = 90.0,
    max_unknown_percent: Annotated[
        float, typer.Option(help="Above this share of silent devices a step is not judged.")
    ] = 50.0,
    silent_after: Annotated[
        str, typer.Option(help="A device not heard for so long is unknown.")
    ] = "15m",
    worse_points: Annotated[
        float,
        typer.Option(help="Percentage points by which decisions may be worse than before."),
    ] = 3.0,
    min_decisions: Annotated[
        int, typer.Option(help="Decisions of both releases before they are compared.")
    ] = 200,
    as_json: JsonOption = False,
    *,
    address: BrokerAddress | None,
) -> None:
    """Begin to roll a release out; 'rollout run' carries it on."""
    try:
        course = Course(
            steps=make_steps(rings(ring or []), percents(steps)),
            gates=Gates(
                failures=(
                    FailureGate(max_percent=max_failed_percent, min_failed=min_failed),
                    *map(parsed_gate, gate or []),
                ),
                decisions=DecisionGate(margin_points=worse_points, min_decisions=min_decisions),
                success_percent=success_percent,
                max_unknown_percent=max_unknown_percent,
                silent_after_s=seconds(silent_after, "--silent-after"),
            ),
            wait_s=seconds(wait, "--wait"),
            max_under_way=under_way,
        )
    except ValidationError as err:
        raise WalkoutTrainerError(f"{first_complaint(err)}; correct the options") from err
    with _rollouts(store, keys, records, address) as rollouts:
        _tell(rollouts.start(category, release, course), as_json)


@app.command("run")
@plain_errors
@with_broker
def run_command(
    store: StoreOption,
    keys: KeyFoldersOption,
    records: RecordsOption = DEFAULT_RECORDS,
    every: Annotated[str, typer.Option(help="Look again after so long.")] = "5s",
    name: Annotated[
        str, typer.Option(help="Our name at the broker; one of each name runs.")
    ] = "cloud.trainer.rollouts",
    *,
    address: BrokerAddress | None,
) -> None:
    """Watch the fleet and carry rollouts on; may be killed and started again."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    every_s = seconds(every, "--every")
    stop = until_told()
    own = replace(required(address), client_id=name, keeps_session=True)
    with FleetLink(own, utc_now) as link, open_records(records) as file:
        rollouts = Rollouts(file, _signer(store, keys), link, utc_now)
        announced = False
        while not stop.is_set():
            rollouts.hear(*link.take())
            if link.is_connected and not announced:
                rollouts.announce_again()
            announced = link.is_connected
            for category in rollouts.categories():
                try:
                    for action in rollouts.look(category):
                        typer.echo(f"{category}: {action.kind.replace('_', ' ')}: {action.reason}")
                except WalkoutTrainerError as err:
                    complain(f"{category}: {err}")
            stop.wait(every_s)


@app.command("status")
@plain_errors
@with_broker
def status_command(
    store: StoreOption,
    keys: KeyFoldersOption,
    category: Annotated[str | None, typer.Option(help="One category; all by default.")] = None,
    records: RecordsOption = DEFAULT_RECORDS,
    live: Annotated[bool, typer.Option("--live", help="Stay, and show what changes.")] = False,
    as_json: JsonOption = False,
    *,
    address: BrokerAddress | None,
) -> None:
    """Say how rollouts stand; nothing is changed."""
    with connected(address) as link, open_records(records) as file:
        rollouts = Rollouts(file, _signer(store, keys), None, utc_now)
        if link:
            link.collect()
            rollouts.hear(*link.take())
        wanted = (category,) if category else rollouts.categories()
        if as_json:
            print_json([document(rollouts.overview(each)) for each in wanted])
            return
        console = Console(highlight=False)
        if not live:
            console.print(tables(rollouts, wanted))
            return
        stop = until_told()
        with Live(tables(rollouts, wanted), console=console) as shown:
            while not stop.wait(1.0):
                if link:
                    rollouts.hear(*link.take())
                shown.update(tables(rollouts, wanted))


def _add_change(name: str, words: str, usual: str, change: _Change) -> None:
    """Add a command that changes the latest rollout of a category, for a reason."""

    @app.command(name, help=words)
    @plain_errors
    @with_broker
    def change_command(
        category: CategoryOption,
        store: StoreOption,
        keys: KeyFoldersOption,
        records: RecordsOption = DEFAULT_RECORDS,
        reason: Annotated[str, typer.Option(help="Why, for those who look later.")] = usual,
        as_json: JsonOption = False,
        *,
        address: BrokerAddress | None,
    ) -> None:
        with _rollouts(store, keys, records, address) as rollouts:
            _tell(change(rollouts, category, reason), as_json)


_add_change(
    "pause",
    "Let no further device in; those that have the release keep it.",
    "paused by a person",
    Rollouts.pause,
)
_add_change(
    "resume",
    "Go on after a pause; what has failed by now is borne.",
    "resumed by a person",
    Rollouts.resume,
)
_add_change(
    "abort",
    "End an unfinished rollout: devices that have the release go back.",
    "aborted by a person",
    Rollouts.abort,
)
_add_change(
    "rollback",
    "Take the latest rollout back from the whole fleet, also when it was finished.",
    "rolled back by a person",
    Rollouts.roll_back,
)


@app.command("retry")
@plain_errors
@with_broker
def retry_command(
    category: CategoryOption,
    store: StoreOption,
    keys: KeyFoldersOption,
    devices: Annotated[
        list[str] | None, typer.Argument(metavar="DEVICE", help="Some of the failed ones.")
    ] = None,
    records: RecordsOption = DEFAULT_RECORDS,
    as_json: JsonOption = False,
    *,
    address: BrokerAddress | None,
) -> None:
    """Let the devices that failed, and no others, try once more."""
    with _rollouts(store, keys, records, address) as rollouts:
        _tell(rollouts.retry(category, tuple(devices or ())), as_json)


def _signer(store: str, keys: list[Path]) -> RepositorySigner:
    return RepositorySigner(Repository(open_store(store), key_ring(keys)), utc_now)


@contextmanager
def _rollouts(
    store: str, keys: list[Path], records: Path, address: BrokerAddress | None
) -> Iterator[Rollouts]:
    with connected(address) as link, open_records(records) as file:
        yield Rollouts(file, _signer(store, keys), link, utc_now)


def _tell(rollout: Rollout, as_json: bool) -> None:
    if as_json:
        print_json(rollout.model_dump(mode="json"))
        return
    Console(soft_wrap=True, highlight=False).print(
        f"release {rollout.release} of {escape(rollout.category)}: "
        f"{rollout.status.replace('_', ' ')}, {escape(rollout.reason)}"
    )
