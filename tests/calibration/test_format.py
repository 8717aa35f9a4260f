"""The shop's geometry: shop metres to pixels and back, and calibrations that are refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from calibration.format import (
    Calibration,
    CalibrationError,
    Camera,
    Fixture,
    Floor,
    Zone,
    parse_calibration,
    read_calibration,
)


def overhead(distortion: tuple[float, float, float, float, float] = (0, 0, 0, 0, 0)) -> Camera:
    """A camera 3 m above (1, 2), looking straight down, its picture's right along shop x."""
    return Camera(
        role="overhead",
        image_size_px=(640, 480),
        matrix=((500, 0, 320), (0, 500, 240), (0, 0, 1)),
        distortion=distortion,
        rotation=((1, 0, 0), (0, -1, 0), (0, 0, -1)),
        translation_m=(-1, 2, 3),
    )


def shelf() -> Fixture:
    return Fixture(
        origin_m=(1, 4, 0.1), right=(1, 0, 0), up=(0, 0, 1), width_m=2, height_m=1.5, depth_m=0.4
    )


def calibration() -> Calibration:
    outline = ((0.0, 0.0), (4.0, 0.0), (4.0, 3.0), (0.0, 3.0))
    door = Zone(name="door", kind="entry", polygon=((0, 0), (1, 0), (1, 1), (0, 1)))
    return Calibration(
        floor=Floor(outline=outline, zones=(door,)),
        cameras={"overhead-1": overhead()},
        fixtures={"shelf": shelf()},
    )


def test_the_point_below_a_camera_is_in_the_middle_of_its_picture() -> None:
    assert overhead().project(np.array([[1.0, 2.0, 0.0]])) == pytest.approx(np.array([[320, 240]]))
    assert overhead().position_m == pytest.approx(np.array([1, 2, 3]))


def test_a_metre_on_the_floor_is_as_long_as_focal_length_over_distance() -> None:
    right, ahead = overhead().project(np.array([[2.0, 2.0, 0.0], [1.0, 3.0, 0.0]]))
    assert right == pytest.approx([320 + 500 / 3, 240])
    assert ahead == pytest.approx([320, 240 - 500 / 3])


@pytest.mark.parametrize("height_m", [0.0, 1.7])
def test_pixels_go_back_to_the_level_they_came_from_through_lens_distortion(
    height_m: float,
) -> None:
    camera = overhead((-0.2, 0.05, 0.001, -0.001, 0.0))
    rng = np.random.default_rng(0)
    floor = np.column_stack([rng.uniform(0.4, 1.6, 20), rng.uniform(1.5, 2.5, 20)])
    points = np.column_stack([floor, np.full(20, height_m)])
    assert camera.on_plane(camera.project(points), height_m) == pytest.approx(floor, abs=1e-3)


def test_what_a_camera_cannot_see_has_no_pixel_and_a_ray_upwards_no_floor() -> None:
    assert np.isnan(overhead().project(np.array([[1.0, 2.0, 4.0]]))).all()
    assert np.isnan(overhead().on_plane(np.array([[320.0, 240.0]]), height_m=3.5)).all()
    assert overhead().project(np.zeros((0, 3))).shape == (0, 2)
    assert overhead().rays(np.zeros((0, 2))).shape == (0, 3)


def test_fixture_coordinates_run_right_up_and_away_from_the_shopper() -> None:
    u, v, w = shelf().to_shop(np.eye(3))
    assert u == pytest.approx([2, 4, 0.1])
    assert v == pytest.approx([1, 4, 1.1])
    assert w == pytest.approx([1, 5, 0.1])


def test_a_zone_holds_its_inside_and_its_border() -> None:
    zone = calibration().floor.zones[0]
    assert zone.contains(0.5, 0.5)
    assert zone.contains(1.0, 0.3)
    assert not zone.contains(1.01, 0.3)


def test_a_calibration_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(calibration().model_dump_json(), encoding="utf-8")
    assert read_calibration(path) == calibration()


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        (("cameras", "overhead-1", "rotation"), [[1, 0, 0], [0, 1, 0], [0, 0, 2]], "no rotation"),
        (("cameras", "overhead-1", "rotation"), [[1, 0, 0], [0, 1, 0], [0, 0, -1]], "no rotation"),
        (("cameras", "overhead-1", "focal"), 3, "cameras.overhead-1.focal"),
        (("cameras", "overhead-1", "matrix"), [[math.inf, 0, 0]] * 3, "matrix"),
        (("fixtures", "shelf", "up"), [0.1, 0, 1], "right angle"),
        (("fixtures", "shelf", "width_m"), -1, "fixtures.shelf.width_m"),
        (("fixtures", "shelf", "cameras"), ["shelf-9"], "camera shelf-9, which is not calibrated"),
        (("floor", "outline"), [[0, 0], [1, 1], [2, 2]], "lie on one line"),
        (("schema_version",), 2, "schema_version"),
    ],
)
def test_a_wrong_field_is_named(place: tuple[str, ...], value: object, complaint: str) -> None:
    document = json.loads(calibration().model_dump_json())
    inner = document
    for part in place[:-1]:
        inner = inner[part]
    inner[place[-1]] = value
    with pytest.raises(CalibrationError, match=complaint):
        parse_calibration(json.dumps(document))


def test_what_is_no_json_and_what_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match="line 2 is not JSON"):
        parse_calibration('{\n"floor": }')
    with pytest.raises(CalibrationError, match="cannot be read"):
        read_calibration(tmp_path / "missing.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CalibrationError, match="cannot be read"):
        read_calibration(tmp_path / "binary.json")
