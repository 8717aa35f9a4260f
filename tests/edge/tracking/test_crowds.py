from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from calibration.format import Point2
from edge.tracking.foreground import ForegroundFloor
from edge.tracking.tracks import Tracks
from tests.edge.tracking.pictures import CALIBRATION, Body, Studio
from tests.edge.tracking.scripted import RATE_HZ

RED, BLUE, GREEN = (40, 40, 170), (170, 60, 30), (60, 150, 40)


class Door:
    """A drawn shop, watched and followed: places as seen, and the tracks made of them."""

    def __init__(self) -> None:
        self.studio = Studio()
        self.floor = ForegroundFloor.from_calibration(CALIBRATION)
        self.tracks = Tracks(CALIBRATION.floor)
        self.step = 0
        for _ in range(8):
            assert self.show([]) == []

    def show(self, bodies: Sequence[Body], arm_to: Point2 | None = None) -> list[Point2]:
        pictures = self.studio.shoot(bodies)
        for name, picture in pictures.items():
            if arm_to is not None:
                ends = np.array([(*bodies[0].at_m, 1.3), (*arm_to, 1.1)])
                shoulder, palm = np.rint(CALIBRATION.cameras[name].project(ends)).astype(int)
                cv2.line(picture, shoulder.tolist(), palm.tolist(), RED, 7)
        at_s = self.step / RATE_HZ
        self.step += 1
        scan = self.floor.observe(pictures, at_s, self.tracks.predicted_m(at_s))
        self.now = self.tracks.update(scan)
        return [each.position_m for each in scan.views[0]]

    def name_at(self, place: Point2) -> str:
        nearest = min(self.now, key=lambda track: math.dist(track.position_m, place))
        assert math.dist(nearest.position_m, place) < 0.4
        return nearest.track_id


def off(found: Sequence[Point2], true: Sequence[Point2]) -> float:
    """The largest error, infinite when the numbers differ."""
    if len(found) != len(true):
        return math.inf
    return max(min(math.dist(place, each) for place in found) for each in true)


# At 45 degrees one would stand behind the other for both cameras.
@pytest.mark.parametrize("angle", [0.0, 135.0])
def test_two_who_stand_a_foot_apart_at_the_entry_are_both_followed_in_their_places(
    angle: float,
) -> None:
    door = Door()
    middle, turn = np.array([0.8, 0.7]), math.radians(angle)
    for apart_m in [0.8] * 4 + [0.6] * 4 + [0.45] * 3 + [0.34] * 6:
        step = apart_m / 2 * np.array([math.cos(turn), math.sin(turn)])
        one, other = (tuple((middle + side * step).tolist()) for side in (-1, 1))
        found = door.show([Body(one, RED), Body(other, BLUE)])
    assert off(found, [one, other]) < 0.2


def test_three_who_crowd_into_the_entry_keep_their_identities_when_they_leave_it() -> None:
    door = Door()
    for k in range(5):
        door.show([Body((0.45, 0.15 + 0.1 * k), RED)])
    for k in range(5):
        door.show([Body((0.45, 0.6), RED), Body((0.8, 0.15 + 0.1 * k), BLUE)])
    for k in range(8):
        third = Body((1.1, 0.1 + 0.05 * k), GREEN)
        door.show([Body((0.45, 0.6), RED), Body((0.8, 0.6), BLUE), third])
    names = [door.name_at(place) for place in ((0.45, 0.6), (0.8, 0.6), (1.1, 0.45))]
    for k in range(12):
        found = door.show(
            [
                Body((0.45, 0.6 + 0.12 * k), RED),
                Body((0.8, 0.6), BLUE),
                Body((1.1 + 0.12 * k, 0.45), GREEN),
            ]
        )
        assert len(found) == 3
    assert names == ["t-1", "t-2", "t-3"]
    ends = ((0.45, 0.6 + 0.12 * 11), (0.8, 0.6), (1.1 + 0.12 * 11, 0.45))
    assert [door.name_at(place) for place in ends] == names


def test_somebody_who_comes_in_close_behind_another_is_seen_while_still_behind() -> None:
    door = Door()
    for _ in range(5):
        assert len(door.show([Body((0.7, 0.8), RED)])) == 1
    counts = [
        len(door.show([Body((0.7, 0.8), RED), Body((0.6, 0.15 + 0.05 * k), RED)])) for k in range(7)
    ]
    assert counts[-3:] == [2, 2, 2]


@pytest.mark.parametrize("hand", [(1.4, 0.9), (0.7, 1.5)])
def test_one_who_holds_out_an_arm_at_the_entry_is_one(hand: Point2) -> None:
    door = Door()
    for k in range(8):
        arm_to = hand if k > 3 else None
        assert off(door.show([Body((0.7, 0.8), RED)], arm_to), [(0.7, 0.8)]) < 0.2


def test_one_of_two_who_is_gone_is_not_kept_in_the_other() -> None:
    door = Door()
    pair = [Body((0.6, 0.7), RED), Body((1.0, 0.7), BLUE)]
    for _ in range(6):
        door.show(pair)
    assert len(door.now) == 2
    assert off(door.show(pair[:1]), [pair[0].at_m]) < 0.2
