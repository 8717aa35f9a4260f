"""Splitting a fixture's front into positions, and positions into facings.

Owns the way from a technician's grid (boards and columns, in metres on the front) to facings. Pure.
A grid that is dragged on a picture comes here in fixture metres already: pixels are taken to the
front by the camera's calibration, so a camera that is calibrated anew leaves every facing where it
was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.format import CalibrationError, Camera, Fixture
from calibration.planogram import Facing, Standing

_SAID_OF_A_SKU: Final = set(Standing.model_fields)


@dataclass(frozen=True)
class Position:
    """A cell of a fixture's grid.

    Attributes:
        row: Of boards, from 0 at the bottom.
        column: From 0 at the left.
        u_m: Left edge.
        v_m: Bottom edge.
        width_m: Extent to the right.
        height_m: Extent up.
    """

    row: int
    column: int
    u_m: float
    v_m: float
    width_m: float
    height_m: float


def even_edges(length_m: float, parts: int) -> tuple[float, ...]:
    """The edges of equal parts of a length."""
    if parts < 1:
        raise CalibrationError("a grid needs at least one part in each direction")
    return tuple(float(each) for each in np.linspace(0.0, length_m, parts + 1))


def positions(
    fixture: Fixture, boards_m: Sequence[float], columns_m: Sequence[Sequence[float]]
) -> tuple[Position, ...]:
    """Split a front.

    Args:
        fixture: Whose front it is.
        boards_m: Heights of the boards that goods stand on, from the bottom; the last is the top
            edge of the uppermost row.
        columns_m: For each row, the edges of its columns from the left.

    Raises:
        CalibrationError: Edges out of order, beyond the front, or not one list for each row.
    """
    if len(columns_m) != len(boards_m) - 1:
        raise CalibrationError(
            f"{len(boards_m)} heights make {len(boards_m) - 1} rows, but columns are given for "
            f"{len(columns_m)}"
        )
    _check_edges("heights", boards_m, fixture.height_m)
    made = []
    for row, edges in enumerate(columns_m):
        _check_edges(f"the columns of row {row + 1}", edges, fixture.width_m)
        for column in range(len(edges) - 1):
            made.append(
                Position(
                    row,
                    column,
                    edges[column],
                    boards_m[row],
                    edges[column + 1] - edges[column],
                    boards_m[row + 1] - boards_m[row],
                )
            )
    return tuple(made)


def facings(
    fixture_name: str,
    fixture: Fixture,
    cells: Sequence[Position],
    skus: Mapping[tuple[int, int], Standing],
) -> dict[str, Facing]:
    """Facings for the positions that hold a SKU, named after fixture, row and column.

    Args:
        fixture_name: As in the calibration.
        fixture: Whose positions they are.
        cells: Positions.
        skus: For row and column, what stands there and how.
    """
    return {
        f"{fixture_name}-{cell.row + 1}-{cell.column + 1}": Facing(
            fixture=fixture_name,
            u_m=cell.u_m,
            v_m=cell.v_m,
            width_m=cell.width_m,
            height_m=cell.height_m,
            depth_m=fixture.depth_m,
            **skus[cell.row, cell.column].model_dump(include=_SAID_OF_A_SKU),
        )
        for cell in cells
        if (cell.row, cell.column) in skus
    }


def on_front(camera: Camera, fixture: Fixture, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fixture points ``(N, 2)``, u and v on the front, of pixels ``(N, 2)``; NaN off the plane."""
    rays = camera.rays(pixels)
    eye = camera.position_m
    with np.errstate(divide="ignore", invalid="ignore"):
        along = ((np.array(fixture.origin_m) - eye) @ fixture.inward) / (rays @ fixture.inward)
    points = eye + along[:, None] * rays - np.array(fixture.origin_m)
    points[~(along > 0)] = np.nan
    return np.column_stack([points @ np.array(fixture.right), points @ np.array(fixture.up)])


def _check_edges(what: str, edges: Sequence[float], length_m: float) -> None:
    if len(edges) < 2 or any(b - a <= 0 for a, b in zip(edges, edges[1:], strict=False)):
        raise CalibrationError(f"{what} must rise, with two at least: {list(edges)}")
    if edges[0] < 0 or edges[-1] > length_m + 0.01:
        raise CalibrationError(f"{what} reach beyond the front, which ends at {length_m:g} m")
