"""Engines that were built on this device, kept in files that nobody else can have written.

Owns the folder of engines and timing caches. A serialised engine is code for a GPU, and TensorRT
runs what it is given; so each file carries an HMAC-SHA256 by a key that only this device has, over
what the file is for and over its content. A file that does not verify is removed and never handed
to TensorRT. What an engine is for is spelled out in an ``EngineKey``: another network, GPU,
TensorRT, precision or batch is another file.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import logging
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from edge.errors import RuntimeUnavailableError
from edge.updates.files import write_whole

_LOGGER: Final = logging.getLogger(__name__)
_MAGIC: Final = b"walkout engine 1\n"
_KEY_NAME: Final = "device.key"
_KEY_BYTES: Final = 32
_SUFFIX: Final = ".engine"
_LARGEST_BYTES: Final = 2 * 2**30
_KEPT_ENGINES: Final = 8


@dataclass(frozen=True)
class EngineKey:
    """What an engine was built for; it runs for nothing else.

    Attributes:
        network_sha256: Of the network file and its weights.
        gpu: Name of the GPU.
        architecture: For example ``sm_87``.
        runtime: ``tensorrt`` or ``tensorrt_rtx``.
        runtime_version: All of its version.
        precision: Of the network's types.
        batches: Numbers of crops that there are profiles for.
        input_size_px: Side of a crop.
    """

    network_sha256: str
    gpu: str
    architecture: str
    runtime: str
    runtime_version: str
    precision: str
    batches: tuple[int, ...]
    input_size_px: int

    @property
    def text(self) -> bytes:
        """All of it as canonical JSON."""
        return _canonical(asdict(self))

    @property
    def name(self) -> str:
        """A file name that no other key has."""
        return hashlib.sha256(self.text).hexdigest()[:40]

    @property
    def timing(self) -> bytes:
        """What timings of kernels hold for: the GPU and TensorRT, whatever the network."""
        return _canonical(
            {
                "gpu": self.gpu,
                "architecture": self.architecture,
                "runtime": self.runtime,
                "runtime_version": self.runtime_version,
            }
        )


class EngineCache:
    """The folder of engines.

    Args:
        folder: Made, for this user alone, when it is not there.

    Raises:
        RuntimeUnavailableError: The folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._secret = _device_key(folder / _KEY_NAME)
        except OSError as err:
            raise RuntimeUnavailableError(
                f"engines cannot be kept in {folder}: {err.strerror}; let the device's user write "
                "there, or name another folder with runtime.cache"
            ) from err

    def read(self, key: EngineKey) -> bytes | None:
        """The engine for a key, verified; ``None`` when there is none that can be trusted."""
        return self._read(self._engine_path(key), key.text)

    def write(self, key: EngineKey, engine: bytes) -> None:
        """Keep an engine, and let those go that were not used for longest.

        Raises:
            OSError: It cannot be written.
        """
        self._write(self._engine_path(key), key.text, engine)
        engines = sorted(self._folder.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime)
        for old in engines[:-_KEPT_ENGINES]:
            old.unlink(missing_ok=True)

    def discard(self, key: EngineKey) -> None:
        """Remove an engine that TensorRT does not take."""
        self._engine_path(key).unlink(missing_ok=True)

    def read_timings(self, key: EngineKey) -> bytes:
        """Timings of kernels on this GPU; empty when there are none."""
        return self._read(self._timing_path(key), key.timing) or b""

    def write_timings(self, key: EngineKey, timings: bytes) -> None:
        """Keep timings of kernels.

        Raises:
            OSError: They cannot be written.
        """
        self._write(self._timing_path(key), key.timing, timings)

    @contextmanager
    def building(self, key: EngineKey) -> Iterator[None]:
        """Build alone: whoever else wants the same engine waits here, and then finds it.

        Raises:
            OSError: The folder cannot be used.
        """
        descriptor = os.open(self._folder / f"{key.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _engine_path(self, key: EngineKey) -> Path:
        return self._folder / f"{key.name}{_SUFFIX}"

    def _timing_path(self, key: EngineKey) -> Path:
        return self._folder / f"{hashlib.sha256(key.timing).hexdigest()[:40]}.timings"

    def _sealed(self, purpose: bytes, content: bytes) -> bytes:
        message = _MAGIC + len(purpose).to_bytes(4, "big") + purpose
        return hmac.digest(self._secret, message + hashlib.sha256(content).digest(), "sha256")

    def _write(self, path: Path, purpose: bytes, content: bytes) -> None:
        write_whole(path, _MAGIC + self._sealed(purpose, content) + content)

    def _read(self, path: Path, purpose: bytes) -> bytes | None:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as err:
            _LOGGER.warning("%s cannot be read (%s); it is built anew", path, err.strerror)
            path.unlink(missing_ok=True)
            return None
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(stream.fileno())
            bounded = stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST_BYTES
            found = stream.read(status.st_size) if bounded else b""
        begin = len(_MAGIC) + hashlib.sha256().digest_size
        content = found[begin:]
        genuine = found.startswith(_MAGIC) and hmac.compare_digest(
            found[len(_MAGIC) : begin], self._sealed(purpose, content)
        )
        if not genuine:
            _LOGGER.warning(
                "%s was not written by this device for what it is named after, or was damaged; "
                "it is thrown away and built anew",
                path,
            )
            path.unlink(missing_ok=True)
            return None
        os.utime(path)
        return content


def _device_key(path: Path) -> bytes:
    """The device's own key, drawn when there is none or when others could have read it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        descriptor = -1
    if descriptor >= 0:
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(stream.fileno())
            key = stream.read(_KEY_BYTES + 1)
        own = status.st_uid == os.geteuid() and not status.st_mode & 0o077
        if own and stat.S_ISREG(status.st_mode) and len(key) == _KEY_BYTES:
            return key
        _LOGGER.warning(
            "%s could be read or changed by others; it is drawn anew, and engines are built anew",
            path,
        )
        path.unlink()
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(secrets.token_bytes(_KEY_BYTES))
        stream.flush()
        os.fsync(stream.fileno())
    try:
        # Two processes may draw at once: the first link stays, and both read that one.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_bytes()


def _canonical(values: Mapping[str, object]) -> bytes:
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
