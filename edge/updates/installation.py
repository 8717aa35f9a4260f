"""What is installed on this device and what of it serves, from the first moment of a start.

Owns ``serving.json``, the journal and the shelf as one thing: one process has them at a time. On
a start it counts starts that do not go well, takes back a release after too many of them, and opens
bundles, each verified, falling back until one opens. Needs no network.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from edge.errors import JournalError, UpdateError
from edge.software.slots import Slots
from edge.updates.journal import Journal
from edge.updates.pointer import POINTER_NAME, Pointer, Served, read_pointer, write_pointer
from edge.updates.progress import Progress, Quarantine
from edge.updates.settings import WatchSettings
from edge.updates.shelf import BundleShelf
from models.bundle import Bundle, BundleError, open_bundle
from models.delivery import SOFTWARE, FailureKind, State, UpdateEvent, UpdateOutcome, event_id_of

_LOGGER: Final = logging.getLogger(__name__)
JOURNAL_NAME: Final = "journal.sqlite"
_MIRRORED: Final = ("timestamp_version@", "root_version", "plan_", "not_before_s")


class Installation:
    """The releases of one device, open; closed again by ``close``.

    Args:
        folder: Where they are; made when it is not there.
        device_id: The device.
        wall_time_s: Seconds since 1970.
        configured: Bundles that the configuration names, by category: what serves until a release
            does, and what is left when none can.
        slots: Releases of the device's own software; ``None`` where it is left as it is.

    Attributes:
        boot: How often this was opened.
        pointer: What serves.

    Raises:
        JournalError: Another process has it, or it cannot be opened.
    """

    def __init__(
        self,
        folder: Path,
        device_id: str,
        wall_time_s: Callable[[], float],
        configured: Mapping[str, Bundle],
        slots: Slots | None = None,
    ) -> None:
        self.folder = folder
        self._slots = slots
        self.device_id = device_id
        self.configured = dict(configured)
        self._wall_time_s = wall_time_s
        self._pointer_path = folder / POINTER_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.shelf = BundleShelf(folder)
            self._lock = _locked(folder)
        except OSError as err:
            raise JournalError(f"{folder} cannot be used for updates: {err.strerror}") from err
        try:
            self.journal = Journal(folder / JOURNAL_NAME)
            self.pointer = self._read_pointer()
            for name, number in self.pointer.numbers.items():
                self.journal.raise_number(name, number)
            self.boot = self.journal.raise_number("boot", self.journal.number("boot") + 1)
        except BaseException:
            os.close(self._lock)
            raise

    def close(self) -> None:
        """Let another process have it."""
        self.journal.close()
        os.close(self._lock)

    def served(self, category: str) -> Served:
        """What serves for a category, or runs as the software."""
        if category == SOFTWARE:
            return Served() if self._slots is None else self._slots.served()
        return self.pointer.served(category)

    def point(self, category: str, served: Served) -> None:
        """Let something else serve from the next start on; on the disk when this returns."""
        self._write(self.pointer.pointing(category, served))

    def number(self, name: str) -> int:
        """A number that only grows, 0 at first."""
        return self.journal.number(name)

    def raise_number(self, name: str, least: int) -> int:
        """Remember a number that only grows, in the journal and beside what serves."""
        grown = self.journal.raise_number(name, least)
        if name.startswith(_MIRRORED) and self.pointer.numbers.get(name) != grown:
            self._write(
                self.pointer.model_copy(update={"numbers": {**self.pointer.numbers, name: grown}})
            )
        return grown

    def tell(
        self,
        category: str,
        release: int,
        state: State,
        reason: str,
        *,
        outcome: UpdateOutcome | None = None,
        kind: FailureKind | None = None,
        percent: float = 0.0,
    ) -> None:
        """Remember an event for the fleet."""
        number = self.journal.raise_number("event", self.journal.number("event") + 1)
        log = _LOGGER.info if outcome in (None, "serving") else _LOGGER.warning
        log("%s release %d: %s: %s", category, release, state.replace("_", " "), reason)
        self.journal.keep_event(
            UpdateEvent.model_validate(
                {
                    "event_id": event_id_of(self.device_id, self.boot, number),
                    "device_id": self.device_id,
                    "boot": self.boot,
                    "at": utc(self._wall_time_s()),
                    "category": category,
                    "release": release,
                    "state": state,
                    "outcome": outcome,
                    "kind": kind,
                    "reason": reason,
                    "percent": percent,
                }
            )
        )

    def quarantine(self, category: str, release: int, kind: FailureKind, reason: str) -> None:
        """Do not try a release again until the plan asks for another attempt."""
        before = self.journal.quarantined(category).get(release)
        failures = before.failures + 1 if before else 1
        self.journal.keep_quarantined(
            category,
            release,
            Quarantine(
                kind=kind,
                reason=reason,
                failures=failures,
                attempt=self.journal.progress(category).attempt,
                at_s=self._wall_time_s(),
            ),
        )

    def count_starts(self, settings: WatchSettings) -> None:
        """Count this start against releases that are being watched; after too many, take them back.

        To be called once, before anything is opened that such a release could break.
        """
        for category, served in self.pointer.categories.items():
            progress = self.journal.progress(category)
            serves_target = served.release is not None and served.release == progress.target
            if not serves_target or progress.state not in ("swapping", "watching"):
                continue
            if progress.starts < settings.starts_at_most:
                counted = progress.model_copy(update={"starts": progress.starts + 1})
                self.journal.keep_progress(category, counted)
                continue
            reason = (
                f"the device was started {progress.starts} times with release {served.release} "
                "and never kept running; it is taken back"
            )
            self.take_back(category, progress, "start", reason, "quarantined")

    def take_back(
        self,
        category: str,
        progress: Progress,
        kind: FailureKind,
        reason: str,
        outcome: UpdateOutcome,
    ) -> None:
        """Let the previous release serve from the next start on, and quarantine the present one."""
        served = self.served(category)
        assert served.release is not None
        self.point(category, Served(release=served.previous))
        with self.journal.transaction():
            self.quarantine(category, served.release, kind, reason)
            self.tell(category, served.release, "rolled_back", reason, outcome=outcome, kind=kind)
            self.journal.keep_progress(category, progress.to("rolled_back", reason).settled())

    def went_well(self, category: str) -> None:
        """This start has gone well."""
        progress = self.journal.progress(category)
        if progress.starts:
            self.journal.keep_progress(category, progress.model_copy(update={"starts": 0}))

    def open_bundles(self) -> tuple[Bundle, ...]:
        """Open what serves, each category's bundle verified; what is broken is fallen back from.

        Returns:
            One bundle a category; none of a category where none opens.
        """
        categories = dict.fromkeys([*self.configured, *self.pointer.categories])
        opened = (self._open(category) for category in categories)
        return tuple(bundle for bundle in opened if bundle is not None)

    def open_release(self, category: str, release: int | None) -> Bundle:
        """Open a release; ``None`` is the configured bundle.

        Raises:
            BundleError: It cannot be opened, or there is none.
        """
        if release is not None:
            return open_bundle(self.shelf.bundle_path(category, release))
        if category not in self.configured:
            raise BundleError(f"the configuration names no bundle of {category}")
        return self.configured[category]

    def _open(self, category: str) -> Bundle | None:
        served = self.served(category)
        for release in self._choices(category, served):
            try:
                bundle = self.open_release(category, release)
            except BundleError as err:
                _LOGGER.error("release %s of %s cannot be opened: %s", release, category, err)
                if release is not None:
                    self._set_aside(category, release, str(err))
                continue
            if release != served.release:
                self.point(category, Served(release=release))
            return bundle
        return None

    def _choices(self, category: str, served: Served) -> Iterator[int | None]:
        """Releases in the order in which they are tried: the one that serves, then older ones."""
        failed = self._failed(category)
        floor = self.number(f"plan_floor:{category}")
        newest = served.release
        others = (
            release
            for release in reversed(self.shelf.releases(category))
            if release not in failed and release >= floor
            if newest is not None and release < newest
        )
        yield from dict.fromkeys((served.release, served.previous, *others, None))

    def _set_aside(self, category: str, release: int, reason: str) -> None:
        """A release whose files broke on this disk: it may be fetched anew, so no quarantine."""
        document = self.shelf.document(category, release)
        if document is not None:
            self.shelf.discard_damaged(document)
        self.shelf.discard(category, release)
        progress = self.journal.progress(category)
        told = f"release {release} broke on the disk, another one serves: {reason}"
        self.tell(category, release, progress.state, told, outcome="failed", kind="start")
        if progress.target == release:
            idle = progress.to("idle", told).model_copy(update={"target": None, "proved": True})
            self.journal.keep_progress(category, idle)

    def _read_pointer(self) -> Pointer:
        try:
            return read_pointer(self._pointer_path)
        except UpdateError:
            _LOGGER.exception("the newest releases on the disk serve instead")
            return self._guessed()

    def _guessed(self) -> Pointer:
        """What serves where that cannot be read any more: the newest that may have served."""
        pointer = Pointer()
        for category in self.shelf.categories():
            if category == SOFTWARE:
                continue
            progress, never = self.journal.progress(category), set(self._failed(category))
            if progress.state not in ("watching", "done"):
                never.add(progress.target)  # it lies there to be tried
            found = [each for each in self.shelf.releases(category) if each not in never]
            if found:
                pointer = pointer.pointing(category, Served(release=found[-1]))
        return pointer

    def _failed(self, category: str) -> set[int | None]:
        return set(self.journal.quarantined(category))

    def _write(self, pointer: Pointer) -> None:
        write_pointer(self._pointer_path, pointer)
        self.pointer = pointer


def utc(wall_time_s: float) -> datetime:
    """A moment of the wall clock, with its zone."""
    return datetime.fromtimestamp(wall_time_s, timezone.utc)


def _locked(folder: Path) -> int:
    """A lock that ends with the process, however it ends."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as err:
        os.close(lock)
        raise JournalError(
            f"{folder} is used by another process; stop that one, one agent works at a time"
        ) from err
    return lock
