"""A shop that has no calibration yet: live cameras before which a technician walks about a board.

Owns the rendering of what the cameras see, again and again: a printed board held up everywhere, and
between that the empty shop, with markers on the fixture's front and crosses on the floor. The truth
is known exactly. The videos play in a loop, as live cameras would go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from calibration.board import BoardSpec, fit_board
from calibration.format import Camera, Fixture
from calibration.lens import lens_of
from calibration.markers import corner_markers
from tests.edge.videos import write_clip
from tests.simulators.calibration import (
    Flat,
    Grey,
    Photographer,
    held_board,
    marker_texture,
    poses_in_front,
)
from tests.simulators.photos import draw_photo
from tests.simulators.shop.layout import looking

SIZE_PX: Final = (960, 540)
FPS: Final = 8.0
HELD_S: Final = 0.75
EMPTY_S: Final = 4.0
POSES: Final = 27
FLOOR_M: Final = (5.0, 4.0)
MARKS_M: Final = (
    (0.3, 0.5),
    (4.7, 0.5),
    (4.7, 3.7),
    (0.3, 3.7),
    (2.5, 2.0),
    (3.5, 3.7),
    (1.0, 2.0),
    (4.0, 2.0),
)
PRODUCTS: Final = ("oat-milk", "tea", "soap")
_CROSS_M: Final = 0.2


@dataclass(frozen=True)
class Uncalibrated:
    """The shop as it really is.

    Attributes:
        folder: With ``store.yaml``, catalogue and videos.
        fixture: Its only fixture.
        cameras: Its cameras.
        board: The board that is held up.
    """

    folder: Path
    fixture: Fixture
    cameras: dict[str, Camera]
    board: BoardSpec


def write_uncalibrated(folder: Path) -> Uncalibrated:
    """Render the shop.

    Args:
        folder: Where to; made here.
    """
    folder.mkdir(parents=True)
    fixture = Fixture(
        origin_m=(1.5, 3.5, 0.45),
        right=(1.0, 0.0, 0.0),
        up=(0.0, 0.0, 1.0),
        width_m=1.2,
        height_m=1.0,
        depth_m=0.4,
        cameras=("shelf-1",),
        markers=corner_markers((0, 1, 2, 3), 1.2, 1.0, 0.06),
    )
    cameras = {
        "overhead-1": looking(
            "overhead",
            np.array([2.5, 0.1, 3.4]),
            np.array([2.5, 1.9, 0.0]),
            400.0,
            SIZE_PX,
            (-0.12, 0.02, 0.0, 0.0, 0.0),
        ),
        "shelf-1": looking(
            "shelf",
            np.array([2.2, 2.0, 1.9]),
            np.array([2.1, 3.5, 0.95]),
            700.0,
            SIZE_PX,
            (-0.1, 0.02, 0.0, 0.0, 0.0),
        ),
    }
    board = fit_board("A4")
    things = [shop_floor(), *fixture_front(fixture)]
    for seed, (name, camera) in enumerate(cameras.items(), start=1):
        write_clip(folder / f"{name}.mp4", _film(camera, things, board, seed), FPS)
    for number, sku in enumerate(PRODUCTS):
        photos = folder / "catalogue" / "groceries" / sku
        photos.mkdir(parents=True)
        cv2.imwrite(str(photos / "001.jpg"), draw_photo(number, 0, 0, 96))
    rows = "".join(f"{sku},{sku.title()},1.00,EUR\n" for sku in PRODUCTS)
    (folder / "catalogue" / "products.csv").write_text(
        "sku,name,price,currency\n" + rows, encoding="utf-8"
    )
    values = {
        "schema_version": 1,
        "store": {"id": "new", "name": "New shop", "currency": "EUR"},
        "calibration": "calibration.json",
        "planogram": "planogram.json",
        "catalogue": "catalogue",
        "cameras": {
            name: {"kind": "file", "path": f"{name}.mp4", "loop": True} for name in cameras
        },
    }
    (folder / "store.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return Uncalibrated(folder, fixture, cameras, board)


def _film(
    camera: Camera, things: list[Flat], board: BoardSpec, seed: int
) -> list[NDArray[np.uint8]]:
    lens = lens_of(camera)
    photographer = Photographer(lens, seed)
    rotation, shift = np.array(camera.rotation), np.array(camera.translation_m)
    scene = photographer.canvas(things, rotation, shift)
    empty = photographer.picture([], rotation, shift, onto=scene)
    pictures = [empty] * round(EMPTY_S * FPS)
    held = held_board(board)
    middle = np.array([board.squares_x, board.squares_y, 0]) * board.square_mm / 2000
    for place, (board_rotation, near) in enumerate(poses_in_front(lens, board, POSES, seed)):
        # Every third time from further away.
        away = 2.2 if place % 3 == 2 else 1.0
        board_shift = away * (board_rotation @ middle + near) - board_rotation @ middle
        # Held before the camera: from the camera's frame into the shop's.
        there = Flat(
            held.texture,
            held.px_per_m,
            rotation.T @ (board_rotation @ held.corner_m + board_shift - shift),
            rotation.T @ board_rotation @ held.right,
            rotation.T @ board_rotation @ held.down,
        )
        picture = photographer.picture([there], rotation, shift, onto=scene)
        pictures += [picture] * round(HELD_S * FPS)
    rng = np.random.default_rng(seed)
    return [_bgr(each, rng) for each in pictures]


def _bgr(grey: Grey, rng: np.random.Generator) -> NDArray[np.uint8]:
    lively = grey + rng.normal(0, 1.0, grey.shape)
    level = np.clip(np.rint(lively), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(level, cv2.COLOR_GRAY2BGR), np.uint8)


def shop_floor() -> Flat:
    """Mottled, with a cross at each mark; its upper edge is the far wall."""
    px_per_m = 200.0
    rng = np.random.default_rng(7)
    width, height = (round(each * px_per_m) for each in FLOOR_M)
    coarse = rng.normal(140, 14, (height // 20, width // 20)).astype(np.float32)
    texture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    arm = round(_CROSS_M / 2 * px_per_m)
    for x_m, y_m in MARKS_M:
        at = (round(x_m * px_per_m), round((FLOOR_M[1] - y_m) * px_per_m))
        for dx, dy in ((arm, 0), (0, arm)):
            start, end = (at[0] - dx, at[1] - dy), (at[0] + dx, at[1] + dy)
            cv2.line(texture, start, end, 20.0, 5, cv2.LINE_AA)
    return Flat(
        np.clip(texture, 0, 255).astype(np.uint8),
        px_per_m,
        np.array([0.0, FLOOR_M[1], 0.0]),
        np.array([1.0, 0.0, 0.0]),
        np.array([0.0, -1.0, 0.0]),
    )


def fixture_front(fixture: Fixture) -> list[Flat]:
    """A front with boards, blotches for goods, and markers in its corners."""
    px_per_m = 240.0
    rng = np.random.default_rng(11)
    width, height = round(fixture.width_m * px_per_m), round(fixture.height_m * px_per_m)
    coarse = rng.uniform(70, 210, (height // 16, width // 16)).astype(np.float32)
    texture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    for row in (1, 2):
        cv2.line(texture, (0, row * height // 3), (width, row * height // 3), 40.0, 6)
    right, down = np.array(fixture.right), -np.array(fixture.up)
    corner = fixture.to_shop(np.array([[0.0, fixture.height_m, 0.0]]))[0]
    things = [Flat(np.clip(texture, 0, 255).astype(np.uint8), px_per_m, corner, right, down)]
    for marker in fixture.markers:
        cell = marker.side_m / 6
        left_top = np.array([[marker.u_m - cell, marker.v_m + marker.side_m + cell, 0.0]])
        things.append(
            Flat(
                marker_texture(marker.id),
                6 * 24 / marker.side_m,
                fixture.to_shop(left_top)[0],
                right,
                down,
            )
        )
    return things
