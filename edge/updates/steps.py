"""The work of each state of an update: fetch, try, swap, watch, take back.

Owns how a state's work is done and which state follows. Every piece may be begun twice, and what
serves is touched by ``swap`` and ``take_back`` alone: first in this process by one assignment, then
in ``serving.json``, then in the journal, so whatever is killed in between is found out and finished
by the next look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.cameras.backoff import Backoff
from edge.cameras.clock import Clock
from edge.errors import (
    JournalError,
    ReleaseRefusedError,
    UpdateError,
    UpdateHeldError,
    WalkoutEdgeError,
)
from edge.runtime.settings import RuntimeSettings
from edge.software.steps import SoftwareSeams
from edge.updates.disk import DiskRoom
from edge.updates.fetch import BundleFetcher, Pace, download
from edge.updates.installation import Installation
from edge.updates.live import ServingLine
from edge.updates.logbook import Logbook
from edge.updates.pointer import Served
from edge.updates.progress import TRIAL, Progress, next_previous
from edge.updates.settings import UpdateSettings
from edge.updates.trial import Trial, TrialRequest
from edge.updates.trust import SignedStore
from edge.updates.watch import judge
from models.bundle import BundleError
from models.delivery import Edition, State, stored_target

_SHOWN_STEP_PERCENT: Final = 5.0
_LOOK_AGAIN_S: Final = 1.0


@dataclass(frozen=True)
class Seams:
    """What the agent works with.

    Attributes:
        installation: What is on this device.
        store: What is signed.
        fetcher: Where bytes come from.
        line: What decides.
        trial: Tries releases.
        clock: The device's time.
        backoff: Makes waits between attempts.
        verified: Folder of events that a person has verified.
        busy: Whether something is being decided that a swap should not come between.
        on_change: Told whenever there is something new to report.
        threads: Of a network that is tried.
        runtime: What runs it.
        software: What updates of the software work with; ``None`` where there are none.
    """

    installation: Installation
    store: SignedStore
    fetcher: BundleFetcher
    line: ServingLine
    trial: Trial
    clock: Clock
    backoff: Callable[[], Backoff]
    verified: Path
    busy: Callable[[], bool] = lambda: False
    on_change: Callable[[], None] = lambda: None
    threads: int = 1
    runtime: RuntimeSettings = RuntimeSettings()
    software: SoftwareSeams | None = None


@dataclass(frozen=True)
class Permits:
    """Who says whether work may go on; each raises ``UpdateHeldError`` where it may not.

    Attributes:
        begin: Asked before something is begun; told whether it is urgent.
        fetch: Asked after every chunk of a download, likewise.
        go_on: Asked while a release is tried.
    """

    begin: Callable[[bool], None]
    fetch: Callable[[bool], None]
    go_on: Callable[[], None]


class Steps:
    """Does the work of one state after the other; one thread calls it.

    Args:
        settings: What the agent is told.
        seams: What it works with.
        logbook: Where progress is written.
        permits: Who says whether work may go on.
    """

    def __init__(
        self, settings: UpdateSettings, seams: Seams, logbook: Logbook, permits: Permits
    ) -> None:
        self._settings = settings
        self._s = seams
        self._installation = seams.installation
        self._shelf = seams.installation.shelf
        self._log = logbook
        self._permits = permits
        self._pace = Pace(
            seams.clock.monotonic_s, seams.clock.sleep, stall_after_s=settings.stall_after_s
        )
        self.room = DiskRoom(self._shelf, settings.disk_budget_bytes, settings.ballast_bytes)

    def work(self, category: str, progress: Progress, release: Edition) -> float:
        """Do the work of a state.

        Args:
            category: The category.
            progress: How far it is, not at rest.
            release: The target.

        Returns:
            Seconds until there is more to do, usually none.

        Raises:
            UpdateHeldError: It has to wait.
            ReleaseRefusedError: The release is no good.
            UpdateError: Something failed that may pass.
            OSError: The disk does not take it.
        """
        if progress.state == "watching":
            return self._watch(category, progress)
        if progress.state == "noticed":
            self._permits.begin(progress.urgent)
            self.room.make_for(release, self._kept(), (release,))
            left = self._shelf.bytes_lacking(release)
            self._log.move(category, "fetching", f"{_mb(left)} to fetch")
        elif progress.state == "fetching":
            self._fetch(category, progress, release)
        elif progress.state in TRIAL:
            self._try(category, progress, release)
        elif progress.state == "waiting_to_swap":
            self._permits.begin(progress.urgent)
            if self._s.busy() and not progress.urgent:
                raise UpdateHeldError("ready; a basket is being decided, the swap waits for it")
            self._log.move(category, "swapping", "network, index and thresholds are exchanged")
        else:
            self._swap(category, progress, release)
        return 0.0

    def _fetch(self, category: str, progress: Progress, release: Edition) -> None:
        total = max(1, release.size_bytes)
        left = self._shelf.bytes_lacking(release)
        shown = progress.percent

        def on_bytes(count: int) -> None:
            nonlocal left, shown
            left -= count
            percent = min(100.0, max(0.0, 100.0 * (total - left) / total))
            if percent - shown >= _SHOWN_STEP_PERCENT:
                shown = percent
                current = self._log.progress(category)
                reason = f"{_mb(left)} of {_mb(total)} left to fetch"
                self._log.say(category, current.because(reason, percent))

        self._pace.permit = lambda: self._permits.fetch(progress.urgent)
        self._pace.bytes_per_s = None if progress.urgent else self._settings.bytes_per_s
        for file in self._shelf.lacking(release):
            download(
                self._s.fetcher,
                stored_target(file.target, file.sha256),
                file.length,
                file.sha256,
                self._shelf.part_path(file.sha256),
                self._shelf.blob_path(file.sha256),
                self._pace,
                on_bytes,
            )
        self._shelf.assemble(release)
        self._log.move(category, "verifying", "everything is there")

    def _try(self, category: str, progress: Progress, release: Edition) -> None:
        self._permits.begin(progress.urgent)
        if not self._shelf.has(category, release.release):
            self._log.move(category, "fetching", "its files are not complete")
            return
        newer = release.release > (self._installation.served(category).release or 0)

        def tell(state: State, reason: str) -> None:
            if state != self._log.progress(category).state:
                self._log.move(category, state, reason)

        request = TrialRequest(
            category=category,
            candidate=self._shelf.bundle_path(category, release.release),
            serving=tuple(self._s.line.paths().values()),
            # A fallback replaces what must not serve, or did worse than the plan wants.
            compare=newer and not progress.urgent,
            verified=self._s.verified,
            threads=self._s.threads,
            runtime=self._s.runtime,
            settings=self._settings.trial,
        )
        try:
            found = self._s.trial(request, tell, self._permits.go_on)
        except ReleaseRefusedError as err:
            if err.kind == "verify":
                self._fetch_again_if_broken(category, release)
            raise
        self._log.move(category, "waiting_to_swap", found)

    def _fetch_again_if_broken(self, category: str, release: Edition) -> None:
        """What broke on this disk is no fault of the release."""
        damaged = self._shelf.discard_damaged(release)
        if damaged:
            self._shelf.discard(category, release.release)
            self._shelf.keep_document(release)
            self._log.move(category, "fetching", "some files are fetched again")
            raise UpdateError(f"{', '.join(damaged)} broke on this disk; fetched again")

    def _swap(self, category: str, progress: Progress, release: Edition) -> None:
        self._log.keep_counts()
        try:
            bundle = self._installation.open_release(category, release.release)
            if self._s.line.paths().get(category) != bundle.path:
                self._s.line.serve(bundle)
        except JournalError:
            raise
        except (BundleError, WalkoutEdgeError) as err:
            raise ReleaseRefusedError("build", str(err)) from err
        self._log.begin_counting(category)
        served = self._installation.served(category)
        if served.release != release.release:
            previous = next_previous(served.release, served.previous, progress)
            self._installation.point(category, Served(release=release.release, previous=previous))
        self._log.say(
            category,
            self._log.progress(category).swapped(
                self._s.clock.wall_time_s(),
                f"release {release.release} ({release.title}) serves and is watched",
            ),
            tell=True,
        )

    def _watch(self, category: str, progress: Progress) -> float:
        served = self._installation.served(category)
        if served.release != progress.target:
            # Killed between pointing back and writing that down.
            back = progress.to("rolled_back", progress.reason or "it was taken back")
            self._log.quarantine(category, back.settled(), "watch", "rolled_back")
            return 0.0
        settings = self._settings.watch
        verdict, reason = judge(progress.before, progress.since, progress.watched_s, settings)
        if verdict == "bad":
            self._take_back(category, progress, reason)
        elif verdict == "good":
            done = progress.to("done", reason, 100.0).settled()
            self._log.say(category, done, tell=True, outcome="serving")
            self._tidy()
        else:
            percent = min(100.0, 100.0 * progress.watched_s / settings.watch_s)
            if reason != progress.reason or percent - progress.percent >= _SHOWN_STEP_PERCENT:
                self._log.say(category, progress.because(reason, percent))
            return min(settings.watch_s - progress.watched_s, _LOOK_AGAIN_S)
        return 0.0

    def _take_back(self, category: str, progress: Progress, reason: str) -> None:
        previous = self._installation.served(category).previous
        try:
            self._s.line.serve(self._installation.open_release(category, previous))
        except (BundleError, WalkoutEdgeError) as err:
            reason = f"{reason}; what it had replaced is gone ({err})"
            self._fall_back(category)
        self._installation.take_back(category, progress, "watch", reason, "rolled_back")
        self._log.begin_counting(category)
        self._log.on_change()

    def _fall_back(self, category: str) -> None:
        """Let the configured bundle serve, or nothing."""
        try:
            if category in self._installation.configured:
                self._s.line.serve(self._installation.configured[category])
            else:
                self._s.line.drop(category)
        except WalkoutEdgeError:
            # The last one goes on deciding until the next start, which it no longer serves at.
            return

    def _kept(self) -> dict[str, tuple[int, ...]]:
        """Releases that must stay on the disk, by category."""
        kept = {}
        for category in self._shelf.categories():
            served = self._installation.served(category)
            target = self._log.progress(category).target
            named = (served.release, served.previous, target)
            kept[category] = tuple(release for release in named if release is not None)
        return kept

    def _tidy(self) -> None:
        """Throw away what is not needed any more."""
        under_way = []
        for category, releases in self._kept().items():
            for release in self._shelf.releases(category):
                if release not in releases:
                    self._shelf.discard(category, release)
            documents = (self._shelf.document(category, release) for release in releases)
            under_way += [document for document in documents if document is not None]
        self._shelf.sweep(under_way)


def _mb(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
