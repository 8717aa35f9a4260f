"""``walkout-edge bundle``: verify a bundle and show what it says about itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from edge.cli.errors import plain_errors
from edge.runtime.golden import check_golden
from edge.runtime.opening import open_embedder
from edge.runtime.settings import RuntimeSettings
from models.bundle import Bundle, open_bundle


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("bundle")(show_bundle)


@plain_errors
def show_bundle(
    path: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the bundle.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
    golden: Annotated[
        bool, typer.Option(help="Also embed the golden crops on this machine.")
    ] = True,
) -> None:
    """Verify a bundle: files, checksums, vectors, and its golden crops on this machine."""
    bundle = open_bundle(path)
    deviation = (
        check_golden(bundle, open_embedder(bundle, RuntimeSettings.for_a_person()))
        if golden
        else None
    )
    if as_json:
        typer.echo(bundle.manifest.model_dump_json(indent=2))
        return
    console = Console()
    console.print(_table(bundle))
    tested = (
        "golden crops not tried"
        if deviation is None
        else f"{len(bundle.golden.crops)} golden crops within {deviation:.4f}"
    )
    console.print(f"{path}: whole and unchanged; {tested}", markup=False, highlight=False)


def _table(bundle: Bundle) -> Table:
    manifest = bundle.manifest
    quantisation = manifest.quantisation
    table = Table(show_header=False, title=f"{manifest.category} {manifest.version}")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("embedding space", manifest.space_id)
    table.add_row("created", manifest.created_at.isoformat(timespec="seconds"))
    enrolled = sum(product.enrolled for product in manifest.products)
    table.add_row("products", f"{len(manifest.products)}, {enrolled} enrolled without training")
    vectors = bundle.vectors
    table.add_row("anchors", f"{len(vectors.anchors)}, {len(vectors.negatives)} negatives")
    side = manifest.preprocessing.input_size_px
    table.add_row("network", f"{side} x {side} px in, {manifest.embedding_dim} numbers out")
    table.add_row("INT8", "ships" if quantisation.int8_shipped else "does not ship")
    for pair in manifest.thresholds.pairs:
        crops = "one crop" if pair.pool == 1 else f"{pair.pool} crops"
        table.add_row(
            f"thresholds, {crops}",
            f"TL {pair.tl:.3f}, full check {pair.tl_full:.3f}, TH {pair.th:.3f}; "
            f"{pair.accepted_share:.0%} accepted at once",
        )
    provenance = manifest.provenance
    table.add_row(
        "trained",
        f"{provenance.backbone}, {provenance.photos} photos of {provenance.products} products, "
        f"seed {provenance.seed}",
    )
    table.add_row("licence", provenance.licence)
    for name, figure in sorted(manifest.evaluation.items()):
        shown = f"{figure:.4g}" if isinstance(figure, float) else str(figure)
        table.add_row(f"evaluation: {name}", shown)
    size_mb = sum(record.size_bytes for record in manifest.files.values()) / 1e6
    table.add_row("size", f"{size_mb:.1f} MB in {len(manifest.files)} files")
    return table
