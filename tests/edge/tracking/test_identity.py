"""Looks tell two apart who were too close, as far as they are known and differ."""

from collections.abc import Mapping

import numpy as np
import pytest

from edge.tracking.identity import Identities
from edge.tracking.observations import LOOK_LENGTH, Look

CLOSE_S, AFTER_S = 10.0, 12.0


def look(*bins: int) -> Mapping[str, Look]:
    """A body of some colours, as one camera sees it."""
    counts = np.zeros(LOOK_LENGTH)
    counts[list(bins)] = 1.0
    return {"overhead-1": np.sqrt(counts / counts.sum()).astype(np.float32)}


RED, BLUE, ALIKE_RED = look(0, 1, 2, 3), look(40, 41, 42, 43), look(0, 1, 2, 4)


def two_who_are_known(
    first: Mapping[str, Look], second: Mapping[str, Look], doubt: float = 0.0
) -> Identities:
    """Bodies 1 and 2, seen alone for a while after they came in at each other's side."""
    people = Identities()
    people.enter(1, "t-1", {"t-1": 1.0}, 0.0)
    people.enter(2, "t-2", {"t-2": 1.0}, 0.0)
    if doubt:
        people.close(1, 2, doubt, 1.0)
        people.apart(1, 2)
    for scan in range(20):
        people.seen(1, first, True, 2.0 + scan / 7.5)
        people.seen(2, second, True, 2.0 + scan / 7.5)
    return people


def seen_alone(people: Identities, body: int, looks: Mapping[str, Look]) -> None:
    for scan in range(4):
        people.seen(body, looks, True, AFTER_S + scan / 7.5)


def test_who_are_seen_alone_after_they_were_close_are_told_apart() -> None:
    people = two_who_are_known(RED, BLUE)
    people.close(1, 2, 0.4, CLOSE_S)
    assert people.belief(1)["t-1"] == pytest.approx(0.6)
    seen_alone(people, 1, RED)
    seen_alone(people, 2, BLUE)
    assert people.belief(1)["t-1"] > 0.98
    assert people.belief(2)["t-2"] > 0.98
    assert not people.swaps(1)


def test_who_were_exchanged_get_their_labels_back() -> None:
    people = two_who_are_known(RED, BLUE)
    people.close(1, 2, 0.4, CLOSE_S)
    seen_alone(people, 1, BLUE)
    assert (people.label(1), people.label(2)) == ("t-2", "t-1")


def test_one_of_two_seen_alone_tells_of_both() -> None:
    people = two_who_are_known(RED, BLUE)
    people.close(1, 2, 0.4, CLOSE_S)
    seen_alone(people, 1, RED)
    assert people.belief(2)["t-2"] > 0.98


def test_who_dress_alike_stay_in_doubt() -> None:
    people = two_who_are_known(RED, ALIKE_RED)
    people.close(1, 2, 0.4, CLOSE_S)
    seen_alone(people, 1, look(0, 1, 2))
    seen_alone(people, 2, look(0, 1, 2))
    assert 0.5 < people.belief(1)["t-1"] < 0.7


def test_looks_learned_in_a_small_doubt_tell_of_later_exchanges_but_not_of_that_doubt() -> None:
    people = two_who_are_known(RED, BLUE, doubt=0.06)
    people.close(1, 2, 0.4, CLOSE_S)
    seen_alone(people, 1, RED)
    seen_alone(people, 2, BLUE)
    assert people.belief(1)["t-1"] == pytest.approx(0.94, abs=0.01)
    assert people.belief(1)["t-2"] == pytest.approx(0.06, abs=0.01)


def test_a_doubt_from_before_anybody_was_known_is_not_talked_away() -> None:
    people = two_who_are_known(RED, BLUE, doubt=0.3)
    seen_alone(people, 1, RED)
    assert people.belief(1)["t-1"] == pytest.approx(0.7, abs=0.01)


def test_looks_of_nobody_known_say_nothing() -> None:
    people = Identities()
    people.enter(1, "t-1", {"t-1": 1.0}, 0.0)
    people.enter(2, "t-2", {"t-2": 1.0}, 0.0)
    people.close(1, 2, 0.4, CLOSE_S)
    seen_alone(people, 1, RED)
    assert people.belief(1)["t-1"] == pytest.approx(0.6)


def test_who_was_taken_for_somebody_at_the_door_is_known_when_the_other_has_gone() -> None:
    people = two_who_are_known(RED, BLUE)
    people.enter(3, "t-3", {"t-3": 1.0}, 9.0)
    people.close(1, 3, 0.4, CLOSE_S)
    people.leave(3)
    seen_alone(people, 1, look(60, 61, 62))
    assert people.belief(1)["t-3"] > 0.85
    assert people.label(1) == "t-1"  # the id of one who left is not given again
