"""The channels between workers, as a table, and the channel itself.

Owns how many items wait and what happens when there is no room: ``oldest`` makes room by dropping
the item that waited longest and counts it, ``never`` makes whoever sends wait. Frames may be
dropped, what was seen in them may not.

The ``frames`` channel of each camera is ``edge.cameras.newest.NewestFrame``; it stands in the table
so that the table is complete.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from edge.errors import QueueFullError
from edge.events import Frame
from edge.tracking.watch import FloorMoment

DropPolicy = Literal["oldest", "never"]


@dataclass(frozen=True)
class QueueSpec:
    """One row of the table.

    Attributes:
        name: Of the channel.
        item: Type of what goes through it, by name.
        size: Items that may wait.
        drops: What happens when there is no room.
    """

    name: str
    item: str
    size: int
    drops: DropPolicy


FRAMES: Final = QueueSpec("frames", Frame.__name__, 1, "oldest")
# Whatever people ask of the desk: check-ins, verdicts, refunds.
ASKED: Final = QueueSpec("asked", "AskedAtDesk", 64, "never")
MOMENTS: Final = QueueSpec("moments", FloorMoment.__name__, 64, "never")
SIGHTINGS: Final = QueueSpec("sightings", "Sighting", 256, "never")
QUEUES: Final = (FRAMES, ASKED, MOMENTS, SIGHTINGS)


@dataclass(frozen=True)
class QueueState:
    """How a channel is now.

    Attributes:
        spec: Its row of the table.
        waiting: Items that wait.
        sent: Items so far.
        dropped: Of those, dropped.
    """

    spec: QueueSpec
    waiting: int
    sent: int
    dropped: int


class Inbox:
    """Several channels with one reader, who waits for any of them.

    Args:
        specs: The channels; earlier ones are emptied first.
    """

    def __init__(self, specs: Iterable[QueueSpec]) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._items: dict[str, deque[Any]] = {name: deque() for name in self._specs}
        self._sent = dict.fromkeys(self._specs, 0)
        self._dropped = dict.fromkeys(self._specs, 0)
        self._changed = threading.Condition()

    def send(self, channel: QueueSpec, item: object, timeout_s: float | None = None) -> None:
        """Send an item.

        Args:
            channel: Through which channel.
            item: The item.
            timeout_s: How long to wait for room where nothing is dropped; ``None`` as long as it
                takes.

        Raises:
            QueueFullError: There was no room in time; the item was not sent.
        """
        name, items = channel.name, self._items[channel.name]
        with self._changed:
            if channel.drops == "oldest":
                while len(items) >= channel.size:
                    items.popleft()
                    self._dropped[name] += 1
            elif not self._changed.wait_for(lambda: len(items) < channel.size, timeout_s):
                raise QueueFullError(
                    f"{name} holds {channel.size} items and none was taken for {timeout_s:g} s; "
                    "see why its reader stands still"
                )
            items.append(item)
            self._sent[name] += 1
            self._changed.notify_all()

    def take(self, timeout_s: float) -> tuple[QueueSpec, Any] | None:
        """The next item and its channel; ``None`` when none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: any(self._items.values()), timeout_s)
            for name, items in self._items.items():
                if items:
                    item = items.popleft()
                    self._changed.notify_all()
                    return self._specs[name], item
        return None

    def states(self) -> tuple[QueueState, ...]:
        """How the channels are, in the order of the table."""
        with self._changed:
            return tuple(
                QueueState(spec, len(self._items[name]), self._sent[name], self._dropped[name])
                for name, spec in self._specs.items()
            )
