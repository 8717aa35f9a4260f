"""The device's workers as a table, and the crew that keeps them at work.

Owns restarting and the watchdog. A worker that crashes is logged and started again; one that
crashes too often, or gives no sign of life for longer than its watchdog allows, makes the crew
fail. A thread cannot be ended from outside, so a device with a stuck worker ends as a whole and
leaves it to whatever started it (systemd, a container) to start it anew; what its ledger says is
safe.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

_LOGGER: Final = logging.getLogger(__name__)

Restart = Literal["after_a_crash", "always", "never"]
WorkerStatus = Literal["starting", "working", "ended", "crashed", "stuck", "given_up"]


class Pulse:
    """What a worker is given: when to stop, and a way to show that it lives.

    Attributes:
        stop: Set when the worker should end.
    """

    def __init__(self, stop: threading.Event, monotonic_s: Callable[[], float]) -> None:
        self.stop = stop
        self._monotonic_s = monotonic_s
        self.beat_at_s = monotonic_s()

    def beat(self) -> None:
        """Show that the worker lives."""
        self.beat_at_s = self._monotonic_s()


@dataclass(frozen=True)
class Worker:
    """One row of the table.

    Attributes:
        name: Of the worker and its thread.
        target: Its whole life; returning ends it.
        restart: What happens when it crashes; ``always`` for one whose crashes, however many, are
            no reason to end the device.
        watchdog_s: It must beat at least this often; ``None`` for one that watches itself.
    """

    name: str
    target: Callable[[Pulse], None]
    restart: Restart = "after_a_crash"
    watchdog_s: float | None = None


@dataclass(frozen=True)
class Patience:
    """How many crashes are borne.

    Attributes:
        crashes: At most so many of one worker ...
        within_s: ... within so long.
        wait_s: Pause before a crashed worker begins again.
    """

    crashes: int = 5
    within_s: float = 300.0
    wait_s: float = 1.0


@dataclass(frozen=True)
class WorkerState:
    """How a worker is now.

    Attributes:
        name: Its name.
        status: ``ended`` by itself, ``crashed`` and waiting to begin again, ``stuck`` without a
            sign of life, ``given_up`` after too many crashes.
        reason: Why, for people; empty while it works.
        restarts: How often it was started again.
    """

    name: str
    status: WorkerStatus
    reason: str
    restarts: int


class Crew:
    """Starts workers and keeps them at work. One thread calls ``start``, ``check`` and ``stop``.

    Args:
        workers: The table.
        monotonic_s: A clock that never jumps.
        patience: How many crashes are borne.
    """

    def __init__(
        self,
        workers: Sequence[Worker],
        monotonic_s: Callable[[], float],
        patience: Patience | None = None,
    ) -> None:
        self.stopping = threading.Event()
        self._monotonic_s = monotonic_s
        self._jobs = [
            _Job(worker, self.stopping, monotonic_s, patience or Patience()) for worker in workers
        ]

    def start(self) -> None:
        """Start all workers."""
        for job in self._jobs:
            job.start()

    def check(self) -> None:
        """Start again what crashed, notice what is stuck; to be called several times a second."""
        for job in self._jobs:
            job.check()

    @property
    def states(self) -> tuple[WorkerState, ...]:
        """How the workers are, in the order of the table."""
        return tuple(job.state for job in self._jobs)

    @property
    def failed(self) -> str | None:
        """Why the device should end; ``None`` while it should not."""
        for state in self.states:
            if state.status in ("stuck", "given_up"):
                return f"worker {state.name} is {state.status.replace('_', ' ')}: {state.reason}"
        return None

    def has_ended(self, name: str) -> bool:
        """Whether a worker has come to its end by itself."""
        return any(state.name == name and state.status == "ended" for state in self.states)

    def stop(self, timeout_s: float) -> tuple[str, ...]:
        """Ask all to end and wait for them.

        Args:
            timeout_s: For all of them together.

        Returns:
            Names of those that did not end in time.
        """
        self.stopping.set()
        until_s = self._monotonic_s() + timeout_s
        for job in self._jobs:
            job.join(max(0.0, until_s - self._monotonic_s()))
        late = tuple(job.worker.name for job in self._jobs if job.is_alive)
        for name in late:
            _LOGGER.error("worker %s did not end within %g s", name, timeout_s)
        return late


class _Job:
    """A worker with its thread."""

    def __init__(
        self,
        worker: Worker,
        stop: threading.Event,
        monotonic_s: Callable[[], float],
        patience: Patience,
    ) -> None:
        self.worker = worker
        self._stop = stop
        self._monotonic_s = monotonic_s
        self._patience = patience
        self._pulse = Pulse(stop, monotonic_s)
        self._thread: threading.Thread | None = None
        self._crashes: deque[float] = deque()
        self._status: WorkerStatus = "starting"
        self._reason = ""
        self._restarts = 0

    @property
    def is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    @property
    def state(self) -> WorkerState:
        return WorkerState(self.worker.name, self._status, self._reason, self._restarts)

    def start(self) -> None:
        self._pulse = Pulse(self._stop, self._monotonic_s)
        self._status, self._reason = "working", ""
        # Daemons: a stuck one must not keep the process from ending.
        self._thread = threading.Thread(target=self._live, name=self.worker.name, daemon=True)
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        if self._thread is not None:
            self._thread.join(timeout_s)

    def check(self) -> None:
        now_s = self._monotonic_s()
        if self._status == "crashed" and not self.is_alive and not self._stop.is_set():
            if now_s - self._crashes[-1] >= self._patience.wait_s:
                self._restarts += 1
                self.start()
            return
        limit_s = self.worker.watchdog_s
        if self._status != "working" or limit_s is None:
            return
        silent_s = now_s - self._pulse.beat_at_s
        if silent_s > limit_s:
            self._status = "stuck"
            self._reason = f"no sign of life for {silent_s:.1f} s, {limit_s:g} s are allowed"
            _LOGGER.critical("worker %s is stuck: %s", self.worker.name, self._reason)

    def _live(self) -> None:
        try:
            self.worker.target(self._pulse)
        except Exception as err:
            _LOGGER.exception("worker %s crashed", self.worker.name)
            self._crashed(err)
        else:
            self._status = "ended"

    def _crashed(self, err: Exception) -> None:
        now_s = self._monotonic_s()
        self._crashes.append(now_s)
        while now_s - self._crashes[0] > self._patience.within_s:
            self._crashes.popleft()
        self._reason = f"{type(err).__name__}: {err}"
        often = len(self._crashes) > self._patience.crashes and self.worker.restart != "always"
        self._status = "given_up" if often or self.worker.restart == "never" else "crashed"
        if self._status == "given_up":
            _LOGGER.critical("worker %s is given up: %s", self.worker.name, self._reason)
