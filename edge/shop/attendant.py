"""Brings together what the door, the floor and the shelves saw, and says it at the desk.

Owns the order of things: an interaction is charged once it is known where everybody was meanwhile,
and a receipt is issued once the interactions of whoever left are through. Values in, ledger entries
out; time comes in with the values, so a recording gives the same ledger however fast it is played.
One thread uses it.

What cannot be known goes to review: an interaction while the floor could not be seen, one that
somebody without a session may have done, and after a restart, one by somebody who came in before.
Before a receipt is issued, what was in doubt about its shopper is looked at again: who came in and
what else was done meanwhile is often known only later. What is clear by then is settled by another
entry, the rest stays in review. A put-back of what nobody in the shop has ends there too: its take
may have been told late, but not so late.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from calibration.format import Fixture, Point2
from calibration.planogram import Facing
from edge.checkout.basket import Attribution, Basket, Moment, Review
from edge.checkout.correcting import Verdict
from edge.checkout.desk import Desk
from edge.checkout.entries import Entry
from edge.checkout.putting_back import RULES, is_nobodys
from edge.config import CheckoutSettings
from edge.errors import CheckoutError
from edge.events import InteractionEvent
from edge.interaction.sleeves import Sleeve
from edge.tracking.attribution import Attribution as Whose
from edge.tracking.session import CheckIn
from edge.tracking.sessions import Sessions
from edge.tracking.watch import FloorMoment
from edge.tracking.within_reach import ReachSettings, WithinReach
from edge.tracking.witness import Witness

BY_LATER: Final = f"{RULES}known later"
_LOGGER: Final = logging.getLogger(__name__)
# As long as tracks are remembered.
_ASTRAY_KEPT_S: Final = 120.0


@dataclass(frozen=True)
class _Waiting:
    event: InteractionEvent
    camera_sick: bool
    doubt: str
    sleeve: Sleeve | None


@dataclass(frozen=True)
class _Leaving:
    """A member, or with ``checkin_id`` ``None`` a whole session, that left by a door.

    ``left_at_s`` is when that was known, ``seen_s`` when they were last seen, a little before.
    """

    left_at_s: float
    seen_s: float
    session_id: str
    checkin_id: str | None


@dataclass(frozen=True)
class Departure:
    """When a session ended and when its first receipt was there.

    Attributes:
        session_id: The session.
        left_at_s: When its last member was seen to have left.
        receipt_at_s: When its receipt was issued, on the same clock.
    """

    session_id: str
    left_at_s: float
    receipt_at_s: float


class Attendant:
    """Charges interactions to whoever did them and sees shoppers off.

    Args:
        desk: The checkout.
        sessions: Who is who on the floor.
        fixtures: By name.
        wall_time_s: Wall time of a moment on the clock of frames.
        settings: What is waited for.
        reach: How sure an attribution must be.
        facings: By name: where hands reach for.
        owing: Names of shelf devices that may still tell about what happened before a moment.
        overlooked_by: Names of the overhead cameras that see somebody at a floor place.

    Attributes:
        untold: What was seen and is not told yet, because its pictures cannot be kept now: no
            receipt is issued without it.
    """

    def __init__(
        self,
        desk: Desk,
        sessions: Sessions,
        fixtures: Mapping[str, Fixture],
        wall_time_s: Callable[[float], float],
        settings: CheckoutSettings | None = None,
        reach: ReachSettings | None = None,
        *,
        facings: Mapping[str, Facing] | None = None,
        owing: Callable[[float], tuple[str, ...]] = lambda until_s: (),
        overlooked_by: Callable[[Point2], frozenset[str]] = lambda place_m: frozenset(),
    ) -> None:
        self.desk = desk
        self.sessions = sessions
        self.departures: list[Departure] = []
        self.settings = settings or CheckoutSettings()
        self.moment: FloorMoment | None = None
        self.untold: tuple[InteractionEvent, ...] = ()
        self._witness = Witness(fixtures, facings or {}, reach)
        self._wall_time_s = wall_time_s
        self._owing = owing
        self._overlooked_by = overlooked_by
        self._astray: deque[tuple[float, tuple[str, ...]]] = deque()
        self._waiting: list[_Waiting] = []
        self._leaving: list[_Leaving] = []
        # Who was inside when the device started again: which track is whose is not known any more.
        self._from_before = {basket.session_id for basket in desk.shop.open_baskets()}
        # Where it was another boot that opened a session, since when this one knows of it.
        self._since_s: dict[str, float] = {}

    @property
    def reach(self) -> ReachSettings:
        """How sure an attribution must be."""
        return self._witness.settings

    @reach.setter
    def reach(self, settings: ReachSettings) -> None:
        """From now on."""
        self._witness.settings = settings

    @property
    def events_waiting(self) -> int:
        """Events whose shopper is not known yet."""
        return len(self._waiting)

    def check_in(self, checkin: CheckIn) -> tuple[Entry, ...]:
        """Somebody checks in.

        Raises:
            CheckoutError: The check-in cannot be; nothing has changed.
            LedgerError: It could not be written; give it again.
        """
        entries = self.desk.check_in(
            checkin.checkin_id,
            token_hash=checkin.token_hash,
            shopper=checkin.shopper,
            role=checkin.role,
            at=self._at(checkin.at_s),
            group=checkin.group,
        )
        self.sessions.check_in(checkin)
        self._from_before.discard(checkin.group)
        # Whoever joins a group whose others have just left keeps its basket open.
        self._leaving = [
            each
            for each in self._leaving
            if each.session_id != checkin.group or each.checkin_id is not None
        ]
        return entries

    def saw(
        self,
        event: InteractionEvent,
        now_s: float,
        *,
        camera_sick: bool = False,
        doubt: str = "",
        sleeve: Sleeve | None = None,
    ) -> tuple[Entry, ...]:
        """A shelf camera saw an interaction; said twice, it is one.

        Args:
            event: The interaction.
            now_s: When it was settled.
            camera_sick: The camera cannot be trusted to have shown it.
            doubt: Why a person should look at it, whatever it shows; empty for no reason.
            sleeve: What the arm looked like.

        Raises:
            LedgerError: Something could not be written; ``passed`` tries again.
        """
        if all(each.event.event_id != event.event_id for each in self._waiting):
            self._waiting.append(_Waiting(event, camera_sick, doubt, sleeve))
        self._waiting.sort(key=lambda each: (each.event.ended_at_s, each.event.event_id))
        return self.passed(now_s)

    def moved(self, moment: FloorMoment) -> tuple[Entry, ...]:
        """The floor was looked at.

        Raises:
            LedgerError: Something could not be written; ``passed`` tries again.
        """
        at_s = moment.scan.at_s
        self.moment = moment
        if moment.astray:
            self._astray.append((at_s, moment.astray))
        while self._astray and self._astray[0][0] < at_s - _ASTRAY_KEPT_S:
            self._astray.popleft()
        self._witness.saw(moment)
        last_seen_s = {track.track_id: track.last_seen_s for track in moment.tracks}
        for change in self.sessions.update(at_s, moment.tracks):
            _LOGGER.info(
                "session %s: %s %s at %.2f s: %s",
                change.session_id,
                change.checkin_id,
                change.kind,
                change.at_s,
                change.reason,
            )
            if change.kind in ("left", "closed"):
                seen_s = last_seen_s.get(change.track_id or "", at_s)
                member = change.checkin_id if change.kind == "left" else None
                self._leaving.append(_Leaving(at_s, seen_s, change.session_id, member))
        return self.passed(at_s)

    def passed(self, now_s: float) -> tuple[Entry, ...]:
        """Time has passed: say what is due.

        Raises:
            LedgerError: Something could not be written; it stays due.
        """
        return (
            *self._record_due(now_s),
            *self._see_off_due(now_s),
            *self._close_forgotten(now_s),
        )

    def finish(self, now_s: float) -> tuple[Entry, ...]:
        """The recording is over: record and close whatever is left, at this moment."""
        entries: list[Entry] = []
        for waiting in list(self._waiting):
            entries += self._record(waiting)
        for leaving in list(self._leaving):
            entries += self._see_off(leaving, now_s)
        for basket in self.desk.shop.open_baskets():
            entries += self._close(basket.session_id, now_s)
        return tuple(entries)

    def _at(self, captured_at_s: float) -> Moment:
        return Moment(captured_at_s, self._wall_time_s(captured_at_s))

    def _record_due(self, now_s: float) -> list[Entry]:
        entries: list[Entry] = []
        for waiting in list(self._waiting):
            needed_s = waiting.event.ended_at_s + self.reach.margin_s
            known_s = self._witness.until_s
            if (known_s is not None and known_s >= needed_s) or (
                now_s >= needed_s + self.settings.attribution_waits_s
            ):
                entries += self._record(waiting)
        return entries

    def _record(self, waiting: _Waiting) -> tuple[Entry, ...]:
        entries: tuple[Entry, ...] = ()
        reached = self._witness.within_reach(waiting.event)
        sick = waiting.camera_sick or waiting.doubt or self._astray_at(waiting.event)
        if reached is not None and not sick:
            self._witness.remember(reached, waiting.sleeve)
        # Whatever is recorded stays as it was told, though it may look different after a restart.
        if waiting.event.event_id not in self.desk.shop.interactions:
            event, attribution = self._attributed(waiting.event, reached)
            if waiting.doubt:
                event = _doubted(event, waiting.doubt)
            entries = self.desk.record(
                event,
                attribution,
                wall_time_s=self._wall_time_s(event.ended_at_s),
                camera_sick=waiting.camera_sick or bool(waiting.doubt),
            )
        self._waiting.remove(waiting)
        return entries

    def _attributed(
        self, event: InteractionEvent, reached: WithinReach | None
    ) -> tuple[InteractionEvent, Attribution]:
        if reached is None:
            reason = "the floor could not be seen meanwhile, so it is not known who it was"
            inside = [basket.session_id for basket in self.desk.shop.open_baskets()]
            return _doubted(event, reason), Attribution(tuple(inside), reason)
        astray = self._astray_at(event)
        if astray:
            reason = (
                f"{' and '.join(astray)} moved and no other camera overlooks this place, so it is "
                "not known well enough who stood there"
            )
            inside = [basket.session_id for basket in self.desk.shop.open_baskets()]
            return _doubted(event, reason), Attribution(tuple(inside), reason)
        found = self._whose(reached)
        named = tuple(dict.fromkeys(claim.session_id for claim in found.claims if claim.session_id))
        if found.kind == "one" and found.session_id is not None:
            return event, Attribution((found.session_id,), found.reason)
        strangers = self._strangers()
        reason = found.reason
        if strangers:
            reason += f"; {', '.join(strangers)} came in before the device was started again"
        sessions = (*named, *strangers) if found.kind == "several" or strangers else ()
        # One name alone reads as certainty, and here it is none.
        doubted = _doubted(event, reason) if len(sessions) == 1 else event
        return doubted, Attribution(sessions, reason)

    def _whose(self, reached: WithinReach) -> Whose:
        return self._witness.whose(reached, self.sessions.sessions(), self._held())

    def _look_again(self, session_id: str, at_s: float) -> list[Entry]:
        """Settle what was in doubt about whoever leaves and is no longer, in order of time.

        Who came in, and what else was done about then, is often known only later.
        """
        entries: list[Entry] = []
        for review in sorted(
            self.desk.shop.open_reviews(), key=lambda each: (each.event.ended_at_s, each.review_id)
        ):
            if review.sessions and session_id not in review.sessions:
                continue
            reached = self._witness.recall(review.event.event_id)
            settled = () if reached is None else self._settled(review, reached, at_s)
            entries += settled or self._ended(review, at_s)
        return entries

    def _ended(self, review: Review, at_s: float) -> tuple[Entry, ...]:
        if not is_nobodys(review, self.desk.shop):
            return ()
        reason = f"nobody in the shop has {review.event.sku}, so no receipt depends on it"
        verdict = Verdict(BY_LATER, None, None, 0, reason)
        return self.desk.settle_review(review.review_id, verdict, at=self._at(at_s))

    def _settled(self, review: Review, reached: WithinReach, at_s: float) -> tuple[Entry, ...]:
        event = reached.event
        if event.outcome != "accept" or event.sku is None or self._strangers():
            return ()
        found = self._whose(reached)
        if found.kind != "one" or found.session_id is None:
            return ()
        verdict = Verdict(
            BY_LATER,
            event.sku,
            found.session_id,
            review.quantity,
            f"{event.evidence.reason}; {found.reason}",
        )
        try:
            return self.desk.settle_review(review.review_id, verdict, at=self._at(at_s))
        except CheckoutError:  # it would take back what they are not known to have
            return ()

    def _astray_at(self, event: InteractionEvent) -> tuple[str, ...]:
        """Moved cameras that alone overlooked where an event happened."""
        begin_s = event.started_at_s - self.reach.margin_s
        end_s = event.ended_at_s + self.reach.margin_s
        moved = {
            name for at_s, astray in self._astray if begin_s <= at_s <= end_s for name in astray
        }
        if not moved:
            return ()
        overlook = self._overlooked_by(event.floor_m)
        return () if overlook - moved else tuple(sorted(overlook & moved))

    def _held(self) -> dict[str, set[str]]:
        """By session, the SKUs it may have by now: charged, or in question."""
        shop = self.desk.shop
        held = {
            name: {line.sku for line in shop.baskets[name].lines if line.pieces}
            for name in (session.session_id for session in self.sessions.sessions())
            if name in shop.baskets
        }
        for review in shop.open_reviews():
            for name in review.sessions:
                held.setdefault(name, set()).update(review.skus)
        return held

    def _strangers(self) -> tuple[str, ...]:
        baskets = self.desk.shop.baskets
        return tuple(
            name for name in sorted(self._from_before) if name in baskets and baskets[name].is_open
        )

    def _see_off_due(self, now_s: float) -> list[Entry]:
        entries: list[Entry] = []
        for leaving in list(self._leaving):
            if now_s < leaving.seen_s + self.settings.receipt_waits_s:
                continue
            unsaid = (*(each.event for each in self._waiting), *self.untold)
            if any(event.started_at_s <= leaving.left_at_s for event in unsaid):
                continue
            owing = self._owing(leaving.left_at_s)
            if owing and now_s < leaving.left_at_s + self.settings.devices_wait_s:
                continue
            if owing:
                _LOGGER.error(
                    "the receipt of %s is issued without the word of %s; what they saw is added "
                    "to a later version",
                    leaving.session_id,
                    ", ".join(owing),
                )
            entries += self._see_off(leaving, now_s)
        return entries

    def _see_off(self, leaving: _Leaving, now_s: float) -> tuple[Entry, ...]:
        at = self._at(leaving.left_at_s)
        entries: tuple[Entry, ...] = ()
        if self.desk.shop.baskets[leaving.session_id].is_open:
            entries += tuple(self._look_again(leaving.session_id, leaving.left_at_s))
        if leaving.checkin_id is not None:
            entries += self.desk.leave(leaving.checkin_id, at=at)
        else:
            entries += self.desk.close(leaving.session_id, "exit", at=at)
            self.departures.append(Departure(leaving.session_id, leaving.left_at_s, now_s))
        self._leaving.remove(leaving)
        return entries

    def _close_forgotten(self, now_s: float) -> list[Entry]:
        entries: list[Entry] = []
        for basket in self.desk.shop.open_baskets():
            if now_s - self._open_since_s(
                basket, now_s
            ) >= self.settings.time_out_s or self._is_forgotten(basket.session_id, now_s):
                entries += self._close(basket.session_id, now_s)
        return entries

    def _open_since_s(self, basket: Basket, now_s: float) -> float:
        """Since when a session goes on; a machine's clock begins anew with it."""
        opened_s = basket.opened_at.captured_at_s
        if opened_s <= now_s and basket.session_id not in self._since_s:
            return opened_s
        return self._since_s.setdefault(basket.session_id, now_s)

    def _close(self, session_id: str, now_s: float) -> tuple[Entry, ...]:
        entries = self.desk.close(session_id, "time_out", at=self._at(now_s))
        self._since_s.pop(session_id, None)
        _LOGGER.warning("session %s was closed without having been seen to leave", session_id)
        self.departures.append(Departure(session_id, now_s, now_s))
        return entries

    def _is_forgotten(self, session_id: str, now_s: float) -> bool:
        for session in self.sessions.sessions():
            if session.session_id == session_id:
                gone = all(m.state in ("lost", "left", "nobody_there") for m in session.members)
                since_s = max(member.changed_at_s for member in session.members)
                return gone and now_s - since_s >= self.settings.lost_after_s
        return False


def _doubted(event: InteractionEvent, reason: str) -> InteractionEvent:
    """The same event for a person to look at, unless it was nothing the shop sells."""
    if event.outcome != "accept":
        return replace(event, certain=0)
    evidence = replace(event.evidence, reason=f"{event.evidence.reason}; {reason}")
    return replace(event, outcome="review", evidence=evidence)
