"""Products enrolled without training: accuracy over several draws of the photos enrolled with.

``python -m tests.benchmarks.enrolment --bundle DIR --photos CSV --queries CSV [--json]`` takes a
bundle trained without some products of the catalogue ``--photos``, enrols those as
``walkout-trainer enrol`` does (the same views, vectors and network) with a few of their photos,
drawn at random, and searches the photos of ``--queries`` among all products. Several draws are
needed: with five photos it matters which five.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cloud_trainer.enrol import enrolment_vectors, photo_views
from cloud_trainer.inference import NetworkSession, embed_photos, usable
from models.bundle import Bundle, open_bundle
from models.catalogue import Catalogue, Photo, load_catalogue
from models.photos import read_photo


@dataclass(frozen=True)
class Draw:
    """Shares of right answers of one draw, by group of products ("all" among them).

    Attributes:
        new: Of photos of enrolled products, searched among all products.
        new_among_new: Of the same, searched among the enrolled products alone.
        trained: Of photos of trained products, searched among all.
    """

    new: dict[str, float]
    new_among_new: dict[str, float]
    trained: dict[str, float]


def measure(
    bundle: Bundle, catalogue: Catalogue, queries: Catalogue, photos: int, draws: int
) -> list[Draw]:
    """Enrol and search, once a draw.

    Args:
        bundle: Trained on some products of ``catalogue``.
        catalogue: Holds the photos to enrol the others with.
        queries: Photos that neither training nor enrolment saw.
        photos: Photos to enrol a product with.
        draws: How often to draw them.
    """
    session = NetworkSession(bundle)
    new = [product.sku for product in catalogue.products if product.sku not in bundle.skus]
    skus = np.array([*bundle.skus, *new])
    views = {sku: _views_of(catalogue.photos_of(sku), session, bundle) for sku in new}
    shown = [photo for photo in queries.photos if not photo.negative]
    embeddings, set_aside = embed_photos(session, shown, bundle.manifest.preprocessing)
    truth = np.array([photo.sku for photo in usable(shown, set_aside)])
    groups = {product.sku: product.category for product in catalogue.products}
    group = np.array([groups[sku] for sku in truth])
    is_new = np.isin(truth, new)
    results = []
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        enrolled = [
            enrolment_vectors(
                views[sku][rng.choice(len(views[sku]), min(photos, len(views[sku])), replace=False)]
            )[0]
            for sku in new
        ]
        distances = 1 - embeddings @ np.vstack([bundle.vectors.centroids, *enrolled]).T
        right = skus[distances.argmin(1)] == truth
        among_new = skus[len(bundle.skus) + distances[:, len(bundle.skus) :].argmin(1)] == truth
        results.append(
            Draw(
                _by_group(right, group, is_new),
                _by_group(among_new, group, is_new),
                _by_group(right, group, ~is_new),
            )
        )
    return results


def _views_of(
    photos: tuple[Photo, ...], session: NetworkSession, bundle: Bundle
) -> NDArray[np.float32]:
    """Embedded views of each photo, shape ``(N, V, D)``."""
    crops = [photo_views(read_photo(p.path), bundle.manifest.preprocessing) for p in photos]
    return session.embed(np.concatenate(crops)).reshape(len(crops), len(crops[0]), -1)


def _by_group(
    right: NDArray[np.bool_], group: NDArray[np.str_], chosen: NDArray[np.bool_]
) -> dict[str, float]:
    shares = {"all": float(right[chosen].mean())}
    for name in sorted(set(group[chosen].tolist())):
        shares[name] = float(right[chosen & (group == name)].mean())
    return shares


def main() -> int:
    """Measure and print mean, standard deviation and range over the draws."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--queries", type=Path, required=True)
    parser.add_argument("--enrol-with", type=int, default=5)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    draws = measure(
        open_bundle(options.bundle),
        load_catalogue(options.photos),
        load_catalogue(options.queries),
        options.enrol_with,
        options.draws,
    )
    table = {
        f"{kind} / {group}": [getattr(draw, kind)[group] for draw in draws]
        for kind in ("new", "new_among_new", "trained")
        for group in getattr(draws[0], kind)
    }
    if options.json:
        sys.stdout.write(json.dumps(table, indent=1) + "\n")
        return 0
    for name, shares in table.items():
        sys.stdout.write(
            f"{name:28s} {np.mean(shares):6.1%}  sd {np.std(shares):5.1%}  "
            f"{min(shares):6.1%} to {max(shares):6.1%}\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
