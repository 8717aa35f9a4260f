"""Room on the disk: a budget for releases, old ones that make way, and a ballast for hard times.

When a disk is full not even SQLite can delete a row. So a file of a known size lies there for
nothing: it is given up first, and laid down again when there is room.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from typing import Final

from edge.errors import DiskRoomError
from edge.updates.files import flush_folder
from edge.updates.shelf import BundleShelf
from models.delivery import Edition

_SPARE_BYTES: Final = 32 * 2**20
_CHUNK_BYTES: Final = 1 << 20


class DiskRoom:
    """Keeps releases within their budget.

    Args:
        shelf: The releases.
        budget_bytes: Most that they take.
        ballast_bytes: Size of the ballast.
        spare_bytes: Room that the disk must keep for everything else.
    """

    def __init__(
        self,
        shelf: BundleShelf,
        budget_bytes: int,
        ballast_bytes: int,
        spare_bytes: int = _SPARE_BYTES,
    ) -> None:
        self._shelf = shelf
        self._budget_bytes = budget_bytes
        self._ballast_bytes = ballast_bytes
        self._spare_bytes = spare_bytes
        self._ballast = shelf.root / "ballast"

    @property
    def free_bytes(self) -> int:
        """Free room on the disk."""
        return shutil.disk_usage(self._shelf.root).free

    def make_for(
        self,
        release: Edition,
        keep: Mapping[str, Collection[int]],
        under_way: Collection[Edition],
    ) -> None:
        """Make room for what a release lacks; releases that nobody keeps go, the oldest first.

        Args:
            release: What is to be fetched.
            keep: Releases of each category that must stay.
            under_way: Releases that are being fetched, this one among them.

        Raises:
            DiskRoomError: There is not enough even then.
        """
        if self._short_of(release) <= 0:
            return
        self._shelf.sweep(under_way)
        for category, kept in keep.items():
            for old in self._shelf.releases(category):
                if self._short_of(release) <= 0:
                    return
                if old not in kept:
                    self._shelf.discard(category, old)
                    self._shelf.sweep(under_way)
        if (short := self._short_of(release)) > 0:
            raise DiskRoomError(
                f"release {release.release} of {release.category} needs {_mb(short)} more than "
                f"there is: {_mb(self.free_bytes)} are free on the disk, releases take "
                f"{_mb(self._shelf.used_bytes())} of {_mb(self._budget_bytes)}; "
                "make room or raise disk_budget_bytes"
            )

    def give_up_ballast(self) -> bool:
        """Free the ballast's room; whether there was any."""
        try:
            self._ballast.unlink()
        except FileNotFoundError:
            return False
        return True

    def lay_ballast(self) -> None:
        """Lay the ballast down where there is none and room for it."""
        if self._ballast.exists() or not self._ballast_bytes:
            return
        if self.free_bytes < self._ballast_bytes + self._spare_bytes:
            return
        draft = self._ballast.with_name(".ballast.new")
        try:
            with draft.open("wb") as out:
                # Written, not sparse: only blocks that are taken can be given back.
                for at in range(0, self._ballast_bytes, _CHUNK_BYTES):
                    out.write(os.urandom(min(_CHUNK_BYTES, self._ballast_bytes - at)))
                out.flush()
                os.fsync(out.fileno())
        except OSError:
            draft.unlink(missing_ok=True)
            return
        draft.replace(self._ballast)
        flush_folder(self._ballast.parent)

    def _short_of(self, release: Edition) -> int:
        """Bytes that are missing within the budget or on the disk; negative where none are."""
        needed = self._shelf.bytes_lacking(release)
        budget = self._shelf.used_bytes() + needed - self._budget_bytes
        disk = needed + self._spare_bytes - self.free_bytes
        return max(budget, disk) if needed else 0


def _mb(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
