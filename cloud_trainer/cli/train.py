"""``walkout-trainer train``: a catalogue of photos in, one bundle a category out."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from cloud_trainer.categories import read_categories
from cloud_trainer.category import CategoryJob
from cloud_trainer.cli.errors import plain_errors
from cloud_trainer.cli.outputs import require_writable
from cloud_trainer.cli.progress import photo_progress
from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.executors import Job, LocalExecutor, Outcome
from cloud_trainer.quality import SetAside, usable
from cloud_trainer.train import TrainingPlan
from models.bundle import Bundle, open_bundle
from models.catalogue import Catalogue, load_catalogue, with_categories
from models.decision import ErrorBudget
from models.embedder import Backbone

_WORK_FOLDER = ".training"


def register(app: typer.Typer) -> None:
    """Add the command to ``walkout-trainer``."""
    app.command("train")(train_command)


@plain_errors
def train_command(
    path: Annotated[Path, typer.Argument(help="Catalogue: folder or CSV.")],
    out: Annotated[Path, typer.Option(help="Folder for the bundles, one sub-folder a category.")],
    categories: Annotated[
        Path | None, typer.Option(help="CSV of sku,category, as `categories suggest` writes it.")
    ] = None,
    one_category: Annotated[
        str | None,
        typer.Option(help="Train all products as one category of this name."),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps a category.")] = (
        TrainingPlan.steps
    ),
    input_size_px: Annotated[int, typer.Option("--size", min=32, max=1024)] = 256,
    backbone: Annotated[str, typer.Option(help="efficientnet-lite0, -lite1 or -lite2.")] = (
        "efficientnet-lite2"
    ),
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Categories trained at a time.")] = 1,
    accepted_error: Annotated[
        float, typer.Option(help="Error budget: wrong among accepted at once.")
    ] = 0.01,
    rejected_error: Annotated[
        float, typer.Option(help="Error budget: known among rejected at once.")
    ] = 0.01,
    confidence: Annotated[
        float, typer.Option(help="One-sided confidence of both bounds.")
    ] = ErrorBudget().confidence,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit/--no-refit",
            help="Train once more over all photos after held-out scenes have judged.",
        ),
    ] = True,
    folds: Annotated[
        int,
        typer.Option(
            min=1, max=10, help="Trainings judged on held-out scenes: more certify smaller errors."
        ),
    ] = TrainingPlan().folds,
    tensorrt: Annotated[
        str, typer.Option(help="What TensorRT computes in: fp16, or int8 within a point of fp32.")
    ] = "fp16",
    licence: Annotated[
        str, typer.Option(help="Licence of the photos, kept in the bundle.")
    ] = "unstated",
    replace_existing: Annotated[
        bool, typer.Option("--replace", help="Replace bundles that are there already.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Train a bundle for each category. Run again after an interruption, it goes on."""
    if backbone not in get_args(Backbone):
        raise WalkoutTrainerError(
            f"no backbone {backbone!r}: choose one of {', '.join(get_args(Backbone))}"
        )
    if one_category is not None and (
        one_category.startswith(".") or Path(one_category).name != one_category
    ):
        raise WalkoutTrainerError(
            f"--one-category {one_category!r} cannot name a folder: "
            "leave out slashes and leading dots"
        )
    if tensorrt not in ("fp16", "int8"):
        raise WalkoutTrainerError(f"no precision {tensorrt!r} for TensorRT: choose fp16 or int8")
    started = time.monotonic()
    catalogue = load_catalogue(path)
    if categories is not None:
        catalogue = with_categories(catalogue, read_categories(categories, catalogue))
    console = Console(stderr=True)
    require_writable(out / _WORK_FOLDER / "writable")
    with photo_progress("judging photos", len(catalogue.photos)) as advance:
        catalogue, set_aside = usable(catalogue, advance)
    _report_set_aside(console, set_aside)
    catalogue = _with_photos(catalogue, console)
    plan = TrainingPlan()
    network = replace(plan.network, backbone=backbone, input_size_px=input_size_px)  # type: ignore[arg-type]
    int8 = replace(plan.int8, for_tensorrt=tensorrt == "int8")
    plan = replace(
        plan, network=network, steps=steps, seed=seed, folds=folds, refit=refit, int8=int8
    )
    budget = ErrorBudget(
        accepted_error=accepted_error, rejected_error=rejected_error, confidence=confidence
    )
    parts = (
        {one_category: catalogue}
        if one_category
        else {name: catalogue.of_category(name) for name in catalogue.categories}
    )
    jobs = [
        _job(name, part, plan, budget, out, licence, replace_existing)
        for name, part in parts.items()
        if replace_existing or not (out / name / "manifest.json").exists()
    ]
    outcomes = _run(jobs, workers, console)
    bundles = {
        name: open_bundle(out / name)
        for name in parts
        if not any(outcome.name == name and outcome.error for outcome in outcomes)
    }
    if not any(outcome.error for outcome in outcomes):
        shutil.rmtree(out / _WORK_FOLDER, ignore_errors=True)
    _print(bundles, outcomes, set_aside, time.monotonic() - started, as_json)
    if any(outcome.error for outcome in outcomes):
        raise typer.Exit(1)


def _job(
    name: str,
    part: Catalogue,
    plan: TrainingPlan,
    budget: ErrorBudget,
    out: Path,
    licence: str,
    replace_existing: bool,
) -> Job:
    job = CategoryJob(
        category=name,
        root=part.root,
        products=part.products,
        photos=part.photos,
        plan=plan,
        budget=budget,
        target=out / name,
        licence=licence,
        replace=replace_existing,
    )
    folder = out / _WORK_FOLDER / name
    return Job(name, "cloud_trainer.category", folder, job.to_json())


def _run(jobs: list[Job], workers: int, console: Console) -> list[Outcome]:
    """Run the jobs under one progress bar each."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[live]}"),
        console=console,
    ) as progress:
        bars: dict[str, TaskID] = {
            job.name: progress.add_task(f"{job.name}: waiting", total=1, live="") for job in jobs
        }
        phases: dict[str, object] = {}

        def watch(job: Job, live: Mapping[str, object]) -> None:
            if not live:
                return
            bar = bars[job.name]
            phase = live["phase"]
            if phases.get(job.name) != phase:
                phases[job.name] = phase
                progress.reset(bar, total=float(str(live["steps"])))
            progress.update(
                bar,
                description=f"{job.name}: {phase}",
                completed=float(str(live["step"])),
                total=float(str(live["steps"])),
                live=_live(live),
            )

        return LocalExecutor(workers).run(jobs, watch)


def _live(live: Mapping[str, object]) -> str:
    """The live figures of training in a few words."""
    words = [
        f"{label} {float(str(live[key])):{form}}"
        for key, label, form in (
            ("triplet", "triplet", ".3f"),
            ("arcface", "arcface", ".2f"),
            ("batch_accuracy", "batch", ".1%"),
            ("holdout_accuracy", "held out", ".1%"),
            ("photos_per_s", "photos/s", ".0f"),
        )
        if live.get(key) is not None
    ]
    return "  ".join(words)


def _with_photos(catalogue: Catalogue, console: Console) -> Catalogue:
    """The catalogue without products that have no photo to learn from, which are named."""
    seen = {photo.sku for photo in catalogue.photos if not photo.negative}
    empty = [product.sku for product in catalogue.products if product.sku not in seen]
    if empty:
        console.print(f"left out for want of a usable photo: {escape(', '.join(empty))}")
    return replace(
        catalogue,
        products=tuple(product for product in catalogue.products if product.sku in seen),
        photos=tuple(photo for photo in catalogue.photos if photo.sku in seen),
    )


def _report_set_aside(console: Console, set_aside: tuple[SetAside, ...]) -> None:
    if set_aside:
        console.print(
            f"{len(set_aside)} photos are set aside; "
            "`walkout-trainer catalogue check` says why for each"
        )


def _print(
    bundles: Mapping[str, Bundle],
    outcomes: list[Outcome],
    set_aside: tuple[SetAside, ...],
    seconds: float,
    as_json: bool,
) -> None:
    """The outcome, for a person or as JSON."""
    failed = {outcome.name: outcome.error for outcome in outcomes if outcome.error}
    if as_json:
        document = {
            "bundles": {
                name: {
                    "path": str(bundle.path),
                    "version": bundle.manifest.version,
                    "space_id": bundle.manifest.space_id,
                    "products": len(bundle.manifest.products),
                    "steps": bundle.manifest.provenance.steps,
                    "evaluation": bundle.manifest.evaluation,
                }
                for name, bundle in bundles.items()
            },
            "failed": failed,
            "set_aside": len(set_aside),
            "seconds": round(seconds, 1),
        }
        typer.echo(json.dumps(document, indent=2))
        return
    table = Table(title=f"trained in {seconds / 60:.1f} minutes")
    for column in ("category", "products", "held-out accuracy", "accepted at once", "bundle"):
        table.add_column(column)
    for name, bundle in bundles.items():
        figures = bundle.manifest.evaluation
        table.add_row(
            name,
            str(len(bundle.manifest.products)),
            _share(figures.get("centroid_accuracy")),
            _share(figures.get("accepted_share")),
            str(bundle.path),
        )
    Console().print(table)
    for name, error in failed.items():
        typer.echo(f"walkout-trainer: category {name} failed: {error}", err=True)


def _share(figure: float | str | None) -> str:
    return f"{figure:.1%}" if isinstance(figure, float) else "-"
