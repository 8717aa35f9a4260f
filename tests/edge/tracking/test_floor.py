from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.format import Camera, Point2
from edge.errors import TrackingError
from edge.tracking.detector import PersonDetection, PersonDetector
from edge.tracking.floor import DetectedFloor, lift
from tests.edge.tracking.pictures import CALIBRATION, SIZE_PX, looking

SLANTED = CALIBRATION.cameras["overhead-1"]
STEEP = looking((3.0, 2.0, 3.1), (3.2, 2.6, 0.0), focal_px=300)
FLAT = looking((-2.0, 2.5, 2.2), (6.0, 2.5, 0.8), focal_px=420)


def person_at(camera: Camera, place: Point2, tall_m: float = 1.72) -> PersonDetection:
    """The box around a person drawn as rings, cut to the picture."""
    around = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    rings = []
    for share, radius in ((0.0, 0.13), (0.5, 0.19), (0.8, 0.24), (0.9, 0.12), (1.0, 0.08)):
        ring = np.column_stack(
            [place[0] + radius * np.cos(around), place[1] + radius * np.sin(around)]
        )
        rings.append(np.column_stack([ring, np.full(30, share * tall_m)]))
    pixels = camera.project(np.concatenate(rings))
    low = pixels.min(axis=0).clip(0, SIZE_PX)
    high = pixels.max(axis=0).clip(0, SIZE_PX)
    return PersonDetection((float(low[0]), float(low[1]), float(high[0]), float(high[1])), 0.9)


@pytest.mark.parametrize("camera", [SLANTED, STEEP, FLAT], ids=["slanted", "steep", "flat"])
@pytest.mark.parametrize("tall_m", [1.6, 1.72, 1.85])
def test_a_box_is_lifted_to_where_the_person_stands(camera: Camera, tall_m: float) -> None:
    for place in [(3.0, 2.5), (3.4, 2.9), (2.8, 3.0)]:
        lifted = lift(person_at(camera, place, tall_m), camera, SIZE_PX)
        assert lifted is not None
        error = np.subtract(lifted[0], place)
        assert np.hypot(*error) < 0.3
        assert error @ np.linalg.solve(np.array(lifted[1]), error) < 9.2  # 99 %


def test_a_known_foot_point_decides() -> None:
    [foot] = SLANTED.project(np.array([[3.0, 2.5, 0.0]]))
    box = person_at(SLANTED, (3.3, 2.2)).box_px
    lifted = lift(PersonDetection(box, 0.9, (float(foot[0]), float(foot[1]))), SLANTED, SIZE_PX)
    assert lifted is not None
    np.testing.assert_allclose(lifted[0], (3.0, 2.5), atol=1e-3)


def test_far_people_are_placed_less_surely_than_near_ones() -> None:
    near, far = (lift(person_at(FLAT, place), FLAT, SIZE_PX) for place in ((2.6, 2.5), (5.9, 2.5)))
    assert near is not None
    assert far is not None
    assert np.trace(far[1]) > 1.5 * np.trace(near[1])


def test_people_cut_by_the_border_are_placed_by_what_is_seen_and_less_surely() -> None:
    place = (1.3, 0.9)
    cut = person_at(SLANTED, place)
    assert cut.box_px[3] == SIZE_PX[1]  # no feet
    lifted, whole = (
        lift(cut, SLANTED, SIZE_PX),
        lift(person_at(SLANTED, (2.4, 2.0)), SLANTED, SIZE_PX),
    )
    assert lifted is not None
    assert whole is not None
    assert np.hypot(*np.subtract(lifted[0], place)) < 0.35
    assert np.trace(lifted[1]) > 1.2 * np.trace(whole[1])


def test_a_picture_of_half_the_calibrated_size_is_lifted_the_same() -> None:
    detection = person_at(SLANTED, (3.0, 2.5))
    left, top, right, bottom = (side / 2 for side in detection.box_px)
    half = lift(PersonDetection((left, top, right, bottom), 0.9), SLANTED, (320, 180))
    assert half is not None
    assert np.hypot(*np.subtract(half[0], (3.0, 2.5))) < 0.3


def test_a_box_in_the_sky_is_nobody() -> None:
    up = looking((0, 0, 1.5), (5, 0, 3.5))
    assert lift(PersonDetection((300, 10, 320, 40), 0.9), up, SIZE_PX) is None


class Scripted(PersonDetector):
    """Finds what it was told."""

    def __init__(self, *found: PersonDetection) -> None:
        self.found = found

    def _find(self, image: NDArray[np.uint8]) -> Sequence[PersonDetection]:
        return self.found


def test_every_camera_is_a_view_and_people_outside_the_shop_are_left_out() -> None:
    cameras = {"near": SLANTED, "steep": STEEP}
    detectors = {
        "near": Scripted(person_at(SLANTED, (3.0, 2.5)), person_at(SLANTED, (7.5, 3.0))),
        "steep": Scripted(person_at(STEEP, (3.0, 2.5))),
    }
    floor = DetectedFloor(CALIBRATION.floor, cameras, detectors)
    picture = np.full((SIZE_PX[1], SIZE_PX[0], 3), 80, np.uint8)
    picture[:, :, 2] = 200
    scan = floor.observe({"near": picture, "steep": picture}, 4.0)
    assert scan.at_s == 4.0
    assert [len(view) for view in scan.views] == [1, 1]
    assert [view[0].cameras for view in scan.views] == [("near",), ("steep",)]
    assert set(scan.views[0][0].looks) == {"near"}


def test_cameras_without_detectors_and_unknown_cameras_are_refused() -> None:
    with pytest.raises(TrackingError, match="no person detector for camera far"):
        DetectedFloor(CALIBRATION.floor, {"far": SLANTED}, {})
    floor = DetectedFloor(CALIBRATION.floor, {"far": SLANTED}, {"far": Scripted()})
    with pytest.raises(TrackingError, match="camera other is not calibrated"):
        floor.observe({"other": np.zeros((360, 640, 3), np.uint8)}, 0.0)
