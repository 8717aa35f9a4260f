"""Photos as training data: scenes, splits that do not leak, and pixels kept ready in memory.

Consecutive photos of a product show the same crate, shelf and light. A random split would put one
photo of a scene into training and its twin into validation, and the measured figure would be a
memory test. Every split here is along the order in which photos were taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.catalogue import Catalogue, Photo
from models.photos import read_photo

_SAME_SCENE_SIMILARITY = 0.8
_CUT_SLACK_SHARE = 0.1


@dataclass(frozen=True)
class Split:
    """A catalogue in two parts that share no scene.

    Attributes:
        train: Photos to learn from.
        holdout: Photos of the same products, for early stopping and fitting thresholds.
    """

    train: tuple[Photo, ...]
    holdout: tuple[Photo, ...]


class PhotoStore:
    """Decoded photos, scaled down to what training can use of them.

    A photo is kept with its shorter side at ``working_side_px`` at most: views are at most that
    sharp, and ten thousand photos then fit into a few gigabytes. Beyond ``budget_bytes`` photos
    are decoded anew each time they are asked for.
    """

    def __init__(self, working_side_px: int, budget_bytes: int = 8_000_000_000) -> None:
        self._working_side_px = working_side_px
        self._left_bytes = budget_bytes
        self._kept: dict[Path, NDArray[np.uint8]] = {}

    def pixels(self, path: Path) -> NDArray[np.uint8]:
        """The photo, shape ``(H, W, 3)``, uint8 BGR.

        Raises:
            PhotoError: The file is not a readable photo.
        """
        kept = self._kept.get(path)
        if kept is not None:
            return kept
        photo = read_photo(path)
        shrink = self._working_side_px / min(photo.shape[:2])
        if shrink < 1:
            photo = np.asarray(
                cv2.resize(photo, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA),
                dtype=np.uint8,
            )
        if photo.nbytes <= self._left_bytes:
            self._left_bytes -= photo.nbytes
            self._kept[path] = photo
        return photo

    def load(self, photos: Sequence[Photo], advance: Callable[[], None] | None = None) -> None:
        """Decode ``photos`` ahead in threads, calling ``advance`` after each."""
        with ThreadPoolExecutor() as pool:
            for _ in pool.map(self.pixels, [photo.path for photo in photos]):
                if advance is not None:
                    advance()


def _look(photo_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Colour histogram of a photo whose dot product with another's is their similarity in 0..1."""
    small = cv2.resize(photo_bgr, (64, 64), interpolation=cv2.INTER_AREA)
    hsv = cv2.cvtColor(small, cv2.COLOR_BGR2HSV)
    histogram = cv2.calcHist([hsv], [0, 1], None, [16, 8], [0, 180, 0, 256]).ravel()
    look: NDArray[np.float32] = np.sqrt(histogram / max(histogram.sum(), 1.0)).astype(np.float32)
    return look


def neighbour_similarity(photos: Sequence[Photo], store: PhotoStore) -> NDArray[np.float32]:
    """Similarity of each photo to the one before it, shape ``(len(photos),)``.

    The Bhattacharyya coefficient of their colour histograms; 0 for the first photo of a product.
    """
    similarity = np.zeros(len(photos), dtype=np.float32)
    previous: NDArray[np.float32] | None = None
    for row, photo in enumerate(photos):
        look = _look(store.pixels(photo.path))
        if previous is not None and photo.sku == photos[row - 1].sku:
            similarity[row] = float(look @ previous)
        previous = look
    return similarity


def scenes(photos: Sequence[Photo], store: PhotoStore) -> NDArray[np.int32]:
    """Scene number of each photo: a new one with each product and each abrupt change of look.

    Args:
        photos: Photos in catalogue order.
        store: Where their pixels are.

    Returns:
        Shape ``(len(photos),)``.
    """
    starts = neighbour_similarity(photos, store) < _SAME_SCENE_SIMILARITY
    return np.cumsum(starts, dtype=np.int32)


def split_by_scene(
    catalogue: Catalogue, holdout_share: float, seed: int, store: PhotoStore
) -> Split:
    """Hold out one run of consecutive photos of each product.

    The run's place is drawn from the seed; both of its ends are moved, by up to a tenth of the
    product's photos, to where neighbouring photos look least alike, that is to the nearest change
    of scene. Products with fewer than four photos are used for training alone.

    Args:
        catalogue: Products and photos; negative photos take no part.
        holdout_share: Share of each product's photos to hold out.
        seed: Seed of the draw.
        store: Where the photos' pixels are.
    """
    rng = np.random.default_rng(seed)
    train: list[Photo] = []
    holdout: list[Photo] = []
    for product in catalogue.products:
        photos = [photo for photo in catalogue.photos_of(product.sku) if not photo.negative]
        count = round(len(photos) * holdout_share)
        place = rng.random()
        if len(photos) < 4 or count == 0:
            train += photos
            continue
        similarity = neighbour_similarity(photos, store)
        slack = max(1, round(len(photos) * _CUT_SLACK_SHARE))

        def cut(at: int, alike: NDArray[np.float32] = similarity, slack: int = slack) -> int:
            if at <= 0 or at >= len(alike):
                return at
            low, high = max(1, at - slack), min(len(alike), at + slack + 1)
            return low + int(np.argmin(alike[low:high]))

        start = int(place * (len(photos) - count + 1))
        first, last = cut(start), cut(start + count)
        if not 0 < last - first < len(photos):
            first, last = start, start + count
        holdout += photos[first:last]
        train += photos[:first] + photos[last:]
    return Split(tuple(train), tuple(holdout))
