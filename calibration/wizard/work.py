"""What has been done so far: a shop's calibration in the making, kept as one JSON file.

Owns the values, and that work can be put down and taken up again at any moment: after every step
the whole of it is a file. Nothing of it is in force before it is saved as a calibration
(``calibration.wizard.finishing``). How things are found is the business of the modules that the
command line uses as well.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import Field, ValidationError

from calibration.board import fit_board
from calibration.format import (
    Calibration,
    CalibrationError,
    Camera,
    CameraRole,
    Closed,
    Fixture,
    Floor,
    Point2,
    first_complaint,
)
from calibration.lens import Lens, lens_of
from calibration.page import Paper
from calibration.planogram import Facing, Planogram, Standing
from calibration.targets import Charuco, Chessboard, Target, View

Light = Literal["green", "amber", "red"]
MOST_VIEWS: Final = 60


class Board(Closed):
    """The board that is held up.

    Attributes:
        kind: A ChArUco board as printed by Walkout, or a plain chessboard.
        paper: Of a ChArUco board.
        squares_x: Squares in a row of a ChArUco board, inner corners of a chessboard; ``None`` for
            what suits the paper.
        squares_y: The same in a column.
        square_mm: Side of a square; ``None`` for what suits the paper.
    """

    kind: Literal["charuco", "chessboard"] = "charuco"
    paper: Paper = "A4"
    squares_x: int | None = None
    squares_y: int | None = None
    square_mm: float | None = None

    def target(self) -> Target:
        """What is looked for.

        Raises:
            CalibrationError: There is no such board.
        """
        if self.kind == "charuco":
            return Charuco(fit_board(self.paper, self.squares_x, self.squares_y, self.square_mm))
        if self.squares_x is None or self.squares_y is None or self.square_mm is None:
            raise CalibrationError(
                "a chessboard needs its inner corners in both directions and the side of a square"
            )
        return Chessboard(self.squares_x, self.squares_y, self.square_mm / 1000)


class KeptView(Closed):
    """A view of the board that was kept; see ``calibration.targets.View``."""

    name: str
    ids: tuple[int, ...]
    points_m: tuple[tuple[float, float, float], ...]
    pixels: tuple[Point2, ...]
    size_px: tuple[int, int]
    edge_px: float

    @classmethod
    def of(cls, view: View) -> KeptView:
        """Keep a view."""
        return cls(
            name=view.name,
            ids=tuple(view.ids.tolist()),
            points_m=tuple((x, y, z) for x, y, z in view.points_m.tolist()),
            pixels=tuple((x, y) for x, y in view.pixels.round(4).tolist()),
            size_px=view.size_px,
            edge_px=view.edge_px,
        )

    def view(self) -> View:
        """The view again."""
        return View(
            self.name,
            np.array(self.ids, np.int64),
            np.array(self.points_m, np.float64),
            np.array(self.pixels, np.float64),
            self.size_px,
            self.edge_px,
        )


class LensFound(Closed):
    """A lens and how far it can be trusted; see ``calibration.intrinsics.trust.Verdict``.

    Attributes:
        lens: The lens.
        light: The worst of all checks.
        reasons: What keeps it from being green, with what to do.
        rms_px: Of all corners.
        focal_sigma: Standard deviation of the focal length as a share of it.
        halves_p95_px: How far two halves of the views disagree; ``None`` with too few views.
        line_p95_px: How far straight lines are bent; ``None`` where it cannot be told.
        model: Its distortion terms.
        heat_share: Share of the picture that the board was seen in.
        bars: Of each view that was used, its name and RMS.
        difference_px: Where the halves disagree, rows of a coarse grid; empty where not known.
        report: File name of its report.
    """

    lens: Lens
    light: Light
    reasons: tuple[str, ...]
    rms_px: float
    focal_sigma: float
    halves_p95_px: float | None
    line_p95_px: float | None
    model: str
    heat_share: float
    bars: tuple[tuple[str, float], ...] = ()
    difference_px: tuple[tuple[float, ...], ...] = ()
    report: str | None = None


class PlaceFound(Closed):
    """Where a camera is, and how well that is known.

    Attributes:
        camera: In shop metres.
        light: Green or amber; worse is refused.
        by: What it was placed by, in words.
        expected_p95_m: Error to expect over all that it watches.
        held_out_p95_m: Error of points that were left out; ``None`` with too few points.
        rms_px: Of the points.
    """

    camera: Camera
    light: Light
    by: str
    expected_p95_m: float
    held_out_p95_m: float | None
    rms_px: float


class MarkSet(Closed):
    """A mark on the floor: where it is seen, and where it is."""

    pixel: Point2
    floor_m: Point2


class CameraWork(Closed):
    """One camera.

    Attributes:
        role: What it watches; ``None`` until somebody has said.
        board: What is held up before it.
        views: Views that were kept.
        lens: The lens.
        fixture: What it is placed by, for a shelf camera.
        marks: What it is placed by, for an overhead camera.
        place: Where it is.
        still: Whether there is a picture of what it saw then.
        before: Lens and place are those of the calibration in force.
    """

    role: CameraRole | None = None
    board: Board = Board()
    views: tuple[KeptView, ...] = ()
    lens: LensFound | None = None
    fixture: str | None = None
    marks: tuple[MarkSet, ...] = ()
    place: PlaceFound | None = None
    still: bool = False
    before: Camera | None = None

    @property
    def own_lens(self) -> Lens | None:
        """The lens that holds: a new one, or the one before."""
        if self.lens is not None:
            return self.lens.lens
        return None if self.before is None else lens_of(self.before)

    @property
    def placed(self) -> Camera | None:
        """The camera that holds: placed anew, or as before where its lens is still the same."""
        if self.place is not None:
            return self.place.camera
        return self.before if self.lens is None else None


class CellSku(Standing):
    """What stands in a cell of a grid, and how.

    Attributes:
        row: Of boards, from 0 at the bottom.
        column: From 0 at the left.
    """

    row: Annotated[int, Field(ge=0)]
    column: Annotated[int, Field(ge=0)]


class Grid(Closed):
    """A front split into boards and columns; see ``calibration.grid``.

    Attributes:
        boards_m: Heights of the boards, then the upper edge of the topmost row.
        columns_m: For each row, the edges of its columns.
        skus: What stands where; cells without one stay empty.
    """

    boards_m: Annotated[tuple[float, ...], Field(min_length=2)]
    columns_m: tuple[tuple[float, ...], ...]
    skus: tuple[CellSku, ...] = ()


class ShopWork(Closed):
    """All of it.

    Attributes:
        floor: With its zones; ``None`` until its size is known.
        fixtures: By name.
        grids: By fixture, where its front was split here.
        facings: Of the planogram in force; they hold on fronts that were not split here.
        cameras: By name.
        boards: Places of a board on the floor, each with the views of the cameras that saw it.
        changed: Whether anything differs from what was saved last.
    """

    schema_version: Literal[1] = 1
    floor: Floor | None = None
    fixtures: dict[str, Fixture] = Field(default_factory=dict)
    grids: dict[str, Grid] = Field(default_factory=dict)
    facings: dict[str, Facing] = Field(default_factory=dict)
    cameras: dict[str, CameraWork] = Field(default_factory=dict)
    boards: tuple[dict[str, KeptView], ...] = ()
    changed: bool = False

    def with_camera(self, name: str, **values: object) -> ShopWork:
        """With other values of a camera."""
        camera = self.cameras[name].model_copy(update=values)
        return self.changed_to(cameras={**self.cameras, name: camera})

    def changed_to(self, **values: object) -> ShopWork:
        """With other values."""
        return self.model_copy(update={"changed": True, **values})


def begin_work(
    cameras: tuple[str, ...], calibration: Calibration | None, planogram: Planogram | None
) -> ShopWork:
    """Where the work begins: with what is in force, or with nothing."""
    before = {} if calibration is None else calibration.cameras
    return ShopWork(
        floor=None if calibration is None else calibration.floor,
        fixtures={} if calibration is None else calibration.fixtures,
        facings={} if planogram is None else planogram.facings,
        cameras={
            name: CameraWork(
                role=before[name].role if name in before else None,
                before=before.get(name),
                fixture=None if calibration is None else _watched(name, calibration),
            )
            for name in cameras
        },
    )


def _watched(name: str, calibration: Calibration) -> str | None:
    return next((k for k, each in calibration.fixtures.items() if name in each.cameras), None)


def read_work(path: Path) -> ShopWork | None:
    """The work that was put down; ``None`` where there is none.

    Raises:
        CalibrationError: It cannot be read.
    """
    if not path.exists():
        return None
    try:
        return ShopWork.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as err:
        raise CalibrationError(f"{path}: cannot be read: {err}; move it away") from err
    except ValidationError as err:
        raise CalibrationError(f"{path}: {first_complaint(err)}; move it away") from err


def save_work(path: Path, work: ShopWork) -> None:
    """Put the work down, whole or not at all.

    Raises:
        CalibrationError: It cannot be written.
    """
    beginning = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beginning.open("w", encoding="utf-8") as file:
            file.write(work.model_dump_json())
            file.flush()
            os.fsync(file.fileno())
        beginning.replace(path)
    except OSError as err:
        raise CalibrationError(f"{path}: cannot be written: {err.strerror or err}") from err
