"""Counting on a drawn shelf: three columns of three rows, 10 cm apart, on each facing."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.planogram import Facing
from edge.interaction.columns import (
    Layout,
    Standing,
    by_column,
    layouts,
    left_by_layout,
    left_in_column,
)
from edge.interaction.compare import Change, compare
from edge.interaction.facings import FacingsView, see_facings
from edge.interaction.rows import Counted, RowPitch, count, rows_behind
from tests.edge.interaction.drawn import Shelf, calibration, planogram

Picture = NDArray[np.uint8]
Key = tuple[str, int, int]


@pytest.fixture(scope="module")
def view() -> FacingsView:
    return see_facings("shelf-1", calibration(), planogram())


def _work(view: FacingsView, picture: Picture) -> Picture:
    return np.asarray(cv2.resize(picture, view.size_px, interpolation=cv2.INTER_AREA), np.uint8)


def _changed(view: FacingsView, before: Picture, after: Picture) -> Change:
    apart = cv2.absdiff(_work(view, before), _work(view, after)).max(axis=2) > 17
    mask = cv2.morphologyEx(apart.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    changes = compare(view, mask > 0, _work(view, before), _work(view, after))
    return max(changes, key=lambda each: np.count_nonzero(each.mask))


def _counted(
    view: FacingsView,
    gone: set[Key],
    missing: frozenset[Key] = frozenset(),
    pitch: RowPitch | None = None,
) -> Counted:
    shelf = Shelf()
    shelf.pieces = {key: sku for key, sku in shelf.pieces.items() if key not in missing}
    facing = next(iter(gone))[0]
    pieces = sum(key[0] == facing for key in shelf.pieces)
    before = shelf.picture()
    for key in gone:
        del shelf.pieces[key]
    after = shelf.picture()
    change = _changed(view, before, after)
    assert change.direction == "vanished"
    return count(view, change, before, after, pitch or RowPitch.unknown(), pieces)


@pytest.mark.parametrize("facing", ["A1", "B1", "B2"])
def test_the_row_behind_says_how_many_have_gone(view: FacingsView, facing: str) -> None:
    one = _counted(view, {(facing, 1, 0)})
    two = _counted(view, {(facing, 1, 0), (facing, 1, 1)})
    assert one.numbers[0][0] == 1
    assert two.numbers[0][0] == 2
    assert sum(share for _, share in two.numbers) == pytest.approx(1)


def test_what_was_seen_before_makes_the_next_count_surer(view: FacingsView) -> None:
    first = _counted(view, {("B1", 1, 0)})
    again = _counted(view, {("B1", 1, 0)}, pitch=first.pitch)
    assert again.numbers[0][0] == 1
    assert again.numbers[0][1] >= first.numbers[0][1]


def test_how_large_a_change_is_is_told_against_pieces_seen_before(view: FacingsView) -> None:
    first = _counted(view, {("B1", 1, 0)})
    assert first.part == 1.0
    assert _counted(view, {("B1", 1, 0)}, pitch=first.pitch).part == pytest.approx(1.0)
    two = _counted(view, {("B1", 1, 0), ("B1", 1, 1)}, pitch=first.pitch)
    assert two.part > 1.2


def test_an_emptied_column_held_what_the_stock_and_the_other_columns_leave(
    view: FacingsView,
) -> None:
    front_gone = frozenset({("B1", 1, 0)})
    last_two = _counted(view, {("B1", 1, 1), ("B1", 1, 2)}, missing=front_gone)
    back_gone = frozenset({("B1", 1, 0), ("B1", 1, 2)})
    last_one = _counted(view, {("B1", 1, 1)}, missing=back_gone)
    share_of_two = dict(last_two.numbers)[2]
    assert share_of_two > 0.5 > dict(last_one.numbers)[2]


FACING = Facing(
    fixture="f", u_m=0.0, v_m=0.0, width_m=0.6, height_m=0.3, depth_m=0.4,
    sku="tea", capacity=12, stock=12,
)  # fmt: skip
THREE = tuple(Standing(u_m, 0.02) for u_m in (0.1, 0.3, 0.5))


def test_columns_are_where_front_rows_stand() -> None:
    best = max(layouts(FACING, THREE, 0.08, 12), key=lambda each: each.weight)
    assert (best.columns, best.rows) == (3, 4)
    four = tuple(Standing(0.075 + 0.15 * number, 0.02) for number in range(4))
    best = max(layouts(FACING, four, 0.12, 12), key=lambda each: each.weight)
    assert (best.columns, best.rows) == (4, 3)


def test_goods_do_not_stand_in_columns_of_which_most_would_have_to_be_overlooked() -> None:
    def of_one_row(pieces: int) -> float:
        options = layouts(FACING, THREE, 0.05, pieces)
        return next(each.weight for each in options if each.rows == 1)

    assert of_one_row(10) < of_one_row(3) / 3


def test_what_a_column_held_is_weighed_over_all_ways_in_which_the_goods_may_stand() -> None:
    one_row, four_rows = Layout(12, 1, 0.7), Layout(3, 4, 0.3)
    # The two other columns are full, so two of ten stood here; in single rows it was one.
    held = left_by_layout(FACING, THREE, (one_row, four_rows), 0.095, 10)
    assert held.sum() == pytest.approx(1)
    assert left_by_layout(FACING, THREE, (one_row,), 0.095, 10) == pytest.approx([1.0])
    assert held[1:].sum() > 0.5  # a single row would leave nearly all of the depth unused


def test_a_column_in_which_nothing_was_seen_may_hold_some_all_the_same() -> None:
    layout = Layout(3, 4, 1.0)
    held = left_in_column(THREE[:2], layout, 0.095, 7)
    assert held.max() < 0.7 and (held[:3] > 0.1).all()


def test_what_stands_between_columns_or_behind_another_is_not_the_first_of_a_column() -> None:
    seen = (THREE[0], THREE[1], Standing(0.31, 0.11), Standing(0.41, 0.2), THREE[2])
    assert by_column(FACING, seen, Layout(3, 4, 1.0)) == THREE


def test_a_full_facing_leaves_no_doubt_what_a_column_holds() -> None:
    layout = Layout(3, 4, 1.0)
    full = left_in_column(THREE, layout, 0.095, 12)
    assert full.argmax() + 1 == 4 and full.max() > 0.9
    short = left_in_column(THREE, layout, 0.095, 9)
    assert short.max() < 0.6
    assert full.sum() == pytest.approx(1) and short.sum() == pytest.approx(1)


def test_a_stock_that_cannot_be_says_nothing() -> None:
    impossible = left_in_column(THREE, Layout(3, 4, 1.0), 0.095, 40)
    assert impossible == pytest.approx(np.full(4, 0.25))


def test_rows_closer_than_the_capacity_leaves_room_for_are_unlikely() -> None:
    layout = Layout(3, 4, 1.0)
    close, right, wide = layout.room_for(np.array([0.05, 0.09, 0.14]), 0.4, 0.02)
    assert right == 1.0 and close < right and wide < close


@pytest.mark.parametrize(("shows_cells", "next_m"), [(20, 0.14), (13, 0.04)])
def test_what_looks_like_the_front_of_a_piece_is_none_where_more_of_it_is_seen_not_to_be(
    shows_cells: int, next_m: float
) -> None:
    rng = np.random.default_rng(5)
    piece = rng.uniform(40, 210, (20, 24, 3)).astype(np.float32)
    without = rng.uniform(120, 130, (100, 24, 3)).astype(np.float32)
    without[10:23] = piece[:13]  # its first 5 cm, 4 cm further back, before something else
    without[23:32] = rng.uniform(40, 210, (9, 24, 3))
    without[35:55] = piece  # the whole of it, 14 cm further back
    with_object = without.copy()
    with_object[:20] = piece
    inside = np.zeros((100, 24), np.bool_)
    inside[:shows_cells] = True
    seen = np.ones((100, 24), np.bool_)
    found = rows_behind(with_object, without, inside, seen, 0.4)
    assert found[0] == pytest.approx(next_m, abs=0.005)
