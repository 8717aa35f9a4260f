import numpy as np
import pytest
from numpy.typing import NDArray

from edge.interaction.reach import ReachLog

SIZE_PX = (64, 48)
FPS = 10
PIECE = np.s_[18:30, 20:32]
GOODS, BOARD, SLEEVE = 200, 60, 120


def _picture(shown: int, covered: bool) -> NDArray[np.uint8]:
    picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), BOARD, np.uint8)
    picture[PIECE] = SLEEVE if covered else shown
    return picture


def _piece() -> NDArray[np.bool_]:
    mask = np.zeros((SIZE_PX[1], SIZE_PX[0]), np.bool_)
    mask[PIECE] = True
    return mask


def _log(taken_s: float, covered_s: tuple[float, float], until_s: float) -> ReachLog:
    """A piece that is taken at a moment while something may cover it."""
    log = ReachLog(SIZE_PX)
    nowhere = np.zeros_like(_piece())
    for frame in range(round(until_s * FPS)):
        at_s = frame / FPS
        covered = covered_s[0] <= at_s < covered_s[1]
        gone = at_s >= taken_s
        busy = _piece() if covered or gone else nowhere
        log.add(
            at_s, busy, _piece() if covered else nowhere,
            _picture(BOARD if gone else GOODS, covered),
        )  # fmt: skip
    return log


def _behind(log: ReachLog, rest_since_s: float) -> tuple[float, float, float | None]:
    reach = log.behind(_piece(), _picture(GOODS, False), _picture(BOARD, False), rest_since_s)
    return reach.started_at_s, reach.ended_at_s, reach.contact_at_s


def test_the_contact_is_when_the_piece_turned_into_what_is_behind_it() -> None:
    started_s, ended_s, contact_s = _behind(_log(3.0, (2.5, 3.4), 5.0), 3.4)
    assert started_s == pytest.approx(2.5)
    assert ended_s == pytest.approx(3.4)
    assert contact_s is not None and 2.5 <= contact_s <= 3.4


def test_somebody_who_stands_before_the_empty_place_later_does_not_move_the_contact() -> None:
    log = _log(3.0, (2.5, 3.4), 9.0)
    late = ReachLog(SIZE_PX)
    assert late.reaching(3.0) == ()
    *_, contact_s = _behind(log, 8.0)
    assert contact_s is not None and 2.4 <= contact_s <= 3.5


def test_a_change_that_was_hidden_for_long_has_no_contact() -> None:
    *_, contact_s = _behind(_log(4.0, (1.0, 7.0), 8.0), 7.0)
    assert contact_s is None


def test_what_moved_around_a_moment_is_what_was_before_the_fixture_then() -> None:
    log = _log(3.0, (2.5, 3.4), 5.0)
    masks = log.reaching(2.9)
    assert masks and any(mask.any() for mask in masks)
    assert not any(mask.any() for mask in log.reaching(1.0))


def test_pictures_are_remembered_for_seconds_and_masks_for_minutes() -> None:
    log = _log(3.0, (2.5, 3.4), 40.0)
    started_s, _, contact_s = _behind(log, 39.0)
    assert started_s == pytest.approx(2.5, abs=0.1)
    assert contact_s is None
