"""What the store says and may be believed: The Update Framework's client behind one seam.

Signatures, thresholds, delegations, expiry and versions are python-tuf's work (TUF specification
1.0). Added here is what it cannot know: a device whose metadata was wiped still refuses what is
older than it once believed (versions remembered elsewhere), expiry is judged by the signed time
floor where the device's clock says less, and a document must be the one that was asked for.
One process at a time uses a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata, TargetFile
from tuf.api.serialization import DeserializationError
from tuf.ngclient import FetcherInterface, Updater

from edge.errors import FetchError, FetchMissingError, TrustError, UpdateError
from edge.updates.fetch import BundleFetcher
from edge.updates.files import write_whole
from models.delivery import (
    MAX_PLAN_BYTES,
    MAX_RELEASE_BYTES,
    METADATA_FOLDER,
    ROLLOUTS_ROLE,
    DeliveryFormatError,
    Edition,
    RolloutPlan,
    category_role,
    decode_edition,
    decode_plan,
    plan_path,
    release_path,
    stored_target,
)

_METADATA_LIMIT_BYTES: Final = 8 * 2**20
_TOP_ROLES: Final = ("timestamp", "snapshot", "targets")
ROOT_VERSION: Final = "root_version"

RaiseNumber = Callable[[str, int], int]


class SignedStore:
    """A store whose signatures are checked.

    Args:
        folder: For metadata that was believed; made when it is not there.
        root: The signed root that came with the device.
        fetcher: Where bytes come from.
        raise_number: Remembers a number that only grows, outside ``folder``, and returns it.

    Raises:
        TrustError: The root that came with the device is no signed root.
    """

    def __init__(
        self, folder: Path, root: bytes, fetcher: BundleFetcher, raise_number: RaiseNumber
    ) -> None:
        self._folder = folder
        self._documents = folder / "documents"
        self._documents.mkdir(parents=True, exist_ok=True)
        self._root = root
        self._fetcher = fetcher
        self._raise_number = raise_number
        with _meanings():
            self._updater()

    def look(self, now: datetime) -> SignedView:
        """What is signed at this moment.

        Args:
            now: The device's time, or what is known to be signed where that is later.

        Raises:
            FetchError: The store cannot be reached.
            TrustError: What it says is not believed.
        """
        with _meanings():
            updater = self._updater()
            updater.refresh()
        view = SignedView(updater, self._folder, self._documents, self._fetcher, now)
        view.require_fresh(*_TOP_ROLES)
        self._require_not_older()
        return view

    def _updater(self) -> Updater:
        return Updater(
            str(self._folder),
            f"{METADATA_FOLDER}/",
            fetcher=_StoreFetcher(self._fetcher),
            bootstrap=self._root,
        )

    def _require_not_older(self) -> None:
        # A new root may begin to count its timestamps anew (after a stolen key had run far ahead).
        root = _version(self._folder / "root.json")
        timestamp = _version(self._folder / "timestamp.json")
        for name, version in ((ROOT_VERSION, root), (f"timestamp_version@{root}", timestamp)):
            known = self._raise_number(name, version)
            if version < known:
                raise TrustError(
                    f"the store shows an old state again ({name} {version}, this device has seen "
                    f"{known}); somebody may be replaying it; what serves goes on"
                )


class SignedView:
    """What one look at the store has shown; all of it belongs together."""

    def __init__(
        self,
        updater: Updater,
        folder: Path,
        documents: Path,
        fetcher: BundleFetcher,
        now: datetime,
    ) -> None:
        self._updater = updater
        self._folder = folder
        self._documents = documents
        self._fetcher = fetcher
        self._now = now

    def plan(self, category: str) -> RolloutPlan | None:
        """Who may run which release; ``None`` where nothing was planned yet.

        Raises:
            FetchError: It cannot be had now.
            TrustError: It is not believed.
        """
        content = self._document(plan_path(category), ROLLOUTS_ROLE, MAX_PLAN_BYTES)
        if content is None:
            return None
        try:
            plan = decode_plan(content)
        except DeliveryFormatError as err:
            raise TrustError(f"the plan of {category}: {err}") from err
        if plan.category != category:
            raise TrustError(f"the plan of {category} is one of {plan.category}; it is not obeyed")
        return plan

    def release(self, category: str, number: int) -> Edition:
        """What a release is made of.

        Raises:
            FetchError: It cannot be had now.
            TrustError: It is not believed, or nobody has signed it.
        """
        role = category_role(category)
        content = self._document(release_path(category, number), role, MAX_RELEASE_BYTES)
        if content is None:
            raise TrustError(
                f"release {number} of {category} is planned, but {role} has signed no such "
                "release; publish it, or correct the plan"
            )
        try:
            release = decode_edition(category, content)
        except DeliveryFormatError as err:
            raise TrustError(f"release {number} of {category}: {err}") from err
        if (release.category, release.release) != (category, number):
            raise TrustError(
                f"release {number} of {category} turns out to be {release.release} of "
                f"{release.category}; it is not taken"
            )
        for file in release.files:
            signed = self._target(file.target)
            if signed is None or (signed.length, signed.hashes.get("sha256")) != (
                file.length,
                file.sha256,
            ):
                raise TrustError(
                    f"release {number} of {category} names {file.name}, which {role} has not "
                    "signed so; publish it again"
                )
        return release

    def require_fresh(self, *roles: str) -> None:
        """Refuse metadata that has expired.

        Raises:
            TrustError: It has.
        """
        for role in roles:
            signed = _metadata(self._folder / f"{quote(role, '')}.json").signed
            if signed.is_expired(self._now):
                raise TrustError(_expired(role, signed.expires, self._now))

    def _document(self, path: str, role: str, limit_bytes: int) -> bytes | None:
        signed = self._target(path)
        if signed is None:
            return None
        self.require_fresh(role)
        kept = self._documents / quote(path, "")
        try:
            content = kept.read_bytes()
            signed.verify_length_and_hashes(content)
        except (OSError, LengthOrHashMismatchError):
            key = stored_target(path, signed.hashes["sha256"])
            content = self._fetcher.read(key, min(signed.length, limit_bytes))
            with _meanings():
                signed.verify_length_and_hashes(content)
            write_whole(kept, content)
        return content

    def _target(self, path: str) -> TargetFile | None:
        with _meanings():
            return self._updater.get_targetinfo(path)


class _StoreFetcher(FetcherInterface):
    """The store as python-tuf reads it."""

    def __init__(self, fetcher: BundleFetcher) -> None:
        self._fetcher = fetcher

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            content = self._fetcher.read(url, _METADATA_LIMIT_BYTES)
        except FetchMissingError as err:
            raise DownloadHTTPError(str(err), 404) from err
        except FetchError as err:
            raise DownloadError(str(err)) from err
        return iter((content,))


@contextmanager
def _meanings() -> Iterator[None]:
    """python-tuf's failures in the device's words."""
    on = "what serves goes on"
    try:
        yield
    except ExpiredMetadataError as err:
        raise TrustError(
            f"the store's statement is out of date ({err}): nobody has renewed it, or this "
            f"device's clock is ahead; {on}"
        ) from err
    except UnsignedMetadataError as err:
        raise TrustError(
            f"the store says something that the right keys have not signed ({err}); {on}"
        ) from err
    except (RepositoryError, DeserializationError) as err:
        raise TrustError(f"the store does not show what was signed ({err}); {on}") from err
    except DownloadLengthMismatchError as err:
        raise TrustError(f"the store sends more than was signed ({err}); {on}") from err
    except DownloadError as err:
        raise FetchError(f"the store cannot be asked: {err}") from err
    except OSError as err:
        raise UpdateError(f"what is believed cannot be kept: {err}") from err


def _metadata(path: Path) -> Metadata:  # type: ignore[type-arg]
    try:
        return Metadata.from_bytes(path.read_bytes())
    except (OSError, DeserializationError) as err:
        raise UpdateError(f"{path} cannot be read back: {err}; it is fetched again") from err


def _version(path: Path) -> int:
    return int(_metadata(path).signed.version)


def _expired(role: str, expires: datetime, now: datetime) -> str:
    until = expires.astimezone(timezone.utc)
    return (
        f"what {role} says was good until {until:%Y-%m-%d %H:%M} UTC and it is "
        f"{now:%Y-%m-%d %H:%M}: nobody has renewed it, or this device's clock is ahead; "
        "what serves goes on"
    )
