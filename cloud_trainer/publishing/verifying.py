"""Whether what the store holds was signed by those who may: metadata, or an error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from cloud_trainer.publishing.errors import RepositoryDamagedError

SignedRole = TypeVar("SignedRole", Root, Timestamp, Snapshot, Targets)


@contextmanager
def telling(role: str) -> Iterator[None]:
    """Turn what tuf says about content that nobody signed into one line.

    Raises:
        RepositoryDamagedError: The block found such content.
    """
    try:
        yield
    except (RepositoryError, DeserializationError, ValueError) as err:
        raise RepositoryDamagedError(
            f"{role} in the store is not what was signed ({err}); restore it from a backup, or "
            "begin a new store"
        ) from err


def parsed(kind: type[SignedRole], role: str, content: bytes) -> Metadata[SignedRole]:
    """Metadata of a kind, whoever signed it.

    Raises:
        RepositoryDamagedError: It is no such metadata.
    """
    with telling(role):
        metadata: Metadata[SignedRole] = Metadata.from_bytes(content)
        if not isinstance(metadata.signed, kind):
            raise RepositoryError(f"a {metadata.signed.type} where {role} should be")
        return metadata


def verified(
    kind: type[SignedRole], role: str, content: bytes, delegators: Sequence[Root | Targets]
) -> Metadata[SignedRole]:
    """Metadata that one of the delegators lets through; the complaint is the first one's.

    Raises:
        RepositoryDamagedError: It is no such metadata, or none of them does.
    """
    metadata = parsed(kind, role, content)
    complaint: RepositoryDamagedError | None = None
    for delegator in delegators:
        try:
            with telling(role):
                delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
            return metadata
        except RepositoryDamagedError as err:
            complaint = complaint or err
    raise complaint or RepositoryDamagedError(f"{role} has nobody who may sign it")


def believed(roots: Sequence[Metadata[Root]]) -> Sequence[Root]:
    """Roots whose keys may have signed the newest state.

    Where a rotation was cut off between the new root and what has to be signed anew, the state is
    signed by the keys of the root before; the next commit repairs that. What a revoked key could
    do by it is to make a publisher begin from an older state, which devices refuse afterwards.
    """
    return [root.signed for root in roots[:-3:-1]]
