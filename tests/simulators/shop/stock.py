"""Which piece stands where while a script is written: the shelves as they change.

Owns the pieces' keys. A facing that somebody is reaching into is locked until they are done, so two
people never reach for the same piece. Pure but for its own state.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from calibration.format import Fixture
from tests.simulators.shop.layout import CLEAR_HEIGHT_M, Place, Shop
from tests.simulators.shop.motion import Piece, PieceKey

Size = tuple[float, float, float]


class Stock:
    """Pieces on the shelves of a shop.

    Args:
        shop: Where the facings are.
        sizes_m: Width, depth and height of each model by its key.
        rng: Scatters them a little.
    """

    def __init__(self, shop: Shop, sizes_m: dict[str, Size], rng: np.random.Generator) -> None:
        self._shop = shop
        self.sizes_m = sizes_m
        self._rng = rng
        self._keys: dict[str, list[PieceKey]] = {}
        self._models: dict[str, str] = {}
        self._standing: dict[tuple[str, int, int], str] = {}
        self._locked: dict[str, float] = {}
        for name, facing in shop.planogram.facings.items():
            for place in self._first_filled(name, facing.stock):
                piece = self.bring(facing.sku)
                self._standing[name, place.column, place.row] = piece
                self._keys[piece].append(self._shelf_key(0.0, name, place, piece))

    def bring(self, model: str) -> str:
        """A new piece that is nowhere yet; its name."""
        name = f"piece-{len(self._models) + 1:04d}"
        self._models[name] = model
        self._keys[name] = []
        return name

    def model(self, piece: str) -> str:
        """What a piece is."""
        return self._models[piece]

    def free(self, facing: str, now_s: float) -> bool:
        """Whether nobody reaches into a facing."""
        return self._locked.get(facing, -1.0) <= now_s

    def lock(self, facing: str, until_s: float) -> None:
        """Keep others away from a facing until a moment."""
        self._locked[facing] = until_s

    def frontmost(self, facing: str, column: int) -> list[str]:
        """Pieces of a column, the one nearest to the aisle first."""
        rows = sorted(
            (row, piece)
            for (name, at, row), piece in self._standing.items()
            if name == facing and at == column
        )
        return [piece for _, piece in rows]

    def columns(self, facing: str) -> list[int]:
        """Columns of a facing."""
        return sorted({place.column for place in self._shop.places[facing]})

    def room(self, facing: str, column: int, model: str) -> Place | None:
        """The place nearest to the goods, in front of them, where a piece of a model fits."""
        width, depth, height = self.sizes_m[model]
        own = self._shop.planogram.facings[facing]
        places = [each for each in self._shop.places[facing] if each.column == column]
        taken = [row for (name, at, row) in self._standing if name == facing and at == column]
        free = [each for each in places if each.row < min(taken, default=len(places))]
        column_m = own.width_m / len(self.columns(facing))
        if not free or height > CLEAR_HEIGHT_M - 0.03 or width > column_m + 0.02:
            return None
        row_m = self.sizes_m[own.sku][1] + 0.012
        behind = free[-1]
        room_m = 0.02 + (behind.row + 1) * row_m
        if depth > room_m:
            return None
        # Its front keeps behind the fixture's front, its back before the goods behind it.
        return Place(
            column, behind.row, behind.u_m, behind.v_m, max(room_m - depth / 2 - 0.006, depth / 2)
        )

    def placed(self, piece: str) -> NDArray[np.float64]:
        """Where a piece on a shelf stands: the middle of its base, shop metres."""
        return np.array(self._keys[piece][-1].place_m)

    def last(self, piece: str) -> PieceKey:
        """The last key of a piece."""
        return self._keys[piece][-1]

    def remove(self, piece: str, key: PieceKey) -> None:
        """A piece leaves its shelf."""
        self._standing = {at: each for at, each in self._standing.items() if each != piece}
        self._keys[piece].append(key)

    def put(self, piece: str, now_s: float, facing: str, place: Place) -> None:
        """A piece is set down on a facing."""
        self._standing[facing, place.column, place.row] = piece
        self._keys[piece].append(self._shelf_key(now_s, facing, place, piece))

    def move(self, piece: str, key: PieceKey) -> None:
        """A piece that is on no shelf changes hands or places."""
        self._keys[piece].append(key)

    def counted(self) -> dict[str, dict[str, int]]:
        """Pieces of each SKU on each facing."""
        counts: dict[str, Counter[str]] = {name: Counter() for name in self._shop.places}
        for (facing, _, _), piece in self._standing.items():
            counts[facing][self._models[piece]] += 1
        return {name: dict(sorted(each.items())) for name, each in sorted(counts.items())}

    def pieces(self) -> tuple[Piece, ...]:
        """All pieces with where they were over time."""
        return tuple(
            Piece(name, self._models[name], tuple(keys))
            for name, keys in self._keys.items()
            if keys
        )

    def target(self, facing: str, place: Place) -> NDArray[np.float64]:
        """Shop metres of a place."""
        at = np.array([(place.u_m, place.v_m, place.w_m)])
        return np.asarray(self.fixture(facing).to_shop(at)[0])

    def fixture(self, facing: str) -> Fixture:
        """The fixture of a facing."""
        return self._shop.calibration.fixtures[self._shop.planogram.facings[facing].fixture]

    def _first_filled(self, facing: str, stock: int) -> list[Place]:
        """Filled from the front in some columns, sold from the front in others."""
        places = self._shop.places[facing]
        columns: dict[int, list[Place]] = {}
        for place in places:
            columns.setdefault(place.column, []).append(place)
        missing = len(places) - stock
        empty: set[tuple[int, int]] = set()
        while missing:
            column = int(self._rng.integers(len(columns)))
            rows = [each.row for each in columns[column] if (column, each.row) not in empty]
            if rows:
                from_front = column % 2 == 0
                empty.add((column, min(rows) if from_front else max(rows)))
                missing -= 1
        return [each for each in places if (each.column, each.row) not in empty]

    def _shelf_key(self, now_s: float, facing: str, place: Place, piece: str) -> PieceKey:
        fixture = self.fixture(facing)
        scatter = self._rng.uniform(-0.004, 0.004, 2)
        at = fixture.to_shop(
            np.array([(place.u_m + scatter[0], place.v_m, place.w_m + scatter[1])])
        )[0]
        right = np.array(fixture.right)
        yaw = float(np.degrees(np.arctan2(right[1], right[0]))) + float(self._rng.uniform(-5, 5))
        x, y, z = (float(each) for each in at)
        return PieceKey(now_s, "shelf", (x, y, z), yaw, None, facing)
