"""Published releases as the portal shows them: what there is, manifests, and bundles on the disk.

Owns what is kept of the signed repository between two looks, so that pages do not verify it anew
each time. What is believed is ``cloud_trainer.publishing``'s business, fetching whole bundles
``cloud_trainer.pipeline.releases``'.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cloud_trainer.pipeline.releases import LocalReleases
from cloud_trainer.portal.errors import PortalMissingError
from cloud_trainer.publishing import (
    Repository,
    RepositoryDamagedError,
    RoleOverview,
    StoredKey,
    current_plan,
    overview,
    published_releases,
    read_release,
)
from cloud_trainer.store import ObjectStore
from models.bundle import MANIFEST_NAME, Bundle
from models.bundle.manifest import Manifest, parse_manifest
from models.delivery import (
    SOFTWARE,
    DeliveryFormatError,
    Edition,
    RolloutPlan,
    category_role,
    stored_target,
)

_KEPT_S: Final = 10.0
_ROLE: Final = category_role("x").removesuffix("x")


@dataclass(frozen=True)
class Published:
    """The releases of a category.

    Attributes:
        category: The category.
        plan: What devices may run.
        releases: Numbers of those that can be fetched, in order.
    """

    category: str
    plan: RolloutPlan | None
    releases: tuple[int, ...]


class ReleaseShelf:
    """Published releases; from any thread.

    Args:
        repository: Where they are published.
        store: The repository's store.
        folder: Where whole bundles are kept; what lies there may be deleted at any time.
        monotonic_s: A clock that never jumps.
    """

    def __init__(
        self,
        repository: Repository,
        store: ObjectStore,
        folder: Path,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._repository = repository
        self._store = store
        self._local = LocalReleases(repository, folder)
        self._monotonic_s = monotonic_s
        self._turn = threading.RLock()
        self._looked: tuple[float, dict[str, Published]] | None = None
        self._editions: dict[tuple[str, int], Edition] = {}
        self._manifests: dict[tuple[str, int], Manifest] = {}

    def all(self) -> dict[str, Published]:
        """All categories of bundles, by name, as they were a few seconds ago at the most.

        Raises:
            PublishingError: The repository cannot be believed.
            StoreError: The store cannot be read.
        """
        with self._turn:
            now_s = self._monotonic_s()
            if self._looked is not None and now_s - self._looked[0] < _KEPT_S:
                return self._looked[1]
            found: dict[str, Published] = {}
            if self._repository.exists():
                roles = self._repository.read().roles()
                for role in sorted(each for each in roles if each.startswith(_ROLE)):
                    category = role.removeprefix(_ROLE)
                    if category != SOFTWARE:
                        found[category] = Published(
                            category,
                            current_plan(self._repository, category),
                            published_releases(self._repository, category),
                        )
            self._looked = (now_s, found)
            return found

    def signing(self) -> tuple[tuple[RoleOverview, tuple[StoredKey | None, ...]], ...]:
        """How all roles stand, each with those of its keys that are known here.

        Raises:
            PublishingError: The repository cannot be believed.
            StoreError: The store cannot be read.
        """
        with self._turn:
            if not self._repository.exists():
                return ()
            ring = self._repository.keys
            return tuple(
                (role, tuple(ring.by_id(keyid) for keyid, _ in role.keys))
                for role in overview(self._repository)
            )

    def look_again(self) -> None:
        """Look anew the next time: something was published or signed here."""
        with self._turn:
            self._looked = None

    def plan(self, category: str) -> RolloutPlan | None:
        """What devices may run; ``None`` before the first release."""
        published = self.all().get(category)
        return None if published is None else published.plan

    def bundle(self, category: str, release: int) -> Bundle:
        """A release as a bundle on the disk."""
        with self._turn:
            return self._local.bundle(category, release)

    def edition(self, category: str, release: int) -> Edition:
        """What a release is made of.

        Raises:
            PortalMissingError: There is no such release.
        """
        published = self.all().get(category)
        if published is None or release not in published.releases:
            raise PortalMissingError(f"{category} has no release {release}; see the list")
        with self._turn:
            if (category, release) not in self._editions:
                self._editions[category, release] = read_release(
                    self._repository, category, release
                )
            return self._editions[category, release]

    def manifest(self, category: str, release: int) -> Manifest:
        """A release's manifest, without the rest of its bundle.

        Raises:
            PortalMissingError: There is no such release.
        """
        with self._turn:
            if (category, release) not in self._manifests:
                text = self.file(category, release, MANIFEST_NAME)
                self._manifests[category, release] = parse_manifest(text)
            return self._manifests[category, release]

    def file(self, category: str, release: int, name: str) -> bytes:
        """A file of a release, as it was signed.

        Raises:
            PortalMissingError: There is no such release, or no such file of it.
            RepositoryDamagedError: What the store has is not what was signed.
            StoreError: The store cannot be read.
        """
        edition = self.edition(category, release)
        file = next((each for each in edition.files if each.name == name), None)
        if file is None:
            raise PortalMissingError(f"release {release} of {category} has no file {name}")
        try:
            content = self._store.get(stored_target(file.target, file.sha256))
        except DeliveryFormatError as err:
            raise RepositoryDamagedError(str(err)) from err
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise RepositoryDamagedError(
                f"{name} of {category} release {release} is not what was signed; restore it"
            )
        return content
