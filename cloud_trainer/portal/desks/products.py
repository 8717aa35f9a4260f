"""The desk of products: looked at, changed, handed in, approved, refused, withdrawn.

Owns the order of reading, deciding and writing; what may become of a product is
``portal.products``' business, photos are ``desks.photos``'.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from pydantic import ValidationError
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from cloud_trainer.portal import products
from cloud_trainer.portal.access import may_operate, sees_only
from cloud_trainer.portal.desks.ground import Desk, photo_url, seen_product
from cloud_trainer.portal.desks.showing import (
    brief_of,
    is_seen,
    likeness_of,
    photo_of,
    possible_acts,
    spoken_of,
)
from cloud_trainer.portal.errors import PortalRefusedError, PortalUnusableError
from cloud_trainer.portal.looks import Vector, read_vector
from cloud_trainer.portal.products import Standing
from cloud_trainer.portal.records import products as records
from cloud_trainer.portal.records.products import PhotoRow, ProductRow
from cloud_trainer.portal.views.products import (
    Alike,
    ConfusionCost,
    Happening,
    Likeness,
    LiveIn,
    ProductBrief,
    ProductFields,
    ShownProduct,
    Stage,
)
from models.bundle.manifest import first_complaint
from models.catalogue import DEFAULT_CATEGORY
from models.decision import pool
from models.delivery import SOFTWARE
from web.access import Asking
from web.shape import Listed

_SHOWN_PHOTOS: Final = 6
_ALIKE: Final = 6
_Embedded: TypeAlias = "list[tuple[PhotoRow, Vector]]"


class ProductDesk(Desk):
    """Answers for products."""

    def products(
        self,
        asking: Asking,
        *,
        query: str = "",
        stage: Stage | None = None,
        category: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Listed[ProductBrief]:
        """See ``Portal``."""
        with self._ground.database.reading() as connection:
            rows = records.listed(
                connection,
                organisation=sees_only(asking),
                query=query.strip(),
                stage=stage,
                category=category,
                after=after,
                limit=limit + 1,
            )
            others = records.rows_of(connection, [row.alike[0] for row in rows if row.alike])
        shown = tuple(brief_of(asking, row, others) for row in rows[:limit])
        return Listed[ProductBrief](items=shown, next=shown[-1].sku if len(rows) > limit else None)

    def product(self, asking: Asking, sku: str) -> ShownProduct:
        """See ``Portal``."""
        with self._ground.database.reading() as connection:
            row = seen_product(connection, asking, sku)
            photos = records.photos_of(connection, sku)
            wanted = spoken_of(photos) | ({row.alike[0]} if row.alike else set())
            others = records.rows_of(connection, wanted)
            happened = records.history(connection, sku)
        least = self._ground.places.config.least_photos
        return ShownProduct(
            **brief_of(asking, row, others).model_dump(),
            gtin=row.fields.gtin,
            view_group=row.fields.view_group,
            all_photos=tuple(photo_of(asking, photo, others) for photo in photos),
            live_in=self._live_in(row),
            history=tuple(Happening(**each) for each in happened),
            can=possible_acts(asking, row, least),
            needs_photos=max(0, least - row.good_photos),
        )

    def put_product(self, asking: Asking, sku: str, fields: ProductFields) -> ShownProduct:
        """See ``Portal``."""
        try:
            with self._ground.database.writing() as connection:
                put_in(connection, asking, sku, fields, self._ground.wall_time_s())
        except IntegrityError as err:
            raise _taken(sku) from err
        return self.product(asking, sku)

    def hand_in(self, asking: Asking, sku: str) -> ShownProduct:
        """See ``Portal``."""
        now_s, least = self._ground.wall_time_s(), self._ground.places.config.least_photos
        return self._change(
            asking,
            sku,
            "handed_in",
            "",
            lambda row: products.handed_in(row.standing, row.good_photos, least, now_s),
        )

    def approve(self, asking: Asking, sku: str, revision: int | None = None) -> ShownProduct:
        """See ``Portal``."""
        now_s = self._ground.wall_time_s()
        with self._ground.database.writing() as connection:
            row = seen_product(connection, asking, sku, lock=True)
            photos = records.photos_of(connection, sku, removed_too=True)
            used = [photo.photo_id for photo in photos if photo.is_used]
            standing = products.approved(row.standing, products.edition_of(used), revision)
            records.set_photos(connection, sku, used, is_approved=True)
            unused = {photo.photo_id for photo in photos} - set(used)
            records.set_photos(connection, sku, unused, is_approved=False)
            for photo in photos:
                if photo.is_removed:
                    records.delete_photo(connection, sku, photo.photo_id)
            records.write_product(connection, row, row.fields, standing, now_s, row.fields)
            said = f"revision {standing.revision}, {len(used)} photos"
            records.note(connection, sku, asking.name, "approved", said, now_s)
        return self.product(asking, sku)

    def refuse(self, asking: Asking, sku: str, reason: str) -> ShownProduct:
        """See ``Portal``."""
        if not reason.strip():
            raise PortalUnusableError("say why, so that its provider knows what to change")
        return self._change(
            asking, sku, "refused", reason, lambda row: products.refused(row.standing, reason)
        )

    def withdraw(self, asking: Asking, sku: str, reason: str = "") -> ShownProduct:
        """See ``Portal``."""
        now_s = self._ground.wall_time_s()
        shown = self._change(
            asking,
            sku,
            "withdrawn",
            reason,
            lambda row: products.withdrawn(row.standing, reason, now_s),
        )
        self._ground.looks.put("", sku, None)
        return shown

    def alike(self, asking: Asking, sku: str) -> tuple[Alike, ...]:
        """See ``Portal``."""
        looks = self._ground.looks
        with self._ground.database.reading() as connection:
            row = seen_product(connection, asking, sku)
            own = _embedded(records.photos_of(connection, sku))
            if not own:
                return ()
            mean = _mean([vector for _, vector in own])
            bundle = looks.serving(row.category)
            if bundle is None or own[0][0].space != bundle.manifest.space_id:
                return ()
            near = looks.nearest(row.category, mean, sku, _ALIKE)
            others = records.rows_of(connection, [each.sku for each in near])
            theirs = {
                each.sku: _embedded(records.photos_of(connection, each.sku))
                for each in near
                if each.sku in others and is_seen(asking, others[each.sku])
            }
        return tuple(
            self._alike(
                row.category,
                own,
                likeness_of(
                    asking,
                    each.sku,
                    each.distance,
                    others.get(each.sku),
                    is_confusing=each.is_confusing,
                ),
                theirs.get(each.sku, []),
            )
            for each in near
        )

    def _alike(self, category: str, own: _Embedded, likeness: Likeness, theirs: _Embedded) -> Alike:
        """A near-duplicate: the photos that look most alike side by side, and what it costs."""
        sku = own[0][0].sku
        pairs: list[tuple[float, str, str]] = []
        for mine, vector in own:
            for other, other_vector in theirs:
                distance = float(1.0 - vector @ other_vector)
                pairs.append((distance, mine.photo_id, other.photo_id))
        pairs.sort()
        shown = pairs[:_SHOWN_PHOTOS]
        cost = other_cost = None
        if theirs:
            mine_seen, theirs_seen = [each for _, each in own], [each for _, each in theirs]
            looks = self._ground.looks
            cost = looks.cost(category, mine_seen, theirs_seen, sku, likeness.sku)
            other_cost = looks.cost(category, theirs_seen, mine_seen, likeness.sku, sku)
        return Alike(
            likeness=likeness,
            photo_urls=tuple(str(photo_url(likeness.sku, other)) for _, _, other in shown),
            own_photo_urls=tuple(str(photo_url(sku, mine)) for _, mine, _ in shown),
            cost=cost,
            other_cost=other_cost,
            advice=_advice(likeness, cost, other_cost),
        )

    def _live_in(self, row: ProductRow) -> tuple[LiveIn, ...]:
        """Devices of the product's category; nothing is known of them here."""
        return ()

    def _change(
        self,
        asking: Asking,
        sku: str,
        what: str,
        about: str,
        change: Callable[[ProductRow], Standing],
    ) -> ShownProduct:
        """Change how a product stands, with a line of its history."""
        now_s = self._ground.wall_time_s()
        with self._ground.database.writing() as connection:
            row = seen_product(connection, asking, sku, lock=True)
            standing = change(row)
            if standing != row.standing:
                records.write_product(connection, row, row.fields, standing, now_s)
                records.note(connection, sku, asking.name, what, about, now_s)
        return self.product(asking, sku)


def put_in(
    connection: Connection, asking: Asking, sku: str, fields: ProductFields, now_s: float
) -> None:
    """Add a product, or change what is said of it, in a transaction.

    Raises:
        PortalRefusedError: The SKU is another organisation's.
        PortalUnusableError: No catalogue would take what is said.
        sqlalchemy.exc.IntegrityError: Somebody else added the SKU at the same moment.
    """
    row = records.product_row(connection, sku, lock=True)
    if row is None:
        about = _checked(sku, fields, fields.category or DEFAULT_CATEGORY)
        records.add_product(connection, sku, sees_only(asking) or "", about, now_s)
        records.note(connection, sku, asking.name, "added", about.name, now_s)
        return
    if not is_seen(asking, row):
        raise _taken(sku)
    # Once approved, a product is where an operator arranged it.
    is_free = may_operate(asking) or row.approved is None
    category = fields.category if is_free and fields.category else row.category
    about = _checked(sku, fields, category)
    if about != row.fields:
        standing = products.changed(row.standing)
        records.write_product(connection, row, about, standing, now_s)
        said = _difference(row.fields, about)
        records.note(connection, sku, asking.name, "changed", said, now_s)


def _checked(sku: str, fields: ProductFields, category: str) -> ProductFields:
    """What a provider says, as a catalogue takes it, with the category where it is arranged."""
    if category == SOFTWARE:
        raise PortalUnusableError(f"{category} is the devices' own software; name another category")
    if (fields.price is None) != (fields.currency is None):
        raise PortalUnusableError("price and currency go together; give both or neither")
    try:
        fields.product(sku, category)
    except ValidationError as err:
        raise PortalUnusableError(f"{sku}: {first_complaint(err)}; correct it") from err
    return fields.model_copy(update={"category": category})


def _difference(before: ProductFields, after: ProductFields) -> str:
    old, new = before.model_dump(), after.model_dump()
    said = [f"{name}: {old[name] or 'nothing'} to {new[name] or 'nothing'}" for name in old]
    return "; ".join(each for name, each in zip(old, said, strict=True) if old[name] != new[name])[
        :400
    ]


def _taken(sku: str) -> PortalRefusedError:
    return PortalRefusedError(f"the SKU {sku} is taken; choose another one")


def _embedded(photos: list[PhotoRow]) -> _Embedded:
    """Photos that are used, with their looks, all of one space: that of the newest photo."""
    used = [each for each in photos if each.is_used and each.embedding is not None]
    space = used[-1].space if used else None
    return [(each, read_vector(each.embedding or b"")) for each in used if each.space == space]


def _mean(vectors: list[Vector]) -> Vector:
    return pool(np.stack(vectors))


def _advice(
    likeness: Likeness, cost: ConfusionCost | None, other_cost: ConfusionCost | None
) -> str:
    if not likeness.is_confusing:
        return "they look different enough; nothing to do"
    costs = [each for each in (cost, other_cost) if each is not None]
    if any(each.wrong for each in costs):
        return (
            "photos of one are taken for the other: if they are the same product, refuse one; if "
            "not, give both the same view group, or ask for photos of what differs"
        )
    if any(each.accepted < each.accepted_alone for each in costs):
        return "some of their photos would go to a person: ask for photos of what differs"
    if not costs:
        return "they look alike; approve only if they are different products"
    return "they look alike and are told apart on these photos; approve if both are sold"
