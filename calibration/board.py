"""The calibration board: a ChArUco pattern laid out on paper at true scale, as a PDF.

Owns which boards fit which paper, where every black cell of the page lies in millimetres, and the
bytes of the PDF. Pure: values in, values out; writing the file is the command line's part.

The pattern is OpenCV's own rendering of ``CharucoBoard``, turned into rectangles, so that what is
printed is what the detector looks for; and the PDF holds rectangles, not pixels, so that its edges
are sharp at any printer resolution. Two rulers, one along each paper edge, let the technician see
at once whether the printer kept the scale: many "fit to page" silently.

Page coordinates are millimetres from the top left corner of the upright sheet, x right, y down.

Example::

    spec = fit_board("A4")
    Path("board.pdf").write_bytes(board_pdf(spec))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Paper = Literal["A4", "A3"]

PAPER_SIZES_MM: Final[dict[Paper, tuple[float, float]]] = {
    "A4": (210.0, 297.0),
    "A3": (297.0, 420.0),
}
DEFAULT_SQUARES: Final[dict[Paper, tuple[int, int]]] = {"A4": (7, 9), "A3": (9, 13)}
DICTIONARY_NAME: Final = "DICT_5X5_250"
MARKER_CAPACITY: Final = 250
MARKER_SHARE: Final = 0.7
"""Side of a marker as a share of its square: 7 of 10 cells, so that cells fall on whole units."""
MIN_SQUARE_MM: Final = 10.0
"""Below this a marker's cells are under a millimetre and printers start to close them."""
MIN_SQUARES: Final = 3
RULER_MM: Final = 100

_UNITS_PER_SQUARE: Final = 20
_MARGIN_LEFT_MM: Final = 14.0
_MARGIN_RIGHT_MM: Final = 8.0
_MARGIN_TOP_MM: Final = 8.0
_MARGIN_BOTTOM_MM: Final = 22.0
_RULER_FROM_EDGE_MM: Final = 7.0
_LINE_MM: Final = 0.2
_POINTS_PER_MM: Final = 72 / 25.4


class BoardError(ValueError):
    """The asked-for board cannot be printed or found; the message says what to change."""


@dataclass(frozen=True)
class BoardSpec:
    """A board that fits its paper; made by `fit_board`.

    Attributes:
        paper: The sheet it is printed on, upright.
        squares_x: Squares in a row.
        squares_y: Squares in a column; odd, because OpenCV releases disagree about boards with an
            even number of rows.
        square_mm: Side of a square.
    """

    paper: Paper
    squares_x: int
    squares_y: int
    square_mm: float

    @property
    def marker_mm(self) -> float:
        """Side of a marker."""
        return self.square_mm * MARKER_SHARE

    @property
    def corners(self) -> int:
        """How many inner corners a picture of the whole board shows."""
        return (self.squares_x - 1) * (self.squares_y - 1)

    @property
    def origin_mm(self) -> tuple[float, float]:
        """Top left corner of the pattern on the page, (x, y)."""
        width_mm, height_mm = _printable_mm(self.paper)
        return (
            _MARGIN_LEFT_MM + (width_mm - self.squares_x * self.square_mm) / 2,
            _MARGIN_TOP_MM + (height_mm - self.squares_y * self.square_mm) / 2,
        )


@dataclass(frozen=True)
class Rectangle:
    """A black rectangle on the page, in millimetres from its top left corner."""

    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float


def fit_board(
    paper: Paper,
    squares_x: int | None = None,
    squares_y: int | None = None,
    square_mm: float | None = None,
) -> BoardSpec:
    """Lay a board out on a sheet, or say why that cannot be.

    Args:
        paper: The sheet, used upright.
        squares_x: Squares in a row; the paper's default if None.
        squares_y: Squares in a column, odd; the paper's default if None.
        square_mm: Side of a square; the largest whole number that fits if None.

    Returns:
        The board.

    Raises:
        BoardError: The numbers make no board, or none that fits the sheet.
    """
    default_x, default_y = DEFAULT_SQUARES[paper]
    columns = default_x if squares_x is None else squares_x
    rows = default_y if squares_y is None else squares_y
    if columns < MIN_SQUARES or rows < MIN_SQUARES:
        raise BoardError(
            f"a board of {columns} x {rows} squares is too small to calibrate with; "
            f"use at least {MIN_SQUARES} x {MIN_SQUARES}"
        )
    if rows % 2 == 0:
        raise BoardError(
            f"{rows} rows of squares: OpenCV releases disagree about boards with an even number "
            f"of rows; use {rows - 1} or {rows + 1}"
        )
    if columns * rows // 2 > MARKER_CAPACITY:
        raise BoardError(
            f"a board of {columns} x {rows} squares needs {columns * rows // 2} markers and "
            f"{DICTIONARY_NAME} has {MARKER_CAPACITY}; use fewer squares"
        )
    width_mm, height_mm = _printable_mm(paper)
    largest_mm = min(width_mm / columns, height_mm / rows)
    side_mm = float(largest_mm // 1) if square_mm is None else square_mm
    if not side_mm <= largest_mm:
        raise BoardError(
            f"{columns} x {rows} squares of {side_mm:g} mm do not fit {paper}; use squares of at "
            f"most {largest_mm:.1f} mm, fewer squares, or larger paper"
        )
    if side_mm < MIN_SQUARE_MM:
        raise BoardError(
            f"squares of {side_mm:g} mm are too small to print and find; use at least "
            f"{MIN_SQUARE_MM:g} mm, which may need fewer squares or larger paper"
        )
    return BoardSpec(paper, columns, rows, side_mm)


def charuco_board(spec: BoardSpec) -> cv2.aruco.CharucoBoard:
    """Return the board as OpenCV's detector wants it, lengths in metres."""
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_5X5_250)
    return cv2.aruco.CharucoBoard(
        (spec.squares_x, spec.squares_y),
        spec.square_mm / 1000,
        spec.marker_mm / 1000,
        dictionary,
    )


def page_rectangles(spec: BoardSpec) -> tuple[Rectangle, ...]:
    """Return every black rectangle of the page: the pattern, then the two rulers."""
    return (*_pattern(spec), *_rulers(spec.paper))


def board_pdf(spec: BoardSpec) -> bytes:
    """Return a one-page PDF of the board at true scale.

    The same board gives the same bytes. Viewers are told not to scale when printing.
    """
    width_mm, height_mm = PAPER_SIZES_MM[spec.paper]
    label = (
        f"Walkout calibration board {spec.squares_x} x {spec.squares_y}, "
        f"squares {spec.square_mm:g} mm, {DICTIONARY_NAME}."
    )
    advice = (
        f"Print at 100 %, not fitted to the page: both rulers must measure {RULER_MM} mm. "
        "Mount it flat."
    )
    baseline_mm = height_mm - _MARGIN_BOTTOM_MM + 5
    commands = [
        f"{_POINTS_PER_MM:.8f} 0 0 {-_POINTS_PER_MM:.8f} 0 {height_mm * _POINTS_PER_MM:.6f} cm",
        *(
            f"{box.x_mm:.4f} {box.y_mm:.4f} {box.width_mm:.4f} {box.height_mm:.4f} re"
            for box in page_rectangles(spec)
        ),
        "f",
        _text(label, _MARGIN_LEFT_MM, baseline_mm),
        _text(advice, _MARGIN_LEFT_MM, baseline_mm + 4),
    ]
    media_box = f"0 0 {width_mm * _POINTS_PER_MM:.6f} {height_mm * _POINTS_PER_MM:.6f}"
    stream = "\n".join(commands).encode("ascii")
    return _document(
        [
            b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R /MediaBox [{media_box}] /Contents 4 0 R "
            "/Resources << /Font << /F1 5 0 R >> >> >>".encode("ascii"),
            f"<< /Length {len(stream)} >>\nstream\n".encode("ascii") + stream + b"\nendstream",
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        ]
    )


def _printable_mm(paper: Paper) -> tuple[float, float]:
    """Width and height left for the pattern beside the rulers."""
    width_mm, height_mm = PAPER_SIZES_MM[paper]
    return (
        width_mm - _MARGIN_LEFT_MM - _MARGIN_RIGHT_MM,
        height_mm - _MARGIN_TOP_MM - _MARGIN_BOTTOM_MM,
    )


def _pattern(spec: BoardSpec) -> list[Rectangle]:
    """Turn OpenCV's rendering of the board into black rectangles."""
    image = charuco_board(spec).generateImage(
        (spec.squares_x * _UNITS_PER_SQUARE, spec.squares_y * _UNITS_PER_SQUARE)
    )
    unit_mm = spec.square_mm / _UNITS_PER_SQUARE
    left_mm, top_mm = spec.origin_mm
    return [
        Rectangle(left_mm + x * unit_mm, top_mm + y * unit_mm, width * unit_mm, height * unit_mm)
        for x, y, width, height in _black_boxes(np.asarray(image) < 128)
    ]


def _black_boxes(black: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
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


def _rulers(paper: Paper) -> list[Rectangle]:
    """Two rulers of `RULER_MM` with millimetre ticks: along the bottom and up the left edge.

    The centres of the ticks, not their edges, lie on whole millimetres.
    """
    height_mm = PAPER_SIZES_MM[paper][1]
    across_mm = height_mm - _RULER_FROM_EDGE_MM
    boxes = [
        Rectangle(_MARGIN_LEFT_MM, across_mm - _LINE_MM / 2, RULER_MM, _LINE_MM),
        Rectangle(_RULER_FROM_EDGE_MM - _LINE_MM / 2, _MARGIN_LEFT_MM, _LINE_MM, RULER_MM),
    ]
    for mm in range(RULER_MM + 1):
        tick_mm = 4.0 if mm % 10 == 0 else 3.0 if mm % 5 == 0 else 2.0
        centre_mm = _MARGIN_LEFT_MM + mm - _LINE_MM / 2
        boxes.append(Rectangle(centre_mm, across_mm - tick_mm, _LINE_MM, tick_mm))
        boxes.append(Rectangle(_RULER_FROM_EDGE_MM, centre_mm, tick_mm, _LINE_MM))
    return boxes


def _text(words: str, x_mm: float, y_mm: float) -> str:
    """A line of 3 mm Helvetica; the matrix undoes the page's downward y."""
    return f"BT /F1 3 Tf 1 0 0 -1 {x_mm:.3f} {y_mm:.3f} Tm ({words}) Tj ET"


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
