"""A backup: all that a shop needs to go on elsewhere, in one file, made while it sells.

One tar stream, sealed: the files in order, then ``manifest.json`` with the checksum of each. What
is in the file before its manifest is believed by that alone; a backup that broke off has none. The
file is there as a whole or not at all.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from edge.config import StoreConfig
from edge.errors import KeepingError
from edge.keeping.sealing import sealed
from edge.keeping.snapshot import copy_database, is_database
from edge.keeping.what import Member, members
from edge.updates.files import flush_folder

MANIFEST_NAME: Final = "manifest.json"
_CHUNK_BYTES: Final = 1 << 20
_MODE: Final = 0o600


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Kept(_Closed):
    """A file in a backup.

    Attributes:
        name: ``store/`` or ``state/`` and its path below.
        length: Its size in bytes.
        sha256: Its checksum.
    """

    name: str
    length: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(_Closed):
    """What a backup holds.

    Attributes:
        schema_version: Always 1.
        store_id: The shop.
        made_at: The device's time when it was begun.
        walkout_version: Version of the software that made it.
        files: Its files.
    """

    schema_version: Literal[1] = 1
    store_id: str
    made_at: AwareDatetime
    walkout_version: str
    files: tuple[Kept, ...]


def save(
    config: StoreConfig,
    folder: Path,
    state: Path,
    target: Path,
    *,
    recipient: str | None,
    wall_time_s: float,
    walkout_version: str,
) -> Manifest:
    """Write a backup of a shop, which may be selling.

    Args:
        config: The shop's configuration.
        folder: Where its ``store.yaml`` is.
        state: Where its ledger is.
        target: The backup's file; replaced as a whole.
        recipient: Who can read it; ``None`` writes it open.
        wall_time_s: Seconds since 1970.
        walkout_version: Of this software.

    Returns:
        What it holds.

    Raises:
        KeepingError: A database cannot be copied, or the backup cannot be written.
        OSError: The disk does not take it.
    """
    draft = target.with_name(f".{target.name}.new")
    try:
        with draft.open("wb") as out:
            os.fchmod(out.fileno(), _MODE)
            with (
                sealed(out, recipient) as stream,
                tarfile.open(mode="w|", fileobj=stream, format=tarfile.PAX_FORMAT) as archive,
            ):
                kept = tuple(
                    entry
                    for member in members(config, folder, state)
                    if (entry := _add_member(archive, member)) is not None
                )
                manifest = Manifest(
                    store_id=config.store.id,
                    made_at=datetime.fromtimestamp(wall_time_s, timezone.utc),
                    walkout_version=walkout_version,
                    files=kept,
                )
                content = manifest.model_dump_json(indent=1).encode()
                _add(archive, MANIFEST_NAME, io.BytesIO(content), len(content))
            out.flush()
            os.fsync(out.fileno())
        draft.replace(target)
        flush_folder(target.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return manifest


def _add_member(archive: tarfile.TarFile, member: Member) -> Kept | None:
    """Put a file into the archive; ``None`` where it has gone meanwhile."""
    try:
        if is_database(member.path):
            with tempfile.TemporaryDirectory(prefix="walkout-backup-") as scratch:
                copy = Path(scratch) / "copy.sqlite"
                copy_database(member.path, copy)
                return _add_file(archive, member.name, copy)
        return _add_file(archive, member.name, member.path)
    except FileNotFoundError:
        return None  # evidence that became too old


def _add_file(archive: tarfile.TarFile, name: str, path: Path) -> Kept:
    # One that is replaced meanwhile stays as it was for whoever has it open; one that grows is cut.
    with path.open("rb") as stream:
        length = os.fstat(stream.fileno()).st_size
        return _add(archive, name, stream, length)


def _add(archive: tarfile.TarFile, name: str, stream: IO[bytes], length: int) -> Kept:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = length, _MODE
    counting = _Counted(stream, length)
    try:
        archive.addfile(entry, counting)
    except OSError as err:
        if "unexpected end of data" in str(err):
            raise KeepingError(f"{name} became shorter while it was read; try again") from err
        raise
    return Kept(name=name, length=length, sha256=counting.sha256)


class _Counted(io.RawIOBase):
    """So many bytes of a stream, with their checksum."""

    def __init__(self, stream: IO[bytes], length: int) -> None:
        self._stream = stream
        self._left = length
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of all that was read."""
        return self._digest.hexdigest()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        wanted = self._left if size < 0 else min(size, self._left)
        found = self._stream.read(min(wanted, _CHUNK_BYTES))
        self._left -= len(found)
        self._digest.update(found)
        return found
