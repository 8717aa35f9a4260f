"""The wizard's work as values: put down and taken up, its steps, its refusals, its result."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from calibration.format import CalibrationError, Camera, Floor, Zone, read_calibration
from calibration.history import read_record, save_planogram
from calibration.lens import lens_of
from calibration.markers import corner_markers
from calibration.plane import front_corners
from calibration.planogram import MAY_BE_LEFT_OUT, Planogram, read_planogram
from calibration.wizard.finishing import calibration_of, check_work, planogram_of, save_work_as
from calibration.wizard.fronts import PX_PER_M, straight_front
from calibration.wizard.placing import (
    fixture_at,
    markers_in_corners,
    own_lens,
    place_overhead,
    place_shelf,
)
from calibration.wizard.steps import next_step, steps
from calibration.wizard.work import (
    Board,
    CameraWork,
    CellSku,
    Grid,
    LensFound,
    MarkSet,
    PlaceFound,
    ShopWork,
    begin_work,
    read_work,
    save_work,
)
from tests.calibration.test_floor import FLOOR, SPREAD, camera, marks
from tests.calibration.test_shelf import FIXTURE, SHOP, TRUTH, clicks, seen_markers

SKUS = {"tea", "soap"}
AT = "2026-03-02T09:00:00+00:00"
GRID = Grid(
    boards_m=(0.0, 0.5, 1.0),
    columns_m=((0.0, 0.6, 1.2), (0.0, 1.2)),
    skus=(
        CellSku(
            row=0,
            column=0,
            sku="tea",
            capacity=6,
            stock=4,
            columns=3,
            piece_width_m=0.12,
            piece_depth_m=0.08,
            piece_height_m=0.2,
        ),
        CellSku(row=1, column=0, sku="soap", capacity=3, stock=3),
    ),
)


def lens_found(of: Camera, light: str = "green") -> LensFound:
    return LensFound.model_validate(
        {
            "lens": lens_of(of).model_dump(),
            "light": light,
            "reasons": () if light == "green" else ("two halves of the views disagree",),
            "rms_px": 0.2,
            "focal_sigma": 0.001,
            "halves_p95_px": 1.0,
            "line_p95_px": 0.2,
            "model": "k1 k2",
            "heat_share": 1.0,
        }
    )


def finished() -> ShopWork:
    """A shop with one shelf and one overhead camera, all of it done."""
    overhead = camera()
    zones = (
        Zone(name="entry", kind="entry", polygon=((0, 0), (1, 0), (1, 1), (0, 1))),
        Zone(name="exit", kind="exit", polygon=((4, 0), (5, 0), (5, 1), (4, 1))),
    )
    work = ShopWork(
        floor=FLOOR.model_copy(update={"zones": zones}),
        fixtures={"fixture-1": FIXTURE.model_copy(update={"cameras": ()})},
        grids={"fixture-1": GRID},
        cameras={
            "overhead-1": CameraWork(role="overhead", lens=lens_found(overhead)),
            "shelf-1": CameraWork(role="shelf", lens=lens_found(TRUTH), fixture="fixture-1"),
        },
    )
    seen = marks(overhead, SPREAD)
    told = tuple(
        MarkSet(pixel=(px[0], px[1]), floor_m=(at[0], at[1]))
        for px, at in zip(seen.pixels.tolist(), SPREAD.tolist(), strict=True)
    )
    work = work.with_camera("overhead-1", marks=told)
    placed = place_overhead("overhead-1", work, (1280, 720), told)
    work = work.with_camera("overhead-1", place=placed)
    shelf = place_shelf(
        "shelf-1",
        work.cameras["shelf-1"],
        "fixture-1",
        FIXTURE,
        (1280, 720),
        markers=seen_markers(TRUTH),
    )
    return work.with_camera("shelf-1", place=shelf)


def test_work_is_put_down_and_taken_up_again_to_the_last_digit(tmp_path: Path) -> None:
    path = tmp_path / "state" / "work.json"
    assert read_work(path) is None
    work = finished()
    save_work(path, work)
    assert read_work(path) == work
    path.write_text(path.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    with pytest.raises(CalibrationError, match="move it away"):
        read_work(path)


def test_work_from_before_cells_said_how_pieces_stand_is_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "work.json"
    save_work(path, finished())
    kept = json.loads(path.read_text(encoding="utf-8"))
    for cell in kept["grids"]["fixture-1"]["skus"]:
        for field in MAY_BE_LEFT_OUT:
            del cell[field]
    path.write_text(json.dumps(kept), encoding="utf-8")
    found = read_work(path)
    assert found is not None
    assert [(e.sku, e.columns, e.piece_m) for e in found.grids["fixture-1"].skus] == [
        ("tea", None, None),
        ("soap", None, None),
    ]
    assert planogram_of(found).facings["fixture-1-1-1"].piece_m is None


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"columns": 5}, "columns 5 are more than the capacity 4"),
        ({"columns": 0}, "greater than or equal to 1"),
        ({"piece_width_m": 0.1, "piece_height_m": 0.2}, "a depth and a height, or none of them"),
        ({"stock": 5}, "stock 5 is more than the capacity 4"),
    ],
)
def test_a_cell_says_how_pieces_stand_by_the_rule_of_facings(
    said: dict[str, object], complaint: str
) -> None:
    cell = {"row": 0, "column": 0, "sku": "tea", "capacity": 4, "stock": 4}
    with pytest.raises(ValidationError, match=complaint):
        CellSku.model_validate(cell | said)


def test_steps_say_what_is_done_what_waits_and_what_comes_next() -> None:
    nothing = begin_work(("overhead-1", "shelf-1"), None, None)
    found = {each.name: (each.progress, each.missing) for each in steps(nothing)}
    assert found["floor"] == ("todo", "floor_size")
    assert found["fixtures"] == ("waits", "floor_first")
    assert found["camera/shelf-1/lens"] == ("todo", "role")
    assert found["camera/shelf-1/place"] == ("waits", "lens_first")
    assert found["save"] == ("waits", "others_first")
    assert next_step(nothing) == "floor"
    done = finished()
    assert {each.progress for each in steps(done)} == {"done", "todo"}
    assert next_step(done) == "save"
    red = done.with_camera("shelf-1", lens=lens_found(TRUTH, "red"), place=None)
    lens, place = (
        next(each for each in steps(red) if each.name == f"camera/shelf-1/{what}")
        for what in ("lens", "place")
    )
    assert (lens.progress, place.progress) == ("bad", "waits")


def test_a_shop_in_force_is_taken_as_done_and_a_new_lens_wants_a_new_place() -> None:
    work = begin_work(("shelf-1",), SHOP, Planogram(facings={}))
    assert work.cameras["shelf-1"].fixture == "fixture-1"
    assert work.cameras["shelf-1"].placed == TRUTH
    new = work.with_camera("shelf-1", lens=lens_found(TRUTH))
    assert new.cameras["shelf-1"].placed is None


def test_cameras_are_placed_green_by_markers_and_by_clicks_on_the_corners() -> None:
    work = finished().cameras["shelf-1"]
    assert work.place is not None
    assert work.place.light == "green"
    assert "markers 4, 5, 6, 7 of fixture-1" in work.place.by
    corners = clicks(front_corners(FIXTURE))
    by_clicks = place_shelf(
        "shelf-1",
        work,
        "fixture-1",
        FIXTURE,
        (1280, 720),
        clicks=[(x, y) for x, y in corners.tolist()],
    )
    assert np.linalg.norm(by_clicks.camera.position_m - TRUTH.position_m) < 0.01


def test_nothing_is_placed_without_a_lens_or_with_a_red_one() -> None:
    with pytest.raises(CalibrationError, match="has no lens yet: hold the board"):
        own_lens("shelf-1", CameraWork(role="shelf"), (1280, 720))
    with pytest.raises(CalibrationError, match="its lens is red"):
        own_lens("shelf-1", CameraWork(lens=lens_found(TRUTH, "red")), (1280, 720))


def test_swapped_overhead_cameras_are_named() -> None:
    one, other = camera(), camera(3.4, 3.5, (2.6, 1.8))
    apart = SPREAD[[3, 0, 4, 1, 5, 2]]
    # Each is told the places of the marks of its own corner and shows the other's picture.
    told = {"one": told_by(other, apart, SPREAD), "other": told_by(one, SPREAD, apart)}
    work = ShopWork(
        floor=FLOOR,
        cameras={
            name: CameraWork(role="overhead", lens=lens_found(truth), marks=told[name])
            for name, truth in (("one", one), ("other", other))
        },
    )
    with pytest.raises(CalibrationError, match="one and other are swapped"):
        place_overhead("one", work, (1280, 720), told["one"])


def told_by(
    truth: Camera, seen_m: NDArray[np.float64], told_m: NDArray[np.float64]
) -> tuple[MarkSet, ...]:
    pixels = truth.project(np.column_stack([seen_m, np.zeros(len(seen_m))]))
    return tuple(
        MarkSet(pixel=(px[0], px[1]), floor_m=(at[0], at[1]))
        for px, at in zip(pixels.tolist(), told_m.tolist(), strict=True)
    )


def test_a_fixture_that_is_measured_keeps_its_markers_only_where_they_still_fit() -> None:
    fixture = fixture_at((0.6, 3.57), 0.0, 0.45, (1.3, 1.08, 0.4), FIXTURE)
    assert fixture == FIXTURE
    assert fixture_at((0.6, 3.57), 0.0, 0.45, (1.2, 1.08, 0.4), FIXTURE).markers == ()
    assert fixture_at((4.6, 2.6), -90.0, 0.45, (1.3, 1.0, 0.4)).inward == pytest.approx([1, 0, 0])
    with pytest.raises(CalibrationError, match="more than 0"):
        fixture_at((0, 0), 0, 0.4, (0.0, 1, 1))
    assert markers_in_corners(fixture, 4, 0.06) == corner_markers((4, 5, 6, 7), 1.3, 1.08, 0.06)


def test_what_is_saved_is_checked_and_everything_replaced_stays(tmp_path: Path) -> None:
    path, planogram = tmp_path / "calibration.json", tmp_path / "planogram.json"
    work = finished()
    assert not [each for each in check_work(work, SKUS) if each.light == "red"]
    still = np.random.default_rng(0).integers(0, 255, (720, 1280)).astype(np.uint8)
    save_work_as(path, planogram, work, SKUS, {"shelf-1": still}, AT, "kim")
    assert read_calibration(path) == calibration_of(work)
    assert read_planogram(planogram) == planogram_of(work)
    tea = read_planogram(planogram).facings["fixture-1-1-1"]
    assert (tea.columns, tea.piece_m) == (3, (0.12, 0.08, 0.2))
    assert read_calibration(path).fixtures["fixture-1"].cameras == ("shelf-1",)
    again = work.changed_to(grids={"fixture-1": GRID.model_copy(update={"skus": GRID.skus[:1]})})
    save_work_as(path, planogram, again, SKUS, {"shelf-1": still}, AT, "kim")
    history = sorted(each.name for each in (tmp_path / "calibration" / "history").iterdir())
    assert history == ["0002-planogram.json", "0002-shelf-1.png", "0002.json", "record.jsonl"]
    assert [each.by for each in read_record(path)] == ["kim", "kim"]


def test_red_findings_are_not_saved_and_say_what_to_do(tmp_path: Path) -> None:
    path, planogram = tmp_path / "calibration.json", tmp_path / "planogram.json"
    work = finished()
    assert work.floor is not None
    cases = {
        "not placed yet": work.with_camera("shelf-1", place=None),
        "no entry zone: draw": work.changed_to(floor=Floor(outline=work.floor.outline)),
        "no facings: say what": work.changed_to(grids={}),
        "which the catalogue does not have": work,
    }
    for said, each in cases.items():
        skus = {"tea"} if "catalogue" in said else SKUS
        with pytest.raises(CalibrationError, match=f"nothing was saved: .*{said}"):
            save_work_as(path, planogram, each, skus, {}, AT, "kim")
    assert not path.exists()
    assert not planogram.exists()


def test_an_amber_place_is_told_with_its_error() -> None:
    work = finished()
    place = work.cameras["shelf-1"].place
    assert place is not None
    worse: PlaceFound = place.model_copy(update={"light": "amber", "expected_p95_m": 0.02})
    found = check_work(work.with_camera("shelf-1", place=worse), SKUS)
    assert any("placed to 20 mm" in each.text for each in found)


def test_a_front_is_seen_straight() -> None:
    image = np.zeros((720, 1280), np.uint8)
    corner = TRUTH.project(FIXTURE.to_shop(np.array([[0.65, 0.54, 0.0]])))[0]
    image[
        round(corner[1]) - 3 : round(corner[1]) + 4, round(corner[0]) - 3 : round(corner[0]) + 4
    ] = 255
    flat = straight_front(image, TRUTH, FIXTURE)
    assert flat.shape == (round(1.08 * PX_PER_M), round(1.3 * PX_PER_M))
    rows, columns = np.nonzero(flat > 128)
    assert columns.mean() / PX_PER_M == pytest.approx(0.65, abs=0.003)
    assert 1.08 - rows.mean() / PX_PER_M == pytest.approx(0.54, abs=0.003)


def test_boards_that_do_not_exist_are_refused() -> None:
    with pytest.raises(CalibrationError, match="inner corners in both directions"):
        Board(kind="chessboard").target()
    with pytest.raises(CalibrationError, match="even number of rows"):
        Board(squares_y=8).target()


def test_a_planogram_that_does_not_change_leaves_no_history(tmp_path: Path) -> None:
    path = tmp_path / "planogram.json"
    save_planogram(path, Planogram(facings={}))
    save_planogram(path, Planogram(facings={}))
    assert not (tmp_path / "calibration").exists()
