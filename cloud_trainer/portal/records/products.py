"""Products, their photos and their history in the database.

Owns how rows are read and written; what may become of a product is ``portal.products``' business.
Every function takes an open transaction, so that a change and its line of history are one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, and_, delete, func, insert, or_, select, update

from cloud_trainer.portal.products import Standing
from cloud_trainer.portal.records.tables import HAPPENINGS, PHOTOS, PRODUCTS
from cloud_trainer.portal.views.products import Fault, Likeness, ProductFields, Stage

_STANDING: Final = tuple(field.name for field in fields(Standing))
_FIELDS: Final = tuple(ProductFields.model_fields)


@dataclass(frozen=True)
class ProductRow:
    """A product as it is kept.

    Attributes:
        sku: The product.
        organisation: Whose it is.
        fields: What its provider says of it; the category is where it is arranged.
        standing: How it stands.
        approved: The fields as they were approved last.
        good_photos: Photos that are used.
        photos: All of them.
        cover: Id of one of them.
        alike: The product that looks most alike, and how far it is, where decisions would suffer.
        changed_at: Seconds since 1970.
    """

    sku: str
    organisation: str
    fields: ProductFields
    standing: Standing
    approved: ProductFields | None
    good_photos: int
    photos: int
    cover: str | None
    alike: tuple[str, float] | None
    changed_at: float

    @property
    def category(self) -> str:
        """Where it is arranged."""
        return str(self.fields.category)


@dataclass(frozen=True)
class PhotoRow:
    """A photo as it is kept; see the table."""

    sku: str
    photo_id: str
    place: int
    name: str
    added_at: float
    added_by: str
    width_px: int
    height_px: int
    size_bytes: int
    suffix: str
    faults: tuple[Fault, ...]
    nearest: tuple[Likeness, ...]
    is_good: bool
    is_kept: bool
    is_approved: bool
    is_removed: bool
    hash_bits: str
    bands: tuple[int, int, int]
    embedding: bytes | None
    space: str | None

    @property
    def is_used(self) -> bool:
        """Whether it shows the product as it is now."""
        return (self.is_good or self.is_kept) and not self.is_removed


def product_row(connection: Connection, sku: str, *, lock: bool = False) -> ProductRow | None:
    """A product; locked, nobody else changes it until the transaction ends."""
    query = select(PRODUCTS).where(PRODUCTS.c.sku == sku)
    found = connection.execute(query.with_for_update() if lock else query).first()
    return None if found is None else _product(found)


def listed(
    connection: Connection,
    *,
    organisation: str | None,
    query: str = "",
    stage: Stage | None = None,
    category: str | None = None,
    after: str | None = None,
    limit: int,
) -> list[ProductRow]:
    """Products by SKU, those that wait in the order in which they were handed in."""
    wanted = _seen(select(PRODUCTS), organisation)
    if stage is not None:
        wanted = wanted.where(PRODUCTS.c.stage == stage)
    if category is not None:
        wanted = wanted.where(PRODUCTS.c.category == category)
    if query:
        wanted = wanted.where(_begins(query))
    if stage == "waiting":
        wanted = wanted.order_by(PRODUCTS.c.handed_in_at, PRODUCTS.c.sku)
        before = None if after is None else product_row(connection, after)
        if before is not None:
            at = before.standing.handed_in_at or 0.0
            wanted = wanted.where(
                or_(
                    PRODUCTS.c.handed_in_at > at,
                    and_(PRODUCTS.c.handed_in_at == at, PRODUCTS.c.sku > before.sku),
                )
            )
    else:
        wanted = wanted.order_by(PRODUCTS.c.sku)
        if after is not None:
            wanted = wanted.where(PRODUCTS.c.sku > after)
    return [_product(row) for row in connection.execute(wanted.limit(limit))]


def rows_of(connection: Connection, skus: Iterable[str]) -> dict[str, ProductRow]:
    """Some products by SKU; those that are not there are missing."""
    wanted = sorted(set(skus))
    query = select(PRODUCTS).where(PRODUCTS.c.sku.in_(wanted))
    return {row.sku: _product(row) for row in connection.execute(query)} if wanted else {}


def stages(connection: Connection, organisation: str | None) -> dict[str, int]:
    """How many products there are of each stage."""
    query = select(PRODUCTS.c.stage, func.count()).group_by(PRODUCTS.c.stage)
    return {
        str(stage): int(count) for stage, count in connection.execute(_seen(query, organisation))
    }


def stages_by_category(connection: Connection) -> dict[str, dict[str, int]]:
    """How many products there are of each stage in each category, by category."""
    query = select(PRODUCTS.c.category, PRODUCTS.c.stage, func.count()).group_by(
        PRODUCTS.c.category, PRODUCTS.c.stage
    )
    found: dict[str, dict[str, int]] = {}
    for category, stage, count in connection.execute(query.order_by(PRODUCTS.c.category)):
        found.setdefault(str(category), {})[str(stage)] = int(count)
    return found


def add_product(
    connection: Connection, sku: str, organisation: str, about: ProductFields, now_s: float
) -> ProductRow:
    """A new product; its category is given.

    Raises:
        sqlalchemy.exc.IntegrityError: The SKU is there already.
    """
    standing = Standing()
    row = ProductRow(sku, organisation, about, standing, None, 0, 0, None, None, now_s)
    values = {
        "sku": sku,
        "organisation": organisation,
        "good_photos": 0,
        "photos": 0,
        **_columns(row),
    }
    connection.execute(insert(PRODUCTS).values(values))
    return row


def write_product(
    connection: Connection,
    row: ProductRow,
    about: ProductFields,
    standing: Standing,
    now_s: float,
    approved: ProductFields | None = None,
) -> None:
    """Write what a product says and how it stands.

    Args:
        connection: In a transaction that has it locked.
        row: As it was read.
        about: What its provider says.
        standing: How it stands.
        now_s: Seconds since 1970.
        approved: The fields where they were approved by this.
    """
    changed = ProductRow(
        **{
            **{field.name: getattr(row, field.name) for field in fields(ProductRow)},
            "fields": about,
            "standing": standing,
            "approved": approved or row.approved,
            "changed_at": now_s,
        }
    )
    connection.execute(update(PRODUCTS).where(PRODUCTS.c.sku == row.sku).values(_columns(changed)))


def photos_of(connection: Connection, sku: str, *, removed_too: bool = False) -> list[PhotoRow]:
    """Photos of a product in the order in which they were handed in."""
    query = select(PHOTOS).where(PHOTOS.c.sku == sku).order_by(PHOTOS.c.place)
    if not removed_too:
        query = query.where(PHOTOS.c.is_removed.is_(False))
    return [_photo(row) for row in connection.execute(query)]


def photo_row(connection: Connection, sku: str, photo_id: str) -> PhotoRow | None:
    """A photo of a product."""
    found = connection.execute(
        select(PHOTOS).where(PHOTOS.c.sku == sku, PHOTOS.c.photo_id == photo_id)
    ).first()
    return None if found is None else _photo(found)


def possible_copies(
    connection: Connection, bands: Sequence[int], limit: int = 64
) -> list[PhotoRow]:
    """Photos of any product that may be the same picture: they share a part of its hash."""
    columns = (PHOTOS.c.band_0, PHOTOS.c.band_1, PHOTOS.c.band_2)
    found: dict[tuple[str, str], PhotoRow] = {}
    # One index each: a condition over all three would read the whole table.
    for column, band in zip(columns, bands, strict=True):
        query = select(PHOTOS).where(column == band, PHOTOS.c.is_removed.is_(False)).limit(limit)
        for row in connection.execute(query):
            photo = _photo(row)
            found[photo.sku, photo.photo_id] = photo
    return list(found.values())[:limit]


def put_photo(connection: Connection, photo: PhotoRow) -> None:
    """Write a photo; the same photo of the same product is one."""
    values = {
        field.name: getattr(photo, field.name)
        for field in fields(PhotoRow)
        if field.name != "bands"
    }
    values["faults"] = json.dumps([each.model_dump() for each in photo.faults])
    values["nearest"] = json.dumps([each.model_dump() for each in photo.nearest])
    values |= {f"band_{index}": band for index, band in enumerate(photo.bands)}
    delete_photo(connection, photo.sku, photo.photo_id)
    connection.execute(insert(PHOTOS).values(values))


def delete_photo(connection: Connection, sku: str, photo_id: str) -> None:
    """Forget a photo of a product."""
    connection.execute(delete(PHOTOS).where(PHOTOS.c.sku == sku, PHOTOS.c.photo_id == photo_id))


def set_photos(connection: Connection, sku: str, photo_ids: Iterable[str], **values: bool) -> None:
    """Change marks of some photos of a product."""
    wanted = list(photo_ids)
    if wanted:
        connection.execute(
            update(PHOTOS).where(PHOTOS.c.sku == sku, PHOTOS.c.photo_id.in_(wanted)).values(values)
        )


def photos_unlike(
    connection: Connection, category: str, space: str, limit: int
) -> list[tuple[str, str]]:
    """Photos of a category that another network has looked at last, or none: SKU and photo."""
    query = (
        select(PHOTOS.c.sku, PHOTOS.c.photo_id)
        .join(PRODUCTS, PRODUCTS.c.sku == PHOTOS.c.sku)
        .where(
            PRODUCTS.c.category == category,
            PRODUCTS.c.is_withdrawn.is_(False),
            PHOTOS.c.is_removed.is_(False),
            or_(PHOTOS.c.space.is_(None), PHOTOS.c.space != space),
        )
        .order_by(PHOTOS.c.sku, PHOTOS.c.place)
        .limit(limit)
    )
    return [(str(sku), str(photo_id)) for sku, photo_id in connection.execute(query)]


def set_look(
    connection: Connection, sku: str, photo_id: str, space: str, embedding: bytes | None
) -> None:
    """Keep how a photo looks to a network; ``None`` where the photo is not to be had."""
    connection.execute(
        update(PHOTOS)
        .where(PHOTOS.c.sku == sku, PHOTOS.c.photo_id == photo_id)
        .values(space=space, embedding=embedding)
    )


def is_photo_used(connection: Connection, photo_id: str) -> bool:
    """Whether any product has a photo."""
    query = select(PHOTOS.c.sku).where(PHOTOS.c.photo_id == photo_id).limit(1)
    return connection.execute(query).first() is not None


def approved_photos(connection: Connection, sku: str) -> list[PhotoRow]:
    """Photos that were approved, in the order in which they were handed in."""
    query = (
        select(PHOTOS)
        .where(PHOTOS.c.sku == sku, PHOTOS.c.is_approved.is_(True))
        .order_by(PHOTOS.c.place)
    )
    return [_photo(row) for row in connection.execute(query)]


def write_summary(
    connection: Connection,
    sku: str,
    look: tuple[bytes, str] | None,
    alike: tuple[str, float] | None,
) -> None:
    """Count a product's photos anew, and keep how it looks.

    Args:
        connection: In a transaction that has it locked.
        sku: The product.
        look: Its mean look and the space of that; ``None`` where nothing can embed it.
        alike: The product that looks most alike, where decisions would suffer.
    """
    photos = photos_of(connection, sku)
    used = [photo for photo in photos if photo.is_used]
    connection.execute(
        update(PRODUCTS)
        .where(PRODUCTS.c.sku == sku)
        .values(
            photos=len(photos),
            good_photos=len(used),
            cover=(used or photos)[0].photo_id if photos else None,
            look=None if look is None else look[0],
            look_space=None if look is None else look[1],
            alike_sku=None if alike is None else alike[0],
            alike_distance=None if alike is None else alike[1],
        )
    )


def looks_in(connection: Connection, space: str) -> list[tuple[str, bytes]]:
    """SKU and mean look of every product of a space that is not withdrawn."""
    query = select(PRODUCTS.c.sku, PRODUCTS.c.look).where(
        PRODUCTS.c.look_space == space, PRODUCTS.c.is_withdrawn.is_(False)
    )
    return [(str(sku), bytes(look)) for sku, look in connection.execute(query)]


def note(connection: Connection, sku: str, who: str, what: str, about: str, now_s: float) -> None:
    """Add a line to a product's history."""
    connection.execute(
        insert(HAPPENINGS).values(sku=sku, at=now_s, who=who, what=what, about=about)
    )


def history(connection: Connection, sku: str, limit: int = 100) -> list[Mapping[str, Any]]:
    """A product's history, newest first."""
    query = (
        select(HAPPENINGS.c.at, HAPPENINGS.c.who, HAPPENINGS.c.what, HAPPENINGS.c.about)
        .where(HAPPENINGS.c.sku == sku)
        .order_by(HAPPENINGS.c.place.desc())
        .limit(limit)
    )
    return [dict(row._mapping) for row in connection.execute(query)]


def count_happenings(connection: Connection, whats: Sequence[str], since: float) -> int:
    """How often something happened since a moment."""
    query = select(func.count()).where(HAPPENINGS.c.what.in_(whats), HAPPENINGS.c.at >= since)
    return int(connection.execute(query).scalar_one())


def _seen(query: Select[Any], organisation: str | None) -> Select[Any]:
    return query if organisation is None else query.where(PRODUCTS.c.organisation == organisation)


def _begins(query: str) -> Any:  # noqa: ANN401 -- a condition
    escaped = query.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    name, sku = func.lower(PRODUCTS.c.name), func.lower(PRODUCTS.c.sku)
    return or_(
        sku.like(f"{escaped}%", escape="\\"),
        PRODUCTS.c.gtin.like(f"{escaped}%", escape="\\"),
        name.like(f"{escaped}%", escape="\\"),
        name.like(f"% {escaped}%", escape="\\"),
    )


def _columns(row: ProductRow) -> dict[str, object]:
    return {
        **row.fields.model_dump(),
        **asdict(row.standing),
        "stage": row.standing.stage,
        "approved": None if row.approved is None else row.approved.model_dump_json(),
        "changed_at": row.changed_at,
    }


def _product(row: Row[Any]) -> ProductRow:
    values = row._mapping
    approved = values["approved"]
    alike = values["alike_sku"]
    return ProductRow(
        sku=values["sku"],
        organisation=values["organisation"],
        fields=ProductFields.model_construct(**{name: values[name] for name in _FIELDS}),
        standing=Standing(**{name: values[name] for name in _STANDING}),
        approved=None if approved is None else ProductFields.model_validate_json(approved),
        good_photos=values["good_photos"],
        photos=values["photos"],
        cover=values["cover"],
        alike=None if alike is None else (alike, float(values["alike_distance"])),
        changed_at=values["changed_at"],
    )


def _photo(row: Row[Any]) -> PhotoRow:
    values = dict(row._mapping)
    bands = (values.pop("band_0"), values.pop("band_1"), values.pop("band_2"))
    values["faults"] = tuple(Fault.model_validate(each) for each in json.loads(values["faults"]))
    values["nearest"] = tuple(
        Likeness.model_validate(each) for each in json.loads(values["nearest"])
    )
    embedding = values["embedding"]
    values["embedding"] = None if embedding is None else bytes(embedding)
    return PhotoRow(bands=bands, **values)
