"""From printed paper to a placed camera: simulated shop cameras whose truth is known exactly.

Boards and markers are photographed by the shop simulator's cameras; the lens, the shelf plane and
the floor are then found from the pictures alone and compared with the truth.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.board import fit_board
from calibration.consistency import agreement
from calibration.coverage import coverage_of
from calibration.floor import Marks, place_by_marks, seen_floor
from calibration.format import Calibration, Camera, Fixture
from calibration.grid import on_front
from calibration.intrinsics.solve import Choice, choose_lens
from calibration.intrinsics.trust import Verdict, judge
from calibration.lens import Lens, in_picture, lens_of
from calibration.markers import corner_markers, find_markers
from calibration.plane import PlacedShelf, front_corners, place_by_clicks, place_by_markers
from calibration.planogram import Planogram
from calibration.targets import Charuco, Chessboard, View
from calibration.walked import place_by_board
from tests.simulators.calibration import (
    Flat,
    Photographer,
    chessboard_texture,
    held_board,
    marker_texture,
    poses_in_front,
)
from tests.simulators.shop.layout import Goods, lay_out

BOARD = fit_board("A3")
FLOOR_SQUARE_M = 0.1
VIEWS = 12


@pytest.fixture(scope="module")
def shop() -> tuple[Calibration, Planogram]:
    goods = [Goods(f"sku-{each}", (0.10, 0.08, 0.2)) for each in range(24)]
    made = lay_out(
        goods,
        shelf_cameras=2,
        overhead_cameras=2,
        size_px=(1280, 720),
        rng=np.random.default_rng(5),
    )
    return made.calibration, made.planogram


def photographed(truth: Camera, seed: int) -> tuple[Choice, Verdict]:
    """A lens from pictures of a board held before it."""
    lens = lens_of(truth)
    photographer, target = Photographer(lens, seed), Charuco(BOARD)
    board = held_board(BOARD)
    views = []
    for place, (rotation, shift) in enumerate(poses_in_front(lens, BOARD, VIEWS, seed)):
        found = target.find(photographer.picture([board], rotation, shift), f"{place}.png")
        if isinstance(found, View):
            views.append(found)
    choice = choose_lens(views)
    return choice, judge(choice, coverage_of(choice.views), target.lines())


@pytest.fixture(scope="module")
def shelf_lens(shop: tuple[Calibration, Planogram]) -> tuple[Choice, Verdict]:
    return photographed(shop[0].cameras["shelf-1"], 1)


@pytest.fixture(scope="module")
def overhead_lens(shop: tuple[Calibration, Planogram]) -> tuple[Choice, Verdict]:
    return photographed(shop[0].cameras["overhead-1"], 2)


def test_a_shelf_cameras_focal_length_is_found_and_its_sigma_is_small(
    shop: tuple[Calibration, Planogram], shelf_lens: tuple[Choice, Verdict]
) -> None:
    choice, verdict = shelf_lens
    truth = shop[0].cameras["shelf-1"].matrix[0][0]
    assert verdict.focal_sigma <= 0.003
    assert choice.fit.lens.matrix[0][0] == pytest.approx(truth, rel=0.003)
    assert verdict.light in ("green", "amber")


def test_a_wide_overhead_cameras_focal_length_is_found_and_its_sigma_is_small(
    shop: tuple[Calibration, Planogram], overhead_lens: tuple[Choice, Verdict]
) -> None:
    choice, verdict = overhead_lens
    truth = shop[0].cameras["overhead-1"].matrix[0][0]
    assert verdict.focal_sigma <= 0.003
    assert choice.fit.lens.matrix[0][0] == pytest.approx(truth, rel=0.003)


def front_with_markers(
    fixture: Fixture, ids: tuple[int, int, int, int], side_m: float
) -> list[Flat]:
    """A grey front with markers in its corners, in shop metres."""
    right, down = np.array(fixture.right), -np.array(fixture.up)
    px_per_m = 6 * 24 / side_m
    front = Flat(
        np.full((8, 8), 150, np.uint8),
        8 / max(fixture.width_m, fixture.height_m),
        fixture.to_shop(np.array([[0, fixture.height_m, 0]]))[0],
        right,
        down,
    )
    cell = side_m / 6
    things = [front]
    for marker in corner_markers(ids, fixture.width_m, fixture.height_m, side_m):
        corner = fixture.to_shop(
            np.array([[marker.u_m - cell, marker.v_m + marker.side_m + cell, 0.0]])
        )[0]
        things.append(Flat(marker_texture(marker.id), px_per_m, corner, right, down))
    return things


def front_off_m(placed: PlacedShelf, truth: Camera, fixture: Fixture) -> NDArray[np.float64]:
    """How far points all over a front are believed from where they are."""
    u, v = np.meshgrid(np.linspace(0, fixture.width_m, 25), np.linspace(0, fixture.height_m, 21))
    points = np.column_stack([u.ravel(), v.ravel()])
    shop_m = fixture.to_shop(np.column_stack([points, np.zeros(len(points))]))
    seen = in_picture(truth, shop_m)
    there = on_front(placed.camera, fixture, truth.project(shop_m[seen]))
    return np.asarray(np.linalg.norm(there - points[seen], axis=1))


def right_facings(
    placed: PlacedShelf, truth: Camera, fixture: Fixture, plan: Planogram, name: str
) -> float:
    """Share of random points on facings that are found to lie on their own facing."""
    rng = np.random.default_rng(3)
    right = total = 0
    boxes = plan.of_fixture(name).values()
    for facing in boxes:
        # Goods stand within their facing; its outermost 3 % belong to the gap beside them.
        points = np.column_stack(
            [
                facing.u_m + facing.width_m * rng.uniform(0.03, 0.97, 200),
                facing.v_m + facing.height_m * rng.uniform(0.03, 0.97, 200),
            ]
        )
        shop_m = fixture.to_shop(np.column_stack([points, np.zeros(200)]))
        u, v = on_front(placed.camera, fixture, truth.project(shop_m)).T
        inside = (u >= facing.u_m) & (u <= facing.u_m + facing.width_m)
        inside &= (v >= facing.v_m) & (v <= facing.v_m + facing.height_m)
        right, total = right + int(inside.sum()), total + 200
    return right / total


def test_four_corner_markers_give_the_shelf_plane_within_5_mm_and_the_right_facings(
    shop: tuple[Calibration, Planogram], shelf_lens: tuple[Choice, Verdict]
) -> None:
    calibration, plan = shop
    truth, fixture = calibration.cameras["shelf-1"], calibration.fixtures["fixture-1"]
    ids = (0, 1, 2, 3)
    picture = Photographer(lens_of(truth), 4, fine=3).picture(
        front_with_markers(fixture, ids, 0.06),
        np.array(truth.rotation),
        np.array(truth.translation_m),
    )
    stuck = corner_markers(ids, fixture.width_m, fixture.height_m, 0.06)
    placed = place_by_markers(shelf_lens[0].fit.lens, fixture, stuck, find_markers(picture))

    assert placed.points == 16
    assert placed.held_out_p95_m is not None
    assert placed.held_out_p95_m <= 0.005
    assert np.percentile(front_off_m(placed, truth, fixture), 95) <= 0.005
    assert right_facings(placed, truth, fixture, plan, "fixture-1") >= 0.995


def test_four_clicks_give_the_shelf_plane_within_10_mm_and_the_right_facings(
    shop: tuple[Calibration, Planogram], shelf_lens: tuple[Choice, Verdict]
) -> None:
    calibration, plan = shop
    truth, fixture = calibration.cameras["shelf-1"], calibration.fixtures["fixture-1"]
    rng = np.random.default_rng(7)
    corners = front_corners(fixture)
    pixels = truth.project(fixture.to_shop(np.column_stack([corners, np.zeros(4)])))
    off, right = [], []
    for _ in range(40):
        clicked = pixels + rng.normal(0, 1.0, pixels.shape)
        placed = place_by_clicks(shelf_lens[0].fit.lens, fixture, corners, clicked)
        off.append(front_off_m(placed, truth, fixture))
        right.append(right_facings(placed, truth, fixture, plan, "fixture-1"))
    assert np.percentile(np.concatenate(off), 95) <= 0.010
    assert np.mean(right) >= 0.995


def noisy_marks(truth: Camera, floor_m: NDArray[np.float64], rng: np.random.Generator) -> Marks:
    """Floor marks clicked to 2 px and measured to 1 cm."""
    points = np.column_stack([floor_m, np.zeros(len(floor_m))])
    pixels = truth.project(points) + rng.normal(0, 2.0, (len(points), 2))
    return Marks(pixels, floor_m + rng.normal(0, 0.01, floor_m.shape))


def spread_over(region: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Points far apart from each other among those of a region ``(M, 2)``."""
    chosen = [region[np.argmin(region.sum(axis=1))]]
    while len(chosen) < count:
        apart = np.min([np.linalg.norm(region - each, axis=1) for each in chosen], axis=0)
        chosen.append(region[int(apart.argmax())])
    return np.array(chosen)


def test_six_spread_marks_place_two_overhead_cameras_within_5_cm_that_agree_within_10_cm(
    shop: tuple[Calibration, Planogram], overhead_lens: tuple[Choice, Verdict]
) -> None:
    calibration, _ = shop
    rng = np.random.default_rng(11)
    names = ("overhead-1", "overhead-2")
    # The second camera's own lens differs a little in distortion: its truth is taken for it.
    lenses: dict[str, Lens] = {
        "overhead-1": overhead_lens[0].fit.lens,
        "overhead-2": lens_of(calibration.cameras["overhead-2"]),
    }
    off, apart = [], []
    for _ in range(10):
        placed: dict[str, Camera] = {}
        for name in names:
            truth = calibration.cameras[name]
            region = seen_floor(truth, calibration.floor)
            marks = noisy_marks(truth, spread_over(region[:, :2], 6), rng)
            placed[name] = place_by_marks(lenses[name], calibration.floor, marks, name).camera
            there = placed[name].on_plane(truth.project(region), 0.0)
            off.append(np.linalg.norm(there - region[:, :2], axis=1))
        regions = {
            name: {
                tuple(p) for p in seen_floor(calibration.cameras[name], calibration.floor).tolist()
            }
            for name in names
        }
        both = sorted(regions[names[0]] & regions[names[1]])
        seen = {
            name: {
                str(point): (float(x), float(y))
                for point, (x, y) in zip(
                    both, calibration.cameras[name].project(np.array(both)), strict=True
                )
            }
            for name in names
        }
        found = agreement(calibration.model_copy(update={"cameras": placed}), seen)
        apart.append(found[0].p95_m)
    assert np.percentile(np.concatenate(off), 95) <= 0.05
    assert max(apart) <= 0.10


def test_a_board_walked_around_the_floor_and_two_marks_place_two_cameras(
    shop: tuple[Calibration, Planogram],
) -> None:
    calibration, _ = shop
    names = ("overhead-1", "overhead-2")
    truths = {name: calibration.cameras[name] for name in names}
    lenses = {name: lens_of(each) for name, each in truths.items()}
    photographers = {name: Photographer(each, 3) for name, each in lenses.items()}
    texture, px_per_m = chessboard_texture(6, 5, 40), 40 / FLOOR_SQUARE_M
    target = Chessboard(6, 5, FLOOR_SQUARE_M)
    placements: list[dict[str, View]] = []
    for x, y, heading in ((1.6, 1.6, 0.3), (2.6, 1.9, 1.2), (3.4, 2.4, -0.8), (2.4, 2.6, 2.2)):
        right = np.array([np.cos(heading), np.sin(heading), 0.0])
        down = np.array([np.sin(heading), -np.cos(heading), 0.0])
        thing = Flat(texture, px_per_m, np.array([x, y, 0.0]), right, down)
        views = {}
        for name, truth in truths.items():
            grey = photographers[name].picture(
                [thing], np.array(truth.rotation), np.array(truth.translation_m)
            )
            found = target.find(grey, name)
            if isinstance(found, View):
                views[name] = found
        placements.append(views)
    assert sum(len(each) == 2 for each in placements) >= 2

    rng = np.random.default_rng(2)
    marks = {
        "overhead-1": noisy_marks(truths["overhead-1"], np.array([[1.2, 1.4], [3.2, 2.8]]), rng),
        "overhead-2": noisy_marks(truths["overhead-2"], np.array([[3.8, 1.6]]), rng),
    }
    walked = place_by_board(lenses, placements, marks)
    assert walked.rms_px < 0.5
    for name, truth in truths.items():
        region = seen_floor(truth, calibration.floor)
        there = walked.cameras[name].on_plane(truth.project(region), 0.0)
        assert np.percentile(np.linalg.norm(there - region[:, :2], axis=1), 95) <= 0.05


def test_a_recalibrated_and_a_resized_camera_leave_zones_and_facings_where_they_were(
    shop: tuple[Calibration, Planogram],
) -> None:
    from calibration.lens import resized

    calibration, plan = shop
    before, fixture = calibration.cameras["shelf-1"], calibration.fixtures["fixture-1"]
    half = resized(before, (640, 360))
    turn = cv2.Rodrigues(np.radians([0.5, -1.0, 2.0]))[0]
    moved = lens_of(before).placed(
        "shelf", turn @ np.array(before.rotation), turn @ np.array(before.translation_m)
    )
    for facing in plan.of_fixture("fixture-1").values():
        corners = facing.corners_m(fixture)
        front = np.array(
            [
                (facing.u_m, facing.v_m),
                (facing.u_m + facing.width_m, facing.v_m),
                (facing.u_m + facing.width_m, facing.v_m + facing.height_m),
                (facing.u_m, facing.v_m + facing.height_m),
            ]
        )
        for camera in (before, half, moved):
            # Seen at other pixels, on the shelf where it was.
            pixels = facing.seen_by(camera, fixture)[:4]
            assert on_front(camera, fixture, pixels) == pytest.approx(front, abs=1e-6)
        assert half.project(corners) == pytest.approx((before.project(corners) + 0.5) / 2 - 0.5)
    overhead = calibration.cameras["overhead-1"]
    small = resized(overhead, (640, 360))
    for zone in calibration.floor.zones:
        points = np.array([(x, y, 0.0) for x, y in zone.polygon])
        seen = in_picture(overhead, points)
        assert in_picture(small, points).tolist() == seen.tolist()
        there = small.on_plane(small.project(points[seen]), 0.0)
        assert there == pytest.approx(points[seen][:, :2], abs=1e-6)
