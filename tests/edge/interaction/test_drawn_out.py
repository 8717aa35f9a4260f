"""How many pieces a hand draws out, on a drawn shelf: pieces of 9 x 8 x 16 cm, rows 10 cm apart."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.interaction.compare import Change, compare
from edge.interaction.drawn_out import more_likely, second_explains
from edge.interaction.facings import FacingsView, see_facings
from edge.interaction.glances import Glance
from edge.interaction.rows import more_than_one
from tests.edge.interaction.drawn import PIECE_M, Shelf, calibration, planogram
from tests.simulators.shop.errors import SimulatorError
from tests.simulators.shop.moments import film, held_before, watched
from tests.simulators.shop.recording import Plan, stage

Picture = NDArray[np.uint8]
PITCH_M = 0.1
CONTACT_S = 2.0
PIECE = ("B2", 1, 0)


@pytest.fixture(scope="module")
def view() -> FacingsView:
    return see_facings("shelf-1", calibration(), planogram())


def _shelf() -> Shelf:
    """The last piece of its column stands where the board above would hide one behind it."""
    shelf = Shelf()
    shelf.pieces = {
        key: sku for key, sku in shelf.pieces.items() if key[:2] != PIECE[:2] or key == PIECE
    }
    return shelf


def _taken(view: FacingsView) -> tuple[Change, tuple[Picture, Picture]]:
    shelf = _shelf()
    before = shelf.picture()
    del shelf.pieces[PIECE]
    after = shelf.picture()
    small = [
        np.asarray(cv2.resize(each, view.size_px, interpolation=cv2.INTER_AREA), np.uint8)
        for each in (before, after)
    ]
    changed = (cv2.absdiff(*small).max(axis=2) > 17).astype(np.uint8)
    mask = cv2.morphologyEx(changed, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)) > 0
    found = compare(view, mask, *small)
    return max(found, key=lambda each: np.count_nonzero(each.mask)), (before, after)


def _reaching(carried: int, *, seen: bool = True, carries_before: bool = False) -> list[Glance]:
    """A hand comes, and goes with so many pieces; ``seen`` is false where it is past too soon."""
    shelf, glances = _shelf(), []
    settled = shelf.picture()
    u, v, w = shelf.at(*PIECE)
    grip = v + 0.1
    for at_s in np.arange(0.6, 2.9, 0.2):
        since_s = at_s - CONTACT_S
        away_m = min(0.4, max(0.0, -since_s - 0.2)) if since_s < 0 else min(0.45, since_s)
        shelf.hand = (u, grip, w - away_m)
        has = since_s > 0
        if has:
            shelf.pieces.pop(PIECE, None)
        shelf.carrying = "jam" if has or carries_before else None
        shelf.carried = carried
        if has and not seen:
            shelf.hand = None
        picture = shelf.picture()
        foreground = cv2.absdiff(picture, settled).max(axis=2) > 18
        glances.append(Glance(float(at_s), picture, foreground))
    return glances


def _gain(view: FacingsView, glances: list[Glance]) -> float | None:
    change, pictures = _taken(view)
    return second_explains(view, change, PIECE_M, PITCH_M, pictures, glances, CONTACT_S)


def test_a_hand_with_two_pieces_shows_two(view: FacingsView) -> None:
    gain = _gain(view, _reaching(2))
    assert gain is not None and gain > 0.35
    assert more_likely(gain) > 10


def test_a_hand_with_one_piece_shows_one(view: FacingsView) -> None:
    gain = _gain(view, _reaching(1))
    assert gain is not None and gain < -0.2
    assert more_likely(gain) < 0.3


def test_what_looked_like_two_pieces_before_contact_says_nothing(view: FacingsView) -> None:
    assert _gain(view, _reaching(2, carries_before=True)) is None


def test_a_hand_that_was_not_seen_says_nothing(view: FacingsView) -> None:
    assert _gain(view, _reaching(2, seen=False)) is None
    assert _gain(view, []) is None
    assert more_likely(None) == 1.0


def test_of_two_that_are_taken_the_board_hides_one_and_the_hand_shows_both(tmp_path: Path) -> None:
    try:
        staged = stage(Plan(seed=111, shoppers=4))
    except SimulatorError as err:
        pytest.skip(f"no shop can be rendered here: {err}")
    (take,) = [
        each
        for each in staged.story.interactions
        if each.behaviour == "take_two" and each.facing == "fixture-3-A2"
    ]
    assert held_before(staged, take) == take.quantity == 2
    film(staged, take, tmp_path / "take.mp4")
    events = watched(staged, take, tmp_path / "take.mp4")
    assert [(each.kind, each.quantity, each.outcome) for each in events] == [("take", 2, "accept")]


def test_numbers_are_weighed_by_what_the_hand_shows() -> None:
    numbers = ((1, 0.87), (2, 0.12), (3, 0.01))
    weighed = more_than_one(numbers, 67.5)
    assert [number for number, _ in weighed] == [2, 1, 3]
    assert weighed[0][1] == pytest.approx(0.12 * 67.5 / (0.87 + 0.13 * 67.5))
    assert sum(share for _, share in weighed) == pytest.approx(1.0)
    assert more_than_one(numbers, 1.0) == numbers
