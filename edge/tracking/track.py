"""One shopper at one moment, and the settings shoppers are followed with. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from calibration.format import Point2
from edge.tracking.identity import Swap
from edge.tracking.observations import Covariance

TrackState = Literal["new", "followed", "hidden", "left", "lost"]


@dataclass(frozen=True)
class TrackingSettings:
    """How tracks begin, go on and end.

    Attributes:
        acceleration_sd_m_s2: How briskly shoppers change their walk.
        gate_chi2: Squared Mahalanobis distance beyond which an observation is somebody else
            (13.8: one true observation in a thousand is turned away).
        fastest_m_s: Nobody walks faster.
        confirm_scans: Sightings before anybody counts as a person.
        confirm_at_door_s: Time these sightings span at an entry or exit zone.
        confirm_inside_s: The same in the middle of the floor, where people do not begin.
        hidden_after_s: Unseen for so long, a track counts as hidden.
        lost_after_s: Unseen for so long away from a door, it ends as lost.
        left_after_s: Unseen for so long at a door, it ends as left.
        out_from_m: This far beyond the floor's border at a door somebody is outside.
        out_after_s: Outside for so long, seen or not, a track that was inside ends as left.
        revived_within_s: Somebody found inside may be a track lost this recently.
        door_margin_m: How far beyond a door's polygon still counts as at the door.
        alone_from_m: Farther than this from everybody else, looks are learned.
    """

    acceleration_sd_m_s2: float = 1.6
    gate_chi2: float = 13.8
    fastest_m_s: float = 2.5
    confirm_scans: int = 3
    confirm_at_door_s: float = 0.25
    confirm_inside_s: float = 1.0
    hidden_after_s: float = 0.45
    lost_after_s: float = 12.0
    left_after_s: float = 1.2
    out_from_m: float = 0.1
    out_after_s: float = 0.4
    revived_within_s: float = 60.0
    door_margin_m: float = 0.35
    alone_from_m: float = 0.9


@dataclass(frozen=True)
class Track:
    """One shopper at one moment.

    Attributes:
        track_id: ``t-1``, ``t-2`` ...
        at_s: The moment.
        position_m: Shop x and y.
        velocity_m_s: Along shop x and y.
        covariance_m2: Of the position.
        state: ``new`` in its first second, ``followed`` while seen, ``hidden`` while not,
            ``left`` through a door, ``lost`` elsewhere. The last two are told once.
        first_seen_s: When it began.
        last_seen_s: When it was last seen.
        found_inside: It did not come in by a door.
        swaps: Whose identity it may have besides its own; empty when it is sure.
        cameras: Who saw it last.
        reason: Why it is in this state, in words.
    """

    track_id: str
    at_s: float
    position_m: Point2
    velocity_m_s: Point2
    covariance_m2: Covariance
    state: TrackState
    first_seen_s: float
    last_seen_s: float
    found_inside: bool
    swaps: tuple[Swap, ...]
    cameras: tuple[str, ...]
    reason: str

    @property
    def ambiguous_with(self) -> tuple[str, ...]:
        """Ids of the tracks it may have been swapped with."""
        return tuple(swap.track_id for swap in self.swaps)
