"""Bytes that only the holder of a key reads: age (https://age-encryption.org/v1), by pyrage.

A backup is sealed to a recipient, which is no secret: a device that writes backups cannot read
them, and whoever steals it cannot either. The key lies with whoever restores.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import pyrage

from edge.errors import KeepingError

_MAGIC: Final = b"age-encryption.org/"
_CHUNK_BYTES: Final = 1 << 20


def new_key(path: Path) -> str:
    """Make a key for reading backups.

    Args:
        path: File of the key; must not exist.

    Returns:
        The recipient that backups are sealed to.

    Raises:
        OSError: It cannot be written.
    """
    identity = pyrage.x25519.Identity.generate()
    recipient = str(identity.to_public())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as out:
        out.write(f"# recipient: {recipient}\n{identity}\n")
        out.flush()
        os.fsync(out.fileno())
    return recipient


@contextmanager
def sealed(out: IO[bytes], recipient: str | None) -> Iterator[IO[bytes]]:
    """A stream whose bytes are sealed on their way to ``out``.

    Args:
        out: Where to.
        recipient: Who can read them, ``age1...``; ``None`` seals nothing.

    Raises:
        KeepingError: It is no recipient.
    """
    if recipient is None:
        yield out
        return
    try:
        to = pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError as err:
        raise KeepingError(
            f"{recipient[:80]!r} is no recipient (age1...); walkout-edge backup-key makes one"
        ) from err
    with _through(lambda stream: pyrage.encrypt_io(stream, out, [to])) as stream:
        yield stream


@contextmanager
def opened(stream: IO[bytes], key: Path | None) -> Iterator[IO[bytes]]:
    """The bytes of a backup, opened where it is sealed.

    Args:
        stream: The backup, at its beginning; it can seek.
        key: File of the key, as ``new_key`` or ``age-keygen`` writes it.

    Raises:
        KeepingError: It is sealed and the key is missing or another one, or it was changed.
    """
    is_sealed = stream.read(len(_MAGIC)) == _MAGIC
    stream.seek(0)
    if not is_sealed:
        yield stream
        return
    if key is None:
        raise KeepingError("this backup is sealed; give the key that opens it by --key")
    identities = [_identity(line, key) for line in _lines(key)]
    reading, writing = os.pipe()
    trouble: list[Exception] = []

    def open_it() -> None:
        with suppress(BrokenPipeError), os.fdopen(writing, "wb") as plain:
            try:
                pyrage.decrypt_io(stream, plain, identities)
            except Exception as err:  # told by whoever reads, below, who must know before the end
                trouble.append(err)

    worker = threading.Thread(target=open_it, name="opening a backup", daemon=True)
    worker.start()
    try:
        with os.fdopen(reading, "rb") as plain:
            try:
                yield plain
                while plain.read(_CHUNK_BYTES):
                    pass  # to its end, where it is seen whether the whole was changed
            except Exception as err:
                if trouble:
                    raise _unreadable(trouble[0]) from err
                raise
    finally:
        worker.join()
    if trouble:
        raise _unreadable(trouble[0])


@contextmanager
def _through(work: Callable[[IO[bytes]], None]) -> Iterator[IO[bytes]]:
    """A stream that is read by ``work`` in a thread, which is waited for."""
    reading, writing = os.pipe()
    trouble: list[Exception] = []

    def read_all() -> None:
        try:
            with os.fdopen(reading, "rb") as stream:
                work(stream)
        except Exception as err:  # handed on below
            trouble.append(err)

    worker = threading.Thread(target=read_all, name="sealing a backup", daemon=True)
    worker.start()
    try:
        with os.fdopen(writing, "wb") as stream:
            yield stream
    except BrokenPipeError as err:
        worker.join()
        if trouble:
            raise KeepingError(f"the backup cannot be written: {trouble[0]}") from err
        raise
    finally:
        worker.join()
    if trouble:
        raise KeepingError(f"the backup cannot be written: {trouble[0]}") from trouble[0]


def _lines(key: Path) -> list[str]:
    try:
        text = key.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as err:
        raise KeepingError(f"{key} cannot be read: {err}") from err
    return [line for line in text.split() if line.startswith("AGE-SECRET-KEY-")]


def _identity(line: str, key: Path) -> pyrage.x25519.Identity:
    try:
        return pyrage.x25519.Identity.from_str(line)
    except pyrage.IdentityError as err:
        raise KeepingError(f"{key} holds no key of age") from err


def _unreadable(err: Exception) -> KeepingError:
    return KeepingError(f"this backup cannot be opened: {err}; it is another key's, or was changed")
