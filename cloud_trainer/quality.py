"""Which photos are good enough to learn from, and why the others are not.

Owns the measures (sharpness, brightness, likeness of two pictures), their limits, and the list of
photos set aside. Never touches a user's photo: a photo set aside stays where it is and is merely
not used.

Limits were set on real shelf photos. At 256 px, sharp photos of plain fruit reach a variance of the
Laplacian of 12 and cartons several hundred, while the same photos blurred with a standard deviation
of 3 px stay below 7. Two photos count as the same picture only when both a difference hash and a
32 x 32 thumbnail agree almost exactly, so that a walk along a shelf is not mistaken for copies.

A person has the last word through ``set-aside.csv`` in the catalogue's folder: ``1`` in its column
``keep`` overrules a judgement, and a line with the fault ``by_hand`` sets a photo aside.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from models.catalogue import Catalogue, CatalogueError, Photo, read_table
from models.photos import PhotoError, read_photo

Fault = Literal[
    "unreadable", "tiny", "dark", "blurred", "duplicate", "two_skus", "contradiction", "by_hand"
]

SET_ASIDE_FILE: Final = "set-aside.csv"
ENOUGH_PHOTOS: Final = 2
_MEASURED_SIDE_PX: Final = 256
_HASH_BITS: Final = 64
_HASH_BANDS: Final = ((0, 22), (22, 43), (43, _HASH_BITS))
"""One band more than bits may differ, so two alike hashes share at least one band unchanged."""
_THUMBNAIL_PX: Final = 32


@dataclass(frozen=True)
class Limits:
    """What a photo must reach, and how alike two must be to count as one.

    Attributes:
        min_side_px: Shorter side.
        min_sharpness: Variance of the Laplacian where the shorter side is 256 px.
        min_brightness: Grey level (0..255) that the brightest twentieth of the photo exceeds.
        max_hash_bits: Bits of 64 in which the hashes of copies may differ; at most 2.
        max_mean_difference: Mean difference of grey levels between thumbnails of copies.
        max_cell_difference: Largest difference anywhere on the thumbnails of copies.
    """

    min_side_px: int = 64
    min_sharpness: float = 10.0
    min_brightness: float = 50.0
    max_hash_bits: int = 2
    max_mean_difference: float = 3.0
    max_cell_difference: float = 24.0


LIMITS: Final = Limits()


@dataclass(frozen=True)
class Quality:
    """What was measured on a photo.

    Attributes:
        width_px: Width.
        height_px: Height.
        sharpness: Variance of the Laplacian where the shorter side is 256 px.
        brightness: 95th percentile of the grey levels, 0..255.
    """

    width_px: int
    height_px: int
    sharpness: float
    brightness: float


@dataclass(frozen=True)
class SetAside:
    """A photo that is not used, and why.

    Attributes:
        photo: The photo.
        fault: What kind of fault it is.
        reason: What is wrong, in words.
    """

    photo: Photo
    fault: Fault
    reason: str


@dataclass(frozen=True)
class ProductCount:
    """How a product stands after its photos were judged.

    Attributes:
        sku: The product.
        category: Its category.
        photos: Number of its photos, negative ones included.
        usable: Number of photos of it that can be used.
        negatives: Number of negative photos that can be used.
        faults: Number of photos set aside by fault.
    """

    sku: str
    category: str
    photos: int
    usable: int
    negatives: int
    faults: Mapping[Fault, int]


@dataclass(frozen=True)
class _Review:
    """What a person wrote into ``set-aside.csv``, by path and SKU."""

    kept: Collection[tuple[Path, str]] = frozenset()
    by_hand: Mapping[tuple[Path, str], str] = field(default_factory=dict)


@dataclass(frozen=True)
class Look:
    """What is remembered of a readable photo: enough to judge it and to find its copies.

    Attributes:
        quality: What was measured.
        hash_bits: Its difference hash, shape ``(64,)``, bool.
        thumbnail: Shape ``(32, 32, 3)``, BGR.
    """

    quality: Quality
    hash_bits: NDArray[np.bool_]
    thumbnail: NDArray[np.int16]

    @property
    def bands(self) -> tuple[int, ...]:
        """Parts of the hash as numbers: of two copies, one part at least is the same."""
        return tuple(
            int("".join("1" if bit else "0" for bit in self.hash_bits[first:last]), 2)
            for first, last in _HASH_BANDS
        )


def measure(photo_bgr: NDArray[np.uint8]) -> Quality:
    """Measure a photo, shape ``(H, W, 3)``, uint8 BGR."""
    grey = cv2.cvtColor(photo_bgr, cv2.COLOR_BGR2GRAY)
    height_px, width_px = grey.shape
    shrink = _MEASURED_SIDE_PX / min(grey.shape)
    if shrink < 1:
        grey = cv2.resize(grey, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return Quality(
        width_px=width_px,
        height_px=height_px,
        sharpness=float(cv2.Laplacian(grey, cv2.CV_32F).var()),
        brightness=float(np.percentile(grey, 95)),
    )


def faults(quality: Quality, limits: Limits = LIMITS) -> dict[Fault, str]:
    """Faults of a photo with their reasons, the gravest first; empty for a good photo."""
    found: dict[Fault, str] = {}
    side_px = min(quality.width_px, quality.height_px)
    if side_px < limits.min_side_px:
        found["tiny"] = (
            f"too small ({quality.width_px} x {quality.height_px} pixels, "
            f"the shorter side needs {limits.min_side_px}): go closer or use a larger photo"
        )
    if quality.brightness < limits.min_brightness:
        found["dark"] = (
            f"too dark (brightness {quality.brightness:.0f}, "
            f"at least {limits.min_brightness:.0f} is needed): give it more light"
        )
    if quality.sharpness < limits.min_sharpness:
        found["blurred"] = (
            f"blurred or blank (sharpness {quality.sharpness:.1f}, "
            f"at least {limits.min_sharpness:.0f} is needed): hold the camera still"
        )
    return found


def judge_photo(photo_bgr: NDArray[np.uint8], limits: Limits = LIMITS) -> tuple[str, ...]:
    """What is wrong with a photo, shape ``(H, W, 3)``, in words; empty for a good one."""
    return tuple(faults(measure(photo_bgr), limits).values())


def usable(
    catalogue: Catalogue,
    advance: Callable[[], None] | None = None,
    limits: Limits = LIMITS,
) -> tuple[Catalogue, tuple[SetAside, ...]]:
    """The catalogue without the photos that should not be learnt from.

    Products keep their place even when no photo of theirs is left. ``set-aside.csv`` in the
    catalogue's folder is honoured where there is one.

    Args:
        catalogue: Products and photos; every photo is read.
        advance: Called after each photo.
        limits: What photos must reach.

    Returns:
        The catalogue of usable photos; the others with their reasons, in catalogue order.

    Raises:
        CatalogueError: ``set-aside.csv`` cannot be understood.
    """
    review = _read_review(catalogue.root)
    found: dict[Photo, SetAside] = {}
    looks: dict[Photo, Look] = {}

    def look(photo: Photo) -> Look | PhotoError:
        try:
            pixels = read_photo(photo.path)
        except PhotoError as err:
            return err
        return look_at(pixels)

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as readers:
        for photo, seen in zip(catalogue.photos, readers.map(look, catalogue.photos), strict=True):
            if advance is not None:
                advance()
            if isinstance(seen, PhotoError):
                found[photo] = SetAside(photo, "unreadable", str(seen))
                continue
            key = _key(photo)
            faulty = {} if key in review.kept else faults(seen.quality, limits)
            if key in review.by_hand:
                found[photo] = SetAside(photo, "by_hand", review.by_hand[key])
            elif faulty:
                found[photo] = SetAside(photo, *next(iter(faulty.items())))
            else:
                looks[photo] = seen
    for aside in _copies(looks, catalogue, limits):
        if _key(aside.photo) not in review.kept:
            found.setdefault(aside.photo, aside)
    kept = tuple(photo for photo in catalogue.photos if photo not in found)
    in_order = tuple(found[photo] for photo in catalogue.photos if photo in found)
    return replace(catalogue, photos=kept), in_order


def count_products(
    catalogue: Catalogue, usable_part: Catalogue, set_aside: Iterable[SetAside]
) -> tuple[ProductCount, ...]:
    """How each product stands, in catalogue order.

    Args:
        catalogue: The catalogue as it was.
        usable_part: What ``usable`` left of it.
        set_aside: What it did not.
    """
    by_sku: dict[str, Counter[Fault]] = defaultdict(Counter)
    for aside in set_aside:
        by_sku[aside.photo.sku][aside.fault] += 1
    counts = []
    for product in catalogue.products:
        left = usable_part.photos_of(product.sku)
        negatives = sum(photo.negative for photo in left)
        counts.append(
            ProductCount(
                sku=product.sku,
                category=product.category,
                photos=len(catalogue.photos_of(product.sku)),
                usable=len(left) - negatives,
                negatives=negatives,
                faults=dict(by_sku[product.sku]),
            )
        )
    return tuple(counts)


def write_set_aside(path: Path, catalogue: Catalogue, set_aside: Sequence[SetAside]) -> None:
    """Write the list of photos set aside, with what a person decided before.

    Args:
        path: The CSV file; when it is the catalogue's own ``set-aside.csv``, later runs honour it.
        catalogue: The catalogue; paths are written relative to its folder.
        set_aside: What ``usable`` set aside.

    Raises:
        OSError: The file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("path", "sku", "fault", "reason", "keep"))
    for aside in set_aside:
        name = _relative(aside.photo.path, catalogue.root)
        writer.writerow((name, aside.photo.sku, aside.fault, aside.reason, ""))
    review = _read_review(catalogue.root)
    for photo in catalogue.photos:
        if _key(photo) in review.kept:
            writer.writerow((_relative(photo.path, catalogue.root), photo.sku, "", "", "1"))
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


def _relative(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path.resolve()).as_posix()


def _key(photo: Photo) -> tuple[Path, str]:
    return photo.path.absolute(), photo.sku


def _read_review(root: Path) -> _Review:
    table = root / SET_ASIDE_FILE
    if not table.is_file():
        return _Review()
    kept: set[tuple[Path, str]] = set()
    by_hand: dict[tuple[Path, str], str] = {}
    rows = read_table(table, required=("path", "sku"), optional=("fault", "reason", "keep"))
    for line, row in rows:
        key = ((root / row["path"]).absolute(), row["sku"])
        keep, fault = row.get("keep", ""), row.get("fault", "")
        if keep not in ("", "0", "1"):
            raise CatalogueError(f"{table}, line {line}, column keep: write 1 or leave it empty")
        if fault and fault not in get_args(Fault):
            raise CatalogueError(
                f"{table}, line {line}, column fault: unknown fault {fault!r}; "
                "write by_hand to set a photo aside yourself"
            )
        if keep == "1":
            kept.add(key)
        elif fault == "by_hand":
            by_hand[key] = row.get("reason", "") or "set aside by hand"
    return _Review(kept, by_hand)


def look_at(photo_bgr: NDArray[np.uint8]) -> Look:
    """What there is to remember of a photo, shape ``(H, W, 3)``, uint8 BGR."""
    grey = cv2.cvtColor(photo_bgr, cv2.COLOR_BGR2GRAY)
    cells = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    side = (_THUMBNAIL_PX, _THUMBNAIL_PX)
    thumbnail = cv2.resize(photo_bgr, side, interpolation=cv2.INTER_AREA)
    return Look(
        quality=measure(photo_bgr),
        hash_bits=(cells[:, 1:] > cells[:, :-1]).ravel(),
        thumbnail=thumbnail.astype(np.int16),
    )


def is_same_picture(one: Look, other: Look, limits: Limits = LIMITS) -> bool:
    """Whether two photos are the same picture, apart from how they were stored."""
    if np.count_nonzero(one.hash_bits != other.hash_bits) > limits.max_hash_bits:
        return False
    difference = np.abs(one.thumbnail - other.thumbnail)
    return bool(
        difference.mean() <= limits.max_mean_difference
        and difference.max() <= limits.max_cell_difference
    )


def _copies(
    looks: Mapping[Photo, Look], catalogue: Catalogue, limits: Limits
) -> Iterable[SetAside]:
    """Photos that repeat or contradict an earlier one.

    Only photos that were not found to be copies are compared with, so the effort grows with the
    number of distinct pictures.
    """
    by_band: dict[tuple[int, int], list[Photo]] = defaultdict(list)
    for photo, look in looks.items():
        bands = list(enumerate(look.bands))
        earlier = dict.fromkeys(other for band in bands for other in by_band[band])
        twins = [o for o in earlier if is_same_picture(look, looks[o], limits)]
        outcome = [aside for twin in twins for aside in _conflict(photo, twin, catalogue)]
        yield from outcome
        if not outcome:
            for band in bands:
                by_band[band].append(photo)


def _conflict(photo: Photo, earlier: Photo, catalogue: Catalogue) -> tuple[SetAside, ...]:
    """What must be set aside when two photos are the same picture."""
    if photo.sku == earlier.sku and photo.negative == earlier.negative:
        return (SetAside(photo, "duplicate", f"the same picture as {earlier.path}"),)
    if photo.sku == earlier.sku:
        return tuple(
            SetAside(
                one,
                "contradiction",
                f"the same picture as {other.path}, filed both as {photo.sku} and as not "
                f"{photo.sku}: remove the wrong one",
            )
            for one, other in ((photo, earlier), (earlier, photo))
        )
    groups = [catalogue.product(sku).view_group for sku in (photo.sku, earlier.sku)]
    if photo.negative or earlier.negative or (groups[0] and groups[0] == groups[1]):
        return ()
    return tuple(
        SetAside(
            one,
            "two_skus",
            f"the same picture as {other.path}, filed under {one.sku} and {other.sku}: "
            "keep it where it belongs",
        )
        for one, other in ((photo, earlier), (earlier, photo))
    )
