"""A disk of its own, a file with a file system in it, whose power can be cut and that can be full.

Owns the faults of storage alone. A power cut is a copy of the block device while somebody writes:
what the file system had handed down by then is there, what it still held in memory is not. The
copy is mounted in the place of the first, which replays the file system's journal, as a start after
a power cut does. It needs root and loop devices.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

_BALLAST: Final = "ballast"
_MIB: Final = 2**20


class Disk:
    """A small ext4 file system of its own; a context manager that mounts it.

    Args:
        folder: An empty folder for the image and the place where it is mounted.
        size_mib: Its size.

    Attributes:
        mounted: Where it is mounted.
        cuts: Power cuts so far.
    """

    def __init__(self, folder: Path, size_mib: int = 64) -> None:
        self.mounted = folder / "disk"
        self.cuts = 0
        self._image = folder / "disk-0.img"
        self.mounted.mkdir(parents=True)
        with self._image.open("wb") as image:
            image.truncate(size_mib * _MIB)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0", str(self._image))

    def __enter__(self) -> Disk:
        self._mount()
        return self

    def __exit__(self, *_: object) -> None:
        self._unmount()

    def copy_as_it_is(self) -> Path:
        """The block device at this moment; whoever writes should be stopped meanwhile."""
        copy = self._image.with_name(f"disk-{self.cuts + 1}.img")
        # Sparse: most of a file system is empty, and a copy that takes long is of no moment.
        _run("cp", "--sparse=always", str(self._image), str(copy))
        return copy

    def go_on_with(self, copy: Path) -> None:
        """What comes after a power cut: the copy in place of the first, its journal replayed."""
        self._unmount()
        self._image.unlink()
        self._image, self.cuts = copy, self.cuts + 1
        self._mount()

    def fill(self) -> None:
        """Leave no room."""
        size = _MIB
        with (self.mounted / _BALLAST).open("ab", buffering=0) as ballast:
            while size >= 1:
                try:
                    if ballast.write(bytes(size)) < size:
                        size //= 2
                except OSError:
                    size //= 2

    def make_room(self) -> None:
        """Take back what ``fill`` took."""
        (self.mounted / _BALLAST).unlink(missing_ok=True)

    @property
    def free_bytes(self) -> int:
        """Free room."""
        return shutil.disk_usage(self.mounted).free

    def _mount(self) -> None:
        _run("mount", "-o", "loop,noatime", str(self._image), str(self.mounted))

    def _unmount(self) -> None:
        try:
            _run("umount", str(self.mounted))
        except RuntimeError:
            _run("umount", "--lazy", str(self.mounted))


def disks_are_permitted() -> bool:
    """Whether file systems of files can be made and mounted here."""
    if shutil.which("mkfs.ext4", path=_PATH) is None:
        return False
    with tempfile.TemporaryDirectory(prefix="walkout-disk-") as scratch:
        try:
            with Disk(Path(scratch), 8):
                return True
        except (RuntimeError, OSError):
            return False


_PATH: Final = "/usr/sbin:/usr/bin:/sbin:/bin"


def _run(*command: str) -> None:
    found = shutil.which(command[0], path=_PATH)
    if found is None:
        raise RuntimeError(f"{command[0]} is not installed")
    with contextlib.suppress(FileNotFoundError):
        done = subprocess.run([found, *command[1:]], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
