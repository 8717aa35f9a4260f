"""Makes what goes out: photos gathered for a training, products enrolled into a bundle.

Owns which photos and crops a training sees, and which never, and the bundle that has everything
approved. What a training does with them is ``cloud_trainer.category``'s, what an enrolment is
``cloud_trainer.enrol``'s.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from cloud_trainer.enrol import with_product, without_product, write_revision
from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.inference import NetworkSession
from cloud_trainer.pipeline.crops import EventName, as_photo, is_held_out, name_of, read_crop
from cloud_trainer.pipeline.plan import listed
from cloud_trainer.pipeline.seams import ApprovedProduct, LabelledCrops
from cloud_trainer.pipeline.settings import PipelineSettings
from cloud_trainer.quality import usable
from models.bundle import Bundle
from models.catalogue import Catalogue, Photo, Product
from models.photos import PhotoError
from models.preprocess import Preprocessing

_GATHERED_NAME = "gathered.json"


@dataclass(frozen=True)
class Gathered:
    """What a training learns from.

    Attributes:
        products: The products.
        photos: Photos and crops to learn from.
        held_out: Photos of the same products that are kept for comparing.
        editions: By SKU, the edition that was gathered.
        events: Events that it learns from.
        set_aside: Photos that are not good enough.
    """

    products: tuple[Product, ...]
    photos: tuple[Photo, ...]
    held_out: tuple[Photo, ...]
    editions: Mapping[str, str]
    events: tuple[EventName, ...]
    set_aside: int

    def save(self, folder: Path) -> None:
        """Write it to a run's folder, whole."""
        document = {
            "products": [product.model_dump(mode="json") for product in self.products],
            "photos": [[str(p.path), p.sku, p.negative] for p in self.photos],
            "held_out": [[str(p.path), p.sku] for p in self.held_out],
            "editions": dict(self.editions),
            "events": list(self.events),
            "set_aside": self.set_aside,
        }
        fresh = folder / f"{_GATHERED_NAME}.new"
        fresh.write_text(json.dumps(document, indent=1))
        fresh.replace(folder / _GATHERED_NAME)

    @staticmethod
    def read(folder: Path) -> Gathered:
        """Read what ``save`` wrote."""
        document = json.loads((folder / _GATHERED_NAME).read_text())
        return Gathered(
            products=tuple(Product.model_validate(each) for each in document["products"]),
            photos=tuple(Photo(Path(path), sku, no) for path, sku, no in document["photos"]),
            held_out=tuple(Photo(Path(path), sku) for path, sku in document["held_out"]),
            editions=document["editions"],
            events=tuple((shop, event_id) for shop, event_id in document["events"]),
            set_aside=document["set_aside"],
        )


@dataclass(frozen=True)
class Made:
    """A bundle with what was approved.

    Attributes:
        bundle: The bundle.
        editions: By SKU, what is known to be behind its vectors.
        enrolled: SKUs that are new in it, or have new vectors.
        withdrawn: SKUs that are not in it any more.
        refused: SKUs that cannot be enrolled, with the reasons.
        close: By enrolled SKU, the nearest product that it will be hard to tell from.
    """

    bundle: Bundle
    editions: Mapping[str, str]
    enrolled: tuple[str, ...]
    withdrawn: tuple[str, ...]
    refused: Mapping[str, str]
    close: Mapping[str, str]

    def words(self) -> str:
        """What was done, for people."""
        parts = [
            f"{what} {listed(skus)}"
            for what, skus in (
                ("enrolled", self.enrolled),
                ("withdrew", self.withdrawn),
                ("could not enrol", sorted(self.refused)),
            )
            if skus
        ]
        return "; ".join(parts) or "nothing was to be enrolled"


def held_out_photos(
    skus: Iterable[str], photos: Mapping[str, Sequence[Path]], settings: PipelineSettings
) -> tuple[Photo, ...]:
    """Photos that no training sees: a fixed share, by their names, of products with enough.

    Args:
        skus: Products.
        photos: Their photos.
        settings: The share, and what is enough.
    """
    return tuple(
        Photo(path, sku)
        for sku in skus
        if len(photos[sku]) >= settings.least_photos
        for path in photos[sku]
        if is_held_out(f"{sku}/{path.name}", settings.held_out_percent)
    )


def gather(
    products: Sequence[ApprovedProduct],
    photos: Mapping[str, Sequence[Path]],
    events: Sequence[LabelledCrops],
    settings: PipelineSettings,
    folder: Path,
) -> Gathered:
    """Choose what a training learns from, and bring crops into the shape of photos.

    Args:
        products: Approved products.
        photos: Photos of each, by SKU.
        events: Approved events.
        settings: What is held out.
        folder: Of the run; crops are written to it.

    Raises:
        WalkoutTrainerError: Fewer than two products have photos to learn from.
    """
    by_sku = {each.product.sku: each for each in products}
    kept = held_out_photos(sorted(by_sku), photos, settings)
    unseen = set(kept)
    learned = [
        photo
        for sku in sorted(by_sku)
        for path in photos[sku]
        if (photo := Photo(path, sku)) not in unseen
    ]
    named = tuple(by_sku[sku].product for sku in sorted(by_sku))
    good, set_aside = usable(Catalogue(folder, named, tuple(learned)))
    taught = [event for event in events if not _is_held_out(event, settings)]
    crops, learned_from = _crop_photos(taught, by_sku, folder / "crops")
    seen = {photo.sku for photo in good.photos} | {p.sku for p in crops if not p.negative}
    if len(seen) < 2:
        raise WalkoutTrainerError(
            f"only {len(seen)} products have photos to learn from "
            f"({len(set_aside)} photos are not good enough); hand in more"
        )
    return Gathered(
        products=tuple(product for product in named if product.sku in seen),
        photos=tuple(
            photo
            for photo in sorted((*good.photos, *crops), key=lambda p: (p.sku, str(p.path)))
            if photo.sku in seen
        ),
        held_out=tuple(photo for photo in kept if photo.sku in seen),
        editions={sku: by_sku[sku].edition for sku in sorted(seen)},
        events=learned_from,
        set_aside=len(set_aside),
    )


def make_edition(
    base: Bundle,
    editions: Mapping[str, str],
    wanted: Sequence[ApprovedProduct],
    photos: Mapping[str, Sequence[Path]],
    withdrawn: Collection[str],
    folder: Path,
) -> Made:
    """Write a bundle with other products under the same network.

    Args:
        base: The bundle to begin from.
        editions: By SKU, what is known to be behind its vectors.
        wanted: Approved products; those whose edition differs are enrolled, those whose fields
            alone do are described anew.
        photos: Photos of those that are enrolled, by SKU.
        withdrawn: SKUs that must not be in it.
        folder: Of the new bundle; what is there already is replaced. Where nothing is to be
            changed, the base stays what it is.

    Raises:
        WalkoutTrainerError: A product cannot be taken out.
        BundleError: The bundle cannot be written.
    """
    shutil.rmtree(folder, ignore_errors=True)
    gone = tuple(sorted(set(withdrawn) & set(base.skus)))
    bundle = base
    for sku in gone:
        bundle = without_product(bundle, sku)
    session: NetworkSession | None = None
    refused: dict[str, str] = {}
    close: dict[str, str] = {}
    held = {sku: edition for sku, edition in editions.items() if sku not in gone}
    enrolled = []
    for each in wanted:
        sku = each.product.sku
        if held.get(sku) == each.edition or sku in gone:
            continue
        session = session or NetworkSession(base)
        try:
            report = with_product(
                bundle, each.product, photos[sku], replace_product=True, session=session
            )
        except WalkoutTrainerError as err:
            refused[sku] = str(err)
            continue
        bundle, held[sku] = report.bundle, each.edition
        enrolled.append(sku)
        if report.neighbours:
            near = report.neighbours[0]
            close[sku] = f"{near.sku} at {near.distance:.3f}"
    bundle, relabelled = _described(bundle, wanted)
    if enrolled or gone or relabelled:
        bundle = write_revision(bundle, base.manifest.version, folder)
    return Made(bundle, held, tuple(enrolled), gone, refused, close)


def relabelled(bundle: Bundle, wanted: Iterable[ApprovedProduct]) -> frozenset[str]:
    """SKUs of a bundle whose fields are others by now."""
    known = {product.sku: product for product in bundle.manifest.products}
    return frozenset(
        each.product.sku
        for each in wanted
        if each.product.sku in known and _changes(known[each.product.sku], each.product)
    )


def _described(bundle: Bundle, wanted: Iterable[ApprovedProduct]) -> tuple[Bundle, bool]:
    by_sku = {each.product.sku: each.product for each in wanted}
    products = tuple(
        product.model_copy(update=_changes(product, by_sku[product.sku]))
        if product.sku in by_sku
        else product
        for product in bundle.manifest.products
    )
    changed = products != bundle.manifest.products
    manifest = bundle.manifest.model_copy(update={"products": products})
    return replace(bundle, manifest=manifest) if changed else bundle, changed


def _changes(known: Product, wanted: Product) -> dict[str, object]:
    """Fields that somebody has given and that differ; the category in a bundle is its own.

    A product without a name is called by its SKU: that is no name to replace one with.
    """
    fields = ("name", "price", "currency", "gtin", "view_group")
    return {
        name: value
        for name in fields
        if (value := getattr(wanted, name)) not in (None, wanted.sku)
        and value != getattr(known, name)
    }


def _is_held_out(event: LabelledCrops, settings: PipelineSettings) -> bool:
    return is_held_out(name_of(event), settings.held_out_percent)


def held_out_events(
    events: Iterable[LabelledCrops], settings: PipelineSettings
) -> tuple[LabelledCrops, ...]:
    """Events that no training ever learns from."""
    return tuple(event for event in events if _is_held_out(event, settings))


def _crop_photos(
    events: Sequence[LabelledCrops], known: Collection[str], folder: Path
) -> tuple[list[Photo], tuple[EventName, ...]]:
    """Crops as photos to learn from; those of a strange object say what its guess is not."""
    share = Preprocessing.model_fields["photo_crop_share"].default
    shutil.rmtree(folder, ignore_errors=True)
    photos: list[Photo] = []
    names: list[EventName] = []
    for event in events:
        sku = event.sku or event.recognised_sku
        if sku is None or sku not in known:
            continue
        names.append((event.shop, event.event_id))
        for crop in event.crops:
            path = folder / event.shop / crop.name
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                picture = as_photo(read_crop(crop), share)
            except (PhotoError, OSError):
                continue  # somebody took it away
            cv2.imwrite(str(path), picture)
            photos.append(Photo(path, sku, negative=event.sku is None))
    return photos, tuple(names)
