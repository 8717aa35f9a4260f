"""Against a real RTSP server in a process of its own, which is killed, stopped and started late."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest

from edge.cameras.clock import SystemClock
from edge.cameras.newest import NewestFrame, Watch
from edge.cameras.rtsp import Patience, RtspCamera
from edge.errors import CameraLostError, CameraStalledError, CameraUnavailableError
from tests.edge.cameras.clips import running, wait_until
from tests.simulators.rtsp import free_port, rtsp_server

CLOCK = SystemClock()
FPS = 15
PATIENCE = Patience(open_s=2.0, read_s=1.0, key_frame_s=15.0)
WATCH = Watch(stall_after_s=0.5, frozen_after_s=2.0, first_wait_s=0.1, longest_wait_s=0.3)


def _camera(url: str, patience: Patience = PATIENCE) -> RtspCamera:
    return RtspCamera("overhead-1", url, CLOCK, patience=patience)


def test_frames_come_in_order_and_are_stamped_on_the_devices_clock() -> None:
    with rtsp_server("--gop", "15") as server:
        camera = _camera(server.url)
        began_at_s = CLOCK.monotonic_s()
        camera.open()
        frames = [camera.read() for _ in range(3 * FPS)]
        ended_at_s = CLOCK.monotonic_s()
        wall_ahead_s = time.time() - time.monotonic()
        camera.close()
    steps_s = np.diff([frame.captured_at_s for frame in frames[2 * FPS :]])
    assert (np.diff([frame.index for frame in frames]) >= 1).all()
    assert steps_s.mean() == pytest.approx(1 / FPS, rel=0.25)
    assert began_at_s < frames[0].captured_at_s < frames[-1].captured_at_s <= ended_at_s
    assert frames[-1].wall_time_s - frames[-1].captured_at_s == pytest.approx(wall_ahead_s, abs=0.5)
    assert all(frame.image.shape == (240, 320, 3) for frame in frames)


def test_who_joins_between_two_key_frames_sees_no_grey_picture() -> None:
    with rtsp_server("--gop", "45", "--pattern", "smpte") as server:
        first = _camera(server.url)
        first.open()
        expected = first.read().image.astype(int)
        for _ in range(10):
            first.read()
        second = _camera(server.url)
        second.open()
        seen = second.read()
        for camera in (first, second):
            camera.close()
    coloured = np.s_[:150]
    assert np.abs(seen.image[coloured].astype(int) - expected[coloured]).mean() < 6
    assert cv2.cvtColor(seen.image, cv2.COLOR_BGR2HSV)[coloured][:, :, 1].mean() > 100
    assert seen.index == 0


def test_a_camera_that_is_not_there_is_unavailable_without_a_long_wait() -> None:
    camera = _camera(f"rtsp://127.0.0.1:{free_port()}/camera")
    with pytest.raises(CameraUnavailableError, match="refused the connection"):
        camera.open()


def test_a_server_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    with rtsp_server() as server:
        server.stop_dead()
        with pytest.raises(CameraUnavailableError, match="did not answer within 2 s"):
            _camera(server.url).open()
        server.go_on()


def test_the_password_reaches_the_camera_and_nobody_else(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    password = "p@s/s:w%rd"
    with rtsp_server("--user", "joe", "--password", password) as server:
        camera = RtspCamera(
            "overhead-1", server.url, CLOCK, user="joe", password=password, patience=PATIENCE
        )
        camera.open()
        assert camera.read().index == 0
        camera.close()
        intruder = RtspCamera("x", server.url, CLOCK, user="joe", password="wr0ng-word")
        with pytest.raises(CameraUnavailableError, match="user and password") as raised:
            intruder.open()
    said = "".join([str(raised.value), caplog.text, *capfd.readouterr()])
    for secret in (password, "p%40s", "wr0ng-word"):
        assert secret not in said


def test_a_server_that_is_killed_is_noticed_at_once() -> None:
    with rtsp_server("--gop", "15") as server:
        camera = _camera(server.url)
        camera.open()
        camera.read()
        server.kill()
        with pytest.raises(CameraLostError, match="closed the connection"):
            for _ in range(10 * FPS):
                camera.grab()


def test_a_change_of_resolution_under_way_leaves_pictures_at_the_size_of_the_connection() -> None:
    with rtsp_server("--gop", "15", "--pattern", "smpte") as server:
        camera = _camera(server.url)
        camera.open()
        before = camera.read()
        server.resize(160, 120)
        for _ in range(2 * FPS):
            after = camera.read()
        another = _camera(server.url)
        another.open()
        anew = another.read()
        for connection in (camera, another):
            connection.close()
    assert before.image.shape == after.image.shape == (240, 320, 3)
    assert anew.image.shape == (120, 160, 3)
    assert np.abs(after.image[:150].astype(int) - before.image[:150]).mean() < 12


def test_a_camera_that_is_not_up_yet_then_killed_then_started_again_comes_back_by_itself() -> None:
    port = free_port()
    reader = NewestFrame(_camera(f"rtsp://127.0.0.1:{port}/camera"), CLOCK, WATCH)
    with running(reader):
        wait_until(lambda: reader.state.counters.failed_attempts >= 2, "tried twice")
        assert reader.state.status == "connecting"

        with rtsp_server("--gop", "15", port=port) as server:
            reader.take(20)
            wait_until(lambda: reader.state.status == "running", "running")
            before = reader.take(20)
            server.kill()
            wait_until(lambda: reader.state.status == "lost", "lost")
            failed = reader.state.counters.failed_attempts
            wait_until(lambda: reader.state.counters.failed_attempts > failed + 1, "tried again")
            with pytest.raises(CameraStalledError, match="no newer frame"):
                while True:
                    before = reader.take(0.1)

        with rtsp_server("--gop", "15", port=port):
            after = reader.take(20)
            wait_until(lambda: reader.state.status == "running", "running again")
        counted = reader.state.counters
        assert after.captured_at_s > before.captured_at_s
        assert after.index > before.index + 1
        assert counted.frames_missed >= 1
        assert counted.reconnects == 1


def test_a_server_stopped_in_its_tracks_is_stalled_then_lost_then_back() -> None:
    with rtsp_server("--gop", "15") as server:
        reader = NewestFrame(_camera(server.url), CLOCK, WATCH)
        with running(reader):
            reader.take(20)
            server.stop_dead()
            wait_until(lambda: reader.state.status == "stalled", "stalled")
            wait_until(lambda: reader.state.status == "lost", "lost")
            server.go_on()
            wait_until(lambda: reader.state.status == "running", "running again")
            assert reader.state.counters.reconnects >= 1


def test_a_picture_that_freezes_is_noticed_though_frames_keep_coming() -> None:
    with rtsp_server("--gop", "15", "--pattern", "ball") as server:
        reader = NewestFrame(_camera(server.url), CLOCK, WATCH)
        with running(reader):
            reader.take(20)
            server.show("checkers-8")
            wait_until(lambda: reader.state.status == "frozen", "frozen")
            server.show("ball")
            wait_until(lambda: reader.state.status == "running", "moves again")


def test_a_camera_at_rest_keeps_up_with_the_present() -> None:
    with rtsp_server("--gop", "15") as server:
        reader = NewestFrame(_camera(server.url), CLOCK, WATCH)
        with running(reader):
            reader.take(20)
            reader.rest()
            wait_until(lambda: reader.state.counters.frames_rested >= 2 * FPS, "rested")
            reader.wake()
            reader.take(20)
            latest = reader.take(20)
            assert CLOCK.monotonic_s() - latest.captured_at_s < 1.0
