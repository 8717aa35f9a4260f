"""A release: what one signed edition is made of, of a category's bundle or of anything else."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

from pydantic import AwareDatetime, Field, model_validator

from models.bundle import MANIFEST_NAME, NETWORK_FILES, Manifest
from models.bundle.manifest import size_limit_bytes
from models.delivery.names import (
    CATEGORY_PATTERN,
    NETWORK_ID_PATTERN,
    SOFTWARE,
    file_path,
    network_id_of,
)
from models.delivery.wire import Closed, Words, decode, encode

# A bundle has at most a thousand golden crops; each takes some 300 bytes here.
MAX_RELEASE_BYTES = 2**20


class ReleaseFile(Closed):
    """A file of a release.

    Attributes:
        name: Its name in the release's folder, with forward slashes.
        target: Its target path.
        length: Its size in bytes.
        sha256: Its SHA-256, 64 lower-case hexadecimal digits.
    """

    name: str
    target: str
    length: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Edition(Closed):
    """What anything that travels is made of; signed, and immutable once published.

    Attributes:
        schema_version: Always 1.
        category: Its category.
        release: Its number: grows with every publication of the category and is never used again.
        files: All its files.
        not_before: The publisher's time; a clock that says less is wrong.
        notes: What the publisher wants people to know.
    """

    schema_version: Literal[1] = 1
    category: str = Field(pattern=CATEGORY_PATTERN)
    release: int = Field(ge=1)
    files: tuple[ReleaseFile, ...] = Field(max_length=2000)
    not_before: AwareDatetime
    notes: Words = ""

    @property
    @abstractmethod
    def title(self) -> str:
        """What people call it."""

    @property
    def size_bytes(self) -> int:
        """Bytes of all files together."""
        return sum(file.length for file in self.files)


class Release(Edition):
    """What a release of a bundle is made of.

    A release that validates names only files that a bundle may have, of sizes that are read, at the
    paths that belong to them.

    Attributes:
        bundle_version: Version in the bundle's manifest, for people.
        space_id: Embedding space of the bundle.
        network_id: Identity of the network as it travels, see ``network_id_of``.
    """

    bundle_version: str
    space_id: str = Field(pattern=r"^[0-9a-f]{64}$")
    network_id: str = Field(pattern=NETWORK_ID_PATTERN)

    @model_validator(mode="after")
    def _files_are_those_of_a_bundle(self) -> Release:
        if self.category == SOFTWARE:
            raise ValueError(f"no bundle is of the category {SOFTWARE!r}")
        names = [file.name for file in self.files]
        if len(set(names)) != len(names) or MANIFEST_NAME not in names:
            raise ValueError(f"files must be distinct and hold {MANIFEST_NAME}")
        for file in self.files:
            limit = size_limit_bytes(file.name)
            if limit is None:
                raise ValueError(f"no bundle has a file named {file.name!r}")
            if file.length > limit:
                raise ValueError(f"{file.name} would be {file.length} bytes, over {limit}")
            if file.target != file_path(self.category, self.release, self.network_id, file.name):
                raise ValueError(f"{file.name} has a target of something else: {file.target!r}")
        if self.network_id != network_id_of({file.name: file.sha256 for file in self.files}):
            raise ValueError("the network id is not that of the network files")
        return self

    @property
    def network(self) -> tuple[ReleaseFile, ...]:
        """The files that only a new network changes."""
        return tuple(file for file in self.files if file.name in NETWORK_FILES)

    @property
    def title(self) -> str:
        """What people call it."""
        return self.bundle_version


def release_of(
    manifest: Manifest,
    manifest_file: tuple[int, str],
    *,
    release: int,
    not_before: AwareDatetime,
    notes: str = "",
) -> Release:
    """The release of a bundle.

    Args:
        manifest: The bundle's manifest.
        manifest_file: Size in bytes and SHA-256 of ``manifest.json`` itself.
        release: Its number.
        not_before: The publisher's time, with its time zone.
        notes: What people should know.

    Raises:
        DeliveryFormatError: The category cannot travel.
    """
    length, sha256 = manifest_file
    files = {name: (record.size_bytes, record.sha256) for name, record in manifest.files.items()}
    files[MANIFEST_NAME] = (length, sha256)
    network_id = network_id_of({name: sha256 for name, (_, sha256) in files.items()})
    return Release(
        category=manifest.category,
        release=release,
        bundle_version=manifest.version,
        space_id=manifest.space_id,
        network_id=network_id,
        files=tuple(
            ReleaseFile(
                name=name,
                target=file_path(manifest.category, release, network_id, name),
                length=length,
                sha256=sha256,
            )
            for name, (length, sha256) in sorted(files.items())
        ),
        not_before=not_before,
        notes=notes,
    )


def bytes_to_fetch(release: Edition, on_disk: Edition | None) -> int:
    """Bytes of the files that a device lacks which has the files of another release.

    Args:
        release: What it is to have.
        on_disk: What it has, if anything; files are compared by checksum.
    """
    has = {file.sha256 for file in on_disk.files} if on_disk else set()
    return sum(file.length for file in release.files if file.sha256 not in has)


def encode_release(release: Edition) -> bytes:
    """The content of ``release.json``.

    Raises:
        MessageTooLargeError: It is too long.
    """
    return encode(release, MAX_RELEASE_BYTES)


def decode_release(content: bytes) -> Release:
    """Read ``release.json``.

    Raises:
        DeliveryFormatError: It is not acceptable.
    """
    return decode(Release, content, MAX_RELEASE_BYTES)
