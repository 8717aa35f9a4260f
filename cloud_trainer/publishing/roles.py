"""The roles of the repository: who signs what, how many must, and for how long.

====================  =======  =========  ========  ===================================
role                  keys     threshold  lifetime  signs
====================  =======  =========  ========  ===================================
root                  3        2          5 years   which keys the next four roles have
targets               1        1          3 years   which key each category has
snapshot              1        1          180 days  which versions belong together
timestamp             1        1          30 days   which snapshot is the newest
category-<category>   1        1          3 years   its releases
rollouts              1        1          3 years   which device may run which release
====================  =======  =========  ========  ===================================

Keys of root and targets are locked and may be kept offline: they are needed for a new category and
for rotating keys only. A device whose newest timestamp has expired keeps serving what it has; it
only takes nothing new, as it can no longer tell whether somebody withholds it. Whoever publishes
nothing for a month therefore has ``walkout-trainer publish --refresh`` run by a timer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from securesystemslib.signer import Key
from tuf.api.metadata import (
    TOP_LEVEL_ROLE_NAMES,
    DelegatedRole,
    Delegations,
    Metadata,
    Role,
    Root,
    Targets,
)

from cloud_trainer.publishing.errors import RepositoryDamagedError
from models.delivery import ROLLOUTS_PATTERNS, ROLLOUTS_ROLE, category_patterns

ROOT: Final = "root"
TARGETS: Final = "targets"
SNAPSHOT: Final = "snapshot"
TIMESTAMP: Final = "timestamp"

TOP_LEVEL = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)
LOCKED_ROLES = frozenset({ROOT, TARGETS})
ROOT_KEYS = 3
ROOT_THRESHOLD = 2

_LIFETIMES = {
    ROOT: timedelta(days=5 * 365),
    SNAPSHOT: timedelta(days=180),
    TIMESTAMP: timedelta(days=30),
}
_OTHER_LIFETIME = timedelta(days=3 * 365)


def expiry(role: str, now: datetime) -> datetime:
    """When what a role signs now expires."""
    return (now + lifetime(role)).replace(microsecond=0)


def lifetime(role: str) -> timedelta:
    """How long what a role signs is believed."""
    return _LIFETIMES.get(role, _OTHER_LIFETIME)


def first_root(
    keys: dict[str, Sequence[Key]], now: datetime, threshold: int = ROOT_THRESHOLD
) -> Metadata[Root]:
    """The first root, not signed yet.

    Args:
        keys: Public keys of each top-level role.
        now: The time.
        threshold: How many root keys must sign a root.
    """
    root = Root(
        expires=expiry(ROOT, now),
        consistent_snapshot=True,
        roles={role: Role([], 1) for role in TOP_LEVEL_ROLE_NAMES},
    )
    for role in TOP_LEVEL:
        for key in keys[role]:
            root.add_key(key, role)
    root.roles[ROOT].threshold = threshold
    return Metadata(root)


def first_targets(now: datetime) -> Metadata[Targets]:
    """Targets that delegate nothing yet, not signed."""
    return Metadata(Targets(expires=expiry(TARGETS, now), delegations=Delegations({}, {})))


def first_delegated(role: str, now: datetime) -> Metadata[Targets]:
    """A delegated role that lists nothing yet, not signed."""
    return Metadata(Targets(expires=expiry(role, now)))


def delegations_of(targets: Targets) -> Delegations:
    """The delegations of targets, made where there are none."""
    if targets.delegations is None:
        targets.delegations = Delegations({}, {})
    return targets.delegations


def delegate(targets: Targets, role: str, category: str | None, key: Key) -> None:
    """Let a key sign for a role that nobody signs for yet.

    Args:
        targets: What delegates; changed.
        role: The role.
        category: Its category, ``None`` for the role of the rollout plans.
        key: The public key.
    """
    patterns = category_patterns(category) if category is not None else ROLLOUTS_PATTERNS
    roles = delegations_of(targets).roles
    if roles is None:
        raise RepositoryDamagedError("targets delegates in a way that is never written here")
    roles[role] = DelegatedRole(role, [], 1, terminating=True, paths=list(patterns))
    targets.add_key(key, role)


def delegated_roles(targets: Targets) -> tuple[str, ...]:
    """Names of the delegated roles, that of the rollout plans first."""
    roles = targets.delegations.roles if targets.delegations else None
    return tuple(sorted(roles or {}, key=lambda role: (role != ROLLOUTS_ROLE, role)))
