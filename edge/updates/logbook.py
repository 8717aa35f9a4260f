"""What the agent writes down while it works, and tells the fleet at the same time.

Owns that a state and the event about it are one transaction, and what is counted meanwhile: the
recognitions of what serves, and for how long a release has been watched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from edge.cameras.clock import Clock
from edge.updates.installation import Installation
from edge.updates.live import ServingLine
from edge.updates.progress import Counts, Progress
from edge.updates.settings import WatchSettings
from models.delivery import FailureKind, State, UpdateOutcome

_COUNTS_KEPT_EVERY_S: Final = 10.0
_WENT_WELL_AFTER_S: Final = 60.0


class Logbook:
    """The progress of all categories.

    Args:
        installation: Where it is remembered.
        line: Whose recognitions are counted.
        clock: The device's time.
        watch: How releases are watched.
        categories: The categories.
        on_change: Told whenever there is something new.
    """

    def __init__(
        self,
        installation: Installation,
        line: ServingLine,
        clock: Clock,
        watch: WatchSettings,
        categories: Sequence[str],
        on_change: Callable[[], None],
    ) -> None:
        self.on_change = on_change
        self._installation = installation
        self._journal = installation.journal
        self._line = line
        self._clock = clock
        self._watch = watch
        self._accounted = {category: line.counts(category) for category in categories}
        self._began_s = self._kept_at_s = clock.monotonic_s()

    def progress(self, category: str) -> Progress:
        """How far a category is."""
        return self._journal.progress(category)

    def move(self, category: str, state: State, reason: str) -> None:
        """An update goes on to a state."""
        self.say(category, self.progress(category).to(state, reason), tell=True)

    def say(
        self,
        category: str,
        progress: Progress,
        *,
        tell: bool = False,
        outcome: UpdateOutcome | None = None,
        kind: FailureKind | None = None,
    ) -> None:
        """Write down how far a category is.

        Args:
            category: The category.
            progress: How far it is.
            tell: Whether this is an event for the fleet.
            outcome: How the update ended, if it did.
            kind: What kind of failure it was.
        """
        with self._journal.transaction():
            self._journal.keep_progress(category, progress)
            if tell and progress.target is not None:
                self._installation.tell(
                    category,
                    progress.target,
                    progress.state,
                    progress.reason,
                    outcome=outcome,
                    kind=kind,
                    percent=progress.percent,
                )
        self.on_change()

    def quarantine(
        self, category: str, progress: Progress, kind: FailureKind, outcome: UpdateOutcome
    ) -> None:
        """An update has ended badly; its release is not tried again.

        Args:
            category: The category.
            progress: With the state it ended in, and why.
            kind: What kind of failure it was.
            outcome: How it ended.
        """
        if progress.target is None:
            return
        with self._journal.transaction():
            self._installation.quarantine(category, progress.target, kind, progress.reason)
            self.say(category, progress, tell=True, outcome=outcome, kind=kind)

    def begin_counting(self, category: str) -> None:
        """Another bundle serves from now on; what it had decided before does not count."""
        self._accounted[category] = self._line.counts(category)

    def observe(self) -> None:
        """Count from time to time; to be called often."""
        now_s = self._clock.monotonic_s()
        if now_s - self._kept_at_s >= min(_COUNTS_KEPT_EVERY_S, self._watch.watch_s / 10):
            self.keep_counts()
        if now_s - self._began_s >= min(_WENT_WELL_AFTER_S, self._watch.watch_s):
            for category in self._accounted:
                self._installation.went_well(category)

    def keep_counts(self) -> None:
        """Write down recognitions and the time of watching since the last time."""
        now_s = self._clock.monotonic_s()
        passed_s, self._kept_at_s = now_s - self._kept_at_s, now_s
        for category, accounted in self._accounted.items():
            counts = self._line.counts(category)
            more = counts.plus(accounted, -1)
            progress = self.progress(category)
            watched = progress.state == "watching"
            if more == Counts() and not watched:
                continue
            update: dict[str, object] = {"since": progress.since.plus(more)}
            if watched:
                update["watched_s"] = progress.watched_s + passed_s
            self._journal.keep_progress(category, progress.model_copy(update=update))
            self._accounted[category] = counts
