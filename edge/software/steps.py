"""The work of each state of an update of the device's own software, from its wheels on.

Owns how a slot is made, tried, started and watched. Fetching is ``edge.updates.steps``'s work, what
is wanted and what a failure leads to the agent's. Every piece may be begun twice: whatever is
killed in between, ``current`` leads to a release that is there as a whole, and the next look finds
out from ``current`` and the launcher's files how far it was.

A swap is a restart of the process, so it waits for a moment without an open basket.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.cameras.clock import Clock
from edge.errors import DiskRoomError, ReleaseRefusedError, UpdateError, UpdateHeldError
from edge.software.slots import Slot, Slots
from edge.software.workshop import Workshop
from edge.updates.progress import TRIAL, Progress
from edge.updates.settings import SoftwareSettings
from models.delivery import SOFTWARE, Edition

if TYPE_CHECKING:  # they know the software's seams
    from edge.updates.installation import Installation
    from edge.updates.logbook import Logbook

_INSTALLED_TIMES: Final = 3
_SPARE_BYTES: Final = 64 * 2**20
_LOOK_AGAIN_S: Final = 1.0
_SHOWN_STEP_PERCENT: Final = 5.0


@dataclass(frozen=True)
class SoftwareSeams:
    """What updates of the software work with.

    Attributes:
        settings: What they are told.
        slots: Where releases lie.
        running: The release that this process is of; ``None`` for what the device came with.
        workshop: Makes and tries slots.
        occupied: Whether somebody is shopping, so that a restart would cost them a review.
        unwell: Names of what does not work now, such as a camera's.
        restart: Asks the process to end, so that whoever started it starts it anew; told why.
    """

    settings: SoftwareSettings
    slots: Slots
    running: int | None
    workshop: Workshop
    occupied: Callable[[], bool]
    unwell: Callable[[], frozenset[str]]
    restart: Callable[[str], None]


class SoftwareSteps:
    """Does the work of one state after the other; one thread calls it.

    Args:
        seams: What it works with.
        installation: Where wheels lie.
        logbook: Where progress is written.
        clock: The device's time.
        begin: Asked before something is begun; told whether it is urgent; raises
            ``UpdateHeldError`` where it may not.
        go_on: Asked while a slot is made and tried, likewise.
    """

    def __init__(
        self,
        seams: SoftwareSeams,
        installation: Installation,
        logbook: Logbook,
        clock: Clock,
        begin: Callable[[bool], None],
        go_on: Callable[[], None],
    ) -> None:
        self._s = seams
        self._slots = seams.slots
        self._installation = installation
        self._log = logbook
        self._clock = clock
        self._begin = begin
        self._go_on = go_on
        self._unwell_since_s: float | None = None
        self._ready_since_s: float | None = None
        self._asked_to_restart = False

    def settle(self) -> None:
        """Write down that the launcher has taken a release back; to be called before any look."""
        progress = self._log.progress(SOFTWARE)
        if progress.state not in ("swapping", "watching") or progress.target is None:
            return
        reason = self._slots.failure(progress.target)
        if reason is not None and self._slots.served().release != progress.target:
            self._was_taken_back(progress, reason)

    def work(self, progress: Progress, release: Edition) -> float:
        """Do the work of a state that comes after fetching.

        Args:
            progress: How far it is.
            release: The target.

        Returns:
            Seconds until there is more to do, usually none.

        Raises:
            UpdateHeldError: It has to wait.
            ReleaseRefusedError: The release is no good.
            UpdateError: Something failed that may pass.
            OSError: The disk does not take it.
        """
        if progress.state in TRIAL:
            self._try(progress, release)
        elif progress.state == "waiting_to_swap":
            self._wait_for_a_moment(progress, release)
        elif progress.state == "swapping":
            return self._swap(progress, release)
        else:
            return self._watch(progress, release)
        return 0.0

    def _try(self, progress: Progress, release: Edition) -> None:
        self._begin(progress.urgent)
        number, slots = release.release, self._slots
        wheels = self._installation.shelf.bundle_path(SOFTWARE, number)
        if slots.slot(number) is None:
            self._require_room(release)
            if not self._installation.shelf.has(SOFTWARE, number):
                self._log.move(SOFTWARE, "fetching", "its wheels are not complete")
                return
            self._log.move(SOFTWARE, "building", "the wheels are installed beside what runs")
            self._s.workshop.install(slots.clear(number), wheels, self._go_on)
            slots.complete(Slot(release=number, version=release.title))
        self._log.move(SOFTWARE, "self_testing", "it opens what a start needs")
        try:
            found = self._s.workshop.rehearse(slots.path(number), self._go_on)
        except ReleaseRefusedError:
            slots.clear(number)
            raise
        self._log.move(SOFTWARE, "waiting_to_swap", found)

    def _require_room(self, release: Edition) -> None:
        """Installed, wheels take about three times their size."""
        needed = _INSTALLED_TIMES * release.size_bytes + _SPARE_BYTES
        free = shutil.disk_usage(self._slots.folder).free
        if free < needed:
            self._slots.tidy((release.release,))
            free = shutil.disk_usage(self._slots.folder).free
        if free < needed:
            raise DiskRoomError(
                f"release {release.release} of the software needs {needed / 1e6:.0f} MB to be "
                f"installed, {free / 1e6:.0f} MB are free; make room"
            )

    def _wait_for_a_moment(self, progress: Progress, release: Edition) -> None:
        self._begin(progress.urgent)
        now_s = self._clock.monotonic_s()
        if self._ready_since_s is None:
            self._ready_since_s = now_s
        patient = now_s - self._ready_since_s < self._s.settings.occupied_at_most_s
        if self._s.occupied() and patient and not progress.urgent:
            raise UpdateHeldError("ready; somebody is shopping, the restart waits for them")
        # A failure of an earlier attempt is not one of this.
        self._slots.forget_failure(release.release)
        self._log.move(SOFTWARE, "swapping", "the device starts anew with it")

    def _swap(self, progress: Progress, release: Edition) -> float:
        number = release.release
        if self._slots.slot(number) is None:
            self._log.move(SOFTWARE, "verifying", "its slot is not whole any more")
            return 0.0
        if self._slots.served().release != number:
            settings = self._s.settings
            self._slots.swap(number, settings.starts_at_most, sorted(self._s.unwell()))
            self._restart(f"release {number} of the software ({release.title}) is to be started")
        if self._s.running != number:
            if self._asked_to_restart:
                raise UpdateHeldError("the device starts anew with it")
            raise UpdateError("the launcher has started something else; see its log and the disk")
        said = f"release {number} ({release.title}) runs and is watched"
        self._log.say(
            SOFTWARE,
            self._log.progress(SOFTWARE).swapped(self._clock.wall_time_s(), said),
            tell=True,
        )
        return 0.0

    def _watch(self, progress: Progress, release: Edition) -> float:
        number, settings = release.release, self._s.settings
        if self._slots.served().release != number:
            self._was_taken_back(progress, self._slots.failure(number) or "it was taken back")
            return 0.0
        trouble = self._lasting_trouble()
        if trouble is not None:
            self._slots.take_back(number, trouble)
            self._was_taken_back(progress, trouble)
            self._restart(f"release {number} of the software is taken back: {trouble}")
            return 0.0
        if progress.watched_s < settings.watch_s:
            percent = min(100.0, 100.0 * progress.watched_s / settings.watch_s)
            if percent - progress.percent >= _SHOWN_STEP_PERCENT:
                self._log.say(SOFTWARE, progress.because(progress.reason, percent))
            return min(settings.watch_s - progress.watched_s, _LOOK_AGAIN_S)
        self._slots.confirm(number)
        words = f"ran for {progress.watched_s:.0f} s without trouble"
        done = progress.to("done", words, 100.0).settled()
        self._log.say(SOFTWARE, done, tell=True, outcome="serving")
        self._slots.tidy((number,))
        return 0.0

    def _lasting_trouble(self) -> str | None:
        """What has been wrong for longer than is borne."""
        # What did not work before the swap is no fault of the release.
        lost = self._s.unwell() - self._slots.unwell_before()
        now_s = self._clock.monotonic_s()
        if not lost:
            self._unwell_since_s = None
            return None
        if self._unwell_since_s is None:
            self._unwell_since_s = now_s
        lasted_s = now_s - self._unwell_since_s
        if lasted_s < self._s.settings.unwell_at_most_s:
            return None
        return f"{', '.join(sorted(lost))} does not work with it, for {lasted_s:.0f} s by now"

    def _restart(self, why: str) -> None:
        self._asked_to_restart = True
        self._s.restart(why)

    def _was_taken_back(self, progress: Progress, reason: str) -> None:
        back = progress.to("rolled_back", reason).settled()
        self._log.quarantine(SOFTWARE, back, "start", "rolled_back")
