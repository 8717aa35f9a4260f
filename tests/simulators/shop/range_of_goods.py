"""Which products a shop sells: models drawn from a seed, some beside a recoloured double.

Pure but for reading the models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np

from tests.simulators.shop.assortment import ASSORTMENT
from tests.simulators.shop.errors import LayoutError
from tests.simulators.shop.layout import LARGEST_GOODS_M
from tests.simulators.shop.meshes import Mesh, fitted, recoloured
from tests.simulators.shop.models3d import Credit, Model, goods, goods_keys, models_below

_DOUBLES_OF_FOUR = 1
_VARIANTS = (
    ("blue", 210.0, (0.55, 0.70, 1.0)),
    ("green", 120.0, (0.60, 1.0, 0.65)),
    ("red", 300.0, (1.0, 0.55, 0.55)),
)


@dataclass(frozen=True, eq=False)
class ShopProduct:
    """A product of the shop.

    Attributes:
        sku: Its SKU, a folder name.
        name: For people.
        category: Of the shop's taxonomy.
        price: Of one piece.
        mesh: One piece.
        credit: Whom to thank for the model.
        double_of: SKU that it is a recoloured double of; ``None`` for an original.
    """

    sku: str
    name: str
    category: str
    price: Decimal
    mesh: Mesh
    credit: Credit
    double_of: str | None = None


def choose(count: int, seed: int, folders: Sequence[Path] = ()) -> list[ShopProduct]:
    """Products in the order in which they stand on the shelves, doubles side by side.

    Args:
        count: How many.
        seed: Fixes the choice, the doubles and the prices.
        folders: Of OBJ files to choose from instead of the furniture package.

    Raises:
        ModelsMissingError: There are no models.
        LayoutError: There are too few for so many products.
    """
    rng = np.random.default_rng((seed, 51))
    doubles = count // 4 * _DOUBLES_OF_FOUR
    models = _from_folders(folders, seed) if folders else None
    by_category = _keys_by_category(models)
    originals = count - doubles
    chosen = _spread(by_category, originals, rng)
    # Too few models: more doubles, up to one for each variant.
    missing = originals - len(chosen)
    if missing + doubles > len(chosen) * len(_VARIANTS):
        raise LayoutError(
            f"there are {len(chosen)} models for {count} products; ask for fewer --products "
            "or give more --meshes"
        )
    doubled = [chosen[int(each)] for each in rng.permutation(len(chosen))]
    doubled = (doubled * len(_VARIANTS))[: doubles + missing]
    drawn = {model.key: model for model in models or goods(chosen)}
    products = []
    for key in sorted(chosen, key=lambda each: (drawn[each].category, each)):
        original = _product(drawn[key], rng)
        products.append(original)
        for copy in range(doubled.count(key)):
            colour, hue_deg, tint = _VARIANTS[copy]
            products.append(
                replace(
                    original,
                    sku=f"{key}-{colour}",
                    name=f"{original.name}, {colour}",
                    mesh=recoloured(original.mesh, hue_deg, tint),
                    price=_price(rng),
                    double_of=key,
                )
            )
    return products


def _product(model: Model, rng: np.random.Generator) -> ShopProduct:
    mesh = model.mesh
    shrink = min(1.0, *(most / own for most, own in zip(LARGEST_GOODS_M, mesh.size_m, strict=True)))
    if shrink < 1:
        width, depth, height = (each * shrink for each in mesh.size_m)
        mesh = fitted(mesh, (width, depth, height))
    return ShopProduct(model.key, model.name, model.category, _price(rng), mesh, model.credit)


def _price(rng: np.random.Generator) -> Decimal:
    return Decimal(int(rng.integers(4, 200))) / 10 + Decimal("0.09")


def _from_folders(folders: Sequence[Path], seed: int) -> list[Model]:
    found: dict[str, Model] = {}
    for folder in folders:
        for model in models_below(folder, seed):
            key, number = model.key, 2
            while key in found:
                key, number = f"{model.key}-{number}", number + 1
            found[key] = replace(model, key=key)
    return list(found.values())


def _keys_by_category(models: list[Model] | None) -> dict[str, list[str]]:
    by_category: dict[str, list[str]] = {}
    if models is None:
        for key in goods_keys():
            by_category.setdefault(ASSORTMENT[key][0], []).append(key)
    else:
        for model in models:
            by_category.setdefault(model.category, []).append(model.key)
    return by_category


def _spread(by_category: dict[str, list[str]], count: int, rng: np.random.Generator) -> list[str]:
    """Keys from all categories in turn, until there are enough or none is left."""
    piles = [
        [by_category[name][int(each)] for each in rng.permutation(len(by_category[name]))]
        for name in sorted(by_category)
    ]
    chosen: list[str] = []
    while len(chosen) < count and any(piles):
        for pile in piles:
            if pile and len(chosen) < count:
                chosen.append(pile.pop())
    return chosen
