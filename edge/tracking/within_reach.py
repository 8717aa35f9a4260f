"""Who could have done an interaction, whoever they are: everybody whose reach covers it. Pure.

When exactly the hand was at the piece is known only so well, so it is summed over: at each moment
that it may have been, a track explains the interaction by how far it stood from where the reach
came from and from the fixture's front, by whether it stood at all, and, where others stood near
too, by the arm that cameras above saw or did not see (``reaching``). Whose track that is, is
``attribution``'s to know.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.format import Fixture, Point2
from calibration.planogram import Facing
from edge.events import InteractionEvent
from edge.tracking.history import PastMoment, TrackHistory
from edge.tracking.reaching import arm_evidence, stoop_evidence, tops_m
from edge.tracking.track import Track


@dataclass(frozen=True)
class ReachSettings:
    """How far shoppers reach and how sure an attribution has to be.

    Attributes:
        reach_m: From where somebody stands to the front of the fixture.
        reach_sd_m: How softly that ends.
        place_sd_m: Spread of where the reach is said to come from around where the shopper stands.
        contact_sd_s: Spread of when the hand is said to have been at the piece.
        contact_wrong_per_s: How likely the moment of contact is wrong altogether, for each second
            that the place was covered: the longer, the less of it was seen.
        contact_wrong_most: It is no likelier than this.
        begins: How often what covers a place first is the arm that does it, where nothing tells the
            moment of contact; otherwise it was any time while the place was covered.
        begins_s: When it then is at the piece, from when it began to cover it.
        begins_sd_s: The spread of that.
        walks_from_m_s: Who is faster walks by; nobody takes anything at a walk.
        walks_sd_m_s: How softly that begins.
        hand_back_s: People take something at another place about so long after they took here;
            hardly ever in half of it, most often later.
        stray: Share of events whose floor point is wrong altogether.
        not_held: How likely somebody puts back what they are not known to have, against one who
            has it.
        dressed_for: How alike two arms are from which on it speaks for them being one's.
        dressed_per: How much for each further hundredth, as a log likelihood ratio.
        dressed_against: It speaks no more against somebody than this.
        dressed_most: It speaks no more for somebody than this.
        staff_takes: How likely staff take a piece off a shelf, against a shopper who is as near.
        did_least: What else somebody did speaks no more against them than this.
        ratio: How many times likelier the best claim must be than the second.
        margin_s: Looked at before and after the interaction.
        least: Below this a track does not explain an interaction at all.
    """

    reach_m: float = 0.95
    reach_sd_m: float = 0.2
    place_sd_m: float = 0.35
    contact_sd_s: float = 0.2
    contact_wrong_per_s: float = 0.05
    contact_wrong_most: float = 0.5
    begins: float = 0.7
    begins_s: float = 0.3
    begins_sd_s: float = 0.4
    walks_from_m_s: float = 0.5
    walks_sd_m_s: float = 0.15
    hand_back_s: float = 2.5
    stray: float = 0.02
    not_held: float = 0.15
    dressed_for: float = 0.885
    dressed_per: float = 0.3
    dressed_against: float = 4.0
    dressed_most: float = 2.6
    staff_takes: float = 0.15
    did_least: float = 0.02
    ratio: float = 5.0
    margin_s: float = 0.2
    least: float = 0.01


# The likeliest way an arm can be wrong is worth so much and no more.
_MOST_AGAINST_ARM: Final = -6.0
# Who has not been seen for so long may be elsewhere, within what one walks.
_UNSEEN_FROM_S: Final = 1.0
_ELSEWHERE: Final = 0.5
_WALKS_M_S: Final = 1.2
_WALKS_MOST_M: Final = 3.0
_BESIDE_FRONT_M: Final = 0.04
_ABOVE_BOARD_M: Final = 0.1
_AS_TOLD_S: Final = 0.5
_HANDS_ACROSS: Final = 3
_BACK_AT_ONCE: Final = 3  # how suddenly a hand is free again
_MOST_LOOKS: Final = 9
_LIKELY: Final = 0.3
_UPRIGHT_WITHIN_S: Final = 25.0
_UPRIGHT_EVERY: Final = 12
_LEAST_UPRIGHT_M: Final = 1.5


@dataclass(frozen=True, eq=False)
class Explanation:
    """How a track explains an interaction.

    Attributes:
        track: As it was told at the likeliest moment: whom it came too close to later does not
            matter.
        share: How likely, against somebody who stood right there, 0 to 1.
        by_moment: The same for each moment that the hand may have been at the piece.
        distance_m: How near it came to the floor point.
    """

    track: Track
    share: float
    by_moment: dict[float, float]
    distance_m: float

    def as_told(self, contact_at_s: float | None) -> float:
        """How likely it was at the moment that is told, if it was theirs, 0 to 1."""
        whole = sum(self.by_moment.values())
        if contact_at_s is None or whole <= 0:
            return 0.0
        near = (
            share
            for at_s, share in self.by_moment.items()
            if abs(at_s - contact_at_s) <= _AS_TOLD_S
        )
        return sum(near) / whole


@dataclass(frozen=True, eq=False)
class WithinReach:
    """Who could have done an interaction.

    Attributes:
        event: The interaction.
        tracks: By track id, how each explains it.
        nearest_m: How near anybody came to where the reach came from; infinite with nobody there.
    """

    event: InteractionEvent
    tracks: Mapping[str, Explanation]
    nearest_m: float

    def shares(self) -> dict[str, float]:
        """By track id, how likely it was theirs among all who could have."""
        total = sum(each.share for each in self.tracks.values())
        return {name: each.share / total for name, each in self.tracks.items() if total > 0}

    def besides(self, other: WithinReach, track_id: str, settings: ReachSettings) -> float:
        """How likely one who did this can have done another interaction too, by when both were.

        A hand that takes a piece here is not at another place a moment before or after.
        """
        if other.event.facing == self.event.facing and other.event.fixture == self.event.fixture:
            return 1.0
        mine, theirs = self.tracks.get(track_id), other.tracks.get(track_id)
        if mine is None or theirs is None or mine.share <= 0 or theirs.share <= 0:
            return 1.0
        both = sum(
            share * also * _busy(at_s - other_s, settings)
            for at_s, share in mine.by_moment.items()
            for other_s, also in theirs.by_moment.items()
        )
        return 1.0 - min(1.0, both / (mine.share * theirs.share))


def within_reach(
    event: InteractionEvent,
    fixture: Fixture,
    history: TrackHistory,
    settings: ReachSettings | None = None,
    *,
    facing: Facing | None = None,
) -> WithinReach:
    """Who could have done an interaction.

    Args:
        event: The interaction.
        fixture: The fixture it happened at.
        history: Where everybody was; it must reach beyond the end of the event.
        settings: Distances.
        facing: Where on the fixture; without it arms are looked for at any height.
    """
    settings = settings or ReachSettings()
    moments = _weighed(event, history, settings)
    explains = _by_place(moments, event, fixture, settings)
    nearest_m = min((each.distance_m for each in explains.values()), default=math.inf)
    reaching = {name: each for name, each in explains.items() if each.share >= settings.least}
    if len(reaching) > 1:
        hands_m = _hands_m(event, fixture, facing)
        reaching = _by_sight(moments, reaching, hands_m, history)
    return WithinReach(event, reaching, nearest_m)


def _weighed(
    event: InteractionEvent, history: TrackHistory, settings: ReachSettings
) -> list[tuple[float, PastMoment]]:
    """Moments that the hand may have been at the piece, with how likely it was each of them.

    The moment that is told is now and then another one altogether: then it was any of them.
    """
    moments = history.moments(
        event.started_at_s - settings.margin_s, event.ended_at_s + settings.margin_s
    )
    if not moments:
        return []  # the floor was not looked at then, as after a restart
    untold = _untold(event, [each.at_s for each in moments], settings)
    if event.contact_at_s is None:
        return list(zip(untold.tolist(), moments, strict=True))
    apart_s = max(2.5 * settings.contact_sd_s, settings.margin_s)
    close = history.moments(event.contact_at_s - apart_s, event.contact_at_s + apart_s)
    off = np.array([each.at_s - event.contact_at_s for each in close])
    # A moment far off still counts a little: history may have a gap just there.
    likely = np.exp(-0.5 * (off / settings.contact_sd_s) ** 2) + 1e-6
    wrong = contact_wrong(event, settings)
    weights = {each.at_s: wrong * share for each, share in zip(moments, untold, strict=True)}
    for at_s, share in zip([each.at_s for each in close], likely / likely.sum(), strict=True):
        weights[at_s] = weights.get(at_s, 0.0) + (1 - wrong) * float(share)
    known = {each.at_s: each for each in (*moments, *close)}
    return [(float(weights[at_s]), known[at_s]) for at_s in sorted(known)]


def _untold(
    event: InteractionEvent, times_s: Sequence[float], settings: ReachSettings
) -> NDArray[np.float64]:
    """How likely it was each of some moments where nothing tells; they sum to 1.

    A place begins to be covered by the arm that reaches for it more often than by whoever steps
    before it.
    """
    off = np.array(times_s) - event.started_at_s - settings.begins_s
    first = np.exp(-0.5 * (off / settings.begins_sd_s) ** 2) + 1e-6
    any_time = np.full(len(first), 1 / len(first))
    return np.asarray(settings.begins * first / first.sum() + (1 - settings.begins) * any_time)


def contact_wrong(event: InteractionEvent, settings: ReachSettings) -> float:
    """How likely the told moment of contact is wrong altogether, 0 to 1."""
    covered_s = event.ended_at_s - event.started_at_s
    return min(settings.contact_wrong_per_s * covered_s, settings.contact_wrong_most)


def _by_place(
    moments: Sequence[tuple[float, PastMoment]],
    event: InteractionEvent,
    fixture: Fixture,
    settings: ReachSettings,
) -> dict[str, Explanation]:
    found: dict[str, Explanation] = {}
    for weight, moment in moments:
        for track in moment.tracks:
            before = found.get(track.track_id)
            fits = weight * _stands(track, event, fixture, settings)
            away_m = math.dist(track.position_m, event.floor_m)
            by_moment = {} if before is None else before.by_moment
            likelier = before is None or fits >= max(by_moment.values())
            found[track.track_id] = Explanation(
                track if before is None or likelier else before.track,
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
    seen_so = ((1 - strays) * fits + strays) * reaches * ((1 - strays) * stands + strays)
    return seen_so + _came_unseen(track, math.sqrt(float(off @ off)), math.sqrt(told_m2 * usual_m2))


def _came_unseen(track: Track, off_m: float, spread_m2: float) -> float:
    """How well it explains an interaction that somebody has not been seen for a while.

    They are where they are expected or anywhere else that they can have walked to meanwhile.
    """
    unseen_s = track.at_s - track.last_seen_s
    if unseen_s < _UNSEEN_FROM_S:
        return 0.0
    within_m = min(_WALKS_M_S * unseen_s, _WALKS_MOST_M)
    return _ELSEWHERE * min(1.0, 2 * spread_m2 / within_m**2) if off_m < within_m else 0.0


def _busy(apart_s: float, settings: ReachSettings) -> float:
    """How likely somebody who reached at one place had no hand at another so long before or after.

    From 1 at once to 0: reaching, taking out and looking takes time, though not always the same.
    """
    return math.exp(-((abs(apart_s) / settings.hand_back_s) ** _BACK_AT_ONCE))


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
    reaching: Mapping[str, Explanation],
    hands_m: NDArray[np.float64],
    history: TrackHistory,
) -> dict[str, Explanation]:
    """The same people, with what cameras above saw of them at the likeliest moments."""
    looks = _worth_looking([each for each in moments if each[1].silhouettes is not None])
    if not looks:
        return dict(reaching)
    likeliest = max(looks, key=lambda each: each[0])[1]
    upright_m = _upright_m(history, sorted(reaching), likeliest.at_s)
    hand_m = float(hands_m[:, 2].mean())
    shares: dict[str, dict[float, float]] = {name: {} for name in reaching}
    for counts, moment in looks:
        silhouettes, places_m = moment.silhouettes, moment.places_m()
        who = [name for name in sorted(reaching) if name in places_m]
        if silhouettes is None or not who:
            continue
        arms = arm_evidence(silhouettes, places_m, who, hands_m)
        tops = tops_m(silhouettes, places_m, who)
        for name in who:
            stoops = stoop_evidence(tops.get(name), upright_m.get(name), hand_m)
            told = max(arms[name], _MOST_AGAINST_ARM) + stoops
            stood = reaching[name].by_moment.get(moment.at_s, 0.0)
            shares[name][moment.at_s] = counts * stood * math.exp(told)
    return {
        name: Explanation(each.track, sum(shares[name].values()), shares[name], each.distance_m)
        for name, each in reaching.items()
    }


def _worth_looking(
    moments: Sequence[tuple[float, PastMoment]],
) -> list[tuple[float, PastMoment]]:
    """The likeliest moments, and a few of the others; each with how many it stands for."""
    ranked = sorted(moments, key=lambda each: (-each[0], each[1].at_s))
    best = ranked[0][0] if ranked else 0.0
    likely = [moment for share, moment in ranked[:_MOST_LOOKS] if share > _LIKELY * best]
    if len(ranked) > _MOST_LOOKS and ranked[-1][0] > _LIKELY * best:  # all are about as likely
        likely = []
    rest = sorted((moment for _, moment in ranked[len(likely) :]), key=lambda each: each.at_s)
    every = max(1, -(-len(rest) // _MOST_LOOKS))
    picked = rest[every // 2 :: every]
    return [(1.0, moment) for moment in likely] + [
        (len(rest) / len(picked), moment) for moment in picked
    ]


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


def _to_front_m(fixture: Fixture, place: Point2) -> float:
    """Floor distance to the line below the fixture's front."""
    start = np.array(fixture.origin_m[:2])
    along = np.array(fixture.right[:2]) * fixture.width_m
    length2 = max(float(along @ along), 1e-9)
    share = float(np.clip((np.array(place) - start) @ along / length2, 0, 1))
    return float(np.hypot(*(np.array(place) - start - share * along)))
