"""``walkout-trainer evaluate``: measure a bundle on photos that its training never saw."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cloud_trainer.cli.errors import plain_errors
from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.evaluate import evaluate
from cloud_trainer.evaluation import Evaluation, Figures, Share, document, figures
from cloud_trainer.report import write_report
from models.bundle import open_bundle
from models.catalogue import Photo, load_catalogue
from models.photos import PHOTO_SUFFIXES


class Precision(str, Enum):
    """Networks of a bundle that ONNX Runtime can run."""

    fp32 = "fp32"
    int8 = "int8"


def register(app: typer.Typer) -> None:
    """Add the command to ``walkout-trainer``."""
    app.command("evaluate")(evaluate_command)


@plain_errors
def evaluate_command(
    bundle: Annotated[Path, typer.Option(help="Folder of the bundle.")],
    photos: Annotated[
        Path, typer.Option(help="Catalogue folder or CSV of photos that training never saw.")
    ],
    pool: Annotated[int, typer.Option(min=1, help="Consecutive photos that make one query.")] = 1,
    unknown: Annotated[
        Path | None,
        typer.Option(help="Folder, however laid out, of products that were never enrolled."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures as JSON; - prints them.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a report, one HTML file that needs nothing else.")
    ] = None,
    precision: Annotated[
        Precision, typer.Option(help="Which of the bundle's networks to run.")
    ] = Precision.fp32,
) -> None:
    """Measure a bundle: what it recognises, what it decides, and how sure the figures are."""
    console = Console(stderr=str(json_file) == "-")
    for target in (json_file, report):
        if target is not None and not target.parent.is_dir():
            raise WalkoutTrainerError(f"{target}: no such folder to write to; make it first")
    opened = open_bundle(bundle)
    known = load_catalogue(photos).photos
    strangers = unknown_photos(unknown) if unknown is not None else ()
    asked = sum(not photo.negative for photo in known) + len(strangers)
    with _progress(asked) as bar:
        evaluation = evaluate(
            opened,
            known,
            pool_size=pool,
            unknown=strangers,
            precision=precision.value,
            progress=lambda done: bar.advance(bar.task_ids[0], done),
        )
    if json_file is not None:
        text = json.dumps(document(evaluation), indent=2, ensure_ascii=False) + "\n"
        if str(json_file) == "-":
            typer.echo(text, nl=False)
        else:
            json_file.write_text(text, "utf-8")
    if report is not None:
        write_report(evaluation, report)
    _print(console, evaluation)
    if report is not None:
        console.print(f"Report: {escape(str(report))}", soft_wrap=True)


def unknown_photos(folder: Path) -> tuple[Photo, ...]:
    """Photos anywhere below a folder; those of one sub-folder count as one product's.

    Raises:
        WalkoutTrainerError: There is no such folder, or no photo in it.
    """
    if not folder.is_dir():
        raise WalkoutTrainerError(f"{folder}: no such folder; --unknown names a folder of photos")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    if not found:
        raise WalkoutTrainerError(
            f"{folder}: no photos ({', '.join(sorted(PHOTO_SUFFIXES))}) in it or below it"
        )
    return tuple(Photo(path, str(path.parent.relative_to(folder))) for path in found)


@contextmanager
def _progress(photos: int) -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        bar.add_task("Recognising photos", total=photos)
        yield bar


def _print(console: Console, evaluation: Evaluation) -> None:
    manifest = evaluation.bundle.manifest
    pooled = "" if evaluation.pool == 1 else f", {evaluation.pool} consecutive photos a query"
    console.print(
        f"[bold]{escape(manifest.category)}[/] {escape(manifest.version)}: "
        f"{evaluation.photos} photos of {len(evaluation.products)} products{pooled}",
        soft_wrap=True,
    )
    of_all = figures(evaluation.known)
    table = Table("", "share", "95 % interval", "counts", box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, share in _rows(evaluation, of_all):
        table.add_row(name, *_cells(share))
    for origin, name in (("trained", "trained"), ("enrolled", "enrolled without training")):
        of = figures(query for query in evaluation.known if query.origin == origin)
        if 0 < of.queries < of_all.queries:
            table.add_row(f"nearest centroid right, {name}", *_cells(of.centroid_accuracy))
    if evaluation.pool > 1:
        table.add_row(
            "nearest centroid right, sliding windows", *_cells(evaluation.sliding.centroid_accuracy)
        )
    if len(evaluation.per_category) > 1:
        for category, of in evaluation.per_category.items():
            table.add_row(
                f"nearest centroid right, {escape(category)}", *_cells(of.centroid_accuracy)
            )
    console.print(table)
    if evaluation.unknown_auroc is not None:
        console.print(f"Known against unknown by distance: AUROC {evaluation.unknown_auroc:.3f}")
    for confusion in evaluation.confusions[:5]:
        console.print(
            f"{len(confusion.queries)} x {escape(confusion.sku)} taken for "
            f"{escape(confusion.taken_for)}",
            soft_wrap=True,
        )
    if evaluation.latency is not None:
        console.print(
            f"{evaluation.latency.recognise_p50_ms:.1f} ms a photo "
            f"(95th percentile {evaluation.latency.recognise_p95_ms:.1f} ms), "
            f"load average {evaluation.latency.load_average:.1f}"
        )
    for entry in evaluation.set_aside:
        console.print(
            f"[yellow]set aside[/] {escape(str(entry.photo.path))}: {escape(entry.reason)}",
            soft_wrap=True,
        )
    for notice in evaluation.notices:
        console.print(f"[yellow]note[/] {escape(notice)}", soft_wrap=True)


def _rows(evaluation: Evaluation, of: Figures) -> list[tuple[str, Share]]:
    return [
        ("nearest centroid right", of.centroid_accuracy),
        ("right product among the five nearest", of.top5_accuracy),
        ("right among all settled without a person", of.decision_accuracy),
        ("accepted at once", of.accepted),
        ("  wrong among those", of.accepted_error),
        ("accepted by the full check", of.full_check_accepted),
        ("  wrong among those", of.full_check_error),
        ("rejected (false rejects)", of.rejected),
        ("left to a person", of.review),
        ("false accepts of unknown products", evaluation.false_accept_rate),
    ]


def _cells(share: Share) -> tuple[str, str, str]:
    if share.value is None or share.interval is None:
        return "-", "", "not measured"
    low, high = share.interval
    return f"{share.value:.1%}", f"{low:.1%} to {high:.1%}", f"{share.count} of {share.of}"
