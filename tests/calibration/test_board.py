"""The calibration board as a printer would draw it and a camera would see it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.board import (
    MARKER_CAPACITY,
    BoardError,
    BoardSpec,
    board_pdf,
    charuco_board,
    fit_board,
    page_rectangles,
)
from calibration.page import PAPER_SIZES_MM, RULER_MM, Paper, Rectangle

PIXELS_PER_MM = 8
BOARDS = [
    fit_board("A4"),
    fit_board("A3"),
    fit_board("A4", squares_x=5, squares_y=7, square_mm=33.5),
    fit_board("A3", squares_x=20, squares_y=25, square_mm=13),
]


def _draw(boxes: Sequence[Rectangle], paper: Paper) -> NDArray[np.uint8]:
    """Print the page by hand: grey levels (H, W), 8 pixels a millimetre."""
    width_mm, height_mm = PAPER_SIZES_MM[paper]
    page = np.full(
        (round(height_mm * PIXELS_PER_MM), round(width_mm * PIXELS_PER_MM)), 255, np.uint8
    )
    for box in boxes:
        left, top = round(box.x_mm * PIXELS_PER_MM), round(box.y_mm * PIXELS_PER_MM)
        right = round((box.x_mm + box.width_mm) * PIXELS_PER_MM)
        bottom = round((box.y_mm + box.height_mm) * PIXELS_PER_MM)
        page[top:bottom, left:right] = 0
    return page


def _inner_corners(page: NDArray[np.uint8], spec: BoardSpec) -> NDArray[np.float64]:
    """Find the board as a camera would: corners (rows, columns, 2) in pixels, all of them."""
    corners, ids, _, _ = cv2.aruco.CharucoDetector(charuco_board(spec)).detectBoard(page)
    assert corners is not None
    assert ids is not None
    found = np.asarray(corners, np.float64).reshape(-1, 2)
    order = np.argsort(np.asarray(ids).ravel())
    assert len(order) == spec.corners
    return found[order].reshape(spec.squares_y - 1, spec.squares_x - 1, 2)


@pytest.mark.parametrize("spec", BOARDS, ids=str)
def test_every_corner_of_the_page_is_found_and_lies_where_the_layout_says(spec: BoardSpec) -> None:
    corners_mm = _inner_corners(_draw(page_rectangles(spec), spec.paper), spec) / PIXELS_PER_MM

    columns, rows = np.meshgrid(np.arange(1, spec.squares_x), np.arange(1, spec.squares_y))
    expected_mm = np.stack((columns, rows), axis=-1) * spec.square_mm + spec.origin_mm
    # The detector counts from pixel centres and this page is drawn on whole pixels.
    assert np.abs(corners_mm - expected_mm).max() < 1.5 / PIXELS_PER_MM


@pytest.mark.parametrize("spec", BOARDS, ids=str)
def test_nothing_is_printed_where_printers_cannot_reach(spec: BoardSpec) -> None:
    width_mm, height_mm = PAPER_SIZES_MM[spec.paper]
    for box in page_rectangles(spec):
        assert 5 <= box.x_mm < box.x_mm + box.width_mm <= width_mm - 5
        assert 5 <= box.y_mm < box.y_mm + box.height_mm <= height_mm - 5


@pytest.mark.skipif(shutil.which("pdftoppm") is None, reason="needs pdftoppm (poppler-utils)")
@pytest.mark.parametrize("spec", BOARDS[:2], ids=str)
def test_the_pdf_measures_in_millimetres_what_it_promises(spec: BoardSpec, tmp_path: Path) -> None:
    dots_per_inch = 200
    pixels_per_mm = dots_per_inch / 25.4
    (tmp_path / "board.pdf").write_bytes(board_pdf(spec))
    subprocess.run(
        ["pdftoppm", "-gray", "-singlefile", "-r", str(dots_per_inch), "board.pdf", "board"],
        cwd=tmp_path,
        check=True,
    )
    page = cv2.imread(str(tmp_path / "board.pgm"), cv2.IMREAD_GRAYSCALE)
    assert page is not None
    grey = np.asarray(page, np.uint8)

    paper_mm = PAPER_SIZES_MM[spec.paper]
    assert grey.shape[::-1] == pytest.approx([side * pixels_per_mm for side in paper_mm], abs=1.5)

    corners = _inner_corners(grey, spec)
    across = np.linalg.norm(corners[:, -1] - corners[:, 0], axis=1) / (spec.squares_x - 2)
    down = np.linalg.norm(corners[-1] - corners[0], axis=1) / (spec.squares_y - 2)
    assert across / pixels_per_mm == pytest.approx(spec.square_mm, rel=2e-3)
    assert down / pixels_per_mm == pytest.approx(spec.square_mm, rel=2e-3)

    left_ink = np.flatnonzero((grey[:, : round(12 * pixels_per_mm)] < 128).any(axis=1))
    bottom_ink = np.flatnonzero((grey[-round(11.5 * pixels_per_mm) :] < 128).any(axis=0))
    for ink in (left_ink, bottom_ink):
        assert (ink[-1] - ink[0]) / pixels_per_mm == pytest.approx(RULER_MM, abs=0.4)


def test_the_same_board_gives_the_same_bytes_and_asks_not_to_be_scaled() -> None:
    pdf = board_pdf(fit_board("A4"))

    assert pdf == board_pdf(fit_board("A4"))
    assert b"/PrintScaling /None" in pdf


@pytest.mark.parametrize(
    ("paper", "squares_x", "squares_y", "square_mm", "words"),
    [
        ("A4", 7, 8, None, "use 7 or 9"),
        ("A4", 2, 9, None, "at least 3 x 3"),
        ("A4", -7, 9, None, "at least 3 x 3"),
        ("A4", 7, 9, 40.0, "at most 26.9 mm"),
        ("A4", 7, 9, float("nan"), "at most 26.9 mm"),
        ("A4", 7, 9, float("inf"), "at most 26.9 mm"),
        ("A4", 7, 9, 0.0, "at least 10 mm"),
        ("A4", 7, 9, -26.0, "at least 10 mm"),
        ("A4", 19, 21, None, "fewer squares or larger paper"),
        ("A3", 27, 19, None, f"has {MARKER_CAPACITY}"),
    ],
)
def test_a_board_that_cannot_work_is_refused_with_what_to_change(
    paper: Paper, squares_x: int, squares_y: int, square_mm: float | None, words: str
) -> None:
    with pytest.raises(BoardError, match=words):
        fit_board(paper, squares_x, squares_y, square_mm)
