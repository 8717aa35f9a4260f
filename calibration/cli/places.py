"""`plane`, `floor` and `repair`: where cameras are in the shop."""

from __future__ import annotations

import csv
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from calibration.cli.answers import AsJson, answer, fail, number_pairs, plain_errors
from calibration.cli.lenses import ChessboardOption, chosen_target
from calibration.cli.printing import PaperName, Sheet, SquareMm, SquaresX, SquaresY, parse_ids
from calibration.drift.repair import repair_by_markers
from calibration.floor import Marks, place_several
from calibration.format import (
    Calibration,
    CalibrationError,
    Camera,
    Fixture,
    Floor,
    read_calibration,
)
from calibration.history import save_calibration, save_reference
from calibration.lens import Lens, lens_of, read_lens, vector3
from calibration.markers import corner_markers, find_markers
from calibration.pictures import read_picture
from calibration.plane import PlacedShelf, front_corners, place_by_clicks, place_by_markers
from calibration.targets import Missed, View
from calibration.walked import place_by_board

Shop = Annotated[Path, typer.Argument(help="The shop's calibration.json.")]
By = Annotated[str, typer.Option(help="Who does this, for the record.")]
Outline = Annotated[
    str | None, typer.Option(help="The floor's corners, for a new file: '0,0 5,0 5,4 0,4'.")
]


@plain_errors
def plane(
    shop: Shop,
    camera: Annotated[str, typer.Option(help="The shelf camera.")],
    fixture: Annotated[str, typer.Option(help="The fixture it watches.")],
    picture: Annotated[Path, typer.Option(help="What it sees, nobody in front.")],
    lens: Annotated[Path | None, typer.Option(help="Its lens file, if it is new.")] = None,
    at: Annotated[
        str | None, typer.Option(help="A new fixture's bottom left front corner: x,y,z in metres.")
    ] = None,
    along: Annotated[
        str | None, typer.Option(help="Direction of its front to a shopper's right: 1,0.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Its width, height and depth in metres: 1.3,1.08,0.4.")
    ] = None,
    markers: Annotated[
        str | None,
        typer.Option(help="Ids in its corners: bottom left, bottom right, top right, top left."),
    ] = None,
    marker_mm: Annotated[float, typer.Option(help="Side of a marker.")] = 60.0,
    clicks: Annotated[
        str | None, typer.Option(help="Instead: pixels of the same corners: 'x,y x,y x,y x,y'.")
    ] = None,
    outline: Outline = None,
    by: By = "technician",
    as_json: AsJson = False,
) -> None:
    """Place a shelf camera by markers in the corners of a fixture's front, or by clicks on them."""
    calibration = _opened(shop, outline)
    grey = read_picture(picture)
    front = _fixture(calibration, fixture, camera, at, along, size)
    own = _own_lens(calibration, camera, lens).resized((grey.shape[1], grey.shape[0]))
    if markers is not None:
        ids = parse_ids(markers)
        if len(ids) != 4:
            raise CalibrationError("a front has four corners: name four markers")
        stuck = corner_markers(
            (ids[0], ids[1], ids[2], ids[3]), front.width_m, front.height_m, marker_mm / 1000
        )
        front = front.model_copy(update={"markers": stuck})
        placed = place_by_markers(own, front, stuck, find_markers(grey))
    elif clicks is not None or front.markers:
        if clicks is not None:
            pixels = np.array(number_pairs(clicks, "clicks"))
            placed = place_by_clicks(own, front, front_corners(front), pixels)
        else:
            placed = place_by_markers(own, front, front.markers, find_markers(grey))
    else:
        raise CalibrationError("give --markers or --clicks: the corners of the front")
    changed = calibration.model_copy(
        update={
            "cameras": {**calibration.cameras, camera: placed.camera},
            "fixtures": {**calibration.fixtures, fixture: front},
        }
    )
    _save(shop, changed, by, f"{camera} placed by {fixture}")
    save_reference(shop, camera, grey)
    answer(as_json, {"camera": camera, **_shelf_figures(placed)}, _shelf_words(camera, placed))


@plain_errors
def floor(
    shop: Shop,
    lens: Annotated[list[str], typer.Option(help="CAMERA=FILE, for each overhead camera.")],
    marks: Annotated[
        Path, typer.Option(help="CSV of marks: camera,x_px,y_px,x_m,y_m (and z_m if not 0).")
    ],
    picture: Annotated[
        list[str] | None, typer.Option(help="CAMERA=FILE: what it sees, kept to notice moves.")
    ] = None,
    boards: Annotated[
        Path | None,
        typer.Option(help="Folder of pictures of the board on the floor: PLACE/CAMERA.jpg."),
    ] = None,
    chessboard: ChessboardOption = None,
    paper: Sheet = PaperName.A3,
    squares_x: SquaresX = None,
    squares_y: SquaresY = None,
    square_mm: SquareMm = None,
    outline: Outline = None,
    by: By = "technician",
    as_json: AsJson = False,
) -> None:
    """Place overhead cameras by marks on the floor, or by a board walked around and two marks."""
    calibration = _opened(shop, outline)
    lenses = {name: read_lens(path) for name, path in _named(lens, "--lens").items()}
    pictures = {
        name: read_picture(path) for name, path in _named(picture or [], "--picture").items()
    }
    table = read_marks(marks)
    figures: dict[str, object] = {}
    if boards is None:
        placed = place_several(lenses, calibration.floor, table)
        cameras = {name: each.camera for name, each in placed.items()}
        figures = {
            name: {
                "rms_px": each.rms_px,
                "expected_p95_m": each.expected_p95_m,
                "held_out_p95_m": each.held_out_p95_m,
            }
            for name, each in placed.items()
        }
        lines = [
            f"{name}: {each.expected_p95_m * 100:.1f} cm to expect (p95), marks miss by "
            f"{each.rms_px:.1f} px"
            for name, each in placed.items()
        ]
    else:
        target = chosen_target(chessboard, paper, squares_x, squares_y, square_mm)
        walked = place_by_board(lenses, _placements(boards, target.find), table)
        cameras = walked.cameras
        worst_m = max(walked.mark_off_m)
        figures = {"rms_px": walked.rms_px, "worst_mark_m": worst_m, "cameras": sorted(cameras)}
        lines = [
            f"{', '.join(sorted(cameras))}: the board's corners miss by {walked.rms_px:.2f} px, "
            f"the worst mark by {worst_m * 100:.1f} cm"
        ]
    changed = calibration.model_copy(update={"cameras": {**calibration.cameras, **cameras}})
    _save(shop, changed, by, f"{', '.join(sorted(cameras))} placed on the floor")
    for name, grey in pictures.items():
        save_reference(shop, name, grey)
    answer(as_json, figures, lines)


@plain_errors
def repair(
    shop: Shop,
    camera: Annotated[str, typer.Option(help="The shelf camera that was moved.")],
    picture: Annotated[Path, typer.Option(help="What it sees now, nobody in front.")],
    by: By = "technician",
    as_json: AsJson = False,
) -> None:
    """Put a slightly moved shelf camera right by the markers of its fixture."""
    calibration = read_calibration(shop)
    if camera not in calibration.cameras:
        fail(f"camera {camera} is not calibrated")
    grey = read_picture(picture)
    found = repair_by_markers(camera, calibration, find_markers(grey))
    changed = calibration.model_copy(
        update={"cameras": {**calibration.cameras, camera: found.camera}}
    )
    why = (
        f"{camera} had turned by {found.turn_deg:.2f} degrees and moved by "
        f"{found.moved_m * 1000:.0f} mm; put right by {found.by}"
    )
    _save(shop, changed, by, why)
    save_reference(shop, camera, grey)
    answer(
        as_json,
        {"camera": camera, "turn_deg": found.turn_deg, "moved_m": found.moved_m, "by": found.by},
        [why],
    )


def read_marks(path: Path) -> dict[str, Marks]:
    """Marks by camera from a CSV.

    Raises:
        CalibrationError: A column is missing or a value no number.
    """
    needed = ("camera", "x_px", "y_px", "x_m", "y_m")
    rows: dict[str, list[tuple[float, float, float, float, float]]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [each for each in needed if each not in (reader.fieldnames or [])]
        if missing:
            raise CalibrationError(f"{path}: misses {missing[0]}; columns are {', '.join(needed)}")
        for row in reader:
            try:
                values = [float(row[each]) for each in needed[1:]]
                height = float(row.get("z_m") or 0.0)
            except (TypeError, ValueError) as err:
                raise CalibrationError(f"{path}: line {reader.line_num}: {err}") from err
            rows.setdefault(row["camera"], []).append(
                (values[0], values[1], values[2], values[3], height)
            )
    if not rows:
        raise CalibrationError(f"{path}: holds no marks")
    return {
        name: Marks(np.array(each)[:, :2], np.array(each)[:, 2:]) for name, each in rows.items()
    }


def _placements(folder: Path, find: object) -> list[dict[str, View]]:
    places = sorted(each for each in folder.iterdir() if each.is_dir())
    found: list[dict[str, View]] = []
    for place in places:
        views: dict[str, View] = {}
        for path in sorted(place.iterdir()):
            view = find(read_picture(path), f"{place.name}/{path.name}")  # type: ignore[operator]
            if isinstance(view, Missed):
                raise CalibrationError(f"{view.name}: {view.reason}")
            views[path.stem] = view
        if views:
            found.append(views)
    if not found:
        raise CalibrationError(f"{folder}: holds no folders of pictures; make PLACE/CAMERA.jpg")
    return found


def _opened(shop: Path, outline: str | None) -> Calibration:
    if shop.exists():
        return read_calibration(shop)
    if outline is None:
        raise CalibrationError(f"{shop}: is not there; for a new one give the floor as --outline")
    corners = tuple((x, y) for x, y in number_pairs(outline, "--outline"))
    return Calibration(floor=Floor(outline=corners), cameras={})


def _fixture(
    calibration: Calibration,
    name: str,
    camera: str,
    at: str | None,
    along: str | None,
    size: str | None,
) -> Fixture:
    known = calibration.fixtures.get(name)
    if known is not None and at is None:
        cameras = tuple(dict.fromkeys((*known.cameras, camera)))
        return known.model_copy(update={"cameras": cameras})
    if at is None or along is None or size is None:
        raise CalibrationError(f"fixture {name} is new: give --at, --along and --size")
    (corner,) = number_pairs(at, "--at", 3)
    ((dx, dy),) = number_pairs(along, "--along")
    ((width, height, depth),) = number_pairs(size, "--size", 3)
    length = float(np.hypot(dx, dy))
    if length == 0 or min(width, height, depth) <= 0:
        raise CalibrationError("--along needs a direction, and --size three lengths above 0")
    return Fixture(
        origin_m=vector3(np.array(corner)),
        right=(dx / length, dy / length, 0.0),
        up=(0.0, 0.0, 1.0),
        width_m=width,
        height_m=height,
        depth_m=depth,
        cameras=(camera,),
    )


def _own_lens(calibration: Calibration, camera: str, path: Path | None) -> Lens:
    if path is not None:
        return read_lens(path)
    known: Camera | None = calibration.cameras.get(camera)
    if known is None:
        raise CalibrationError(f"camera {camera} is new: give its lens file as --lens")
    return lens_of(known)


def _named(pairs: list[str], option: str) -> dict[str, Path]:
    found = {}
    for pair in pairs:
        name, equals, path = pair.partition("=")
        if not (name and equals and path):
            raise CalibrationError(f"{option} {pair!r}: write CAMERA=FILE")
        found[name] = Path(path)
    return found


def _save(shop: Path, calibration: Calibration, by: str, why: str) -> None:
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 - Python 3.10
    checked = Calibration.model_validate(calibration.model_dump())
    save_calibration(shop, checked, now, by, why)


def _shelf_figures(placed: PlacedShelf) -> dict[str, object]:
    return {
        "rms_px": placed.rms_px,
        "worst_px": placed.worst_px,
        "expected_p95_m": placed.expected_p95_m,
        "held_out_p95_m": placed.held_out_p95_m,
        "points": placed.points,
    }


def _shelf_words(camera: str, placed: PlacedShelf) -> list[str]:
    held = placed.held_out_p95_m
    checked = f", left-out points miss by {held * 1000:.1f} mm (p95)" if held is not None else ""
    return [
        f"{camera}: {placed.expected_p95_m * 1000:.1f} mm to expect on the front (p95){checked}; "
        f"{placed.points} points miss by {placed.rms_px:.2f} px"
    ]
