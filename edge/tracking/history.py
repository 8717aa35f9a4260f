"""Where everybody was during the last minutes, to look an interaction up in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from edge.tracking.track import Track


class TrackHistory:
    """The tracks of the recent scans, oldest first.

    Args:
        keeps_s: How far back it reaches; interactions older than that cannot be charged.
    """

    def __init__(self, keeps_s: float = 120.0) -> None:
        self._keeps_s = keeps_s
        self._times_s: list[float] = []
        self._scans: list[tuple[Track, ...]] = []

    def add(self, at_s: float, tracks: Sequence[Track]) -> None:
        """Remember what ``Tracks.update`` told about a moment; moments come in order."""
        self._times_s.append(at_s)
        self._scans.append(tuple(tracks))
        old = bisect_left(self._times_s, at_s - self._keeps_s)
        if old > 64:  # in batches: a list gives its front up slowly
            del self._times_s[:old]
            del self._scans[:old]

    def between(self, since_s: float, until_s: float) -> dict[str, tuple[Track, ...]]:
        """By track id, everything told about a span of time, in order.

        A span between two scans gives the scan before and the one after.
        """
        if not self._times_s or until_s < self._times_s[0]:
            return {}
        first = max(0, bisect_right(self._times_s, since_s) - 1)
        last = bisect_left(self._times_s, until_s) + 1
        found: dict[str, list[Track]] = {}
        for scan in self._scans[first:last]:
            for track in scan:
                found.setdefault(track.track_id, []).append(track)
        return {name: tuple(tracks) for name, tracks in found.items()}

    @property
    def until_s(self) -> float | None:
        """The last moment it knows of; ``None`` before the first."""
        return self._times_s[-1] if self._times_s else None
