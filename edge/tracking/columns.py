"""Shoppers as columns on the floor, and where every camera sees each of them.

For every cell of a floor grid the column's image in a camera is a stack of boxes, one a slice of
height, so that it may lean as cameras near the ceiling see it. Slices that a fixture hides, or that
leave the picture, are known not to be seen. Pure geometry from the calibration; what is in the
pictures is ``occupancy``'s to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import Camera, Fixture, Floor

# Bottom, top and radius of the slices of a shopper, metres; weights: legs part and hide.
SLICES: Final = (
    (0.05, 0.35, 0.15, 0.5),
    (0.35, 0.70, 0.16, 0.8),
    (0.70, 1.05, 0.19, 1.0),
    (1.05, 1.40, 0.21, 1.0),
    (1.40, 1.65, 0.14, 0.8),
)
# Which band of a look a slice lies in: legs, trunk or head.
BANDS: Final = np.array([0, 0, 1, 1, 2], np.uint8)
_LEAST_SLANT: Final = 0.5


@dataclass(frozen=True, eq=False)
class ColumnsView:
    """All columns in one camera's small picture.

    Attributes:
        boxes: Left, top, right, bottom by cell and slice, shape ``(C, S, 4)``, right and bottom
            beyond.
        corners: Of the boxes in a flattened integral image: bottom right, top right, bottom left,
            top left, shape ``(4, C, S)``.
        weights: How much a slice counts, 0 where it cannot be seen, shape ``(C, S)``.
        boxed_px: Areas of the boxes, shape ``(C, S)``.
        filled_px: What a body fills of them, less where it is seen slanted, shape ``(C, S)``.
    """

    boxes: NDArray[np.intp]
    corners: NDArray[np.intp]
    weights: NDArray[np.float32]
    boxed_px: NDArray[np.float32]
    filled_px: NDArray[np.float32]

    def of(self, cells: NDArray[np.intp]) -> ColumnsView:
        """Of some cells only; of all of them without copying."""
        if len(cells) == len(self.boxes):
            return self
        return ColumnsView(
            self.boxes[cells],
            self.corners[:, cells],
            self.weights[cells],
            self.boxed_px[cells],
            self.filled_px[cells],
        )


def walkable_cells(
    floor: Floor, fixtures: Sequence[Fixture], cell_m: float, margin_m: float
) -> NDArray[np.float64]:
    """Where people can stand.

    Args:
        floor: Its outline counts.
        fixtures: Nobody stands in them.
        cell_m: Grid step.
        margin_m: How far beyond the outline people are still looked for.

    Returns:
        Shop x and y, shape ``(C, 2)``.
    """
    outline = np.array(floor.outline, np.float32)
    low, high = outline.min(axis=0) - margin_m, outline.max(axis=0) + margin_m
    xs = np.arange(low[0] + cell_m / 2, high[0], cell_m)
    ys = np.arange(low[1] + cell_m / 2, high[1], cell_m)
    cells = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    bodies = [footprint(fixture) for fixture in fixtures]
    walkable = [
        cv2.pointPolygonTest(outline, (float(x), float(y)), True) >= -margin_m
        and all(cv2.pointPolygonTest(body, (float(x), float(y)), True) < 0.08 for body in bodies)
        for x, y in cells
    ]
    return np.asarray(cells[np.array(walkable, np.bool_)])


def footprint(fixture: Fixture) -> NDArray[np.float32]:
    """The floor a fixture stands on, corners in shop metres, shape ``(4, 2)``."""
    width_m, depth_m = fixture.width_m, fixture.depth_m
    corners = [(0.0, 0.0, 0.0), (width_m, 0.0, 0.0), (width_m, 0.0, depth_m), (0.0, 0.0, depth_m)]
    return np.asarray(fixture.to_shop(np.array(corners, np.float64))[:, :2], np.float32)


def see_columns(
    cells_m: NDArray[np.float64],
    camera: Camera,
    fixtures: Sequence[Fixture],
    size_px: tuple[int, int],
) -> ColumnsView:
    """Boxes of all slices of all columns in one camera's small picture."""
    around = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    ring = np.stack([np.cos(around), np.sin(around)], axis=1)
    shape = (len(cells_m), len(SLICES))
    boxes = np.zeros((*shape, 4), np.intp)
    weights = np.zeros(shape, np.float32)
    slant = np.ones(shape, np.float32)
    scale = size_px[0] / camera.image_size_px[0]
    limit = np.array([size_px[0], size_px[1]])
    for k, (bottom_m, top_m, radius_m, weight) in enumerate(SLICES):
        rim = (cells_m[:, None, :] + radius_m * ring).reshape(-1, 2)
        corners = np.concatenate(
            [np.column_stack([rim, np.full(len(rim), z_m)]) for z_m in (bottom_m, top_m)]
        )
        pixels = project_within(camera, corners).reshape(2, len(cells_m), 8, 2)
        pixels = (pixels.transpose(1, 0, 2, 3).reshape(len(cells_m), 16, 2) + 0.5) * scale
        low, high = pixels.min(axis=1), pixels.max(axis=1)
        whole = (high - low).prod(axis=1)
        low_in, high_in = low.clip(0, limit), high.clip(0, limit)
        with np.errstate(invalid="ignore", divide="ignore"):
            inside = (high_in - low_in).clip(0).prod(axis=1) / whole
        seen = np.isfinite(inside) & (inside > 0.6)
        middle = np.column_stack([cells_m, np.full(len(cells_m), (bottom_m + top_m) / 2)])
        for fixture in fixtures:
            seen &= ~hidden_by(fixture, camera.position_m, middle)
        boxes[seen, k, :2] = np.floor(low_in[seen])
        boxes[seen, k, 2:] = np.ceil(high_in[seen])
        weights[seen, k] = weight
        hulls = [cv2.contourArea(cv2.convexHull(each)) for each in pixels[seen].astype(np.float32)]
        slant[seen, k] = np.array(hulls) / whole[seen]
    boxed_px = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    weights[boxed_px < 6] = 0
    filled_px = boxed_px * np.maximum(slant, _LEAST_SLANT)
    left, top, right, bottom = (boxes[..., i] for i in range(4))
    stride = size_px[0] + 1
    corners = np.stack(
        [bottom * stride + right, top * stride + right, bottom * stride + left, top * stride + left]
    )
    return ColumnsView(
        boxes, corners, weights, boxed_px.astype(np.float32), filled_px.astype(np.float32)
    )


def project_within(camera: Camera, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels of points, NaN far outside the picture, where a distortion model folds back."""
    axis = np.array(camera.rotation)[2]
    towards = points_m - camera.position_m
    angles = np.arccos(np.clip(towards @ axis / np.linalg.norm(towards, axis=1), -1, 1))
    pixels = camera.project(points_m)
    pixels[angles > min(1.15 * _widest(camera), 1.5)] = np.nan
    return pixels


@lru_cache(maxsize=64)
def _widest(camera: Camera) -> float:
    """The angle between the middle of a camera's picture and its farthest corner."""
    width, height = camera.image_size_px
    border = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    axis = np.array(camera.rotation)[2]
    return float(np.arccos(np.clip(camera.rays(border) @ axis, -1, 1)).max())


def hidden_by(
    fixture: Fixture, eye_m: NDArray[np.float64], points_m: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which points a fixture's box stands before (slab test in fixture metres)."""
    axes = np.stack([np.array(fixture.right), np.array(fixture.up), fixture.inward])
    eye = axes @ (eye_m - np.array(fixture.origin_m))
    towards = (points_m - np.array(fixture.origin_m)) @ axes.T - eye
    towards = np.where(np.abs(towards) < 1e-9, 1e-9, towards)
    # A little slimmer than it is: bodies lean over edges.
    low = np.array([0.05, -1.0, 0.05])
    high = np.array([fixture.width_m - 0.05, fixture.height_m, fixture.depth_m - 0.05])
    first, second = (low - eye) / towards, (high - eye) / towards
    enters = np.minimum(first, second).max(axis=1)
    leaves = np.maximum(first, second).min(axis=1)
    return np.asarray((enters < leaves) & (leaves > 0) & (enters < 1))
