"""Facings on fixtures, and planograms that are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from calibration.format import CalibrationError
from calibration.planogram import Facing, Planogram, read_planogram
from tests.calibration.test_format import calibration, overhead, shelf

MILK = {
    "fixture": "shelf", "u_m": 0.5, "v_m": 0.4, "width_m": 0.3, "height_m": 0.25, "depth_m": 0.35,
    "sku": "milk", "capacity": 6, "stock": 4,
}  # fmt: skip


def facing(**changes: object) -> Facing:
    return Facing.model_validate({**MILK, **changes})


def test_a_facing_is_a_box_that_starts_at_its_fixtures_front() -> None:
    corners = facing().corners_m(shelf())
    assert corners.shape == (8, 3)
    assert corners[0] == pytest.approx([1.5, 4.0, 0.5])
    assert corners[2] == pytest.approx([1.8, 4.0, 0.75])
    assert corners[4] == pytest.approx([1.5, 4.35, 0.5])


def test_a_camera_sees_a_facing_where_it_projects_its_corners() -> None:
    camera = overhead()
    seen = facing().seen_by(camera, shelf())
    assert seen == pytest.approx(camera.project(facing().corners_m(shelf())))
    assert np.isfinite(seen).all()


def test_a_planogram_comes_back_from_its_file_and_knows_what_is_on_a_fixture(
    tmp_path: Path,
) -> None:
    planogram = Planogram(facings={"a": facing(), "b": facing(fixture="fridge")})
    path = tmp_path / "planogram.json"
    path.write_text(planogram.model_dump_json(), encoding="utf-8")
    assert read_planogram(path) == planogram
    assert list(planogram.of_fixture("shelf")) == ["a"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"fixture": "fridge"}, "fixture fridge, which is not calibrated; calibrated are: shelf"),
        ({"u_m": 1.8}, "reaches beyond fixture shelf"),
        ({"v_m": 1.4}, "reaches beyond fixture shelf"),
        ({"sku": "bread"}, "SKU bread, which the catalogue does not have"),
    ],
)
def test_a_facing_that_cannot_be_is_named(changes: dict[str, object], complaint: str) -> None:
    planogram = Planogram(facings={"a": facing(**changes)})
    with pytest.raises(CalibrationError, match=complaint):
        planogram.check(calibration(), {"milk"})


def test_a_planogram_that_fits_passes() -> None:
    Planogram(facings={"a": facing()}).check(calibration(), {"milk"})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (json.dumps({"facings": {"a": {**MILK, "stock": 9}}}), "stock 9 is more than the capacity"),
        (json.dumps({"facings": {"a": {**MILK, "colour": 1}}}), "facings.a.colour"),
        ("{", "is not JSON"),
        ("[]", "planogram.json"),
    ],
)
def test_what_is_no_planogram_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "planogram.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CalibrationError, match=complaint):
        read_planogram(path)


def test_a_missing_planogram_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="cannot be read"):
        read_planogram(tmp_path / "planogram.json")
