from __future__ import annotations

import numpy as np
import pytest

from calibration.format import parse_calibration
from tests.simulators.shop.errors import LayoutError
from tests.simulators.shop.layout import Goods, Shop, lay_out

SIZE_PX = (1280, 720)


def _shop(seed: int = 1, products: int = 16, shelf_cameras: int = 3, overhead: int = 2) -> Shop:
    goods = [Goods(f"sku-{number:02d}", (0.09, 0.08, 0.2)) for number in range(products)]
    return lay_out(
        goods,
        shelf_cameras=shelf_cameras,
        overhead_cameras=overhead,
        size_px=SIZE_PX,
        rng=np.random.default_rng(seed),
    )


@pytest.mark.parametrize("shelf_cameras", [1, 2, 3, 4, 5])
def test_what_is_laid_out_reads_back_as_a_calibration_with_a_valid_planogram(
    shelf_cameras: int,
) -> None:
    shop = _shop(shelf_cameras=shelf_cameras)
    again = parse_calibration(shop.calibration.model_dump_json())
    assert again == shop.calibration
    shop.planogram.check(again, {f"sku-{number:02d}" for number in range(16)})
    assert len(shop.planogram.facings) == 16


def test_a_facing_says_how_its_goods_stand_and_how_large_one_is() -> None:
    shop = _shop()
    for name, facing in shop.planogram.facings.items():
        assert facing.piece_m == (0.09, 0.08, 0.2)
        assert facing.columns == len({place.column for place in shop.places[name]})


@pytest.mark.parametrize("seed", range(6))
def test_every_facing_lies_in_its_shelf_cameras_picture(seed: int) -> None:
    shop = _shop(seed)
    for facing in shop.planogram.facings.values():
        fixture = shop.calibration.fixtures[facing.fixture]
        (camera,) = fixture.cameras
        pixels = facing.seen_by(shop.calibration.cameras[camera], fixture)[:4]
        assert (pixels >= 0).all()
        assert (pixels < SIZE_PX).all()


@pytest.mark.parametrize("seed", range(6))
def test_a_shelf_camera_hangs_in_the_aisle_in_front_of_its_fixture(seed: int) -> None:
    shop = _shop(seed)
    for fixture in shop.calibration.fixtures.values():
        camera = shop.calibration.cameras[fixture.cameras[0]]
        away = camera.position_m - np.array(fixture.origin_m)
        assert 1.0 < -away @ fixture.inward < 2.0
        assert 2.0 < camera.position_m[2] < 2.6


@pytest.mark.parametrize("seed", range(6))
def test_every_place_on_the_floor_is_seen_up_to_the_shoulders_by_an_overhead_camera(
    seed: int,
) -> None:
    shop = _shop(seed)
    width, depth = shop.floor_m
    xs, ys = np.meshgrid(np.linspace(0.5, width - 0.9, 8), np.linspace(0.3, depth - 0.9, 8))
    seen = np.zeros(xs.size, bool)
    for camera in shop.calibration.cameras.values():
        if camera.role != "overhead":
            continue
        inside = np.ones(xs.size, bool)
        for height in (0.9, 1.4):
            points = np.stack([xs.ravel(), ys.ravel(), np.full(xs.size, height)], axis=1)
            pixels = camera.project(points)
            inside &= ((pixels >= 0) & (pixels < SIZE_PX)).all(axis=1)
        seen |= inside
    assert seen.mean() > 0.97


def test_pieces_of_a_facing_stand_inside_of_it_one_behind_the_other() -> None:
    shop = _shop()
    for name, facing in shop.planogram.facings.items():
        places = shop.places[name]
        assert len(places) == facing.capacity
        for place in places:
            assert facing.u_m < place.u_m < facing.u_m + facing.width_m
            assert place.v_m == facing.v_m
            assert 0 < place.w_m < facing.depth_m
        column = [place.w_m for place in places if place.column == 0]
        assert column == sorted(column)


def test_people_never_stand_in_the_fixtures() -> None:
    shop = _shop()
    for fixture in shop.calibration.fixtures.values():
        for zone in shop.calibration.floor.zones:
            for u in (0.0, fixture.width_m):
                x, y, _ = fixture.to_shop(np.array([(u, 0.0, 0.0)]))[0]
                assert not zone.contains(float(x), float(y))


def test_too_many_products_are_refused_with_what_to_do() -> None:
    with pytest.raises(LayoutError, match="--shelf-cameras"):
        _shop(products=80, shelf_cameras=1)


def test_too_many_fixtures_are_refused() -> None:
    with pytest.raises(LayoutError, match="at most"):
        _shop(shelf_cameras=30)
