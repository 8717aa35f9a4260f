"""Published releases as bundles on this machine's disk, fetched once and verified."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from cloud_trainer.publishing import (
    Repository,
    RepositoryDamagedError,
    current_plan,
    read_release,
)
from models.bundle import Bundle, open_bundle
from models.delivery import RolloutPlan, stored_target

_KEPT = 3


class LocalReleases:
    """Releases of one repository in a folder.

    Args:
        repository: Where they are published.
        folder: Where they are kept; what lies there may be deleted at any time.
    """

    def __init__(self, repository: Repository, folder: Path) -> None:
        self._repository, self._folder = repository, folder
        self._opened: dict[tuple[str, int], Bundle] = {}

    def plan(self, category: str) -> RolloutPlan | None:
        """What devices may run; ``None`` before the first release.

        Raises:
            PublishingError: The repository cannot be believed.
            StoreError: The store cannot be read.
        """
        return current_plan(self._repository, category) if self._repository.exists() else None

    def bundle(self, category: str, release: int) -> Bundle:
        """A release as a bundle.

        Raises:
            PublishingError: There is no such release, or it is damaged.
            StoreError: The store cannot be read.
            BundleError: It is no bundle that can be used.
        """
        if (category, release) not in self._opened:
            folder = self._folder / category / str(release)
            if not folder.exists():
                self._fetch(category, release, folder)
            self._opened[category, release] = open_bundle(folder)
            self._forget(category, release)
        return self._opened[category, release]

    def _fetch(self, category: str, release: int, folder: Path) -> None:
        wanted = read_release(self._repository, category, release)
        fresh = folder.with_name(f".{release}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        for file in wanted.files:
            content = self._repository.store.get(stored_target(file.target, file.sha256))
            if hashlib.sha256(content).hexdigest() != file.sha256:
                raise RepositoryDamagedError(
                    f"{file.name} of {category} release {release} is not what was signed; "
                    "restore it in the store"
                )
            path = fresh / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        fresh.rename(folder)

    def _forget(self, category: str, newest: int) -> None:
        """Remove releases that are not looked at any more."""
        kept = sorted(
            (int(path.name) for path in (self._folder / category).iterdir() if path.name.isdigit()),
            key=lambda number: (number == newest, number),
        )[-_KEPT:]
        for path in (self._folder / category).iterdir():
            if path.name.isdigit() and int(path.name) not in kept:
                shutil.rmtree(path, ignore_errors=True)
                self._opened.pop((category, int(path.name)), None)
