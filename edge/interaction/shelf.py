"""One shelf camera at work: frames in, interaction events out.

Wires the parts of this package together and owns their state: the settled picture, the reaches gone
by, the live planogram. Deterministic: the same frames give the same events with the same ids.

Example::

    watch = ShelfWatch("shelf-1", calibration, planogram, recogniser)
    for frame in frames:
        for event in watch.feed(frame):
            ...
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Calibration
from calibration.planogram import Planogram
from edge.events import Evidence, Frame, InteractionEvent, Recognition
from edge.interaction.above import twin
from edge.interaction.boxes import fits_size
from edge.interaction.change import ChangeSettings, Scene, Step
from edge.interaction.compare import Change, compare, merged
from edge.interaction.drawn_out import LOOKS_BACK_S, LOOKS_ON_S, more_likely, second_explains
from edge.interaction.evidence import FixturePicture, ItemRecogniser, ObjectCrops
from edge.interaction.facings import FacingsView, see_facings
from edge.interaction.glances import Glances, facing_in
from edge.interaction.looks import Gallery, Palette
from edge.interaction.origin import ArmView, Origin
from edge.interaction.reach import Reach, ReachLog
from edge.interaction.rows import Counted, RowPitch, count, more_than_one, rows_apart_m
from edge.interaction.rules import Sight, Verdict, judge
from edge.interaction.seen import FacingState as FacingState
from edge.interaction.seen import Seen as Seen
from edge.interaction.seen import StoredCrop as StoredCrop
from edge.interaction.sleeves import Sleeve
from edge.interaction.stock import LiveStock
from edge.interaction.usual import UsualDistances

_UPSET_SHARE: Final = 0.25
_NEARLY_AS_LIKELY: Final = 0.6
_SURELY_ONE: Final = 0.98
_HOLDS_AFTER_S: Final = 0.3  # from the moment of contact to when the piece is seen in the hand


@dataclass(frozen=True, eq=False)
class Known:
    """What `SharedShelves` know at a moment."""

    stock: LiveStock
    gallery: Gallery
    pitches: dict[str, RowPitch]
    usual: UsualDistances


class SharedShelves:
    """What all shelf cameras of a device know together: the live planogram and the gallery.

    Args:
        planogram: What stands where to begin with.
    """

    def __init__(self, planogram: Planogram) -> None:
        self.stock = LiveStock.of(planogram)
        self.gallery = Gallery.empty()
        self.palettes: dict[str, Palette] = {}
        self.pitches: dict[str, RowPitch] = {}
        self.usual = UsualDistances()
        self.sizes_m = {
            each.sku: each.piece_m
            for each in planogram.facings.values()
            if each.piece_m is not None
        }

    def known(self) -> Known:
        """What is known now, to go back to."""
        return Known(self.stock, self.gallery, dict(self.pitches), self.usual)

    def go_back_to(self, known: Known) -> None:
        """Forget what was learned since: it was no interaction."""
        self.stock, self.gallery, self.pitches = known.stock, known.gallery, dict(known.pitches)
        self.usual = known.usual


class ShelfWatch:
    """Finds takes and put_backs in the frames of one shelf camera.

    Args:
        camera: Its name.
        calibration: The shop.
        planogram: What should stand where.
        recogniser: Recognises crops of objects; without one, put_backs that the pictures of the
            shelf do not settle go to review.
        shelves: Shared with the shop's other shelf cameras, which then know of each other's
            takes; its own when left out.
        settings: Thresholds.

    Raises:
        CalibrationError: The camera is not calibrated or watches no facing.
    """

    def __init__(
        self,
        camera: str,
        calibration: Calibration,
        planogram: Planogram,
        recogniser: ItemRecogniser | None = None,
        *,
        shelves: SharedShelves | None = None,
        settings: ChangeSettings | None = None,
    ) -> None:
        self.camera = camera
        self.view: FacingsView = see_facings(camera, calibration, planogram)
        self._recogniser = recogniser
        self._shelves = shelves or SharedShelves(planogram)
        self._scene = Scene(self.view.size_px, self.view.zone, settings)
        self._reaches = ReachLog(self.view.size_px)
        self._arms = ArmView(self.view)
        self._glances = Glances(self.view)
        self._picture = FixturePicture(self.view)
        self._hand: NDArray[np.bool_] | None = None
        self._active = False
        self._upset = False

    @property
    def upset(self) -> bool:
        """Whether much of the last picture was not as it was: somebody close, or a knock."""
        return self._active and self._upset

    @property
    def active(self) -> bool:
        """Whether the last frame was looked at as a whole; else nothing had moved."""
        return self._active

    @property
    def stock(self) -> LiveStock:
        """The live planogram."""
        return self._shelves.stock

    @property
    def recogniser(self) -> ItemRecogniser | None:
        """What recognises crops."""
        return self._recogniser

    @property
    def shelves(self) -> SharedShelves:
        """What is known together with the other cameras."""
        return self._shelves

    def feed(self, frame: Frame) -> list[InteractionEvent]:
        """Look at a frame; the events that it settled."""
        return [seen.event for seen in self.watch(frame)]

    def watch(self, frame: Frame) -> list[Seen]:
        """Look at a frame; the events that it settled, with their pictures."""
        step = self._scene.observe(frame.image, frame.captured_at_s)
        self._active = step.active
        if not step.active:
            return []
        assert step.foreground is not None and step.moving is not None
        assert step.picture is not None
        self._hand = step.foreground & step.moving
        self._upset = bool(step.foreground.mean() > _UPSET_SHARE)
        self._reaches.add(frame.captured_at_s, step.foreground, step.moving, step.picture)
        self._glances.add(frame.captured_at_s, step.picture, step.foreground)
        found: list[tuple[Change, Seen]] = []
        for change, rest_since_s in self._changes(step):
            reach = self._reaches.behind(
                change.mask, step.settled[0].before, step.settled[0].after, rest_since_s
            )
            seen = self._event(change, reach, frame, len(found))
            if seen is not None:
                found.append((change, seen))
        self._picture.follow(frame, step)
        if self._scene.calm:
            self._note_palettes()
        return [self._shown_after(change, seen) for change, seen in found]

    def _changes(self, step: Step) -> list[tuple[Change, float]]:
        """What a frame has settled, each with the moment since when it has been at rest."""
        if not step.settled:
            return []
        before, after = step.settled[0].before, step.settled[0].after
        parts = [
            change
            for settled in step.settled
            for change in compare(self.view, settled.mask, before, after)
        ]
        return [
            (
                change,
                max(s.rest_since_s for s in step.settled if (s.mask & change.mask).any()),
            )
            for change in merged(self.view, parts, before, after)
        ]

    def _note_palettes(self) -> None:
        """The colours of each facing's goods, once, when it is first seen with nobody there."""
        missing = self.view.facings.keys() - self._shelves.palettes.keys()
        if not missing:
            return
        width, height = self.view.size_px
        picture = cv2.resize(self._picture.settled, (width, height), interpolation=cv2.INTER_AREA)
        for name in sorted(missing):
            where = self.view.room_of(name)
            if where.any():
                self._shelves.palettes[name] = Palette.of(np.asarray(picture, np.uint8), where)

    def state(self) -> tuple[FacingState, ...]:
        """All facings of this camera for people to look at, by name."""
        stock = self._shelves.stock
        return tuple(
            FacingState(
                name=name,
                sku=stock.belongs[name],
                pieces=stock.pieces[name],
                capacity=stock.capacity[name],
                strays=tuple(s.sku or "unknown" for s in stock.strays if s.facing == name),
                polygon_px=tuple((float(x), float(y)) for x, y in self.view.polygons[name]),
                hand=self._hand_before(name),
            )
            for name in sorted(self.view.facings)
        )

    def _hand_before(self, facing: str) -> bool:
        if self._hand is None or self._scene.calm:
            return False
        own = np.zeros(self._hand.shape, np.uint8)
        corners = np.rint(self.view.polygons[facing] / self.view.scale).astype(np.int32)
        cv2.fillConvexPoly(own, corners, 1)
        return bool(np.count_nonzero(self._hand & (own > 0)) > 20)

    def _event(self, change: Change, reach: Reach, frame: Frame, number: int) -> Seen | None:
        crops = self._picture.crops(change, frame)
        verdict, recognition = self._judged(change, reach, crops, frame)
        if verdict is None:
            return None
        event_id = f"{self.camera}-{frame.index:07d}-{number}"
        self._book(verdict, change, crops, recognition, event_id)
        pictures = {"before": crops.before, "after": crops.after}
        pictures["facing-before"] = facing_in(self.view, change, self._picture.settled)
        hand = self._hand_at(change, reach, verdict)
        if hand is not None:
            pictures["hand"] = hand
        stored = tuple(StoredCrop(f"{event_id}-{name}.jpg", pictures[name]) for name in pictures)
        names = (*(each.name for each in stored), f"{event_id}-facing-after.jpg")
        event = self._written(event_id, change, reach, verdict, recognition, names)
        return Seen(event, stored, self._sleeve(change, reach))

    def _shown_after(self, change: Change, seen: Seen) -> Seen:
        """With the facing as it is now, once whoever stands before it has been left out."""
        name = seen.event.evidence.crops[-1]
        shown = StoredCrop(name, facing_in(self.view, change, self._picture.settled))
        return replace(seen, crops=(*seen.crops, shown))

    def _hand_at(self, change: Change, reach: Reach, verdict: Verdict) -> NDArray[np.uint8] | None:
        """The hand with the piece, where the moment of contact is known."""
        if reach.contact_at_s is None:
            return None
        holds_s = _HOLDS_AFTER_S if verdict.kind == "take" else -_HOLDS_AFTER_S
        return self._glances.hand(change, reach.contact_at_s + holds_s)

    def _sleeve(self, change: Change, reach: Reach) -> Sleeve | None:
        if reach.contact_at_s is None:
            return None
        seen = self._reaches.seen_reaching(reach.contact_at_s)
        return self._arms.sleeve(self.camera, change, seen)

    def _origin(self, change: Change, reach: Reach) -> Origin:
        around_s = reach.contact_at_s
        return self._arms.origin(
            change, () if around_s is None else self._reaches.reaching(around_s)
        )

    def _judged(
        self, change: Change, reach: Reach, crops: ObjectCrops, frame: Frame
    ) -> tuple[Verdict | None, Recognition | None]:
        shelves, look = self._shelves, crops.look
        if look is None:
            return None, None
        palette = shelves.palettes.get(change.facing)
        own = shelves.stock.belongs[change.facing]
        counted = self._counted(change, reach, frame)
        sight = Sight(
            facing=change.facing,
            u_m=change.u_m,
            direction=change.direction,
            numbers=counted.numbers,
            part=counted.part,
            looks=shelves.gallery.alike(look),
            own_colours=palette.holds(look, crops.work_pixels) if palette is not None else None,
            twin=twin(self.view, change, frame.image, self._picture.settled)
            if change.direction == "appeared"
            else 0.0,
            unfit=frozenset(
                sku
                for sku, size_m in shelves.sizes_m.items()
                if change.direction == "appeared" and not fits_size(self.view, change, size_m)
            ),
        )
        verdict = judge(sight, shelves.stock)
        recognition = None
        if self._recogniser is not None and verdict is not None:
            # Asked of every piece, so that evidence says what the network saw and which version of
            # it looked; a shelf that is certain of a take is not talked out of it.
            recognition = self._recogniser.recognise([crops.object])
            if verdict.kind == "put_back" or verdict.outcome != "accept":
                further = shelves.usual.further(recognition) if recognition is not None else {}
                sight = replace(sight, recognition=recognition, further=further)
                verdict = judge(sight, shelves.stock)
        # That it was one of its own is certain where only the number of pieces is not.
        known = verdict is not None and (verdict.outcome == "accept" or verdict.kind == "take")
        if known and verdict is not None and verdict.sku == own:
            shelves.pitches[own] = counted.pitch
        return verdict, recognition

    def _counted(self, change: Change, reach: Reach, frame: Frame) -> Counted:
        """How many pieces it was, by the shelf and, where that may hide one, by what was drawn out.

        What stands on a shelf can be looked at for long; a hand is past in a moment.
        """
        shelves, facing = self._shelves, self.view.facings[change.facing]
        pictures = self._picture.settled, frame.image
        pitch = shelves.pitches.get(facing.sku, RowPitch.unknown())
        counted = count(self.view, change, *pictures, pitch, shelves.stock.pieces[change.facing])
        likeliest, share = counted.numbers[0]
        told = change.direction != "vanished" or likeliest > 1 or share > _SURELY_ONE
        if told or facing.piece_m is None or reach.contact_at_s is None:
            return counted
        at_s = reach.contact_at_s
        glances = self._glances.between(at_s - LOOKS_BACK_S, at_s + LOOKS_ON_S)
        rows_m = rows_apart_m(facing.piece_m)
        gain = second_explains(self.view, change, facing.piece_m, rows_m, pictures, glances, at_s)
        return replace(counted, numbers=more_than_one(counted.numbers, more_likely(gain)))

    def _book(
        self,
        verdict: Verdict,
        change: Change,
        crops: ObjectCrops,
        recognition: Recognition | None,
        event_id: str,
    ) -> None:
        """Bring the live planogram and what is known of its goods up to date."""
        shelves = self._shelves
        if verdict.kind == "take":
            if verdict.stray is not None:
                shelves.stock = shelves.stock.stray_taken(verdict.stray)
            else:
                shelves.stock = shelves.stock.taken(change.facing, verdict.quantity)
        else:
            sku = verdict.sku
            may_be = _as_likely(verdict) if verdict.outcome == "review" else ()
            shelves.stock = shelves.stock.put_back(
                change.facing, change.u_m, sku, verdict.quantity, event_id, may_be
            )
        if verdict.sku is None or verdict.outcome != "accept":
            return
        if crops.look is not None:
            shelves.gallery = shelves.gallery.with_look(verdict.sku, crops.look)
        if verdict.kind == "take" and recognition is not None:
            shelves.usual = shelves.usual.with_piece(verdict.sku, recognition)

    def _written(
        self,
        event_id: str,
        change: Change,
        reach: Reach,
        verdict: Verdict,
        recognition: Recognition | None,
        crops: tuple[str, ...],
    ) -> InteractionEvent:
        origin = self._origin(change, reach)
        clip = f"{self.camera} {max(0.0, reach.started_at_s - 1):.2f}-{reach.ended_at_s + 1:.2f}"
        return InteractionEvent(
            event_id=event_id,
            kind=verdict.kind,
            camera=self.camera,
            fixture=change.fixture,
            facing=change.facing,
            started_at_s=reach.started_at_s,
            ended_at_s=reach.ended_at_s,
            floor_m=origin.floor_m,
            sku=verdict.sku,
            quantity=verdict.quantity,
            outcome=verdict.outcome,
            candidates=verdict.candidates,
            evidence=Evidence(
                crops=crops,
                clip=clip,
                recognition=recognition,
                reason=verdict.reason,
            ),
            contact_at_s=reach.contact_at_s,
            floor_sd_m=origin.sd_m,
            certain=verdict.certain,
        )


def _as_likely(verdict: Verdict) -> tuple[str, ...]:
    """Which other products a verdict finds nearly as likely as its own."""
    own = max((each.share for each in verdict.candidates if each.sku == verdict.sku), default=0.0)
    return tuple(
        each.sku
        for each in verdict.candidates
        if each.sku != verdict.sku and each.share >= _NEARLY_AS_LIKELY * own
    )
