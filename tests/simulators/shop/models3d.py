"""The library of product models: Debian's sweethome3d-furniture, or any folder of OBJ files.

Owns which models are goods of a small shop, how large they are, and whom to credit. Reads files;
does not draw them.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from tests.simulators.shop.assortment import ASSORTMENT, UNKNOWN_OBJECTS
from tests.simulators.shop.errors import ModelsMissingError
from tests.simulators.shop.meshes import Mesh, fitted, simplified, turned
from tests.simulators.shop.obj import read_obj

FURNITURE = Path("/usr/share/sweethome3d/furniture")
PACKAGE = "sweethome3d-furniture"
TRIANGLES_A_PRODUCT = 3500
_LICENCES = {
    "BlendSwap-CC-0": "CC0 1.0",
    "BlendSwap-CC-BY": "CC-BY 3.0",
    "KatorLegaz": "CC-BY 3.0 US",
    "Reallusion": "CC-BY 3.0 US",
    "Scopia": "CC-BY 3.0",
}
# y up and the front towards +z, as the models are drawn, to z up and the front towards -y.
_UPRIGHT = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


@dataclass(frozen=True)
class Credit:
    """Whom to thank for a model.

    Attributes:
        name: Of the model.
        creator: Who made it.
        licence: Under which it may be shown.
        source: Where it comes from.
    """

    name: str
    creator: str
    licence: str
    source: str


@dataclass(frozen=True, eq=False)
class Model:
    """A model with its real size.

    Attributes:
        key: Short name, a folder name: letters, digits and dashes.
        name: For people.
        category: Of the shop's taxonomy.
        mesh: In metres, upright, its front towards -y.
        credit: Whom to thank.
    """

    key: str
    name: str
    category: str
    mesh: Mesh
    credit: Credit


@dataclass(frozen=True)
class _Entry:
    archive: Path
    name: str
    creator: str
    size_m: tuple[float, float, float]
    path: str
    rotation: tuple[float, ...]


def goods(keys: Sequence[str] | None = None) -> list[Model]:
    """Shop goods of the furniture package, ordered by key.

    Args:
        keys: Only these; all when ``None``.

    Raises:
        ModelsMissingError: The package is not installed.
    """
    entries = _entries()
    wanted = sorted(ASSORTMENT) if keys is None else list(keys)
    found = []
    for key in wanted:
        category, name, path, yaw_deg = ASSORTMENT[key]
        if path in entries:
            found.append(_model(key, name, category, entries[path], yaw_deg))
    return found


def goods_keys() -> list[str]:
    """Keys of the goods that are installed, ascending.

    Raises:
        ModelsMissingError: The package is not installed.
    """
    entries = _entries()
    return sorted(key for key, (_, _, path, _) in ASSORTMENT.items() if path in entries)


def unknown_objects() -> list[Model]:
    """Things that people carry and the shop does not sell.

    Raises:
        ModelsMissingError: The package is not installed.
    """
    entries = _entries()
    return [
        _model(key, name, "unknown", entries[path], 0.0)
        for key, (name, path) in sorted(UNKNOWN_OBJECTS.items())
        if path in entries
    ]


def models_below(folder: Path, seed: int) -> list[Model]:
    """Models of a folder of OBJ files, each brought to the size of a small product.

    Args:
        folder: Searched with its sub-folders; the first sub-folder's name is the category.
        seed: Fixes the sizes, which OBJ files do not tell.

    Raises:
        ModelsMissingError: The folder holds no OBJ file that can be drawn.
    """
    found: list[Model] = []
    for path in sorted(folder.rglob("*.obj")):
        below = path.relative_to(folder).parts
        key = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-") or "model"
        mesh = read_obj(_beside(path), path.name)
        if mesh is None:
            continue
        longest = 0.10 + 0.10 * np.random.default_rng((seed, len(found), 77)).random()
        upright = turned(mesh, _UPRIGHT)
        scale = longest / max(upright.size_m)
        width, depth, height = (max(0.02, each * scale) for each in upright.size_m)
        category = below[0] if len(below) > 1 else "goods"
        credit = Credit(path.stem, "unknown", "see its folder", str(below[-1]))
        found.append(
            Model(key, path.stem, category, _ready(upright, (width, depth, height)), credit)
        )
    if not found:
        raise ModelsMissingError(
            f"{folder} holds no OBJ file that can be drawn; give another --meshes folder"
        )
    return found


def _beside(path: Path) -> Callable[[str], bytes]:
    return lambda name: (path.parent / name).read_bytes()


def _entries() -> dict[str, _Entry]:
    archives = sorted(FURNITURE.glob("*.sh3f")) if FURNITURE.is_dir() else []
    if not archives:
        raise ModelsMissingError(
            f"the 3D models are not installed ({FURNITURE} holds none): "
            f"apt-get install {PACKAGE}, or give a folder of OBJ files with --meshes"
        )
    return {entry.path: entry for archive in archives for entry in _catalogue(archive)}


def _catalogue(archive: Path) -> Iterator[_Entry]:
    with zipfile.ZipFile(archive) as bundle:
        text = bundle.read("PluginFurnitureCatalog.properties").decode("latin-1")
    fields: dict[int, dict[str, str]] = {}
    for field, number, value in re.findall(r"^(\w+)#(\d+)[ \t]*=[ \t]*(.*?)\s*$", text, re.M):
        fields.setdefault(int(number), {})[field] = value
    for each in fields.values():
        width, depth, height = (float(each[side]) / 100 for side in ("width", "depth", "height"))
        yield _Entry(
            archive,
            each["name"],
            each.get("creator", "unknown"),
            (width, depth, height),
            each["model"].lstrip("/"),
            tuple(float(number) for number in each.get("modelRotation", "").split()),
        )


def _model(key: str, name: str, category: str, entry: _Entry, yaw_deg: float) -> Model:
    with zipfile.ZipFile(entry.archive) as bundle:
        folder = PurePosixPath(entry.path).parent
        names = set(bundle.namelist())

        def read(name: str) -> bytes:
            full = str(folder / name)
            if full not in names:
                raise FileNotFoundError(full)
            return bundle.read(full)

        mesh = read_obj(read, PurePosixPath(entry.path).name)
    if mesh is None:
        raise ModelsMissingError(
            f"{entry.archive}: {entry.path} cannot be drawn; reinstall {PACKAGE}"
        )
    if entry.rotation:
        mesh = turned(mesh, np.array(entry.rotation).reshape(3, 3))
    whole = fitted(turned(mesh, _UPRIGHT), entry.size_m)
    angle = np.radians(yaw_deg)
    yaw = np.array(
        [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    )
    whole = turned(whole, yaw)
    licence = _LICENCES.get(entry.archive.stem, "see the package's copyright file")
    credit = Credit(entry.name, entry.creator, licence, f"{PACKAGE}: {entry.path}")
    return Model(key, name, category, _ready(whole, whole.size_m), credit)


def _ready(mesh: Mesh, size_m: tuple[float, float, float]) -> Mesh:
    return simplified(fitted(mesh, size_m), TRIANGLES_A_PRODUCT)
