"""Where a shelf camera sees the facings: which board a pixel looks onto, and where on it.

Pure geometry of calibration and planogram. A ray of a camera that looks down at a fixture enters it
through the opening between two boards and stays between them, so every pixel belongs to one board,
and an object that stands on that board touches it where its lowest pixels are. Knows nothing of
what is in the picture.

Work pixels are those of the reduced picture that changes are looked for in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Calibration, CalibrationError, Camera, Fixture
from calibration.planogram import Facing, Planogram

_WORK_WIDTH_PX: Final = 640
_SAME_BOARD_M: Final = 0.03
_FRONT_M: Final = 0.02  # goods may stand out over the board's edge by so much


@dataclass(frozen=True)
class Opening:
    """The room above one board of a fixture.

    Attributes:
        fixture: Name of the fixture.
        bottom_m: The board, in fixture metres up the front.
        height_m: How much of the front is open above it.
        facings: Names of the facings on it, from the left.
        topmost: No board is above it.
    """

    fixture: str
    bottom_m: float
    height_m: float
    facings: tuple[str, ...]
    topmost: bool


@dataclass(frozen=True, eq=False)
class FacingsView:
    """The facings as one camera sees them.

    Attributes:
        camera: The calibrated camera.
        fixtures: Fixtures that it watches, by name.
        facings: Facings on them, by name.
        openings: Boards, each with its facings.
        size_px: Width and height of the work picture.
        opening_at: Index into ``openings`` of each work pixel, -1 for none; int8 ``(H, W)``.
        base_u_m: Where a work pixel meets the board of its opening, along the front; ``(H, W)``.
        base_w_m: The same into the fixture; beyond the depth where it meets the back instead.
        zone: Work pixels that show the inside of a fixture or the edges of its boards.
        polygons: Corners of each facing's front in pixels of the whole picture, ``(4, 2)``.
    """

    camera: Camera
    fixtures: dict[str, Fixture]
    facings: dict[str, Facing]
    openings: tuple[Opening, ...]
    size_px: tuple[int, int]
    opening_at: NDArray[np.int8]
    base_u_m: NDArray[np.float32]
    base_w_m: NDArray[np.float32]
    zone: NDArray[np.bool_]
    polygons: dict[str, NDArray[np.float64]]

    @property
    def scale(self) -> float:
        """Pixels of the whole picture to one work pixel."""
        return self.camera.image_size_px[0] / self.size_px[0]

    def facing_at(self, opening: int, u_m: float) -> str:
        """The facing of an opening that a place along the front belongs to."""
        names = self.openings[opening].facings

        def beside_m(name: str) -> float:
            facing = self.facings[name]
            return max(facing.u_m - u_m, u_m - facing.u_m - facing.width_m)

        return min(names, key=beside_m)

    def room_of(self, facing: str) -> NDArray[np.bool_]:
        """Work pixels that show the room of a facing, bool ``(H, W)``."""
        own = self.facings[facing]
        number = next(n for n, each in enumerate(self.openings) if facing in each.facings)
        return np.asarray(
            (self.opening_at == number)
            & (self.base_u_m >= own.u_m)
            & (self.base_u_m < own.u_m + own.width_m)
        )

    def before_front(self, fixture: str, u_m: float, away_m: float) -> tuple[float, float]:
        """The floor point so far in front of a place along a fixture's front, shop metres."""
        x, y, _ = self.fixtures[fixture].to_shop(np.array([(u_m, 0.0, -away_m)]))[0]
        return float(x), float(y)

    def along_front(
        self, fixture: str, w_m: float, size_px: tuple[int, int]
    ) -> NDArray[np.float64]:
        """Where pixels of a reduced picture meet an upright plane that runs along a front.

        Args:
            fixture: Its name.
            w_m: How far into the fixture the plane is; negative before its front.
            size_px: Width and height of the reduced picture.

        Returns:
            Metres along the front, ``(height, width)``; NaN where a pixel looks away from it.
        """
        own = self.fixtures[fixture]
        axes = np.stack([np.array(own.right), np.array(own.up), own.inward])
        eye = axes @ (self.camera.position_m - np.array(own.origin_m))
        along = _work_rays(self.camera, size_px) @ axes.T
        with np.errstate(divide="ignore", invalid="ignore"):
            reached = (w_m - eye[2]) / along[..., 2]
        return np.where(reached > 0, eye[0] + reached * along[..., 0], np.nan)


def see_facings(camera: str, calibration: Calibration, planogram: Planogram) -> FacingsView:
    """How a shelf camera sees the facings of the fixtures it watches.

    Raises:
        CalibrationError: The camera is not calibrated or watches no facing.
    """
    if camera not in calibration.cameras:
        raise CalibrationError(
            f"camera {camera} is not calibrated; calibrated are: "
            f"{', '.join(sorted(calibration.cameras)) or 'none'}"
        )
    watched = {name: each for name, each in calibration.fixtures.items() if camera in each.cameras}
    facings = {name: each for name, each in planogram.facings.items() if each.fixture in watched}
    if not facings:
        raise CalibrationError(
            f"camera {camera} watches no facing; name it under a fixture's cameras in the "
            "calibration and put facings on that fixture in the planogram"
        )
    seen_by = calibration.cameras[camera]
    size_px = _work_size(seen_by.image_size_px)
    openings = tuple(_openings(watched, facings))
    rays = _work_rays(seen_by, size_px)
    shape = (size_px[1], size_px[0])
    opening_at = np.full(shape, -1, np.int8)
    base_u, base_w = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    zone = np.zeros(shape, np.uint8)
    for number, opening in enumerate(openings):
        fixture = watched[opening.fixture]
        inside, u_m, w_m = _onto_board(seen_by, fixture, opening, facings, rays)
        free = inside & (opening_at < 0)
        opening_at[free], base_u[free], base_w[free] = number, u_m[free], w_m[free]
    for fixture in watched.values():
        cv2.fillConvexPoly(zone, _hull(seen_by, fixture, size_px), 1)
    return FacingsView(
        camera=seen_by,
        fixtures=watched,
        facings=facings,
        openings=openings,
        size_px=size_px,
        opening_at=opening_at,
        base_u_m=base_u,
        base_w_m=base_w,
        zone=(zone > 0) | (opening_at >= 0),
        polygons={
            name: each.seen_by(seen_by, watched[each.fixture])[:4] for name, each in facings.items()
        },
    )


def _work_size(size_px: tuple[int, int]) -> tuple[int, int]:
    width, height = size_px
    reduce = max(1, round(width / _WORK_WIDTH_PX))
    return width // reduce, height // reduce


def _openings(fixtures: Iterable[str], facings: dict[str, Facing]) -> list[Opening]:
    openings: list[Opening] = []
    for fixture in fixtures:
        own = sorted(
            (each.v_m, each.u_m, name) for name, each in facings.items() if each.fixture == fixture
        )
        boards: list[list[str]] = []
        for v_m, _, name in own:
            if boards and v_m - facings[boards[-1][0]].v_m < _SAME_BOARD_M:
                boards[-1].append(name)
            else:
                boards.append([name])
        for number, names in enumerate(boards):
            bottom = min(facings[name].v_m for name in names)
            height = max(facings[name].v_m + facings[name].height_m for name in names) - bottom
            topmost = number == len(boards) - 1
            openings.append(Opening(fixture, bottom, height, tuple(names), topmost))
    return openings


def _work_rays(camera: Camera, size_px: tuple[int, int]) -> NDArray[np.float64]:
    """Directions in the shop frame of all work pixels, ``(H, W, 3)``."""
    width, height = size_px
    scale = camera.image_size_px[0] / width
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    pixels = (np.stack([x, y], axis=2).reshape(-1, 2).astype(np.float64) + 0.5) * scale - 0.5
    return camera.rays(pixels).reshape(height, width, 3)


def _onto_board(
    camera: Camera,
    fixture: Fixture,
    opening: Opening,
    facings: dict[str, Facing],
    rays: NDArray[np.float64],
) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
    """Which rays enter an opening, and where they meet its board (u, w)."""
    axes = np.stack([np.array(fixture.right), np.array(fixture.up), fixture.inward])
    eye = axes @ (camera.position_m - np.array(fixture.origin_m))
    along = rays @ axes.T
    own = [facings[name] for name in opening.facings]
    left, right = min(f.u_m for f in own), max(f.u_m + f.width_m for f in own)
    depth = max(f.depth_m for f in own)
    top = opening.bottom_m + opening.height_m
    with np.errstate(divide="ignore", invalid="ignore"):
        to_front = (-_FRONT_M - eye[2]) / along[..., 2]
        u_front = eye[0] + to_front * along[..., 0]
        v_front = eye[1] + to_front * along[..., 1]
        enters = (to_front > 0) & (along[..., 2] > 0) & (v_front > opening.bottom_m)
        enters &= (u_front > left - 0.02) & (u_front < right + 0.02)
        through_front = enters & (v_front <= top)
        to_top = (top - eye[1]) / along[..., 1]
        u_top, w_top = eye[0] + to_top * along[..., 0], eye[2] + to_top * along[..., 2]
        through_top = (to_top > 0) & (along[..., 1] < 0) & (w_top > 0) & (w_top < depth)
        through_top &= (u_top > left) & (u_top < right)
        inside = through_front | through_top if opening.topmost else through_front
        to_board = (opening.bottom_m - eye[1]) / along[..., 1]
        to_back = (depth - eye[2]) / along[..., 2]
        onto = np.where((to_board > 0) & (along[..., 1] < 0), to_board, np.inf)
        met = np.minimum(onto, np.where(to_back > 0, to_back, np.inf))
        met = np.where(np.isfinite(met), met, 0.0)
    u_m = eye[0] + met * along[..., 0]
    w_m = np.where(onto <= met, eye[2] + met * along[..., 2], depth + 1.0)
    return inside, u_m.astype(np.float32), w_m.astype(np.float32)


def _hull(camera: Camera, fixture: Fixture, size_px: tuple[int, int]) -> NDArray[np.int32]:
    """The convex hull of a fixture's box in work pixels."""
    corners = np.array(
        [
            (u, v, w)
            for u in (0.0, fixture.width_m)
            for v in (0.0, fixture.height_m)
            for w in (-_FRONT_M, fixture.depth_m)
        ]
    )
    seen = camera.project(fixture.to_shop(corners))
    seen = seen[np.isfinite(seen).all(axis=1)] * (size_px[0] / camera.image_size_px[0])
    return np.asarray(cv2.convexHull(np.rint(seen).astype(np.int32)), np.int32)
