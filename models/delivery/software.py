"""A release of the device's own software: a closed set of wheels that are installed together.

Wheels and not an archive of our own: each is one signed target, what two releases share travels
once, and installing them is pip's work. One release may hold wheels for several kinds of device;
each takes those that fit it.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import AwareDatetime, Field, model_validator

from models.delivery.names import SOFTWARE, wheel_path
from models.delivery.release import MAX_RELEASE_BYTES, Edition, Release, ReleaseFile
from models.delivery.wire import decode

DISTRIBUTION: Final = "walkout"
MAX_WHEEL_BYTES: Final = 2**31
# Name, version, an optional build, and three tags: PEP 427.
WHEEL_PATTERN: Final = (
    r"^[A-Za-z0-9][A-Za-z0-9_.]*-[A-Za-z0-9_.!+]+(-[0-9][A-Za-z0-9_.]*)?"
    r"-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+-[A-Za-z0-9_.]+\.whl$"
)
VERSION_PATTERN: Final = r"^[0-9][A-Za-z0-9.+!]{0,63}$"


class WheelFile(ReleaseFile):
    """A wheel."""

    name: str = Field(pattern=WHEEL_PATTERN, max_length=200)
    length: int = Field(ge=1, le=MAX_WHEEL_BYTES)


class SoftwareRelease(Edition):
    """Which wheels a release of the software is made of.

    Attributes:
        version: Version of Walkout in it.
        files: Wheels of Walkout and of all that it needs.
    """

    category: Literal["software"] = SOFTWARE
    version: str = Field(pattern=VERSION_PATTERN)
    files: tuple[WheelFile, ...] = Field(min_length=1, max_length=2000)

    @model_validator(mode="after")
    def _files_are_wheels(self) -> SoftwareRelease:
        names = [file.name for file in self.files]
        if len(set(names)) != len(names):
            raise ValueError("a wheel is named twice")
        for file in self.files:
            if file.target != wheel_path(file.name):
                raise ValueError(f"{file.name} has a target of something else: {file.target!r}")
        return self

    @property
    def title(self) -> str:
        """What people call it."""
        return self.version


def software_release(
    wheels: tuple[tuple[str, int, str], ...],
    version: str,
    *,
    release: int,
    not_before: AwareDatetime,
    notes: str = "",
) -> SoftwareRelease:
    """A release of the software.

    Args:
        wheels: File name, size in bytes and SHA-256 of each wheel.
        version: Version of Walkout in it.
        release: Its number.
        not_before: The publisher's time, with its time zone.
        notes: What people should know.
    """
    return SoftwareRelease(
        release=release,
        version=version,
        files=tuple(
            WheelFile(name=name, target=wheel_path(name), length=length, sha256=sha256)
            for name, length, sha256 in sorted(wheels)
        ),
        not_before=not_before,
        notes=notes,
    )


def decode_edition(category: str, content: bytes) -> Edition:
    """Read the ``release.json`` of a category, the software among them.

    Raises:
        DeliveryFormatError: It is not acceptable.
    """
    kind: type[Edition] = SoftwareRelease if category == SOFTWARE else Release
    return decode(kind, content, MAX_RELEASE_BYTES)
