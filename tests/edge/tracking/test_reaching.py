from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.format import Point2
from calibration.planogram import Facing
from edge.tracking.attribution import Attribution, attribute
from edge.tracking.foreground import ForegroundFloor
from edge.tracking.history import TrackHistory
from edge.tracking.reaching import arm_evidence, stoop_evidence, tops_m
from edge.tracking.silhouettes import Silhouettes
from tests.edge.tracking.pictures import CALIBRATION, SHELF, Body, Studio
from tests.edge.tracking.test_attribution import ANNA, BEN, event
from tests.edge.tracking.test_sessions import track

# Two at the shelf, whose front is at y = 4.6; the piece is as far from one as from the other.
LEFT, RIGHT = (2.45, 3.95), (3.55, 3.95)
HAND = (3.0, 4.56, 1.1)
PIECE = Facing(
    fixture="shelf-a",
    u_m=0.7,
    v_m=1.0,
    width_m=0.2,
    height_m=0.3,
    depth_m=0.3,
    sku="sku-1",
    capacity=3,
    stock=3,
)


class Cameras:
    """Silhouettes of drawn people, found as the shop finds them: against the empty shop."""

    def __init__(self) -> None:
        self._studio = Studio(noise=1.0)
        self._floor = ForegroundFloor.from_calibration(CALIBRATION)
        self._at_s = 0.0
        for _ in range(6):
            self.see([])

    def see(
        self, bodies: Sequence[Body], arm: tuple[Point2, tuple[float, float, float]] | None = None
    ) -> Silhouettes:
        pictures = self._studio.shoot(bodies)
        if arm is not None:
            for name, picture in pictures.items():
                _draw_arm(picture, name, *arm)
        self._at_s += 0.13
        followed = tuple(body.at_m for body in bodies)
        silhouettes = self._floor.observe(pictures, self._at_s, followed).silhouettes
        assert silhouettes is not None
        return silhouettes


def _draw_arm(
    picture: NDArray[np.uint8], camera: str, body: Point2, hand: tuple[float, float, float]
) -> None:
    ends = np.array([(body[0], body[1], 1.35), hand])
    [shoulder, palm] = CALIBRATION.cameras[camera].project(ends)
    thick = max(2, round(0.09 * 330 / 4.5))
    cv2.line(picture, _pixel(shoulder), _pixel(palm), (60, 90, 210), thick)


def _pixel(place: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(place[0])), round(float(place[1]))


@pytest.fixture(scope="module")
def cameras() -> Cameras:
    return Cameras()


def test_the_one_whose_arm_is_at_the_piece_is_told_from_the_one_beside(cameras: Cameras) -> None:
    places = {"t-1": LEFT, "t-2": RIGHT}
    bodies = [Body(LEFT), Body(RIGHT)]
    told = arm_evidence(cameras.see(bodies, (LEFT, HAND)), places, list(places), np.array([HAND]))
    assert told["t-1"] > told["t-2"] + 1
    told = arm_evidence(cameras.see(bodies, (RIGHT, HAND)), places, list(places), np.array([HAND]))
    assert told["t-2"] > told["t-1"] + 1


def test_where_floor_is_seen_between_a_body_and_a_piece_nobody_reached(cameras: Cameras) -> None:
    silhouettes = cameras.see([Body((2.0, 2.5))])
    told = arm_evidence(silhouettes, {"t-1": (2.0, 2.5)}, ["t-1"], np.array([HAND]))
    assert told["t-1"] < -3


def test_what_no_camera_sees_says_nothing() -> None:
    nothing = Silhouettes({}, {})
    assert arm_evidence(nothing, {"t-1": LEFT}, ["t-1"], np.array([HAND])) == {"t-1": 0.0}
    assert tops_m(nothing, {"t-1": LEFT}, ["t-1"]) == {}


def test_how_tall_somebody_is_and_that_they_stoop_is_seen(cameras: Cameras) -> None:
    place = (3.0, 2.5)
    upright = tops_m(cameras.see([Body(place, tall_m=1.8)]), {"t-1": place}, ["t-1"])["t-1"]
    stooping = tops_m(cameras.see([Body(place, tall_m=1.2)]), {"t-1": place}, ["t-1"])["t-1"]
    assert upright == pytest.approx(1.8, abs=0.15)
    assert stooping < upright - 0.35


@pytest.mark.parametrize(
    ("top_m", "hand_m", "speaks_for"),
    [(1.3, 0.5, True), (1.75, 0.5, False), (1.3, 1.3, False)],
)
def test_a_low_board_is_reached_stooping_and_a_high_one_is_not(
    top_m: float, hand_m: float, speaks_for: bool
) -> None:
    told = stoop_evidence(top_m, 1.75, hand_m)
    assert (told > 1) is speaks_for
    assert (told < -1) is not speaks_for
    assert stoop_evidence(None, 1.75, hand_m) == 0 == stoop_evidence(top_m, None, hand_m)


def attributed(cameras: Cameras, arms: Mapping[float, Point2]) -> Attribution:
    """Two beside each other; at some times one of them has an arm at the piece."""
    history = TrackHistory()
    for k in range(70, 96):
        at_s = k / 7.5
        arm = next(((who, HAND) for since, who in arms.items() if 0 <= at_s - since < 0.7), None)
        history.add(
            at_s,
            [track("t-1", at_s, LEFT), track("t-2", at_s, RIGHT)],
            cameras.see([Body(LEFT), Body(RIGHT)], arm),
        )
    taken = replace(event((3.0, 3.95)), contact_at_s=10.6)
    return attribute(taken, SHELF, history, [ANNA, BEN], facing=PIECE)


def share_of_left(found: Attribution) -> float:
    return next(claim.share for claim in found.claims if claim.session_id == "c-1")


def test_two_at_one_shelf_are_told_apart_by_the_arm_that_was_seen(cameras: Cameras) -> None:
    nobodys, left, right = (
        share_of_left(attributed(cameras, arms)) for arms in ({}, {10.3: LEFT}, {10.3: RIGHT})
    )
    assert right < 0.35 < 0.85 < nobodys < left


def test_an_arm_that_was_seen_at_another_time_decides_nothing(cameras: Cameras) -> None:
    nobodys = share_of_left(attributed(cameras, {}))
    assert share_of_left(attributed(cameras, {11.6: RIGHT})) == pytest.approx(nobodys, abs=0.01)
