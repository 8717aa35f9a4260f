"""What is shown of a hand at a piece, and what is never shown."""

from __future__ import annotations

import numpy as np
import pytest

from edge.interaction.compare import Change
from edge.interaction.facings import FacingsView, see_facings
from edge.interaction.glances import Glances, facing_in
from tests.edge.interaction.drawn import calibration, planogram

PIECE = np.s_[150:190, 200:230]


@pytest.fixture(scope="module")
def view() -> FacingsView:
    return see_facings("shelf-1", calibration(), planogram())


def _change(view: FacingsView) -> Change:
    mask = np.zeros(view.opening_at.shape, np.bool_)
    mask[PIECE] = True
    facing = sorted(view.facings)[0]
    return Change(0, view.facings[facing].fixture, facing, "vanished", 0.5, 0.1, 0.05, 0.06, mask)


def _somebody(view: FacingsView) -> tuple[np.ndarray, np.ndarray]:
    """A picture with fine detail everywhere, and everything in it before the fixture."""
    rng = np.random.default_rng(4)
    shape = view.opening_at.shape
    picture = np.repeat(rng.integers(0, 2, (*shape, 1)) * 255, 3, axis=2).astype(np.uint8)
    return picture, np.ones(shape, np.bool_)


def test_the_hand_at_the_piece_is_shown_as_it_is_and_whoever_it_belongs_to_is_coarsened(
    view: FacingsView,
) -> None:
    glances, change = Glances(view), _change(view)
    picture, everywhere = _somebody(view)
    glances.add(4.0, picture, everywhere)
    shown = glances.hand(change, 4.1)
    assert shown is not None
    whole = facing_in(view, change, picture)
    assert shown.shape == whole.shape
    alone = np.zeros_like(picture)
    alone[PIECE] = 1
    piece = facing_in(view, change, alone).any(axis=2)
    grain = shown.astype(float).std(axis=2).mean(), float(shown[piece].std())
    assert grain[1] > 90
    rows, columns = np.nonzero(piece)
    away = np.ones(piece.shape, np.bool_)
    away[max(0, rows.min() - 20) : rows.max() + 21, max(0, columns.min() - 20) :][
        :, : np.ptp(columns) + 41
    ] = False
    assert away.any() and float(shown[away].std()) < 30


def test_a_picture_is_kept_a_few_times_a_second_while_something_is_there(
    view: FacingsView,
) -> None:
    glances, change = Glances(view), _change(view)
    picture, everywhere = _somebody(view)
    glances.add(1.0, picture, np.zeros_like(everywhere))
    assert glances.hand(change, 1.0) is None
    glances.add(2.0, picture, everywhere)
    assert glances.hand(change, 2.3) is not None
    assert glances.hand(change, 3.0) is None
    glances.add(40.0, picture, everywhere)
    assert glances.hand(change, 2.0) is None
