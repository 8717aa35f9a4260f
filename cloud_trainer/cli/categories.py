"""``walkout-trainer categories suggest``: which products look alike and belong together?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cloud_trainer.categories import (
    PHOTOS_PER_PRODUCT,
    imagenet_embeddings,
    suggest_categories,
    write_categories,
)
from cloud_trainer.category_picture import PICTURE_SUFFIXES, draw_categories
from cloud_trainer.cli.errors import plain_errors
from cloud_trainer.cli.outputs import require_writable
from cloud_trainer.cli.progress import photo_progress
from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.quality import usable
from models.catalogue import load_catalogue


def register(app: typer.Typer) -> None:
    """Add the command to ``walkout-trainer``."""
    group = typer.Typer(no_args_is_help=True, help="Which products share an embedder.")
    group.command("suggest")(suggest_command)
    group.callback()(_group)
    app.add_typer(group, name="categories")


def _group() -> None:
    """Keep ``suggest`` a word of its own although it is the only one."""


@plain_errors
def suggest_command(
    path: Annotated[Path, typer.Argument(help="Catalogue: a folder of photos, or a CSV file.")],
    out: Annotated[
        Path,
        typer.Option(help="CSV of sku,category to write; edit it, then `train --categories` it."),
    ],
    picture: Annotated[
        Path | None,
        typer.Option(help="Picture of the categories to write; beside --out by default."),
    ] = None,
    categories: Annotated[
        int | None, typer.Option(min=1, help="How many; found from the photos by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Group products by how they look, for a person to edit."""
    picture = picture or out.with_suffix(".png")
    if picture.suffix.lower() not in PICTURE_SUFFIXES:
        raise WalkoutTrainerError(
            f"--picture {picture}: name a file that ends in {', '.join(PICTURE_SUFFIXES)}"
        )
    for target in (out, picture):
        require_writable(target)
    catalogue = load_catalogue(path)
    with photo_progress("judging photos", len(catalogue.photos)) as advance:
        catalogue, _ = usable(catalogue, advance)
    most = len(catalogue.products) * PHOTOS_PER_PRODUCT
    with photo_progress("looking at products", min(most, len(catalogue.photos))) as advance:
        suggestion = suggest_categories(
            catalogue, lambda photos: imagenet_embeddings(photos, advance), categories
        )
    write_categories(out, suggestion)
    draw_categories(picture, suggestion)
    groups = suggestion.by_category
    if as_json:
        document = {
            "categories": groups,
            "silhouette": round(suggestion.clustering.silhouette, 4),
            "file": str(out),
            "picture": str(picture),
        }
        typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    for category, skus in groups.items():
        console.print(f"[bold]{escape(category)}[/] ({len(skus)}): {escape(', '.join(skus))}")
    if categories and len(groups) < categories:
        console.print(
            f"{len(groups)} instead of {categories}: no category is left with one product"
        )
    console.print(f"Look at {escape(str(picture))}, edit {escape(str(out))}, then `train` with it.")
