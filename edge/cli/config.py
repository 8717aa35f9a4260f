"""``walkout-edge config``: the schema of ``store.yaml``, and what is wrong with one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from edge.cli.errors import FAILED, PROGRAM, plain_errors
from edge.config_file import config_schema, load_config
from edge.errors import ConfigError
from edge.shop.premises import open_premises

_commands = typer.Typer(help="The configuration of a shop, store.yaml.")


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(_commands, name="config")


@_commands.command("schema")
def show_schema() -> None:
    """Print the JSON schema of store.yaml."""
    typer.echo(json.dumps(config_schema(), indent=2))


@_commands.command("check")
@plain_errors
def check(
    store: Annotated[Path, typer.Argument(metavar="STORE.YAML", help="The file, or its folder.")],
) -> None:
    """Say everything that is wrong with a store.yaml and with what it names."""
    file = store / "store.yaml" if store.is_dir() else store
    try:
        premises = open_premises(load_config(file), file.parent)
    except ConfigError as err:
        for complaint in err.complaints:
            typer.echo(f"{PROGRAM}: {complaint}", err=True)
        raise typer.Exit(FAILED) from err
    cameras = ", ".join(
        f"{len(premises.cameras_of(role))} {role}" for role in ("shelf", "overhead")
    )
    typer.echo(
        f"{file}: good: {premises.config.store.name}, {cameras} cameras, "
        f"{len(premises.planogram.facings)} facings, {len(premises.products)} products, "
        f"{len(premises.bundles)} bundles"
    )
