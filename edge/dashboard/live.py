"""The live state on its way to whoever looks: made once, sent to all.

Owns how often it is made, and that its cost does not grow with how many look: it is serialised
once, and everybody is sent the same bytes. Nobody looks, nothing is made. Somebody who reads slowly
misses states and never the newest one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Final

from edge.dashboard.views.live import LiveState

_LOGGER: Final = logging.getLogger(__name__)
_EVERY_S: Final = 0.2
_BEAT_S: Final = 10.0
_LOOKS_UP_S: Final = 0.5
# Browsers come again by themselves, and are asked again who they are.
_LONGEST_S: Final = 300.0
_BEAT: Final = b"event: beat\ndata: {}\n\n"
_TRY_AGAIN: Final = b"retry: 1000\n\n"


@dataclass(frozen=True)
class Moment:
    """One live state as it is sent.

    Attributes:
        revision: Grows with every change.
        json: The state.
        event: The same as a server-sent event.
    """

    revision: int
    json: bytes
    event: bytes


class LiveFeed:
    """Live states for all who look; to be used within one event loop.

    Args:
        state: Makes the state; called by a thread of its own, one call at a time.
        every_s: How often at most.
    """

    def __init__(self, state: Callable[[], LiveState], every_s: float = _EVERY_S) -> None:
        self._state = state
        self._every_s = every_s
        self._newest: Moment | None = None
        self._changed = asyncio.Event()
        self._looking = 0
        self._making: asyncio.Task[None] | None = None
        self._closed = False

    def close(self) -> None:
        """Let all streams end within a moment; from any thread."""
        self._closed = True

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Server-sent events: the state at once, and again whenever it has changed."""
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + _LONGEST_S
        sent, sent_at_s = 0, loop.time()
        yield _TRY_AGAIN
        self._begin()
        try:
            while not self._closed and loop.time() < ends_s:
                newest = self._newest
                if newest is not None and newest.revision != sent:
                    sent, sent_at_s = newest.revision, loop.time()
                    yield newest.event
                elif loop.time() - sent_at_s >= _BEAT_S:
                    sent_at_s = loop.time()
                    yield _BEAT
                else:
                    await self._next()
        finally:
            self._end()

    def _begin(self) -> None:
        self._looking += 1
        if self._making is None:
            # What was there when somebody looked last is no news.
            self._newest = None
            self._making = asyncio.get_running_loop().create_task(self._make())

    def _end(self) -> None:
        self._looking -= 1
        if not self._looking and self._making is not None:
            self._making.cancel()
            self._making = None

    async def _next(self) -> None:
        try:
            await asyncio.wait_for(self._changed.wait(), _LOOKS_UP_S)
        except asyncio.TimeoutError:
            return

    async def _make(self) -> None:
        revision = 0
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            try:
                text = await asyncio.to_thread(self._serialised)
            except Exception:
                # Whoever looks keeps what they saw; the shop must not suffer from being looked at.
                _LOGGER.exception("the live state could not be made")
            else:
                if self._newest is None or text != self._newest.json:
                    revision += 1
                    event = b"event: state\nid: %d\ndata: %b\n\n" % (revision, text)
                    self._newest = Moment(revision, text, event)
                    self._changed.set()
                    self._changed = asyncio.Event()
            await asyncio.sleep(max(0.0, began_s + self._every_s - loop.time()))

    def _serialised(self) -> bytes:
        return self._state().model_dump_json().encode()
