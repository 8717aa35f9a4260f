"""Shoppers on scripted paths, seen with noise by as many cameras as a test wants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from calibration.format import Floor, Point2, Zone
from edge.tracking.observations import LOOK_LENGTH, FloorObservation, FloorScan, Look
from edge.tracking.track import Track
from edge.tracking.tracks import Tracks

SHOP = Floor(
    outline=((0, 0), (6, 0), (6, 5), (0, 5)),
    zones=(
        Zone(name="entry", kind="entry", polygon=((0, 0), (1.2, 0), (1.2, 1.2), (0, 1.2))),
        Zone(name="exit", kind="exit", polygon=((4.8, 0), (6, 0), (6, 1.2), (4.8, 1.2))),
    ),
)
RATE_HZ = 7.5


@dataclass
class Walker:
    """Somebody who walks from point to point; before the first and after the last they are gone."""

    name: str
    waypoints: Sequence[tuple[float, float, float]]
    look: Look | None = None
    unseen: Sequence[tuple[float, float]] = ()

    def at(self, at_s: float) -> Point2 | None:
        times = [w[0] for w in self.waypoints]
        if not times[0] <= at_s <= times[-1]:
            return None
        x = np.interp(at_s, times, [w[1] for w in self.waypoints])
        y = np.interp(at_s, times, [w[2] for w in self.waypoints])
        return float(x), float(y)

    def seen_at(self, at_s: float) -> bool:
        return not any(start <= at_s <= end for start, end in self.unseen)


def clothes(seed: int) -> Look:
    """What somebody looks like: a few colours of their own."""
    rng = np.random.default_rng(seed)
    counts = rng.gamma(0.15, size=LOOK_LENGTH)
    return np.asarray(np.sqrt(counts / counts.sum()), np.float32)


def seen_clothes(look: Look, rng: np.random.Generator) -> Look:
    """The same clothes in one picture: other folds, other light."""
    counts = look**2 * rng.gamma(6.0, 1 / 6.0, size=len(look)) + rng.gamma(0.05, 0.02, len(look))
    return np.asarray(np.sqrt(counts / counts.sum()), np.float32)


@dataclass
class Stage:
    """Runs walkers past cameras into ``Tracks`` and remembers who was where."""

    walkers: Sequence[Walker]
    seed: int = 0
    noise_m: float = 0.07
    missed: float = 0.0
    false_a_scan: float = 0.0
    merge_below_m: float = 0.0
    covers: Mapping[str, Callable[[Point2], bool]] = field(
        default_factory=lambda: {"overhead-1": lambda _: True}
    )
    tracks: Tracks = field(default_factory=lambda: Tracks(SHOP))
    told: list[tuple[Track, ...]] = field(default_factory=list)

    def run(self, until_s: float, since_s: float = 0.0) -> Stage:
        rng = np.random.default_rng(self.seed)
        for k in range(int(since_s * RATE_HZ), int(until_s * RATE_HZ)):
            self.told.append(self.tracks.update(self._scan(k / RATE_HZ, rng)))
        return self

    def _scan(self, at_s: float, rng: np.random.Generator) -> FloorScan:
        views = []
        for camera, covers in self.covers.items():
            seen: list[FloorObservation] = []
            for walker in self.walkers:
                place = walker.at(at_s)
                noise = rng.normal(0, self.noise_m, 2)
                miss = rng.random() < self.missed
                if place is None or miss or not walker.seen_at(at_s) or not covers(place):
                    continue
                look = {} if walker.look is None else {camera: seen_clothes(walker.look, rng)}
                x_m, y_m = place[0] + noise[0], place[1] + noise[1]
                if any(
                    np.hypot(s.position_m[0] - x_m, s.position_m[1] - y_m) < self.merge_below_m
                    for s in seen
                ):
                    continue
                seen.append(observation(x_m, y_m, camera, self.noise_m, look))
            for _ in range(rng.poisson(self.false_a_scan)):
                seen.append(observation(rng.uniform(0, 6), rng.uniform(0, 5), camera))
            views.append(tuple(seen))
        return FloorScan(at_s, tuple(views))

    def ids_of(self, walker: Walker, within_m: float = 0.5) -> list[str]:
        """The ids that followed a walker, in order, without repetition."""
        ids: list[str] = []
        for tracks in self.told:
            for track in self._on(walker, tracks, within_m):
                if not ids or ids[-1] != track.track_id:
                    ids.append(track.track_id)
        return ids

    def _on(self, walker: Walker, tracks: Sequence[Track], within_m: float) -> list[Track]:
        """The track on a walker: the nearest, if this walker is also the nearest to it."""
        at_s = tracks[0].at_s if tracks else 0.0
        place = walker.at(at_s)
        seen = [t for t in tracks if t.state in ("new", "followed")]
        if place is None or not seen:
            return []
        nearest = min(seen, key=lambda t: np.hypot(*np.subtract(t.position_m, place)))
        others = [w.at(at_s) for w in self.walkers if w is not walker]
        own = np.hypot(*np.subtract(nearest.position_m, place))
        rival = min(
            (np.hypot(*np.subtract(nearest.position_m, o)) for o in others if o), default=np.inf
        )
        return [nearest] if own < within_m and own <= rival else []

    def seen_alone(self, clear_m: float) -> dict[str, list[Track]]:
        """By walker, the tracks on them at the moments when nobody else was near."""
        seen: dict[str, list[Track]] = {walker.name: [] for walker in self.walkers}
        for tracks in self.told:
            places = {w.name: w.at(tracks[0].at_s) for w in self.walkers} if tracks else {}
            for walker in self.walkers:
                place = places.get(walker.name)
                others = [p for name, p in places.items() if p and name != walker.name]
                if place and all(np.hypot(*np.subtract(place, p)) > clear_m for p in others):
                    seen[walker.name] += self._on(walker, tracks, 0.5)
        return seen

    def ended(self) -> list[Track]:
        return [t for tracks in self.told for t in tracks if t.state in ("left", "lost")]

    def all_ids(self) -> list[str]:
        return sorted({t.track_id for tracks in self.told for t in tracks})

    def last_of(self, track_id: str) -> Track:
        return [t for tracks in self.told for t in tracks if t.track_id == track_id][-1]


def observation(
    x_m: float,
    y_m: float,
    camera: str = "overhead-1",
    noise_m: float = 0.07,
    looks: Mapping[str, Look] | None = None,
) -> FloorObservation:
    variance = max(noise_m, 0.03) ** 2
    return FloorObservation(
        (float(x_m), float(y_m)), ((variance, 0.0), (0.0, variance)), 0.9, (camera,), looks or {}
    )
