"""`walkout-calibrate` as the technician types it."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from calibration.__main__ import app


def test_board_writes_a_pdf_and_says_how_to_print_it(tmp_path: Path) -> None:
    target = tmp_path / "board.pdf"
    result = CliRunner().invoke(app, ["board", "--paper", "A4", "--out", str(target)])

    assert result.exit_code == 0
    assert target.read_bytes().startswith(b"%PDF-")
    assert "7 x 9 squares of 26 mm on A4" in result.stdout
    assert "both rulers measure 100 mm" in result.stdout


def test_board_as_json_is_one_document_with_what_the_detector_must_know(tmp_path: Path) -> None:
    target = tmp_path / "board.pdf"
    result = CliRunner().invoke(
        app,
        ["board", "--paper", "A3", "--squares-x", "11", "--squares-y", "15"]
        + ["--square-mm", "20", "--out", str(target), "--json"],
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
    result = CliRunner().invoke(app, ["board", "--square-mm", "40", "--out", str(target)])

    assert result.exit_code == 2
    assert result.stderr.startswith("walkout-calibrate: 7 x 9 squares of 40 mm do not fit A4")
    assert result.stderr.count("\n") == 1
    assert not target.exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    target = tmp_path / "missing" / "board.pdf"
    result = CliRunner().invoke(app, ["board", "--out", str(target)])

    assert result.exit_code == 2
    assert f"cannot write {target}" in result.stderr
