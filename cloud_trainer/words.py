"""The words on the packs of a bundle's products, read from their photos.

What a network hardly sees, a flavour or a fat content, often stands on the pack in words. Owns
which words count: one that is read on several photos of a product is printed on it, one that is
read once was misread or stands on a neighbour. Which words then tell products apart is decided
where they are compared, on the device. Who reads them is ``models.packtext``'s.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from cloud_trainer.datasets import spread
from cloud_trainer.enrol import write_revision
from cloud_trainer.errors import WalkoutTrainerError
from models.bundle import Bundle
from models.catalogue import Catalogue, Photo
from models.packtext import normalised_words
from models.photos import PhotoError, read_photo
from models.preprocess import photo_region

_READ_ON_AT_LEAST: Final = 2
_SHARE_OF_PHOTOS: Final = 0.25

Reader = Callable[[NDArray[np.uint8]], Sequence[str]]


def words_on_packs(
    bundle: Bundle,
    catalogue: Catalogue,
    read: Reader,
    photos_a_product: int,
    advance: Callable[[], None] = lambda: None,
) -> Mapping[str, tuple[str, ...]]:
    """Words that stand on the packs of a bundle's products.

    Photos that cannot be opened are passed over.

    Args:
        bundle: Whose products are looked at; the central part of photos that it looks at is read.
        catalogue: Their photos.
        read: Reads lines of text on a picture ``(H, W, 3)``, uint8 BGR.
        photos_a_product: At most so many photos of each are read, from all over them.
        advance: Called after each photo.

    Returns:
        By SKU the words that were read on several photos, in alphabetical order; products without
        any are left out.
    """
    found: dict[str, tuple[str, ...]] = {}
    for sku in bundle.skus:
        counts: Counter[str] = Counter()
        seen = 0
        for photo in photos_to_read(catalogue, sku, photos_a_product):
            try:
                picture = photo_region(read_photo(photo.path), bundle.manifest.preprocessing)
            except PhotoError:
                continue
            finally:
                advance()
            counts.update(normalised_words(read(picture)))
            seen += 1
        enough = max(_READ_ON_AT_LEAST, math.ceil(_SHARE_OF_PHOTOS * seen))
        words = tuple(sorted(word for word, times in counts.items() if times >= enough))
        if words:
            found[sku] = words
    return found


def photos_to_read(catalogue: Catalogue, sku: str, most: int) -> list[Photo]:
    """At most so many photos of a product, from all over them."""
    photos = [photo for photo in catalogue.photos_of(sku) if not photo.negative]
    return spread(photos, most)


def with_words(bundle: Bundle, words: Mapping[str, tuple[str, ...]], out: Path) -> Bundle:
    """Write a bundle that knows words on packs, as the next revision.

    Args:
        bundle: The bundle to begin from; it is not changed.
        words: By SKU; products that are not named keep what they had.
        out: Folder of the new bundle; must not exist.

    Raises:
        WalkoutTrainerError: There are no words.
        BundleError: The bundle cannot be written.
    """
    if not words:
        raise WalkoutTrainerError(
            "no word was read on several photos of any product: fruit has none; for packs, give "
            "photos on which the print can be read"
        )
    changed = replace(bundle, text={**bundle.text, **words})
    return write_revision(changed, bundle.manifest.version, out)
