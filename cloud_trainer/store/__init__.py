"""Where published bundles lie: a folder or S3, behind one seam.

``seam`` says what a store promises, ``folder`` and ``s3`` keep the promises, ``errors`` is what can
go wrong. What the objects mean is not known here (``cloud_trainer.publishing``).
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from cloud_trainer.store.errors import ConditionFailedError, ObjectMissingError, StoreError
from cloud_trainer.store.folder import FolderStore
from cloud_trainer.store.s3 import S3Store
from cloud_trainer.store.seam import ObjectStore, Sent, require_key

__all__ = [
    "ConditionFailedError",
    "FolderStore",
    "ObjectMissingError",
    "ObjectStore",
    "S3Store",
    "Sent",
    "StoreError",
    "open_store",
    "require_key",
]


def open_store(address: str) -> ObjectStore:
    """The store at an address.

    Args:
        address: ``file:/folder``, a plain path, or ``s3://bucket/prefix``.

    Raises:
        StoreError: It is no such address, or cannot be used on this machine.
    """
    parts = urlsplit(address)
    if parts.scheme == "s3" and parts.netloc:
        return S3Store(parts.netloc, parts.path)
    if parts.scheme == "file" and parts.path and parts.netloc in ("", "localhost"):
        return FolderStore(Path(unquote(parts.path)))
    if address and "://" not in address and not address.startswith(("file:", "s3:")):
        return FolderStore(Path(address))
    raise StoreError(f"{address!r} is no store: give file:/folder or s3://bucket/prefix")
