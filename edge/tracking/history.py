"""Where everybody was during the last minutes, to look an interaction up in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from calibration.format import Point2
from edge.tracking.silhouettes import Silhouettes
from edge.tracking.track import Track


@dataclass(frozen=True, eq=False)
class PastMoment:
    """The floor at a moment gone by.

    Attributes:
        at_s: The moment.
        tracks: What was told about it.
        silhouettes: What the cameras saw; ``None`` where that is not kept (any more).
    """

    at_s: float
    tracks: tuple[Track, ...]
    silhouettes: Silhouettes | None

    def places_m(self) -> dict[str, Point2]:
        """Where everybody stood, by track id."""
        return {
            track.track_id: track.position_m
            for track in self.tracks
            if track.state not in ("left", "lost")
        }


class TrackHistory:
    """The tracks of the recent scans, oldest first.

    Args:
        keeps_s: How far back it reaches; interactions older than that cannot be charged.
        keeps_silhouettes_s: The same for what the cameras saw, which takes more room: about 50 kB
            a second and camera.
    """

    def __init__(self, keeps_s: float = 120.0, keeps_silhouettes_s: float = 40.0) -> None:
        self._keeps_s = keeps_s
        self._keeps_silhouettes_s = keeps_silhouettes_s
        self._times_s: list[float] = []
        self._scans: list[tuple[Track, ...]] = []
        self._silhouettes: dict[float, Silhouettes] = {}

    def add(
        self, at_s: float, tracks: Sequence[Track], silhouettes: Silhouettes | None = None
    ) -> None:
        """Remember what ``Tracks.update`` told about a moment; moments come in order."""
        self._times_s.append(at_s)
        self._scans.append(tuple(tracks))
        if silhouettes is not None:
            self._silhouettes[at_s] = silhouettes
        while (
            self._silhouettes and next(iter(self._silhouettes)) < at_s - self._keeps_silhouettes_s
        ):
            del self._silhouettes[next(iter(self._silhouettes))]
        old = bisect_left(self._times_s, at_s - self._keeps_s)
        if old > 64:  # in batches: a list gives its front up slowly
            del self._times_s[:old]
            del self._scans[:old]

    def moments(self, since_s: float, until_s: float) -> tuple[PastMoment, ...]:
        """Everything told about a span of time, in order.

        A span between two scans gives the scan before and the one after.
        """
        if not self._times_s or until_s < self._times_s[0]:
            return ()
        first = max(0, bisect_right(self._times_s, since_s) - 1)
        last = bisect_left(self._times_s, until_s) + 1
        return tuple(
            PastMoment(at_s, tracks, self._silhouettes.get(at_s))
            for at_s, tracks in zip(self._times_s[first:last], self._scans[first:last], strict=True)
        )

    @property
    def until_s(self) -> float | None:
        """The last moment it knows of; ``None`` before the first."""
        return self._times_s[-1] if self._times_s else None
