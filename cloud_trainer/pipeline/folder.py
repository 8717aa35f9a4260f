"""A catalogue folder as the keeper of products: what lies in it is approved.

For whoever runs the pipeline without the portal. ``withdrawn.txt`` in the folder names SKUs, one a
line, that must not be recognised any more.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

from cloud_trainer.pipeline.seams import ApprovedProduct
from models.catalogue import Catalogue, load_catalogue

_LOGGER = logging.getLogger(__name__)
WITHDRAWN_NAME = "withdrawn.txt"


class FolderProducts:
    """See ``ProductsToDo``; the folder is read anew at each call of ``categories``.

    Args:
        path: A catalogue, as ``models.catalogue`` reads it.
        one_category: All products are of this category; of their own by default.

    Raises:
        CatalogueError: It is no catalogue.
    """

    def __init__(self, path: Path, one_category: str | None = None) -> None:
        self._path, self._one_category = path, one_category
        self._sums: dict[tuple[str, int, int], str] = {}
        self._withdrawn: tuple[str, ...] = ()
        self._read()

    def categories(self) -> tuple[str, ...]:
        """See ``ProductsToDo``."""
        self._read()
        return (self._one_category,) if self._one_category else self._catalogue.categories

    def approved(self, category: str) -> tuple[ApprovedProduct, ...]:
        """See ``ProductsToDo``."""
        found = []
        for product in self._catalogue.products:
            if self._one_category:
                product = product.model_copy(update={"category": self._one_category})
            if product.category == category and product.sku not in self._withdrawn:
                found.append(ApprovedProduct(product, self._edition(product.sku)))
        return tuple(found)

    def withdrawn(self, category: str) -> tuple[str, ...]:
        """See ``ProductsToDo``; the file does not say of which category, so of any."""
        return self._withdrawn

    def photos(self, sku: str) -> tuple[Path, ...]:
        """See ``ProductsToDo``."""
        return tuple(p.path for p in self._catalogue.photos_of(sku) if not p.negative)

    def served(self, category: str, release: int, editions: Mapping[str, str]) -> None:
        """See ``ProductsToDo``."""
        _LOGGER.info("%s: release %d serves, with %d products", category, release, len(editions))

    def refused(self, sku: str, edition: str, reason: str) -> None:
        """See ``ProductsToDo``."""
        _LOGGER.warning("%s cannot be enrolled: %s", sku, reason)

    def _read(self) -> None:
        self._catalogue: Catalogue = load_catalogue(self._path)
        folder = self._path if self._path.is_dir() else self._path.parent
        listed = folder / WITHDRAWN_NAME
        names = listed.read_text("utf-8").split("\n") if listed.is_file() else []
        self._withdrawn = tuple(sorted({name.strip() for name in names} - {""}))

    def _edition(self, sku: str) -> str:
        """A checksum over the photos; a file is read again only where it was changed."""
        digest = hashlib.sha256()
        for path in self.photos(sku):
            stat = path.stat()
            key = (str(path), stat.st_size, stat.st_mtime_ns)
            if key not in self._sums:
                self._sums[key] = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(self._sums[key].encode())
        return digest.hexdigest()[:16]
