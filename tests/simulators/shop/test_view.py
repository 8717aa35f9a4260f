from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.format import Camera
from tests.simulators.shop.errors import RenderingUnavailableError
from tests.simulators.shop.layout import Goods, Shop, lay_out, looking
from tests.simulators.shop.meshes import Mesh, box
from tests.simulators.shop.studio import Light, Studio, Thing
from tests.simulators.shop.view import View, Window

FLAT = Light(lamp=(0, 0, 0), sky=(1, 1, 1), ground=(1, 1, 1))
DOT_M = 0.012


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    try:
        studio = Studio()
    except RenderingUnavailableError as err:
        pytest.skip(str(err))
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def shop() -> Shop:
    goods = [Goods(f"sku-{number}", (0.1, 0.1, 0.2)) for number in range(9)]
    return lay_out(
        goods,
        shelf_cameras=3,
        overhead_cameras=2,
        size_px=(1280, 720),
        rng=np.random.default_rng(7),
    )


def _at(place_m: NDArray[np.float64]) -> NDArray[np.float64]:
    placed = np.eye(4)
    placed[:3, 3] = place_m
    return placed


def _cube(size_m: float, colour: tuple[float, float, float]) -> Mesh:
    half = size_m / 2
    return box((-half, -half, -half), (half, half, half), colour)


def _seen_at(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Middle of what is green, weighed by how green it is."""
    green = picture[..., 1].astype(np.float64) - picture[..., 0]
    green[green < 30] = 0
    assert green.sum() > 0, "nothing green in sight"
    rows, columns = np.mgrid[0 : picture.shape[0], 0 : picture.shape[1]]
    sums = np.array([(columns * green).sum(), (rows * green).sum()])
    return np.asarray(sums / green.sum())


@pytest.mark.parametrize("name", ["shelf-1", "shelf-2", "overhead-1"])
def test_what_is_drawn_lies_where_the_calibration_says_lens_distortion_included(
    studio: Studio, shop: Shop, name: str
) -> None:
    camera = shop.calibration.cameras[name]
    assert camera.distortion[0] < -0.1
    if camera.role == "shelf":
        points = [
            corner
            for facing in shop.planogram.facings.values()
            for fixture in [shop.calibration.fixtures[facing.fixture]]
            if name in fixture.cameras
            for corner in facing.corners_m(fixture)[:4]
        ]
    else:
        points = [np.array([x, y, z]) for x in (1.2, 2.5, 3.8) for y in (1.4, 2.8) for z in (0, 1)]
    view = View(studio, camera, FLAT)
    worst, checked = 0.0, 0
    for point in points:
        expected = camera.project(point[None])[0]
        if not ((expected > 12) & (expected < np.array([1280, 720]) - 12)).all():
            continue
        view.stand([Thing(_cube(DOT_M, (0, 1, 0)), _at(point))])
        off = _seen_at(view.standing_picture) - expected
        worst = max(worst, float(np.linalg.norm(off)))
        checked += 1
    view.close()
    assert checked >= 6
    assert worst < 0.75


def _small_camera() -> Camera:
    return looking(
        "shelf",
        np.array([0.0, -2.0, 0.4]),
        np.array([0.0, 0.0, 0.0]),
        260.0,
        (320, 240),
        (-0.2, 0.04, 0.0, 0.0, 0.0),
    )


def _room() -> list[Thing]:
    return [
        Thing(box((-2, -1, -0.5), (2, 1, -0.3), (0.5, 0.5, 0.55)), np.eye(4)),
        Thing(_cube(0.3, (0.8, 0.2, 0.2)), _at(np.array([0.3, 0.1, 0.0]))),
    ]


def test_what_moves_passes_behind_what_stands_before_it_and_before_what_stands_behind_it(
    studio: Studio,
) -> None:
    view = View(studio, _small_camera(), FLAT)
    view.stand(_room())
    cube = _cube(0.1, (0, 1, 0))
    found = {}
    for name, y in (("behind", 0.6), ("before", -0.6)):
        thing = Thing(cube, _at(np.array([0.3 if name == "before" else 0.39, y, 0.0])))
        window = view.window_of(thing.corners_m[None])
        picture = view.over([[thing]], window)
        found[name] = int((picture[..., 1].astype(int) - picture[..., 0] > 60).sum())
    view.close()
    assert found["behind"] == 0
    assert found["before"] > 50


def test_outside_of_its_window_nothing_changes_and_inside_only_what_moves(
    studio: Studio,
) -> None:
    view = View(studio, _small_camera(), FLAT)
    view.stand(_room())
    thing = Thing(_cube(0.1, (0, 1, 0)), _at(np.array([-0.3, -0.2, 0.0])))
    window = view.window_of(thing.corners_m[None])
    wide, tall = view.drawn_px
    whole = view.over([[thing]], Window(0, 0, wide, tall))
    shown = view.shown(window)
    part = view.standing_picture.copy()
    part[shown.top : shown.bottom, shown.left : shown.right] = view.over([[thing]], window)
    everywhere = view.standing_picture.copy()
    full = view.shown(Window(0, 0, wide, tall))
    everywhere[full.top : full.bottom, full.left : full.right] = whole
    view.close()
    assert shown.right - shown.left < 320 / 2
    np.testing.assert_array_equal(part, everywhere)


def test_drawing_again_only_where_a_piece_left_equals_drawing_all_again(studio: Studio) -> None:
    piece = Thing(_cube(0.12, (0, 1, 0)), _at(np.array([-0.3, 0.0, -0.2])))
    view = View(studio, _small_camera(), FLAT)
    view.stand([*_room(), piece])
    before = view.standing_picture.copy()
    view.stand(_room(), view.window_of(piece.corners_m[None]))
    after = view.standing_picture.copy()
    view.stand(_room())
    whole = view.standing_picture.copy()
    view.close()
    assert (before != after).any()
    np.testing.assert_array_equal(after, whole)


def test_an_exposure_over_two_moments_is_their_mean(studio: Studio) -> None:
    view = View(studio, _small_camera(), FLAT)
    view.stand(_room())
    cube = _cube(0.1, (0, 1, 0))
    takes = [[Thing(cube, _at(np.array([x, -0.4, 0.0])))] for x in (-0.3, -0.25)]
    wide, tall = view.drawn_px
    window = Window(0, 0, wide, tall)
    apart = [view.over([take], window).astype(np.int16) for take in takes]
    together = view.over(takes, window).astype(np.int16)
    view.close()
    assert np.abs(together - (apart[0] + apart[1]) / 2).max() <= 1.5
    assert (apart[0] != apart[1]).any()


def test_the_same_scene_gives_the_same_pixels(studio: Studio) -> None:
    pictures = []
    for _ in range(2):
        view = View(studio, _small_camera(), Light())
        view.stand(_room())
        pictures.append(view.standing_picture.copy())
        view.close()
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert cv2.meanStdDev(pictures[0])[1].max() > 5
