"""The calibration wizard's pages and its API, for technicians.

Owns addresses and answers. What a step does is ``edge.calibrating.bench``'s; every refusal is a
text that says why and what to do next.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import APIRouter, File, Header, HTTPException, Query, Request, Response, UploadFile
from fastapi.responses import HTMLResponse
from pydantic import ValidationError

from calibration.board import board_pdf, fit_board
from calibration.format import CalibrationError, Zone, first_complaint
from calibration.markers import markers_pdf
from calibration.page import Paper
from calibration.pictures import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from calibration.wizard.work import Board, Grid
from edge.calibrating.bench import Bench
from edge.dashboard.access import TECHNICIANS
from edge.dashboard.views.calibrating import (
    CameraShape,
    CheckShape,
    ClicksAsked,
    FindingShape,
    FixtureAsked,
    FixtureOfAsked,
    FloorAsked,
    GridAsked,
    LookAsked,
    MarksAsked,
    ProductShape,
    RoleAsked,
    SavedShape,
    ShopShape,
    ZonesAsked,
    camera_shape,
    fixture_of,
    shop_shape,
)
from web.access import Rule, rules
from web.asking import Name, refusals, who
from web.rendering import Rendering

_API: Final = "/api/v1/calibration"
_CAMERA: Final = f"{_API}/cameras/{{name}}"
LONGEST_UPLOAD: Final = 200 * 1024 * 1024
_MOST_FILES: Final = 120

_READ: Final = (
    "/calibration",
    "/calibration/{step:path}",
    _API,
    f"{_API}/check",
    f"{_API}/products",
    f"{_API}/products/{{sku}}/photo.jpg",
    f"{_API}/board.pdf",
    f"{_API}/markers.pdf",
    f"{_API}/fronts/{{fixture}}/picture.jpg",
    _CAMERA,
    f"{_CAMERA}/picture.jpg",
    f"{_CAMERA}/report.html",
)
# Steps on the way are no acts that anybody has to answer for later; saving is.
_STEPS: Final = (
    ("PUT", f"{_API}/floor"),
    ("PUT", f"{_API}/zones"),
    ("PUT", f"{_API}/fixtures/{{fixture}}"),
    ("DELETE", f"{_API}/fixtures/{{fixture}}"),
    ("PUT", f"{_API}/fronts/{{fixture}}"),
    ("POST", f"{_API}/boards"),
    ("DELETE", f"{_API}/boards"),
    ("POST", f"{_API}/boards/place"),
    ("PUT", f"{_CAMERA}/role"),
    ("PUT", f"{_CAMERA}/board"),
    ("PUT", f"{_CAMERA}/fixture"),
    ("PUT", f"{_CAMERA}/marks"),
    ("POST", f"{_CAMERA}/look"),
    ("DELETE", f"{_CAMERA}/views"),
    ("POST", f"{_CAMERA}/lens"),
    ("POST", f"{_CAMERA}/still"),
    ("POST", f"{_CAMERA}/place/markers"),
    ("POST", f"{_CAMERA}/place/clicks"),
    ("POST", f"{_CAMERA}/place/marks"),
)
RULES: Final[tuple[Rule, ...]] = (
    *(rule for path in _READ for rule in rules("GET", path, TECHNICIANS)),
    *(rule for method, path in _STEPS for rule in rules(method, path, TECHNICIANS, audited=False)),
    *rules(
        "POST",
        f"{_CAMERA}/upload",
        TECHNICIANS,
        longest_body=LONGEST_UPLOAD,
        audited=False,
    ),
    *rules("POST", f"{_CAMERA}/reference", TECHNICIANS),
    *rules("POST", f"{_API}/save", TECHNICIANS),
    *rules("POST", f"{_API}/begin-again", TECHNICIANS),
)
_Width = Annotated[int, Query(ge=64, le=3840, description="At most so wide.")]
_JPEG: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"image/jpeg": {}}}}


@contextmanager
def _said() -> Iterator[None]:
    """What calibration refuses, as an answer."""
    try:
        yield
    except CalibrationError as err:
        raise HTTPException(409, str(err)) from err
    except ValidationError as err:
        raise HTTPException(422, first_complaint(err)) from err


def router(bench: Bench, rendering: Rendering) -> APIRouter:
    """The wizard."""
    routes = APIRouter(tags=["calibration"])
    _add_pages(routes, rendering)
    _add_shop(routes, bench)
    _add_prints(routes)
    _add_camera(routes, bench)
    _add_places(routes, bench)
    return routes


def _add_pages(routes: APIRouter, rendering: Rendering) -> None:
    def shown(request: Request) -> HTMLResponse:
        return rendering.page(request, "calibrating.html", sections=("calibrating",))

    for path in ("/calibration", "/calibration/{step:path}"):
        routes.add_api_route(
            path, shown, response_class=HTMLResponse, include_in_schema=False, methods=["GET"]
        )


def _add_shop(routes: APIRouter, bench: Bench) -> None:
    @routes.get(_API, responses=refusals())
    def shop() -> ShopShape:
        """The work so far: floor, fixtures, cameras, steps and what comes next."""
        return shop_shape(bench)

    @routes.put(f"{_API}/floor", responses=refusals(409, 422))
    def set_floor(asked: FloorAsked) -> ShopShape:
        """How large the floor is."""
        with _said():
            bench.set_floor(asked.outline)
        return shop_shape(bench)

    @routes.put(f"{_API}/zones", responses=refusals(409, 422))
    def set_zones(asked: ZonesAsked) -> ShopShape:
        """Where people come in, go out, and may not go."""
        with _said():
            bench.set_zones(tuple(Zone(**each.model_dump()) for each in asked.zones))
        return shop_shape(bench)

    @routes.put(f"{_API}/fixtures/{{fixture}}", responses=refusals(409, 422))
    def set_fixture(fixture: Name, asked: FixtureAsked) -> ShopShape:
        """A fixture as it is measured."""
        with _said():
            before = bench.work.fixtures.get(fixture)
            bench.set_fixture(fixture, fixture_of(asked, before))
        return shop_shape(bench)

    @routes.delete(f"{_API}/fixtures/{{fixture}}", responses=refusals())
    def remove_fixture(fixture: Name) -> ShopShape:
        """Take a fixture away."""
        bench.remove_fixture(fixture)
        return shop_shape(bench)

    @routes.put(f"{_API}/fronts/{{fixture}}", responses=refusals(404, 409, 422))
    def set_front(fixture: Name, asked: GridAsked) -> ShopShape:
        """How a front is split, and what stands where."""
        with _said():
            bench.set_grid(
                fixture, Grid(boards_m=asked.boards_m, columns_m=asked.columns_m, skus=asked.skus)
            )
        return shop_shape(bench)

    @routes.get(
        f"{_API}/fronts/{{fixture}}/picture.jpg",
        response_class=Response,
        responses={**refusals(404, 409), **_JPEG},
    )
    def front_picture(fixture: Name) -> Response:
        """A front as it would be seen from straight before it."""
        with _said():
            return Response(bench.front_picture(fixture), media_type="image/jpeg")

    @routes.get(f"{_API}/check", responses=refusals())
    def check() -> CheckShape:
        """Whether what was done holds together."""
        findings = bench.check()
        return CheckShape(
            findings=tuple(FindingShape(**vars(each)) for each in findings),
            may_save=not any(each.light == "red" for each in findings),
        )

    @routes.post(f"{_API}/save", responses=refusals(409))
    def save(request: Request) -> SavedShape:
        """Save it as what is in force; what was in force stays in the history."""
        with _said():
            waiting = bench.save(who(request))
        request.state.audited = "saved a new calibration and planogram"
        return SavedShape(waiting=waiting)

    @routes.post(f"{_API}/begin-again", responses=refusals(409))
    def begin_again() -> ShopShape:
        """Throw the work away and begin with what is in force."""
        with _said():
            bench.begin_again()
        return shop_shape(bench)

    @routes.get(f"{_API}/products", responses=refusals())
    def products() -> tuple[ProductShape, ...]:
        """What can stand somewhere."""
        return tuple(
            ProductShape(
                sku=each.sku,
                name=each.name,
                category=each.category,
                photo=f"{_API}/products/{quote(each.sku)}/photo.jpg",
            )
            for each in bench.ground.products
        )

    @routes.get(
        f"{_API}/products/{{sku}}/photo.jpg",
        response_class=Response,
        responses={**refusals(404), **_JPEG},
    )
    def product_photo(sku: Name) -> Response:
        """What a product looks like."""
        return Response(
            bench.ground.photo(sku),
            media_type="image/jpeg",
            headers={"Cache-Control": "private, max-age=3600"},
        )


def _add_prints(routes: APIRouter) -> None:
    @routes.get(f"{_API}/board.pdf", response_class=Response, responses=refusals(409, 422))
    def board(paper: Paper = "A4") -> Response:
        """The board at true scale."""
        with _said():
            return Response(board_pdf(fit_board(paper)), media_type="application/pdf")

    @routes.get(f"{_API}/markers.pdf", response_class=Response, responses=refusals(409, 422))
    def markers(
        first: Annotated[int, Query(ge=0, le=96)] = 0,
        side_mm: Annotated[float, Query(ge=20, le=400)] = 60.0,
        paper: Paper = "A4",
    ) -> Response:
        """Four markers for a fixture at true scale."""
        ids = [first, first + 1, first + 2, first + 3]
        with _said():
            return Response(markers_pdf(paper, ids, side_mm), media_type="application/pdf")


def _add_camera(routes: APIRouter, bench: Bench) -> None:
    def shape(name: str) -> CameraShape:
        if name not in bench.work.cameras:
            raise HTTPException(404, f"this device has no camera {name}")
        return camera_shape(bench, name)

    @routes.get(_CAMERA, responses=refusals(404))
    def camera(name: Name) -> CameraShape:
        """A camera: what was done, and what is seen while something is looked for."""
        bench.watched()
        return shape(name)

    @routes.get(
        f"{_CAMERA}/picture.jpg",
        response_class=Response,
        responses={**refusals(404), **_JPEG, 304: {"description": "You have it."}},
    )
    def picture(
        name: Name,
        width: _Width = 1280,
        still: bool = False,
        if_none_match: Annotated[str | None, Header(max_length=200)] = None,
    ) -> Response:
        """The newest picture, or the still that points are set in.

        Nobody in it is made unrecognisable: whoever calibrates stands before the camera.
        """
        tag, jpeg = bench.picture(name, width, still=still)
        headers = {"Cache-Control": "private, no-cache", "ETag": f'"{tag}"'}
        if if_none_match == f'"{tag}"':
            return Response(status_code=304, headers=headers)
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    @routes.get(f"{_CAMERA}/report.html", response_class=Response, responses=refusals(404))
    def report(name: Name) -> Response:
        """The report about its lens, to be kept."""
        return Response(
            bench.report(name),
            media_type="text/html; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}-lens.html"'},
        )

    @routes.put(f"{_CAMERA}/role", responses=refusals(404, 422))
    def set_role(name: Name, asked: RoleAsked) -> CameraShape:
        """What it watches."""
        bench.set_role(name, asked.role)
        return shape(name)

    @routes.put(f"{_CAMERA}/board", responses=refusals(404, 409, 422))
    def set_board(name: Name, asked: Board) -> CameraShape:
        """Which board is held up."""
        with _said():
            bench.set_board(name, asked)
        return shape(name)

    @routes.post(f"{_CAMERA}/look", responses=refusals(404, 409, 422))
    def look(name: Name, asked: LookAsked) -> CameraShape:
        """Begin to look for the board or for markers, or stop."""
        with _said():
            bench.look(name, asked.wanted)
        return shape(name)

    @routes.delete(f"{_CAMERA}/views", responses=refusals(404))
    def clear_views(name: Name) -> CameraShape:
        """Throw views and lens away."""
        bench.clear_views(name)
        return shape(name)

    @routes.post(f"{_CAMERA}/lens", responses=refusals(404))
    def solve(name: Name) -> CameraShape:
        """Work the lens out, in the background."""
        bench.solve(name)
        return shape(name)

    @routes.post(f"{_CAMERA}/upload", responses=refusals(404, 409, 422))
    def upload(name: Name, files: Annotated[list[UploadFile], File()]) -> CameraShape:
        """Pictures of the board, or one video of it, taken elsewhere with this camera."""
        shape(name)
        with _said():
            bench.take_in(name, _kept_upload(bench.ground.folder / "uploads" / name, files))
        return shape(name)


def _add_places(routes: APIRouter, bench: Bench) -> None:
    @routes.post(f"{_CAMERA}/still", responses=refusals(404))
    def still(name: Name) -> CameraShape:
        """Keep what it sees now; points are set in it."""
        bench.take_still(name)
        return camera_shape(bench, name)

    @routes.put(f"{_CAMERA}/fixture", responses=refusals(404, 422))
    def set_fixture_of(name: Name, asked: FixtureOfAsked) -> CameraShape:
        """Which fixture it is placed by."""
        bench.set_fixture_of(name, asked.fixture)
        return camera_shape(bench, name)

    @routes.post(f"{_CAMERA}/place/markers", responses=refusals(404, 409))
    def by_markers(name: Name) -> CameraShape:
        """Place it by the markers that are looked for."""
        with _said():
            bench.place_by_markers(name)
        return camera_shape(bench, name)

    @routes.post(f"{_CAMERA}/place/clicks", responses=refusals(404, 409, 422))
    def by_clicks(name: Name, asked: ClicksAsked) -> CameraShape:
        """Place it by the four corners of its fixture's front."""
        with _said():
            bench.place_by_clicks(name, asked.pixels)
        return camera_shape(bench, name)

    @routes.put(f"{_CAMERA}/marks", responses=refusals(404, 422))
    def set_marks(name: Name, asked: MarksAsked) -> CameraShape:
        """Marks on the floor: where they are seen, and where they are."""
        bench.set_marks(name, asked.marks)
        return camera_shape(bench, name)

    @routes.post(f"{_CAMERA}/place/marks", responses=refusals(404, 409))
    def by_marks(name: Name) -> CameraShape:
        """Place it by its marks."""
        with _said():
            bench.place_by_marks(name)
        return camera_shape(bench, name)

    @routes.post(f"{_CAMERA}/reference", responses=refusals(404, 409))
    def reference(request: Request, name: Name) -> CameraShape:
        """It is where it should be: keep what it sees, so that a move is noticed."""
        with _said():
            bench.take_reference(name, who(request))
        return camera_shape(bench, name)

    @routes.post(f"{_API}/boards", responses=refusals(404, 409, 422))
    def take_board(asked: Board) -> dict[str, str]:
        """The board lies on the floor: keep what all overhead cameras see of it."""
        with _said():
            return bench.take_board(asked)

    @routes.delete(f"{_API}/boards", responses=refusals())
    def clear_boards() -> ShopShape:
        """Forget where the board lay."""
        bench.clear_boards()
        return shop_shape(bench)

    @routes.post(f"{_API}/boards/place", responses=refusals(409))
    def by_boards() -> ShopShape:
        """Place all overhead cameras by where the board lay, and two marks."""
        with _said():
            bench.place_by_boards()
        return shop_shape(bench)


def _kept_upload(folder: Path, files: list[UploadFile]) -> Path:
    """Uploaded files on the disk: a folder of pictures, or a video.

    Raises:
        CalibrationError: They are neither.
    """
    names = [Path(each.filename or "").name for each in files]
    suffixes = {Path(each).suffix.lower() for each in names}
    video = len(files) == 1 and suffixes <= VIDEO_SUFFIXES
    if not files or len(files) > _MOST_FILES or not (video or suffixes <= PICTURE_SUFFIXES):
        raise CalibrationError(
            f"choose one video, or at most {_MOST_FILES} pictures of the board: "
            f"{', '.join(sorted(PICTURE_SUFFIXES | VIDEO_SUFFIXES))}"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, each in enumerate(files):
        # Names are made here: whatever a browser sends as one is not a path.
        kept = folder / f"{number:04d}{Path(names[number]).suffix.lower()}"
        with kept.open("wb") as file:
            shutil.copyfileobj(each.file, file)
    return folder / f"0000{Path(names[0]).suffix.lower()}" if video else folder
