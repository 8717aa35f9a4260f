"""Bytes of objects from a store, resumable, and never more of them than needed.

Owns what a download is: a file that grows beside its target, goes on where it stopped whatever
stopped it, is compared with what was promised, brought to the disk and renamed. Where the bytes
come from is a ``BundleFetcher``'s business (``sources``); whether they are believed is not decided
by where they came from but by their checksum, which was signed.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge.errors import FetchDamagedError, FetchError
from edge.updates.files import flush, flush_folder

_CHUNK_BYTES: Final = 1 << 20
_LEAST_BYTES: Final = 1024


class BundleFetcher(ABC):
    """A read-only store of objects; an implementer writes ``_open`` only.

    Attributes:
        bytes_received: Of all objects so far, to be compared with what was needed.
    """

    def __init__(self) -> None:
        self.bytes_received = 0

    def stream(self, key: str, start: int = 0) -> Generator[bytes, None, None]:
        """Bytes of an object from ``start`` on, as they come; close the iterator to stop.

        Args:
            key: Name of the object, with forward slashes.
            start: Bytes to leave out at the beginning.

        Raises:
            FetchMissingError: There is no such object.
            FetchError: It cannot be had now; nothing else escapes.
        """
        with closing(self._open(key, start)) as chunks:
            for chunk in chunks:
                self.bytes_received += len(chunk)
                yield chunk

    def read(self, key: str, limit_bytes: int) -> bytes:
        """A whole small object.

        Raises:
            FetchDamagedError: It is longer than ``limit_bytes``.
            FetchError: It cannot be had now.
        """
        content = bytearray()
        with closing(self.stream(key)) as chunks:
            for chunk in chunks:
                content += chunk
                if len(content) > limit_bytes:
                    raise FetchDamagedError(f"{key} is longer than {limit_bytes} bytes")
        return bytes(content)

    @abstractmethod
    def _open(self, key: str, start: int) -> Generator[bytes, None, None]:
        """Yield the bytes from ``start`` on; every failure is a ``FetchError``."""


@dataclass
class Pace:
    """How fast bytes may come, and when to stop asking for them.

    Attributes:
        monotonic_s: A clock that never jumps.
        sleep: Waits.
        bytes_per_s: Most that is taken; ``None`` for no limit.
        stall_after_s: Less than 1 kB within this is a stalled download.
        permit: Asked after every chunk; raises ``UpdateHeldError`` where it has to stop.
    """

    monotonic_s: Callable[[], float]
    sleep: Callable[[float], None]
    bytes_per_s: int | None = None
    stall_after_s: float = 30.0
    permit: Callable[[], None] = lambda: None
    _owed_until_s: float = field(default=float("-inf"), init=False)

    def took(self, bytes_taken: int) -> None:
        """Wait for as long as so many bytes cost."""
        if self.bytes_per_s is not None:
            now_s = self.monotonic_s()
            self._owed_until_s = max(self._owed_until_s, now_s) + bytes_taken / self.bytes_per_s
            self.settle()

    def settle(self) -> None:
        """Wait for what earlier bytes still cost, in short naps between which it may be ended."""
        while (
            self.bytes_per_s is not None and (left_s := self._owed_until_s - self.monotonic_s()) > 0
        ):
            self.permit()
            self.sleep(min(left_s, 0.5))


def download(
    fetcher: BundleFetcher,
    key: str,
    length: int,
    sha256: str,
    part: Path,
    target: Path,
    pace: Pace,
    on_bytes: Callable[[int], None] = lambda count: None,
) -> None:
    """Bring an object to ``target``; what is in ``part`` already is not fetched again.

    Args:
        fetcher: Where it comes from.
        key: Its name there.
        length: Its promised size in bytes.
        sha256: Its promised checksum.
        part: The growing file, on the same disk as ``target``; stays when this fails.
        target: Where it is when all of it is there and on the disk.
        pace: How fast, and when to stop.
        on_bytes: Told how many bytes came.

    Raises:
        FetchDamagedError: What came is not what was promised; it was thrown away.
        FetchError: The rest does not come now.
        UpdateHeldError: The permit ended it.
        OSError: The disk does not take it.
    """
    start = part.stat().st_size if part.exists() else 0
    if start < length:
        _append(fetcher, key, start, length, part, pace, on_bytes)
    elif not part.exists():
        part.touch()
    flush(part)
    found = _sha256(part)
    if part.stat().st_size != length or found != sha256:
        part.unlink()
        raise FetchDamagedError(
            f"{key} came with another content than was signed (sha256 {found[:12]} instead of "
            f"{sha256[:12]}); it was thrown away"
        )
    part.replace(target)
    flush_folder(target.parent)


def _append(
    fetcher: BundleFetcher,
    key: str,
    start: int,
    length: int,
    part: Path,
    pace: Pace,
    on_bytes: Callable[[int], None],
) -> None:
    pace.settle()
    have, window_have, window_s = start, start, pace.monotonic_s()
    with part.open("ab") as out, closing(fetcher.stream(key, start)) as chunks:
        for chunk in chunks:
            out.write(chunk[: length - have])
            have += len(chunk)
            if have > length:
                out.truncate(0)
                raise FetchDamagedError(f"{key} is longer than the {length} bytes that were signed")
            on_bytes(len(chunk))
            pace.permit()
            pace.took(len(chunk))
            if (waited_s := pace.monotonic_s() - window_s) > pace.stall_after_s:
                if have - window_have < _LEAST_BYTES:
                    raise FetchError(
                        f"{key} came to a stand: {have - window_have} bytes in {waited_s:.0f} s; "
                        "the connection is begun anew"
                    )
                window_have, window_s = have, pace.monotonic_s()
    if have < length:
        raise FetchError(f"{key} ended after {have} of {length} bytes; the rest is fetched later")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
