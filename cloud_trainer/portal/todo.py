"""What the pipeline is to do, out of the portal's records: ``cloud_trainer.pipeline.ProductsToDo``.

Owns how approved photos become local files: copies under their hash in a cache folder, which may be
deleted at any time. Runs in the pipeline's process, beside the one that serves the pages.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, select

from cloud_trainer.pipeline import ApprovedProduct
from cloud_trainer.portal import products
from cloud_trainer.portal.photos import PhotoShelf
from cloud_trainer.portal.products import Standing
from cloud_trainer.portal.records import products as records
from cloud_trainer.portal.records.database import Database
from cloud_trainer.portal.records.products import ProductRow
from cloud_trainer.portal.records.tables import PRODUCTS
from cloud_trainer.portal.views.products import ProductFields

_PIPELINE: Final = "pipeline"


class PortalToDo:
    """Approved and withdrawn products, as the pipeline asks for them.

    Args:
        database: The portal's records.
        shelf: The portal's photos.
        cache: Folder for copies of photos.
        wall_time_s: Seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        shelf: PhotoShelf,
        cache: Path,
        wall_time_s: Callable[[], float],
    ) -> None:
        self._database = database
        self._shelf = shelf
        self._cache = cache
        self._wall_time_s = wall_time_s

    def categories(self) -> tuple[str, ...]:
        """See ``ProductsToDo``."""
        query = select(PRODUCTS.c.category).where(PRODUCTS.c.edition.is_not(None)).distinct()
        with self._database.reading() as connection:
            return tuple(sorted(str(category) for (category,) in connection.execute(query)))

    def approved(self, category: str) -> tuple[ApprovedProduct, ...]:
        """See ``ProductsToDo``."""
        found = []
        for sku, approved, edition in self._rows(category, withdrawn=False):
            fields = ProductFields.model_validate_json(approved)
            found.append(ApprovedProduct(fields.product(sku, category), edition))
        return tuple(found)

    def withdrawn(self, category: str) -> tuple[str, ...]:
        """See ``ProductsToDo``."""
        return tuple(sku for sku, _, _ in self._rows(category, withdrawn=True))

    def photos(self, sku: str) -> tuple[Path, ...]:
        """See ``ProductsToDo``.

        Raises:
            PortalMissingError: A photo is not kept any more.
            StoreError: The store cannot be read.
        """
        with self._database.reading() as connection:
            approved = records.approved_photos(connection, sku)
        return tuple(self._local(each.photo_id, each.suffix) for each in approved)

    def served(self, category: str, release: int, editions: Mapping[str, str]) -> None:
        """See ``ProductsToDo``."""
        query = select(PRODUCTS.c.sku).where(
            PRODUCTS.c.category == category,
            (PRODUCTS.c.edition.is_not(None)) | (PRODUCTS.c.served_edition.is_not(None)),
        )
        with self._database.reading() as connection:
            skus = [str(sku) for (sku,) in connection.execute(query.order_by(PRODUCTS.c.sku))]
        for sku in skus:
            edition = editions.get(sku)
            self._tell(
                sku,
                partial(products.served, release=release, edition=edition),
                "served" if edition else "gone",
                f"release {release} of {category}",
            )

    def refused(self, sku: str, edition: str, reason: str) -> None:
        """See ``ProductsToDo``."""
        self._tell(
            sku,
            lambda standing: products.not_enrolled(standing, edition, reason),
            "refused",
            reason,
        )

    def _rows(self, category: str, *, withdrawn: bool) -> list[tuple[str, str, str]]:
        query = (
            select(PRODUCTS.c.sku, PRODUCTS.c.approved, PRODUCTS.c.edition)
            .where(
                PRODUCTS.c.category == category,
                PRODUCTS.c.edition.is_not(None),
                PRODUCTS.c.is_withdrawn.is_(withdrawn),
            )
            .order_by(PRODUCTS.c.sku)
        )
        with self._database.reading() as connection:
            return [(str(s), str(a), str(e)) for s, a, e in connection.execute(query)]

    def _local(self, photo_id: str, suffix: str) -> Path:
        path = self._cache / "photos" / photo_id[:2] / f"{photo_id}{suffix}"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(f".{os.getpid()}.new")
            fresh.write_bytes(self._shelf.original(photo_id))
            fresh.replace(path)
        return path

    def _tell(
        self, sku: str, change: Callable[[Standing], Standing], what: str, about: str
    ) -> None:
        """Change how a product stands, where that changes anything; telling twice is once."""

        def changed(connection: Connection, row: ProductRow) -> Standing | None:
            standing = change(row.standing)
            return None if standing == row.standing else standing

        with self._database.reading() as connection:
            row = records.product_row(connection, sku)
            if row is None or changed(connection, row) is None:
                return
        now_s = self._wall_time_s()
        with self._database.writing() as connection:
            row = records.product_row(connection, sku, lock=True)
            standing = None if row is None else changed(connection, row)
            if row is None or standing is None:
                return
            records.write_product(connection, row, row.fields, standing, now_s)
            if standing.stage != row.standing.stage:
                records.note(connection, sku, _PIPELINE, what, about, now_s)
