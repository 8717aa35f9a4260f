"""The update agent: what is signed becomes what serves, one safe step after the other.

Owns what is wanted (the signed plan), the order of things, and what a failure leads to: wait and
try again, or quarantine. A state is written down before its work begins (``progress``, ``steps``),
so the process may be killed anywhere: afterwards a complete old or a complete new bundle serves,
and the step is taken again. Whatever goes wrong on the way leaves what serves alone.

One thread runs it, beside a shop at work: it is nice, holds what it is told to hold, and takes no
part in a recognition.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable
from typing import Final

from edge.errors import (
    DiskRoomError,
    JournalError,
    ReleaseRefusedError,
    TrustError,
    UpdateError,
    UpdateHeldError,
)
from edge.software.steps import SoftwareSteps
from edge.software.wheels import fitting
from edge.updates.hours import quiet_span
from edge.updates.installation import utc
from edge.updates.logbook import Logbook
from edge.updates.progress import RESTING, TRIAL, Progress, wish
from edge.updates.settings import UpdateSettings
from edge.updates.steps import Permits, Seams, Steps
from edge.updates.trust import SignedView
from models.delivery import SOFTWARE, FailureKind, RolloutPlan, SoftwareRelease

_LOGGER: Final = logging.getLogger(__name__)
_LOOK_AGAIN_S: Final = 0.25
_HELD_S: Final = 1.0
# Hints come from whoever may write to the broker: they hurry the agent, but not endlessly.
_POLLS_APART_S: Final = 1.0
_TRIALS_AT_MOST: Final = 3
_CLOCK_MAY_LAG_S: Final = 120.0
_NOT_BEFORE: Final = "not_before_s"


class UpdateAgent:
    """Keeps the bundles of one device up to date; one thread calls ``run`` or ``step``.

    Args:
        settings: What it is told.
        categories: What is kept up to date.
        seams: What it works with.

    Attributes:
        categories: Likewise.
        store_trouble: Why the store cannot be asked or is not believed; ``None`` when it is.
    """

    def __init__(self, settings: UpdateSettings, categories: tuple[str, ...], seams: Seams) -> None:
        self.settings = settings
        self.categories = categories
        self.store_trouble: str | None = None
        self._store, self._clock = seams.store, seams.clock
        self._installation = seams.installation
        self._on_change = seams.on_change
        self._log = Logbook(
            seams.installation,
            seams.line,
            seams.clock,
            settings.watch,
            categories,
            seams.on_change,
        )
        permits = Permits(self._permit_to_begin, self._permit_to_fetch, self._permit_to_go_on)
        self._steps = Steps(settings, seams, self._log, permits)
        self._software: SoftwareSteps | None = None
        if seams.software is not None:
            self._software = SoftwareSteps(
                seams.software,
                seams.installation,
                self._log,
                seams.clock,
                permits.begin,
                permits.go_on,
            )
        self._poll_wanted = threading.Event()
        self._stopping = threading.Event()
        self._poll_at_s = self._polled_at_s = float("-inf")
        self._poll_waits, self._disk_waits = seams.backoff(), seams.backoff()
        self._waits = {category: seams.backoff() for category in categories}
        self._next_at_s = dict.fromkeys(categories, float("-inf"))

    def hint(self) -> None:
        """Something may be new: look soon; from any thread."""
        self._poll_wanted.set()

    @property
    def clock_trouble(self) -> str | None:
        """What is wrong with the device's clock, as far as signed times tell."""
        now_s, least_s = self._clock.wall_time_s(), self._installation.number(_NOT_BEFORE)
        if now_s >= least_s - _CLOCK_MAY_LAG_S:
            return None
        return (
            f"this device's clock says {utc(now_s):%Y-%m-%d %H:%M} UTC, though it is at least "
            f"{utc(least_s):%Y-%m-%d %H:%M}; set the clock, until then that later time counts"
        )

    @property
    def free_bytes(self) -> int:
        """Free room on the disk."""
        return self._steps.room.free_bytes

    def run(self, stop: threading.Event, beat: Callable[[], None] = lambda: None) -> None:
        """Keep up to date until told to stop."""
        self._stopping = stop
        # Only this thread: what it builds must not take turns from cameras and checkout.
        thread = threading.get_native_id()
        nice = max(self.settings.trial.niceness, os.getpriority(os.PRIO_PROCESS, thread))
        os.setpriority(os.PRIO_PROCESS, thread, nice)
        while not stop.is_set():
            beat()
            until_s = self.step() + self._clock.monotonic_s()
            while not stop.is_set() and not self._poll_wanted.is_set():
                left_s = until_s - self._clock.monotonic_s()
                if left_s <= 0:
                    break
                stop.wait(min(left_s, _LOOK_AGAIN_S))
        self._log.keep_counts()

    def step(self) -> float:
        """Do everything that is due.

        Returns:
            Seconds until something may be due again.
        """
        try:
            self._steps.room.lay_ballast()
            self._log.observe()
            if self._software is not None:
                self._software.settle()
            if self._poll_due():
                self._poll()
            for category in self.categories:
                self._advance(category)
            working = [
                self._next_at_s[each]
                for each in self.categories
                if self._log.progress(each).state not in RESTING
            ]
        except (JournalError, OSError) as err:
            self._disk_trouble(err)
            return self._disk_waits.next_wait_s()
        self._disk_waits.reset()
        return max(0.0, min([self._poll_at_s, *working]) - self._clock.monotonic_s())

    def _poll_due(self) -> bool:
        if self._poll_wanted.is_set():
            self._poll_wanted.clear()
            self._poll_at_s = min(self._poll_at_s, self._polled_at_s + _POLLS_APART_S)
        return self._clock.monotonic_s() >= self._poll_at_s

    def _poll(self) -> None:
        """Look at what is signed."""
        least_s = self._installation.number(_NOT_BEFORE)
        trouble = None
        try:
            view = self._store.look(utc(max(self._clock.wall_time_s(), least_s)))
            for category in self.categories:
                try:
                    self._obey(category, view)
                except TrustError as err:  # the other categories are none the worse
                    trouble = str(err)
        except JournalError:
            raise
        except UpdateError as err:
            trouble = str(err)
        wait_s = self.settings.poll_s
        if trouble is None:
            self._poll_waits.reset()
        else:
            wait_s = min(wait_s, self._poll_waits.next_wait_s())
        self._polled_at_s = self._clock.monotonic_s()
        self._poll_at_s = self._polled_at_s + wait_s
        if trouble != self.store_trouble:
            if trouble is None:
                self._go_on_at_once()
            else:
                _LOGGER.warning("updates: %s", trouble)
            self.store_trouble = trouble
            self._on_change()

    def _go_on_at_once(self) -> None:
        """The store is there again: what waits for it longer and longer need not."""
        for category, wait in self._waits.items():
            wait.reset()
            self._next_at_s[category] = float("-inf")

    def _obey(self, category: str, view: SignedView) -> None:
        """Begin what the signed plan asks for, or leave what it does not ask for any more."""
        plan = view.plan(category)
        if plan is None:
            return
        self._remember(category, plan)
        progress = self._log.progress(category)
        serving = self._installation.served(category).release
        wanted = wish(
            plan,
            self.settings.device_id,
            serving,
            self._installation.journal.quarantined(category),
            self._installation.number(f"plan_floor:{category}"),
        )
        if progress.state == "swapping" and serving == progress.target and not wanted.urgent:
            return  # killed between pointing and writing that down: the watch is still to begin
        at_work = progress.state not in RESTING and progress.state != "watching"
        if wanted.release is None:
            if at_work:
                self._log.say(category, progress.to("idle", wanted.reason))
            elif progress.state != "watching" and progress.reason != wanted.reason:
                self._log.say(category, progress.because(wanted.reason))
            return
        asked = (wanted.release, wanted.attempt, wanted.urgent)
        if at_work and asked == (progress.target, progress.attempt, progress.urgent):
            return
        release = view.release(category, wanted.release)
        self._installation.raise_number(_NOT_BEFORE, int(release.not_before.timestamp()))
        self._waits[category].reset()
        self._next_at_s[category] = float("-inf")
        begun = progress.begin(*asked, wanted.reason)
        if isinstance(release, SoftwareRelease):
            try:
                release = fitting(release)
            except ReleaseRefusedError as err:
                self._log.say(category, begun, tell=True)
                self._refuse(category, err.kind, str(err))
                return
        self._installation.shelf.keep_document(release)
        self._log.say(category, begun, tell=True)

    def _remember(self, category: str, plan: RolloutPlan) -> None:
        known = self._installation.number(f"plan_serial:{category}")
        if plan.serial < known:
            raise TrustError(
                f"the store shows plan {plan.serial} of {category} again, this device has seen "
                f"plan {known}; somebody may be replaying it; what serves goes on"
            )
        self._installation.raise_number(f"plan_serial:{category}", plan.serial)
        self._installation.raise_number(f"plan_floor:{category}", plan.floor)
        self._installation.raise_number(_NOT_BEFORE, int(plan.issued_at.timestamp()))

    def _advance(self, category: str) -> None:
        """Take a category's update as far as it goes now."""
        while self._clock.monotonic_s() >= self._next_at_s[category]:
            progress = self._log.progress(category)
            if progress.state in RESTING:
                return
            try:
                wait_s = self._work(category, progress)
                self._next_at_s[category] = self._clock.monotonic_s() + wait_s
            except UpdateHeldError as err:
                self._hold(category, str(err))
            except ReleaseRefusedError as err:
                self._refuse(category, err.kind, str(err))
            except JournalError:
                raise
            except UpdateError as err:
                self._later(category, err)
            except OSError as err:
                if err.errno != errno.ENOSPC:
                    raise
                self._steps.room.give_up_ballast()
                self._later(category, DiskRoomError("the disk is full; make room"))
            if self._stopping.is_set() or self._poll_due():
                return

    def _work(self, category: str, progress: Progress) -> float:
        release = self._installation.shelf.document(category, progress.target or 0)
        if release is None:
            self._poll_wanted.set()
            self._log.say(category, progress.to("idle", "what was wanted is looked up again"))
            return 0.0
        if category == SOFTWARE and progress.state not in ("noticed", "fetching"):
            assert self._software is not None, "nobody else works on software"
            return self._software.work(progress, release)
        return self._steps.work(category, progress, release)

    # Why work waits, and what a failure leads to

    def _permit_to_begin(self, urgent: bool) -> None:
        if self._stopping.is_set():
            raise UpdateHeldError("the device ends")
        now_s = self._clock.wall_time_s()
        span = quiet_span(self.settings.quiet_hours, self.settings.timezone, now_s)
        if span is not None and not urgent:
            raise UpdateHeldError(f"nothing is done in the quiet hours {span}")

    def _permit_to_fetch(self, urgent: bool) -> None:
        self._permit_to_begin(urgent)
        self._log.observe()
        if self._poll_due():
            raise UpdateHeldError("first it is looked whether something else is wanted by now")

    def _permit_to_go_on(self) -> None:
        # A trial is not broken off for a look at the store: it would never come to its end.
        if self._stopping.is_set():
            raise UpdateHeldError("the device ends")
        self._log.observe()

    def _hold(self, category: str, reason: str) -> None:
        if self._poll_due() or self._stopping.is_set():
            return  # it goes on right after, or after the next start
        self._next_at_s[category] = self._clock.monotonic_s() + _HELD_S
        progress = self._log.progress(category)
        if progress.reason != reason:
            self._log.say(category, progress.because(reason))

    def _later(self, category: str, err: UpdateError) -> None:
        """Something failed that may pass."""
        progress = self._log.progress(category).failed_once_more(str(err))
        if progress.state in TRIAL:
            if progress.failures >= _TRIALS_AT_MOST:
                self._refuse(category, "self_test", f"{err} ({progress.failures} times)")
                return
            progress = progress.model_copy(update={"state": "verifying"})
        wait_s = self._waits[category].next_wait_s()
        self._next_at_s[category] = self._clock.monotonic_s() + wait_s
        _LOGGER.warning("updates of %s: %s; again in %.0f s", category, err, wait_s)
        # The fleet is told of the first in a row; the status shows them all.
        first = progress.failures == 1
        kind: FailureKind = "disk" if isinstance(err, DiskRoomError) else "download"
        self._log.say(category, progress, tell=first, outcome="failed", kind=kind)

    def _refuse(self, category: str, kind: FailureKind, reason: str) -> None:
        ended = self._log.progress(category).to("quarantined", reason)
        self._log.quarantine(category, ended, kind, "refused")
        self._poll_wanted.set()  # the plan's stable release may be wanted now

    def _disk_trouble(self, err: Exception) -> None:
        _LOGGER.error("updates cannot remember what they do: %s", err)
        given_up = self._steps.room.give_up_ballast()
        also = "; the ballast was given up" if given_up else ""
        self.store_trouble = f"the disk gives trouble: {err}{also}"
        self._on_change()
