"""``walkout-trainer``: the trainer's command line."""

from __future__ import annotations

import importlib.metadata

import typer

from cloud_trainer.cli import (
    catalogue,
    categories,
    cost,
    devices,
    enrol,
    evaluate,
    fleet,
    keys,
    people,
    pipeline,
    publish,
    receive,
    rollout,
    serve,
    software,
    tokens,
    train,
    words,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Turn product photos into bundles that devices recognise products with.",
)
for group in (
    catalogue,
    categories,
    train,
    evaluate,
    enrol,
    words,
    keys,
    publish,
    rollout,
    software,
    fleet,
    devices,
    receive,
    pipeline,
    cost,
    serve,
    people,
    tokens,
):
    group.register(app)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"walkout-trainer {importlib.metadata.version('walkout')}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Options of the command itself."""


def main() -> None:
    """Run the command line."""
    app(prog_name="walkout-trainer")


if __name__ == "__main__":
    main()
