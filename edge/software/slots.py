"""Where releases of the software lie on this device, and which of them is started.

Owns the folder that ``launcher`` reads: a release is there as a whole or not at all, the pointer to
it is replaced by one rename, and a release is on trial before the pointer leads to it. One process
writes here at a time; the launcher does so before that process begins.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import UpdateError
from edge.software import launcher
from edge.updates.files import flush_folder
from edge.updates.pointer import Served

PREVIOUS_NAME: Final = "previous"


class Slot(BaseModel):
    """What is in a slot.

    Attributes:
        release: The release.
        version: Version of Walkout in it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    release: int = Field(ge=1)
    version: str


class Slots:
    """The slots of one device.

    Args:
        folder: Their folder; made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._slots = folder / "slots"
        self._slots.mkdir(parents=True, exist_ok=True)

    def served(self) -> Served:
        """What is started, and what it replaced; releases alone, not what the device came with."""
        release = launcher.current_release(self.folder)
        if release is None:
            return Served()
        try:
            name = (self.folder / PREVIOUS_NAME).readlink().name
        except OSError:
            name = ""
        return Served(release=release, previous=int(name) if name.isdigit() else None)

    def path(self, release: int) -> Path:
        """Folder of a release, whether it is there or not."""
        return self._slots / str(release)

    def number_of(self, prefix: Path) -> int | None:
        """The release whose folder this is; ``None`` where it is none's."""
        inside = prefix.resolve().parent == self._slots.resolve() and prefix.name.isdigit()
        return int(prefix.name) if inside else None

    def slot(self, release: int) -> Slot | None:
        """What is in a slot; ``None`` where the release is not there as a whole."""
        try:
            return Slot.model_validate_json((self.path(release) / launcher.SLOT_NAME).read_bytes())
        except (OSError, ValidationError):
            return None

    def clear(self, release: int) -> Path:
        """Empty a slot, to be filled.

        Raises:
            UpdateError: What is in it is started now.
        """
        if launcher.current_release(self.folder) == release:
            raise UpdateError(f"release {release} is running; it is not installed anew")
        path = self.path(release)
        (path / launcher.SLOT_NAME).unlink(missing_ok=True)  # first: it is not whole any more
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True, exist_ok=True)
        return path

    def complete(self, slot: Slot) -> None:
        """A slot is filled; all of it is brought to the disk before it says so."""
        os.sync()  # thousands of small files
        path = self.path(slot.release) / launcher.SLOT_NAME
        launcher.write_json(path, slot.model_dump())

    def swap(self, release: int, starts_at_most: int, unwell: Sequence[str] = ()) -> None:
        """Let a release be started from now on, on trial.

        Args:
            release: One that is there as a whole.
            starts_at_most: Of the device, before it must have proved itself.
            unwell: Names of what does not work already.
        """
        served = self.served()
        if served.release == release:
            return
        launcher.write_json(
            self.folder / launcher.TRIAL_NAME,
            {
                "release": release,
                "previous": served.release,
                "starts": 0,
                "starts_at_most": starts_at_most,
                "unwell": list(unwell),
            },
        )
        self._remember_previous(served.release)
        launcher.point(self.folder, release)

    def confirm(self, release: int) -> None:
        """A release has proved itself."""
        if self.on_trial() == release:
            (self.folder / launcher.TRIAL_NAME).unlink(missing_ok=True)
            flush_folder(self.folder)

    def on_trial(self) -> int | None:
        """The release that is on trial; ``None`` where none is."""
        found = launcher.read_json(self.folder / launcher.TRIAL_NAME).get("release")
        return found if isinstance(found, int) else None

    def take_back(self, release: int, reason: str) -> None:
        """Let what a release replaced be started from the next start on."""
        trial = launcher.read_json(self.folder / launcher.TRIAL_NAME)
        starts = int(trial.get("starts", 0))
        launcher.take_back(self.folder, release, self.served().previous, starts, reason)

    def unwell_before(self) -> frozenset[str]:
        """What did not work before the release on trial was swapped in."""
        found = launcher.read_json(self.folder / launcher.TRIAL_NAME).get("unwell", [])
        return frozenset(map(str, found))

    def forget_failure(self, release: int) -> None:
        """A release is tried once more."""
        (self.folder / "failed" / f"{release}.json").unlink(missing_ok=True)

    def failure(self, release: int) -> str | None:
        """Why a release was taken back; ``None`` where it was not."""
        try:
            found = json.loads((self.folder / "failed" / f"{release}.json").read_bytes())
            return str(found["reason"])
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def tidy(self, keep: tuple[int | None, ...]) -> None:
        """Throw away all slots but those that are started, replaced, or named."""
        served = self.served()
        kept = {served.release, served.previous, *keep}
        for path in self._slots.iterdir():
            if path.name.isdigit() and int(path.name) not in kept:
                self.clear(int(path.name))
                shutil.rmtree(path, ignore_errors=True)

    def _remember_previous(self, release: int | None) -> None:
        previous = self.folder / PREVIOUS_NAME
        if release is None:
            previous.unlink(missing_ok=True)
            return
        draft = self.folder / ".previous.new"
        draft.unlink(missing_ok=True)
        draft.symlink_to(Path("slots") / str(release))
        draft.replace(previous)
