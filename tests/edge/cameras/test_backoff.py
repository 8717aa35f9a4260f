from __future__ import annotations

import random

from edge.cameras.backoff import Backoff


def test_waits_double_up_to_the_longest_with_half_of_each_drawn() -> None:
    backoff = Backoff(0.5, 8.0, random.Random(1))
    waits_s = [backoff.next_wait_s() for _ in range(100)]
    for number, wait_s in enumerate(waits_s):
        ceiling_s = min(8.0, 0.5 * 2**number)
        assert 0.5 * ceiling_s <= wait_s <= ceiling_s
    assert max(waits_s) - min(waits_s[10:]) > 2


def test_after_a_success_the_first_wait_is_short_again() -> None:
    backoff = Backoff(0.5, 30.0, random.Random(1))
    for _ in range(20):
        backoff.next_wait_s()
    backoff.reset()
    assert backoff.next_wait_s() <= 0.5


def test_two_cameras_do_not_come_back_together() -> None:
    first, second = (Backoff(1.0, 30.0, random.Random(name)) for name in ("shelf-1", "shelf-2"))
    assert [first.next_wait_s() for _ in range(5)] != [second.next_wait_s() for _ in range(5)]
