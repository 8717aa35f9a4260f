"""A bundle for a recorded shop: the default network, and the shop's own products enrolled in it.

``python -m tests.simulators.shop_bundle FOLDER...`` writes what each shop's ``store.yaml`` names,
``bundles/groceries``, from the photos of its catalogue, as a device would get it. With ``--parts``,
it also leaves all of the bundle but the network in ``bundle-parts``, from which ``python -m
models.bundle`` composes it again where the network is.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np

from cloud_trainer.enrol import enrolment_vectors, photo_views
from cloud_trainer.inference import NetworkSession
from models.bundle import (
    NETWORK_FILES,
    Bundle,
    BundleProduct,
    Golden,
    Vectors,
    open_bundle,
    write_bundle,
)
from models.catalogue import Product, load_catalogue
from models.photos import read_photo

DEFAULT_BUNDLE = Path(__file__).parents[2] / "models" / "pretrained" / "groceries"


def shop_bundle(shop: Path, out: Path, base: Bundle, session: NetworkSession) -> Bundle:
    """Write a bundle of the products of a recorded shop's catalogue and nothing else.

    Args:
        shop: Folder of the recorded shop.
        out: Folder of the bundle; what is there is replaced.
        base: Whose network and thresholds it gets.
        session: That network.
    """
    catalogue = load_catalogue(shop / "catalogue")
    manifest = base.manifest
    products, centroids, anchors, anchor_products, golden = [], [], [], [], []
    for row, product in enumerate(sorted(catalogue.products, key=lambda each: each.sku)):
        photos = [photo.path for photo in catalogue.photos_of(product.sku)]
        views = [photo_views(read_photo(path), manifest.preprocessing) for path in photos]
        embeddings = session.embed(np.concatenate(views)).reshape(len(views), len(views[0]), -1)
        centroid, own = enrolment_vectors(embeddings)
        centroids.append(centroid)
        anchors.append(own)
        anchor_products.append(np.full(len(own), row, np.int32))
        golden.append((views[0][1], embeddings[0, 1]))
        fields = {name: getattr(product, name) for name in Product.model_fields}
        products.append(BundleProduct(**fields, photos=len(photos), enrolled=True))
    dim = manifest.embedding_dim
    return write_bundle(
        out,
        category=manifest.category,
        version=manifest.version,
        preprocessing=manifest.preprocessing,
        thresholds=manifest.thresholds,
        products=products,
        provenance=manifest.provenance,
        evaluation=manifest.evaluation,
        quantisation=manifest.quantisation,
        networks={name: base.path / name for name in sorted(NETWORK_FILES & manifest.files.keys())},
        vectors=Vectors(
            centroids=np.stack(centroids),
            anchors=np.concatenate(anchors),
            anchor_products=np.concatenate(anchor_products),
            negatives=np.zeros((0, dim), np.float32),
            negative_products=np.zeros(0, np.int32),
        ),
        golden=Golden(
            crops=np.stack([crop for crop, _ in golden]),
            embeddings=np.stack([embedding for _, embedding in golden]),
            skus=tuple(each.sku for each in products),
        ),
        replace=True,
    )


def main(arguments: list[str]) -> int:
    """Write the bundles of recorded shops."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulators.shop_bundle")
    parser.add_argument("shops", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--parts", action="store_true", help="keep the small parts for themselves")
    asked = parser.parse_args(arguments)
    base = open_bundle(DEFAULT_BUNDLE)
    session = NetworkSession(base, threads=1)
    for shop in asked.shops:
        bundle = shop_bundle(shop, shop / "bundles" / "groceries", base, session)
        print(f"{bundle.path}: {len(bundle.skus)} products")
        if asked.parts:
            shutil.rmtree(shop / "bundle-parts", ignore_errors=True)
            without = shutil.ignore_patterns(*NETWORK_FILES)
            shutil.copytree(bundle.path, shop / "bundle-parts", ignore=without)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
