"""The signed state in the store: reading it verified, and changing it as one step.

Follows The Update Framework (https://theupdateframework.github.io/specification/latest/) with
consistent snapshots: every metadata file but ``timestamp.json`` has a version in its name and is
written once. A change is written from the leaves to the root::

    targets -> N.category-soda.json -> N.targets.json -> N.snapshot.json -> timestamp.json

and only the last write, which is conditional on the timestamp that the change began from, makes it
what devices see. Whatever dies before leaves the old state served and some files that nothing
refers to; the next change steps over their names. Of two publishers at once, the slower one finds
the timestamp changed, reads everything anew and makes its change again on top.

What is read is believed only where a chain of signatures leads to the root in the key ring: whoever
can write to the store cannot have us sign what they put there. Expiry is no obstacle to reading, as
renewing what expired is done here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Timestamp
from tuf.api.serialization.json import JSONSerializer

from cloud_trainer.publishing.draft import Draft
from cloud_trainer.publishing.errors import (
    PublishingError,
    RepositoryDamagedError,
    RepositoryMissingError,
)
from cloud_trainer.publishing.keys import KeyRing
from cloud_trainer.publishing.roles import ROOT, SNAPSHOT, TARGETS, TIMESTAMP, expiry, first_targets
from cloud_trainer.publishing.verifying import SignedRole, believed, parsed, verified
from cloud_trainer.store import ConditionFailedError, ObjectMissingError, ObjectStore
from models.delivery import METADATA_FOLDER, ROLLOUTS_ROLE

_ATTEMPTS = 50  # each failed one means that another publisher succeeded
_ORPHANS = 1000  # of one role in a row, left by publishers that died

_TIMESTAMP_KEY = f"{METADATA_FOLDER}/{TIMESTAMP}.json"

_T = TypeVar("_T")


@dataclass(frozen=True)
class Committed(Generic[_T]):
    """How a change went.

    Attributes:
        result: What the change returned.
        metadata_bytes: Bytes of metadata and documents that devices fetch because of it; 0: no
            change.
    """

    result: _T
    metadata_bytes: int


class Repository:
    """The signed state in one store, with the keys that are at hand."""

    def __init__(self, store: ObjectStore, keys: KeyRing) -> None:
        """Nothing is read yet."""
        self.store = store
        self.keys = keys

    def exists(self) -> bool:
        """Whether anything was ever published here."""
        return self.store.size_bytes(_TIMESTAMP_KEY) is not None

    def read(self) -> Draft:
        """The newest state, verified.

        Raises:
            RepositoryMissingError: Nothing was ever published here.
            RepositoryDamagedError: The store has not what was signed.
            KeysError: There is no root to believe.
            StoreError: The store cannot be read.
        """
        try:
            content, etag = self.store.get_with_etag(_TIMESTAMP_KEY)
        except ObjectMissingError as err:
            raise RepositoryMissingError(
                f"nothing was ever published in {self.store.url}; publish a bundle, or correct "
                "the address"
            ) from err
        roots = self._roots()
        timestamp = verified(Timestamp, TIMESTAMP, content, believed(roots))
        draft = Draft(self.store, roots, timestamp, None, etag)
        draft.read_snapshot()
        return draft

    def create(self, now: datetime) -> None:
        """Begin an empty repository; nothing happens where there is one.

        Raises:
            KeysError: A key is missing.
            RepositoryDamagedError: Another repository lies there.
            StoreError: The store cannot be written.
        """
        if self.exists():
            return
        text = self.keys.root_text()
        root = parsed(Root, ROOT, text)
        key = f"{METADATA_FOLDER}/{root.signed.version}.{ROOT}.json"
        try:
            self.store.put(key, text, if_absent=True)
        except ConditionFailedError as err:
            if self.store.get(key) != text:
                raise RepositoryDamagedError(
                    f"{self.store.url} belongs to other keys; give those, or another store"
                ) from err
        draft = Draft(self.store, [root], None, None, None)
        draft.begin(TARGETS, first_targets(now))
        draft.delegate(ROLLOUTS_ROLE, None, self.keys, now)
        self._write(draft, now)  # where another one was faster, its repository is as good

    def commit(self, edit: Callable[[Draft], _T], now: datetime) -> Committed[_T]:
        """Change the state: all of the change becomes visible, or nothing.

        Args:
            edit: Makes the change on a draft; called again on a newer draft where another
                publisher was faster. Targets that it names must be in the store when it returns.
            now: The time, from which expiries count.

        Raises:
            PublishingError: It cannot be made.
            StoreError: The store cannot be read or written.
        """
        for _ in range(_ATTEMPTS):
            draft = self.read()
            result = edit(draft)
            if not draft.renew and draft.next_root is None:
                return Committed(result, 0)
            if self._write(draft, now):
                return Committed(result, sum(draft.written.values()))
        raise PublishingError(
            f"others published to {self.store.url} {_ATTEMPTS} times meanwhile; try again"
        )

    def put_root(self, root: Metadata[Root], now: datetime) -> None:
        """Publish a root that follows the current one, signed by the keys of both.

        Raises:
            KeysError: Too few of the keys are here.
            PublishingError: Another publisher put a root of this version.
        """
        current = self._roots()[-1].signed
        root.signed.version = current.version + 1
        root.signed.expires = expiry(ROOT, now)
        root.signatures.clear()
        for signed in (current, root.signed):
            role = signed.roles[ROOT]
            for signer in self.keys.signers(ROOT, role.keyids, role.threshold):
                root.sign(signer, append=True)
        key = f"{METADATA_FOLDER}/{root.signed.version}.{ROOT}.json"
        content = root.to_bytes(JSONSerializer(compact=True))
        try:
            self.store.put(key, content, if_absent=True)
        except ConditionFailedError as err:
            if self.store.get(key) != content:
                raise PublishingError(
                    "somebody else changed the root meanwhile; try again"
                ) from err

    def _roots(self) -> list[Metadata[Root]]:
        root = parsed(Root, ROOT, self.keys.root_text())
        roots = [verified(Root, ROOT, self.keys.root_text(), [root.signed])]
        while True:
            version = roots[-1].signed.version + 1
            try:
                content = self.store.get(f"{METADATA_FOLDER}/{version}.{ROOT}.json")
            except ObjectMissingError:
                return roots
            root = verified(Root, ROOT, content, [roots[-1].signed])
            verified(Root, ROOT, content, [root.signed])
            if root.signed.version != version:
                raise RepositoryDamagedError(f"root {version} says it is {root.signed.version}")
            roots.append(root)

    def _write(self, draft: Draft, now: datetime) -> bool:
        """Write the leaves first, the timestamp last; whether this became the newest state."""
        meta = dict(draft.meta)
        leaves = sorted(draft.renew - {TIMESTAMP, SNAPSHOT}, key=lambda role: role == TARGETS)
        for role in leaves:
            named = meta.get(f"{role}.json")
            first = named.version + 1 if named else 1
            metadata = draft.metadata(role)
            meta[f"{role}.json"] = self._put_version(draft, role, metadata, first, now)
        timestamp = draft.timestamp or Metadata(Timestamp(expires=expiry(TIMESTAMP, now)))
        if draft.snapshot is None or leaves or SNAPSHOT in draft.renew:
            version = draft.snapshot.signed.version + 1 if draft.snapshot else 1
            snapshot = Metadata(Snapshot(meta=meta))
            timestamp.signed.snapshot_meta = self._put_version(
                draft, SNAPSHOT, snapshot, version, now
            )
        if draft.timestamp is not None:
            timestamp.signed.version += 1
        return self._put_timestamp(draft, timestamp, now)

    def _put_version(
        self, draft: Draft, role: str, metadata: Metadata[SignedRole], first: int, now: datetime
    ) -> MetaFile:
        """Write metadata under the first free version."""
        for version in range(first, first + _ORPHANS):
            metadata.signed.version = version
            content = self._signed(draft, role, metadata, now)
            key = f"{METADATA_FOLDER}/{version}.{role}.json"
            try:
                self.store.put(key, content, if_absent=True)
            except ConditionFailedError:
                continue
            draft.written[key] = len(content)
            return MetaFile.from_data(version, content, ["sha256"])
        raise PublishingError(
            f"{self.store.url} holds {_ORPHANS} files of {role} that nothing refers to; remove "
            f"those after version {first - 1} from {METADATA_FOLDER}/"
        )

    def _put_timestamp(self, draft: Draft, metadata: Metadata[Timestamp], now: datetime) -> bool:
        content = self._signed(draft, TIMESTAMP, metadata, now)
        try:
            if draft.etag is None:
                self.store.put(_TIMESTAMP_KEY, content, if_absent=True)
            else:
                self.store.put(_TIMESTAMP_KEY, content, if_match=draft.etag)
        except ConditionFailedError:
            # An answer that was lost on the way makes a client send the same again.
            if self.store.get(_TIMESTAMP_KEY) != content:
                return False
        draft.written[_TIMESTAMP_KEY] = len(content)
        return True

    def _signed(
        self, draft: Draft, role: str, metadata: Metadata[SignedRole], now: datetime
    ) -> bytes:
        metadata.signed.expires = expiry(role, now)
        metadata.signatures.clear()
        top_level = role in draft.root.roles
        delegator = draft.root if top_level else draft.role(TARGETS)
        rule = delegator.get_delegated_role(role)
        for signer in self.keys.signers(role, rule.keyids, rule.threshold):
            metadata.sign(signer, append=True)
        if top_level and draft.next_root is not None:
            rule = draft.next_root.signed.get_delegated_role(role)
            for signer in self.keys.signers(role, rule.keyids, rule.threshold):
                metadata.sign(signer, append=True)
        return metadata.to_bytes(JSONSerializer(compact=True))
