"""The way back: a backup becomes a shop's folder again, all of it or nothing.

Nothing in a backup is believed but what its manifest names, and no name leads out of the folder:
files are written one by one under names that were checked, links and devices are refused.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
from pathlib import Path
from typing import IO, Final

from pydantic import ValidationError

from edge.errors import KeepingError
from edge.keeping.saving import MANIFEST_NAME, Manifest
from edge.keeping.sealing import opened
from edge.keeping.what import STATE, STORE

_CHUNK_BYTES: Final = 1 << 20
_MANIFEST_LIMIT_BYTES: Final = 256 * 2**20
_PART: Final = r"[^/\\\x00-\x1f]{1,255}"
_NAME: Final = re.compile(rf"({STORE}|{STATE})/{_PART}(/{_PART})*")


def restore(backup: Path, folder: Path, state: Path, key: Path | None) -> Manifest:
    """Bring a shop back.

    Args:
        backup: The file.
        folder: Where ``store.yaml`` is to be; must not exist or be empty.
        state: Where the ledger is to be, likewise; may lie within ``folder``.
        key: File of the key that opens it; ``None`` for one that is not sealed.

    Returns:
        What was brought back.

    Raises:
        KeepingError: The backup is sealed for others, changed or broken off, or there is something
            in the folder already.
        OSError: The disk does not take it.
    """
    for place in (folder, state):
        if place.is_dir() and any(place.iterdir()):
            raise KeepingError(f"{place} is not empty; name a folder that a shop is not lost in")
    draft = folder.with_name(f".{folder.name}.restored")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    try:
        with backup.open("rb") as stream, opened(stream, key) as plain:
            found, content = _unpack(plain, draft)
        manifest = _checked(found, content)
        os.sync()
        _put(draft / STORE, folder)
        _put(draft / STATE, state)
        os.sync()
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return manifest


def _unpack(stream: IO[bytes], draft: Path) -> tuple[dict[str, tuple[int, str]], bytes]:
    """Write all files below ``draft``; their sizes and checksums by name, and the manifest."""
    found: dict[str, tuple[int, str]] = {}
    content = b""
    try:
        with tarfile.open(mode="r|", fileobj=stream) as archive:
            for entry in archive:
                source = archive.extractfile(entry) if entry.isreg() else None
                if source is None:
                    raise KeepingError(f"{entry.name[:200]!r} in the backup is no file; refused")
                if entry.name == MANIFEST_NAME and entry.size <= _MANIFEST_LIMIT_BYTES:
                    content = source.read()
                    continue
                found[entry.name] = _write(source, draft / _safe(entry.name))
    except tarfile.TarError as err:
        raise KeepingError(f"this is no backup, or it broke off: {err}") from err
    return found, content


def _safe(name: str) -> str:
    parts = name.split("/")
    if not _NAME.fullmatch(name) or any(part in (".", "..") for part in parts):
        raise KeepingError(f"{name[:200]!r} in the backup leads elsewhere; refused")
    return name


def _write(source: IO[bytes], path: Path) -> tuple[int, str]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest, length = hashlib.sha256(), 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        while chunk := source.read(_CHUNK_BYTES):
            out.write(chunk)
            digest.update(chunk)
            length += len(chunk)
    return length, digest.hexdigest()


def _checked(found: dict[str, tuple[int, str]], content: bytes) -> Manifest:
    if not content:
        raise KeepingError("this backup broke off before its end; take another one")
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as err:
        raise KeepingError(
            "this backup was written by another version of Walkout that this one cannot read; "
            "update the software first"
        ) from err
    named = {each.name: (each.length, each.sha256) for each in manifest.files}
    if named != found:
        odd = sorted(name for name in {*named, *found} if named.get(name) != found.get(name))
        raise KeepingError(f"{odd[0]} is not what the backup's manifest says; take another one")
    return manifest


def _put(source: Path, target: Path) -> None:
    """Move a folder's files to where they belong; ``target`` is empty or not there."""
    if not source.is_dir():
        return
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        shutil.move(path, target / path.name)
