"""How long changes look: drawn from above, a cell is 4 mm."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.interaction.above import CELL_M, Above, Mask
from edge.interaction.lengths import LENGTHS_M, fits_length, repeats_after, usual_lengths

PITCHES_M = np.array([0.06, 0.09, 0.12])
WIDE, DEEP, LONG = 20, 90, 24  # cells: a piece is 8 cm wide and looks 9.6 cm long


def _row(*fronts: int) -> tuple[Above, Mask]:
    """Like pieces whose front edges are at some cells, and what they cover."""
    rng = np.random.default_rng(3)
    piece = rng.uniform(0, 255, (LONG, WIDE, 3)).astype(np.float32)
    board = np.full((DEEP, WIDE, 3), 128, np.float32)
    inside = np.zeros((DEEP, WIDE), np.bool_)
    for front in sorted(fronts, reverse=True):  # the foremost hides the others
        board[front : front + LONG] = piece
        inside[front : front + LONG] = True
    return board, inside


def _numbers(
    fronts: tuple[int, ...], length_m: float | None, seen_until: int = DEEP
) -> NDArray[np.float64]:
    """How likely one, two, three pieces are; ``length_m`` is what is known of one."""
    board, inside = _row(*fronts)
    seen = np.zeros_like(inside)
    seen[:seen_until] = True
    board, inside = np.where(seen[..., None], board, 0).astype(np.float32), inside & seen
    again_m = repeats_after(board, inside, WIDE * CELL_M)
    fits = fits_length(inside, seen, WIDE * CELL_M, PITCHES_M, 3, again_m)
    known = usual_lengths(WIDE * CELL_M)
    if length_m is not None:
        known = np.exp(-0.5 * ((LENGTHS_M - length_m) / 0.005) ** 2)
    shares = (fits * known[:, None]).sum(axis=(1, 2))
    return np.asarray(shares / shares.sum())


def test_once_the_length_of_a_piece_is_known_that_of_a_change_says_how_many_went() -> None:
    known_m = LONG * CELL_M
    assert _numbers((0,), known_m)[0] > 0.9
    assert _numbers((0, 15), known_m)[1] > 0.9
    assert _numbers((0, 15, 30), known_m)[0] < 0.05


def test_a_change_no_longer_than_wide_is_hardly_two() -> None:
    short = _numbers((0,), None)
    assert short[0] > 0.75


def test_what_shows_the_same_twice_was_two_though_nothing_of_its_kind_was_seen_before() -> None:
    board, inside = _row(0, 23)
    assert repeats_after(board, inside, WIDE * CELL_M) == pytest.approx(23 * CELL_M, abs=CELL_M)
    assert _numbers((0, 23), None)[1:].sum() > 0.9


def test_the_top_of_the_rearmost_repeats_though_the_front_of_no_other_is_in_sight() -> None:
    board, inside = _row(0, 15)
    assert repeats_after(board, inside, 20 * CELL_M) == pytest.approx(15 * CELL_M, abs=CELL_M)
    aside = np.roll(board[24:39], 2, axis=1), np.roll(inside[24:39], 2, axis=1)
    board[24:39], inside[24:39] = aside
    assert repeats_after(board, inside, 20 * CELL_M) == pytest.approx(15 * CELL_M, abs=CELL_M)


def test_what_is_plain_looks_like_itself_everywhere_and_repeats_nowhere() -> None:
    board, inside = _row(0)
    slope = np.linspace(40, 200, WIDE, dtype=np.float32)[None, :, None]
    board[:LONG] = np.broadcast_to(slope, (LONG, WIDE, 3))
    assert repeats_after(board, inside, 8 * CELL_M) is None


def test_rows_too_close_to_be_looked_for_are_not_spoken_against() -> None:
    _, inside = _row(0)
    close_m, apart_m = 0.03, 0.09
    fits = fits_length(
        inside, np.ones_like(inside), WIDE * CELL_M, np.array([close_m, apart_m]), 2, None
    )
    assert fits[1, :, 0].max() > 2 * fits[1, :, 1].max()


def test_one_piece_does_not_repeat() -> None:
    board, inside = _row(0)
    assert repeats_after(board, inside, WIDE * CELL_M) is None
    assert repeats_after(board, inside, 3 * LONG * CELL_M) is None  # wider than it looks long


def test_where_the_board_above_cuts_the_view_off_a_short_change_says_nothing() -> None:
    known_m = LONG * CELL_M
    free, cut = _numbers((0, 15), known_m), _numbers((0, 15), known_m, seen_until=LONG)
    assert free[1] > 0.9
    assert abs(cut[0] - cut[1]) < 0.2
