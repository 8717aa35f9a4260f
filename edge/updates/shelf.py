"""Releases on the disk: files by their checksum, bundles as folders of links to them.

::

    blobs/<sha256>                 a file of some release, whole and verified
    blobs/<sha256>.part            one that is being fetched
    bundles/<category>/<release>/  a complete bundle, its files linked to blobs
    releases/<category>/<release>.json   the signed document it was made by

What two releases have in common (the network, golden crops) is on the disk once and is fetched
once. A bundle's folder comes into being by one rename, so it is whole or not there. Owns no
judgement: whether a bundle may serve is decided elsewhere, and every opening verifies it again.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Final

from edge.errors import UpdateError
from edge.updates.files import flush, flush_folder, write_whole
from models.bundle import BundleError
from models.bundle.folder import record_of
from models.delivery import (
    DeliveryFormatError,
    Edition,
    ReleaseFile,
    decode_edition,
    encode_release,
)

_DRAFT: Final = ".draft"


class BundleShelf:
    """The releases of one device; one process writes to it.

    Args:
        root: Its folder; made when it is not there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._blobs = root / "blobs"
        self._bundles = root / "bundles"
        self._documents = root / "releases"
        for folder in (self._blobs, self._bundles, self._documents):
            folder.mkdir(parents=True, exist_ok=True)

    def bundle_path(self, category: str, release: int) -> Path:
        """Where the bundle of a release is, or would be."""
        return self._bundles / category / str(release)

    def has(self, category: str, release: int) -> bool:
        """Whether a release is there as a whole."""
        return self.bundle_path(category, release).is_dir()

    def categories(self) -> tuple[str, ...]:
        """Categories that releases are there of."""
        return tuple(sorted(each.name for each in self._bundles.iterdir() if each.is_dir()))

    def releases(self, category: str) -> tuple[int, ...]:
        """Complete releases of a category, the oldest first."""
        folder = self._bundles / category
        if not folder.is_dir():
            return ()
        return tuple(sorted(int(each.name) for each in folder.iterdir() if each.name.isdigit()))

    def blob_path(self, sha256: str) -> Path:
        """Where a verified file is, or would be."""
        return self._blobs / sha256

    def part_path(self, sha256: str) -> Path:
        """Where a file grows while it is fetched."""
        return self._blobs / f"{sha256}.part"

    def lacking(self, release: Edition) -> tuple[ReleaseFile, ...]:
        """Files of a release that are not there yet, each content once, small ones first."""
        by_content = {file.sha256: file for file in release.files}
        return tuple(
            file
            for file in sorted(by_content.values(), key=lambda file: (file.length, file.sha256))
            if not self.blob_path(file.sha256).is_file()
        )

    def bytes_lacking(self, release: Edition) -> int:
        """Bytes that are still to be fetched."""
        return sum(
            file.length - _size(self.part_path(file.sha256)) for file in self.lacking(release)
        )

    def keep_document(self, release: Edition) -> None:
        """Remember what a release is made of."""
        path = self._document_path(release.category, release.release)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, encode_release(release))

    def document(self, category: str, release: int) -> Edition | None:
        """What a release is made of, where that was remembered and can be read."""
        try:
            return decode_edition(category, self._document_path(category, release).read_bytes())
        except (OSError, DeliveryFormatError):
            return None

    def assemble(self, release: Edition) -> Path:
        """Make the bundle's folder; all its files are there.

        Returns:
            The folder.

        Raises:
            UpdateError: A file is not there after all.
            OSError: The disk does not take it.
        """
        target = self.bundle_path(release.category, release.release)
        if target.is_dir():
            return target
        draft = target.with_name(f"{_DRAFT}-{target.name}")
        shutil.rmtree(draft, ignore_errors=True)
        folders = {draft}
        for file in release.files:
            place = draft / file.name
            folders.add(place.parent)
            place.parent.mkdir(parents=True, exist_ok=True)
            _link(self.blob_path(file.sha256), place)
        for folder in sorted(folders, reverse=True):
            flush_folder(folder)
        draft.rename(target)
        flush_folder(target.parent)
        flush_folder(self._bundles)
        return target

    def discard(self, category: str, release: int) -> None:
        """Take a release off the disk; its files stay as long as another one needs them."""
        path = self.bundle_path(category, release)
        if path.is_dir():
            # Not to be seen half: it leaves its name before it is emptied.
            draft = path.with_name(f"{_DRAFT}-{path.name}")
            shutil.rmtree(draft, ignore_errors=True)
            path.rename(draft)
            shutil.rmtree(draft, ignore_errors=True)
        self._document_path(category, release).unlink(missing_ok=True)

    def discard_damaged(self, release: Edition) -> tuple[str, ...]:
        """Throw away files of a release whose content has changed on the disk.

        Returns:
            Names of those that were thrown away; they can be fetched again.
        """
        damaged = []
        for file in release.files:
            path = self.blob_path(file.sha256)
            try:
                intact = not path.exists() or record_of(self._blobs, path.name).sha256 == (
                    file.sha256
                )
            except BundleError:
                intact = False
            if not intact:
                path.unlink(missing_ok=True)
                damaged.append(file.name)
        return tuple(damaged)

    def sweep(self, wanted: Collection[Edition]) -> int:
        """Throw away drafts, and files that neither a bundle nor ``wanted`` needs.

        Args:
            wanted: Releases that are being fetched.

        Returns:
            Bytes that became free.
        """
        for category in self._bundles.iterdir():
            for draft in category.glob(f"{_DRAFT}-*"):
                shutil.rmtree(draft, ignore_errors=True)
        needed = {file.sha256 for release in wanted for file in release.files}
        freed = 0
        for path in self._blobs.iterdir():
            status = path.stat()
            # A blob that a bundle links to has a second name.
            if path.name.partition(".")[0] not in needed and status.st_nlink < 2:
                freed += status.st_size
                path.unlink()
        return freed

    def used_bytes(self) -> int:
        """Bytes on the disk, what several releases share counted once."""
        seen: dict[int, int] = {}
        for folder, _, names in os.walk(self.root):
            for name in names:
                status = (Path(folder) / name).lstat()
                seen[status.st_ino] = status.st_size
        return sum(seen.values())

    def _document_path(self, category: str, release: int) -> Path:
        return self._documents / category / f"{release}.json"


def _link(blob: Path, place: Path) -> None:
    try:
        os.link(blob, place)
    except FileNotFoundError as err:
        raise UpdateError(f"{place.name} is not on the disk any more; it is fetched again") from err
    except OSError as err:
        if err.errno not in (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(blob, place)  # a file system without links, such as a stick's
        flush(place)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
