"""Which files belong to a shop, and which are not taken elsewhere.

Not taken: private keys of the device's own identity, which a replacement makes for itself; what is
built on the device or fetched again (engines, blobs, releases of the software); locks, and SQLite's
journals, as databases are copied whole; recordings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.config import StoreConfig

STORE: Final = "store"
STATE: Final = "state"
_JOURNALS: Final = ("-wal", "-shm", "-journal")
_LEFT_NAMES: Final = frozenset(
    {"lock", "ballast", "playing.json", "device.key", "device.key.next", "claim.key"}
)
_LEFT_ENDINGS: Final = (".lock", ".new", ".part", ".damaged", ".tmp")


@dataclass(frozen=True)
class Member:
    """A file of a shop.

    Attributes:
        name: Its name in a backup: ``store/`` or ``state/`` and the path below.
        path: Where it is.
    """

    name: str
    path: Path


def members(config: StoreConfig, folder: Path, state: Path) -> tuple[Member, ...]:
    """All files of a shop that a backup takes, databases first.

    What the ledger names (crops, photos) is written before the ledger names it, so with the
    databases copied first nothing that they name is missing, but for what has been deleted since.

    Args:
        config: The shop's configuration.
        folder: Where ``store.yaml`` is.
        state: Where ledger and evidence are.
    """
    left = _left(config, folder, state)
    found = [
        *(Member(f"{STATE}/{name}", path) for name, path in _walk(state, left)),
        *(Member(f"{STORE}/{name}", path) for name, path in _walk(folder, {*left, state})),
    ]
    databases = [each for each in found if each.path.suffix == ".sqlite"]
    return tuple(databases + [each for each in found if each.path.suffix != ".sqlite"])


def _left(config: StoreConfig, folder: Path, state: Path) -> set[Path]:
    """Files and folders that are not taken."""
    left = {config.runtime.within(state).cache}
    named = [getattr(camera, "path", None) for camera in config.cameras.values()]
    left |= {folder / path for path in named if path is not None}
    fleet = None if config.updates is None else config.updates.mqtt
    holders = [config.page, config.mqtt, config.link, fleet]
    if config.updates is not None:
        updates = folder / config.updates.folder
        left |= {updates / name for name in ("blobs", "lock", "ballast")}
        if config.updates.software is not None:
            left |= {
                folder / config.updates.software.folder,
                updates / "bundles" / "software",
                updates / "releases" / "software",
            }
    keys = [each.key for each in holders if each is not None]
    left |= {folder / path for path in keys if path is not None}
    return {path.resolve() for path in left if path is not None}


def _walk(root: Path, left: set[Path]) -> Iterator[tuple[str, Path]]:
    """Regular files below a folder by their relative names, in order."""
    if not root.is_dir():
        return
    skipped = {path.resolve() for path in left}
    waiting = [root]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            if path.resolve() in skipped or _is_left(path.name):
                continue
            if path.is_dir():
                waiting.append(path)
            elif path.is_file():
                yield path.relative_to(root).as_posix(), path


def _is_left(name: str) -> bool:
    return name in _LEFT_NAMES or name.endswith((*_LEFT_ENDINGS, *_JOURNALS))
