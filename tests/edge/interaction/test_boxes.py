"""What pieces of a known size explain of a change, on a drawn shelf: pieces of 9 x 8 x 16 cm."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.planogram import Planogram
from edge.interaction.boxes import box, fits_boxes, fits_size, shares_behind
from edge.interaction.compare import Change, compare
from edge.interaction.facings import FacingsView, see_facings
from edge.interaction.rows import Counted, RowPitch, count
from tests.edge.interaction.drawn import PIECE_M, Shelf, calibration, planogram

Key = tuple[str, int, int]
PITCH_M = 0.1


@pytest.fixture(scope="module")
def view() -> FacingsView:
    """The drawn shelf, whose planogram says how its goods stand."""
    sized = {
        name: each.model_copy(
            update={
                "columns": 3,
                "piece_width_m": PIECE_M[0],
                "piece_depth_m": PIECE_M[1],
                "piece_height_m": PIECE_M[2],
            }
        )
        for name, each in planogram().facings.items()
    }
    return see_facings("shelf-1", calibration(), Planogram(facings=sized))


def _seen(
    view: FacingsView, gone: set[Key], missing: frozenset[Key] = frozenset()
) -> tuple[Change, NDArray[np.uint8], NDArray[np.uint8], int]:
    """Pieces are taken: the change, the pictures before and after, and what stood there."""
    shelf = Shelf()
    shelf.pieces = {key: sku for key, sku in shelf.pieces.items() if key not in missing}
    pieces = sum(key[0] == next(iter(gone))[0] for key in shelf.pieces)
    before = shelf.picture()
    for key in gone:
        del shelf.pieces[key]
    after = shelf.picture()
    small = [
        np.asarray(cv2.resize(each, view.size_px, interpolation=cv2.INTER_AREA), np.uint8)
        for each in (before, after)
    ]
    changed = cv2.absdiff(*small).max(axis=2) > 17
    mask = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    found = compare(view, mask > 0, *small)
    return max(found, key=lambda each: np.count_nonzero(each.mask)), before, after, pieces


def _counted(view: FacingsView, gone: set[Key], missing: frozenset[Key] = frozenset()) -> Counted:
    change, before, after, pieces = _seen(view, gone, missing)
    return count(view, change, before, after, RowPitch.unknown(), pieces)


def test_a_box_hides_what_the_piece_does(view: FacingsView) -> None:
    change, *_ = _seen(view, {("B1", 1, 0)}, frozenset({("B1", 1, 1), ("B1", 1, 2)}))
    hidden = box(view, change, PIECE_M)
    both = np.count_nonzero(hidden & change.mask)
    assert both > 0.85 * np.count_nonzero(change.mask)
    assert both > 0.8 * np.count_nonzero(hidden)
    behind = box(view, change, PIECE_M, PITCH_M)
    assert np.argwhere(behind)[:, 0].mean() < np.argwhere(hidden)[:, 0].mean()


def test_only_what_has_gone_shows_behind_the_foremost(view: FacingsView) -> None:
    one, *_ = _seen(view, {("B1", 1, 0)})
    two, *_ = _seen(view, {("B1", 1, 0), ("B1", 1, 1)}, frozenset({("B1", 1, 2)}))
    first, *_ = shares_behind(view, one, PIECE_M, PITCH_M, 3)
    second, *_ = shares_behind(view, two, PIECE_M, PITCH_M, 3)
    assert first is not None
    assert second is not None
    assert first < 0.1 < 0.5 < second
    assert np.argmax(fits_boxes(view, one, PIECE_M, PITCH_M, 3)) == 0
    assert np.argmax(fits_boxes(view, two, PIECE_M, PITCH_M, 3)) == 1


def test_what_is_hidden_wholly_says_nothing(view: FacingsView) -> None:
    change, *_ = _seen(view, {("A1", 1, 0)})
    far_m = 1.0
    assert shares_behind(view, change, PIECE_M, far_m, 3) == (None, None)
    assert fits_boxes(view, change, PIECE_M, far_m, 3) == pytest.approx(np.ones(3))


@pytest.mark.parametrize("facing", ["A1", "A2", "B1", "B2"])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_pieces_of_a_known_size_are_counted(view: FacingsView, facing: str, column: int) -> None:
    for number in (1, 2):
        gone = {(facing, column, row) for row in range(number)}
        likeliest, share = _counted(view, gone).numbers[0]
        assert likeliest == number
        assert share > 0.85
        rest = frozenset({(facing, column, row) for row in range(number, 3)})
        alone = dict(_counted(view, gone, rest).numbers)
        assert alone[number] == max(alone.values())


def test_a_product_is_told_from_those_of_another_size(view: FacingsView) -> None:
    came, *_ = _seen(view, {("B1", 1, 0)}, frozenset({("B1", 1, 1), ("B1", 1, 2)}))
    came = replace(came, direction="appeared")
    assert fits_size(view, came, PIECE_M)
    assert fits_size(view, came, (0.1, 0.1, 0.13))
    assert not fits_size(view, came, (0.3, 0.12, 0.1))  # three times as wide
    assert not fits_size(view, came, (0.17, 0.36, 0.34))  # of which this is a corner
    assert not fits_size(view, came, (0.05, 0.03, 0.04))  # of which most lies outside
