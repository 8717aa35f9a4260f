"""Sheets of paper at true scale: black rectangles, words and rulers in millimetres, as a PDF.

Owns the paper sizes, the margins, the rulers that show whether a printer kept the scale (many "fit
to page" silently), and the bytes of the PDF. Pure. What is drawn on a sheet is the business of
``calibration.board`` and ``calibration.markers``.

The PDF holds rectangles, not pixels, so that edges are sharp at any printer resolution. Page
coordinates are millimetres from the top left corner of the upright sheet, x right, y down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Paper = Literal["A4", "A3"]

PAPER_SIZES_MM: Final[dict[Paper, tuple[float, float]]] = {
    "A4": (210.0, 297.0),
    "A3": (297.0, 420.0),
}
RULER_MM: Final = 100
MARGIN_LEFT_MM: Final = 14.0
MARGIN_TOP_MM: Final = 8.0
MARGIN_RIGHT_MM: Final = 8.0
MARGIN_BOTTOM_MM: Final = 22.0

_RULER_FROM_EDGE_MM: Final = 7.0
_LINE_MM: Final = 0.2
_POINTS_PER_MM: Final = 72 / 25.4


@dataclass(frozen=True)
class Rectangle:
    """A black rectangle on the page, in millimetres from its top left corner."""

    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float


@dataclass(frozen=True)
class Words:
    """A line of 3 mm type; ``x_mm``, ``y_mm`` is where its baseline begins."""

    text: str
    x_mm: float
    y_mm: float


@dataclass(frozen=True)
class Sheet:
    """What is printed on one page, beside the rulers that every page carries."""

    boxes: tuple[Rectangle, ...]
    words: tuple[Words, ...]


def printable_mm(paper: Paper) -> tuple[float, float]:
    """Width and height left for a pattern beside the rulers."""
    width_mm, height_mm = PAPER_SIZES_MM[paper]
    return (
        width_mm - MARGIN_LEFT_MM - MARGIN_RIGHT_MM,
        height_mm - MARGIN_TOP_MM - MARGIN_BOTTOM_MM,
    )


def black_boxes(black: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Cover the True cells of an (H, W) mask with boxes (x, y, width, height) that never overlap.

    Equal runs in consecutive rows become one box: a box for every row would leave hairlines
    between neighbours where a viewer smooths edges.
    """
    boxes: list[tuple[int, int, int, int]] = []
    growing: dict[tuple[int, int], int] = {}
    for y in range(black.shape[0] + 1):
        runs: set[tuple[int, int]] = set()
        if y < black.shape[0]:
            steps = np.diff(np.concatenate(([0], black[y].astype(np.int8), [0])))
            starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
            runs = set(zip(starts.tolist(), ends.tolist(), strict=True))
        for run in [run for run in growing if run not in runs]:
            top = growing.pop(run)
            boxes.append((run[0], top, run[1] - run[0], y - top))
        for run in sorted(runs):
            growing.setdefault(run, y)
    return boxes


def rulers(paper: Paper) -> tuple[Rectangle, ...]:
    """Two rulers of `RULER_MM` with millimetre ticks: along the bottom and up the left edge.

    The centres of the ticks, not their edges, lie on whole millimetres.
    """
    height_mm = PAPER_SIZES_MM[paper][1]
    across_mm = height_mm - _RULER_FROM_EDGE_MM
    boxes = [
        Rectangle(MARGIN_LEFT_MM, across_mm - _LINE_MM / 2, RULER_MM, _LINE_MM),
        Rectangle(_RULER_FROM_EDGE_MM - _LINE_MM / 2, MARGIN_LEFT_MM, _LINE_MM, RULER_MM),
    ]
    for mm in range(RULER_MM + 1):
        tick_mm = 4.0 if mm % 10 == 0 else 3.0 if mm % 5 == 0 else 2.0
        centre_mm = MARGIN_LEFT_MM + mm - _LINE_MM / 2
        boxes.append(Rectangle(centre_mm, across_mm - tick_mm, _LINE_MM, tick_mm))
        boxes.append(Rectangle(_RULER_FROM_EDGE_MM, centre_mm, tick_mm, _LINE_MM))
    return tuple(boxes)


def caption(paper: Paper, lines: Sequence[str]) -> tuple[Words, ...]:
    """Lines of words below the pattern, above the ruler."""
    baseline_mm = PAPER_SIZES_MM[paper][1] - MARGIN_BOTTOM_MM + 5
    return tuple(
        Words(text, MARGIN_LEFT_MM, baseline_mm + 4 * place) for place, text in enumerate(lines)
    )


def pdf(paper: Paper, sheets: Iterable[Sheet]) -> bytes:
    """Return a PDF with a page for each sheet, each with its rulers.

    The same sheets give the same bytes. Viewers are told not to scale when printing.
    """
    streams = [_stream(paper, sheet) for sheet in sheets]
    width_mm, height_mm = PAPER_SIZES_MM[paper]
    media_box = f"0 0 {width_mm * _POINTS_PER_MM:.6f} {height_mm * _POINTS_PER_MM:.6f}"
    first_page = 4  # after the catalogue, the list of pages and the font
    kids = " ".join(f"{first_page + 2 * place} 0 R" for place in range(len(streams)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(streams)} >>".encode("ascii"),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for place, stream in enumerate(streams):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [{media_box}] "
            f"/Contents {first_page + 2 * place + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode("ascii")
        )
        objects.append(
            f"<< /Length {len(stream)} >>\nstream\n".encode("ascii") + stream + b"\nendstream"
        )
    return _document(objects)


def _stream(paper: Paper, sheet: Sheet) -> bytes:
    """The drawing commands of one page."""
    height_mm = PAPER_SIZES_MM[paper][1]
    commands = [
        f"{_POINTS_PER_MM:.8f} 0 0 {-_POINTS_PER_MM:.8f} 0 {height_mm * _POINTS_PER_MM:.6f} cm",
        *(
            f"{box.x_mm:.4f} {box.y_mm:.4f} {box.width_mm:.4f} {box.height_mm:.4f} re"
            for box in (*sheet.boxes, *rulers(paper))
        ),
        "f",
        # The matrix undoes the page's downward y.
        *(
            f"BT /F1 3 Tf 1 0 0 -1 {words.x_mm:.3f} {words.y_mm:.3f} Tm ({words.text}) Tj ET"
            for words in sheet.words
        ),
    ]
    return "\n".join(commands).encode("ascii")


def _document(objects: list[bytes]) -> bytes:
    """Number the objects and put the cross-reference table behind them."""
    parts = [b"%PDF-1.6\n"]
    offsets: list[int] = []
    for number, content in enumerate(objects, start=1):
        offsets.append(sum(map(len, parts)))
        parts.append(b"%d 0 obj\n" % number + content + b"\nendobj\n")
    table_at = sum(map(len, parts))
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    parts += [b"%010d 00000 n \n" % offset for offset in offsets]
    parts.append(
        b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, table_at)
    )
    return b"".join(parts)
