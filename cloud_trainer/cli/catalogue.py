"""``walkout-trainer catalogue check``: are the photos good enough to train on?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cloud_trainer.cli.errors import plain_errors
from cloud_trainer.cli.outputs import require_writable
from cloud_trainer.cli.progress import photo_progress
from cloud_trainer.quality import (
    ENOUGH_PHOTOS,
    ProductCount,
    SetAside,
    count_products,
    usable,
    write_set_aside,
)
from models.catalogue import Catalogue, load_catalogue

NOT_READY = 1


def register(app: typer.Typer) -> None:
    """Add the command to ``walkout-trainer``."""
    group = typer.Typer(no_args_is_help=True, help="What a shop sells, and the photos of it.")
    group.command("check")(check_command)
    group.callback()(_group)
    app.add_typer(group, name="catalogue")


def _group() -> None:
    """Keep ``check`` a word of its own although it is the only one."""


@plain_errors
def check_command(
    path: Annotated[Path, typer.Argument(help="Catalogue: a folder of photos, or a CSV file.")],
    set_aside_list: Annotated[
        Path | None,
        typer.Option(
            "--set-aside",
            help="Write the photos set aside to this CSV. As set-aside.csv in the catalogue's own "
            "folder it is honoured from then on: 1 in its column keep overrules a judgement.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Look at every photo; say which are set aside and why.

    Nothing is moved or deleted. Ends with exit code 1 when a product is left with fewer than two
    usable photos.
    """
    if set_aside_list is not None:
        require_writable(set_aside_list)
    catalogue = load_catalogue(path)
    with photo_progress("judging photos", len(catalogue.photos)) as advance:
        good, set_aside = usable(catalogue, advance)
    counts = count_products(catalogue, good, set_aside)
    if set_aside_list is not None:
        write_set_aside(set_aside_list, catalogue, set_aside)
    warnings = _warnings(catalogue, counts)
    if as_json:
        typer.echo(
            json.dumps(_document(path, counts, set_aside, warnings), indent=2, ensure_ascii=False)
        )
    else:
        _print(catalogue, counts, set_aside, warnings)
    if any(count.usable < ENOUGH_PHOTOS for count in counts):
        raise typer.Exit(NOT_READY)


def _warnings(catalogue: Catalogue, counts: Sequence[ProductCount]) -> list[str]:
    warnings = [
        f"{count.sku} has {count.usable} usable photo{'' if count.usable == 1 else 's'}: "
        f"at least {ENOUGH_PHOTOS} are needed, ten or more are better"
        for count in counts
        if count.usable < ENOUGH_PHOTOS
    ]
    sizes = Counter(product.category for product in catalogue.products)
    warnings += [
        f"category {category} has one product, which there is nothing to tell apart from: "
        "put it into another category, or add its neighbours on the shelf"
        for category, products in sorted(sizes.items())
        if products == 1
    ]
    return warnings


def _document(
    path: Path,
    counts: Sequence[ProductCount],
    set_aside: Sequence[SetAside],
    warnings: Sequence[str],
) -> dict[str, object]:
    return {
        "catalogue": str(path),
        "photos": sum(count.photos for count in counts),
        "usable": sum(count.usable + count.negatives for count in counts),
        "products": [
            {
                "sku": count.sku,
                "category": count.category,
                "photos": count.photos,
                "usable": count.usable,
                "negatives": count.negatives,
                "set_aside": dict(count.faults),
            }
            for count in counts
        ],
        "set_aside": [
            {
                "path": str(aside.photo.path),
                "sku": aside.photo.sku,
                "fault": aside.fault,
                "reason": aside.reason,
            }
            for aside in set_aside
        ],
        "warnings": list(warnings),
    }


def _print(
    catalogue: Catalogue,
    counts: Sequence[ProductCount],
    set_aside: Sequence[SetAside],
    warnings: Sequence[str],
) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table("product", "category")
    for column in ("photos", "usable", "not this"):
        table.add_column(column, justify="right")
    table.add_column("set aside")
    for count in counts:
        faults = ", ".join(
            f"{number} {fault.replace('_', ' ')}" for fault, number in count.faults.items()
        )
        table.add_row(
            escape(count.sku),
            escape(count.category),
            str(count.photos),
            str(count.usable),
            str(count.negatives or ""),
            faults,
        )
    console.print(table)
    for aside in set_aside:
        name = str(aside.photo.path)
        told = aside.reason if aside.reason.startswith(name) else f"{name}: {aside.reason}"
        console.print(f"[yellow]{aside.fault.replace('_', ' ')}[/] {escape(told)}")
    for warning in warnings:
        console.print(f"[red]warning[/] {escape(warning)}")
    console.print(
        f"{len(catalogue.products)} products, {len(catalogue.photos)} photos, "
        f"{len(set_aside)} set aside"
    )
