from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.format import Point2
from edge.errors import TrackingError
from edge.tracking.foreground import ForegroundDetector, ForegroundFloor
from edge.tracking.observations import FloorScan, look_distance
from tests.edge.tracking.pictures import CALIBRATION, SHELF, Body, Studio

RATE_HZ = 7.5
BLUE = (170, 60, 30)
GREEN = (60, 150, 40)
GREY = (95, 95, 100)


class Shop:
    """A drawn shop and the observer that looks at it, one step after the other."""

    def __init__(self, seed: int = 0, rate_hz: float = RATE_HZ) -> None:
        self.rate_hz = rate_hz
        self.studio = Studio(seed=seed)
        self.floor = ForegroundFloor.from_calibration(CALIBRATION)
        self.step = 0
        self.followed: tuple[Point2, ...] = ()

    def show(
        self, bodies: Sequence[Body] = (), follow: bool = False, **how: object
    ) -> tuple[Point2, ...]:
        return places(self.scan(bodies, follow, **how))

    def scan(self, bodies: Sequence[Body] = (), follow: bool = False, **how: object) -> FloorScan:
        pictures = self.studio.shoot(bodies, **how)  # type: ignore[arg-type]
        scan = self.floor.observe(pictures, self.step / self.rate_hz, self.followed)
        self.step += 1
        self.followed = places(scan) if follow else ()
        return scan

    def empty(self, steps: int = 8) -> Shop:
        for _ in range(steps):
            assert self.show() == ()
        return self


def places(scan: FloorScan) -> tuple[Point2, ...]:
    return tuple(sorted(each.position_m for view in scan.views for each in view))


def off(found: Sequence[Point2], true: Sequence[Point2]) -> float:
    """The largest error, infinite when the numbers differ."""
    if len(found) != len(true):
        return float("inf")
    return max(min(float(np.hypot(x - tx, y - ty)) for x, y in found) for tx, ty in true)


@pytest.mark.parametrize("colour", [BLUE, GREEN, (220, 220, 225), (20, 20, 20)])
def test_one_person_is_found_where_they_stand(colour: tuple[int, int, int]) -> None:
    shop = Shop().empty()
    for at in [(1.0, 1.0), (3.0, 2.5), (5.0, 3.5), (2.8, 4.2)]:
        assert off(shop.show([Body(at, trunk=colour)]), [at]) < 0.2


def test_four_people_who_come_and_go_are_told_apart() -> None:
    shop = Shop().empty()
    rng = np.random.default_rng(3)
    errors = []
    for _ in range(12):
        spots = spread(rng, 4, apart_m=0.7)
        bodies = [Body(at, trunk=colour(rng), legs=colour(rng)) for at in spots]
        found = shop.show(bodies)
        assert off(found, spots) < 0.45
        errors.append(off(found, spots))
    assert np.median(errors) < 0.2


def test_two_who_stand_shoulder_to_shoulder_are_two() -> None:
    shop = Shop().empty()
    pair = [(2.6, 2.4), (3.1, 2.4)]
    assert off(shop.show([Body(pair[0], trunk=BLUE), Body(pair[1], trunk=GREEN)]), pair) < 0.2


def test_short_and_tall_people_are_found_in_the_same_place() -> None:
    shop = Shop().empty()
    for tall_m in (1.45, 1.6, 1.95):
        assert off(shop.show([Body((3.0, 2.0), tall_m=tall_m)]), [(3.0, 2.0)]) < 0.25


@pytest.mark.parametrize("followed", [True, False])
def test_what_looks_like_a_shadow_is_somebody_only_where_somebody_is_followed(
    followed: bool,
) -> None:
    shop, at = Shop().empty(), (3.0, 2.0)
    pictures = shop.studio.shoot()
    for name, picture in pictures.items():
        body = shop.floor.grid.body_mask(name, at, grow_px=0).astype(np.float32)
        darker = 1 - 0.35 * cv2.resize(body, (picture.shape[1], picture.shape[0]))
        pictures[name] = (picture * darker[:, :, None]).astype(np.uint8)
    scan = shop.floor.observe(pictures, shop.step / shop.rate_hz, (at,) if followed else ())
    if followed:
        assert off(places(scan), [at]) < 0.25
    else:
        assert places(scan) == ()


def test_shadows_alone_are_nobody() -> None:
    shop = Shop().empty()
    for k in range(6):
        pictures = shop.studio.shoot()
        for name, picture in pictures.items():
            shade = np.ones(picture.shape[:2], np.float32)
            shade[80 + 10 * k : 300, 200:380] = 0.65
            pictures[name] = (picture * shade[:, :, None]).astype(np.uint8)
        assert places(shop.floor.observe(pictures, shop.step / shop.rate_hz)) == ()
        shop.step += 1


def test_gradual_light_and_a_cameras_exposure_step_make_nobody_appear_or_vanish() -> None:
    shop = Shop().empty()
    who = [Body((3.0, 2.5), trunk=BLUE)]
    for k in range(24):
        light = 1.0 - 0.4 * k / 24
        exposure = {"overhead-2": (1.25, 1.2, 1.15)} if k >= 12 else None
        found = shop.show(who, follow=True, light=light, exposure=exposure)
        assert off(found, [(3.0, 2.5)]) < 0.25, k
    assert shop.show([], light=0.6, exposure={"overhead-2": (1.25, 1.2, 1.15)}) == ()


def test_somebody_who_stands_still_for_a_minute_is_not_learned() -> None:
    shop = Shop(rate_hz=1.0).empty()
    who = [Body((2.8, 4.2), trunk=GREY)]
    for _ in range(60):
        found = shop.show(who, follow=True)
    assert off(found, [(2.8, 4.2)]) < 0.25
    assert shop.show([]) == ()


def test_a_basket_left_on_the_floor_becomes_background() -> None:
    shop = Shop(rate_hz=1.0).empty()
    basket = Body((4.0, 2.0), tall_m=0.5, shadow=False)
    for _ in range(30):
        assert shop.show([basket]) == ()
    assert off(shop.show([basket, Body((4.0, 2.3), trunk=BLUE)]), [(4.0, 2.3)]) < 0.25


def test_a_shop_that_starts_with_somebody_inside_leaves_no_ghost_when_they_walk_on() -> None:
    shop = Shop()
    for _ in range(10):
        shop.show([Body((3.0, 2.0), trunk=BLUE)])
    for k in range(30):
        at = (3.0 + 0.06 * k, 2.0 + 0.05 * k)
        found = shop.show([Body(at, trunk=BLUE)], follow=True)
    assert off(found, [at]) < 0.25
    assert shop.show([]) == ()


def test_one_camera_is_enough_and_says_where_it_knows_little() -> None:
    shop = Shop().empty()
    pictures = shop.studio.shoot([Body((3.0, 2.5), trunk=BLUE)])
    alone = shop.floor.observe({"overhead-1": pictures["overhead-1"]}, 2.0).views[0]
    both = shop.floor.observe(pictures, 2.1).views[0]
    assert off([alone[0].position_m], [(3.0, 2.5)]) < 0.3
    assert alone[0].cameras == ("overhead-1",)
    assert both[0].cameras == ("overhead-1", "overhead-2")
    assert trace(alone[0].covariance_m2) > 1.5 * trace(both[0].covariance_m2)
    spread_m2, axes = np.linalg.eigh(np.array(alone[0].covariance_m2))
    sight = np.array([3.0, 2.5]) - CALIBRATION.cameras["overhead-1"].position_m[:2]
    assert abs(axes[:, 1] @ sight) / np.hypot(*sight) > 0.9
    assert spread_m2[1] > 1.5 * spread_m2[0]


def test_looks_tell_people_apart_within_a_camera() -> None:
    shop = Shop().empty()
    blue, green = Body((2.0, 2.0), trunk=BLUE), Body((4.0, 3.0), trunk=GREEN)
    before = shop.scan([blue, green]).views[0]
    after = shop.scan([Body((3.5, 3.2), trunk=BLUE), Body((1.5, 2.5), trunk=GREEN)]).views[0]
    by_x = sorted(before, key=lambda each: each.position_m[0])
    by_x_after = sorted(after, key=lambda each: each.position_m[0])
    same = look_distance(by_x[0].looks, by_x_after[1].looks)
    other = look_distance(by_x[0].looks, by_x_after[0].looks)
    assert same is not None
    assert other is not None
    assert same < 0.25 < other


def test_the_same_pictures_give_the_same_observations() -> None:
    one, other = Shop(seed=4), Shop(seed=4)
    for _ in range(4):
        assert one.show([Body((2, 2))]) == other.show([Body((2, 2))])


def test_behind_the_detector_seam_one_camera_gives_boxes_and_feet() -> None:
    studio = Studio()
    camera = CALIBRATION.cameras["overhead-1"]
    detector = ForegroundDetector(camera, CALIBRATION.floor, [SHELF])
    for _ in range(6):
        assert detector.detect(studio.shoot()["overhead-1"]) == ()
    [seen] = detector.detect(studio.shoot([Body((3.0, 2.5), trunk=BLUE)])["overhead-1"])
    assert seen.foot_px is not None
    [foot] = camera.project(np.array([[3.0, 2.5, 0.0]]))
    assert np.hypot(*(np.array(seen.foot_px) - foot)) < 18
    [head] = camera.project(np.array([[3.0, 2.5, 1.6]]))
    left, top, right, bottom = seen.box_px
    assert left < head[0] < right
    assert top < head[1] < bottom


def test_cameras_that_do_not_fit_are_refused_with_the_reason() -> None:
    shop = Shop()
    picture = shop.studio.shoot()["overhead-1"]
    with pytest.raises(TrackingError, match="camera shelf-1 is not calibrated as an overhead"):
        shop.floor.observe({"shelf-1": picture}, 0.0)
    with pytest.raises(TrackingError, match="calibrated at 640x360 and now gives 480x360"):
        shop.floor.observe({"overhead-1": np.ascontiguousarray(picture[:, :480])}, 0.0)
    with pytest.raises(TrackingError, match="no overhead camera is calibrated"):
        ForegroundFloor(CALIBRATION.floor, {})


def spread(rng: np.random.Generator, count: int, apart_m: float) -> list[Point2]:
    spots: list[Point2] = []
    while len(spots) < count:
        x, y = rng.uniform((0.4, 0.4), (5.6, 4.2))
        if all(np.hypot(x - a, y - b) > apart_m for a, b in spots):
            spots.append((float(x), float(y)))
    return spots


def colour(rng: np.random.Generator) -> tuple[int, int, int]:
    blue, green, red = rng.integers(0, 255, 3).tolist()
    return blue, green, red


def trace(covariance: Sequence[Sequence[float]]) -> float:
    matrix: NDArray[np.float64] = np.array(covariance)
    return float(np.trace(matrix))
