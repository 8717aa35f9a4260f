"""Whose interaction it was: the shopper whose reach covers it, or an honest "could be both".

A track explains an interaction by how far it stood from where the reach came from and from the
fixture's front, over the time of the interaction. What a track explains goes to the session it is
bound to, shared out where the track may be another's. One session that is at least ``ratio`` times
likelier than any other is charged; two who could both have done it are left to a person. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from calibration.format import Fixture, Point2
from edge.events import InteractionEvent
from edge.tracking.history import TrackHistory
from edge.tracking.session import Session
from edge.tracking.track import Track

AttributionKind = Literal["one", "several", "none"]


@dataclass(frozen=True)
class Claim:
    """How likely an interaction was a session's.

    Attributes:
        session_id: The session; ``None`` for somebody without one.
        track_ids: Its tracks that could have reached.
        share: Among all claims, 0 to 1.
        distance_m: How near the best of these tracks stood to where the reach came from.
    """

    session_id: str | None
    track_ids: tuple[str, ...]
    share: float
    distance_m: float


@dataclass(frozen=True)
class Attribution:
    """Whose an interaction was.

    Attributes:
        kind: ``one`` session is charged; ``several`` could have done it; ``none`` did.
        session_id: The one session; ``None`` otherwise.
        claims: Everybody who could have reached, likeliest first.
        reason: Why, in words and numbers.
    """

    kind: AttributionKind
    session_id: str | None
    claims: tuple[Claim, ...]
    reason: str


@dataclass(frozen=True)
class ReachSettings:
    """How far shoppers reach and how sure an attribution has to be.

    Attributes:
        reach_m: From where somebody stands to the front of the fixture.
        reach_sd_m: How softly that ends.
        place_sd_m: Spread of where the reach is said to come from around where the shopper stands.
        stray: Share of events whose floor point is wrong altogether.
        ratio: How many times likelier the best claim must be than the second.
        margin_s: Looked at before and after the interaction.
        least: Below this a track does not explain an interaction at all.
    """

    reach_m: float = 0.95
    reach_sd_m: float = 0.2
    place_sd_m: float = 0.3
    stray: float = 0.02
    ratio: float = 10.0
    margin_s: float = 0.2
    least: float = 0.01


def attribute(
    event: InteractionEvent,
    fixture: Fixture,
    history: TrackHistory,
    sessions: Sequence[Session],
    settings: ReachSettings | None = None,
) -> Attribution:
    """Whose an interaction was.

    Args:
        event: The interaction.
        fixture: The fixture it happened at.
        history: Where everybody was; it must reach beyond the end of the event.
        sessions: All sessions; closed ones may still own what happened before they closed.
        settings: Distances and the ratio.

    Returns:
        One session, several that could have done it, or none.
    """
    settings = settings or ReachSettings()
    tracks = history.between(
        event.started_at_s - settings.margin_s, event.ended_at_s + settings.margin_s
    )
    explains = {
        track_id: _explains(told, event, fixture, settings) for track_id, told in tracks.items()
    }
    reaching = {name: each for name, each in explains.items() if each[0] >= settings.least}
    if not reaching:
        nearest = min((each[1] for each in explains.values()), default=math.inf)
        where = f"; the nearest was {nearest:.1f} m away" if math.isfinite(nearest) else ""
        return Attribution("none", None, (), f"nobody was within reach of {event.fixture}{where}")
    return _judge(_claims(reaching, tracks, _owners(sessions)), settings)


def _explains(
    told: Sequence[Track], event: InteractionEvent, fixture: Fixture, settings: ReachSettings
) -> tuple[float, float]:
    """How well a track explains an interaction, 0 to 1, and how near it came to the floor point."""
    likelihoods, distances = [], []
    for track in told:
        away_m = math.dist(track.position_m, event.floor_m)
        unsure_m2 = (track.covariance_m2[0][0] + track.covariance_m2[1][1]) / 2
        spread_m2 = settings.place_sd_m**2 + unsure_m2
        # Relative to a track whose place is known: a vague one explains everything a little.
        fits = math.exp(-0.5 * away_m**2 / spread_m2) * settings.place_sd_m**2 / spread_m2
        front_m = _to_front_m(fixture, track.position_m)
        reach_sd_m = math.sqrt(settings.reach_sd_m**2 + unsure_m2)
        reaches = 1 / (1 + math.exp(1.7 * (front_m - settings.reach_m) / reach_sd_m))
        likelihoods.append(((1 - settings.stray) * fits + settings.stray) * reaches)
        distances.append(away_m)
    # The middle half of the time somebody was there: hands come and go at its ends.
    return float(np.quantile(likelihoods, 0.7)), min(distances)


def _to_front_m(fixture: Fixture, place: Point2) -> float:
    """Floor distance to the line below the fixture's front."""
    start = np.array(fixture.origin_m[:2])
    along = np.array(fixture.right[:2]) * fixture.width_m
    length2 = max(float(along @ along), 1e-9)
    share = float(np.clip((np.array(place) - start) @ along / length2, 0, 1))
    return float(np.hypot(*(np.array(place) - start - share * along)))


def _owners(sessions: Sequence[Session]) -> dict[str, dict[str, float]]:
    """By track id, the sessions it may be bound to, with their probabilities."""
    owners: dict[str, dict[str, float]] = {}
    for session in sessions:
        for member in session.members:
            if member.track_id is None:
                continue
            options = (member.track_id, *member.may_be)
            for track_id in options:
                mine = owners.setdefault(track_id, {})
                mine[session.session_id] = mine.get(session.session_id, 0.0) + 1 / len(options)
    for mine in owners.values():
        total = max(1.0, sum(mine.values()))
        for session_id in mine:
            mine[session_id] /= total
    return owners


def _claims(
    reaching: Mapping[str, tuple[float, float]],
    tracks: Mapping[str, Sequence[Track]],
    owners: Mapping[str, Mapping[str, float]],
) -> list[Claim]:
    weight: dict[str | None, float] = {}
    by: dict[str | None, list[str]] = {}
    nearest: dict[str | None, float] = {}
    for track_id, (likelihood, away_m) in sorted(reaching.items()):
        for identity, probability in _identities(tracks[track_id][-1]):
            bound = owners.get(identity, {})
            unbound = 1 - sum(bound.values())
            for session_id, share in [*bound.items(), (None, unbound)]:
                mass = likelihood * probability * share
                if mass <= 1e-9:
                    continue
                weight[session_id] = weight.get(session_id, 0.0) + mass
                by.setdefault(session_id, []).append(track_id)
                nearest[session_id] = min(nearest.get(session_id, math.inf), away_m)
    total = sum(weight.values())
    claims = [
        Claim(name, tuple(dict.fromkeys(by[name])), mass / total, nearest[name])
        for name, mass in weight.items()
    ]
    return sorted(claims, key=lambda claim: (-claim.share, claim.session_id or ""))


def _identities(track: Track) -> list[tuple[str, float]]:
    other = [(swap.track_id, swap.probability) for swap in track.swaps]
    return [(track.track_id, max(0.0, 1 - sum(p for _, p in other))), *other]


def _judge(claims: Sequence[Claim], settings: ReachSettings) -> Attribution:
    best = claims[0]
    second = claims[1].share if len(claims) > 1 else 0.0
    clear = best.share >= settings.ratio * second
    told = ", ".join(
        f"{claim.session_id or 'somebody without a session'} {claim.share:.0%} "
        f"({claim.distance_m:.1f} m)"
        for claim in claims[:3]
    )
    if clear and best.session_id is not None:
        return Attribution("one", best.session_id, tuple(claims), f"within reach: {told}")
    if clear:
        return Attribution("none", None, tuple(claims), f"within reach: {told}")
    return Attribution(
        "several",
        None,
        tuple(claims),
        f"could each have done it: {told}; the likeliest would have to be {settings.ratio:g} "
        "times likelier than the next",
    )
