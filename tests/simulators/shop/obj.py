"""Reads Wavefront OBJ and MTL text: positions, texture coordinates, materials with one picture.

Only what textured goods need; curves, groups and smoothing are passed over. Written here because
general mesh libraries drop the pictures of many of the furniture package's models.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.simulators.shop.meshes import Mesh, with_normals

TEXTURE_PX = 256
Read = Callable[[str], bytes]


@dataclass
class _Surface:
    """Corners of one material's triangles: indices of positions and texture coordinates."""

    corners: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Material:
    colour: tuple[float, float, float] = (0.7, 0.7, 0.7)
    texture: NDArray[np.uint8] | None = None
    shininess: float = 0.1
    opacity: float = 1.0


def read_obj(read: Read, name: str) -> Mesh | None:
    """The mesh of an OBJ file, in its own units and axes.

    Args:
        read: Gives the bytes of a file beside the model; ``OSError`` when there is none.
        name: Of the OBJ file.

    Returns:
        The mesh; ``None`` when the file holds no triangle.
    """
    places: list[tuple[float, ...]] = []
    texels: list[tuple[float, ...]] = []
    surfaces: dict[str, _Surface] = {}
    materials: dict[str, _Material] = {}
    surface = surfaces.setdefault("", _Surface())
    for line in read(name).decode("utf-8", "replace").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "v":
            places.append(tuple(float(each) for each in rest.split()[:3]))
        elif word == "vt":
            texels.append(tuple(float(each) for each in rest.split()[:2]))
        elif word == "f":
            corners = [_corner(each, len(places), len(texels)) for each in rest.split()]
            for second, third in zip(corners[1:-1], corners[2:], strict=True):
                surface.corners += (corners[0], second, third)
        elif word == "usemtl":
            surface = surfaces.setdefault(rest.strip(), _Surface())
        elif word == "mtllib":
            materials |= _materials(read, rest.strip())
    return _mesh(places, texels, surfaces, materials)


def _corner(text: str, places: int, texels: int) -> tuple[int, int]:
    numbers = text.split("/")
    place = int(numbers[0])
    texel = int(numbers[1]) if len(numbers) > 1 and numbers[1] else 0
    # Counted from 1; negative numbers count back from the last one read; 0 stands for none.
    return (
        place - 1 if place > 0 else places + place,
        texel - 1 if texel > 0 else texels + texel if texel < 0 else -1,
    )


def _mesh(
    places: list[tuple[float, ...]],
    texels: list[tuple[float, ...]],
    surfaces: dict[str, _Surface],
    materials: dict[str, _Material],
) -> Mesh | None:
    positions = np.array(places, np.float64).reshape(-1, 3)
    uv = np.array([*texels, (0.0, 0.0)], np.float64)
    parts = []
    for name, surface in surfaces.items():
        material = materials.get(name, _Material())
        if not surface.corners or material.opacity < 0.2:
            continue
        corners = np.array(surface.corners, np.int64)
        used, same = np.unique(corners, axis=0, return_inverse=True)
        part = with_normals(
            positions[used[:, 0]],
            uv[used[:, 1]],
            same.reshape(-1, 3).astype(np.int64),
            material.colour,
            material.texture,
        )
        parts.append(replace(part, shininess=material.shininess))
    return Mesh(tuple(parts)) if parts else None


def _materials(read: Read, name: str) -> dict[str, _Material]:
    try:
        text = read(name).decode("utf-8", "replace")
    except OSError:
        return {}
    found: dict[str, _Material] = {}
    current = ""
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if word == "newmtl":
            current = rest
            found[current] = _Material()
        elif current and word == "Kd":
            red, green, blue = (float(each) for each in rest.split()[:3])
            found[current] = replace(found[current], colour=(red, green, blue))
        elif current and word == "Ks":
            strength = min(0.5, float(np.mean([float(each) for each in rest.split()[:3]])))
            found[current] = replace(found[current], shininess=strength)
        elif current and word == "d":
            found[current] = replace(found[current], opacity=float(rest.split()[-1]))
        elif current and word == "map_Kd":
            found[current] = replace(found[current], texture=_picture(read, rest))
    return {
        key: replace(each, colour=(1.0, 1.0, 1.0)) if each.texture is not None else each
        for key, each in found.items()
    }


def _picture(read: Read, line: str) -> NDArray[np.uint8] | None:
    for name in (line, line.split()[-1]):  # options may stand before the file's name
        try:
            picture = Image.open(io.BytesIO(read(name))).convert("RGB")
        except OSError:
            continue
        scale = TEXTURE_PX / max(picture.size)
        if scale < 1:
            shape = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
            picture = picture.resize(shape, Image.Resampling.LANCZOS)
        return np.asarray(picture, np.uint8)
    return None
