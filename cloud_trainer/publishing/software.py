"""Publish the devices' own software: a folder of wheels as the next release of it.

Owns what is not published: files that are no wheels, a folder without Walkout in it or with several
versions of anything. Whether a release starts on a device is found out there, before it is run.
"""

from __future__ import annotations

import hashlib
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Final

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from cloud_trainer.publishing.errors import ReleaseRefusedError
from cloud_trainer.publishing.releases import Progress, Publication, publish_edition
from cloud_trainer.publishing.repository import Repository
from cloud_trainer.publishing.roles import TARGETS
from models.delivery import (
    DISTRIBUTION,
    SOFTWARE,
    DeliveryFormatError,
    SoftwareRelease,
    software_release,
)

_CHUNK_BYTES: Final = 1 << 20


def publish_software(
    repository: Repository,
    folder: Path,
    now: datetime,
    *,
    everywhere: bool = False,
    notes: str = "",
    progress: Progress | None = None,
) -> Publication[SoftwareRelease]:
    """Publish a folder of wheels as the next release of the software.

    Rolled out like a bundle, under the category ``software``. Its key is locked with the
    passphrase where the key of targets is: who signs software owns the devices.

    Args:
        repository: Where to; begun where nothing was ever published there.
        folder: Wheels of Walkout and of all that it needs, for every kind of device.
        now: The time.
        everywhere: Sign a plan as well that makes it the stable release of every device.
        notes: What people should know about it.
        progress: Called while files are sent.

    Raises:
        ReleaseRefusedError: The folder is not such a set of wheels.
        KeysError: A key is missing.
        PublishingError: The repository cannot be believed.
        StoreError: The store cannot be read or written.
    """
    version = judge_wheels(folder)
    wheels = tuple(
        (path.name, path.stat().st_size, _sha256(path)) for path in sorted(folder.glob("*.whl"))
    )

    def make(number: int) -> SoftwareRelease:
        try:
            return software_release(
                wheels,
                version,
                release=number,
                not_before=now.replace(microsecond=0),
                notes=notes,
            )
        except (ValueError, DeliveryFormatError) as err:
            raise ReleaseRefusedError(f"{folder} cannot travel: {err}") from err

    locked = any(key.locked for key in repository.keys.of_role(TARGETS))
    return publish_edition(
        repository,
        SOFTWARE,
        make,
        folder,
        now,
        everywhere=everywhere,
        locked=locked,
        progress=progress,
    )


def judge_wheels(folder: Path) -> str:
    """Look at a folder of wheels before it is published.

    Returns:
        Version of Walkout in it.

    Raises:
        ReleaseRefusedError: It holds no Walkout, something broken, or two versions of one thing.
    """
    versions: dict[str, set[str]] = {}
    for path in sorted(folder.glob("*.whl")):
        try:
            name, version, _, _ = parse_wheel_filename(path.name)
            with zipfile.ZipFile(path) as archive:
                broken = archive.testzip()
        except (InvalidWheelFilename, zipfile.BadZipFile, OSError) as err:
            raise ReleaseRefusedError(f"{path} is no wheel: {err}; build it again") from err
        if broken is not None:
            raise ReleaseRefusedError(f"{broken} in {path} is damaged; build it again")
        versions.setdefault(canonicalize_name(name), set()).add(str(version))
    several = sorted(name for name, found in versions.items() if len(found) > 1)
    if several:
        raise ReleaseRefusedError(
            f"{folder} holds more than one version of {', '.join(several)}; a device would not "
            "know which to install: leave one"
        )
    if DISTRIBUTION not in versions:
        raise ReleaseRefusedError(
            f"{folder} holds no wheel of {DISTRIBUTION}; build it by 'pip wheel --no-deps'"
        )
    return versions[DISTRIBUTION].pop()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
