"""A folder as object store: for a first shop, for a demo, and behind any web server.

One lock for the whole folder makes a condition and its write one step for all processes of this
machine. As writers take turns, one temporary name is enough: what a killed writer leaves there, the
next one overwrites. On a network file system locks may not hold between machines; publish from one.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from cloud_trainer.store.errors import ConditionFailedError, ObjectMissingError, StoreError
from cloud_trainer.store.seam import Sent, require_key

_LOCK = ".lock"
_INCOMING = ".incoming"
_CHUNK_BYTES = 1 << 20


class FolderStore:
    """Objects as files below a folder, which is made when something is first written."""

    def __init__(self, root: Path) -> None:
        """Use the folder ``root``."""
        self._root = root

    @property
    def url(self) -> str:
        """The folder as ``file:`` address."""
        return self._root.absolute().as_uri()

    def get(self, key: str) -> bytes:
        """See ``ObjectStore``."""
        return self.get_range(key, 0)

    def get_with_etag(self, key: str) -> tuple[bytes, str]:
        """See ``ObjectStore``."""
        content = self.get(key)
        return content, _etag(content)

    def get_range(self, key: str, start: int) -> bytes:
        """See ``ObjectStore``."""
        with self._telling(key):
            try:
                with self._path(key).open("rb") as stream:
                    stream.seek(start)
                    return stream.read()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as err:
                raise ObjectMissingError(f"{self.url} has no object {key}") from err

    def size_bytes(self, key: str) -> int | None:
        """See ``ObjectStore``."""
        path = self._path(key)
        with self._telling(key):
            return path.stat().st_size if path.is_file() else None

    def put(
        self, key: str, content: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        """See ``ObjectStore``."""

        def allowed() -> bool:
            if if_absent:
                return not self._path(key).exists()
            if if_match is not None:
                return self._path(key).is_file() and _etag(self.get(key)) == if_match
            return True

        self._write(key, lambda stream: stream.write(content), allowed)
        return _etag(content)

    def put_file(self, key: str, path: Path, sha256: str, sent: Sent | None = None) -> None:
        """See ``ObjectStore``."""

        def copy(stream: BinaryIO) -> None:
            digest = hashlib.sha256()
            with path.open("rb") as source:
                while chunk := source.read(_CHUNK_BYTES):
                    digest.update(chunk)
                    stream.write(chunk)
                    if sent is not None:
                        sent(len(chunk))
            if digest.hexdigest() != sha256:
                raise StoreError(f"{path} changed while it was being published; publish it again")

        self._write(key, copy, lambda: True)

    def list(self, prefix: str = "") -> tuple[str, ...]:
        """See ``ObjectStore``."""
        with self._telling(prefix):
            names = (
                path.relative_to(self._root).as_posix()
                for path in self._root.rglob("*")
                if path.is_file()
            )
            return tuple(
                sorted(n for n in names if n.startswith(prefix) and n not in (_LOCK, _INCOMING))
            )

    def delete(self, key: str) -> None:
        """See ``ObjectStore``."""
        path = self._path(key)
        with self._telling(key):
            if path.is_file():
                with self._alone():
                    path.unlink(missing_ok=True)
                    _flush_folder(path.parent)

    def _write(
        self, key: str, fill: Callable[[BinaryIO], object], allowed: Callable[[], bool]
    ) -> None:
        path = self._path(key)
        with self._telling(key):
            self._root.mkdir(parents=True, exist_ok=True)
            with self._alone():
                if not allowed():
                    raise ConditionFailedError(f"somebody else wrote {key} in {self.url}")
                incoming = self._root / _INCOMING
                with incoming.open("wb") as stream:
                    fill(stream)
                    stream.flush()
                    os.fsync(stream.fileno())
                made = [path.parent]
                while made[-1] != self._root:
                    made.append(made[-1].parent)
                path.parent.mkdir(parents=True, exist_ok=True)
                incoming.replace(path)
                for folder in made:
                    _flush_folder(folder)

    def _path(self, key: str) -> Path:
        return self._root / require_key(key)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the folder's lock; a process that dies lets go of it."""
        descriptor = os.open(self._root / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def _telling(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as err:
            raise StoreError(
                f"cannot use {key or 'the store'} in {self.url}: {err.strerror or err}; give a "
                "folder that you may write to and that has room"
            ) from err


def _etag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _flush_folder(folder: Path) -> None:
    """Bring a folder to the disk, without which a rename may be forgotten."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
