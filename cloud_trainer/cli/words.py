"""``walkout-trainer words``: read the words on packs, by which devices can settle reviews."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cloud_trainer.cli.errors import plain_errors
from cloud_trainer.cli.progress import photo_progress
from cloud_trainer.words import photos_to_read, with_words, words_on_packs
from models.bundle import open_bundle
from models.catalogue import load_catalogue
from models.packtext import PackTextReader


def register(app: typer.Typer) -> None:
    """Add the command to ``walkout-trainer``."""
    app.command("words")(words_command)


@plain_errors
def words_command(
    bundle: Annotated[Path, typer.Option(help="Bundle to begin from; it is not changed.")],
    photos: Annotated[Path, typer.Option(help="Catalogue of its products: folder or CSV.")],
    out: Annotated[Path, typer.Option(help="Folder of the new bundle; must not exist.")],
    photos_a_product: Annotated[
        int, typer.Option(min=2, help="At most so many photos of each product are read.")
    ] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Read the words on the packs (extra 'packtext'); `walkout-edge --pack-text` then uses them."""
    base, catalogue, reader = open_bundle(bundle), load_catalogue(photos), PackTextReader()
    to_read = sum(len(photos_to_read(catalogue, sku, photos_a_product)) for sku in base.skus)
    with photo_progress("reading packs", to_read) as advance:
        words = words_on_packs(base, catalogue, reader, photos_a_product, advance)
    written = with_words(base, words, out)
    if as_json:
        document = {"bundle": str(out), "version": written.manifest.version, "words": words}
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    console = Console(soft_wrap=True, highlight=False)
    for sku, own in words.items():
        console.print(f"{escape(sku)}: {escape(', '.join(own))}")
    console.print(
        f"words on {len(words)} of {len(base.skus)} products; version "
        f"{written.manifest.version} in {escape(str(out))}"
    )
