"""The technician's command line, `walkout-calibrate`.

Owns which commands there are; their arguments and words are in ``calibration.cli``, all geometry in
the modules beside it.
"""

from __future__ import annotations

import typer

from calibration.cli.lenses import convert, intrinsics, report
from calibration.cli.places import floor, plane, repair
from calibration.cli.printing import board, markers
from calibration.cli.shop import check, planogram_app

app = typer.Typer(
    name="walkout-calibrate",
    help="Prepare and check the geometry of a shop's cameras.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (board, markers, intrinsics, report, plane, floor, repair, check, convert):
    app.command()(command)
app.add_typer(planogram_app, name="planogram")


def main() -> None:
    """Run the command line; the entry point of `walkout-calibrate`."""
    app()


if __name__ == "__main__":
    main()
