"""Whose interaction it was: the shopper whose reach covers it, or an honest "could be both".

Who could have reached is known (``within_reach``); whose tracks these are is decided here. What a
track explains goes to the session it is bound to, shared out where the track may be another's; what
is put back was most likely held before. One session that is at least ``ratio`` times likelier than
any other is charged; two who could both have done it are left to a person. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from calibration.format import Fixture
from calibration.planogram import Facing
from edge.events import InteractionEvent
from edge.tracking.history import TrackHistory
from edge.tracking.session import Session
from edge.tracking.track import Track
from edge.tracking.within_reach import ReachSettings as ReachSettings
from edge.tracking.within_reach import WithinReach, within_reach

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
    reached = within_reach(event, fixture, history, settings, facing=facing)
    return whose(reached, sessions, settings, held=held)


def whose(
    reached: WithinReach,
    sessions: Sequence[Session],
    settings: ReachSettings | None = None,
    *,
    held: Mapping[str, Collection[str]] | None = None,
    meanwhile: Sequence[WithinReach] = (),
    dressed: Mapping[str, float] | None = None,
    did: Mapping[str, Mapping[str, float]] | None = None,
) -> Attribution:
    """Whose an interaction was, of those who could have done it.

    Args:
        reached: Who could.
        sessions: As for ``attribute``.
        settings: As for ``attribute``.
        held: As for ``attribute``.
        meanwhile: What else was done about then: whoever did that did not do this.
        dressed: By track id, how many times likelier the arm that was seen at the moment of contact
            is with theirs than with another; whose arm is not known is left out.
        did: By track id, by session, how likely it does what else that track did; what is not told
            is 1.
    """
    settings = settings or ReachSettings()
    if not reached.tracks:
        where = ""
        if math.isfinite(reached.nearest_m):
            where = f"; the nearest was {reached.nearest_m:.1f} m away"
        reason = f"nobody was within reach of {reached.event.fixture}{where}"
        return Attribution("none", None, (), reason)
    keeps = doing(reached.event, sessions, held, settings)
    free = _free(reached, meanwhile, settings)
    people = _People(_owners(sessions), binding_of(sessions), dressed or {}, did or {})
    claims = _claims(reached, free, people, keeps)
    if not claims:
        reason = f"whoever was within reach of {reached.event.fixture} had their hands elsewhere"
        return Attribution("none", None, (), reason)
    return _judge(claims, settings)


def _free(
    reached: WithinReach, meanwhile: Sequence[WithinReach], settings: ReachSettings
) -> dict[str, float]:
    """By track id, how likely it had a hand free for this, given what else was done."""
    free = dict.fromkeys(reached.tracks, 1.0)
    for other in meanwhile:
        did = other.shares()
        for name in free:
            busy = did.get(name, 0.0) * (1 - other.besides(reached, name, settings))
            free[name] *= 1 - busy
    # Moments are told wrong now and then, and people have two hands.
    return {name: max(each, settings.stray) for name, each in free.items()}


def doing(
    event: InteractionEvent,
    sessions: Sequence[Session],
    held: Mapping[str, Collection[str]] | None,
    settings: ReachSettings,
) -> dict[str, float]:
    """By session, how likely it does what was done, by who it is; what is not told is 1.

    Staff bring pieces from outside and seldom take one off a shelf. What a shopper puts back they
    took before, unless that was missed or the product is another one than it was taken for.
    """
    if event.kind == "take":
        return {
            session.session_id: settings.staff_takes
            for session in sessions
            if session.role == "staff"
        }
    if held is None or event.sku is None:
        return {}
    return {
        session.session_id: settings.not_held
        for session in sessions
        if session.role == "shopper" and event.sku not in held.get(session.session_id, ())
    }


def _owners(sessions: Sequence[Session]) -> dict[str, dict[str, float]]:
    """By track id, the sessions it may be bound to, with their probabilities."""
    owners: dict[str, dict[str, float]] = {}
    for session in sessions:
        for member in session.members:
            if member.track_id is None:
                continue
            rivals = {each.track_id: each.probability for each in member.may_be}
            options = {member.track_id: 1 - sum(rivals.values())} | rivals
            for track_id, share in options.items():
                mine = owners.setdefault(track_id, {})
                mine[session.session_id] = mine.get(session.session_id, 0.0) + share
    for mine in owners.values():
        total = max(1.0, sum(mine.values()))
        for session_id in mine:
            mine[session_id] /= total
    return owners


@dataclass(frozen=True)
class _People:
    """By track id: their sessions, how they were bound to them, arms, and what else they did."""

    owners: Mapping[str, Mapping[str, float]]
    binding: Binding
    dressed: Mapping[str, float]
    did: Mapping[str, Mapping[str, float]]


def _claims(
    reached: WithinReach,
    free: Mapping[str, float],
    people: _People,
    keeps: Mapping[str, float],
) -> list[Claim]:
    weight: dict[str | None, float] = {}
    by: dict[str | None, list[str]] = {}
    nearest: dict[str | None, float] = {}
    for track_id, each in sorted(reached.tracks.items()):
        as_told = each.as_told(reached.event.contact_at_s)
        did = people.did.get(track_id, {})
        for identity, probability in identities(each.track, people.binding):
            bound = people.owners.get(identity, {})
            unbound = 1 - sum(bound.values())
            for session_id, share in [*bound.items(), (None, unbound)]:
                mass = each.share * free[track_id] * probability * share
                mass *= 1 + as_told * (people.dressed.get(identity, 1.0) - 1)
                mass *= keeps.get(session_id or "", 1.0) * did.get(session_id or "", 1.0)
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


@dataclass(frozen=True)
class Binding:
    """When check-ins were bound to tracks, by track id.

    Attributes:
        beyond_doubt_s: When one was bound to it beyond doubt.
        weighed_s: When it was last weighed whose it is.
    """

    beyond_doubt_s: Mapping[str, float]
    weighed_s: Mapping[str, float]

    def explains(self, one: str, other: str, at_s: float) -> bool:
        """Whether it does not matter any more that two may have been exchanged at a moment.

        Whoever checks in is not somebody who had done so before; and whose check-ins were weighed
        afterwards, both together, have the exchange in their shares.
        """
        known_s = max(self.beyond_doubt_s.get(each, -math.inf) for each in (one, other))
        weighed_s = min(self.weighed_s.get(each, -math.inf) for each in (one, other))
        return at_s <= max(known_s, weighed_s)


def binding_of(sessions: Sequence[Session]) -> Binding:
    """How the members of sessions were bound to their tracks."""
    members = [
        (member.track_id, member)
        for session in sessions
        for member in session.members
        if member.track_id is not None
    ]
    return Binding(
        {
            track_id: member.bound_at_s
            for track_id, member in members
            if member.bound_at_s is not None and not member.may_be
        },
        {
            track_id: member.weighed_at_s
            for track_id, member in members
            if member.weighed_at_s is not None
        },
    )


def identities(track: Track, binding: Binding) -> list[tuple[str, float]]:
    """Whose sessions a track may stand for, its own first, with their probabilities."""
    other = [
        (swap.track_id, swap.probability)
        for swap in track.swaps
        if not binding.explains(track.track_id, swap.track_id, swap.at_s)
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
