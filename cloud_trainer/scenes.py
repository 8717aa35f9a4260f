"""Scenes: which photos of a product were taken in one place, and splits that keep them whole.

A product is photographed a few times at one shelf, then at another, perhaps in another shop. A
random split would put one photo of a crate into training and its twin into validation, and the
measured figure would be a memory test: on shelf photos it said 98 % where photos from shops that
training had not seen gave 85 %. Nor can the order of photos be trusted to tell scenes apart, since
folders arrive sorted, shuffled and merged. So a scene is found by what surrounds the product: the
border of the photo, seen by an ImageNet network, and its colours.

Owns finding scenes and splitting by them; does not own what is done with either part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from cloud_trainer.datasets import PhotoStore
from models.catalogue import Catalogue, Photo
from models.embedder import Trunk

_NETWORK_SIDE_PX: Final = 224
_BORDER_CELLS: Final = 2  # of the network's 7 x 7: the middle 3 x 3 shows the product
_BORDER_SHARE: Final = 0.25  # of the photo's side, for its colours
_WHITENED_DIM: Final = 256
_SAME_SCENE_WITHIN: Final = 1.08
_LARGEST_HOLDOUT: Final = 2.0  # times the share asked for, where scenes come in large pieces
_LEAST_PHOTOS: Final = 4
_BATCH: Final = 32


@dataclass(frozen=True)
class Split:
    """A catalogue in two parts that share no scene.

    Attributes:
        train: Photos to learn from.
        holdout: Photos of the same products, for early stopping and fitting thresholds.
        train_scenes: Scene of each photo to learn from.
        holdout_scenes: Scene of each photo held out; photos of one scene lie side by side.
    """

    train: tuple[Photo, ...]
    holdout: tuple[Photo, ...]
    train_scenes: tuple[int, ...]
    holdout_scenes: tuple[int, ...]


@dataclass(frozen=True)
class Surroundings:
    """What lies around the product on each photo.

    Attributes:
        places: Whitened network features of the border, unit length, shape ``(N, D)``.
        colours: Square roots of the border's colour histogram, unit length, shape ``(N, 128)``.
    """

    places: NDArray[np.float32]
    colours: NDArray[np.float32]

    def distances(self, rows: Sequence[int]) -> NDArray[np.float64]:
        """How far apart the surroundings of some photos are, shape ``(n, n)``.

        The cosine distance of the places plus the Hellinger distance of the colours.
        """
        places, colours = self.places[list(rows)], self.colours[list(rows)]
        hellinger = np.sqrt(np.clip(1 - colours @ colours.T, 0, None))
        apart = (1 - places @ places.T) + hellinger
        symmetric = np.asarray((apart + apart.T) / 2, np.float64)
        np.fill_diagonal(symmetric, 0)
        return symmetric


def surroundings(
    photos: Sequence[Photo], store: PhotoStore, advance: Callable[[], None] | None = None
) -> Surroundings:
    """Look at the border of every photo.

    Args:
        photos: Photos of any number of products; whitening is over all of them.
        store: Where their pixels are.
        advance: Called after each photo.
    """
    trunk = Trunk("efficientnet-lite0").eval().requires_grad_(False)
    features: list[NDArray[np.float32]] = []
    colours = np.zeros((len(photos), 16 * 8), np.float32)
    inner = slice(_BORDER_CELLS, -_BORDER_CELLS)
    for start in range(0, len(photos), _BATCH):
        crops = np.stack(
            [
                cv2.resize(
                    store.pixels(photo.path),
                    (_NETWORK_SIDE_PX, _NETWORK_SIDE_PX),
                    interpolation=cv2.INTER_AREA,
                )
                for photo in photos[start : start + _BATCH]
            ]
        )
        with torch.no_grad():
            cells = trunk((torch.from_numpy(crops).float() - 127) / 128)
        border = torch.ones(cells.shape[1:3], dtype=torch.bool)
        border[inner, inner] = False
        features.append(cells[:, border].mean(1).numpy())
        for row, crop in enumerate(crops, start):
            colours[row] = _border_colours(np.asarray(crop, np.uint8))
            if advance is not None:
                advance()
    return Surroundings(_whitened(np.concatenate(features)), colours)


def _border_colours(crop_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Square root of the border's hue and saturation histogram, shape ``(128,)``."""
    mask = np.full(crop_bgr.shape[:2], 255, np.uint8)
    margin = round(_BORDER_SHARE * len(crop_bgr))
    mask[margin:-margin, margin:-margin] = 0
    hsv = cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2HSV)
    histogram = cv2.calcHist([hsv], [0, 1], mask, [16, 8], [0, 180, 0, 256]).ravel()
    return np.asarray(np.sqrt(histogram / max(float(histogram.sum()), 1.0)), np.float32)


def _whitened(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vectors in which no direction of the features (N, F) counts more than another."""
    roots = np.sqrt(np.maximum(features, 0))
    left, singular, _ = np.linalg.svd(roots - roots.mean(0), full_matrices=False)
    kept = min(_WHITENED_DIM, max(1, len(features) // 3), int((singular > 1e-4).sum()))
    scores = left[:, :kept]
    return np.asarray(scores / np.maximum(np.linalg.norm(scores, axis=1, keepdims=True), 1e-9))


def find_scenes(photos: Sequence[Photo], around: Surroundings) -> NDArray[np.int32]:
    """Number the scenes: photos of one product that were taken in one place share a number.

    Average-linkage clustering of each product's photos by their surroundings. A product whose
    photos all look taken in one place is still cut in two where they differ most, so that it can
    be held out at all.

    Args:
        photos: Photos in catalogue order.
        around: Their surroundings, in the same order.

    Returns:
        Shape ``(len(photos),)``, counted from 0.
    """
    numbers = np.zeros(len(photos), np.int32)
    rows_of: dict[str, list[int]] = {}
    for row, photo in enumerate(photos):
        rows_of.setdefault(photo.sku, []).append(row)
    following = 0
    for rows in rows_of.values():
        labels = np.ones(len(rows), np.int32)
        if len(rows) > 1:
            tree = linkage(squareform(around.distances(rows), checks=False), method="average")
            labels = fcluster(tree, _SAME_SCENE_WITHIN, "distance")
            if labels.max() == 1:
                labels = fcluster(tree, 2, "maxclust")
        numbers[rows] = labels - 1 + following
        following += int(labels.max())
    return numbers


def split_by_scene(
    catalogue: Catalogue, scenes: NDArray[np.int32], holdout_share: float, seed: int, folds: int = 1
) -> tuple[Split, ...]:
    """Hold out whole scenes of each product, drawn from the seed, until the share is reached.

    Scenes larger than twice the share stay in training; every product keeps a scene to learn
    from. Products with fewer than four photos are used for training alone.

    Args:
        catalogue: Products and photos; negative photos take no part.
        scenes: Scene of each photo that is not negative, in catalogue order.
        holdout_share: Share of each product's photos to hold out.
        seed: Seed of the draw.
        folds: So many splits; no scene is held out twice.

    Returns:
        Splits with something held out, as many as asked for or as the scenes allow.
    """
    rng = np.random.default_rng(seed)
    photos = [photo for photo in catalogue.photos if not photo.negative]
    rows_of: dict[str, list[int]] = {product.sku: [] for product in catalogue.products}
    for row, photo in enumerate(photos):
        rows_of[photo.sku].append(row)
    held: list[set[int]] = [set() for _ in range(folds)]
    for rows in rows_of.values():
        order = rng.permutation(np.unique(scenes[rows]))
        if len(rows) < _LEAST_PHOTOS:
            continue
        for fold in held:
            drawn = _drawn(scenes[rows], order, holdout_share * len(rows))
            fold |= drawn
            order = order[~np.isin(order, list(drawn))]
    return tuple(_split(photos, scenes, fold) for fold in held if fold)


def _split(photos: Sequence[Photo], scenes: NDArray[np.int32], held: set[int]) -> Split:
    every = sorted(range(len(photos)), key=lambda row: (photos[row].sku, scenes[row]))
    train = [row for row in range(len(photos)) if int(scenes[row]) not in held]
    holdout = [row for row in every if int(scenes[row]) in held]
    return Split(
        train=tuple(photos[row] for row in train),
        holdout=tuple(photos[row] for row in holdout),
        train_scenes=tuple(int(scenes[row]) for row in train),
        holdout_scenes=tuple(int(scenes[row]) for row in holdout),
    )


def _drawn(scenes: NDArray[np.int32], order: NDArray[np.int32], wanted: float) -> set[int]:
    """Scenes of one product, in the order given, that together have about ``wanted`` photos."""
    held: set[int] = set()
    count = 0
    others = len(np.unique(scenes)) - len(order)
    for scene in order if others else order[:-1]:  # at least one stays in training
        size = int((scenes == scene).sum())
        if count < wanted and count + size <= _LARGEST_HOLDOUT * wanted:
            held.add(int(scene))
            count += size
    return held
