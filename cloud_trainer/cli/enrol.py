"""``walkout-trainer enrol`` and ``withdraw``: change what a bundle knows, without training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from cloud_trainer.cli.errors import plain_errors
from cloud_trainer.enrol import EnrolmentReport, complaint, enrol, photo_paths, withdraw
from cloud_trainer.errors import WalkoutTrainerError
from models.bundle import Bundle, open_bundle
from models.catalogue import Product


def register(app: typer.Typer) -> None:
    """Add the commands to ``walkout-trainer``."""
    app.command("enrol")(enrol_command)
    app.command("withdraw")(withdraw_command)


@plain_errors
def enrol_command(
    bundle: Annotated[Path, typer.Option(help="Bundle to begin from; it is not changed.")],
    sku: Annotated[str, typer.Option(help="SKU of the product.")],
    photos: Annotated[list[Path], typer.Option(help="Photos, or folders of photos, of it.")],
    out: Annotated[Path, typer.Option(help="Folder of the new bundle; must not exist.")],
    more_photos: Annotated[
        list[Path] | None, typer.Argument(metavar="PHOTO", help="More of them.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Its name; the SKU by default.")] = None,
    price: Annotated[str | None, typer.Option(help="Its price, for example 1.99.")] = None,
    currency: Annotated[str | None, typer.Option(help="ISO 4217, for example EUR.")] = None,
    gtin: Annotated[str | None, typer.Option(help="Its GTIN, with the check digit.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the product if it is there already.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Add a product from a few photos, with the network as it is."""
    base = open_bundle(bundle)
    given = {"name": name, "price": price, "currency": currency, "gtin": gtin}
    report = enrol(
        base,
        _product(base, sku, {key: value for key, value in given.items() if value is not None}),
        photo_paths([*photos, *(more_photos or [])]),
        out,
        replace_product=replace,
    )
    if as_json:
        typer.echo(json.dumps(_document(report), ensure_ascii=False))
        return
    console = Console(soft_wrap=True, highlight=False)
    for aside in report.set_aside:
        console.print(f"[yellow]set aside[/] {escape(complaint(aside))}")
    for neighbour in report.neighbours:
        console.print(
            f"[yellow]close[/] {escape(neighbour.sku)} is only {neighbour.distance:.3f} away "
            f"(within {report.reach:.3f}): expect more reviews between the two, or train anew"
        )
    console.print(
        f"{escape(sku)} enrolled from {len(report.used)} photos; version "
        f"{report.bundle.manifest.version} with {len(report.bundle.skus)} products in "
        f"{escape(str(out))}"
    )


@plain_errors
def withdraw_command(
    bundle: Annotated[Path, typer.Option(help="Bundle to begin from; it is not changed.")],
    sku: Annotated[str, typer.Option(help="SKU of the product.")],
    out: Annotated[Path, typer.Option(help="Folder of the new bundle; must not exist.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Take a product out, with the network as it is."""
    written = withdraw(open_bundle(bundle), sku, out)
    if as_json:
        typer.echo(json.dumps(_edition(written) | {"sku": sku}, ensure_ascii=False))
        return
    Console(soft_wrap=True, highlight=False).print(
        f"{escape(sku)} withdrawn; version {written.manifest.version} with {len(written.skus)} "
        f"products in {escape(str(out))}"
    )


def _product(bundle: Bundle, sku: str, given: dict[str, str]) -> Product:
    """The product, with what the bundle knows of it already where nothing else was given."""
    known = next((product for product in bundle.manifest.products if product.sku == sku), None)
    fields: dict[str, object] = {"sku": sku, "category": bundle.manifest.category}
    if known is not None:
        fields = {name: getattr(known, name) for name in Product.model_fields}
    try:
        return Product.model_validate(fields | given)
    except ValidationError as err:
        first = err.errors(include_url=False)[0]
        option = "".join(f"--{part}: " for part in first["loc"][:1])
        raise WalkoutTrainerError(
            f"{option}{first['msg'].removeprefix('Value error, ')}; correct it"
        ) from err


def _document(report: EnrolmentReport) -> dict[str, object]:
    return _edition(report.bundle) | {
        "sku": report.product.sku,
        "photos_used": [str(path) for path in report.used],
        "set_aside": [
            {"path": str(aside.photo.path), "reason": aside.reason} for aside in report.set_aside
        ],
        "close_to": [
            {"sku": neighbour.sku, "distance": round(neighbour.distance, 4)}
            for neighbour in report.neighbours
        ],
        "close_within": round(report.reach, 4),
    }


def _edition(bundle: Bundle) -> dict[str, object]:
    return {
        "bundle": str(bundle.path),
        "version": bundle.manifest.version,
        "space_id": bundle.manifest.space_id,
        "products": len(bundle.skus),
    }
