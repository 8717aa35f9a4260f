"""``walkout-trainer pipeline``: approved products go out and drifting categories are retrained."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cloud_trainer.cli.errors import complain, plain_errors
from cloud_trainer.cli.fleet_options import (
    DEFAULT_RECORDS,
    JsonOption,
    RecordsOption,
    StoreOption,
    ago,
    connected,
    print_json,
    seconds,
    utc_now,
    with_broker,
)
from cloud_trainer.cli.keys import KeyFoldersOption, key_ring
from cloud_trainer.cli.signals import until_told
from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.executors import Executor, LocalExecutor
from cloud_trainer.fleet.link import BrokerAddress
from cloud_trainer.pipeline.crops import LabelledEvents
from cloud_trainer.pipeline.folder import FolderProducts
from cloud_trainer.pipeline.seams import CategoryProgress, CropsStatus, RunKind, RunProgress
from cloud_trainer.pipeline.settings import PipelineSettings, read_settings
from cloud_trainer.pipeline.shops import ShopAddress, collect, read_shops
from cloud_trainer.pipeline.view import PipelineView
from cloud_trainer.publishing import Repository
from cloud_trainer.rollout.running import Rollouts, open_records
from cloud_trainer.rollout.signing import RepositorySigner
from cloud_trainer.store import open_store

FolderOption = Annotated[
    Path, typer.Option(envvar="WALKOUT_PIPELINE", help="The pipeline's own folder.")
]
DEFAULT_FOLDER = Path("pipeline")

app = typer.Typer(no_args_is_help=True, help="Let approved products go out by themselves.")


def register(parent: typer.Typer) -> None:
    """Add the commands to ``walkout-trainer``."""
    parent.add_typer(app, name="pipeline")


@app.command("run")
@plain_errors
@with_broker
def run_command(
    products: Annotated[
        Path, typer.Argument(help="Catalogue, folder or CSV: what lies in it is approved.")
    ],
    store: StoreOption,
    keys: KeyFoldersOption,
    folder: FolderOption = DEFAULT_FOLDER,
    records: RecordsOption = DEFAULT_RECORDS,
    settings: Annotated[
        Path | None, typer.Option(help="YAML with bounds, rules and rings; see docs/pipeline.md.")
    ] = None,
    shops: Annotated[
        Path | None, typer.Option(help="YAML list of shops to fetch labelled crops from.")
    ] = None,
    one_category: Annotated[
        str | None, typer.Option(help="All products are of this category.")
    ] = None,
    executor: Annotated[
        Literal["local", "ray"], typer.Option(help="Where trainings run.")
    ] = "local",
    workers: Annotated[int, typer.Option(min=1, help="Categories trained at a time.")] = 1,
    ray_address: Annotated[
        str | None, typer.Option(help="Ray cluster, such as auto; one of this machine by default.")
    ] = None,
    every: Annotated[str, typer.Option(help="Look again after so long.")] = "5s",
    once: Annotated[bool, typer.Option("--once", help="End after one pass.")] = False,
    *,
    address: BrokerAddress | None,
) -> None:
    """Watch products and shops and do what follows; may be killed and started again.

    Devices are heard by `rollout run`, which keeps the same records.
    """
    from cloud_trainer.pipeline.running import Pipeline  # brings ONNX Runtime and SciPy

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    chosen = read_settings(settings) if settings else PipelineSettings()
    addresses = read_shops(shops) if shops else ()
    keeper = FolderProducts(products, one_category)
    every_s, stop = seconds(every, "--every"), until_told()
    repository = Repository(open_store(store), key_ring(keys))
    with (
        connected(address) as link,
        open_records(records) as file,
        _executor(executor, workers, ray_address) as place,
    ):
        rollouts = Rollouts(file, RepositorySigner(repository, utc_now), link, utc_now)
        with Pipeline(folder, keeper, repository, rollouts, chosen, place, utc_now) as pipeline:
            while not stop.is_set():
                _collect(addresses, pipeline.events, chosen)
                pipeline.advance()
                if once or stop.wait(every_s):
                    break


@app.command("status")
@plain_errors
def status_command(folder: FolderOption = DEFAULT_FOLDER, as_json: JsonOption = False) -> None:
    """Say what each category is doing, why, and what is next."""
    with _view(folder) as view:
        categories = view.categories()
    if as_json:
        print_json([asdict(each) | {"looked_at": each.looked_at.isoformat()}
                    for each in categories])  # fmt: skip
        return
    console = Console(highlight=False)
    table = Table("category", "serves", "products", "doing", "verified events", "looked at")
    for each in categories:
        table.add_row(*map(escape, _row(each)))
    console.print(table)
    for each in categories:
        console.print(f"{escape(each.category)}: {escape(each.reason)}", soft_wrap=True)
        console.print(f"  next: {escape(each.following)}", soft_wrap=True)


@app.command("explain")
@plain_errors
def explain_command(
    category: Annotated[str, typer.Argument(help="The category.")],
    run: Annotated[int | None, typer.Option(help="A run; the latest ones by default.")] = None,
    folder: FolderOption = DEFAULT_FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Say why runs of a category were begun, and what came of each step."""
    with _view(folder) as view:
        runs = (view.run(run),) if run else view.runs(category, limit=5)
    if as_json:
        print_json([_document(each) for each in runs])
        return
    console = Console(highlight=False, soft_wrap=True)
    if not runs:
        console.print(f"{escape(category)} has had no run")
    for each in runs:
        console.print(f"[bold]run {each.number}[/], {each.kind}: {escape(each.reason)}")
        for step in each.steps:
            tries = f" (attempt {step.attempts})" if step.attempts > 1 else ""
            word = step.status.replace("_", " ")
            console.print(f"  {step.name}: {word}{tries}. {escape(step.reason)}")
        console.print(f"  {each.status.replace('_', ' ')}: {escape(each.outcome)}")


@app.command("crops")
@plain_errors
def crops_command(
    approve: Annotated[
        bool, typer.Option("--approve", help="Let them be learned from and compared on.")
    ] = False,
    refuse: Annotated[bool, typer.Option("--refuse", help="Let them count for nothing.")] = False,
    by: Annotated[str, typer.Option(help="Who says so.")] = "",
    event: Annotated[
        list[str] | None, typer.Option(help="SHOP/EVENT; every waiting one by default.")
    ] = None,
    category: Annotated[str | None, typer.Option(help="Of one category.")] = None,
    folder: FolderOption = DEFAULT_FOLDER,
    as_json: JsonOption = False,
) -> None:
    """List labelled events that wait for approval, approve or refuse them."""
    if approve and refuse:
        raise WalkoutTrainerError("give either --approve or --refuse")
    if (approve or refuse) and not by:
        raise WalkoutTrainerError("say who decides: --by NAME")
    with _view(folder) as view:
        waiting = view.crops(category, status="waiting", limit=100_000)
        names = [_event_name(each) for each in event or []] or [
            (each.shop, each.event_id) for each in waiting
        ]
        if approve or refuse:
            decide = view.approve_crops if approve else view.refuse_crops
            typer.echo(f"{decide(names, by)} events {'approved' if approve else 'refused'}")
            return
    if as_json:
        print_json([{"shop": e.shop, "event_id": e.event_id, "category": e.category, "sku": e.sku,
                     "recognised_sku": e.recognised_sku, "reviewer": e.reviewer,
                     "crops": [str(path) for path in e.crops]} for e in waiting])  # fmt: skip
        return
    for each in waiting:
        shown = each.sku or "an object that is not sold"
        typer.echo(f"{each.shop}/{each.event_id}  {each.category}  {shown}, "
                   f"taken for {each.recognised_sku}  {each.crops[0]}")  # fmt: skip


@app.command("retry")
@plain_errors
def retry_command(
    category: Annotated[str, typer.Argument(help="The category.")],
    kind: Annotated[RunKind, typer.Option(help="Which of its runs.")] = "enrol",
    sku: Annotated[str | None, typer.Option(help="A product that was refused.")] = None,
    folder: FolderOption = DEFAULT_FOLDER,
) -> None:
    """Let what was stopped, has failed or was refused be tried once more."""
    with _view(folder) as view:
        if sku is not None:
            view.try_product_again(sku)
        elif not view.try_again(category, kind):
            raise WalkoutTrainerError(f"{category} has no run of this kind that has ended")
    typer.echo("tried again at the next look")


def _executor(kind: str, workers: int, ray_address: str | None) -> Executor:
    if kind == "local":
        return LocalExecutor(workers)
    from cloud_trainer.executors.on_ray import RayExecutor  # needs the extra `ray`

    return RayExecutor(workers, address=ray_address)


def _collect(
    shops: tuple[ShopAddress, ...], events: LabelledEvents, settings: PipelineSettings
) -> None:
    status: CropsStatus = "approved" if settings.crops == "at_once" else "waiting"
    for shop in shops:
        try:
            if new := collect(shop, events, status):
                typer.echo(f"{shop.name}: {new} labelled events taken in")
        except WalkoutTrainerError as err:
            complain(str(err))


def _view(folder: Path) -> PipelineView:
    if not folder.is_dir():
        raise WalkoutTrainerError(f"no pipeline has worked in {folder}; name its folder")
    return PipelineView(folder)


def _event_name(text: str) -> tuple[str, str]:
    shop, separator, event_id = text.partition("/")
    if not separator or not shop or not event_id:
        raise WalkoutTrainerError(f"--event: {text!r} is no event; write SHOP/EVENT")
    return shop, event_id


def _row(each: CategoryProgress) -> tuple[str, ...]:
    return (
        each.category,
        f"release {each.release} ({each.bundle_version})" if each.release else "nothing",
        f"{each.products}, {each.enrolled} enrolled",
        each.doing.replace("_", " "),
        f"{each.verified_wrong} of {each.verified_events} wrong",
        ago(each.looked_at, utc_now()),
    )


def _document(run: RunProgress) -> dict[str, object]:
    document = asdict(run)
    for part in (document, *document["steps"]):
        for name in ("began_at", "ended_at", "not_before"):
            if part.get(name) is not None:
                part[name] = part[name].isoformat()
    return document
