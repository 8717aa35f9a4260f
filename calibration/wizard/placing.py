"""Placing a camera in the wizard: by markers, by clicks, by marks on the floor, by a walked board.

Owns which light a place gets and the words for it. Pure. All geometry and all refusals are those of
``calibration.plane``, ``calibration.floor`` and ``calibration.walked``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.floor import Marks, place_several, seen_floor
from calibration.format import CalibrationError, Fixture, Floor, Marker
from calibration.lens import Lens
from calibration.markers import corner_markers
from calibration.plane import PlacedShelf, front_corners, place_by_clicks, place_by_markers
from calibration.walked import place_by_board
from calibration.wizard.work import CameraWork, MarkSet, PlaceFound, ShopWork

GOOD_MARKERS_M: Final = 0.005
GOOD_CLICKS_M: Final = 0.010
GOOD_FLOOR_M: Final = 0.05


def fixture_at(
    corner_m: tuple[float, float],
    turn_deg: float,
    bottom_m: float,
    size_m: tuple[float, float, float],
    before: Fixture | None = None,
) -> Fixture:
    """A fixture as it is measured: where it stands, where its front runs to, how large it is.

    Args:
        corner_m: Left end of its front as a shopper sees it, on the floor.
        turn_deg: Direction from there along the front, counter-clockwise from x.
        bottom_m: Height of the front's lower edge.
        size_m: Width, height and depth.
        before: What it was; its cameras and markers stay where they fit.

    Raises:
        CalibrationError: A length is not above 0.
    """
    width, height, depth = size_m
    if min(size_m) <= 0 or bottom_m < 0:
        raise CalibrationError("width, height and depth must be more than 0: measure them again")
    turn = np.radians(turn_deg)
    fixture = Fixture(
        origin_m=(corner_m[0], corner_m[1], bottom_m),
        right=(float(np.cos(turn)), float(np.sin(turn)), 0.0),
        up=(0.0, 0.0, 1.0),
        width_m=width,
        height_m=height,
        depth_m=depth,
    )
    if before is None:
        return fixture
    same = (before.width_m, before.height_m) == (width, height)
    return fixture.model_copy(
        update={"cameras": before.cameras, "markers": before.markers if same else ()}
    )


def markers_in_corners(fixture: Fixture, first_id: int, side_m: float) -> tuple[Marker, ...]:
    """Four markers, numbered on from the first: bottom left, bottom right, top right, top left.

    Raises:
        CalibrationError: They do not fit the front.
    """
    ids = (first_id, first_id + 1, first_id + 2, first_id + 3)
    return corner_markers(ids, fixture.width_m, fixture.height_m, side_m)


def own_lens(name: str, work: CameraWork, size_px: tuple[int, int]) -> Lens:
    """The lens that a camera is placed with.

    Raises:
        CalibrationError: There is none yet, or it is red.
    """
    lens = work.own_lens
    if lens is None:
        raise CalibrationError(f"{name} has no lens yet: hold the board before it first")
    if work.lens is not None and work.lens.light == "red":
        raise CalibrationError(f"{name}: its lens is red: take better views first")
    return lens.resized(size_px)


def place_shelf(
    name: str,
    work: CameraWork,
    fixture_name: str,
    fixture: Fixture,
    size_px: tuple[int, int],
    *,
    markers: Mapping[int, NDArray[np.float64]] | None = None,
    clicks: Sequence[tuple[float, float]] | None = None,
) -> PlaceFound:
    """Place a shelf camera by the markers that were found, or by clicks on the front's corners.

    Raises:
        CalibrationError: It cannot be placed so; with what to do.
    """
    lens = own_lens(name, work, size_px)
    if clicks is not None:
        pixels = np.array(clicks, np.float64).reshape(-1, 2)
        placed = place_by_clicks(lens, fixture, front_corners(fixture)[: len(pixels)], pixels)
        return _shelf(placed, f"clicks on the corners of {fixture_name}", GOOD_CLICKS_M)
    if not fixture.markers:
        raise CalibrationError(f"{fixture_name} has no markers: say which it has, or use clicks")
    placed = place_by_markers(lens, fixture, fixture.markers, markers or {})
    used = ", ".join(str(each.id) for each in fixture.markers if each.id in (markers or {}))
    return _shelf(placed, f"markers {used} of {fixture_name}", GOOD_MARKERS_M)


def place_overhead(
    name: str,
    shop: ShopWork,
    size_px: tuple[int, int],
    marks: Sequence[MarkSet],
) -> PlaceFound:
    """Place an overhead camera by marks on the floor.

    Where its marks fit another camera's picture, it says that the two are swapped.

    Raises:
        CalibrationError: It cannot be placed so; with what to do.
    """
    floor = _floor(shop)
    lenses = {name: own_lens(name, shop.cameras[name], size_px)}
    table = {name: _marks(marks)}
    for other, each in shop.cameras.items():
        lens = each.own_lens
        if other != name and each.role == "overhead" and each.marks and lens is not None:
            lenses[other], table[other] = lens, _marks(each.marks)
    placed = place_several(lenses, floor, table)[name]
    return PlaceFound(
        camera=placed.camera,
        light="green" if placed.expected_p95_m <= GOOD_FLOOR_M else "amber",
        by=f"{len(marks)} marks on the floor",
        expected_p95_m=placed.expected_p95_m,
        held_out_p95_m=placed.held_out_p95_m,
        rms_px=placed.rms_px,
    )


def place_overheads_by_board(shop: ShopWork) -> dict[str, PlaceFound]:
    """Place all overhead cameras by a board that lay on the floor here and there, and two marks.

    Raises:
        CalibrationError: They cannot be placed so; with what to do.
    """
    _floor(shop)
    seen = {name for each in shop.boards for name in each}
    lenses = {}
    for name in sorted(seen):
        size_px = next(each[name].size_px for each in shop.boards if name in each)
        lenses[name] = own_lens(name, shop.cameras[name], size_px)
    marks = {name: _marks(shop.cameras[name].marks) for name in seen if shop.cameras[name].marks}
    placements = [{name: kept.view() for name, kept in each.items()} for each in shop.boards]
    walked = place_by_board(lenses, placements, marks)
    worst_m = max(walked.mark_off_m)
    return {
        name: PlaceFound(
            camera=camera,
            light="green" if worst_m <= GOOD_FLOOR_M else "amber",
            by=f"a board at {len(placements)} places of the floor",
            expected_p95_m=worst_m,
            held_out_p95_m=None,
            rms_px=walked.rms_px,
        )
        for name, camera in walked.cameras.items()
        if len(seen_floor(camera, _floor(shop)))
    }


def _shelf(placed: PlacedShelf, by: str, good_m: float) -> PlaceFound:
    return PlaceFound(
        camera=placed.camera,
        light="green" if placed.expected_p95_m <= good_m else "amber",
        by=by,
        expected_p95_m=placed.expected_p95_m,
        held_out_p95_m=placed.held_out_p95_m,
        rms_px=placed.rms_px,
    )


def _marks(marks: Sequence[MarkSet]) -> Marks:
    return Marks(
        np.array([each.pixel for each in marks], np.float64).reshape(-1, 2),
        np.array([each.floor_m for each in marks], np.float64).reshape(-1, 2),
    )


def _floor(shop: ShopWork) -> Floor:
    if shop.floor is None:
        raise CalibrationError("say how large the floor is first")
    return shop.floor
