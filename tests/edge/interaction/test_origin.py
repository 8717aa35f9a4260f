import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.interaction.compare import Change
from edge.interaction.facings import FacingsView, see_facings
from edge.interaction.origin import ArmView
from tests.edge.interaction.drawn import PIECE_M, Shelf, calibration, planogram

Point3 = tuple[float, float, float]


@pytest.fixture(scope="module")
def view() -> FacingsView:
    return see_facings("shelf-1", calibration(), planogram())


def _cells(view: FacingsView, points_m: list[Point3]) -> NDArray[np.int32]:
    pixels = view.camera.project(view.fixtures["f"].to_shop(np.array(points_m)))
    return np.rint(pixels / view.scale / 4).astype(np.int32)


def _change(view: FacingsView, place: Point3) -> Change:
    u, v, w = place
    width, height = view.size_px
    mask = np.zeros((height, width), np.uint8)
    front = [(u + du, v + dv, w) for du, dv in ((-0.04, 0), (0.04, 0), (0.04, 0.16), (-0.04, 0.16))]
    cv2.fillConvexPoly(mask, _cells(view, front) * 4, 1)
    return Change(0, "f", "A1", "vanished", 0.5, u, w, PIECE_M[0], mask > 0)


def _arm(view: FacingsView, place: Point3, shoulder_u_m: float) -> NDArray[np.bool_]:
    width, height = view.size_px
    mask = np.zeros((height // 4, width // 4), np.uint8)
    u, v, w = place
    hand, shoulder = _cells(view, [(u, v + 0.08, w), (shoulder_u_m, v + 0.2, -0.45)])
    low, high = _cells(view, [(shoulder_u_m, -0.1, -0.5), (shoulder_u_m, 0.9, -0.5)])
    cv2.line(mask, hand.tolist(), shoulder.tolist(), 1, 5)
    cv2.line(mask, low.tolist(), high.tolist(), 1, 20)
    return mask > 0


def test_the_reach_comes_from_the_side_that_the_arm_comes_from(view: FacingsView) -> None:
    place, arms = Shelf().at("A1", 2, 0), ArmView(view)
    left, straight = (
        arms.origin(_change(view, place), [_arm(view, place, place[0] + aside_m)] * 3)
        for aside_m in (-0.35, 0.0)
    )
    assert left.floor_m[0] < straight.floor_m[0] - 0.15
    assert abs(straight.floor_m[0] - place[0]) < 0.24
    assert straight.sd_m < 0.24


def test_without_an_arm_in_sight_it_is_straight_before_the_piece_and_less_sure(
    view: FacingsView,
) -> None:
    place = Shelf().at("A1", 2, 0)
    arms = ArmView(view)
    unseen = arms.origin(_change(view, place), ())
    seen = arms.origin(_change(view, place), [_arm(view, place, place[0])] * 3)
    assert unseen.floor_m == pytest.approx((place[0], -0.5))
    assert unseen.sd_m > seen.sd_m


def test_an_arm_that_contradicts_where_one_can_stand_makes_it_unsure(view: FacingsView) -> None:
    place = Shelf().at("A1", 0, 0)
    arms = ArmView(view)
    far = arms.origin(_change(view, place), [_arm(view, place, place[0] + 1.0)] * 3)
    near = arms.origin(_change(view, place), [_arm(view, place, place[0])] * 3)
    assert far.sd_m > near.sd_m


def test_what_does_not_touch_the_piece_is_no_arm(view: FacingsView) -> None:
    place, elsewhere = Shelf().at("A1", 0, 0), Shelf().at("A2", 2, 0)
    arms = ArmView(view)
    bystander = arms.origin(_change(view, place), [_arm(view, elsewhere, elsewhere[0])])
    assert bystander == arms.origin(_change(view, place), ())


def test_the_look_of_an_arm_is_that_of_the_arm_alone(view: FacingsView) -> None:
    place, arms = Shelf().at("A1", 2, 0), ArmView(view)
    change, arm = _change(view, place), _arm(view, place, place[0])
    looks = []
    for sleeve, around in (((30, 30, 200), 90), ((30, 30, 200), 200), ((200, 30, 30), 90)):
        picture = np.full((*arm.shape, 3), around, np.uint8)
        picture[arm] = sleeve
        looks.append(arms.sleeve("shelf-1", change, [(arm, picture)] * 3))
    red, red_elsewhere, blue = looks
    assert red is not None and red_elsewhere is not None and blue is not None
    assert red.alike(red_elsewhere) > 0.99
    assert red.alike(blue) < 0.5
    assert arms.sleeve("shelf-1", change, []) is None
