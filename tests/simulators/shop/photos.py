"""Catalogue photos: each product under other light, before other backgrounds, from other angles.

Nothing of the shop is in them: not its camera, its light, its shelves or its sensor.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.simulators.shop.layout import looking
from tests.simulators.shop.meshes import Mesh, box
from tests.simulators.shop.people import gripping_hand
from tests.simulators.shop.range_of_goods import ShopProduct
from tests.simulators.shop.studio import Light, Studio, Thing
from tests.simulators.shop.view import View

_SKINS = ((0.90, 0.73, 0.62), (0.72, 0.52, 0.40), (0.40, 0.27, 0.20))


def photos(
    studio: Studio, product: ShopProduct, count: int, size_px: int, seed: int
) -> Iterator[NDArray[np.uint8]]:
    """Photos of a product, uint8 BGR, ``(size_px, size_px, 3)``; every fourth in a hand."""
    for number in range(count):
        rng = np.random.default_rng((seed, 61, number, *product.sku.encode()))
        yield _photo(studio, product.mesh, size_px, rng, in_hand=number % 4 == 3)


def _photo(
    studio: Studio, mesh: Mesh, size_px: int, rng: np.random.Generator, *, in_hand: bool
) -> NDArray[np.uint8]:
    width, depth, height = mesh.size_m
    radius = float(np.linalg.norm([width, depth, height])) / 2
    azimuth = float(np.radians(rng.uniform(-80, 80)))
    elevation = float(np.radians(rng.uniform(6, 58)))
    middle = np.array([0, 0, height / 2])
    away = radius * float(rng.uniform(5.0, 7.0))
    eye = middle + away * np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            -np.cos(azimuth) * np.cos(elevation),
            np.sin(elevation),
        ]
    )
    eye[2] = max(float(eye[2]), 0.02)
    fill = float(rng.uniform(0.72, 0.95))
    focal = size_px * fill / 2 / np.tan(np.arcsin(min(radius / away, 0.9)))
    target = middle + rng.normal(0, 0.04 * radius, 3)
    camera = looking(
        "shelf", eye, target, float(focal), (size_px, size_px), (0.0, 0.0, 0.0, 0.0, 0.0),
        float(rng.uniform(-6, 6)),
    )  # fmt: skip
    things = [Thing(mesh, np.eye(4)), *_surroundings(radius, azimuth, rng)]
    if in_hand:
        skin = _SKINS[int(rng.integers(len(_SKINS)))]
        grip = np.eye(4)
        # From the left or the right of the picture, low, so that it hides a part only.
        side = 1.0 if rng.random() < 0.5 else -1.0
        lean = azimuth + side * float(rng.uniform(0.9, 1.6))
        grip[:3, 2] = [-np.sin(lean), np.cos(lean), 0]
        grip[:3, 1] = [0, 0, 1]
        grip[:3, 0] = np.cross(grip[:3, 1], grip[:3, 2])
        half = (width * abs(np.sin(lean)) + depth * abs(np.cos(lean))) / 2
        grip[:3, 3] = np.array([0, 0, height * 0.35]) - grip[:3, 2] * (half + 0.03)
        things.append(Thing(gripping_hand(skin), grip))
    view = View(studio, camera, _light(rng), oversample=1.6)
    view.stand(things)
    picture = view.standing_picture.astype(np.float32)
    view.close()
    picture *= rng.uniform(0.85, 1.1) * rng.uniform(0.95, 1.05, 3)
    picture += rng.normal(0, rng.uniform(0.5, 3.0), picture.shape)
    sharp = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        sharp = np.asarray(cv2.GaussianBlur(sharp, (0, 0), float(rng.uniform(0.4, 1.0))), np.uint8)
    return np.asarray(sharp[..., ::-1])


def _surroundings(radius: float, azimuth: float, rng: np.random.Generator) -> list[Thing]:
    """A table and a wall behind it, seen from wherever the photo is taken."""
    colour = rng.uniform(60, 245, 3)
    table = np.clip(colour + rng.normal(0, rng.uniform(1, 10), (64, 64, 3)), 0, 255)
    behind = np.clip(rng.uniform(60, 245, 3) + rng.normal(0, 3, (32, 32, 3)), 0, 255)
    wide = radius * 14
    solids = box((-wide, -wide, -0.02), (wide, wide, 0.0), (1, 1, 1), table.astype(np.uint8))
    wall = box(
        (-wide, radius * 3, 0), (wide, radius * 3.2, wide), (1, 1, 1), behind.astype(np.uint8)
    )
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(azimuth), -np.sin(azimuth)], [np.sin(azimuth), np.cos(azimuth)]]
    return [Thing(solids, np.eye(4)), Thing(wall, turn)]


def _light(rng: np.random.Generator) -> Light:
    angle, height = rng.uniform(-np.pi, np.pi), rng.uniform(0.35, 0.95)
    across = float(np.sqrt(1 - height**2))
    strength, warm = float(rng.uniform(0.35, 0.75)), float(rng.uniform(0.9, 1.1))
    sky = float(rng.uniform(0.35, 0.65))
    return Light(
        (float(np.cos(angle)) * across, float(-abs(np.sin(angle))) * across, float(height)),
        (strength * warm, strength, strength / warm),
        (sky, sky, sky * 1.03),
        (sky * 0.6, sky * 0.58, sky * 0.55),
    )
