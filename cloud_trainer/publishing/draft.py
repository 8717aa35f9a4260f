"""A change in the making: the signed state as read and verified, and what is to follow it.

Owns reading: from the timestamp down, each step believed only by the signature of the one above.
Writing is ``Repository.commit``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from cloud_trainer.publishing.errors import KeysError, RepositoryDamagedError
from cloud_trainer.publishing.keys import KeyRing
from cloud_trainer.publishing.roles import (
    SNAPSHOT,
    TARGETS,
    delegate,
    delegated_roles,
    first_delegated,
)
from cloud_trainer.publishing.verifying import believed, telling, verified
from cloud_trainer.store import ObjectMissingError, ObjectStore
from models.delivery import METADATA_FOLDER, stored_target


@dataclass
class Draft:
    """The state as read, and the changes to it; written by ``Repository.commit`` alone.

    Attributes:
        store: Where it was read from.
        roots: The chain of roots, the current one last.
        next_root: A root that is to follow; what is written is signed for it as well.
        timestamp: The newest timestamp; ``None`` in an empty store.
        snapshot: The newest snapshot.
        etag: The store's mark of that timestamp.
        renew: Roles to be written although nothing in them changed.
        written: Object names and sizes in bytes of the metadata and documents written.
    """

    store: ObjectStore
    roots: list[Metadata[Root]]
    timestamp: Metadata[Timestamp] | None
    snapshot: Metadata[Snapshot] | None
    etag: str | None
    next_root: Metadata[Root] | None = None
    renew: set[str] = field(default_factory=set)
    written: dict[str, int] = field(default_factory=dict)
    _loaded: dict[str, Metadata[Targets]] = field(default_factory=dict)

    @property
    def root(self) -> Root:
        """The current root."""
        return self.roots[-1].signed

    @property
    def meta(self) -> dict[str, MetaFile]:
        """What the newest snapshot names, by file name without version."""
        return self.snapshot.signed.meta if self.snapshot else {}

    def role(self, role: str) -> Targets:
        """The metadata of ``targets`` or a delegated role, to be looked at.

        Raises:
            RepositoryDamagedError: The store has not what was signed.
        """
        return self.metadata(role).signed

    def edit(self, role: str) -> Targets:
        """The same, to be changed: it will be written."""
        self.renew.add(role)
        return self.role(role)

    def roles(self) -> tuple[str, ...]:
        """Names of the delegated roles."""
        return delegated_roles(self.role(TARGETS))

    def delegate(self, role: str, category: str | None, keys: KeyRing, now: datetime) -> None:
        """Begin a delegated role, signed by the newest key that the ring has for it.

        Raises:
            KeysError: The ring has none.
        """
        own = keys.of_role(role)
        if not own:
            raise KeysError(f"there is no key for {role} in {keys.folder}; run 'keys init' again")
        delegate(self.edit(TARGETS), role, category, own[-1].public)
        self.begin(role, first_delegated(role, now))

    def begin(self, role: str, metadata: Metadata[Targets]) -> None:
        """Write a role that does not exist yet."""
        self._loaded[role] = metadata
        self.renew.add(role)

    def metadata(self, role: str) -> Metadata[Targets]:
        """The signed envelope of ``targets`` or a delegated role."""
        if role not in self._loaded:
            content = self._content(role)
            by = self._delegators() if role == TARGETS else [self._targets_as_read()]
            self._loaded[role] = verified(Targets, role, content, by)
        return self._loaded[role]

    def _targets_as_read(self) -> Targets:
        """Who may sign what was read: keys that this draft lets in or out do not count yet."""
        return verified(Targets, TARGETS, self._content(TARGETS), self._delegators()).signed

    def add(self, role: str, path: str, content: bytes) -> None:
        """Put a small target into the store and list it in a role."""
        target = TargetFile.from_data(path, content, ["sha256"])
        key = stored_target(path, target.hashes["sha256"])
        self.store.put(key, content)
        self.written[key] = len(content)
        self.edit(role).targets[path] = target

    def fetch(self, role: str, path: str) -> bytes | None:
        """A small target that a role lists, verified; ``None`` where it lists none.

        Raises:
            RepositoryDamagedError: The store has not what was signed.
        """
        target = self.role(role).targets.get(path)
        if target is None:
            return None
        content = self._object(stored_target(path, target.hashes["sha256"]))
        with telling(path):
            target.verify_length_and_hashes(content)
        return content

    def read_snapshot(self) -> None:
        """Follow the timestamp to the snapshot."""
        if self.timestamp is None:
            return
        named = self.timestamp.signed.snapshot_meta
        content = self._object(f"{METADATA_FOLDER}/{named.version}.{SNAPSHOT}.json")
        with telling(SNAPSHOT):
            named.verify_length_and_hashes(content)
        self.snapshot = verified(Snapshot, SNAPSHOT, content, self._delegators())

    def _content(self, role: str) -> bytes:
        named = self.meta.get(f"{role}.json")
        if named is None:
            raise RepositoryDamagedError(
                f"{self.store.url} has no {role} in its newest snapshot; it is no repository of "
                "these keys"
            )
        content = self._object(f"{METADATA_FOLDER}/{named.version}.{role}.json")
        with telling(role):
            named.verify_length_and_hashes(content)
        return content

    def _object(self, key: str) -> bytes:
        try:
            return self.store.get(key)
        except ObjectMissingError as err:
            raise RepositoryDamagedError(
                f"{self.store.url} lost {key}, which was signed and published; restore it"
            ) from err

    def _delegators(self) -> Sequence[Root]:
        return believed(self.roots)
