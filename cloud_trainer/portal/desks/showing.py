"""Products and photos as those who ask may see them.

Owns what a provider learns of other organisations' products: that one looks alike, neither which
nor its photo. Rows come in, shapes go out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cloud_trainer.portal.access import may_operate, may_provide, sees_only
from cloud_trainer.portal.desks.ground import photo_url
from cloud_trainer.portal.records.products import PhotoRow, ProductRow
from cloud_trainer.portal.views.products import Fault, Likeness, ProductBrief, ShownPhoto
from web.access import Asking

_ELSEWHERE = "a product of another provider"


def brief_of(asking: Asking, row: ProductRow, others: Mapping[str, ProductRow]) -> ProductBrief:
    """A product in a list.

    Args:
        asking: Who asks; sees the product itself.
        row: The product.
        others: Those that it looks like, as far as they are in the portal, by SKU.
    """
    alike = None
    if row.alike is not None:
        sku, distance = row.alike
        alike = likeness_of(asking, sku, distance, others.get(sku), is_confusing=True)
    return ProductBrief(
        sku=row.sku,
        name=row.fields.name,
        category=row.category,
        organisation=row.organisation,
        price=row.fields.price,
        currency=row.fields.currency,
        stage=row.standing.stage,
        reason=row.standing.reason,
        good_photos=row.good_photos,
        photos=row.photos,
        photo_url=photo_url(row.sku, row.cover),
        most_alike=alike,
        changed_at=row.changed_at,
        revision=row.standing.revision,
    )


def likeness_of(
    asking: Asking, sku: str, distance: float, other: ProductRow | None, *, is_confusing: bool
) -> Likeness:
    """Another product that looks alike; which one only for those who see it.

    Args:
        asking: Who asks.
        sku: The other product.
        distance: How far it is.
        other: Its row; ``None`` where only a bundle knows it.
        is_confusing: Whether decisions between the two will suffer.
    """
    hidden = other is not None and not is_seen(asking, other)
    return Likeness(
        sku="" if hidden else sku,
        name=_ELSEWHERE if hidden else (sku if other is None else other.fields.name),
        photo_url=None if hidden or other is None else photo_url(sku, other.cover),
        distance=round(distance, 4),
        is_confusing=is_confusing,
    )


def photo_of(asking: Asking, photo: PhotoRow, others: Mapping[str, ProductRow]) -> ShownPhoto:
    """A photo with its verdict.

    Args:
        asking: Who asks; sees its product.
        photo: The photo.
        others: Products that its faults and its neighbours speak of, by SKU.
    """
    nearest = [
        likeness_of(
            asking, each.sku, each.distance, others.get(each.sku), is_confusing=each.is_confusing
        )
        for each in photo.nearest
    ]
    return ShownPhoto(
        photo_id=photo.photo_id,
        name=photo.name,
        url=photo_url(photo.sku, photo.photo_id) or "",
        width_px=photo.width_px,
        height_px=photo.height_px,
        is_good=photo.is_good or photo.is_kept,
        is_kept_by_hand=photo.is_kept,
        faults=tuple(_fault_of(asking, each, others) for each in photo.faults),
        nearest=tuple(nearest),
        added_at=photo.added_at,
        added_by=photo.added_by,
        is_approved=photo.is_approved,
    )


def spoken_of(photos: Iterable[PhotoRow]) -> set[str]:
    """Products that photos' faults and neighbours speak of."""
    found: set[str] = set()
    for photo in photos:
        found |= {each.sku for each in photo.faults if each.sku}
        found |= {each.sku for each in photo.nearest}
    return found


def is_seen(asking: Asking, row: ProductRow) -> bool:
    """Whether whoever asks sees a product."""
    return sees_only(asking) in (None, row.organisation)


def possible_acts(asking: Asking, row: ProductRow, least_photos: int) -> tuple[str, ...]:
    """What whoever asks may do with a product now."""
    acts: list[str] = []
    state, is_withdrawn = row.standing.state, row.standing.is_withdrawn
    if may_provide(asking):
        acts.append("change")
        is_open = state in ("collecting", "refused") or (is_withdrawn and state != "waiting")
        if is_open and row.good_photos >= least_photos:
            acts.append("hand_in")
        if not is_withdrawn or state == "waiting":
            acts.append("withdraw")
    if may_operate(asking):
        if state == "waiting":
            acts += ["approve", "refuse"]
        acts.append("arrange")
    return tuple(acts)


def _fault_of(asking: Asking, fault: Fault, others: Mapping[str, ProductRow]) -> Fault:
    other = None if fault.sku is None else others.get(fault.sku)
    if other is None or is_seen(asking, other):
        return fault
    reasons = {
        "two_skus": f"the same picture as a photo of {_ELSEWHERE}: hand in your own photos",
        "looks_like_another": f"it looks more like {_ELSEWHERE} than like its own product's photos",
    }
    reason = reasons.get(fault.kind, f"it has to do with {_ELSEWHERE}")
    return Fault(kind=fault.kind, reason=reason)
