from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import pytest

from edge.errors import TrackingError
from edge.events import Frame
from edge.tracking.foreground import ForegroundFloor
from edge.tracking.watch import FloorMoment, FloorWatch
from tests.edge.tracking.picture import REFERENCE, VIDEO, by_foreground, by_network, follow
from tests.edge.tracking.pictures import CALIBRATION, Body, Studio
from tests.edge.tracking.scripted import SHOP, Walker

CAMERAS = ("overhead-1", "overhead-2")
FPS = 10.0


def watch() -> FloorWatch:
    floor = ForegroundFloor.from_calibration(CALIBRATION)
    return FloorWatch(floor, SHOP, CAMERAS, rate_hz=5.0)


def recording(seconds: float) -> list[Frame]:
    """Two shoppers who walk through the drawn shop, a frame of each camera in turn."""
    studio = Studio(seed=2)
    walkers = [
        (Walker("anna", [(1, 0.5, 0.5), (4, 2.6, 3.2), (7, 5.3, 0.6)]), (170, 60, 30)),
        (Walker("ben", [(3, 0.5, 0.5), (6, 1.5, 3.5), (9, 3.0, 3.8)]), (60, 150, 40)),
    ]
    frames = []
    for k in range(int(seconds * FPS)):
        at_s = k / FPS
        there = [(walker.at(at_s), colour) for walker, colour in walkers]
        pictures = studio.shoot([Body(p, trunk=c) for p, c in there if p])
        frames += [Frame(name, k, at_s, at_s, pictures[name]) for name in CAMERAS]
    return frames


def played(frames: Iterable[Frame]) -> list[FloorMoment]:
    floor = watch()
    moments = [moment for frame in frames for moment in floor.add(frame)]
    return moments + list(floor.flush())


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return recording(9.0)


def test_pictures_become_tracks_that_enter_walk_and_leave(frames: list[Frame]) -> None:
    moments = played(frames)
    assert len(moments) == 45
    assert all(moment.cameras == CAMERAS for moment in moments)
    assert {t.track_id for m in moments for t in m.tracks} == {"t-1", "t-2"}
    assert [t.state for m in moments for t in m.tracks if t.track_id == "t-1"][-1] == "left"
    last = moments[-1].tracks[-1]
    assert last.track_id == "t-2"
    assert abs(last.position_m[0] - 3.0) < 0.3
    assert abs(last.position_m[1] - 3.8) < 0.3


def test_tracks_do_not_depend_on_how_the_cameras_frames_interleave(frames: list[Frame]) -> None:
    half = frames[: len(frames) // 2]
    apart = [
        frame
        for _, group in itertools.groupby(half, key=lambda f: int(f.captured_at_s / 0.4 + 1e-6))
        for frame in sorted(group, key=lambda f: (f.camera, f.index))
    ]
    assert [f.index for f in apart] != [f.index for f in half]
    assert [m.tracks for m in played(apart)] == [m.tracks for m in played(half)]


def test_a_camera_that_falls_silent_is_not_waited_for_and_said_to_be_missing(
    frames: list[Frame],
) -> None:
    silent = [f for f in frames[:100] if f.camera == "overhead-1" or f.captured_at_s < 2.0]
    moments = played(silent)
    assert [m.cameras for m in moments if m.scan.at_s < 1.9] == [CAMERAS] * 10
    assert {m.cameras for m in moments if m.scan.at_s >= 2.1} == {("overhead-1",)}
    assert moments[-1].scan.at_s > 4.5


def test_frames_between_looks_are_not_wanted(frames: list[Frame]) -> None:
    floor = watch()
    assert floor.wants("overhead-1", 0.0)
    floor.add(frames[0])
    assert not floor.wants("overhead-1", 0.1)
    assert floor.wants("overhead-1", 0.2)
    assert floor.wants("overhead-2", 0.1)


def test_frames_of_other_cameras_are_refused(frames: list[Frame]) -> None:
    frame = Frame("shelf-1", 0, 0.0, 0.0, frames[0].image)
    with pytest.raises(TrackingError, match="camera shelf-1 is not one of"):
        watch().add(frame)


@pytest.mark.skipif(
    not (VIDEO.is_file() and REFERENCE.is_file()),
    reason=f"needs Debian's opencv-doc and {REFERENCE.name} (set WALKOUT_DETECTORS)",
)
def test_both_observers_follow_the_people_of_a_real_video_to_the_same_places() -> None:
    """Passers-by a few pixels large, in front of a calibration made by hand."""
    last = 660
    by = {
        name: [t for t in follow(observer, last, since=600)[-1].tracks if t.state == "followed"]
        for name, observer in (("foreground", by_foreground()), ("network", by_network()))
    }
    assert 2 <= len(by["network"]) <= 12
    shared = [
        track
        for track in by["network"]
        if any(math.dist(track.position_m, o.position_m) < 1.5 for o in by["foreground"])
    ]
    assert len(shared) >= 0.5 * len(by["network"])


def test_a_camera_that_was_moved_is_left_out_while_another_looks(frames: list[Frame]) -> None:
    floor = watch()
    moments: list[FloorMoment] = []
    for frame in frames[:160]:
        if frame.captured_at_s >= 4.0:
            floor.trust(["overhead-2"] if frame.captured_at_s < 6.0 else [])
        moments += floor.add(frame)
    by_time = {round(each.scan.at_s, 1): each for each in moments}
    assert by_time[3.0].cameras == CAMERAS
    # It is not waited for either.
    assert {at for at in by_time if 4.2 <= at < 6.0} == {
        4.2,
        4.4,
        4.6,
        4.8,
        5.0,
        5.2,
        5.4,
        5.6,
        5.8,
    }
    assert (by_time[5.0].cameras, by_time[5.0].astray) == (("overhead-1",), ("overhead-2",))
    assert (by_time[7.0].cameras, by_time[7.0].astray) == (CAMERAS, ())
    assert {t.track_id for m in moments for t in m.tracks} == {"t-1", "t-2"}


def test_where_all_cameras_were_moved_all_are_used_and_every_moment_says_so(
    frames: list[Frame],
) -> None:
    floor = watch()
    floor.trust(CAMERAS)
    moments = [moment for frame in frames[:60] for moment in floor.add(frame)]
    assert all(each.cameras == CAMERAS and each.astray == CAMERAS for each in moments)


def test_another_observer_follows_the_same_people_on(frames: list[Frame]) -> None:
    floor = watch()
    moments: list[FloorMoment] = []
    for frame in frames:
        if frame.captured_at_s == 5.0 and frame.camera == CAMERAS[0]:
            floor.see_by(ForegroundFloor.from_calibration(CALIBRATION))
        moments += floor.add(frame)
    assert {t.track_id for t in moments[-1].tracks} <= {"t-1", "t-2"}
