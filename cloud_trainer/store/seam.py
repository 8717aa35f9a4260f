"""The one seam between publishing and the place where objects lie.

An implementation keeps three promises, on which publishing rests: an object is there as a whole or
not at all, whatever dies while it is written; once ``put`` returned it stays; and a condition and
the write that depends on it are one step, whoever else writes. Nothing but ``StoreError`` escapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cloud_trainer.store.errors import StoreError

# Called with a number of bytes that were just sent.
Sent = Callable[[int], None]

_PART = r"[A-Za-z0-9_%+-][A-Za-z0-9_.%+-]*"
_KEY = re.compile(rf"{_PART}(/{_PART})*")


class ObjectStore(Protocol):
    """Objects by name. Names are relative paths with forward slashes."""

    @property
    def url(self) -> str:
        """Where it is, as a device's configuration or a message may name it."""
        ...

    def get(self, key: str) -> bytes:
        """The object.

        Raises:
            ObjectMissingError: There is none.
            StoreError: It cannot be read.
        """
        ...

    def get_with_etag(self, key: str) -> tuple[bytes, str]:
        """The object and the mark by which ``put`` recognises this state of it.

        Raises:
            ObjectMissingError: There is none.
            StoreError: It cannot be read.
        """
        ...

    def get_range(self, key: str, start: int) -> bytes:
        """The object from byte ``start`` on; empty where it is no longer than that.

        Raises:
            ObjectMissingError: There is none.
            StoreError: It cannot be read.
        """
        ...

    def size_bytes(self, key: str) -> int | None:
        """Size of the object, or ``None`` where there is none.

        Raises:
            StoreError: That cannot be found out.
        """
        ...

    def put(
        self, key: str, content: bytes, *, if_absent: bool = False, if_match: str | None = None
    ) -> str:
        """Write an object.

        Args:
            key: Its name.
            content: What it is to hold.
            if_absent: Write only where there is none yet.
            if_match: Write only over the state with this mark.

        Returns:
            The mark of what was written.

        Raises:
            ConditionFailedError: The condition does not hold; nothing was written.
            StoreError: It cannot be written.
        """
        ...

    def put_file(self, key: str, path: Path, sha256: str, sent: Sent | None = None) -> None:
        """Write an object from a file, in pieces.

        Args:
            key: Its name.
            path: The file.
            sha256: Checksum that the file must have.
            sent: Called as it goes on.

        Raises:
            StoreError: It cannot be written, or the file has another checksum.
        """
        ...

    def list(self, prefix: str = "") -> tuple[str, ...]:
        """Names that begin with ``prefix``, sorted.

        Raises:
            StoreError: The store cannot be read.
        """
        ...

    def delete(self, key: str) -> None:
        """Take an object away; nothing happens where there is none.

        Raises:
            StoreError: It cannot be deleted.
        """
        ...


def require_key(key: str) -> str:
    """The name itself, where it can be a path in a folder as well as a part of an address.

    Raises:
        StoreError: It cannot.
    """
    if not _KEY.fullmatch(key):
        raise StoreError(
            f"{key[:200]!r} cannot name an object: letters, digits and -_.+% between slashes, "
            "and no part beginning with a dot"
        )
    return key
