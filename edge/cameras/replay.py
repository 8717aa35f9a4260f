"""The frames of several recordings, one after the other as they were taken.

What a replay reads a recorded shop with: no clock, every frame, and the same order each time. Each
recording is decoded by a thread of its own, a few frames ahead; in which order they are handed out
has nothing to do with who is ready first.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from queue import Empty, Queue
from typing import Final

from edge.cameras.base import CameraSource
from edge.errors import CameraEndedError, CameraError
from edge.events import Frame

_AHEAD: Final = 3


def frames_in_order(
    sources: Iterable[CameraSource],
    decoding: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> Generator[Frame, None, None]:
    """All frames of all recordings by ``captured_at_s``, cameras of one moment by their names.

    Opens the recordings and closes them again. A few frames a camera are held at a time.

    Args:
        sources: Recordings, as fast as possible.
        decoding: What surrounds the decoding of each frame, in its thread; to count what it costs.

    Raises:
        CameraError: One of them cannot be opened or broke before its end.
    """
    with ExitStack() as opened:
        streams = []
        for source in sources:
            source.open()
            opened.callback(source.close)
            ahead = _Ahead(source, decoding)
            opened.callback(ahead.stop)
            streams.append(ahead.frames())
        yield from heapq.merge(*streams, key=lambda frame: (frame.captured_at_s, frame.camera))


class _Ahead:
    """Reads a recording a few frames ahead of whoever looks at them."""

    def __init__(
        self, source: CameraSource, decoding: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._source = source
        self._decoding = decoding
        self._read: Queue[Frame | CameraError] = Queue(_AHEAD)
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._keep_reading, name=f"decode {source.name}", daemon=True
        )
        self._thread.start()

    def frames(self) -> Iterator[Frame]:
        while True:
            item = self._read.get()
            if isinstance(item, CameraEndedError):
                return
            if isinstance(item, CameraError):
                raise item
            yield item

    def stop(self) -> None:
        self._stopping.set()
        while self._thread.is_alive():
            try:
                self._read.get(timeout=0.01)
            except Empty:
                continue

    def _keep_reading(self) -> None:
        while not self._stopping.is_set():
            item: Frame | CameraError
            try:
                with self._decoding():
                    item = self._source.read()
            except CameraError as err:
                item = err
            self._read.put(item)
            if isinstance(item, CameraError):
                return
