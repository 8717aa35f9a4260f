"""The device of a soak: a real shop at work whose eyes are told what they see.

Everything behind the eyes is the device's own: the cameras' readers with their watchdogs, the desk,
ledger, evidence and outbox, couriers, retention, and the update agent. It lives on the clock that
it is told, so months pass in minutes, and a step is over when the desk has taken all of it up.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from edge.cameras.base import CameraSource
from edge.checkout.correcting import Verdict
from edge.config_file import load_config
from edge.errors import CheckoutError, QueueFullError
from edge.queues import MOMENTS, SIGHTINGS
from edge.shop import eyes
from edge.shop.checkin import AskedCheckIn
from edge.shop.premises import open_premises
from edge.shop.shelves import Sighting
from edge.shop.store import Store
from edge.tracking.watch import FloorMoment
from edge.updates.assembly import Updates, beside_a_shop
from edge.updates.live import LiveRecogniser
from edge.workers import Crew
from tests.edge.bundles import look_at
from tests.edge.updates.devices import try_here
from tests.simulators.cameras import Conductor, Fate, ScriptedCamera

# What is told takes their place.
_TOLD: Final = ("shelves", "floor")
_DOUBTFUL_S: Final = 3.0
_PATIENCE_S: Final = 60.0
_FORGETS_EVERY_S: Final = 3600.0


@dataclass(frozen=True)
class Step:
    """What happens at a moment.

    Attributes:
        at_s: The moment, on the clock of frames.
        wall_s: What the device's clock on the wall shows.
        moment: What the overhead cameras see; ``None`` when they do not look.
        sightings: What the shelf cameras see.
        checkins: Who shows a token at the door.
        fates: What becomes of the cameras.
        verdicts: What staff say of reviews, by the review's id, in order.
        count: Whether memory and files are to be counted.
        look: Whether something is to be recognised.
    """

    at_s: float
    wall_s: float
    moment: FloorMoment | None = None
    sightings: tuple[Sighting, ...] = ()
    checkins: tuple[AskedCheckIn, ...] = ()
    fates: Mapping[str, Fate] = field(default_factory=dict)
    verdicts: tuple[tuple[str, Verdict], ...] = ()
    count: bool = False
    look: bool = False


@dataclass(frozen=True)
class Told:
    """How the device is after a step.

    Attributes:
        checked_in: Ids of the check-ins that are in the ledger.
        recorded: Ids of the events of this step and before that are in the ledger by now.
        open_reviews: Ids of the reviews that wait for a person.
        open_baskets: Sessions that go on.
        ledger_trouble: Why nothing can be charged; ``None`` when it can.
        cameras: Status by name.
        waiting: Sessions with messages that have not been acknowledged, by receiver.
        release: What serves and how far the agent is; empty without updates.
        recognised: Whether what was looked at was recognised.
        memory_bytes: Resident, where counted.
        files: Open file descriptors, where counted.
        threads: Where counted.
        entries: In the memory of the desk: baskets and interactions, where counted.
    """

    checked_in: tuple[str, ...]
    recorded: tuple[str, ...]
    open_reviews: tuple[str, ...]
    open_baskets: tuple[str, ...]
    ledger_trouble: str | None
    cameras: Mapping[str, str]
    waiting: Mapping[str, int]
    release: str = ""
    recognised: bool = False
    memory_bytes: int = 0
    files: int = 0
    threads: int = 0
    entries: int = 0


class ShopClock:
    """A clock that goes only when it is told to."""

    def __init__(self, at_s: float, wall_s: float) -> None:
        self.at_s, self.wall_s = at_s, wall_s

    def monotonic_s(self) -> float:
        """As it was told last."""
        return self.at_s

    def wall_time_s(self) -> float:
        """As it was told last."""
        return self.wall_s

    def sleep(self, seconds: float) -> None:
        """Wait as long as it is told to go on, but no longer than a moment."""
        time.sleep(min(max(seconds, 0.0), 0.05))


def live(link: Connection, shop: Path, state: Path, at_s: float, wall_s: float) -> None:
    """A life of the device: the body of its process; ends when nobody tells it anything more.

    Args:
        link: Steps come from here, and what is told goes there.
        shop: Folder of its ``store.yaml``.
        state: Its folder.
        at_s: The clock of frames.
        wall_s: The clock on the wall.
    """
    logging.disable(logging.CRITICAL)  # faults are what this is about; they would fill the disk
    clock = ShopClock(at_s, wall_s)
    config = load_config(shop)
    conductor = Conductor(clock, tuple(config.cameras))

    def open_scripted(name: str, *_: object, **__: object) -> CameraSource:
        return ScriptedCamera(name, conductor)

    # The plug of a camera is the edge of the device; everything behind it is its own.
    eyes.open_camera = open_scripted  # type: ignore[attr-defined]
    with ExitStack() as opened:
        premises = open_premises(config, shop)
        updates, serving = None, None
        if config.updates is not None:
            updates, serving = opened.enter_context(
                beside_a_shop(config.updates, shop, premises.bundles, clock, {}, trial=try_here)
            )
            premises = replace(premises, recogniser=serving)
        store = Store(premises, state, clock, {})
        opened.callback(store.close)
        workers = [each for each in store.workers() if each.name not in _TOLD]
        if updates is not None:
            workers += updates.workers()
        crew = Crew(workers, time.monotonic)
        crew.start()
        opened.callback(crew.stop, 10.0)
        opened.callback(conductor.close)
        device = _Device(store, conductor, clock, updates, serving)
        link.send(device.told(Step(at_s, wall_s)))
        while True:
            try:
                step = link.recv()
            except EOFError:
                return
            crew.check()
            if crew.failed is not None:
                raise RuntimeError(crew.failed)
            link.send(device.take(step))


class _Device:
    def __init__(
        self,
        store: Store,
        conductor: Conductor,
        clock: ShopClock,
        updates: Updates | None,
        serving: LiveRecogniser | None,
    ) -> None:
        self._store, self._conductor, self._clock = store, conductor, clock
        self._updates, self._serving = updates, serving
        self._doubtful_until_s: dict[str, float] = {}
        self._asked: dict[str, None] = {}
        self._forgot_at_s = clock.at_s

    def take(self, step: Step) -> Told:
        """Let a step happen."""
        clock, store = self._clock, self._store
        clock.at_s, clock.wall_s = step.at_s, step.wall_s
        self._conductor.show(step.fates)
        for state in store.camera_states():
            if state.status != "running":
                self._doubtful_until_s[state.camera] = step.at_s + _DOUBTFUL_S
        checked_in = [
            each.checkin_id
            for each in step.checkins
            if each.checkin_id is not None and self._check_in(each)
        ]
        for sighting in step.sightings:
            event = sighting.seen.event
            self._asked[event.event_id] = None
            sick = event.started_at_s < self._doubtful_until_s.get(event.camera, float("-inf"))
            store.inbox.send(SIGHTINGS, replace(sighting, camera_sick=sick))
        if step.moment is not None:
            store.inbox.send(MOMENTS, step.moment)
        self._until_taken_up()
        self._forget(step.at_s)
        for review_id, verdict in step.verdicts:
            self._settle(review_id, verdict)
        return self.told(step, tuple(checked_in))

    def told(self, step: Step, checked_in: tuple[str, ...] = ()) -> Told:
        """How it is now."""
        store, shop = self._store, self._store.desk.shop
        recorded = tuple(name for name in self._asked if name in shop.interactions)
        for name in recorded:
            del self._asked[name]
        told = Told(
            checked_in,
            recorded,
            tuple(each.review_id for each in shop.open_reviews()),
            tuple(each.session_id for each in shop.open_baskets()),
            store.ledger_trouble,
            {each.camera: each.status for each in store.camera_states()},
            self._waiting(),
        )
        if self._updates is not None:
            status = self._updates.status(True).agents[0]
            bad = ",".join(str(each.release) for each in status.quarantined)
            words = f"{status.serving_release} {status.state} [{bad}] {status.reason}"
            told = replace(told, release=words)
        if step.look and self._serving is not None:
            found = self._serving.recognise([look_at(store.premises.bundles[0], 0, 0)])
            told = replace(told, recognised=found is not None)
        return self._counted(told) if step.count else told

    def _counted(self, told: Told) -> Told:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        shop = self._store.desk.shop
        return replace(
            told,
            memory_bytes=pages * os.sysconf("SC_PAGE_SIZE"),
            files=len(list(Path("/proc/self/fd").iterdir())),
            threads=len(list(Path("/proc/self/task").iterdir())),
            entries=len(shop.baskets) + len(shop.interactions),
        )

    def _forget(self, at_s: float) -> None:
        """As the device's own worker does, by the clock that it is told."""
        if not 0 <= at_s - self._forgot_at_s < _FORGETS_EVERY_S:
            self._forgot_at_s = at_s
            with contextlib.suppress(CheckoutError, OSError):
                self._store.forget()

    def _check_in(self, asked: AskedCheckIn) -> bool:
        try:
            self._store.check_in(asked, timeout_s=_PATIENCE_S)
        except (CheckoutError, QueueFullError):
            return False
        return True

    def _settle(self, review_id: str, verdict: Verdict) -> None:
        desk = self._store.desk
        # A full disk refuses it; the review stays open, and whoever looks at it comes again.
        with contextlib.suppress(CheckoutError):
            self._store.at_desk(
                lambda moment: desk.settle_review(review_id, verdict, at=moment), _PATIENCE_S
            )

    def _until_taken_up(self) -> None:
        until_s = time.monotonic() + _PATIENCE_S
        while any(each.waiting for each in self._store.queue_states()):
            if time.monotonic() > until_s:
                raise RuntimeError("the desk stands still")
            time.sleep(0.0002)
        # The last one may be in the desk's hands; what is asked after it is answered after it.
        self._store.at_desk(lambda moment: (), timeout_s=_PATIENCE_S)

    def _waiting(self) -> dict[str, int]:
        try:
            return {
                receiver: len(self._store.outbox.next_messages(receiver))
                for receiver in self._store.receivers
            }
        except CheckoutError:  # a full disk cannot be asked either
            return dict.fromkeys(self._store.receivers, -1)
