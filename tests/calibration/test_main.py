"""`walkout-calibrate` as the technician types it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from calibration.__main__ import app
from calibration.board import fit_board
from calibration.format import read_calibration
from calibration.history import read_record
from calibration.lens import lens_of, read_lens
from calibration.planogram import read_planogram
from tests.calibration.test_shelf import FIXTURE, SHOP, TRUTH, turned
from tests.calibration.test_shop_files import PLAN
from tests.simulators.calibration import (
    Flat,
    Photographer,
    held_board,
    marker_texture,
    poses_in_front,
)

CORNERS = "0,0 5,0 5,4 0,4"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_board_writes_a_pdf_and_says_how_to_print_it(tmp_path: Path) -> None:
    target = tmp_path / "board.pdf"
    result = run("board", "--paper", "A4", "--out", target)

    assert result.exit_code == 0
    assert target.read_bytes().startswith(b"%PDF-")
    assert "7 x 9 squares of 26 mm on A4" in result.stdout
    assert "both rulers measure 100 mm" in result.stdout


def test_board_as_json_is_one_document_with_what_the_detector_must_know(tmp_path: Path) -> None:
    target = tmp_path / "board.pdf"
    result = run(
        *("board", "--paper", "A3", "--squares-x", "11", "--squares-y", "15"),
        *("--square-mm", "20", "--out", target, "--json"),
    )

    assert json.loads(result.stdout) == {
        "out": str(target),
        "paper": "A3",
        "squares_x": 11,
        "squares_y": 15,
        "square_mm": 20.0,
        "marker_mm": 14.0,
        "dictionary": "DICT_5X5_250",
        "corners": 140,
        "ruler_mm": 100,
    }


def test_a_board_too_large_for_the_paper_is_refused_on_one_line(tmp_path: Path) -> None:
    target = tmp_path / "board.pdf"
    result = run("board", "--square-mm", "40", "--out", target)

    assert result.exit_code == 2
    assert result.stderr.startswith("walkout-calibrate: 7 x 9 squares of 40 mm do not fit A4")
    assert result.stderr.count("\n") == 1
    assert not target.exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    target = tmp_path / "missing" / "board.pdf"
    result = run("board", "--out", target)

    assert result.exit_code == 2
    assert f"cannot write {target}" in result.stderr


def test_markers_go_on_as_many_pages_as_they_need(tmp_path: Path) -> None:
    target = tmp_path / "markers.pdf"
    result = run("markers", "--ids", "0-7", "--side-mm", 60, "--out", target, "--json")
    assert json.loads(result.stdout)["pages"] == 2
    assert target.read_bytes().count(b"/Type /Page ") == 2
    refused = run("markers", "--ids", "0,100", "--out", target)
    assert refused.exit_code == 2
    assert "there is no marker 100" in refused.stderr


@pytest.fixture(scope="module")
def board_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures of a board, and one without it."""
    folder = tmp_path_factory.mktemp("board")
    lens = lens_of(TRUTH).resized((640, 360))
    photographer, spec = Photographer(lens, 3), fit_board("A4")
    board = held_board(spec)
    for number, (rotation, shift) in enumerate(poses_in_front(lens, spec, 12, 6)):
        grey = photographer.picture([board], rotation, shift)
        cv2.imwrite(str(folder / f"{number:02d}.png"), grey)
    cv2.imwrite(str(folder / "empty.png"), np.full((360, 640), 90, np.uint8))
    return folder


def test_a_folder_of_pictures_becomes_a_lens_and_a_page_and_other_tools_files(
    tmp_path: Path, board_video: Path
) -> None:
    lens, page = tmp_path / "lens.json", tmp_path / "lens.html"
    result = run(
        *("intrinsics", board_video, "--camera", "shelf-1", "--out", lens),
        *("--report", page, "--json"),
    )
    assert result.exit_code == 0, result.stderr
    figures = json.loads(result.stdout)
    assert figures["light"] in ("green", "amber")
    assert "only 0 of 48 corners" in figures["not_used"]["empty.png"]
    truth = TRUTH.matrix[0][0] / 2
    assert read_lens(lens).matrix[0][0] == pytest.approx(truth, rel=0.005)
    html = page.read_text(encoding="utf-8")
    assert html.count("data:image/jpeg;base64,") >= 10
    assert "empty.png" in html
    assert "http" not in html.replace("http-equiv", "")

    for kind in ("ros", "opencv"):
        there, back = tmp_path / f"{kind}.yaml", tmp_path / f"{kind}.json"
        assert (
            run("convert", lens, "--from", "walkout", "--to", kind, "--out", there).exit_code == 0
        )
        assert run("convert", there, "--from", kind, "--out", back).exit_code == 0
        assert back.read_bytes() == lens.read_bytes()


def front_picture(rotation: NDArray[np.float64], shift_m: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The fixture's front with its markers and something on its boards."""
    rng = np.random.default_rng(8)
    goods = cv2.resize(rng.integers(60, 200, (54, 65)).astype(np.uint8), (650, 540))
    right, down = np.array(FIXTURE.right), -np.array(FIXTURE.up)
    corner = FIXTURE.to_shop(np.array([[0, FIXTURE.height_m, 0.0]]))[0]
    things = [Flat(np.asarray(goods, np.uint8), 500.0, corner, right, down)]
    for each in FIXTURE.markers:
        cell = each.side_m / 6
        at = FIXTURE.to_shop(np.array([[each.u_m - cell, each.v_m + each.side_m + cell, 0.0]]))[0]
        things.append(Flat(marker_texture(each.id), 24 / cell, at, right, down))
    return Photographer(lens_of(TRUTH), 2).picture(things, rotation, shift_m)


def test_a_shelf_camera_is_placed_moved_noticed_and_repaired_with_a_record(tmp_path: Path) -> None:
    shop, lens = tmp_path / "calibration.json", tmp_path / "lens.json"
    lens.write_text(lens_of(TRUTH).model_dump_json(), encoding="utf-8")
    now = tmp_path / "now"
    now.mkdir()
    before = front_picture(np.array(TRUTH.rotation), np.array(TRUTH.translation_m))
    moved = turned(1.0)
    after = front_picture(np.array(moved.rotation), np.array(moved.translation_m))
    cv2.imwrite(str(tmp_path / "before.png"), before)
    placed = run(
        *("plane", shop, "--camera", "shelf-1", "--fixture", "fixture-1", "--lens", lens),
        *("--picture", tmp_path / "before.png", "--markers", "4,5,6,7", "--outline", CORNERS),
        *("--at", "0.6,3.57,0.45", "--along", "1,0", "--size", "1.3,1.08,0.4", "--json"),
    )
    assert placed.exit_code == 0, placed.stderr
    assert json.loads(placed.stdout)["held_out_p95_m"] <= 0.005
    found = read_calibration(shop).cameras["shelf-1"]
    assert found.position_m == pytest.approx(TRUTH.position_m, abs=0.005)

    cv2.imwrite(str(now / "shelf-1.png"), before)
    assert run("check", shop, "--pictures", now).exit_code == 0
    cv2.imwrite(str(now / "shelf-1.png"), after)
    check = run("check", shop, "--pictures", now)
    assert check.exit_code == 2
    assert "shelf-1 has moved by 1.0" in check.stdout

    repaired = run("repair", shop, "--camera", "shelf-1", "--picture", now / "shelf-1.png")
    assert repaired.exit_code == 0, repaired.stderr
    assert run("check", shop, "--pictures", now).exit_code == 0
    assert "had turned by 1.0" in read_record(shop)[-1].why
    assert len(read_record(shop)) == 2


def test_overhead_cameras_are_placed_by_a_table_of_marks(tmp_path: Path) -> None:
    from tests.calibration.test_floor import SPREAD, camera, marks

    truth, shop, lens = camera(), tmp_path / "calibration.json", tmp_path / "lens.json"
    lens.write_text(lens_of(truth).model_dump_json(), encoding="utf-8")
    table = tmp_path / "marks.csv"
    seen = marks(truth, SPREAD)
    rows = [
        f"overhead-1,{x},{y},{a},{b}"
        for (x, y), (a, b) in zip(seen.pixels.tolist(), SPREAD.tolist(), strict=True)
    ]
    table.write_text("\n".join(["camera,x_px,y_px,x_m,y_m", *rows]), encoding="utf-8")
    arguments = ("floor", shop, "--lens", f"overhead-1={lens}", "--marks", table)
    result = run(*arguments, "--outline", CORNERS)
    assert result.exit_code == 0, result.stderr
    assert "cm to expect (p95)" in result.stdout
    found = read_calibration(shop).cameras["overhead-1"]
    assert found.position_m == pytest.approx(truth.position_m, abs=0.06)
    table.write_text("camera,x_px\noverhead-1,3", encoding="utf-8")
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert "misses y_px" in refused.stderr


def test_a_planogram_goes_out_as_a_table_and_comes_back(tmp_path: Path) -> None:
    plan, table, shop = (tmp_path / each for each in ("plan.json", "plan.csv", "calibration.json"))
    plan.write_text(PLAN.model_dump_json(), encoding="utf-8")
    shop.write_text(SHOP.model_dump_json(), encoding="utf-8")
    assert run("planogram", "export", plan, "--out", table).exit_code == 0
    table.write_text(table.read_text(encoding="utf-8").replace("sku-00", "tea"), encoding="utf-8")
    result = run("planogram", "import", table, "--out", plan, "--calibration", shop)
    assert result.exit_code == 0, result.stderr
    assert "fixture-1-1-1: sku sku-00 -> tea" in result.stdout
    assert read_planogram(plan).facings["fixture-1-1-1"].sku == "tea"
    assert run("planogram", "check", plan, "--calibration", shop).exit_code == 0
    table.write_text(table.read_text(encoding="utf-8").replace("0.325", "1.4", 2), encoding="utf-8")
    refused = run("planogram", "import", table, "--out", plan, "--calibration", shop)
    assert refused.exit_code == 2
    assert "reaches beyond fixture" in refused.stderr
