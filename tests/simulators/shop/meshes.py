"""Triangle meshes as the renderer wants them: parts with one texture each, and simple solids.

Owns the shape of a mesh, its simplification, its recolouring and the solids that bodies and
fixtures are built of. Does not read model files (``models3d``) nor draw (``render``).

Frame of a mesh: metres, x to the right as seen from its front, y away from whoever looks at the
front, z up; the origin is the middle of its base.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Texture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Part:
    """Triangles of one material.

    Attributes:
        positions: float32 ``(N, 3)``, metres in the mesh's frame.
        normals: float32 ``(N, 3)``, unit length.
        uv: float32 ``(N, 2)``, v upwards; may wrap.
        faces: int32 ``(M, 3)``.
        colour: Red, green, blue, 0 to 1; multiplies the texture.
        texture: uint8 RGB ``(H, W, 3)``, first row on top; ``None`` for the plain colour.
        shininess: Strength of the highlight, 0 to 1.
        one_sided: Faces run counterclockwise as seen from outside, and nobody looks inside.
    """

    positions: Floats
    normals: Floats
    uv: Floats
    faces: NDArray[np.int32]
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    texture: Texture | None = None
    shininess: float = 0.1
    one_sided: bool = False


@dataclass(frozen=True, eq=False)
class Mesh:
    """A solid.

    Attributes:
        parts: Its materials.
    """

    parts: tuple[Part, ...]

    @cached_property
    def corners_m(self) -> NDArray[np.float64]:
        """Corners of the box around it, float64 ``(8, 3)``."""
        box_m = np.stack(self.bounds_m).astype(np.float64)
        return np.array(
            [[box_m[i, 0], box_m[j, 1], box_m[k, 2]] for i, j, k in np.ndindex(2, 2, 2)]
        )

    @property
    def bounds_m(self) -> tuple[Floats, Floats]:
        """Lowest and highest corner, each ``(3,)``."""
        low = np.min([part.positions.min(axis=0) for part in self.parts], axis=0)
        high = np.max([part.positions.max(axis=0) for part in self.parts], axis=0)
        return low, high

    @property
    def size_m(self) -> tuple[float, float, float]:
        """Width, depth and height."""
        low, high = self.bounds_m
        width, depth, height = (float(each) for each in high - low)
        return width, depth, height

    @property
    def triangles(self) -> int:
        """How many there are in all parts."""
        return sum(len(part.faces) for part in self.parts)


def fitted(mesh: Mesh, size_m: tuple[float, float, float]) -> Mesh:
    """The mesh stretched to a size, its base's middle moved to the origin."""
    low, high = mesh.bounds_m
    extent = np.maximum(high - low, 1e-6)
    scale = np.array(size_m, np.float32) / extent
    middle = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]], np.float32)
    parts = []
    for part in mesh.parts:
        normals = part.normals / scale
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        moved = ((part.positions - middle) * scale).astype(np.float32)
        parts.append(replace(part, positions=moved, normals=normals.astype(np.float32)))
    return Mesh(tuple(parts))


def turned(mesh: Mesh, matrix: NDArray[np.float64]) -> Mesh:
    """The mesh under a rotation ``(3, 3)``."""
    turn = matrix.astype(np.float32)
    return Mesh(
        tuple(
            replace(part, positions=part.positions @ turn.T, normals=part.normals @ turn.T)
            for part in mesh.parts
        )
    )


def simplified(mesh: Mesh, triangles: int) -> Mesh:
    """The mesh with about as many triangles as asked for, or unchanged when it has fewer.

    Vertices of one grid cell that look the same way and lie close on the texture become one, so
    seams of the texture stay where they are (vertex clustering: Rossignac and Borrel, 1993).
    """
    if mesh.triangles <= triangles:
        return mesh
    extent = float(max(mesh.size_m))
    for cells in (96, 80, 66, 56, 48, 40, 34, 28, 23, 18, 14, 10):
        smaller = Mesh(tuple(_clustered(part, extent / cells, cells / 8) for part in mesh.parts))
        smaller = Mesh(tuple(part for part in smaller.parts if len(part.faces)))
        if smaller.triangles <= triangles:
            break
    return smaller


def _clustered(part: Part, cell_m: float, islands_across: float) -> Part:
    cells = np.floor(part.positions / cell_m).astype(np.int64)
    axis = np.abs(part.normals).argmax(axis=1)
    towards = np.take_along_axis(part.normals, axis[:, None], axis=1)[:, 0] > 0
    looks = (axis * 2 + towards)[:, None]
    plain = part.texture is None
    islands = np.floor(part.uv * (0 if plain else islands_across)).astype(np.int64)
    keys = np.concatenate([cells, looks, islands], axis=1)
    _, first, cluster = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    cluster = cluster.reshape(-1)
    counts = np.bincount(cluster).astype(np.float32)[:, None]
    mean = np.stack(
        [np.bincount(cluster, part.positions[:, axis]) for axis in range(3)], axis=1
    ).astype(np.float32)
    faces = cluster[part.faces].astype(np.int32)
    a, b, c = faces.T
    return replace(
        part,
        positions=mean / counts,
        normals=part.normals[first],
        uv=part.uv[first],
        faces=faces[(a != b) & (b != c) & (a != c)],
    )


def recoloured(mesh: Mesh, hue_deg: float, tint: tuple[float, float, float]) -> Mesh:
    """The mesh in another colour: hues turned, and what has no hue tinted.

    Args:
        mesh: The mesh.
        hue_deg: How far hues turn.
        tint: Red, green, blue that grey places are multiplied with.
    """
    parts = []
    for part in mesh.parts:
        pixel = np.array([[part.colour]], np.float32)
        colour = _hue_turned(pixel, hue_deg, tint)[0, 0]
        texture = None
        if part.texture is not None:
            turned_texture = _hue_turned(part.texture.astype(np.float32) / 255, hue_deg, tint)
            texture = np.clip(np.rint(turned_texture * 255), 0, 255).astype(np.uint8)
            colour = np.array(part.colour)
        red, green, blue = (float(each) for each in colour)
        parts.append(replace(part, colour=(red, green, blue), texture=texture))
    return Mesh(tuple(parts))


def _hue_turned(
    rgb: NDArray[np.float32] | NDArray[np.float64], hue_deg: float, tint: tuple[float, float, float]
) -> Floats:
    hsv = cv2.cvtColor(rgb.astype(np.float32), cv2.COLOR_RGB2HSV)
    grey = np.clip(1 - hsv[..., 1:2] * 3, 0, 1)
    hsv[..., 0] = (hsv[..., 0] + hue_deg) % 360
    turned_rgb = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    tinted = turned_rgb * np.array(tint, np.float32)
    return np.asarray(turned_rgb * (1 - grey) + tinted * grey, np.float32)


# --- Solids ---


def tapered_capsule(
    length_m: float,
    start_m: tuple[float, float],
    end_m: tuple[float, float],
    colour: tuple[float, float, float],
    texture: Texture | None = None,
    *,
    sides: int = 14,
) -> Mesh:
    """A limb along z from 0 to a length, round at both ends.

    Args:
        length_m: Between the middles of its ends.
        start_m: Half width (x) and half depth (y) at z = 0.
        end_m: The same at z = ``length_m``.
        colour: Red, green, blue, 0 to 1.
        texture: Wrapped around it.
        sides: Of its cross section.
    """
    rings: list[tuple[float, float, float]] = []
    for angle in np.linspace(-90, 0, 4):
        rings.append(
            (
                float(np.sin(np.radians(angle))) * min(start_m),
                start_m[0] * float(np.cos(np.radians(angle))),
                start_m[1] * float(np.cos(np.radians(angle))),
            )
        )
    for angle in np.linspace(0, 90, 4):
        rings.append(
            (
                length_m + float(np.sin(np.radians(angle))) * min(end_m),
                end_m[0] * float(np.cos(np.radians(angle))),
                end_m[1] * float(np.cos(np.radians(angle))),
            )
        )
    return lofted(rings, colour, texture, sides=sides)


def lofted(
    rings: Sequence[tuple[float, float, float]],
    colour: tuple[float, float, float],
    texture: Texture | None = None,
    *,
    sides: int = 18,
) -> Mesh:
    """A closed tube through elliptic rings, given as z, half width and half depth in metres."""
    around = np.linspace(0, 2 * np.pi, sides + 1)
    columns = np.stack([np.cos(around), np.sin(around)], axis=1)
    positions, uv = [], []
    lowest, span = rings[0][0], max(rings[-1][0] - rings[0][0], 1e-6)
    for z, half_width, half_depth in rings:
        ring = columns * [max(half_width, 1e-4), max(half_depth, 1e-4)]
        positions.append(np.concatenate([ring, np.full((sides + 1, 1), z)], axis=1))
        uv.append(np.stack([around / (2 * np.pi), np.full(sides + 1, (z - lowest) / span)], axis=1))
    grid = np.arange(len(rings) * (sides + 1)).reshape(len(rings), sides + 1)
    low_left, low_right = grid[:-1, :-1].ravel(), grid[:-1, 1:].ravel()
    top_left, top_right = grid[1:, :-1].ravel(), grid[1:, 1:].ravel()
    faces = np.concatenate(
        [
            np.stack([low_left, low_right, top_right], axis=1),
            np.stack([low_left, top_right, top_left], axis=1),
        ]
    )
    flat = np.concatenate(positions)
    part = with_normals(flat, np.concatenate(uv), faces, colour, texture)
    return Mesh((replace(part, one_sided=True),))


def box(
    low_m: tuple[float, float, float],
    high_m: tuple[float, float, float],
    colour: tuple[float, float, float],
    texture: Texture | None = None,
    *,
    texture_m: float = 0.0,
) -> Mesh:
    """A box between two corners.

    Args:
        low_m: Its lowest corner.
        high_m: Its highest corner.
        colour: Red, green, blue, 0 to 1.
        texture: On every side.
        texture_m: Extent of one repetition; 0 stretches it over each side once.
    """
    low, high = np.array(low_m), np.array(high_m)
    positions: list[NDArray[np.float64]] = []
    normals, uvs, faces = [], [], []
    for axis in range(3):
        right, up = [(1, 2), (0, 2), (0, 1)][axis]
        for side in (0, 1):
            corners = np.tile(low, (4, 1))
            corners[:, axis] = high[axis] if side else low[axis]
            square = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64)
            corners[:, right] = low[right] + square[:, 0] * (high - low)[right]
            corners[:, up] = low[up] + square[:, 1] * (high - low)[up]
            normal = np.zeros(3)
            normal[axis] = 1 if side else -1
            faces.append(np.array([[0, 1, 2], [0, 2, 3]]) + 4 * len(positions))
            positions.append(corners)
            normals.append(np.tile(normal, (4, 1)))
            uvs.append(square * (high - low)[[right, up]] / texture_m if texture_m else square)
    return Mesh(
        (
            Part(
                np.concatenate(positions).astype(np.float32),
                np.concatenate(normals).astype(np.float32),
                np.concatenate(uvs).astype(np.float32),
                np.concatenate(faces).astype(np.int32),
                colour,
                texture,
                0.05,
            ),
        )
    )


def joined(*meshes: Mesh) -> Mesh:
    """One mesh of all, parts of the same plain colour made one."""
    alike: dict[tuple[tuple[float, float, float], float, bool], list[Part]] = {}
    parts = []
    for part in (part for mesh in meshes for part in mesh.parts):
        if part.texture is None:
            alike.setdefault((part.colour, part.shininess, part.one_sided), []).append(part)
        else:
            parts.append(part)
    for same in alike.values():
        starts = np.cumsum([0, *(len(part.positions) for part in same)])
        faces = [part.faces + start for part, start in zip(same, starts, strict=False)]
        parts.append(
            replace(
                same[0],
                positions=np.concatenate([part.positions for part in same]),
                normals=np.concatenate([part.normals for part in same]),
                uv=np.concatenate([part.uv for part in same]),
                faces=np.concatenate(faces).astype(np.int32),
            )
        )
    return Mesh(tuple(parts))


def with_normals(
    positions: NDArray[np.float64],
    uv: NDArray[np.float64],
    faces: NDArray[np.int64],
    colour: tuple[float, float, float],
    texture: Texture | None,
) -> Part:
    """A part whose normals follow from its faces, smooth over vertices at the same place."""
    places, same = np.unique(np.round(positions, 6), axis=0, return_inverse=True)
    same = same.reshape(-1)
    corners = positions[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.zeros((len(places), 3))
    for corner in range(3):
        np.add.at(sums, same[faces[:, corner]], across)
    normals = sums[same]
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return Part(
        positions.astype(np.float32),
        normals.astype(np.float32),
        uv.astype(np.float32),
        faces.astype(np.int32),
        colour,
        texture,
    )
