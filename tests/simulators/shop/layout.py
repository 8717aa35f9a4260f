"""Where everything is in a shop: floor, fixtures, boards, facings, cameras.

Owns the geometry and writes it down as the real ``calibration.format`` and
``calibration.planogram`` values, so what is rendered and what is calibrated cannot differ. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.format import Calibration, Camera, CameraRole, Fixture, Floor, Matrix3, Zone
from calibration.planogram import Facing, Planogram
from tests.simulators.shop.errors import LayoutError

FIXTURE_WIDTH_M = 1.30
FIXTURE_BOTTOM_M = 0.45
FIXTURE_HEIGHT_M = 1.08
FIXTURE_DEPTH_M = 0.40
BOARDS = 3
BOARD_GAP_M = FIXTURE_HEIGHT_M / BOARDS
BOARD_THICK_M = 0.02
CLEAR_HEIGHT_M = BOARD_GAP_M - 2 * BOARD_THICK_M
LARGEST_GOODS_M = (0.36, 0.30, CLEAR_HEIGHT_M - 0.012)


@dataclass(frozen=True)
class Place:
    """Room for one piece, in its fixture's frame.

    Attributes:
        column: From the left, from 0.
        row: From the front, from 0.
        u_m: Middle of the piece.
        v_m: What it stands on.
        w_m: Middle of the piece, from the front inwards.
    """

    column: int
    row: int
    u_m: float
    v_m: float
    w_m: float


@dataclass(frozen=True)
class Shop:
    """A shop without goods and people.

    Attributes:
        floor_m: Extent along x and y.
        calibration: Floor, zones, cameras, fixtures.
        planogram: Facings.
        places: Of each facing, columns from the left, in each column from the front.
        camera_side: For each fixture, 1 where its camera hangs to the right of its middle as a
            shopper sees it, -1 to the left.
        door_m: Where people come from, outside of the floor.
        way_out_m: Where they go to, outside of the floor.
    """

    floor_m: tuple[float, float]
    calibration: Calibration
    planogram: Planogram
    places: dict[str, tuple[Place, ...]]
    camera_side: dict[str, int]
    door_m: tuple[float, float]
    way_out_m: tuple[float, float]


@dataclass(frozen=True)
class Goods:
    """What a layout needs to know about a product: its SKU and the size of one piece."""

    sku: str
    size_m: tuple[float, float, float]


def lay_out(
    goods: list[Goods],
    *,
    shelf_cameras: int,
    overhead_cameras: int,
    size_px: tuple[int, int],
    rng: np.random.Generator,
) -> Shop:
    """A shop with a fixture for each shelf camera and the goods spread over them in order.

    Raises:
        LayoutError: Goods do not fit on the fixtures.
    """
    floor = (5.0, 4.0) if shelf_cameras <= 4 else (5.0 + 1.3 * (shelf_cameras - 4) / 2, 5.0)
    fixtures, sides = _fixtures(shelf_cameras, floor)
    cameras: dict[str, Camera] = {}
    for number, (name, fixture) in enumerate(fixtures.items(), start=1):
        cameras[f"shelf-{number}"] = _shelf_camera(fixture, sides[name], size_px, rng)
    for number in range(1, overhead_cameras + 1):
        cameras[f"overhead-{number}"] = _overhead_camera(
            number - 1, overhead_cameras, floor, size_px, rng
        )
    width, depth = floor
    calibration = Calibration(
        floor=Floor(
            outline=((0.0, 0.0), (width, 0.0), (width, depth), (0.0, depth)),
            zones=(
                Zone(name="entry", kind="entry", polygon=_rectangle(0.3, 0.0, 1.7, 0.95)),
                Zone(
                    name="exit",
                    kind="exit",
                    polygon=_rectangle(width - 1.7, 0.0, width - 0.3, 0.95),
                ),
            ),
        ),
        cameras=cameras,
        fixtures=fixtures,
    )
    planogram, places = _facings(goods, list(fixtures), rng)
    door, way_out = (1.0, -0.9), (width - 1.0, -0.9)
    return Shop(floor, calibration, planogram, places, sides, door, way_out)


def _rectangle(
    left: float, front: float, right: float, back: float
) -> tuple[tuple[float, float], ...]:
    return ((left, front), (right, front), (right, back), (left, back))


def _fixtures(
    count: int, floor_m: tuple[float, float]
) -> tuple[dict[str, Fixture], dict[str, int]]:
    """Fixtures along the back wall first, then the right one, then the left one."""
    width, depth = floor_m
    inset = FIXTURE_DEPTH_M + 0.03
    at_back = [(x, 1) for x in np.linspace(1.25, width - 1.85, max(2, int((width - 1.4) / 1.6)))]
    spots: list[tuple[tuple[float, float], tuple[float, float, float], int]] = []
    for number, (x, _) in enumerate(at_back):
        spots.append(
            ((x - FIXTURE_WIDTH_M / 2, depth - inset), (1.0, 0.0, 0.0), -1 if number % 2 else 1)
        )
    for wall, y in ((1, 1.95), (-1, 2.05), (1, 3.4), (-1, 3.5)):
        if y + FIXTURE_WIDTH_M / 2 > depth - 0.9:
            continue
        if wall == 1:  # on the right wall a shopper's right points towards the door
            spots.append(((width - inset, y + FIXTURE_WIDTH_M / 2), (0.0, -1.0, 0.0), -1))
        else:
            spots.append(((inset, y - FIXTURE_WIDTH_M / 2), (0.0, 1.0, 0.0), 1))
    if count > len(spots):
        raise LayoutError(
            f"{count} fixtures do not fit into the shop; ask for at most {len(spots)} shelf cameras"
        )
    order = [0, len(at_back), 1] if count >= 2 and len(at_back) < len(spots) else [0, 1]
    order += [each for each in range(len(spots)) if each not in order]
    fixtures, sides = {}, {}
    for number, spot in enumerate(order[:count], start=1):
        (x, y), right, side = spots[spot]
        fixtures[f"fixture-{number}"] = Fixture(
            origin_m=(float(x), float(y), FIXTURE_BOTTOM_M),
            right=right,
            up=(0.0, 0.0, 1.0),
            width_m=FIXTURE_WIDTH_M,
            height_m=FIXTURE_HEIGHT_M,
            depth_m=FIXTURE_DEPTH_M,
            cameras=(f"shelf-{number}",),
        )
        sides[f"fixture-{number}"] = side
    return fixtures, sides


def looking(
    role: CameraRole,
    eye_m: NDArray[np.float64],
    target_m: NDArray[np.float64],
    focal_px: float,
    size_px: tuple[int, int],
    distortion: tuple[float, float, float, float, float],
    roll_deg: float = 0.0,
) -> Camera:
    """A camera at a place that looks at another."""
    ahead = (target_m - eye_m) / np.linalg.norm(target_m - eye_m)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(ahead, right)
    roll = np.radians(roll_deg)
    axes = np.stack(
        [
            right * np.cos(roll) + down * np.sin(roll),
            down * np.cos(roll) - right * np.sin(roll),
            ahead,
        ]
    )
    width, height = size_px
    rows = [tuple(float(each) for each in row) for row in axes]
    shift = -axes @ eye_m
    rotation: Matrix3 = (rows[0], rows[1], rows[2])  # type: ignore[assignment]
    return Camera(
        role=role,
        image_size_px=size_px,
        matrix=(
            (focal_px, 0.0, (width - 1) / 2 + width * 0.004),
            (0.0, focal_px, (height - 1) / 2 - height * 0.003),
            (0.0, 0.0, 1.0),
        ),
        distortion=distortion,
        rotation=rotation,
        translation_m=(float(shift[0]), float(shift[1]), float(shift[2])),
    )


def _shelf_camera(
    fixture: Fixture, side: int, size_px: tuple[int, int], rng: np.random.Generator
) -> Camera:
    """High in the aisle beside the shopper, slantwise down at the front, all of it in sight."""
    middle = fixture.width_m / 2
    jitter = rng.uniform(-0.06, 0.06, 3)
    eye, target = fixture.to_shop(
        np.array(
            [
                (middle + side * 0.85 + jitter[0], 2.30 - FIXTURE_BOTTOM_M, -1.25 + jitter[1]),
                (middle + side * 0.06, 0.56, -0.02 + jitter[2] / 2),
            ]
        )
    )
    lens = (-0.17 + rng.uniform(-0.02, 0.02), 0.035, 0.0006, -0.0005, 0.0)
    width, height = size_px
    corners = fixture.to_shop(
        np.array(
            [
                (u, v, w)
                for u in (-0.06, fixture.width_m + 0.06)
                for v in (-0.02, fixture.height_m + 0.06)
                for w in (-0.10, 0.02)
            ]
        )
    )
    focal, roll = width * 0.9, float(rng.uniform(-2, 2))
    half = np.array([width / 2, height / 2])
    for _ in range(8):
        camera = looking("shelf", eye, target, focal, size_px, lens, roll)
        seen = camera.project(corners)
        low, high = seen.min(axis=0), seen.max(axis=0)
        focal *= 0.96 / float(((high - low) / 2 / half).max())
        # Look at the middle of what is to be seen: along the ray through it, as far as before.
        ray = camera.rays(((low + high) / 2)[None])[0]
        target = eye + ray * float(np.linalg.norm(target - eye))
    return looking("shelf", eye, target, focal, size_px, lens, roll)


def _overhead_camera(
    index: int,
    count: int,
    floor_m: tuple[float, float],
    size_px: tuple[int, int],
    rng: np.random.Generator,
) -> Camera:
    """Near the ceiling, from alternating sides towards the middle of its share of the floor."""
    width, depth = floor_m
    share = (index + 0.5) / count
    front = index % 2 == 0
    eye = np.array([width * share, 0.35 if front else depth - 0.75, 3.05 + rng.uniform(-0.1, 0.1)])
    eye[0] += rng.uniform(-0.15, 0.15)
    target = np.array(
        [width * (0.5 + (share - 0.5) * 0.45), depth * (0.56 if front else 0.34), 0.0]
    )
    lens = (-0.19 + rng.uniform(-0.02, 0.02), 0.034, 0.0004, 0.0006, -0.002)
    return looking(
        "overhead", eye, target, size_px[0] * 0.43, size_px, lens, float(rng.uniform(-3, 3))
    )


def _facings(
    goods: list[Goods], fixtures: list[str], rng: np.random.Generator
) -> tuple[Planogram, dict[str, tuple[Place, ...]]]:
    facings: dict[str, Facing] = {}
    places: dict[str, tuple[Place, ...]] = {}
    for fixture, part in zip(
        fixtures, np.array_split(np.arange(len(goods)), len(fixtures)), strict=True
    ):
        boards = _boards([goods[each] for each in part])
        for board, row in enumerate(boards):
            spare = FIXTURE_WIDTH_M - sum(_narrowest_m(each) for each in row)
            left = 0.0
            for each in row:
                wide = _narrowest_m(each) + spare / len(row)
                name = f"{fixture}-{'ABC'[board]}{row.index(each) + 1}"
                facing, its_places = _facing(name, fixture, board, left, wide, each, rng)
                facings[name], places[name] = facing, its_places
                left += wide
    return Planogram(facings=facings), places


def _narrowest_m(goods: Goods) -> float:
    return goods.size_m[0] + 0.05


def _boards(goods: list[Goods]) -> list[list[Goods]]:
    """Goods in order on boards from the bottom up, about as many on each as fit."""
    boards: list[list[Goods]] = []
    rest = list(goods)
    for board in range(BOARDS):
        share = -(-len(rest) // (BOARDS - board))
        row: list[Goods] = []
        while rest and len(row) < max(share, 1) and _fits([*row, rest[0]]):
            row.append(rest.pop(0))
        boards.append(row)
    if rest:
        raise LayoutError(
            f"{len(goods)} products do not fit on one fixture; "
            "ask for fewer --products or more --shelf-cameras"
        )
    return [row for row in boards if row]


def _as_measured_m(side_m: float) -> float:
    """To half a centimetre, as master data has it."""
    return max(0.005, round(round(side_m / 0.005) * 0.005, 3))


def _fits(row: list[Goods]) -> bool:
    return sum(_narrowest_m(each) for each in row) <= FIXTURE_WIDTH_M


def _facing(
    name: str,
    fixture: str,
    board: int,
    left_m: float,
    wide_m: float,
    goods: Goods,
    rng: np.random.Generator,
) -> tuple[Facing, tuple[Place, ...]]:
    width, depth, height = goods.size_m
    columns = int(np.clip((wide_m - 0.02) // (width + 0.025), 1, 3))
    rows = int(np.clip((FIXTURE_DEPTH_M - 0.02) // (depth + 0.012), 1, 4))
    floor_m = board * BOARD_GAP_M + BOARD_THICK_M
    places = tuple(
        Place(
            column,
            row,
            left_m + wide_m * (column + 0.5) / columns,
            floor_m,
            0.02 + depth / 2 + row * (depth + 0.012),
        )
        for column in range(columns)
        for row in range(rows)
    )
    capacity = columns * rows
    stock = int(rng.integers(max(1, -(-capacity * 2 // 3)), capacity + 1))
    facing = Facing(
        fixture=fixture,
        u_m=left_m,
        v_m=floor_m,
        width_m=min(wide_m, FIXTURE_WIDTH_M - left_m),
        height_m=CLEAR_HEIGHT_M,
        depth_m=FIXTURE_DEPTH_M,
        sku=goods.sku,
        capacity=capacity,
        stock=stock,
        columns=columns,
        piece_width_m=_as_measured_m(width),
        piece_depth_m=_as_measured_m(depth),
        piece_height_m=_as_measured_m(height),
    )
    return facing, places
