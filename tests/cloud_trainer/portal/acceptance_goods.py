"""A product that nobody knows yet: its photos, and a bundle that knows all others of its kind."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.bundle import (
    EMBEDDER_NAME,
    NETWORK_FILES,
    Bundle,
    Golden,
    Quantisation,
    open_bundle,
    write_bundle,
)
from tests.edge.bundles import part_of
from tests.simulators.bundles import make_bundle
from tests.simulators.photos import draw_photo, sku_of, write_photo

CATEGORY = "groceries"
HANDED_IN = 5
_ASKED = 3
_PHOTO_PX = 256


@dataclass(frozen=True)
class Goods:
    """A product to be handed in.

    Attributes:
        sku: Its SKU.
        name: Its name.
        photos: Five photos that are handed in.
        asked: Other photos, that devices are asked about.
        bundle: Knows other products of the category, not this one.
    """

    sku: str
    name: str
    photos: tuple[Path, ...]
    asked: tuple[Path, ...]
    bundle: Bundle


def drawn_goods(folder: Path) -> Goods:
    """Drawn cartons and the smallest network there is."""
    product = 4
    files = [
        write_photo(folder / f"{each:03d}.png", draw_photo(product, each, size_px=_PHOTO_PX))
        for each in range(HANDED_IN + _ASKED)
    ]
    bundle = make_bundle(folder / "bundle", products=product, category=CATEGORY)
    return _goods(sku_of(product), "Carton no 4", files, bundle)


def shop_goods(shop: Path, sku: str, folder: Path) -> Goods:
    """A product of a recorded shop, and the shop's own bundle without it."""
    (photos,) = (shop / "catalogue").glob(f"*/{sku}")
    (known,) = (shop / "bundles").iterdir()
    folder.mkdir(parents=True)
    copies = [
        Path(shutil.copyfile(file, folder / file.name))
        for file in sorted(photos.iterdir())[: HANDED_IN + _ASKED]
    ]
    bundle = without(open_bundle(known), sku, folder / "bundle")
    return _goods(sku, sku.replace("-", " "), copies, bundle)


def _goods(sku: str, name: str, files: list[Path], bundle: Bundle) -> Goods:
    return Goods(sku, name, tuple(files[:HANDED_IN]), tuple(files[HANDED_IN:]), bundle)


def without(bundle: Bundle, sku: str, folder: Path) -> Bundle:
    """Write a bundle that knows every product of another one but a certain one."""
    rows = [row for row, each in enumerate(bundle.manifest.products) if each.sku != sku]
    part, golden = part_of(bundle, rows, CATEGORY), bundle.golden
    kept = np.array([each != sku for each in golden.skus])
    return write_bundle(
        folder,
        category=CATEGORY,
        version="1",
        preprocessing=part.manifest.preprocessing,
        thresholds=part.manifest.thresholds,
        products=part.manifest.products,
        provenance=part.manifest.provenance,
        evaluation=part.manifest.evaluation,
        quantisation=Quantisation(int8_shipped=False, parity_max_abs=0.0),
        networks={
            name: bundle.path / name
            for name in sorted(NETWORK_FILES)
            if name in bundle.manifest.files and (name == EMBEDDER_NAME or "weights" in name)
        },
        vectors=part.vectors,
        golden=Golden(
            golden.crops[kept],
            golden.embeddings[kept],
            tuple(each for each in golden.skus if each != sku),
        ),
    )
