"""Product photos drawn from numbers: cartons with print on them, standing in changing scenes.

Owns what a product looks like (shape, colours, pattern, words: fixed by its number) and how a scene
changes that (background, viewpoint, light, sensor noise). Consecutive photos share a scene, as they
do when somebody walks along a shelf with a telephone, so whatever splits by scene has scenes to
find. Products of the same family (every second number) share their colours and pattern.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

PHOTOS_PER_SCENE = 2
_WORDS = (
    "OATS",
    "MILK",
    "SOUP",
    "RICE",
    "TEA",
    "PEAS",
    "CORN",
    "BRAN",
    "SALT",
    "PLUM",
    "FIGS",
    "KALE",
)
_CARTON_PX = (168, 120)

Image = NDArray[np.uint8]


def sku_of(product: int) -> str:
    """The SKU of a drawn product: ``carton-00``, ``carton-01``, ..."""
    return f"carton-{product:02d}"


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    hsv = np.array(
        [[[rng.integers(180), rng.integers(120, 256), rng.integers(120, 240)]]], np.uint8
    )
    blue, green, red = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0]
    return int(blue), int(green), int(red)


def draw_carton(product: int, seed: int = 0) -> Image:
    """The front of a product, without scene: uint8 ``(168, 120, 3)`` BGR."""
    family = np.random.default_rng((seed, product // 2, 1))
    own = np.random.default_rng((seed, product, 2))
    height, width = _CARTON_PX
    carton: Image = np.full((height, width, 3), _colour(family), np.uint8)
    print_colour = _colour(family)
    step, motif = int(family.integers(12, 26)), int(family.integers(3))
    for at in range(0, height + width, step):
        if motif == 0:
            cv2.line(carton, (0, at), (at, 0), print_colour, step // 3)
        elif motif == 1:
            cv2.circle(carton, (width // 2, height // 2), at, print_colour, step // 4)
        else:
            cv2.rectangle(carton, (0, at), (width, at + step // 2), print_colour, -1)
    label = _colour(own)
    top = int(own.integers(10, 90))
    cv2.rectangle(carton, (10, top), (width - 10, top + 62), label, -1)
    ink = (255, 255, 255) if sum(label) < 380 else (20, 20, 20)
    word = _WORDS[product % len(_WORDS)]
    cv2.putText(carton, word, (14, top + 28), cv2.FONT_HERSHEY_DUPLEX, 0.9, ink, 2)
    cv2.putText(carton, f"No {product}", (14, top + 54), cv2.FONT_HERSHEY_DUPLEX, 0.7, ink, 1)
    badge = (int(own.integers(15, width - 15)), int(own.integers(15, height - 15)))
    cv2.circle(carton, badge, 12, _colour(own), -1)
    return carton


def draw_photo(product: int, photo: int, seed: int = 0, size_px: int = 256) -> Image:
    """A photo of a product: uint8 ``(size_px, size_px, 3)`` BGR.

    Args:
        product: Which product.
        photo: Which photo of it; every ``PHOTOS_PER_SCENE`` photos the scene changes.
        seed: Another seed, other products in other scenes.
        size_px: Side of the square photo.
    """
    scene = np.random.default_rng((seed, product, photo // PHOTOS_PER_SCENE, 3))
    shot = np.random.default_rng((seed, product, photo, 4))
    rough = scene.integers(40, 200, (6, 6, 3)).astype(np.uint8)
    background = cv2.resize(rough, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
    for shelf_at in scene.integers(0, size_px, 3):
        cv2.line(background, (0, int(shelf_at)), (size_px, int(shelf_at)), (60, 60, 60), 4)

    height, width = _CARTON_PX
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    scale = size_px / 256 * (scene.uniform(1.0, 1.25) + shot.uniform(-0.06, 0.06))
    angle_rad = np.deg2rad(scene.uniform(-14, 14) + shot.uniform(-4, 4))
    turn = np.array(
        [[np.cos(angle_rad), -np.sin(angle_rad)], [np.sin(angle_rad), np.cos(angle_rad)]]
    )
    centre_px = size_px / 2 + scene.uniform(-0.03, 0.03, 2) * size_px + shot.uniform(-5, 5, 2)
    placed = (corners - corners.mean(axis=0)) * scale @ turn.T + centre_px
    placed += scene.uniform(-7, 7, (4, 2)) + shot.uniform(-2, 2, (4, 2))
    warp = cv2.getPerspectiveTransform(corners, placed.astype(np.float32))
    cv2.warpPerspective(
        draw_carton(product, seed),
        warp,
        (size_px, size_px),
        dst=background,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    gain = scene.uniform(0.75, 1.2) + shot.uniform(-0.05, 0.05)
    tint = scene.uniform(0.93, 1.07, 3)
    noise = shot.normal(0, 5, background.shape)
    return np.clip(background * (gain * tint) + noise, 0, 255).astype(np.uint8)


def write_photo(path: Path, image: Image) -> Path:
    """Write an image in the format of the path's suffix, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encoded, content = cv2.imencode(path.suffix, image)
    assert encoded, f"cv2 cannot write {path.suffix}"
    path.write_bytes(content.tobytes())
    return path


def make_catalogue(root: Path, products: int = 4, photos: int = 6, seed: int = 0) -> Path:
    """Write a catalogue folder, ``<sku>/NNN.jpg``, and return it.

    Args:
        root: Folder to write to; made when it does not exist.
        products: Number of products.
        photos: Number of photos of each.
        seed: Another seed, other products in other scenes.
    """
    for product in range(products):
        for photo in range(photos):
            path = root / sku_of(product) / f"{photo:03d}.jpg"
            write_photo(path, draw_photo(product, photo, seed))
    return root
