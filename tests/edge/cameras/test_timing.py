from __future__ import annotations

import random

import pytest

from edge.cameras.timing import LiveTiming, RecordedTiming


def test_frames_held_back_by_the_network_are_stamped_with_when_they_were_taken() -> None:
    timing, dice = LiveTiming(), random.Random(3)
    worst_s = 0.0
    for number in range(600):
        taken_s = 1000 + number / 15
        delay_s = 0.02 + (dice.expovariate(1 / 0.03) if number % 4 else 0.0)
        _, captured_at_s = timing.stamp(taken_s + delay_s, 77.0 + number / 15)
        if number > 10:
            worst_s = max(worst_s, abs(captured_at_s - taken_s))
    assert worst_s < 0.025


def test_the_mapping_follows_a_camera_whose_clock_is_slow_or_fast() -> None:
    for rate in (1 - 100e-6, 1 + 100e-6):
        timing = LiveTiming()
        for number in range(20_000):
            arrived_s = 50 + number / 10
            _, captured_at_s = timing.stamp(arrived_s, number / 10 * rate)
        assert captured_at_s == pytest.approx(arrived_s, abs=0.01)


def test_a_backlog_delivered_at_once_keeps_its_own_moments() -> None:
    timing = LiveTiming()
    for number in range(30):
        timing.stamp(10 + number / 10, number / 10)
    stamps = [timing.stamp(16.0 + number / 1000, 3 + number / 10)[1] for number in range(30)]
    assert stamps == pytest.approx([13 + number / 10 for number in range(30)], abs=0.01)


def test_index_and_moment_only_grow_even_when_the_camera_sets_its_clock_back() -> None:
    timing = LiveTiming()
    streams = [0.0, 0.1, 0.2, 500.0, 500.1, 3.0, 3.1, 3.1, 3.0]
    stamps = [timing.stamp(10 + i / 10, stream) for i, stream in enumerate(streams)]
    assert [index for index, _ in stamps] == list(range(len(streams)))
    moments = [captured_at_s for _, captured_at_s in stamps]
    assert all(later > earlier for earlier, later in zip(moments, moments[1:], strict=False))
    assert moments[-1] == pytest.approx(10.8, abs=0.11)


def test_frames_that_never_came_leave_a_gap_in_the_index() -> None:
    timing = LiveTiming()
    for number in range(20):
        timing.stamp(number / 15, number / 15)
    index, _ = timing.stamp(24 / 15, 24 / 15)
    assert (index, timing.frames_missed) == (24, 4)


def test_an_outage_leaves_a_gap_as_long_as_it_was() -> None:
    timing = LiveTiming()
    for number in range(20):
        timing.stamp(number / 10, 5 + number / 10)
    timing.interrupt()
    index, captured_at_s = timing.stamp(61.9, 0.0)
    assert (index, timing.frames_missed) == (619, 599)
    assert captured_at_s == 61.9


def test_an_outage_of_unknown_length_leaves_a_gap_all_the_same() -> None:
    timing = LiveTiming()
    assert timing.stamp(1.0, None) == (0, 1.0)
    timing.interrupt()
    assert timing.stamp(1.1, None) == (2, 1.1)


def test_attempts_before_the_first_frame_leave_no_gap() -> None:
    timing = LiveTiming()
    timing.interrupt()
    timing.interrupt()
    assert timing.stamp(9.0, 0.0) == (0, 9.0)


def test_a_recording_with_a_constant_rate_has_exact_moments() -> None:
    timing = RecordedTiming(15)
    assert [timing.stamp(round(i / 15, 3)) for i in range(5)] == [i / 15 for i in range(5)]


def test_a_recording_with_a_varying_rate_goes_by_its_timestamps() -> None:
    timing = RecordedTiming(10)
    assert [timing.stamp(at_s) for at_s in (0.0, 0.1, 0.35, 0.4)] == [0.0, 0.1, 0.35, 0.4]


def test_timestamps_that_stand_still_do_not_stop_the_time() -> None:
    timing = RecordedTiming(10)
    stamps = [timing.stamp(at_s) for at_s in (0.0, 0.1, 0.1, 0.1)]
    assert stamps == pytest.approx([0.0, 0.1, 0.2, 0.3])
