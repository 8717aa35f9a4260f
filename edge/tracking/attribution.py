"""Whose interaction it was: the shopper whose reach covers it, or an honest "could be both".

When exactly the hand was at the piece is known only so well, so it is summed over: at each moment
that it may have been, a track explains the interaction by how far it stood from where the reach
came from and from the fixture's front, by whether it stood at all, and, where others stood near
too, by the arm that cameras above saw or did not see (``reaching``). What a track explains goes to
the session it is bound to, shared out where the track may be another's; what is put back was most
likely held before. One session that is at least ``ratio`` times likelier than any other is charged;
two who could both have done it are left to a person. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from calibration.format import Fixture, Point2
from calibration.planogram import Facing
from edge.events import InteractionEvent
from edge.tracking.history import PastMoment, TrackHistory
from edge.tracking.reaching import arm_evidence, stoop_evidence, tops_m
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
        contact_sd_s: Spread of when the hand is said to have been at the piece.
        walks_from_m_s: Who is faster walks by; nobody takes anything at a walk.
        walks_sd_m_s: How softly that begins.
        stray: Share of events whose floor point is wrong altogether.
        not_held: How likely somebody puts back what they are not known to have, against one who
            has it.
        ratio: How many times likelier the best claim must be than the second.
        margin_s: Looked at before and after the interaction.
        least: Below this a track does not explain an interaction at all.
    """

    reach_m: float = 0.95
    reach_sd_m: float = 0.2
    place_sd_m: float = 0.35
    contact_sd_s: float = 0.2
    walks_from_m_s: float = 0.5
    walks_sd_m_s: float = 0.15
    stray: float = 0.02
    not_held: float = 0.15
    ratio: float = 10.0
    margin_s: float = 0.2
    least: float = 0.01


# The likeliest way an arm can be wrong is worth so much and no more.
_MOST_AGAINST_ARM: Final = -6.0
_BESIDE_FRONT_M: Final = 0.04
_ABOVE_BOARD_M: Final = 0.1
_HANDS_ACROSS: Final = 3
_MOST_LOOKS: Final = 9
_UPRIGHT_WITHIN_S: Final = 25.0
_UPRIGHT_EVERY: Final = 12
_LEAST_UPRIGHT_M: Final = 1.5


def attribute(
    event: InteractionEvent,
    fixture: Fixture,
    history: TrackHistory,
    sessions: Sequence[Session],
    settings: ReachSettings | None = None,
    *,
    facing: Facing | None = None,
    held: Mapping[str, Collection[str]] | None = None,
) -> Attribution:
    """Whose an interaction was.

    Args:
        event: The interaction.
        fixture: The fixture it happened at.
        history: Where everybody was; it must reach beyond the end of the event.
        sessions: All sessions; closed ones may still own what happened before they closed.
        settings: Distances and the ratio.
        facing: Where on the fixture; without it arms are looked for at any height.
        held: By session, the SKUs it may have by now; ``None`` when that is not known.

    Returns:
        One session, several that could have done it, or none.
    """
    settings = settings or ReachSettings()
    moments = _weighed(event, history, settings)
    explains = _by_place(moments, event, fixture, settings)
    reaching = {name: each for name, each in explains.items() if each.share >= settings.least}
    if not reaching:
        nearest = min((each.distance_m for each in explains.values()), default=math.inf)
        where = f"; the nearest was {nearest:.1f} m away" if math.isfinite(nearest) else ""
        return Attribution("none", None, (), f"nobody was within reach of {event.fixture}{where}")
    if len(reaching) > 1:
        hands_m = _hands_m(event, fixture, facing)
        reaching = _by_sight(moments, reaching, hands_m, history)
    keeps = _keeps(event, sessions, held, settings)
    claims = _claims(reaching, _owners(sessions), _bound_at_s(sessions), keeps)
    return _judge(claims, settings)


@dataclass(frozen=True, eq=False)
class _Explanation:
    """How a track explains an interaction.

    Attributes:
        track: As last told.
        share: How likely, against somebody who stood right there, 0 to 1.
        by_moment: The same for each moment that the hand may have been at the piece.
        distance_m: How near it came to the floor point.
    """

    track: Track
    share: float
    by_moment: dict[float, float]
    distance_m: float


def _weighed(
    event: InteractionEvent, history: TrackHistory, settings: ReachSettings
) -> list[tuple[float, PastMoment]]:
    """Moments that the hand may have been at the piece, with how likely it was each of them."""
    if event.contact_at_s is None:
        moments = history.moments(
            event.started_at_s - settings.margin_s, event.ended_at_s + settings.margin_s
        )
        return [(1 / len(moments), each) for each in moments]
    apart_s = max(2.5 * settings.contact_sd_s, settings.margin_s)
    moments = history.moments(event.contact_at_s - apart_s, event.contact_at_s + apart_s)
    off = np.array([each.at_s - event.contact_at_s for each in moments])
    # A moment far off still counts a little: history may have a gap just there.
    likely = np.exp(-0.5 * (off / settings.contact_sd_s) ** 2) + 1e-6
    return list(zip((likely / likely.sum()).tolist(), moments, strict=True))


def _by_place(
    moments: Sequence[tuple[float, PastMoment]],
    event: InteractionEvent,
    fixture: Fixture,
    settings: ReachSettings,
) -> dict[str, _Explanation]:
    found: dict[str, _Explanation] = {}
    for weight, moment in moments:
        for track in moment.tracks:
            before = found.get(track.track_id)
            fits = weight * _stands(track, event, fixture, settings)
            away_m = math.dist(track.position_m, event.floor_m)
            by_moment = {} if before is None else before.by_moment
            found[track.track_id] = _Explanation(
                track,
                fits + (0.0 if before is None else before.share),
                by_moment | {moment.at_s: fits},
                away_m if before is None else min(away_m, before.distance_m),
            )
    return found


def _stands(
    track: Track, event: InteractionEvent, fixture: Fixture, settings: ReachSettings
) -> float:
    """How well somebody's place at a moment explains the interaction, 0 to 1."""
    unsure_m2 = (track.covariance_m2[0][0] + track.covariance_m2[1][1]) / 2
    off = np.array(track.position_m) - np.array(event.floor_m)
    along = np.array(fixture.right[:2])
    along = along / max(float(np.hypot(*along)), 1e-9)
    along_m = float(off @ along)
    across_m2 = max(0.0, float(off @ off) - along_m**2)
    usual_m2 = settings.place_sd_m**2
    told_m2 = usual_m2 if event.floor_sd_m is None else max(event.floor_sd_m, 0.1) ** 2
    # Relative to a track whose place is known: a vague one explains everything a little.
    sharpness = math.sqrt(told_m2 / (told_m2 + unsure_m2) * usual_m2 / (usual_m2 + unsure_m2))
    off2 = along_m**2 / (told_m2 + unsure_m2) + across_m2 / (usual_m2 + unsure_m2)
    fits = math.exp(-0.5 * off2) * sharpness
    front_m = _to_front_m(fixture, track.position_m)
    reach_sd_m = math.sqrt(settings.reach_sd_m**2 + unsure_m2)
    reaches = _falls((front_m - settings.reach_m) / reach_sd_m)
    speed_m_s = math.hypot(*track.velocity_m_s)
    stands = _falls((speed_m_s - settings.walks_from_m_s) / settings.walks_sd_m_s)
    strays = settings.stray
    return ((1 - strays) * fits + strays) * reaches * ((1 - strays) * stands + strays)


def _falls(sds: float) -> float:
    """From 1 to 0 around 0, nearly the normal distribution's upper tail."""
    return 1 / (1 + math.exp(min(1.7 * sds, 500.0)))


def _hands_m(
    event: InteractionEvent, fixture: Fixture, facing: Facing | None
) -> NDArray[np.float64]:
    """Where the hand may have been, right before the fixture's front, shape ``(M, 3)``."""
    if facing is not None:
        shares = (np.arange(_HANDS_ACROSS) + 0.5) / _HANDS_ACROSS
        hands = [
            (facing.u_m + facing.width_m * share, facing.v_m + _ABOVE_BOARD_M, -_BESIDE_FRONT_M)
            for share in shares.tolist()
        ]
    else:
        off = np.array(event.floor_m) - np.array(fixture.origin_m[:2])
        u_m = float(np.clip(off @ np.array(fixture.right[:2]), 0.0, fixture.width_m))
        hands = [(u_m, fixture.height_m * share, -_BESIDE_FRONT_M) for share in (0.1, 0.45, 0.8)]
    return fixture.to_shop(np.array(hands))


def _by_sight(
    moments: Sequence[tuple[float, PastMoment]],
    reaching: Mapping[str, _Explanation],
    hands_m: NDArray[np.float64],
    history: TrackHistory,
) -> dict[str, _Explanation]:
    """The same people, with what cameras above saw of them at the likeliest moments."""
    seen = sorted(
        (each for each in moments if each[1].silhouettes is not None),
        key=lambda each: (-each[0], each[1].at_s),
    )
    if len(seen) > _MOST_LOOKS and seen[0][0] == seen[-1][0]:
        picked = np.linspace(0, len(seen) - 1, _MOST_LOOKS).round().astype(int)
        seen = [seen[index] for index in picked]
    seen = seen[:_MOST_LOOKS]
    if not seen:
        return dict(reaching)
    upright_m = _upright_m(history, sorted(reaching), seen[0][1].at_s)
    hand_m = float(hands_m[:, 2].mean())
    shares = dict.fromkeys(reaching, 0.0)
    for _, moment in seen:
        silhouettes, places_m = moment.silhouettes, moment.places_m()
        who = [name for name in sorted(reaching) if name in places_m]
        if silhouettes is None or not who:
            continue
        arms = arm_evidence(silhouettes, places_m, who, hands_m)
        tops = tops_m(silhouettes, places_m, who)
        for name in who:
            stoops = stoop_evidence(tops.get(name), upright_m.get(name), hand_m)
            told = max(arms[name], _MOST_AGAINST_ARM) + stoops
            shares[name] += reaching[name].by_moment.get(moment.at_s, 0.0) * math.exp(told)
    return {
        name: _Explanation(each.track, shares[name], each.by_moment, each.distance_m)
        for name, each in reaching.items()
    }


def _upright_m(history: TrackHistory, who: Sequence[str], at_s: float) -> dict[str, float]:
    """How high people are when they stand upright, as far as they were seen so around a time."""
    tops: dict[str, list[float]] = {}
    around = history.moments(at_s - _UPRIGHT_WITHIN_S, at_s + _UPRIGHT_WITHIN_S)
    for moment in around[::_UPRIGHT_EVERY]:
        if moment.silhouettes is not None:
            places_m = moment.places_m()
            there = [name for name in who if name in places_m]
            for name, top_m in tops_m(moment.silhouettes, places_m, there).items():
                tops.setdefault(name, []).append(top_m)
    heights_m = {name: float(np.quantile(each, 0.75)) for name, each in tops.items()}
    # Whoever was only seen stooping has no height yet.
    return {name: tall_m for name, tall_m in heights_m.items() if tall_m >= _LEAST_UPRIGHT_M}


def _keeps(
    event: InteractionEvent,
    sessions: Sequence[Session],
    held: Mapping[str, Collection[str]] | None,
    settings: ReachSettings,
) -> dict[str, float]:
    """By session, how likely it could put back what was put back; what is not told is 1.

    Staff bring pieces from outside. What a shopper puts back they took before, unless that was
    missed or the product is another one than it was taken for.
    """
    if held is None or event.kind != "put_back" or event.sku is None:
        return {}
    return {
        session.session_id: settings.not_held
        for session in sessions
        if session.role == "shopper" and event.sku not in held.get(session.session_id, ())
    }


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
    reaching: Mapping[str, _Explanation],
    owners: Mapping[str, Mapping[str, float]],
    bound_at_s: Mapping[str, float],
    keeps: Mapping[str, float],
) -> list[Claim]:
    weight: dict[str | None, float] = {}
    by: dict[str | None, list[str]] = {}
    nearest: dict[str | None, float] = {}
    for track_id, each in sorted(reaching.items()):
        for identity, probability in _identities(each.track, bound_at_s):
            bound = owners.get(identity, {})
            unbound = 1 - sum(bound.values())
            for session_id, share in [*bound.items(), (None, unbound)]:
                mass = each.share * probability * share * keeps.get(session_id or "", 1.0)
                if mass <= 1e-9:
                    continue
                weight[session_id] = weight.get(session_id, 0.0) + mass
                by.setdefault(session_id, []).append(track_id)
                nearest[session_id] = min(nearest.get(session_id, math.inf), each.distance_m)
    total = sum(weight.values())
    claims = [
        Claim(name, tuple(dict.fromkeys(by[name])), mass / total, nearest[name])
        for name, mass in weight.items()
    ]
    return sorted(claims, key=lambda claim: (-claim.share, claim.session_id or ""))


def _bound_at_s(sessions: Sequence[Session]) -> dict[str, float]:
    """By track id, when a check-in was bound to it beyond doubt."""
    return {
        member.track_id: member.bound_at_s
        for session in sessions
        for member in session.members
        if member.track_id is not None and member.bound_at_s is not None and not member.may_be
    }


def _identities(track: Track, bound_at_s: Mapping[str, float]) -> list[tuple[str, float]]:
    """Whose sessions a track may stand for.

    Who was too close to whom before one of the two checked in does not matter any more: whoever
    checks in is not somebody who had done so before.
    """
    other = [
        (swap.track_id, swap.probability)
        for swap in track.swaps
        if swap.at_s
        > max(bound_at_s.get(each, -math.inf) for each in (track.track_id, swap.track_id))
    ]
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
