"""What the calibration pages are told, and what they say: shapes of the wizard."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from calibration.coverage import GOALS, HEAT_GOAL, TILTS, Coverage, coverage_of
from calibration.format import CalibrationError, CameraRole, Fixture, Floor, ZoneKind
from calibration.plane import front_corners
from calibration.planogram import Facing
from calibration.wizard.finishing import planogram_of
from calibration.wizard.placing import fixture_at, markers_in_corners
from calibration.wizard.steps import next_step, steps
from calibration.wizard.work import Board, CellSku, Grid, LensFound, MarkSet, PlaceFound
from edge.calibrating.bench import Bench
from edge.calibrating.looking import LensLook, MarkerLook
from edge.dashboard.views.shape import Point, Polygon
from web.shape import Shape

Metres = Annotated[float, Field(ge=-1000, le=1000)]
Length = Annotated[float, Field(gt=0, le=1000)]
Name = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,60}$")]
_EDGE_STEPS: Final = 12
Pixels = Annotated[tuple[Point, ...], Field(max_length=40)]


class ShownStep(Shape):
    """A step; see ``calibration.wizard.steps.Step``."""

    name: str
    progress: Literal["todo", "begun", "waits", "done", "bad"]
    light: str | None
    missing: str


class FixtureShape(Shape):
    """A fixture as it is measured.

    Attributes:
        name: Its name.
        corner_m: Left end of its front as a shopper sees it.
        turn_deg: Direction of its front from there.
        bottom_m: Height of the front's lower edge.
        size_m: Width, height and depth.
        first_marker: Number of its first marker; ``None`` without markers.
        marker_mm: Their side.
        polygon: On the floor, its front first.
    """

    name: str
    corner_m: Point
    turn_deg: float
    bottom_m: float
    size_m: tuple[float, float, float]
    first_marker: int | None = None
    marker_mm: float | None = None
    polygon: Polygon = ()


class ZoneShape(Shape):
    """A zone of the floor."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    kind: ZoneKind
    polygon: Annotated[Polygon, Field(min_length=3, max_length=20)]


class FacingShape(Shape):
    """A facing on its front, in metres of the front."""

    name: str
    sku: str
    u_m: float
    v_m: float
    width_m: float
    height_m: float
    capacity: int
    stock: int
    columns: int | None
    piece_width_m: float | None
    piece_depth_m: float | None
    piece_height_m: float | None


_SHOWN_OF_A_FACING: Final = FacingShape.model_fields.keys() - {"name"}


class FrontShape(Shape):
    """What stands on a fixture.

    Attributes:
        fixture: Its name.
        grid: How it was split here; ``None`` where it was not.
        facings: What stands there, from the grid or as before.
        before: What the planogram in force says of it. Splitting it anew offers that again.
        cameras: Cameras that see it and are placed, with its corners in their pictures.
    """

    fixture: str
    grid: Grid | None
    facings: tuple[FacingShape, ...]
    before: tuple[FacingShape, ...]
    cameras: tuple[str, ...]


class CameraBrief(Shape):
    """A camera in the overview.

    Attributes:
        name: Its name.
        role: What it watches.
        placed: Whether it is calibrated as a whole.
        at_m: Where it is, when placed.
        place: Whether it is where it was calibrated: a light.
        place_reason: Why, for people.
        reference: Whether a picture of the day of calibration is kept.
    """

    name: str
    role: CameraRole | None
    placed: bool
    at_m: tuple[float, float, float] | None
    place: str
    place_reason: str


class ShopShape(Shape):
    """The work as a whole."""

    outline: Polygon
    zones: tuple[ZoneShape, ...]
    fixtures: tuple[FixtureShape, ...]
    fronts: tuple[FrontShape, ...]
    cameras: tuple[CameraBrief, ...]
    steps: tuple[ShownStep, ...]
    next: str
    boards: tuple[tuple[str, ...], ...]
    changed: bool
    waiting: tuple[str, ...]


class LensLive(Shape):
    """What is seen while a board is held up; shares are from 0 to 1."""

    looks: int
    corners: tuple[Point, ...]
    kept: bool
    reason: str
    reasons: tuple[tuple[str, int], ...]


class MarkersLive(Shape):
    """What is seen of a fixture's markers, in pixels of the whole picture."""

    looks: int
    wanted: tuple[int, ...]
    found: dict[int, tuple[Point, ...]]
    steady: bool


class CoverageShape(Shape):
    """What a camera has seen of the board."""

    views: int
    progress: dict[str, float]
    heat: tuple[tuple[int, ...], ...]
    heat_share: float
    heat_goal: float
    tilts: tuple[str, ...]
    all_tilts: tuple[str, ...]
    steepest_deg: float
    complete: bool
    next: tuple[str, ...]


class CameraShape(Shape):
    """A camera on its page."""

    name: str
    role: CameraRole | None
    size_px: tuple[int, int] | None
    board: Board
    coverage: CoverageShape
    lens: LensFound | None
    lens_before: bool
    solving: bool
    trouble: str
    looking: Literal["lens", "markers"] | None
    lens_live: LensLive | None
    markers_live: MarkersLive | None
    fixture: str | None
    still: bool
    marks: tuple[MarkSet, ...]
    place: PlaceFound | None
    overlay: dict[str, tuple[Point, ...]]


class FindingShape(Shape):
    """One thing that the check found."""

    about: str
    light: str
    text: str


class CheckShape(Shape):
    """What the check found."""

    findings: tuple[FindingShape, ...]
    may_save: bool


class SavedShape(Shape):
    """What was saved and what of it waits for a restart, in words."""

    waiting: tuple[str, ...]


class ProductShape(Shape):
    """A product that can stand somewhere."""

    sku: str
    name: str
    category: str
    photo: str


class FloorAsked(Shape):
    """The floor's corners, in order."""

    outline: Annotated[Polygon, Field(min_length=3, max_length=40)]


class ZonesAsked(Shape):
    """All zones."""

    zones: Annotated[tuple[ZoneShape, ...], Field(max_length=40)]


class FixtureAsked(Shape):
    """A fixture as it is measured; see `FixtureShape`."""

    corner_m: tuple[Metres, Metres]
    turn_deg: Annotated[float, Field(ge=-360, le=360)]
    bottom_m: Annotated[float, Field(ge=0, le=10)]
    size_m: tuple[Length, Length, Length]
    first_marker: Annotated[int, Field(ge=0, le=96)] | None = None
    marker_mm: Annotated[float, Field(ge=20, le=400)] = 60.0


class RoleAsked(Shape):
    """What a camera watches."""

    role: CameraRole


class LookAsked(Shape):
    """What is to be looked for; nothing stops."""

    wanted: Literal["lens", "markers"] | None


class FixtureOfAsked(Shape):
    """Which fixture a shelf camera is placed by."""

    fixture: Name


class ClicksAsked(Shape):
    """Corners of the front in the still: bottom left, bottom right, top right, top left."""

    pixels: Pixels


class MarksAsked(Shape):
    """Marks on the floor."""

    marks: Annotated[tuple[MarkSet, ...], Field(max_length=40)]


class GridAsked(Shape):
    """How a front is split, and what stands where."""

    boards_m: Annotated[tuple[float, ...], Field(min_length=2, max_length=30)]
    columns_m: Annotated[tuple[tuple[float, ...], ...], Field(max_length=30)]
    skus: Annotated[tuple[CellSku, ...], Field(max_length=900)] = ()


def shop_shape(bench: Bench) -> ShopShape:
    """The work as a whole."""
    work = bench.work
    places = {name: bench.ground.place_of(name) for name in work.cameras}
    return ShopShape(
        outline=() if work.floor is None else work.floor.outline,
        zones=()
        if work.floor is None
        else tuple(
            ZoneShape(name=z.name, kind=z.kind, polygon=z.polygon) for z in work.floor.zones
        ),
        fixtures=tuple(_fixture(name, bench) for name in sorted(work.fixtures)),
        fronts=tuple(_fronts(bench)),
        cameras=tuple(
            CameraBrief(
                name=name,
                role=each.role,
                placed=each.placed is not None,
                at_m=None if each.placed is None else _triple(each.placed.position_m.tolist()),
                place="unwatched" if (place := places[name]) is None else place.light,
                place_reason="" if place is None else place.reason,
            )
            for name, each in work.cameras.items()
        ),
        steps=tuple(
            ShownStep(name=s.name, progress=s.progress, light=s.light, missing=s.missing)
            for s in steps(work)
        ),
        next=next_step(work),
        boards=tuple(tuple(sorted(each)) for each in work.boards),
        changed=work.changed,
        waiting=bench.waiting,
    )


def camera_shape(bench: Bench, name: str) -> CameraShape:
    """A camera on its page."""
    camera = bench.work.cameras[name]
    live = bench.live
    look = live.look if live is not None and live.camera == name else None
    lens_live, markers_live = None, None
    if isinstance(look, LensLook):
        looks, last, coverage = look.told()
        lens_live = LensLive(
            looks=looks,
            corners=() if last is None else _points(last.corners_px.tolist()),
            kept=last is not None and last.kept,
            reason="" if last is None else last.reason,
            reasons=look.usual_reasons(),
        )
    else:
        coverage = coverage_of(tuple(each.view() for each in camera.views))
    if isinstance(look, MarkerLook):
        looks, found, steady = look.told()
        markers_live = MarkersLive(
            looks=looks,
            wanted=look.wanted,
            found={key: _points(each.tolist()) for key, each in found.items()},
            steady=steady,
        )
    return CameraShape(
        name=name,
        role=camera.role,
        size_px=bench.size_px(name),
        board=camera.board,
        coverage=_coverage(coverage),
        lens=camera.lens,
        lens_before=camera.lens is None and camera.before is not None,
        solving=bench.is_solving(name),
        trouble=bench.trouble(name),
        looking=None if look is None else "lens" if isinstance(look, LensLook) else "markers",
        lens_live=lens_live,
        markers_live=markers_live,
        fixture=camera.fixture,
        still=bench.has_still(name),
        marks=camera.marks,
        place=camera.place,
        overlay=_overlay(bench, name),
    )


def fixture_of(asked: FixtureAsked, before: Fixture | None) -> Fixture:
    """The fixture that was measured.

    Raises:
        CalibrationError: It cannot be.
    """
    fixture = fixture_at(asked.corner_m, asked.turn_deg, asked.bottom_m, asked.size_m, before)
    markers = (
        ()
        if asked.first_marker is None
        else markers_in_corners(fixture, asked.first_marker, asked.marker_mm / 1000)
    )
    return fixture.model_copy(update={"markers": markers})


def _fixture(name: str, bench: Bench) -> FixtureShape:
    fixture = bench.work.fixtures[name]
    x, y, z = fixture.origin_m
    left, right = (fixture.to_shop(np.array([[u, 0.0, 0.0]]))[0] for u in (0.0, fixture.width_m))
    back = fixture.inward * fixture.depth_m
    return FixtureShape(
        name=name,
        corner_m=(x, y),
        turn_deg=round(float(np.degrees(np.arctan2(fixture.right[1], fixture.right[0]))), 2),
        bottom_m=z,
        size_m=(fixture.width_m, fixture.height_m, fixture.depth_m),
        first_marker=fixture.markers[0].id if fixture.markers else None,
        marker_mm=round(fixture.markers[0].side_m * 1000, 1) if fixture.markers else None,
        polygon=_points([p[:2].tolist() for p in (left, right, right + back, left + back)]),
    )


def _fronts(bench: Bench) -> list[FrontShape]:
    work = bench.work
    try:
        facings = planogram_of(work).facings
    except CalibrationError:
        facings = work.facings
    return [
        FrontShape(
            fixture=fixture,
            grid=work.grids.get(fixture),
            facings=_standing_on(fixture, facings),
            before=_standing_on(fixture, work.facings),
            cameras=tuple(
                name
                for name, each in work.cameras.items()
                if each.fixture == fixture and each.placed is not None and each.role == "shelf"
            ),
        )
        for fixture in sorted(work.fixtures)
    ]


def _standing_on(fixture: str, facings: dict[str, Facing]) -> tuple[FacingShape, ...]:
    return tuple(
        FacingShape(name=name, **each.model_dump(include=_SHOWN_OF_A_FACING))
        for name, each in sorted(facings.items())
        if each.fixture == fixture
    )


def _coverage(coverage: Coverage) -> CoverageShape:
    return CoverageShape(
        views=coverage.views,
        progress={key: coverage.progress[key] for key in GOALS},
        heat=tuple(tuple(row) for row in coverage.heat.tolist()),
        heat_share=coverage.heat_share,
        heat_goal=HEAT_GOAL,
        tilts=tuple(each for each in TILTS if each in coverage.tilts),
        all_tilts=TILTS,
        steepest_deg=coverage.steepest_deg,
        complete=coverage.complete,
        next=coverage.next,
    )


def _overlay(bench: Bench, name: str) -> dict[str, tuple[Point, ...]]:
    """What a placed camera is believed to see, in its pixels: fronts, or the floor and zones."""
    work = bench.work
    camera = work.cameras[name].placed
    if camera is None:
        return {}
    drawn: dict[str, NDArray[np.float64]] = {}
    if camera.role == "shelf":
        fixture = work.fixtures.get(work.cameras[name].fixture or "")
        if fixture is not None:
            corners = front_corners(fixture)
            flat = np.column_stack([corners, np.zeros(len(corners))])
            drawn["front"] = fixture.to_shop(_along(flat))
    elif work.floor is not None:
        for key, polygon in (("floor", work.floor.outline), *_named(work.floor)):
            flat = np.array([(x, y, 0.0) for x, y in polygon])
            drawn[key] = _along(flat)
    shown = {key: camera.project(points) for key, points in drawn.items()}
    return {
        key: _points(each[np.isfinite(each).all(axis=1)].round(1).tolist())
        for key, each in shown.items()
    }


def _named(floor: Floor) -> tuple[tuple[str, Polygon], ...]:
    return tuple((f"zone {zone.name}", zone.polygon) for zone in floor.zones)


def _along(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """A closed outline with points along its edges: a lens bends straight lines."""
    steps = np.linspace(0, 1, _EDGE_STEPS, endpoint=False)[:, None]
    return np.vstack(
        [a + steps * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    )


def _points(values: list[list[float]]) -> tuple[Point, ...]:
    return tuple((round(float(x), 3), round(float(y), 3)) for x, y in values)


def _triple(values: list[float]) -> tuple[float, float, float]:
    x, y, z = (round(float(each), 3) for each in values)
    return x, y, z
