"""The technician's command line, `walkout-calibrate`.

Owns arguments, files and words on the terminal; all geometry is in the modules beside it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from calibration.board import (
    DICTIONARY_NAME,
    RULER_MM,
    BoardError,
    Paper,
    board_pdf,
    fit_board,
)

app = typer.Typer(
    name="walkout-calibrate",
    help="Prepare and check the geometry of a shop's cameras.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _commands() -> None:
    """Keep `board` a sub-command while it is the only one."""


class PaperName(str, Enum):
    """The sheets a board can be printed on."""

    A4 = "A4"
    A3 = "A3"


_PAPERS: dict[PaperName, Paper] = {PaperName.A4: "A4", PaperName.A3: "A3"}


@app.command()
def board(
    out: Annotated[Path, typer.Option(help="The PDF to write.", show_default=False)],
    paper: Annotated[PaperName, typer.Option(help="Sheet, used upright.")] = PaperName.A4,
    squares_x: Annotated[
        int | None, typer.Option(help="Squares in a row; by default what suits the paper.")
    ] = None,
    squares_y: Annotated[
        int | None, typer.Option(help="Squares in a column, odd; by default what suits the paper.")
    ] = None,
    square_mm: Annotated[
        float | None, typer.Option(help="Side of a square; by default the largest that fits.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write a ChArUco board at true scale, with rulers that check the printer."""
    try:
        spec = fit_board(_PAPERS[paper], squares_x, squares_y, square_mm)
        out.write_bytes(board_pdf(spec))
    except BoardError as error:
        raise _refusal(str(error)) from error
    except OSError as error:
        raise _refusal(f"cannot write {out}: {error.strerror or error}") from error
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "out": str(out),
                    **asdict(spec),
                    "marker_mm": round(spec.marker_mm, 4),
                    "dictionary": DICTIONARY_NAME,
                    "corners": spec.corners,
                    "ruler_mm": RULER_MM,
                }
            )
        )
        return
    Console(soft_wrap=True, highlight=False).print(
        f"Wrote {out}: {spec.squares_x} x {spec.squares_y} squares of {spec.square_mm:g} mm on "
        f"{spec.paper}.\nPrint at 100 % (not fitted to the page), check that both rulers measure "
        f"{RULER_MM} mm, and mount the sheet flat.",
        markup=False,
    )


def _refusal(message: str) -> typer.Exit:
    """Say on one line what is wrong; returns the exit to raise."""
    typer.echo(f"walkout-calibrate: {message}", err=True)
    return typer.Exit(2)


def main() -> None:
    """Run the command line; the entry point of `walkout-calibrate`."""
    app()


if __name__ == "__main__":
    main()
