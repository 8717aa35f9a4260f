"""`intrinsics`, `report` and `convert`: a lens from pictures, its page, and other tools' files."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from calibration.board import fit_board
from calibration.cli.answers import AsJson, answer, fail, plain_errors
from calibration.cli.printing import PAPERS, PaperName, Sheet, SquareMm, SquaresX, SquaresY
from calibration.coverage import Coverage, CoverageState, coverage_of
from calibration.format import CalibrationError
from calibration.interchange.caliscope import from_caliscope
from calibration.interchange.kalibr import from_kalibr
from calibration.interchange.opencv import from_opencv, to_opencv
from calibration.interchange.ros import from_ros, to_ros
from calibration.intrinsics.select import most_telling
from calibration.intrinsics.solve import Choice, choose_lens
from calibration.intrinsics.trust import Verdict, judge
from calibration.lens import Lens, read_lens
from calibration.pictures import VIDEO_SUFFIXES, read_pictures
from calibration.report import lens_report
from calibration.targets import Charuco, Chessboard, Missed, Target, View

_SHOWN = 12

Source = Annotated[Path, typer.Argument(help="Folder of pictures, or a video, of the board.")]
CameraName = Annotated[str, typer.Option(help="The camera's name in the shop.")]
ChessboardOption = Annotated[
    str | None,
    typer.Option(help="A plain chessboard instead of a ChArUco board, by its inner corners: 9x6."),
]


class Format(str, Enum):
    """Files that lenses are kept in."""

    walkout = "walkout"
    ros = "ros"
    opencv = "opencv"
    kalibr = "kalibr"
    caliscope = "caliscope"


@dataclass(frozen=True)
class Calibrated:
    """All that came out of a folder or video."""

    choice: Choice
    coverage: Coverage
    verdict: Verdict
    missed: tuple[Missed, ...]
    pictures: dict[str, NDArray[np.uint8]]


@plain_errors
def intrinsics(
    source: Source,
    out: Annotated[Path, typer.Option(help="The lens file to write.", show_default=False)],
    camera: CameraName = "camera",
    chessboard: ChessboardOption = None,
    paper: Sheet = PaperName.A4,
    squares_x: SquaresX = None,
    squares_y: SquaresY = None,
    square_mm: SquareMm = None,
    page: Annotated[Path | None, typer.Option("--report", help="An HTML page to write.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find a lens from pictures of a board, and say how far it can be trusted.

    A lens with a red light is not written.
    """
    target = chosen_target(chessboard, paper, squares_x, squares_y, square_mm)
    found = calibrate(source, target)
    before = read_lens(out) if out.exists() else None
    if page is not None:
        page.write_text(_page(camera, found, before), encoding="utf-8")
    light = found.verdict.light
    if light == "red":
        fail(f"{camera}: red, nothing was written: {'; '.join(found.verdict.reasons)}")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(found.choice.fit.lens.model_dump_json(indent=2) + "\n", encoding="utf-8")
    answer(as_json, {"out": str(out), "camera": camera, **_figures(found)}, _words(camera, found))


@plain_errors
def report(
    source: Source,
    out: Annotated[Path, typer.Option(help="The HTML page to write.", show_default=False)],
    camera: CameraName = "camera",
    before: Annotated[Path | None, typer.Option(help="Lens file to compare with.")] = None,
    chessboard: ChessboardOption = None,
    paper: Sheet = PaperName.A4,
    squares_x: SquaresX = None,
    squares_y: SquaresY = None,
    square_mm: SquareMm = None,
    as_json: AsJson = False,
) -> None:
    """Write the page about a lens, whatever its light, and no lens file."""
    target = chosen_target(chessboard, paper, squares_x, squares_y, square_mm)
    found = calibrate(source, target)
    old = read_lens(before) if before is not None else None
    out.write_text(_page(camera, found, old), encoding="utf-8")
    answer(as_json, {"out": str(out), "camera": camera, **_figures(found)}, _words(camera, found))


@plain_errors
def convert(
    source: Annotated[Path, typer.Argument(help="The file to read.")],
    out: Annotated[Path, typer.Option(help="The file to write.", show_default=False)],
    read_as: Annotated[Format, typer.Option("--from", help="What it is.")],
    write_as: Annotated[Format, typer.Option("--to", help="What to write.")] = Format.walkout,
    camera: Annotated[
        str | None, typer.Option(help="Which camera of it; also the name that is written.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn a lens of another tool into one of Walkout's, or the other way round."""
    lens = _read(source, read_as, camera)
    if write_as is Format.walkout:
        text = lens.model_dump_json(indent=2) + "\n"
    elif write_as is Format.ros:
        text = to_ros(lens, camera or source.stem)
    elif write_as is Format.opencv:
        text = to_opencv(lens)
    else:
        fail(f"{write_as.value} files can be read, not written; use walkout, ros or opencv")
    out.write_text(text, encoding="utf-8")
    size = "{} x {}".format(*lens.image_size_px)
    answer(
        as_json,
        {"out": str(out), "lens": lens.model_dump(mode="json")},
        [f"Wrote {out}: {size}, focal length {lens.matrix[0][0]:.2f} px."],
    )


def chosen_target(
    chessboard: str | None,
    paper: PaperName,
    squares_x: int | None,
    squares_y: int | None,
    square_mm: float | None,
) -> Target:
    """The board that the options describe.

    Raises:
        CalibrationError: They describe none.
    """
    if chessboard is None:
        return Charuco(fit_board(PAPERS[paper], squares_x, squares_y, square_mm))
    columns, cross, rows = chessboard.lower().partition("x")
    if not (columns.isdigit() and cross and rows.isdigit()):
        raise CalibrationError(f"chessboard {chessboard!r}: write its inner corners as 9x6")
    if square_mm is None:
        raise CalibrationError("measure a square of the chessboard and give it as --square-mm")
    return Chessboard(int(columns), int(rows), square_mm / 1000)


def calibrate(source: Path, target: Target) -> Calibrated:
    """A lens from a folder or a video.

    Raises:
        CalibrationError: Pictures cannot be read, or do not make a lens; the reason that most of
            them were refused for is named.
    """
    video = source.suffix.lower() in VIDEO_SUFFIXES
    state = CoverageState()
    views: list[View] = []
    missed: list[Missed] = []
    pictures: dict[str, NDArray[np.uint8]] = {}
    for picture in read_pictures(source):
        found = target.find(picture.grey, picture.name)
        if isinstance(found, Missed):
            missed.append(found)
            continue
        refused = state.feed(found, picture.at_s) if video else None
        if refused is not None:
            missed.append(Missed(picture.name, refused))
            continue
        views.append(found)
        if len(pictures) < _SHOWN:
            pictures[picture.name] = picture.grey
    try:
        choice = choose_lens(most_telling(views))
    except CalibrationError as err:
        raise CalibrationError(f"{source}: {err}{_why_missed(missed)}") from err
    coverage = coverage_of(choice.views)
    return Calibrated(
        choice, coverage, judge(choice, coverage, target.lines()), tuple(missed), pictures
    )


def _why_missed(missed: list[Missed]) -> str:
    if not missed:
        return ""
    reasons = [each.reason for each in missed]
    usual = max(reasons, key=reasons.count)
    first = next(each.name for each in missed if each.reason == usual)
    return f". {len(missed)} were refused, most because of this ({first}): {usual}"


def _page(camera: str, found: Calibrated, before: Lens | None) -> str:
    return lens_report(
        camera, found.choice, found.coverage, found.verdict, found.missed, found.pictures, before
    )


def _figures(found: Calibrated) -> dict[str, object]:
    fit, verdict = found.choice.fit, found.verdict
    return {
        "light": verdict.light,
        "reasons": list(verdict.reasons),
        "model": fit.model,
        "rms_px": fit.rms_px,
        "views": {
            view.name: rms for view, rms in zip(found.choice.views, fit.view_rms_px, strict=True)
        },
        "focal_px": [fit.lens.matrix[0][0], fit.lens.matrix[1][1]],
        "focal_sigma_px": list(fit.focal_sigma_px),
        "halves_p95_px": verdict.halves.p95_px if verdict.halves else None,
        "line_p95_px": verdict.line_p95_px,
        "heat_share": found.coverage.heat_share,
        "next": list(found.coverage.next),
        "not_used": {each.name: each.reason for each in found.missed} | dict(found.choice.dropped),
    }


def _words(camera: str, found: Calibrated) -> list[str]:
    fit, verdict = found.choice.fit, found.verdict
    halves = f", halves differ by {verdict.halves.p95_px:.1f} px" if verdict.halves else ""
    lines = [
        f"{camera}: {verdict.light}. {len(found.choice.views)} views, RMS {fit.rms_px:.3f} px"
        f"{halves}, focal length {fit.lens.matrix[0][0]:.1f} px "
        f"(sigma {verdict.focal_sigma * 100:.2f} %), terms: {fit.model}."
    ]
    lines += [f"  {reason}" for reason in verdict.reasons]
    lines += [f"  not used: {name}: {reason}" for name, reason in found.choice.dropped]
    lines += [f"  not used: {each.name}: {each.reason}" for each in found.missed]
    return lines


def _read(source: Path, read_as: Format, camera: str | None) -> Lens:
    if read_as is Format.walkout:
        return read_lens(source)
    try:
        text = source.read_text(encoding="utf-8")
    except UnicodeDecodeError as err:
        raise CalibrationError(f"{source}: is no text") from err
    name = str(source)
    if read_as is Format.ros:
        return from_ros(text, name)
    if read_as is Format.opencv:
        return from_opencv(text, name)
    if read_as is Format.kalibr:
        several = from_kalibr(text, name)
    else:
        several = {key: each.lens for key, each in from_caliscope(text, name).items()}
    if camera is None and len(several) == 1:
        return next(iter(several.values()))
    if camera not in several:
        fail(f"{source} holds {', '.join(sorted(several))}; name one with --camera")
    return several[camera]
