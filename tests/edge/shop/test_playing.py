from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.shop import playing
from tests.edge.cameras.clips import HandClock

OPENED_AT_S = 1_772_438_400.0


def test_a_device_that_is_started_again_finds_the_recording_where_it_is_by_then(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    assert not playing.is_under_way(state)
    first = playing.begin(state, OPENED_AT_S, HandClock(now_s=100.0, wall_s=5000.0), 0.5)
    assert (first.monotonic_s, first.wall_time_s) == (100.5, OPENED_AT_S)
    assert playing.is_under_way(state)
    # Another boot: its monotonic clock says something else, 30 s have passed on the wall.
    again = playing.begin(state, OPENED_AT_S, HandClock(now_s=7.0, wall_s=5030.5), 0.5)
    assert again.monotonic_s == pytest.approx(-23.0)
    assert again.wall_time_s == OPENED_AT_S
    playing.end(state)
    assert not playing.is_under_way(state)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"second_zero_wall_time_s": "soon"}'])
def test_a_damaged_note_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "playing.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"playing\.json does not say when"):
        playing.begin(tmp_path, OPENED_AT_S, HandClock(), 0.5)
