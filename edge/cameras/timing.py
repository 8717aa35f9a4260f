"""When a frame was taken, and how many never came. Numbers in, numbers out.

A live frame has two times: when it arrived, on the device's clock but late by what the network and
the decoder held it back, and its timestamp in the stream, exact but on the camera's clock. The
smallest difference seen between the two belongs to the frame that was held back least, so that
difference maps stream time to the device's clock: the minimum filter of one-way delay estimation
(Paxson, "On calibrating measurements of packet transit times", SIGMETRICS 1998). Frames that were
held back by a stalled network are thereby stamped with the past they show, not with their arrival.
"""

from __future__ import annotations

from collections import deque
from statistics import median
from typing import Final

# A camera's quartz is off by less than this; the mapping may follow it that fast.
_DRIFT: Final = 200e-6
_PERIODS_KEPT: Final = 31
_PERIODS_NEEDED: Final = 8
# The distance of two frames, in periods, from which on one is missing between them.
_GAP_PERIODS: Final = 1.7
# A step of stream time that arrival does not share by this much is a new time base, no outage.
_NEW_BASE_S: Final = 10.0
_SMALLEST_STEP_S: Final = 1e-6


class LiveTiming:
    """Numbers and stamps the frames of one live camera, over all its connections.

    Attributes:
        frames_missed: Frames that never came, estimated.
    """

    def __init__(self) -> None:
        self.frames_missed = 0
        self._next_index = 0
        self._offset_s: float | None = None
        self._arrived_at_s: float | None = None
        self._stream_s: float | None = None
        self._captured_at_s = float("-inf")
        self._periods_s: deque[float] = deque(maxlen=_PERIODS_KEPT)
        self._interrupted = False

    def interrupt(self) -> None:
        """The connection broke: the next frame belongs to another one, with its own time base."""
        if self._arrived_at_s is not None:
            self._interrupted = True
        self._offset_s = None
        self._stream_s = None

    def stamp(self, arrived_at_s: float, stream_s: float | None) -> tuple[int, float]:
        """Index and ``captured_at_s`` of a frame; both only ever grow.

        Args:
            arrived_at_s: When it arrived, on the device's monotonic clock.
            stream_s: Its timestamp in the stream; ``None`` when the stream has none.
        """
        missed = self._missed_before(arrived_at_s, stream_s)
        self.frames_missed += missed
        index = self._next_index + missed
        self._next_index = index + 1
        captured_at_s = self._captured_at(arrived_at_s, stream_s)
        self._interrupted = False
        self._arrived_at_s, self._stream_s = arrived_at_s, stream_s
        self._captured_at_s = max(captured_at_s, self._captured_at_s + _SMALLEST_STEP_S)
        return index, self._captured_at_s

    def _missed_before(self, arrived_at_s: float, stream_s: float | None) -> int:
        if self._arrived_at_s is None:
            return 0
        since_s = arrived_at_s - self._arrived_at_s
        if self._interrupted:
            return max(1, self._frames_in(since_s) - 1)
        if stream_s is None or self._stream_s is None:
            return 0
        step_s = stream_s - self._stream_s
        if step_s <= 0 or step_s > since_s + _NEW_BASE_S:
            return 0
        typical_s = self._period_s()
        self._periods_s.append(step_s)
        if typical_s is None or step_s < _GAP_PERIODS * typical_s:
            return 0
        return round(step_s / typical_s) - 1

    def _frames_in(self, seconds: float) -> int:
        period_s = self._period_s()
        return round(seconds / period_s) if period_s else 0

    def _period_s(self) -> float | None:
        enough = len(self._periods_s) >= _PERIODS_NEEDED
        return median(self._periods_s) if enough else None

    def _captured_at(self, arrived_at_s: float, stream_s: float | None) -> float:
        if stream_s is None:
            return arrived_at_s
        offset_s = arrived_at_s - stream_s
        if self._offset_s is None or self._arrived_at_s is None or self._is_new_base(stream_s):
            self._offset_s = offset_s
        else:
            crept_s = self._offset_s + _DRIFT * (arrived_at_s - self._arrived_at_s)
            self._offset_s = min(offset_s, crept_s)
        return stream_s + self._offset_s

    def _is_new_base(self, stream_s: float) -> bool:
        return self._stream_s is not None and stream_s < self._stream_s


class RecordedTiming:
    """When the frames of a recording were taken: by their container's timestamps.

    Frame ``i`` of a recording with a constant frame rate is taken at exactly ``i / fps``; a frame
    whose timestamp says something else is taken when its timestamp says.
    """

    _SAME_S: Final = 1e-3

    def __init__(self, frames_per_s: float) -> None:
        self._frames_per_s = frames_per_s
        self._index = 0
        self._last_s = float("-inf")

    def stamp(self, timestamp_s: float) -> float:
        """Seconds since the recording began, of its next frame; grows with every frame.

        Args:
            timestamp_s: The frame's timestamp in the container.
        """
        by_rate_s = self._index / self._frames_per_s
        taken_s = by_rate_s if abs(timestamp_s - by_rate_s) < self._SAME_S else timestamp_s
        if taken_s <= self._last_s:
            taken_s = self._last_s + 1 / self._frames_per_s
        self._index += 1
        self._last_s = taken_s
        return taken_s
