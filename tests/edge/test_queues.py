from __future__ import annotations

import threading

import pytest

from edge.errors import QueueFullError
from edge.queues import QUEUES, Inbox, QueueSpec

NEWEST = QueueSpec("newest", "int", 2, "oldest")
EVERY = QueueSpec("every", "int", 2, "never")


def test_the_oldest_item_makes_room_where_items_may_be_dropped() -> None:
    inbox = Inbox([NEWEST])
    for number in range(4):
        inbox.send(NEWEST, number)
    assert [inbox.take(0), inbox.take(0), inbox.take(0)] == [(NEWEST, 2), (NEWEST, 3), None]
    (state,) = inbox.states()
    assert (state.sent, state.dropped, state.waiting) == (4, 2, 0)


def test_nothing_is_dropped_where_nothing_may_be() -> None:
    inbox = Inbox([EVERY])
    inbox.send(EVERY, 1)
    inbox.send(EVERY, 2)
    with pytest.raises(QueueFullError, match="every holds 2 items and none was taken"):
        inbox.send(EVERY, 3, timeout_s=0.01)
    sender = threading.Thread(target=inbox.send, args=(EVERY, 3))
    sender.start()
    taken = [inbox.take(10) for _ in range(3)]
    sender.join(10)
    assert taken == [(EVERY, 1), (EVERY, 2), (EVERY, 3)]


def test_earlier_channels_are_emptied_first() -> None:
    inbox = Inbox([EVERY, NEWEST])
    inbox.send(NEWEST, 1)
    inbox.send(EVERY, 2)
    assert inbox.take(0) == (EVERY, 2)


def test_what_was_seen_is_never_dropped_and_frames_may_be() -> None:
    assert {spec.name: spec.drops for spec in QUEUES} == {
        "frames": "oldest",
        "asked": "never",
        "moments": "never",
        "sightings": "never",
    }
