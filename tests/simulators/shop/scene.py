"""The shop as things to draw: what stands, and what moves at a moment.

Owns furniture, contact shadows and which piece is drawn where. Does not draw.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from calibration.format import Fixture
from tests.simulators.shop.layout import BOARD_GAP_M, BOARD_THICK_M, BOARDS, Shop
from tests.simulators.shop.meshes import Mesh, Part, Texture, box, joined
from tests.simulators.shop.motion import Piece, PieceKey, Vector, to_shop
from tests.simulators.shop.people import Body, Posed
from tests.simulators.shop.story import Story
from tests.simulators.shop.studio import Matrix, Thing, corners_of

_WALL_HEIGHT_M = 2.7
_KEPT = 100
# How far around themselves somebody reaches, with all they carry.
_REACH_M = 1.3
_CORNERS_M = np.array(
    [(x, y, z) for x in (-_REACH_M, _REACH_M) for y in (-_REACH_M, _REACH_M) for z in (0.0, 2.2)]
)


class Scene:
    """A story as things to draw.

    Args:
        shop: Where.
        story: What happens.
        meshes: Of every model by its key.
        seed: Fixes floor and wall.
    """

    def __init__(self, shop: Shop, story: Story, meshes: dict[str, Mesh], seed: int) -> None:
        self._story = story
        self._meshes = meshes
        self._furniture = _furniture(shop, np.random.default_rng((seed, 31)))
        self._bodies = {person.name: Body(person.looks) for person in story.people}
        self._people = {person.name: person for person in story.people}
        self._held_by = {
            name: [each for each in story.pieces if any(key.holder == name for key in each.keys)]
            for name in self._people
        }
        # Somebody at a moment, kept until every camera has looked.
        self._seen: dict[tuple[str, float], list[Thing]] = {}
        self._moments = sorted({key.at_s for each in story.pieces for key in each.keys})
        self._spot = _spot()
        self._crate = box((-0.15, -0.10, -0.05), (0.15, 0.11, 0.04), (0.12, 0.30, 0.55))
        self._depths = {
            facing: shop.calibration.fixtures[each.fixture]
            for facing, each in shop.planogram.facings.items()
        }

    def standing(self, now_s: float) -> list[Thing]:
        """Furniture and the pieces on the shelves, with their contact shadows."""
        things = list(self._furniture)
        for piece in self._story.pieces:
            key = piece.at(now_s)
            if key.where == "shelf":
                things += self._on_shelf(piece, key)
        return things

    def changed(self, before_s: float, now_s: float) -> list[Vector]:
        """Corners around each piece that came onto or left a shelf between two moments."""
        found: list[Vector] = []
        if bisect_right(self._moments, before_s) == bisect_right(self._moments, now_s):
            return found
        for piece in self._story.pieces:
            before, now = piece.at(before_s), piece.at(now_s)
            if before is now:
                continue
            for key in (before, now):
                if key.where == "shelf":
                    found.append(corners_of(self._on_shelf(piece, key)))
        return found

    def present(self, now_s: float) -> dict[str, Vector]:
        """Everybody in the shop at a moment, with the corners ``(8, 3)`` of a box around them."""
        return {
            name: _CORNERS_M + (*person.walk.where(now_s), 0.0)
            for name, person in self._people.items()
            if person.present(now_s)
        }

    def moving(self, now_s: float, names: Sequence[str]) -> list[list[Thing]]:
        """Those of some people who are there, each with what they hold and their shadow."""
        if len(self._seen) > _KEPT:
            self._seen.clear()
        groups = []
        for name in names:
            if self._people[name].present(now_s):
                if (name, now_s) not in self._seen:
                    self._seen[name, now_s] = self._somebody(name, now_s)
                groups.append(self._seen[name, now_s])
        return groups

    def _somebody(self, name: str, now_s: float) -> list[Thing]:
        person = self._people[name]
        posed = self._bodies[name].posed(person, now_s)
        held = self._held(name, posed, now_s)
        x, y = person.walk.where(now_s)
        shadows = (
            Thing(self._spot, _at((x, y, 0.004), 0.0, 0.95), 0.28, blob=True),
            Thing(self._spot, _at((x, y, 0.006), 0.0, 0.5), 0.45, blob=True),
        )
        if name.startswith("staff"):
            heading = np.degrees(person.walk.heading_at(now_s)) - 90
            hold = to_shop((-0.08, 0.33, 0.93), (x, y), person.walk.heading_at(now_s))
            held = (*held, Thing(self._crate, _at(tuple(hold), heading)))
        return [*posed.things, *held, *shadows]

    def _held(self, name: str, posed: Posed, now_s: float) -> tuple[Thing, ...]:
        person = self._people[name]
        floor, heading = person.walk.where(now_s), person.walk.heading_at(now_s)
        things = []
        for piece in self._held_by[name]:
            key = piece.at(now_s)
            if key.holder != name or key.where not in ("hand", "arm") or now_s < key.at_s:
                continue
            away = to_shop(key.place_m, (0.0, 0.0), heading)
            base = posed.right_hand_m + away if key.where == "hand" else away + [*floor, 0.0]
            yaw = key.yaw_deg + np.degrees(heading)
            x, y, z = (float(each) for each in base)
            things.append(Thing(self._meshes[piece.model], _at((x, y, z), yaw)))
        return tuple(things)

    def _on_shelf(self, piece: Piece, key: PieceKey) -> list[Thing]:
        mesh = self._meshes[piece.model]
        width, depth, _ = mesh.size_m
        x, y, z = key.place_m
        shade = 0.95
        if key.facing is not None:
            fixture = self._depths[key.facing]
            inside = float((np.array(key.place_m) - np.array(fixture.origin_m)) @ fixture.inward)
            shade -= 0.3 * inside / fixture.depth_m
        spot = _at((x, y, z + 0.002), key.yaw_deg, width * 1.25, depth * 1.25)
        return [
            Thing(mesh, _at((x, y, z), key.yaw_deg), shade),
            Thing(self._spot, spot, 0.4, blob=True),
        ]


def _at(
    place_m: tuple[float, ...], yaw_deg: float, width: float = 1.0, depth: float | None = None
) -> Matrix:
    angle = np.radians(yaw_deg)
    deep = width if depth is None else depth
    placed = np.eye(4)
    placed[:2, :2] = [
        [np.cos(angle) * width, -np.sin(angle) * deep],
        [np.sin(angle) * width, np.cos(angle) * deep],
    ]
    placed[:3, 3] = place_m
    return placed


def _spot() -> Mesh:
    square = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)], np.float32)
    positions = np.concatenate([square, np.zeros((4, 1), np.float32)], axis=1)
    up = np.tile(np.array([0, 0, 1], np.float32), (4, 1))
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    return Mesh((Part(positions, up, square + 0.5, faces),))


def _furniture(shop: Shop, rng: np.random.Generator) -> list[Thing]:
    width, depth = shop.floor_m
    tiles = _tiles(rng)
    plaster = _speckled(rng, (208, 203, 192), 3)
    floor = box(
        (-1.5, -2.2, -0.05), (width + 1.5, depth + 0.1, 0.0), (1, 1, 1), tiles, texture_m=1.2
    )
    walls = [
        box(
            (-0.1, depth, 0),
            (width + 0.1, depth + 0.1, _WALL_HEIGHT_M),
            (1, 1, 1),
            plaster,
            texture_m=1,
        ),
        box((-0.1, 0, 0), (0, depth, _WALL_HEIGHT_M), (1, 1, 1), plaster, texture_m=1),
        box((width, 0, 0), (width + 0.1, depth, _WALL_HEIGHT_M), (1, 1, 1), plaster, texture_m=1),
        box((1.9, -0.12, 0), (width - 1.9, -0.04, 0.9), (0.5, 0.52, 0.55)),
    ]
    things = [Thing(each, np.eye(4)) for each in (floor, *walls)]
    for zone, colour in zip(
        shop.calibration.floor.zones, ((0.35, 0.5, 0.4), (0.5, 0.4, 0.36)), strict=False
    ):
        (left, front), _, (right, back), _ = zone.polygon
        mat = box(
            (left, front, 0.001),
            (right, back, 0.003),
            colour,
            _speckled(rng, (200, 200, 200), 14),
            texture_m=0.3,
        )
        things.append(Thing(mat, np.eye(4)))
    for fixture in shop.calibration.fixtures.values():
        placed = np.eye(4)
        placed[:3, 0], placed[:3, 1] = fixture.right, fixture.inward
        placed[:3, 2], placed[:3, 3] = fixture.up, fixture.origin_m
        solid, rear = _shelving(fixture, rng)
        things += [Thing(solid, placed), Thing(rear, placed, 0.72)]
    return things


def _shelving(fixture: Fixture, rng: np.random.Generator) -> tuple[Mesh, Mesh]:
    """Side panels, boards with price strips, and the back, in the fixture's right, inward, up."""
    wide, deep, high = fixture.width_m, fixture.depth_m, fixture.height_m
    tone = float(rng.uniform(0.72, 0.9))
    grain = _grain(rng)
    metal = (tone, tone, tone * 0.98)
    solids = [
        box((-0.03, 0, -fixture.origin_m[2]), (-0.005, deep, high + 0.03), metal),
        box((wide + 0.005, 0, -fixture.origin_m[2]), (wide + 0.03, deep, high + 0.03), metal),
        box((-0.005, 0.03, -fixture.origin_m[2]), (wide + 0.005, deep, 0.0), (0.35, 0.35, 0.36)),
        box((-0.005, 0, high), (wide + 0.005, deep, high + 0.03), metal),
    ]
    for board in range(BOARDS):
        top = board * BOARD_GAP_M + BOARD_THICK_M
        solids.append(
            box((0, 0, top - BOARD_THICK_M), (wide, deep, top), (1, 1, 1), grain, texture_m=0.6)
        )
        strip = box((0, -0.004, top - 0.034), (wide, 0.0, top - 0.001), (0.92, 0.92, 0.9))
        solids.append(strip)
        for label in np.arange(0.1, wide - 0.1, 0.27):
            left = float(label + rng.uniform(-0.03, 0.03))
            solids.append(
                box(
                    (left, -0.006, top - 0.031),
                    (left + 0.055, -0.004, top - 0.004),
                    (1, 1, 1),
                    _label(rng),
                )
            )
    back = box((0, deep - 0.005, 0), (wide, deep + 0.01, high), (tone, tone, tone))
    return joined(*solids), back


def _tiles(rng: np.random.Generator) -> Texture:
    base = rng.uniform(120, 165, 3)
    base[:] = base.mean() + (base - base.mean()) * 0.25
    tile = np.clip(base + rng.normal(0, 4, (256, 256, 3)), 0, 255)
    for row in range(2):
        for column in range(2):
            tile[row * 128 : row * 128 + 128, column * 128 : column * 128 + 128] += rng.uniform(
                -7, 7
            )
    tile[:2], tile[:, :2], tile[128:130], tile[:, 128:130] = (base * 0.7,) * 4
    return np.clip(tile, 0, 255).astype(np.uint8)


def _speckled(rng: np.random.Generator, colour: tuple[int, int, int], spread: float) -> Texture:
    grey = rng.normal(0, spread, (64, 64, 1))
    return np.clip(np.array(colour) + grey, 0, 255).astype(np.uint8)


def _grain(rng: np.random.Generator) -> Texture:
    lines = np.cumsum(rng.normal(0, 2.0, (64, 1, 1)), axis=0) + rng.normal(0, 2, (64, 64, 1))
    wood = np.array([(190, 160, 120), (205, 205, 200), (170, 150, 130)][int(rng.integers(3))])
    return np.clip(wood + lines, 0, 255).astype(np.uint8)


def _label(rng: np.random.Generator) -> Texture:
    label = np.full((32, 64, 3), 245, np.uint8)
    for row in range(6, 28, 7):
        label[row : row + 3, 4 : 4 + int(rng.integers(15, 56))] = int(rng.integers(20, 90))
    if rng.random() < 0.3:
        label[:, 44:] = (200, 40, 30)
    return label
