"""The calibration board: a ChArUco pattern laid out on paper at true scale.

Owns which boards fit which paper and where every black cell of the pattern lies. Pure: values in,
values out; the sheet it is printed on is ``calibration.page``'s, writing the file the command
line's.

The pattern is OpenCV's own rendering of ``CharucoBoard``, turned into rectangles, so that what is
printed is what the detector looks for.

Example::

    spec = fit_board("A4")
    Path("board.pdf").write_bytes(board_pdf(spec))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from calibration.format import CalibrationError
from calibration.page import (
    MARGIN_LEFT_MM,
    MARGIN_TOP_MM,
    RULER_MM,
    Paper,
    Rectangle,
    Sheet,
    black_boxes,
    caption,
    pdf,
    printable_mm,
    rulers,
)

DEFAULT_SQUARES: Final[dict[Paper, tuple[int, int]]] = {"A4": (7, 9), "A3": (9, 13)}
DICTIONARY_NAME: Final = "DICT_5X5_250"
MARKER_CAPACITY: Final = 250
MARKER_SHARE: Final = 0.7
"""Side of a marker as a share of its square: 7 of 10 cells, so that cells fall on whole units."""
MIN_SQUARE_MM: Final = 10.0
"""Below this a marker's cells are under a millimetre and printers start to close them."""
MIN_SQUARES: Final = 3

_UNITS_PER_SQUARE: Final = 20


class BoardError(CalibrationError):
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
        width_mm, height_mm = printable_mm(self.paper)
        return (
            MARGIN_LEFT_MM + (width_mm - self.squares_x * self.square_mm) / 2,
            MARGIN_TOP_MM + (height_mm - self.squares_y * self.square_mm) / 2,
        )


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
    width_mm, height_mm = printable_mm(paper)
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
    return (*_pattern(spec), *rulers(spec.paper))


def board_pdf(spec: BoardSpec) -> bytes:
    """Return a one-page PDF of the board at true scale.

    The same board gives the same bytes. Viewers are told not to scale when printing.
    """
    label = (
        f"Walkout calibration board {spec.squares_x} x {spec.squares_y}, "
        f"squares {spec.square_mm:g} mm, {DICTIONARY_NAME}."
    )
    advice = (
        f"Print at 100 %, not fitted to the page: both rulers must measure {RULER_MM} mm. "
        "Mount it flat."
    )
    return pdf(spec.paper, [Sheet(_pattern(spec), caption(spec.paper, (label, advice)))])


def _pattern(spec: BoardSpec) -> tuple[Rectangle, ...]:
    """Turn OpenCV's rendering of the board into black rectangles."""
    image = charuco_board(spec).generateImage(
        (spec.squares_x * _UNITS_PER_SQUARE, spec.squares_y * _UNITS_PER_SQUARE)
    )
    unit_mm = spec.square_mm / _UNITS_PER_SQUARE
    left_mm, top_mm = spec.origin_mm
    return tuple(
        Rectangle(left_mm + x * unit_mm, top_mm + y * unit_mm, width * unit_mm, height * unit_mm)
        for x, y, width, height in black_boxes(np.asarray(image) < 128)
    )
