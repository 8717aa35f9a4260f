"""Keys over the years: make the first ones, replace them, renew what expires, see what is due.

A key of the four top-level roles is replaced in an order that no device notices: what the role
signs is signed by the old and the new key and published, then comes the root that names the new
one. Where the old key is lost, the root has to come first; a device that polls in between finds a
state that nobody may have signed, and keeps what it has until the next poll. The key of a category
or of the rollout plans is replaced in one step, as any other change.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime

from tuf.api.metadata import Metadata, Role, Root, Signed
from tuf.api.serialization.json import JSONSerializer

from cloud_trainer.publishing.draft import Draft
from cloud_trainer.publishing.errors import KeysError
from cloud_trainer.publishing.keys import KeyRing, StoredKey
from cloud_trainer.publishing.repository import Repository
from cloud_trainer.publishing.roles import (
    LOCKED_ROLES,
    ROOT,
    ROOT_KEYS,
    ROOT_THRESHOLD,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    TOP_LEVEL,
    first_root,
    lifetime,
)
from models.delivery import ROLLOUTS_ROLE, category_role


@dataclass(frozen=True)
class RoleOverview:
    """How a role stands.

    Attributes:
        role: Its name.
        version: Version of what it signed last.
        expires: When that expires.
        threshold: How many keys must sign.
        keys: Id of each key that may, with the name of its file where the ring has it.
        at_hand: How many of them can sign here.
    """

    role: str
    version: int
    expires: datetime
    threshold: int
    keys: tuple[tuple[str, str | None], ...]
    at_hand: int


def init_keys(
    ring: KeyRing,
    now: datetime,
    categories: Sequence[str] = (),
    *,
    locked: bool = True,
    root_keys: int = ROOT_KEYS,
    root_threshold: int = ROOT_THRESHOLD,
) -> Metadata[Root]:
    """Make the keys of a new repository and its first root, which devices are shipped with.

    Args:
        ring: Where to; must be empty.
        now: The time.
        categories: Categories to make keys for already; any other gets its key when its first
            bundle is published.
        locked: Whether the keys that are kept offline are encrypted.
        root_keys: How many root keys.
        root_threshold: How many of them must sign a root.

    Raises:
        KeysError: There are keys already, or they cannot be written.
    """
    if not 1 <= root_threshold <= root_keys:
        raise KeysError(f"{root_threshold} of {root_keys} keys cannot sign; choose fewer or more")
    if ring.keys:
        raise KeysError(f"{ring.folder} holds keys already; choose an empty folder")
    delegated = [ROLLOUTS_ROLE, *map(category_role, categories)]
    for role in (*TOP_LEVEL, *delegated):
        for _ in range(root_keys if role == ROOT else 1):
            ring.make(role, locked=locked and role in LOCKED_ROLES)
    root = first_root(
        {role: [key.public for key in ring.of_role(role)] for role in TOP_LEVEL},
        now,
        root_threshold,
    )
    rule = root.signed.roles[ROOT]
    for signer in ring.signers(ROOT, rule.keyids, rule.threshold):
        root.sign(signer, append=True)
    ring.save_root(root.to_bytes(JSONSerializer(compact=True)))
    return root


def rotate(
    repository: Repository, role: str, now: datetime, revoke: str | None = None
) -> StoredKey:
    """Replace a key of a role by a new one; the old one is believed no more.

    Args:
        repository: Where it counts.
        role: The role.
        now: The time.
        revoke: Name or id of the key to replace; may be left out where the role has only one.

    Returns:
        The new key.

    Raises:
        KeysError: There is no such key or role, or keys to sign with are missing.
        PublishingError: The repository cannot be believed, or others changed it too.
        StoreError: The store cannot be read or written.
    """
    draft = repository.read()
    rule = _rule(draft, role)
    keyid = _to_revoke(repository.keys, role, rule.keyids, revoke)
    locked = any(key.locked for key in repository.keys.of_role(role)) and role in LOCKED_ROLES
    if role in TOP_LEVEL:
        # Everything that must sign is asked for before a key is made.
        root_rule = draft.root.roles[ROOT]
        repository.keys.signers(ROOT, root_rule.keyids, root_rule.threshold)
        new = repository.keys.make(role, locked=locked)
        _rotate_top_level(repository, draft, role, keyid, new, now)
        return new
    targets_rule = draft.root.roles[TARGETS]
    repository.keys.signers(TARGETS, targets_rule.keyids, targets_rule.threshold)
    new = repository.keys.make(role, locked=locked)

    def replace(draft: Draft) -> None:
        draft.edit(role)
        targets = draft.edit(TARGETS)
        targets.add_key(new.public, role)
        targets.revoke_key(keyid, role)

    repository.commit(replace, now)
    return new


def refresh(repository: Repository, now: datetime) -> tuple[str, ...]:
    """Renew the timestamp, and whatever has less than half of its time left and keys at hand.

    For a timer: devices refuse news from a state whose timestamp has expired.

    Returns:
        The roles that were renewed.

    Raises:
        KeysError: The key of the timestamp is not here.
        PublishingError: The repository cannot be believed.
        StoreError: The store cannot be read or written.
    """

    def renew(draft: Draft) -> tuple[str, ...]:
        renewed = [TIMESTAMP]
        for view in _views(repository.keys, draft):
            is_due = view.expires - now < lifetime(view.role) / 2
            if view.role in (ROOT, TIMESTAMP) or not is_due or view.at_hand < view.threshold:
                continue
            if view.role != SNAPSHOT:
                draft.edit(view.role)
            draft.renew.add(view.role)
            renewed.append(view.role)
        draft.renew.add(TIMESTAMP)
        return tuple(renewed)

    return repository.commit(renew, now).result


def overview(repository: Repository) -> tuple[RoleOverview, ...]:
    """How all roles stand.

    Raises:
        PublishingError: The repository cannot be believed, or there is none.
        StoreError: The store cannot be read.
    """
    return _views(repository.keys, repository.read())


def _rotate_top_level(
    repository: Repository, draft: Draft, role: str, keyid: str, new: StoredKey, now: datetime
) -> None:
    follower = deepcopy(draft.roots[-1])
    follower.signed.add_key(new.public, role)
    follower.signed.revoke_key(keyid, role)
    if role == ROOT:
        repository.put_root(follower, now)
        return

    def sign_for_both(draft: Draft) -> None:
        draft.next_root = follower
        _renew(draft, role)

    rule = draft.root.roles[role]
    if len(repository.keys.at_hand(rule.keyids)) >= rule.threshold:
        repository.commit(sign_for_both, now)
        repository.put_root(follower, now)
    else:
        repository.put_root(follower, now)
        repository.commit(lambda draft: _renew(draft, role), now)


def _renew(draft: Draft, role: str) -> None:
    if role == TARGETS:
        draft.edit(role)
    draft.renew.add(role)


def _rule(draft: Draft, role: str) -> Role:
    """Which keys may sign for a role."""
    if role in TOP_LEVEL:
        return draft.root.roles[role]
    if role not in draft.roles():
        raise KeysError(
            f"there is no role {role!r}; choose one of {', '.join((*TOP_LEVEL, *draft.roles()))}"
        )
    return draft.role(TARGETS).get_delegated_role(role)


def _to_revoke(ring: KeyRing, role: str, keyids: Sequence[str], wanted: str | None) -> str:
    names = {keyid: key.name for keyid in keyids if (key := ring.by_id(keyid))}
    if wanted is None and len(keyids) == 1:
        return keyids[0]
    for keyid in keyids:
        if wanted is not None and wanted in (keyid, names.get(keyid)):
            return keyid
    choice = ", ".join(names.get(keyid, keyid) for keyid in keyids)
    raise KeysError(
        f"{role} has no key {wanted}; choose one of {choice}"
        if wanted is not None
        else f"{role} has {len(keyids)} keys; say which one to revoke: {choice}"
    )


def _views(ring: KeyRing, draft: Draft) -> tuple[RoleOverview, ...]:
    signed: dict[str, Signed] = {ROOT: draft.root, TARGETS: draft.role(TARGETS)}
    if draft.snapshot is not None and draft.timestamp is not None:
        signed |= {SNAPSHOT: draft.snapshot.signed, TIMESTAMP: draft.timestamp.signed}
    signed |= {role: draft.role(role) for role in draft.roles()}
    views = []
    for role, content in signed.items():
        rule = _rule(draft, role)
        names = ((keyid, ring.by_id(keyid)) for keyid in rule.keyids)
        views.append(
            RoleOverview(
                role=role,
                version=content.version,
                expires=content.expires,
                threshold=rule.threshold,
                keys=tuple((keyid, key.name if key else None) for keyid, key in names),
                at_hand=len(ring.at_hand(rule.keyids)),
            )
        )
    return tuple(views)
