"""The frames of several recordings, one after the other as they were taken.

What a replay reads a recorded shop with: no threads, no clock, every frame, and the same order each
time.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from edge.cameras.base import CameraSource
from edge.errors import CameraEndedError
from edge.events import Frame


def frames_in_order(sources: Iterable[CameraSource]) -> Iterator[Frame]:
    """All frames of all recordings by ``captured_at_s``, cameras of one moment by their names.

    Opens the recordings and closes them again. One frame a camera is held at a time.

    Args:
        sources: Recordings, as fast as possible.

    Raises:
        CameraError: One of them cannot be opened or broke before its end.
    """
    with ExitStack() as opened:
        streams = []
        for source in sources:
            source.open()
            opened.callback(source.close)
            streams.append(_frames(source))
        yield from heapq.merge(*streams, key=lambda frame: (frame.captured_at_s, frame.camera))


def _frames(source: CameraSource) -> Iterator[Frame]:
    while True:
        try:
            frame = source.read()
        except CameraEndedError:
            return
        yield frame
