"""`board` and `markers`: what is printed on paper."""

from __future__ import annotations

from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from calibration.board import DICTIONARY_NAME, BoardSpec, board_pdf, fit_board
from calibration.cli.answers import AsJson, answer, fail, plain_errors
from calibration.format import CalibrationError
from calibration.markers import MARKER_DICTIONARY_NAME, marker_sheets, markers_pdf
from calibration.page import RULER_MM, Paper


class PaperName(str, Enum):
    """The sheets that can be printed on."""

    A4 = "A4"
    A3 = "A3"


PAPERS: dict[PaperName, Paper] = {PaperName.A4: "A4", PaperName.A3: "A3"}

Sheet = Annotated[PaperName, typer.Option(help="Sheet, used upright.")]
SquaresX = Annotated[
    int | None, typer.Option(help="Squares in a row; by default what suits the paper.")
]
SquaresY = Annotated[
    int | None, typer.Option(help="Squares in a column, odd; by default what suits the paper.")
]
SquareMm = Annotated[
    float | None, typer.Option(help="Side of a square; by default the largest that fits.")
]


@plain_errors
def board(
    out: Annotated[Path, typer.Option(help="The PDF to write.", show_default=False)],
    paper: Sheet = PaperName.A4,
    squares_x: SquaresX = None,
    squares_y: SquaresY = None,
    square_mm: SquareMm = None,
    as_json: AsJson = False,
) -> None:
    """Write a ChArUco board at true scale, with rulers that check the printer."""
    spec: BoardSpec = fit_board(PAPERS[paper], squares_x, squares_y, square_mm)
    _write(out, board_pdf(spec))
    answer(
        as_json,
        {
            "out": str(out),
            **asdict(spec),
            "marker_mm": round(spec.marker_mm, 4),
            "dictionary": DICTIONARY_NAME,
            "corners": spec.corners,
            "ruler_mm": RULER_MM,
        },
        [
            f"Wrote {out}: {spec.squares_x} x {spec.squares_y} squares of {spec.square_mm:g} mm on "
            f"{spec.paper}.",
            f"Print at 100 % (not fitted to the page), check that both rulers measure {RULER_MM} "
            "mm, and mount the sheet flat.",
        ],
    )


@plain_errors
def markers(
    out: Annotated[Path, typer.Option(help="The PDF to write.", show_default=False)],
    ids: Annotated[str, typer.Option(help="Which: 0-3, or 4,5,6,7. Four for each fixture.")],
    side_mm: Annotated[float, typer.Option(help="Side of a marker's black square.")] = 60.0,
    paper: Sheet = PaperName.A4,
    as_json: AsJson = False,
) -> None:
    """Write fixture markers at true scale: four for the corners of each fixture's front."""
    names = parse_ids(ids)
    pages = len(marker_sheets(PAPERS[paper], names, side_mm))
    _write(out, markers_pdf(PAPERS[paper], names, side_mm))
    answer(
        as_json,
        {
            "out": str(out),
            "paper": paper.value,
            "ids": names,
            "side_mm": side_mm,
            "pages": pages,
            "dictionary": MARKER_DICTIONARY_NAME,
        },
        [
            f"Wrote {out}: {len(names)} markers of {side_mm:g} mm on {pages} {paper.value} pages.",
            "Stick four into the corners of a fixture's front, upright, each black corner on the "
            "front's corner, and name them bottom left, bottom right, top right, top left.",
        ],
    )


def parse_ids(text: str) -> list[int]:
    """Ids written as ``0-3`` or ``4,5,9``.

    Raises:
        CalibrationError: They are written otherwise.
    """
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise CalibrationError(f"ids {text!r}: write 0-3, or 4,5,6,7")
        found.extend(range(int(first), int(last or first) + 1))
    return found


def _write(out: Path, content: bytes) -> None:
    try:
        out.write_bytes(content)
    except OSError as err:
        fail(f"cannot write {out}: {err.strerror or err}")
