"""The desk of photos: each judged when it comes, alone, against its product's, against others'.

Owns the verdict's order: what is wrong with the photo itself, whether the same picture is there
already, whether it looks more like another product. Measures are ``portal.photos``' and
``portal.looks``' business.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from sqlalchemy import Connection

from cloud_trainer.portal import products
from cloud_trainer.portal.desks.ground import Desk, photo_url, seen_product
from cloud_trainer.portal.desks.showing import photo_of, spoken_of
from cloud_trainer.portal.errors import PortalMissingError, PortalRefusedError
from cloud_trainer.portal.looks import Near, Seen, Vector, read_vector
from cloud_trainer.portal.photos import WIDTHS_PX, Judged, shown_name
from cloud_trainer.portal.records import products as records
from cloud_trainer.portal.records.products import PhotoRow, ProductRow
from cloud_trainer.portal.views.products import Fault, Likeness, ShownPhoto
from cloud_trainer.quality import is_same_picture
from models.decision import pool
from models.photos import PhotoError, decode_photo
from web.access import Asking

MOST_PHOTOS: Final = 200
_NEIGHBOURS: Final = 3
_OWN_PHOTOS_TO_JUDGE_BY: Final = 2
# By so much nearer to another product than to its own photos, a photo is taken to be of that one.
_NEARER_BY: Final = 0.05


class PhotoDesk(Desk):
    """Answers for photos."""

    def add_photo(self, asking: Asking, sku: str, name: str, content: bytes) -> ShownPhoto:
        """See ``Portal``."""
        shelf, looks = self._ground.shelf, self._ground.looks
        with self._ground.database.reading() as connection:
            row = seen_product(connection, asking, sku)
        judged = shelf.judge(content, name)
        with self._ground.database.reading() as connection:
            own = records.photos_of(connection, sku)
            copies = records.possible_copies(connection, judged.look.bands)
            filed = records.rows_of(connection, {each.sku for each in copies})
        there = next((each for each in own if each.photo_id == judged.photo_id), None)
        if there is not None:
            return self._shown(asking, there)
        if len(own) >= MOST_PHOTOS:
            raise PortalRefusedError(f"{sku} has {len(own)} photos; remove some first")
        seen = looks.see(row.category, judged.pixels)
        near = [] if seen is None else looks.nearest(row.category, seen.vector, sku, _NEIGHBOURS)
        faults = (
            *judged.faults,
            *self._copies(row, judged, copies, filed),
            *self._of_another(own, seen, near),
        )
        now_s = self._ground.wall_time_s()
        photo = _photo_row(row, judged, name, seen, faults, near, asking.name, now_s, len(own))
        shelf.keep(judged, content)
        with self._ground.database.writing() as connection:
            row = seen_product(connection, asking, sku, lock=True)
            place = 1 + max((each.place for each in records.photos_of(connection, sku)), default=0)
            records.put_photo(connection, replace(photo, place=place))
            self._has_changed(connection, asking, row, f"{photo.name} added")
        return self._shown(asking, photo)

    def remove_photo(self, asking: Asking, sku: str, photo_id: str) -> None:
        """See ``Portal``."""
        self._fetch_what_serves(asking, sku)
        with self._ground.database.writing() as connection:
            row = seen_product(connection, asking, sku, lock=True)
            photo = records.photo_row(connection, sku, photo_id)
            if photo is None or photo.is_removed:
                raise _no_photo(sku)
            if photo.is_approved:
                # What was approved is recognised by it until the change is approved.
                records.set_photos(connection, sku, [photo_id], is_removed=True)
            else:
                records.delete_photo(connection, sku, photo_id)
            self._has_changed(connection, asking, row, f"{photo.name} removed")
            is_needed = records.is_photo_used(connection, photo_id)
        if not is_needed:
            self._ground.shelf.forget(photo_id)

    def keep_photo(self, asking: Asking, sku: str, photo_id: str, is_kept: bool) -> ShownPhoto:
        """See ``Portal``."""
        self._fetch_what_serves(asking, sku)
        with self._ground.database.writing() as connection:
            row = seen_product(connection, asking, sku, lock=True)
            photo = records.photo_row(connection, sku, photo_id)
            if photo is None or photo.is_removed:
                raise _no_photo(sku)
            records.set_photos(connection, sku, [photo_id], is_kept=is_kept)
            if row.standing.state == "waiting":
                # An operator decides about it while it waits; nothing is to be handed in again.
                self._summarise(connection, row)
            else:
                said = "used in spite of its faults" if is_kept else "not used any more"
                self._has_changed(connection, asking, row, f"{photo.name} {said}")
        return self._shown(asking, replace(photo, is_kept=is_kept))

    def photo(self, asking: Asking, sku: str, photo_id: str, width_px: int | None) -> bytes:
        """See ``Portal``."""
        with self._ground.database.reading() as connection:
            seen_product(connection, asking, sku)
            if records.photo_row(connection, sku, photo_id) is None:
                raise _no_photo(sku)
        if width_px is None:
            return self._ground.shelf.original(photo_id)
        width_px = next((each for each in WIDTHS_PX if each >= width_px), WIDTHS_PX[-1])
        return self._ground.shelf.picture(photo_id, width_px)

    def refresh_looks(self, limit: int = 50) -> int:
        """Look at photos anew where another network serves by now; how many there were.

        Args:
            limit: So many of a category at most, for others wait meanwhile.

        Raises:
            PortalRecordsError: The database cannot be read or written now.
            StoreError: The photos' store cannot be read.
        """
        with self._ground.database.reading() as connection:
            categories = sorted(records.stages_by_category(connection))
        looked = 0
        for category in categories:
            bundle = self._ground.looks.serving(category)
            if bundle is None:
                continue
            space = bundle.manifest.space_id
            with self._ground.database.reading() as connection:
                wanted = records.photos_unlike(connection, category, space, limit)
            for sku, photo_id in wanted:
                seen = self._look_anew(category, photo_id)
                with self._ground.database.writing() as connection:
                    kept = None if seen is None else seen.kept()
                    records.set_look(connection, sku, photo_id, space, kept)
            for sku in sorted({sku for sku, _ in wanted}):
                with self._ground.database.writing() as connection:
                    row = records.product_row(connection, sku, lock=True)
                    if row is not None:
                        self._summarise(connection, row)
            looked += len(wanted)
        return looked

    def _look_anew(self, category: str, photo_id: str) -> Seen | None:
        try:
            pixels = decode_photo(self._ground.shelf.original(photo_id), photo_id)
        except (PhotoError, PortalMissingError):
            return None
        return self._ground.looks.see(category, pixels)

    def _shown(self, asking: Asking, photo: PhotoRow) -> ShownPhoto:
        with self._ground.database.reading() as connection:
            others = records.rows_of(connection, spoken_of([photo]))
        return photo_of(asking, photo, others)

    def _copies(
        self,
        row: ProductRow,
        judged: Judged,
        copies: list[PhotoRow],
        filed: dict[str, ProductRow],
    ) -> list[Fault]:
        """Faults of a photo that is here already, under this product or another one."""
        found: list[Fault] = []
        for each in copies:
            look = self._ground.shelf.look(each.photo_id)
            if look is None or not is_same_picture(judged.look, look):
                continue
            url = photo_url(each.sku, each.photo_id)
            if each.sku == row.sku:
                reason = f"the same picture as {each.name}"
                found.append(Fault(kind="duplicate", reason=reason, sku=each.sku, photo_url=url))
                continue
            group = filed[each.sku].fields.view_group
            if group is None or group != row.fields.view_group:
                reason = f"the same picture as {each.name} of {each.sku}: keep it where it belongs"
                found.append(Fault(kind="two_skus", reason=reason, sku=each.sku, photo_url=url))
        return found

    @staticmethod
    def _of_another(own: list[PhotoRow], seen: Seen | None, near: list[Near]) -> list[Fault]:
        """The fault of a photo that is nearer to another product than to its own others."""
        mean = None if seen is None else _mean_look(own, seen.space)
        if seen is None or mean is None or not near or not near[0].is_confusing:
            return []
        here, there = float(1.0 - mean @ seen.vector), near[0].distance
        if there + _NEARER_BY >= here:
            return []
        reason = (
            f"it looks more like {near[0].sku} (distance {there:.2f}) than like this product's "
            f"other photos ({here:.2f}): see whether it is the right product"
        )
        return [Fault(kind="looks_like_another", reason=reason, sku=near[0].sku)]

    def _fetch_what_serves(self, asking: Asking, sku: str) -> None:
        """Have the bundle at hand before a transaction asks for it: others wait for that one."""
        with self._ground.database.reading() as connection:
            row = seen_product(connection, asking, sku)
        self._ground.looks.serving(row.category)

    def _has_changed(
        self, connection: Connection, asking: Asking, row: ProductRow, about: str
    ) -> None:
        now_s = self._ground.wall_time_s()
        standing = products.changed(row.standing)
        records.write_product(connection, row, row.fields, standing, now_s)
        records.note(connection, row.sku, asking.name, "photo", about, now_s)
        self._summarise(connection, row)

    def _summarise(self, connection: Connection, row: ProductRow) -> None:
        """Count photos, and keep how the product looks now and what it looks like."""
        photos = records.photos_of(connection, row.sku)
        bundle = self._ground.looks.serving(row.category)
        space = None if bundle is None else bundle.manifest.space_id
        mean = None if space is None else _mean_look(photos, space, least=1)
        if space is None or mean is None:
            records.write_summary(connection, row.sku, None, None)
            self._ground.looks.put("", row.sku, None)
            return
        near = self._ground.looks.nearest(row.category, mean, row.sku, 1)
        alike = (near[0].sku, near[0].distance) if near and near[0].is_confusing else None
        records.write_summary(connection, row.sku, (Seen(space, mean).kept(), space), alike)
        self._ground.looks.put(space, row.sku, mean)


def _mean_look(
    photos: list[PhotoRow], space: str, least: int = _OWN_PHOTOS_TO_JUDGE_BY
) -> Vector | None:
    vectors = [
        read_vector(each.embedding)
        for each in photos
        if each.is_used and each.space == space and each.embedding is not None
    ]
    return pool(np.stack(vectors)) if len(vectors) >= least else None


def _photo_row(
    row: ProductRow,
    judged: Judged,
    name: str,
    seen: Seen | None,
    faults: tuple[Fault, ...],
    near: list[Near],
    by: str,
    now_s: float,
    place: int,
) -> PhotoRow:
    first, second, third = judged.look.bands
    return PhotoRow(
        sku=row.sku,
        photo_id=judged.photo_id,
        place=place,
        name=shown_name(name),
        added_at=now_s,
        added_by=by,
        width_px=judged.look.quality.width_px,
        height_px=judged.look.quality.height_px,
        size_bytes=judged.size_bytes,
        suffix=judged.suffix,
        faults=faults,
        nearest=tuple(
            Likeness(
                sku=each.sku,
                name=each.sku,
                photo_url=None,
                distance=round(each.distance, 4),
                is_confusing=each.is_confusing,
            )
            for each in near
        ),
        is_good=not faults,
        is_kept=False,
        is_approved=False,
        is_removed=False,
        hash_bits=judged.hash_bits,
        bands=(first, second, third),
        embedding=None if seen is None else seen.kept(),
        space=None if seen is None else seen.space,
    )


def _no_photo(sku: str) -> PortalMissingError:
    return PortalMissingError(f"{sku} has no such photo (any more); load the product again")
