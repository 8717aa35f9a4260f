"""Photos as training data: pixels kept ready in memory, no larger than training can use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.catalogue import Photo
from models.photos import read_photo
from models.preprocess import Preprocessing, photo_region, prepare_batch


def spread(photos: Sequence[Photo], most: int) -> list[Photo]:
    """At most so many photos, from all over the given ones."""
    picks = np.linspace(0, len(photos) - 1, min(len(photos), most)).astype(int)
    return [photos[pick] for pick in picks]


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

    def crops(self, photos: Sequence[Photo], preprocessing: Preprocessing) -> NDArray[np.uint8]:
        """Photos as a device prepares them, shape ``(N, S, S, 3)``, uint8 BGR."""
        regions = [photo_region(self.pixels(photo.path), preprocessing) for photo in photos]
        return prepare_batch(regions, preprocessing.input_size_px, preprocessing.pad_value)

    def load(self, photos: Sequence[Photo], advance: Callable[[], None] | None = None) -> None:
        """Decode ``photos`` ahead in threads, calling ``advance`` after each."""
        with ThreadPoolExecutor() as pool:
            for _ in pool.map(self.pixels, [photo.path for photo in photos]):
                if advance is not None:
                    advance()
