"""Put a bundle together from its small parts and a network that is there already.

What tells one edition of a bundle from the next, or one shop's from another's, is its manifest,
vectors and golden crops: kilobytes. The network is the same megabytes for all of them, so the parts
travel alone. The manifest among them names the network's files by their checksums, and nothing else
is accepted in their place. Owns neither where parts come from nor who signed them.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from dataclasses import replace
from pathlib import Path

from models.bundle.errors import BundleIncompleteError, BundleSpaceError, BundleWriteError
from models.bundle.folder import read_file, record_of
from models.bundle.manifest import (
    MANIFEST_NAME,
    NETWORK_FILES,
    Manifest,
    parse_manifest,
    size_limit_bytes,
)
from models.bundle.reading import Bundle, open_bundle


def compose_bundle(parts: Path, network: Path, target: Path) -> Bundle:
    """Write the bundle that parts and a network make; verified as a whole before it gets its name.

    Files are linked where the file system can and copied where it cannot: composed bundles of one
    network cost its room once. A bundle is never written to in place, so sharing is safe.

    Args:
        parts: Folder with all of a bundle's files but its network's.
        network: Folder with the network's files, such as another bundle of the same network; what
            else lies there is left alone.
        target: Folder of the bundle; one that is there already is replaced.

    Returns:
        The bundle as read back.

    Raises:
        BundleIncompleteError: A file is in neither folder.
        BundleSpaceError: The network is not the one that the parts were made with.
        BundleCorruptError: A part is damaged.
        BundleWriteError: The target is something else than a bundle, or cannot be written.
        BundleError: The parts cannot be read.
    """
    manifest = _manifest(parts)
    sources = {
        name: (network if name in NETWORK_FILES else parts) / name for name in manifest.files
    }
    _require_network(manifest, parts, network)
    if os.path.lexists(target) and not (target / MANIFEST_NAME).is_file():
        raise BundleWriteError(f"{target} is not a bundle, so it is not replaced; remove it first")
    draft = target.parent / f".{target.name}.{secrets.token_hex(4)}"
    try:
        for name, source in {**sources, MANIFEST_NAME: parts / MANIFEST_NAME}.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            _linked(source, draft / name)
        bundle = open_bundle(draft)
        if target.exists():
            shutil.rmtree(target)
        draft.rename(target)
    except FileNotFoundError as err:
        raise BundleIncompleteError(
            f"{parts} lacks {Path(str(err.filename)).name}; fetch the parts again"
        ) from err
    except OSError as err:
        raise BundleWriteError(
            f"cannot compose a bundle at {target}: {err.strerror}; "
            "choose a folder that you may write to and that has room"
        ) from err
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return replace(bundle, path=target)


def _manifest(parts: Path) -> Manifest:
    path = parts / MANIFEST_NAME
    limit_bytes = size_limit_bytes(MANIFEST_NAME) or 0
    if not path.is_file() or path.stat().st_size > limit_bytes:
        raise BundleIncompleteError(f"{parts} has no {MANIFEST_NAME} of a bundle; fetch it again")
    return parse_manifest(read_file(parts, MANIFEST_NAME, path.stat().st_size))


def _require_network(manifest: Manifest, parts: Path, network: Path) -> None:
    for name in sorted(NETWORK_FILES & manifest.files.keys()):
        if not (network / name).is_file():
            raise BundleIncompleteError(f"{network} lacks {name}; give the folder of its network")
        if record_of(network, name) != manifest.files[name]:
            raise BundleSpaceError(
                f"{name} in {network} is not of the network that {parts} was made with; "
                "enrol its products again with this one, or fetch the other"
            )


def _linked(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except OSError as err:
        if err.errno == errno.ENOENT:
            raise
        shutil.copyfile(source, place)  # another disk, or one without links
