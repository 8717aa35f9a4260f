"""The device's command line, ``walkout-edge``: the place where its parts are put together.

Owns which commands there are and how usage errors are worded; each command is a file in
``edge/cli``.
"""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Annotated

import typer

from edge.cli import (
    backup,
    bench,
    bundle,
    calibrate,
    config,
    doctor,
    people,
    provision,
    recognise,
    replay,
    run,
    search_service,
    trace,
    updates,
)
from edge.cli.errors import FAILED, PROGRAM, complain

app = typer.Typer(
    name=PROGRAM,
    help="Run a walk-out shop: cameras in, receipts out; recognise products with bundles.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
recognise.register(app)
bundle.register(app)
replay.register(app)
run.register(app)
calibrate.register(app)
config.register(app)
people.register(app)
updates.register(app)
backup.register(app)
provision.register(app)
search_service.register(app)
doctor.register(app)
trace.register(app)
bench.register(app)

# Typer keeps the base of its usage errors to itself and has moved it between releases; it is the
# parent of the one that is public.
_UsageError: type[typer.BadParameter] = typer.BadParameter.__bases__[0]


def _show_version(wanted: bool) -> None:
    if wanted:
        try:
            version = metadata.version("walkout")
        except metadata.PackageNotFoundError:
            version = "from a checkout that is not installed"
        typer.echo(f"{PROGRAM} {version}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Options that stand before any command."""


def main() -> None:
    """Run the command line; the entry point of ``walkout-edge``."""
    try:
        code = app(args=sys.argv[1:] or ["--help"], standalone_mode=False)
    except _UsageError as err:
        complain(f"{err.format_message().rstrip('.')}; see {PROGRAM} --help")
        sys.exit(FAILED)
    except typer.Abort:
        complain("interrupted")
        sys.exit(130)
    sys.exit(code or 0)


if __name__ == "__main__":
    main()
