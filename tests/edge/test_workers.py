from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import pytest

from edge.workers import Crew, Patience, Pulse, Worker


def until(condition: Callable[[], bool]) -> None:
    """Wait for a thread; far longer than it can take."""
    ends_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends_s
        time.sleep(0.005)


class Hands:
    """A clock that a test turns."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def wait(pulse: Pulse) -> None:
    pulse.stop.wait()


def test_workers_end_when_they_are_told_to() -> None:
    crew = Crew([Worker("one", wait), Worker("two", wait)], time.monotonic)
    crew.start()
    assert [state.status for state in crew.states] == ["working", "working"]
    assert crew.stop(10) == ()
    assert [state.status for state in crew.states] == ["ended", "ended"]
    assert crew.has_ended("one")


def test_a_worker_that_does_not_end_is_named() -> None:
    release = threading.Event()

    def sleep_on(pulse: Pulse) -> None:
        release.wait()

    crew = Crew([Worker("deaf", sleep_on)], time.monotonic)
    crew.start()
    assert crew.stop(0.05) == ("deaf",)
    release.set()


def test_a_crash_is_logged_and_the_worker_begins_again(caplog: pytest.LogCaptureFixture) -> None:
    starts: list[int] = []

    def stumble(pulse: Pulse) -> None:
        starts.append(1)
        if len(starts) == 1:
            raise ValueError("stumbled")
        pulse.stop.wait()

    crew = Crew([Worker("clumsy", stumble)], time.monotonic, Patience(wait_s=0))
    with caplog.at_level(logging.ERROR):
        crew.start()
        until(lambda: crew.states[0].status == "crashed")
    assert crew.states[0].reason == "ValueError: stumbled"
    assert "worker clumsy crashed" in caplog.text
    assert "Traceback" in caplog.text

    def works_again() -> bool:
        crew.check()
        return len(starts) == 2

    until(works_again)
    assert crew.states[0].restarts == 1
    assert crew.failed is None
    crew.stop(10)


def test_a_worker_that_crashes_too_often_is_given_up() -> None:
    def fall(pulse: Pulse) -> None:
        raise ValueError("fell")

    crew = Crew([Worker("falling", fall)], time.monotonic, Patience(crashes=2, wait_s=0))
    crew.start()

    def is_given_up() -> bool:
        crew.check()
        return crew.failed is not None

    until(is_given_up)
    assert crew.states[0].restarts == 2
    assert crew.failed == "worker falling is given up: ValueError: fell"


def test_a_worker_that_only_shows_may_crash_for_ever_and_the_device_goes_on() -> None:
    def fall(pulse: Pulse) -> None:
        raise ValueError("fell")

    worker = Worker("page", fall, restart="always")
    crew = Crew([worker], time.monotonic, Patience(crashes=2, wait_s=0))
    crew.start()

    def has_crashed_often() -> bool:
        crew.check()
        return crew.states[0].restarts > 6

    until(has_crashed_often)
    assert crew.failed is None
    crew.stop(10)


def test_crashes_long_ago_are_forgiven() -> None:
    hands = Hands()

    def fall(pulse: Pulse) -> None:
        raise ValueError("fell")

    crew = Crew([Worker("falling", fall)], hands, Patience(crashes=1, within_s=10, wait_s=1))
    crew.start()
    for _ in range(4):
        until(lambda: crew.states[0].status == "crashed")
        hands.now_s += 11
        crew.check()
    until(lambda: crew.states[0].status == "crashed")
    assert crew.states[0].restarts == 4


def test_a_worker_that_must_not_begin_again_is_given_up_at_once() -> None:
    def fall(pulse: Pulse) -> None:
        raise ValueError("fell")

    crew = Crew([Worker("once", fall, restart="never")], time.monotonic)
    crew.start()
    until(lambda: crew.failed is not None)
    assert crew.states[0].restarts == 0
    assert "once" in str(crew.failed)


def test_a_worker_without_a_sign_of_life_is_stuck() -> None:
    hands = Hands()
    beaten = threading.Event()

    def beat_once(pulse: Pulse) -> None:
        pulse.beat()
        beaten.set()
        pulse.stop.wait()

    crew = Crew([Worker("slow", beat_once, watchdog_s=5), Worker("free", wait)], hands)
    crew.start()
    assert beaten.wait(20)
    failed = []
    for now_s in (5, 5.5):
        hands.now_s = now_s
        crew.check()
        failed.append(crew.failed)
    assert failed[0] is None
    assert failed[1] == "worker slow is stuck: no sign of life for 5.5 s, 5 s are allowed"
    crew.stop(10)
