"""Proposes categories: products that look alike share one, and so an embedder of their own.

Owns the clustering, the rule for how many categories there are, and the file in which a person
edits the proposal. Does not own the picture of it (``cloud_trainer.category_picture``).

How many: the average-linkage tree is cut into 2 up to ``sqrt(products)`` groups. A product left
alone joins the group it is nearest to, since there is nothing to tell it apart from. The cut with
the largest mean silhouette wins, unless not even that shows any structure: then everything stays in
one category. Where a person asks for a number, the tree is cut into as many, or as few fewer as
lone products allow.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from scipy.spatial.distance import squareform

from cloud_trainer.errors import WalkoutTrainerError
from models.catalogue import Catalogue, CatalogueError, Photo, read_table
from models.photos import read_photo
from models.preprocess import Preprocessing, photo_region, prepare_batch

Embed = Callable[[Sequence[Photo]], NDArray[np.float32]]

PHOTOS_PER_PRODUCT: Final = 8
"""Photos of a product that are looked at; its mean look hardly changes with more."""

_LEAST_SILHOUETTE: Final = 0.05
_NETWORK_SIDE_PX: Final = 224
_BATCH: Final = 16


@dataclass(frozen=True)
class Clustering:
    """Products in groups of similar looks.

    Attributes:
        labels: Group of each product, shape ``(P,)``, int32, counted from 0 in tree order.
        order: Products in tree order, shape ``(P,)``, int32.
        tree: Average-linkage tree as scipy draws it, shape ``(P - 1, 4)``.
        silhouette: Mean silhouette, -1..1; 0 for a single group.
    """

    labels: NDArray[np.int32]
    order: NDArray[np.int32]
    tree: NDArray[np.float64]
    silhouette: float


@dataclass(frozen=True)
class Suggestion:
    """A proposal for a person to edit.

    Attributes:
        categories: Category of each SKU, in tree order.
        typical: The photo of each SKU that is nearest to its mean look.
        skus: SKUs in catalogue order: the leaves of the tree.
        clustering: The groups as they were found.
    """

    categories: dict[str, str]
    typical: dict[str, Path]
    skus: tuple[str, ...]
    clustering: Clustering

    @property
    def by_category(self) -> dict[str, tuple[str, ...]]:
        """SKUs of each category, both in tree order."""
        groups: dict[str, tuple[str, ...]] = {}
        for sku, category in self.categories.items():
            groups[category] = (*groups.get(category, ()), sku)
        return groups


def suggest_categories(
    catalogue: Catalogue, embed: Embed, categories: int | None = None
) -> Suggestion:
    """Group a catalogue's products by how they look.

    Args:
        catalogue: Products with usable photos.
        embed: Turns photos into embeddings, shape ``(N, D)``.
        categories: Number of categories; ``None`` leaves it to the rule.

    Raises:
        WalkoutTrainerError: A product has no photo, or more categories are wanted than there can
            be.
    """
    sampled = {product.sku: _sample(catalogue, product.sku) for product in catalogue.products}
    bare = [sku for sku, photos in sampled.items() if not photos]
    if bare:
        raise WalkoutTrainerError(
            f"no usable photo of {', '.join(bare[:5])}{' and others' if len(bare) > 5 else ''}: "
            "add photos or take the product out (`walkout-trainer catalogue check` says more)"
        )
    embeddings = embed([photo for photos in sampled.values() for photo in photos])
    means, typical, at = [], {}, 0
    for sku, photos in sampled.items():
        own = embeddings[at : at + len(photos)]
        at += len(photos)
        means.append(own.mean(axis=0))
        typical[sku] = photos[int(np.argmax(own @ means[-1]))].path
    clustering = cluster(np.stack(means), categories)
    skus = tuple(sampled)
    width = len(str(clustering.labels.max() + 1))
    return Suggestion(
        categories={
            skus[row]: f"looks-{clustering.labels[row] + 1:0{width}d}" for row in clustering.order
        },
        typical=typical,
        skus=skus,
        clustering=clustering,
    )


def cluster(looks: NDArray[np.float32], groups: int | None = None) -> Clustering:
    """Group products by average-linkage clustering of cosine distances.

    Args:
        looks: Mean embedding of each product, shape ``(P, D)``.
        groups: Number of groups; ``None`` leaves it to the rule above.

    Raises:
        WalkoutTrainerError: ``groups`` is more than half the number of products.
    """
    count = len(looks)
    if groups is not None and not 1 <= groups <= max(1, count // 2):
        raise WalkoutTrainerError(
            f"{count} products make at most {max(1, count // 2)} categories of two or more, "
            f"not {groups}; ask for fewer"
        )
    if count == 1:
        alone = np.zeros(1, np.int32)
        return Clustering(alone, alone, np.empty((0, 4)), 0.0)
    distances = _cosine_distances(looks)
    tree = linkage(squareform(distances, checks=False), method="average")
    order = leaves_list(tree).astype(np.int32)
    cuts = _cuts(tree, distances, groups or max(2, math.isqrt(count)))
    silhouettes = {number: mean_silhouette(distances, labels) for number, labels in cuts.items()}
    if groups:
        chosen = max(cuts)
    else:
        chosen = max(silhouettes, key=lambda number: silhouettes[number])
        if silhouettes[chosen] < _LEAST_SILHOUETTE:
            chosen = 1
    return Clustering(_in_tree_order(cuts[chosen], order), order, tree, silhouettes[chosen])


def mean_silhouette(distances: NDArray[np.float64], labels: NDArray[np.int32]) -> float:
    """Mean silhouette of a grouping (Rousseeuw, 1987); 0 for a single group.

    Args:
        distances: Shape ``(P, P)``.
        labels: Group of each row, shape ``(P,)``.
    """
    groups, counts = np.unique(labels, return_counts=True)
    if len(groups) < 2:
        return 0.0
    totals = np.stack([distances[:, labels == group].sum(axis=1) for group in groups], axis=1)
    rows, own = np.arange(len(labels)), np.searchsorted(groups, labels)
    inside = totals[rows, own] / np.maximum(counts[own] - 1, 1)
    means = totals / counts
    means[rows, own] = np.inf
    outside = means.min(axis=1)
    silhouettes = (outside - inside) / np.maximum(np.maximum(inside, outside), 1e-12)
    return float(np.where(counts[own] > 1, silhouettes, 0.0).mean())


def imagenet_embeddings(
    photos: Sequence[Photo], advance: Callable[[], None] | None = None
) -> NDArray[np.float32]:
    """Embed photos with the ImageNet network as it comes, without training.

    Args:
        photos: Readable photos.
        advance: Called after each photo.

    Returns:
        Shape ``(N, 1280)``, unit length.

    Raises:
        WalkoutTrainerError: The network's weights are not installed.
        PhotoError: A photo cannot be read.
    """
    # Whoever groups looks that are there already needs no torch.
    import torch

    from models.embedder import Trunk, imagenet_weights

    try:
        imagenet_weights("efficientnet-lite0")
    except ModuleNotFoundError as err:
        raise WalkoutTrainerError(str(err)) from err
    trunk = Trunk("efficientnet-lite0").eval()
    preprocessing = Preprocessing(input_size_px=_NETWORK_SIDE_PX)

    def region(photo: Photo) -> NDArray[np.uint8]:
        return photo_region(read_photo(photo.path), preprocessing)

    rows = []
    with ThreadPoolExecutor() as readers, torch.inference_mode():
        for first in range(0, len(photos), _BATCH):
            batch = photos[first : first + _BATCH]
            crops = prepare_batch(list(readers.map(region, batch)), _NETWORK_SIDE_PX)
            pixels = (torch.from_numpy(crops).float() - 127.0) / 128.0
            # The square root keeps a few strong channels from deciding alone.
            features = trunk(pixels).mean((1, 2)).sqrt()
            rows.append(torch.nn.functional.normalize(features, dim=1).numpy())
            for _ in batch:
                if advance is not None:
                    advance()
    return np.concatenate(rows)


def write_categories(path: Path, suggestion: Suggestion) -> None:
    """Write the proposal as CSV, ``sku,category``, for a spreadsheet or an editor.

    Raises:
        OSError: The file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("sku", "category"))
    writer.writerows(suggestion.categories.items())
    path.write_text(text.getvalue(), encoding="utf-8", newline="")


def read_categories(path: Path, catalogue: Catalogue | None = None) -> dict[str, str]:
    """Read the edited proposal: the category of each SKU.

    Args:
        path: CSV file with the columns ``sku`` and ``category``.
        catalogue: Where given, the file must name each of its SKUs and no other.

    Raises:
        CatalogueError: A column is missing, a SKU is unknown, doubled or missing.
    """
    if not path.is_file():
        raise CatalogueError(
            f"{path} does not exist: `walkout-trainer categories suggest` makes one"
        )
    categories: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line, row in read_table(path, required=("sku", "category")):
        sku = row["sku"]
        if sku in categories:
            raise CatalogueError(
                f"{path}, line {line}, column sku: {sku!r} is on line {lines[sku]} already; "
                "keep one of the two"
            )
        if catalogue is not None:
            try:
                catalogue.product(sku)
            except CatalogueError as err:
                raise CatalogueError(f"{path}, line {line}, column sku: {err}") from err
        categories[sku], lines[sku] = row["category"], line
    if catalogue is not None:
        missing = [p.sku for p in catalogue.products if p.sku not in categories]
        if missing:
            raise CatalogueError(
                f"{path} names no category for {missing[0]!r}"
                f"{f' and {len(missing) - 1} others' if missing[1:] else ''}: add a line for each"
            )
    return categories


def _sample(catalogue: Catalogue, sku: str) -> list[Photo]:
    """Photos of a product, evenly over the order in which they were taken."""
    photos = [photo for photo in catalogue.photos_of(sku) if not photo.negative]
    taken = min(len(photos), PHOTOS_PER_PRODUCT)
    return [photos[int(at)] for at in np.linspace(0, len(photos) - 1, taken)] if photos else []


def _cosine_distances(looks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Distances between looks, what all products have in common taken out; shape ``(P, P)``."""
    own = looks.astype(np.float64) - looks.mean(axis=0, dtype=np.float64)
    own /= np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12)
    distances: NDArray[np.float64] = np.clip(1 - own @ own.T, 0, 2)
    np.fill_diagonal(distances, 0)
    return distances


def _cuts(
    tree: NDArray[np.float64], distances: NDArray[np.float64], most: int
) -> dict[int, NDArray[np.int32]]:
    """Labels by number of groups, 1 up to ``most``, as far as the tree can be cut that way."""
    count = len(distances)
    cuts = {1: np.zeros(count, np.int32)}
    for branches in range(2, count + 1):
        labels = fcluster(tree, branches, criterion="maxclust").astype(np.int32)
        labels = _without_singles(labels, distances)
        number = len(np.unique(labels))
        if number > most:
            break
        cuts.setdefault(number, labels)
    return cuts


def _without_singles(
    labels: NDArray[np.int32], distances: NDArray[np.float64]
) -> NDArray[np.int32]:
    """Let each product that is alone in its group join the group it is nearest to on average."""
    labels = labels.copy()
    while True:
        groups, counts = np.unique(labels, return_counts=True)
        if len(groups) == 1 or counts.min() > 1:
            return labels
        alone = int(np.flatnonzero(labels == groups[np.argmin(counts)])[0])
        others = [group for group in groups if group != labels[alone]]
        reach = [distances[alone, labels == group].mean() for group in others]
        labels[alone] = others[int(np.argmin(reach))]


def _in_tree_order(labels: NDArray[np.int32], order: NDArray[np.int32]) -> NDArray[np.int32]:
    """The same groups, numbered from 0 as they come up in the tree."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(labels[order].tolist()))}
    return np.array([numbers[group] for group in labels.tolist()], np.int32)
