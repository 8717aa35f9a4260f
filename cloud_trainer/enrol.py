"""Enrol a product from a few photos, and withdraw one, without training.

The network stays as it is, and with it the embedding space: a device takes over new vectors in the
time it takes to read them. Owns what a product's vectors are made of when no training sees its
photos, and the warning when it will be hard to tell from another. Does not own whether a photo is
any good (``cloud_trainer.quality``) nor how bundles are written (``models.bundle``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.inference import NetworkSession, SetAside
from cloud_trainer.quality import judge_photo
from models.bundle import (
    EMBEDDER_NAME,
    INT8_NAME,
    TRT_NAME,
    WEIGHTS_NAME,
    Bundle,
    BundleProduct,
    Golden,
    Vectors,
    write_bundle,
)
from models.catalogue import Photo, Product
from models.decision import Thresholds, pool
from models.photos import PHOTO_SUFFIXES, PhotoError, read_photo
from models.preprocess import Preprocessing, photo_region, prepare

VIEW_SHARES: Final = (1.0, 5 / 6, 2 / 3)
"""Central shares of each side of a photo that are embedded: a wider, the usual, a tighter crop."""

_READERS: Final = 4
_REVISION: Final = re.compile(r"\+([0-9]{1,9})$")


@dataclass(frozen=True)
class Neighbour:
    """A product so close to the enrolled one that decisions between them will suffer.

    Attributes:
        sku: The other product.
        distance: Cosine distance between the two centroids.
    """

    sku: str
    distance: float


@dataclass(frozen=True)
class EnrolmentReport:
    """What came of an enrolment.

    Attributes:
        bundle: The new bundle.
        product: The product as it stands there.
        used: Photos behind its vectors.
        set_aside: Photos that were not used, with the reasons.
        neighbours: Products that it will be hard to tell from, nearest first.
        reach: Distance up to which a product counts as such a neighbour.
    """

    bundle: Bundle
    product: BundleProduct
    used: tuple[Path, ...]
    set_aside: tuple[SetAside, ...]
    neighbours: tuple[Neighbour, ...]
    reach: float


def enrol(
    bundle: Bundle,
    product: Product,
    photos: Sequence[Path],
    out: Path,
    *,
    replace_product: bool = False,
    session: NetworkSession | None = None,
) -> EnrolmentReport:
    """Write a bundle that recognises one product more.

    Args:
        bundle: The bundle to begin from; it is not changed.
        product: The product.
        photos: Photos of it, each with the product in the middle.
        out: Folder of the new bundle; must not exist.
        replace_product: Whether a product that is already there may be replaced.
        session: The bundle's network where it is loaded already.

    Raises:
        WalkoutTrainerError: The product exists and may not be replaced, or no photo is usable.
        BundleError: The bundle cannot be written, for example because ``out`` exists.
    """
    report = with_product(bundle, product, photos, replace_product=replace_product, session=session)
    written = write_revision(report.bundle, bundle.manifest.version, out)
    return replace(report, bundle=written)


def with_product(
    bundle: Bundle,
    product: Product,
    photos: Sequence[Path],
    *,
    replace_product: bool = False,
    session: NetworkSession | None = None,
) -> EnrolmentReport:
    """The bundle's values with one product more, in memory; ``write_revision`` makes it a bundle.

    Args:
        bundle: The bundle to begin from; it is not changed.
        product: The product.
        photos: Photos of it, each with the product in the middle.
        replace_product: Whether a product that is already there may be replaced.
        session: The bundle's network where it is loaded already.

    Raises:
        WalkoutTrainerError: The product exists and may not be replaced, or no photo is usable.
    """
    base = bundle
    if product.sku in bundle.skus:
        if not replace_product:
            raise WalkoutTrainerError(
                f"{product.sku} is in the bundle already; choose another SKU, or replace it"
            )
        base = without_product(bundle, product.sku)
    views, used, set_aside = _read_views(product.sku, photos, bundle.manifest.preprocessing)
    if not used:
        raise WalkoutTrainerError(
            f"no usable photo of {product.sku}; take new ones "
            f"({'; '.join(map(complaint, set_aside)) or 'none was given'})"
        )
    session = session or NetworkSession(bundle)
    embeddings = session.embed(np.concatenate(views))
    centroid, anchors = enrolment_vectors(embeddings.reshape(len(used), len(VIEW_SHARES), -1))
    reach = confusion_reach(bundle.manifest.thresholds)
    enrolled = BundleProduct(
        **{name: getattr(product, name) for name in Product.model_fields},
        photos=len(used),
        enrolled=True,
    )
    vectors = replace(
        base.vectors,
        centroids=np.vstack([base.vectors.centroids, centroid]),
        anchors=np.vstack([base.vectors.anchors, anchors]),
        anchor_products=np.append(
            base.vectors.anchor_products,
            np.full(len(anchors), len(base.manifest.products), np.int32),
        ),
    )
    products = (*base.manifest.products, enrolled)
    return EnrolmentReport(
        bundle=replace(
            base,
            manifest=base.manifest.model_copy(update={"products": products}),
            vectors=vectors,
        ),
        product=enrolled,
        used=used,
        set_aside=set_aside,
        neighbours=_neighbours(base, centroid, reach),
        reach=reach,
    )


def withdraw(bundle: Bundle, sku: str, out: Path) -> Bundle:
    """Write a bundle that does not know a product any more.

    Args:
        bundle: The bundle to begin from; it is not changed.
        sku: The product.
        out: Folder of the new bundle; must not exist.

    Raises:
        WalkoutTrainerError: There is no such product, or too little would be left.
        BundleError: The bundle cannot be written, for example because ``out`` exists.
    """
    if sku not in bundle.skus:
        raise WalkoutTrainerError(f"{sku} is not in the bundle at {bundle.path}; nothing to do")
    if len(bundle.skus) == 1:
        raise WalkoutTrainerError(
            f"{sku} is the last product of the bundle; withdraw the bundle itself from the devices"
        )
    return write_revision(without_product(bundle, sku), bundle.manifest.version, out)


def enrolment_vectors(
    embeddings: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A new product's centroid and anchors.

    Each photo becomes one anchor, the mean of its views; the centroid is the mean of the anchors,
    so that every photo counts the same.

    Args:
        embeddings: Shape ``(N, V, D)``, ``V`` views of each of ``N`` photos, unit length.

    Returns:
        Centroid ``(D,)`` and anchors ``(N, D)``, all of unit length.
    """
    anchors = np.stack([pool(views) for views in embeddings])
    return pool(anchors), anchors


def confusion_reach(thresholds: Thresholds) -> float:
    """Centroid distance within which two products disturb each other's decisions.

    Within TL, a photo right at one centroid could be accepted as the other. And where the second
    product is so near that even such a photo lacks the margin (its gated distance is
    ``-margin_weight * distance``), nothing is accepted at once any more.
    """
    tl = thresholds.for_pool(1).tl
    weight = thresholds.margin_weight
    return max(tl, -tl / weight if weight else 0.0, 0.0)


def next_revision(version: str) -> str:
    """Version of a bundle with the same network and other vectors: ``7``, ``7+1``, ``7+2``."""
    match = _REVISION.search(version)
    if match is None:
        return f"{version}+1"
    return f"{version[: match.start()]}+{int(match[1]) + 1}"


def photo_paths(places: Sequence[Path]) -> tuple[Path, ...]:
    """Photo files for files and folders; of a folder, those directly inside, by name.

    Raises:
        WalkoutTrainerError: A place does not exist, or a folder holds no photo.
    """
    paths: dict[Path, None] = {}
    for place in places:
        if place.is_dir():
            inside = sorted(
                path for path in place.iterdir() if path.suffix.lower() in PHOTO_SUFFIXES
            )
            if not inside:
                raise WalkoutTrainerError(
                    f"{place} holds no photo ({', '.join(sorted(PHOTO_SUFFIXES))}); "
                    "give the folder with the photos themselves"
                )
            paths |= dict.fromkeys(inside)
        elif place.is_file():
            paths[place] = None
        else:
            raise WalkoutTrainerError(f"{place}: no such photo or folder")
    return tuple(paths)


def complaint(aside: SetAside) -> str:
    """Which photo was set aside, and why, in one line."""
    path = str(aside.photo.path)
    return aside.reason if path in aside.reason else f"{path}: {aside.reason}"


def _read_views(
    sku: str, photos: Sequence[Path], preprocessing: Preprocessing
) -> tuple[list[NDArray[np.uint8]], tuple[Path, ...], tuple[SetAside, ...]]:
    """Network inputs ``(V, S, S, 3)`` of each usable photo, which these are, and the others."""
    views: list[NDArray[np.uint8]] = []
    used: list[Path] = []
    set_aside: list[SetAside] = []

    def attempt(path: Path) -> NDArray[np.uint8] | str:
        try:
            photo = read_photo(path)
        except PhotoError as err:
            return str(err)
        if complaints := judge_photo(photo):
            return "; ".join(complaints)
        return photo_views(photo, preprocessing)

    with ThreadPoolExecutor(max_workers=_READERS) as readers:
        for path, result in zip(photos, readers.map(attempt, photos), strict=True):
            if isinstance(result, str):
                set_aside.append(SetAside(Photo(path=path, sku=sku), result))
            else:
                views.append(result)
                used.append(path)
    return views, tuple(used), tuple(set_aside)


def photo_views(photo_bgr: NDArray[np.uint8], preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Views of a photo to enrol with, shape ``(V, S, S, 3)``: one a share of ``VIEW_SHARES``."""
    size_px = preprocessing.input_size_px
    # Photos of many megapixels are shrunk once, not for each view: by a whole number, which keeps
    # averages what they are, and to no less than twice what the tightest view needs.
    shrink = int(min(photo_bgr.shape[:2]) * min(VIEW_SHARES) / (2 * size_px))
    if shrink > 1:
        height, width = (side // shrink for side in photo_bgr.shape[:2])
        photo_bgr = np.asarray(
            cv2.resize(photo_bgr, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
    views = np.empty((len(VIEW_SHARES), size_px, size_px, 3), np.uint8)
    for share, out in zip(VIEW_SHARES, views, strict=True):
        wanted = preprocessing.model_copy(update={"photo_crop_share": share})
        prepare(photo_region(photo_bgr, wanted), out, preprocessing.pad_value)
    return views


def _neighbours(
    bundle: Bundle, centroid: NDArray[np.float32], reach: float
) -> tuple[Neighbour, ...]:
    distances = 1 - bundle.vectors.centroids @ centroid
    near = [row for row in np.argsort(distances) if distances[row] <= reach]
    return tuple(Neighbour(bundle.skus[row], float(distances[row])) for row in near)


def without_product(bundle: Bundle, sku: str) -> Bundle:
    """The bundle's values without one product, in memory; see ``write_revision``.

    Raises:
        WalkoutTrainerError: No golden crop would be left.
    """
    row = bundle.skus.index(sku)
    vectors, golden = bundle.vectors, bundle.golden
    shown = [index for index, golden_sku in enumerate(golden.skus) if golden_sku != sku]
    if not shown:
        raise WalkoutTrainerError(
            f"{sku} is the only product in the bundle's golden crops, without which no device "
            "would take it; train a new bundle"
        )
    anchors = vectors.anchor_products != row
    negatives = vectors.negative_products != row
    return replace(
        bundle,
        manifest=bundle.manifest.model_copy(
            update={"products": tuple(p for p in bundle.manifest.products if p.sku != sku)}
        ),
        vectors=Vectors(
            centroids=np.delete(vectors.centroids, row, axis=0),
            anchors=vectors.anchors[anchors],
            anchor_products=_closed_up(vectors.anchor_products[anchors], row),
            negatives=vectors.negatives[negatives],
            negative_products=_closed_up(vectors.negative_products[negatives], row),
        ),
        golden=Golden(
            crops=golden.crops[shown],
            embeddings=golden.embeddings[shown],
            skus=tuple(golden.skus[index] for index in shown),
        ),
        text={key: words for key, words in bundle.text.items() if key != sku},
    )


def _closed_up(rows: NDArray[np.int32], removed: int) -> NDArray[np.int32]:
    return np.where(rows > removed, rows - 1, rows).astype(np.int32)


def write_revision(bundle: Bundle, version: str, out: Path) -> Bundle:
    """Write a bundle whose values were changed, as the next revision of ``version``.

    Raises:
        BundleError: The bundle cannot be written, for example because ``out`` exists.
    """
    manifest = bundle.manifest
    networks = (EMBEDDER_NAME, INT8_NAME, TRT_NAME, WEIGHTS_NAME)
    return write_bundle(
        out,
        category=manifest.category,
        version=next_revision(version),
        preprocessing=manifest.preprocessing,
        thresholds=manifest.thresholds,
        products=manifest.products,
        provenance=manifest.provenance,
        evaluation=manifest.evaluation,
        quantisation=manifest.quantisation,
        networks={name: bundle.path / name for name in networks if name in manifest.files},
        vectors=bundle.vectors,
        golden=bundle.golden,
        text=bundle.text,
    )
