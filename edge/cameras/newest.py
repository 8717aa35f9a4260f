"""The newest frame of a camera: a thread that reads it, a slot of one frame, and a watchdog.

Owns reconnecting, the status in words, and the account of every frame. Who looks at frames calls
``take``; a frame that a newer one replaces before that is dropped and counted. While nothing moves,
the camera can be put at rest: then every frame is still taken off it, so that it does not fall
behind, but only a few are turned into pictures.

Every frame that was grabbed is in exactly one place::

    frames_grabbed = frames_taken + frames_dropped + frames_rested + decode_errors
                     + one that waits to be taken + one in the reading thread's hands
"""

from __future__ import annotations

import logging
import random
import threading
from dataclasses import dataclass
from typing import Final

from edge.cameras.backoff import Backoff
from edge.cameras.base import CameraSource, CameraStatus, Shot
from edge.cameras.clock import Clock
from edge.cameras.frozen import PictureWatch
from edge.cameras.place import PlaceState
from edge.errors import (
    CameraEndedError,
    CameraError,
    CameraLostError,
    CameraSetupError,
    CameraStalledError,
)
from edge.events import Frame

logger: Final = logging.getLogger(__name__)

# Looking for a frozen picture more often than this tells nothing more.
_LOOK_EVERY_S: Final = 0.5


@dataclass(frozen=True)
class Watch:
    """When a camera counts as sick, and how it is tried again.

    Attributes:
        stall_after_s: Without a frame for longer, it is stalled.
        frozen_after_s: Without any change in its picture for longer, it is frozen; longer than its
            key frames are apart. ``None`` never looks.
        idle_frames_per_s: Pictures while it rests.
        first_wait_s: Longest wait before it is tried again the first time.
        longest_wait_s: No later wait is longer.
    """

    stall_after_s: float = 3.0
    frozen_after_s: float | None = 60.0
    idle_frames_per_s: float = 5.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0


@dataclass(frozen=True)
class CameraCounters:
    """What became of a camera's frames since the device started.

    Attributes:
        frames_grabbed: Frames that came.
        frames_taken: Of those, looked at.
        frames_dropped: Of those, replaced by a newer one before anybody took them.
        frames_rested: Of those, never turned into a picture because the camera was at rest.
        decode_errors: Of those, without a picture in them.
        frames_missed: Frames that never came; an estimate.
        reconnects: Connections after the first.
        failed_attempts: Attempts to connect that failed.
    """

    frames_grabbed: int
    frames_taken: int
    frames_dropped: int
    frames_rested: int
    decode_errors: int
    frames_missed: int
    reconnects: int
    failed_attempts: int


@dataclass(frozen=True)
class CameraState:
    """How a camera is now.

    Attributes:
        camera: Its name.
        status: ``connecting`` before its first frame, ``running``, ``stalled`` when it is connected
            and no frame comes, ``frozen`` when the same picture comes again and again, ``lost``
            when it is not connected any more, ``ended`` when a recording is over. Only ``running``
            may be trusted to show what happens.
        reason: Why, for people; empty while it runs.
        frame_age_s: Since the newest frame arrived; ``None`` before the first one.
        resting: Whether it rests.
        counters: What became of its frames.
        place: Whether it is where it was calibrated.
    """

    camera: str
    status: CameraStatus
    reason: str
    frame_age_s: float | None
    resting: bool
    counters: CameraCounters
    place: PlaceState = PlaceState()


class NewestFrame:
    """Reads one camera and keeps its newest frame.

    ``run`` is the reading thread's whole life; any other thread may call the rest.
    """

    def __init__(self, source: CameraSource, clock: Clock, watch: Watch | None = None) -> None:
        """Nothing is opened yet.

        Args:
            source: The camera; from now on only ``run`` touches it.
            clock: What ages are measured with.
            watch: When it counts as sick.
        """
        self.name = source.name
        self._source = source
        self._clock = clock
        self._watch = watch or Watch()
        # Seeded by the name: cameras differ from each other, and a run does not from the last one.
        dice = random.Random(source.name)
        self._backoff = Backoff(self._watch.first_wait_s, self._watch.longest_wait_s, dice)
        self._picture = PictureWatch()
        self._changed = threading.Condition()
        # All below is guarded by ``_changed``.
        self._slot: Frame | None = None
        self._resting = False
        self._connected = False
        self._delivers = False
        self._ended = False
        self._stopped = False
        self._frozen = False
        self._reason = f"camera {source.name} is not started yet"
        self._arrived_at_s: float | None = None
        self._connected_at_s = 0.0
        self._taken = 0
        self._dropped = 0
        self._rested = 0
        self._failed_attempts = 0
        # Only the reading thread touches these.
        self._due_at_s = float("-inf")
        self._looked_at_s = float("-inf")

    def take(self, timeout_s: float) -> Frame:
        """The newest frame that was not taken yet; waits for it.

        Args:
            timeout_s: How long to wait.

        Raises:
            CameraStalledError: None came in time; ``state`` says why.
            CameraEndedError: The recording is over and its last frame was taken.
        """
        with self._changed:
            over = self._changed.wait_for(
                lambda: self._slot is not None or self._ended or self._stopped, timeout_s
            )
            if self._slot is not None:
                frame, self._slot = self._slot, None
                self._taken += 1
                return frame
            if self._ended:
                raise CameraEndedError(self._reason)
            why = self._reason or f"camera {self.name} is connected and sends nothing"
        raise CameraStalledError(why if over else f"no newer frame within {timeout_s:g} s: {why}")

    def rest(self) -> None:
        """Nothing moves: few pictures will do."""
        with self._changed:
            self._resting = True

    def wake(self) -> None:
        """Something moves: every frame becomes a picture."""
        with self._changed:
            self._resting = False

    @property
    def state(self) -> CameraState:
        """How the camera is now; true even while its thread waits for a frame."""
        with self._changed:
            now_s = self._clock.monotonic_s()
            age_s = None if self._arrived_at_s is None else now_s - self._arrived_at_s
            status, reason = self._status(now_s)
            source = self._source.counters
            counters = CameraCounters(
                frames_grabbed=source.frames_grabbed,
                frames_taken=self._taken,
                frames_dropped=self._dropped,
                frames_rested=self._rested,
                decode_errors=source.decode_errors,
                frames_missed=source.frames_missed,
                reconnects=max(0, source.connections - 1),
                failed_attempts=self._failed_attempts,
            )
            return CameraState(self.name, status, reason, age_s, self._resting, counters)

    def _status(self, now_s: float) -> tuple[CameraStatus, str]:
        if self._ended:
            return "ended", self._reason
        if self._stopped:
            return "lost", self._reason
        if self._arrived_at_s is None:
            return "connecting", self._reason
        if not self._connected:
            return "lost", self._reason
        quiet_s = now_s - max(self._arrived_at_s, self._connected_at_s)
        if quiet_s > self._watch.stall_after_s:
            return "stalled", f"no frame for {quiet_s:.1f} s"
        if self._frozen:
            return "frozen", f"the picture has not changed for {self._unchanged_s():.0f} s"
        if not self._delivers:
            return "lost", "connected again; no frame yet"
        return "running", ""

    def _unchanged_s(self) -> float:
        return self._picture.unchanged_s(self._clock.monotonic_s())

    def run(self, stop: threading.Event) -> None:
        """Read the camera until it ends or is told to stop; the body of a worker's thread.

        Args:
            stop: Set it to end the thread, at the latest when the frame it waits for has come or
                timed out.
        """
        try:
            while not (stop.is_set() or self._stopped or self._ended):
                try:
                    self._connect_and_read(stop)
                except CameraEndedError as err:
                    logger.info("%s", err)
                    self._end(str(err))
                except CameraError as err:
                    self._wait_after(err, stop)
                except Exception as err:
                    logger.exception("camera %s: its reader failed", self.name)
                    fault = CameraLostError(f"camera {self.name}: its reader failed; see the log")
                    fault.__cause__ = err
                    self._wait_after(fault, stop)
        finally:
            self._source.close()
            with self._changed:
                self._connected = False
                self._stopped = True
                self._reason = self._reason or f"camera {self.name} was stopped"
                self._changed.notify_all()

    def _connect_and_read(self, stop: threading.Event) -> None:
        self._source.open()
        with self._changed:
            self._connected, self._delivers = True, False
            self._connected_at_s = self._clock.monotonic_s()
            self._reason = ""
        while not stop.is_set():
            self._keep(self._source.grab())
            self._backoff.reset()
            self._look_whether_frozen()

    def _keep(self, shot: Shot) -> None:
        """Turn a frame into a picture if one is wanted, and put it into the slot."""
        with self._changed:
            self._arrived_at_s = self._clock.monotonic_s()
            self._delivers = True
            if self._resting and shot.captured_at_s < self._due_at_s:
                self._rested += 1
                return
        frame = self._source.retrieve()
        # A tenth of a period early is on time: frames do not come on the microsecond.
        self._due_at_s = shot.captured_at_s + 0.9 / self._watch.idle_frames_per_s
        with self._changed:
            if self._slot is not None:
                self._dropped += 1
            self._slot = frame
            self._changed.notify_all()
        now_s = self._clock.monotonic_s()
        if self._watch.frozen_after_s is not None and now_s - self._looked_at_s >= _LOOK_EVERY_S:
            self._looked_at_s = now_s
            self._picture.look(frame.image, now_s)

    def _look_whether_frozen(self) -> None:
        after_s = self._watch.frozen_after_s
        frozen = after_s is not None and self._unchanged_s() > after_s
        if frozen == self._frozen:
            return
        with self._changed:
            self._frozen = frozen
        if not frozen:
            logger.info("camera %s: its picture changes again", self.name)
        elif self._source.is_live:
            # A new connection starts a new encoder session in most cameras, and costs nothing now.
            raise CameraLostError(
                f"camera {self.name}: the picture has not changed for {after_s:g} s; connecting "
                "again. If it stays frozen, restart the camera"
            )

    def _wait_after(self, err: CameraError, stop: threading.Event) -> None:
        """Say what happened, then wait a while before the next attempt."""
        self._source.close()
        hopeless = isinstance(err, CameraSetupError)
        with self._changed:
            if not self._connected:
                self._failed_attempts += 1
            self._connected = False
            self._reason = str(err)
            if not self._source.is_live:
                # Beginning again would play the past as if it were new.
                self._stopped = True
                self._changed.notify_all()
        if not self._source.is_live:
            logger.error("%s; the recording is not read any further", err)
            return
        wait_s = self._watch.longest_wait_s if hopeless else self._backoff.next_wait_s()
        logger.log(
            logging.ERROR if hopeless else logging.WARNING, "%s; next try in %.1f s", err, wait_s
        )
        stop.wait(wait_s)

    def _end(self, reason: str) -> None:
        with self._changed:
            self._ended = True
            self._connected = False
            self._reason = reason
            self._changed.notify_all()
