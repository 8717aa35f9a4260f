from __future__ import annotations

from pathlib import Path

import pytest

from edge.cameras.clock import RecordingStart
from edge.cameras.file import FileCamera
from edge.cameras.replay import frames_in_order
from edge.errors import CameraSetupError
from tests.edge.cameras.clips import HandClock, number_in, write_numbered

START = RecordingStart(0.0, 0.0)


def _camera(name: str, path: Path) -> FileCamera:
    return FileCamera(name, path, HandClock(), START, pace="as_fast_as_possible")


def test_frames_of_all_cameras_come_as_they_were_taken(tmp_path: Path) -> None:
    slow = write_numbered(tmp_path / "slow.mp4", 4, fps=5, first=100)
    fast = write_numbered(tmp_path / "fast.mp4", 12, fps=15)
    cameras = [_camera("shelf", slow), _camera("overhead", fast)]
    frames = list(frames_in_order(cameras))

    assert len(frames) == 16
    order = [(frame.captured_at_s, frame.camera) for frame in frames]
    assert order == sorted(order)
    assert [number_in(f.image) for f in frames if f.camera == "shelf"] == [100, 101, 102, 103]
    assert not any(camera.is_open for camera in cameras)


def test_one_missing_recording_stops_the_replay_and_closes_the_others(tmp_path: Path) -> None:
    there = _camera("there", write_numbered(tmp_path / "a.mp4", 3))
    with pytest.raises(CameraSetupError, match=r"gone\.mp4"):
        list(frames_in_order([there, _camera("gone", tmp_path / "gone.mp4")]))
    assert not there.is_open
