"""Fixture markers: ArUco squares that stay on a fixture's front and say where it is.

Owns how markers are laid out on paper and found in a picture, and where their corners lie on a
fixture's front. Pure. What a pose is found from them is ``calibration.plane``'s business, whether
they have moved ``calibration.drift.repair``'s.

The dictionary is another than the calibration board's, so that a board held up in front of a
fixture is never taken for the fixture's markers. A marker is named by its id, printed below it with
its side; a white border of one cell belongs to it and must not be cut off.

Four markers sit in the corners of a front, upright, their outer corners on the front's corners::

    stuck = corner_markers((3, 4, 5, 6), width_m=1.3, height_m=1.08, side_m=0.06)
    found = find_markers(grey)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import BoardError
from calibration.format import CalibrationError, Marker
from calibration.page import (
    MARGIN_LEFT_MM,
    MARGIN_TOP_MM,
    RULER_MM,
    Paper,
    Rectangle,
    Sheet,
    Words,
    black_boxes,
    caption,
    pdf,
    printable_mm,
)

MARKER_DICTIONARY_NAME: Final = "DICT_4X4_100"
MARKER_COUNT: Final = 100
MIN_SIDE_MM: Final = 20.0
_CELLS: Final = 6
"""4 x 4 bits and a black border of one cell."""
_UNITS_PER_CELL: Final = 10
_LABEL_MM: Final = 5.0
_REACH_CELLS: Final = 0.7
"""How far a side's edge is looked for: within the border's own cell."""
_PROFILE_STEP_PX: Final = 0.25
_PROFILES: Final = 16
_SIDE_PART: Final = (0.12, 0.88)
"""Part of a side that is looked at: its ends are rounded by blur."""


def marker_dictionary() -> cv2.aruco.Dictionary:
    """The dictionary of fixture markers, as OpenCV's detector wants it."""
    return cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_100)


def marker_sheets(paper: Paper, ids: Sequence[int], side_mm: float) -> tuple[Sheet, ...]:
    """Lay markers out on as many sheets as they need.

    Args:
        paper: The sheet, used upright.
        ids: Which markers, each from 0 to `MARKER_COUNT` - 1.
        side_mm: Side of a marker's black square.

    Raises:
        BoardError: An id or a side that cannot be; the message says what to change.
    """
    if not ids:
        raise BoardError("no marker was asked for; a fixture needs four")
    wrong = [each for each in ids if not 0 <= each < MARKER_COUNT]
    if wrong:
        raise BoardError(
            f"there is no marker {wrong[0]}; {MARKER_DICTIONARY_NAME} has 0 to {MARKER_COUNT - 1}"
        )
    if len(set(ids)) != len(ids):
        raise BoardError("a marker was asked for twice; each id may be on one fixture only")
    width_mm, height_mm = printable_mm(paper)
    pitch_x_mm = side_mm * (_CELLS + 2) / _CELLS
    pitch_y_mm = pitch_x_mm + _LABEL_MM
    columns, rows = int(width_mm // pitch_x_mm), int(height_mm // pitch_y_mm)
    if not side_mm >= MIN_SIDE_MM or columns * rows == 0:
        largest_mm = min(width_mm, height_mm - _LABEL_MM) * _CELLS / (_CELLS + 2)
        raise BoardError(
            f"markers of {side_mm:g} mm cannot be used on {paper}; use {MIN_SIDE_MM:g} to "
            f"{largest_mm:.0f} mm"
        )
    lines = (
        f"Walkout fixture markers, {side_mm:g} mm, {MARKER_DICTIONARY_NAME}. Print at 100 %: both "
        f"rulers must measure {RULER_MM} mm.",
        "Keep the white border. Stick each upright, its black corner on the fixture's corner.",
    )
    sheets = []
    for start in range(0, len(ids), columns * rows):
        boxes: list[Rectangle] = []
        words = list(caption(paper, lines))
        for place, marker in enumerate(ids[start : start + columns * rows]):
            left_mm = MARGIN_LEFT_MM + place % columns * pitch_x_mm + side_mm / _CELLS
            top_mm = MARGIN_TOP_MM + place // columns * pitch_y_mm + side_mm / _CELLS
            boxes += _drawn(marker, left_mm, top_mm, side_mm)
            below_mm = top_mm + side_mm * (1 + 1 / _CELLS) + 3
            words.append(Words(f"{marker}: {side_mm:g} mm", left_mm, below_mm))
        sheets.append(Sheet(tuple(boxes), tuple(words)))
    return tuple(sheets)


def markers_pdf(paper: Paper, ids: Sequence[int], side_mm: float) -> bytes:
    """Return a PDF of markers at true scale; the same markers give the same bytes.

    Raises:
        BoardError: As `marker_sheets`.
    """
    return pdf(paper, marker_sheets(paper, ids, side_mm))


def corner_markers(
    ids: tuple[int, int, int, int], width_m: float, height_m: float, side_m: float
) -> tuple[Marker, ...]:
    """Markers stuck upright into a front's corners: bottom left, bottom right, top right, top left.

    Raises:
        CalibrationError: They do not fit the front, or an id comes twice.
    """
    if side_m * 2 > min(width_m, height_m):
        raise CalibrationError(
            f"markers of {side_m * 1000:g} mm overlap on a front of {width_m:g} x {height_m:g} m; "
            "use smaller ones, or measure the front again"
        )
    if len(set(ids)) != len(ids):
        raise CalibrationError("the four markers of a fixture must have four different ids")
    right, top = width_m - side_m, height_m - side_m
    places = ((0.0, 0.0), (right, 0.0), (right, top), (0.0, top))
    return tuple(
        Marker(id=marker, u_m=u, v_m=v, side_m=side_m)
        for marker, (u, v) in zip(ids, places, strict=True)
    )


def find_markers(grey: NDArray[np.uint8]) -> dict[int, NDArray[np.float64]]:
    """Find fixture markers in a picture.

    Args:
        grey: uint8 ``(H, W)``.

    Returns:
        Of each id, pixels ``(4, 2)`` of its black corners: top left, top right, bottom right,
        bottom left as the marker is printed. An id that is seen twice is left out: a reflection, or
            a copy.
    """
    settings = cv2.aruco.DetectorParameters()
    settings.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_NONE
    detector = cv2.aruco.ArucoDetector(marker_dictionary(), settings)
    corners, ids, _ = detector.detectMarkers(grey)
    # The stubs do not say so, but without a marker there is no array of ids.
    names = [] if len(corners) == 0 else [int(each) for each in np.asarray(ids).ravel()]
    found: dict[int, NDArray[np.float64]] = {}
    for name, four in zip(names, corners, strict=True):
        if names.count(name) > 1:
            continue
        found[name] = _by_sides(grey, np.asarray(four, np.float64).reshape(4, 2))
    return found


def _by_sides(grey: NDArray[np.uint8], rough: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners where the marker's sides meet, each side a line through its edge.

    A blurred corner is round, and a search at the corner itself lands up to a pixel inside of it;
    a side is straight over its length however blurred it is.
    """
    sides = []
    for place in range(4):
        begin, end = rough[place], rough[(place + 1) % 4]
        length = float(np.linalg.norm(end - begin))
        along = (end - begin) / length
        outward = np.array([along[1], -along[0]])
        reach = max(1.5, length / _CELLS * _REACH_CELLS)
        steps = np.arange(-reach, reach + 1e-6, _PROFILE_STEP_PX)
        middles = begin + np.linspace(*_SIDE_PART, _PROFILES)[:, None] * (end - begin)
        points = (middles[:, None] + steps[None, :, None] * outward).astype(np.float32)
        levels = cv2.remap(
            grey.astype(np.float32), points[..., 0], points[..., 1], cv2.INTER_LINEAR
        )
        # Black inside, white outside: the edge is where the level rises outwards.
        rise = np.clip(np.diff(np.asarray(levels, np.float64), axis=1), 0, None)
        rise = np.clip(rise - 0.2 * rise.max(axis=1, keepdims=True), 0, None)
        at = (rise * (steps[:-1] + _PROFILE_STEP_PX / 2)).sum(axis=1) / (rise.sum(axis=1) + 1e-9)
        edge = (middles + at[:, None] * outward).astype(np.float32)
        dx, dy, x, y = np.asarray(cv2.fitLine(edge, cv2.DIST_HUBER, 0, 0.01, 0.01)).ravel()
        sides.append(np.array([-dy, dx, dy * x - dx * y], np.float64))
    corners = []
    for place in range(4):
        meet = np.cross(sides[place - 1], sides[place])
        corners.append(meet[:2] / meet[2])
    return np.array(corners)


def _drawn(marker: int, left_mm: float, top_mm: float, side_mm: float) -> list[Rectangle]:
    """A marker's black cells, from OpenCV's own rendering."""
    image = cv2.aruco.generateImageMarker(marker_dictionary(), marker, _CELLS * _UNITS_PER_CELL)
    unit_mm = side_mm / (_CELLS * _UNITS_PER_CELL)
    return [
        Rectangle(left_mm + x * unit_mm, top_mm + y * unit_mm, width * unit_mm, height * unit_mm)
        for x, y, width, height in black_boxes(np.asarray(image) < 128)
    ]
