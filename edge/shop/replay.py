"""A recorded shop, played as fast as possible: every frame of every camera, in the order of time.

Owns the run of one recording: no clock, nothing left to chance, so the same recording gives the
same ledger to the byte. Shelves and floor are looked at by a thread each, a few frames ahead of the
desk. Each sees its frames in their order and knows nothing of the other, and the desk hears both
in the order of the frames. Run again on the same state, whatever is in the ledger stays as it is
and what was missing is added.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Final, TypeAlias

import cv2

from edge.cameras.base import CameraSource
from edge.cameras.clock import RecordingStart, SystemClock
from edge.cameras.replay import frames_in_order
from edge.cameras.settings import CameraSettings, FileSettings, GstreamerSettings, open_camera
from edge.checkout.desk import Desk
from edge.checkout.entries import Entry, ReceiptIssued
from edge.checkout.ledger import Ledger
from edge.checkout.receipt import Receipt
from edge.errors import ConfigError
from edge.events import Frame
from edge.evidence import EvidenceFolder
from edge.shop.attendant import Attendant, Departure
from edge.shop.premises import Premises
from edge.shop.shelves import ShelfCamera, Sighting
from edge.stages import Stage, StageClock
from edge.tracking.watch import FloorMoment

LEDGER_NAME = "ledger.sqlite"
EVIDENCE_NAME = "evidence"
_Seen: TypeAlias = Sequence[Sighting | FloorMoment]
# Frames that may be looked at before the desk has heard of the one before them.
_AHEAD: Final = 12


@dataclass(frozen=True)
class CameraRun:
    """What became of a camera's frames.

    Attributes:
        camera: Its name.
        seconds: Of the recording.
        frames: Frames that came.
        skipped: Of those, frames that nobody looked at.
    """

    camera: str
    seconds: float
    frames: int
    skipped: int


@dataclass(frozen=True)
class RunCost:
    """What a run took.

    Attributes:
        shop_s: Seconds of the recording.
        wall_s: Seconds it took.
        stages_s: Processor seconds by stage.
        cameras: By camera.
        peak_memory_bytes: Of the whole process so far.
    """

    shop_s: float
    wall_s: float
    stages_s: dict[Stage, float]
    cameras: tuple[CameraRun, ...]
    peak_memory_bytes: int

    @property
    def real_time_factor(self) -> float:
        """Seconds of the recording for each second of work."""
        return self.shop_s / self.wall_s if self.wall_s > 0 else 0.0


@dataclass(frozen=True)
class Replayed:
    """What came of a recording.

    Attributes:
        entries: The whole ledger.
        digest: Its hash: equal digests are equal ledgers.
        departures: Who left when, and when the receipt was there.
        cost: What it took.
    """

    entries: tuple[Entry, ...]
    digest: str
    departures: tuple[Departure, ...]
    cost: RunCost


def replay(
    premises: Premises,
    state: Path,
    *,
    keep_evidence: bool = True,
    on_receipt: Callable[[Receipt], None] = lambda receipt: None,
) -> Replayed:
    """Play a recorded shop.

    Args:
        premises: The shop; all of its cameras are recordings.
        state: Folder for the ledger and the evidence; made when it does not exist.
        keep_evidence: Whether crops are stored.
        on_receipt: Told of every receipt when it is issued.

    Raises:
        ConfigError: A camera is none of a recording.
        CameraError: A recording cannot be read.
        LedgerError: The ledger cannot be written.
    """
    config = premises.config
    if not config.is_recorded:
        raise ConfigError(
            ["only recordings can be replayed; use walkout-edge run for live cameras"]
        )
    # More threads would only share the same few pixels, and their cost would not be seen.
    cv2.setNumThreads(1)
    state.mkdir(parents=True, exist_ok=True)
    with Ledger(state / LEDGER_NAME, config.store.id) as ledger:
        run = _Run(
            premises, ledger, EvidenceFolder(state / EVIDENCE_NAME) if keep_evidence else None
        )
        for entry in run.play():
            if isinstance(entry, ReceiptIssued):
                on_receipt(entry.receipt)
        return Replayed(
            tuple(ledger.entries()), ledger.digest(), tuple(run.attendant.departures), run.cost()
        )


def run_name(started_at: datetime) -> str:
    """Name of a run that begins at a wall time, ``20260302T080000Z``."""
    return started_at.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def peak_memory_bytes() -> int:
    """The most memory that this process had so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class _Run:
    """One recording on its way through the shop."""

    def __init__(self, premises: Premises, ledger: Ledger, evidence: EvidenceFolder | None) -> None:
        config = premises.config
        self._premises = premises
        self._evidence = evidence
        self._stages = StageClock()
        self._opened_s = config.store.opened_at.timestamp()
        places = premises.make_places()
        self._shelves = premises.make_shelf_cameras(
            premises.make_shelves(self._stages), run_name(config.store.opened_at), places
        )
        self._floor = premises.make_floor_cameras(places)
        self.attendant = Attendant(
            Desk(ledger, config.store.terms, premises.products),
            premises.make_sessions(),
            premises.calibration.fixtures,
            lambda captured_at_s: self._opened_s + captured_at_s,
            config.checkout,
            config.floor.reach,
            facings=premises.planogram.facings,
            overlooked_by=premises.overlooked_by,
        )
        self._frames: dict[str, int] = dict.fromkeys(config.cameras, 0)
        self._skipped: dict[str, int] = dict.fromkeys(config.cameras, 0)
        self._last_s: dict[str, float] = dict.fromkeys(config.cameras, 0.0)
        self._began_s = time.perf_counter()

    def play(self) -> Iterator[Entry]:
        checkins = list(self._premises.checkins)
        now_s = 0.0
        for captured_at_s, seen in self._seen():
            now_s = captured_at_s
            while checkins and checkins[0].at_s <= now_s:
                checkin = checkins.pop(0).for_store(self._premises.config.store.id)
                with self._stages.stage("desk"):
                    yield from self.attendant.check_in(checkin)
            for each in seen:
                with self._stages.stage("desk"):
                    yield from self._told(each)
        for moment in self._floor.flush():
            yield from self.attendant.moved(moment)
        yield from self.attendant.finish(now_s)

    def cost(self) -> RunCost:
        cameras = tuple(
            CameraRun(name, self._last_s[name], self._frames[name], self._skipped[name])
            for name in sorted(self._frames)
        )
        return RunCost(
            shop_s=max(each.seconds for each in cameras),
            wall_s=time.perf_counter() - self._began_s,
            stages_s=self._stages.spent_s(),
            cameras=cameras,
            peak_memory_bytes=peak_memory_bytes(),
        )

    def _seen(self) -> Iterator[tuple[float, _Seen]]:
        """When each frame was taken and what it showed, in the order of the frames."""
        ahead: deque[tuple[float, Future[_Seen]]] = deque()
        frames = frames_in_order(
            recorded_cameras(self._premises, self._opened_s),
            lambda: self._stages.stage("decode"),
        )
        with (
            closing(frames),
            ThreadPoolExecutor(1, "shelves") as shelves,
            ThreadPoolExecutor(1, "floor") as floor,
        ):
            for frame in frames:
                self._frames[frame.camera] += 1
                self._last_s[frame.camera] = frame.captured_at_s
                shelf = self._shelves.get(frame.camera)
                looked = (
                    floor.submit(self._look_at_floor, frame)
                    if shelf is None
                    else shelves.submit(self._look_at_shelf, shelf, frame)
                )
                ahead.append((frame.captured_at_s, looked))
                if len(ahead) > _AHEAD:
                    captured_at_s, looked = ahead.popleft()
                    yield captured_at_s, looked.result()
            for captured_at_s, looked in ahead:
                yield captured_at_s, looked.result()

    def _look_at_shelf(self, shelf: ShelfCamera, frame: Frame) -> _Seen:
        with self._stages.stage("shelf"):
            return shelf.look(frame)

    def _look_at_floor(self, frame: Frame) -> _Seen:
        if not self._floor.wants(frame.camera, frame.captured_at_s):
            self._skipped[frame.camera] += 1
        with self._stages.stage("floor"):
            return self._floor.look(frame)

    def _told(self, seen: Sighting | FloorMoment) -> tuple[Entry, ...]:
        if isinstance(seen, FloorMoment):
            return self.attendant.moved(seen)
        if self._evidence is not None:
            self._evidence.keep(seen.seen)
        return self.attendant.saw(
            seen.seen.event,
            seen.settled_at_s,
            camera_sick=seen.camera_sick,
            sleeve=seen.seen.sleeve,
        )


def recorded_cameras(premises: Premises, opened_s: float) -> Sequence[CameraSource]:
    """The cameras of a recorded shop, as fast as possible, their second 0 at second 0.

    Args:
        premises: The shop.
        opened_s: Wall time of second 0.
    """
    clock, start = SystemClock(), RecordingStart(0.0, opened_s)
    return [
        open_camera(name, _unpaced(settings), clock, folder=premises.folder, start=start)
        for name, settings in sorted(premises.config.cameras.items())
    ]


def _unpaced(settings: CameraSettings) -> CameraSettings:
    if isinstance(settings, FileSettings):
        return settings.model_copy(update={"pace": "as_fast_as_possible", "loop": False})
    if isinstance(settings, GstreamerSettings):
        return settings.model_copy(update={"pace": "as_fast_as_possible"})
    return settings
