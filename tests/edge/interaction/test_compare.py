"""Whether goods went or came, on small drawn work pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.interaction.compare import is_crumbs, outline_lead, still_there

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
HIGH, WIDE = 40, 36


def _shelf(*places: tuple[int, int]) -> Picture:
    """A plain board with like goods on it, by the row and column of their upper left corners."""
    rng = np.random.default_rng(5)
    goods = rng.integers(60, 120, (HIGH, WIDE, 3)).astype(np.uint8)
    goods = np.repeat(np.repeat(goods[::5, ::5], 5, axis=0), 5, axis=1)[:HIGH, :WIDE]
    picture = np.full((140, 120, 3), 180, np.uint8)
    for row, column in sorted(places):  # the foremost hides the others
        picture[row : row + HIGH, column : column + WIDE] = goods
    return picture


def _differs(one: Picture, other: Picture) -> Mask:
    return np.asarray((one.astype(int) != other).any(axis=2))


def test_goods_that_stand_before_their_like_are_missed_by_where_they_stood() -> None:
    before, after = _shelf((60, 40), (28, 40)), _shelf((28, 40))
    mask = np.zeros(before.shape[:2], np.bool_)
    mask[60:100, 40:76] = True
    assert outline_lead(mask, before, after, foot=True) > 0.3
    assert outline_lead(mask, after, before, foot=True) < -0.3
    assert still_there(mask, before, after) < 0.7


def test_what_stands_a_little_aside_is_still_there() -> None:
    before, after = _shelf((60, 40)), _shelf((58, 42))
    assert still_there(_differs(before, after), before, after) > 0.7


def test_too_small_a_foot_says_nothing() -> None:
    before, after = _shelf((60, 40)), _shelf()
    mask = np.zeros(before.shape[:2], np.bool_)
    mask[70:80, 50] = True
    assert outline_lead(mask, before, after, foot=True) == 0.0


def test_scattered_pixels_are_crumbs_and_the_shape_of_a_piece_is_none() -> None:
    piece, crumbs = np.zeros((60, 60), np.bool_), np.zeros((60, 60), np.bool_)
    piece[10:50, 20:40] = True
    piece[20:30, 25:35] = False  # where what is behind looks the same
    crumbs[10:14, 20:24] = crumbs[30:34, 36:40] = crumbs[40:44, 20:24] = True
    assert is_crumbs(crumbs)
    assert not is_crumbs(piece)
