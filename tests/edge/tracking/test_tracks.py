from __future__ import annotations

import numpy as np
import pytest

from edge.errors import TrackingError
from edge.tracking.observations import FloorScan
from edge.tracking.tracks import Tracks
from tests.edge.tracking.scripted import SHOP, Stage, Walker, clothes, observation


def through_the_shop(name: str, start_s: float = 0.0, **more: object) -> Walker:
    return Walker(
        name,
        [
            (start_s, 0.4, 0.4),
            (start_s + 4, 1.5, 3.0),
            (start_s + 8, 4.5, 3.0),
            (start_s + 12, 5.4, 0.6),
        ],
        **more,  # type: ignore[arg-type]
    )


def test_one_shopper_is_one_track_from_entry_to_exit() -> None:
    shopper = through_the_shop("anna")
    stage = Stage([shopper]).run(16)
    assert stage.ids_of(shopper) == ["t-1"]
    [left] = stage.ended()
    assert left.state == "left"
    assert "exit" in left.reason
    assert not left.found_inside
    assert 12 < left.at_s < 14
    assert not left.swaps


def test_positions_are_closer_to_the_truth_than_single_sightings() -> None:
    shopper = Walker("anna", [(0, 0.4, 0.4), (10, 5, 4)])
    stage = Stage([shopper], noise_m=0.15).run(10)
    errors = [
        np.hypot(*np.subtract(tracks[0].position_m, shopper.at(tracks[0].at_s) or (9, 9)))
        for tracks in stage.told[15:]
    ]
    assert np.sqrt(np.mean(np.square(errors))) < 0.12


def test_missed_and_false_detections_make_no_second_shopper() -> None:
    shopper = through_the_shop("anna")
    stage = Stage([shopper], missed=0.3, false_a_scan=0.1, seed=3).run(16)
    assert stage.ids_of(shopper) == ["t-1"]
    assert stage.all_ids() == ["t-1"]


def test_four_seconds_behind_a_shelf_are_bridged() -> None:
    shopper = Walker(
        "anna", [(0, 0.4, 0.4), (4, 2.0, 3.0), (9, 3.2, 3.0), (14, 5.4, 0.6)], unseen=[(4.5, 8.5)]
    )
    stage = Stage([shopper]).run(18)
    assert stage.ids_of(shopper) == ["t-1"]
    assert stage.all_ids() == ["t-1"]
    states = {t.state for tracks in stage.told for t in tracks if 5.2 < t.at_s < 8.4}
    assert states == {"hidden"}


def test_a_track_that_nobody_sees_for_long_is_lost_with_the_reason_and_found_again() -> None:
    shopper = Walker(
        "anna", [(0, 0.4, 0.4), (4, 3.0, 3.0), (25, 3.1, 3.0), (30, 5.4, 0.6)], unseen=[(5, 20)]
    )
    stage = Stage([shopper]).run(33)
    lost, left = stage.ended()
    assert (lost.state, left.state) == ("lost", "left")
    assert "at no door" in lost.reason
    assert stage.ids_of(shopper) == ["t-1"]


def test_two_lost_tracks_that_could_both_be_the_one_found_are_named() -> None:
    gone = [(5.0, 20.0)]
    one = Walker("anna", [(0, 0.4, 0.4), (4, 3.0, 3.0), (40, 3.0, 3.0)], unseen=gone)
    other = Walker("ben", [(1.5, 0.4, 0.4), (4.8, 3.0, 2.0), (40, 3.0, 2.0)], unseen=[(5.0, 99.0)])
    stage = Stage([one, other]).run(25)
    found = stage.last_of("t-3")
    assert found.found_inside
    assert set(found.ambiguous_with) == {"t-1", "t-2"}


def test_somebody_inside_at_the_start_is_followed_and_marked() -> None:
    stage = Stage([Walker("anna", [(0, 3, 3), (9, 3.5, 3)])]).run(6)
    [track] = stage.told[-1]
    assert track.found_inside
    assert track.state == "followed"


def test_a_short_false_sighting_inside_never_becomes_a_track() -> None:
    ghost = Walker("ghost", [(2.0, 3, 3), (2.6, 3, 3)])
    assert Stage([ghost]).run(6).all_ids() == []


def test_crossing_with_room_between_keeps_both_and_marks_nothing() -> None:
    one = Walker("anna", [(0, 0.4, 0.4), (3, 1, 2.0), (9, 5, 2.0)])
    other = Walker("ben", [(2, 0.4, 0.4), (5, 4.5, 2.9), (11, 1, 2.9)])
    stage = Stage([one, other]).run(9)
    assert len(stage.all_ids()) == 2
    assert stage.ids_of(one) == ["t-1"]
    assert stage.ids_of(other) == ["t-2"]
    assert all(not t.swaps for tracks in stage.told for t in tracks)


def through_each_other(look_a: int | None, look_b: int | None) -> tuple[Walker, Walker]:
    """Two who come together at (3, 2.5), stand in one spot for a while, and part."""
    return (
        Walker(
            "anna",
            [(0, 0.4, 0.4), (4, 1, 2.5), (8, 2.95, 2.5), (11, 2.95, 2.5), (16, 1.0, 4.0)],
            look=None if look_a is None else clothes(look_a),
        ),
        Walker(
            "ben",
            [(2, 0.4, 0.4), (5, 5, 2.5), (8, 3.05, 2.5), (11, 3.05, 2.5), (16, 5.0, 4.0)],
            look=None if look_b is None else clothes(look_b),
        ),
    )


@pytest.mark.parametrize("seed", range(4))
def test_two_who_stood_in_one_spot_and_look_alike_stay_marked(seed: int) -> None:
    one, other = through_each_other(None, None)
    stage = Stage([one, other], seed=seed, merge_below_m=0.3).run(15.5)
    assert stage.all_ids() == ["t-1", "t-2"]
    assert stage.last_of("t-1").ambiguous_with == ("t-2",)
    assert stage.last_of("t-2").ambiguous_with == ("t-1",)
    [swap] = stage.last_of("t-1").swaps
    assert 7 < swap.at_s < 12.5
    assert swap.probability > 0.1


@pytest.mark.parametrize("seed", range(6))
def test_clothes_tell_two_apart_who_stood_in_one_spot(seed: int) -> None:
    one, other = through_each_other(1, 2)
    stage = Stage([one, other], seed=seed, merge_below_m=0.3).run(15.5)
    assert stage.ids_of(one)[-1] == stage.ids_of(one)[0] == "t-1"
    assert stage.ids_of(other)[-1] == stage.ids_of(other)[0] == "t-2"
    assert not stage.last_of("t-1").swaps


def test_who_comes_out_from_behind_somebody_may_be_that_one() -> None:
    one = Walker("anna", [(0, 0.4, 0.4), (5, 4.0, 2.5), (8, 4.0, 2.5), (10, 3.2, 3.6)])
    hidden = Walker("ben", [(6, 4.05, 2.5), (8, 4.05, 2.5), (10, 4.9, 3.6)])
    stage = Stage([one, hidden], merge_below_m=0.3).run(10)
    assert stage.all_ids() == ["t-1", "t-2"]
    assert stage.last_of("t-1").ambiguous_with == ("t-2",)
    assert stage.last_of("t-2").ambiguous_with == ("t-1",)


def test_same_clothes_do_not_settle_anything() -> None:
    one, other = through_each_other(1, 1)
    stage = Stage([one, other], merge_below_m=0.3).run(15.5)
    assert stage.last_of("t-1").ambiguous_with == ("t-2",)


def test_a_track_goes_over_from_one_camera_to_the_next() -> None:
    shopper = through_the_shop("anna", look=clothes(4))
    stage = Stage(
        [shopper],
        covers={"overhead-1": lambda p: p[0] < 3.0, "overhead-2": lambda p: p[0] > 3.4},
    ).run(16)
    assert stage.ids_of(shopper) == ["t-1"]
    assert stage.all_ids() == ["t-1"]
    cameras = [t.cameras for tracks in stage.told for t in tracks]
    assert cameras[0] == ("overhead-1",)
    assert cameras[-1] == ("overhead-2",)


def test_two_cameras_that_see_the_same_shopper_make_one_track() -> None:
    shopper = through_the_shop("anna")
    both = {"overhead-1": lambda _: True, "overhead-2": lambda _: True}
    stage = Stage([shopper], covers=both).run(16)
    assert stage.all_ids() == ["t-1"]
    assert any(t.cameras == ("overhead-1", "overhead-2") for tracks in stage.told for t in tracks)


def random_walkers(count: int, seed: int, until_s: float) -> list[Walker]:
    """Shoppers who enter one after the other, wander from place to place, and leave."""
    rng = np.random.default_rng(seed)
    walkers = []
    for k in range(count):
        at_s, place = 2.5 * k, np.array([0.5, 0.5])
        points = [(at_s, *place)]
        while at_s < until_s - 12:
            target = rng.uniform((0.4, 1.6), (5.6, 4.6))
            at_s += float(np.hypot(*(target - place))) / rng.uniform(0.6, 1.3)
            points.append((at_s, *target))
            at_s += rng.uniform(1.0, 5.0)
            points.append((at_s, *target))
            place = target
        at_s += float(np.hypot(*(np.array([5.4, 0.5]) - place))) / 1.0
        points.append((at_s, 5.4, 0.5))
        walkers.append(Walker(f"shopper-{k}", points, look=clothes(100 * seed + k)))
    return walkers


@pytest.mark.parametrize("seed", range(4))
def test_six_wanderers_keep_their_ids_or_the_track_says_that_it_may_be_another(seed: int) -> None:
    walkers = random_walkers(6, seed, 45)
    stage = Stage(walkers, seed=seed, missed=0.1, false_a_scan=0.05, merge_below_m=0.25).run(45)
    seen = stage.seen_alone(clear_m=0.7)
    owner = {walker.name: seen[walker.name][0].track_id for walker in walkers}
    assert len(set(owner.values())) == 6
    wrong = [t for w in walkers for t in seen[w.name] if t.track_id != owner[w.name]]
    assert not [t for t in wrong if not t.swaps]
    assert len(wrong) < 0.02 * sum(map(len, seen.values()))


def test_a_run_is_repeatable_to_the_last_digit() -> None:
    walkers = random_walkers(4, 9, 30)
    one = Stage(walkers, seed=1, missed=0.1).run(30)
    other = Stage(walkers, seed=1, missed=0.1).run(30)
    assert one.told == other.told


def test_a_scan_out_of_order_is_refused() -> None:
    tracks = Tracks(SHOP)
    tracks.update(FloorScan(2.0, ((observation(1, 1),),)))
    with pytest.raises(TrackingError, match="in the order"):
        tracks.update(FloorScan(1.9, ((),)))


def test_who_walks_out_through_a_door_has_left_though_a_camera_still_sees_them() -> None:
    shopper = Walker(
        "anna", [(0, 0.4, 0.4), (4, 3.0, 3.0), (8, 5.4, 0.6), (9, 5.4, -0.3), (13, 5.4, -0.4)]
    )
    stage = Stage([shopper]).run(13)
    [left] = stage.ended()
    assert left.state == "left"
    assert "went out at exit" in left.reason
    assert 8.6 < left.at_s < 9.8
    assert stage.all_ids() == ["t-1"]


def test_who_stands_on_the_threshold_has_not_left() -> None:
    shopper = Walker(
        "anna", [(0, 0.4, 0.4), (4, 3.0, 3.0), (8, 5.4, 0.1), (14, 5.4, 0.1), (18, 3.0, 3.0)]
    )
    stage = Stage([shopper]).run(18)
    assert stage.ended() == []
    assert stage.ids_of(shopper) == ["t-1"]


def test_who_comes_back_in_is_somebody_new() -> None:
    shopper = Walker(
        "anna",
        [(0, 0.4, 0.4), (4, 3.0, 3.0), (8, 5.4, 0.6), (9, 5.4, -0.4), (11, 5.4, -0.4), (16, 3, 3)],
    )
    stage = Stage([shopper]).run(16)
    assert [track.track_id for track in stage.ended()] == ["t-1"]
    assert stage.ids_of(shopper) == ["t-1", "t-2"]
    assert not stage.last_of("t-2").swaps


def test_who_appears_deep_in_a_door_zone_beside_somebody_may_be_them() -> None:
    standing = Walker("anna", [(0, 1.1, 0.3), (2, 1.15, 0.75), (12, 1.15, 0.75)])
    emerging = Walker("ben", [(5, 0.75, 0.75), (12, 0.7, 0.75)])
    stage = Stage([standing, emerging]).run(8)
    assert {swap.track_id for swap in stage.last_of("t-2").swaps} == {"t-1"}
