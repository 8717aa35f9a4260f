from __future__ import annotations

from pathlib import Path

import pytest

from edge.cameras.clock import SystemClock
from edge.cameras.usb import UsbCamera
from edge.errors import CameraSetupError, CameraUnavailableError


def test_a_camera_that_is_not_plugged_in_is_named_and_may_come_later() -> None:
    for device in (97, Path("/dev/video97")):
        camera = UsbCamera("shelf-1", device, SystemClock())
        with pytest.raises(CameraUnavailableError, match=r"no /dev/video97; is the camera plugged"):
            camera.open()
        assert not camera.is_open


def test_a_file_is_no_device(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    video.touch()
    with pytest.raises(CameraSetupError, match="use kind: file"):
        UsbCamera("shelf-1", video, SystemClock()).open()


def test_a_device_that_is_no_camera_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CameraUnavailableError, match="cannot be opened as a camera"):
        UsbCamera("shelf-1", Path("/dev/null"), SystemClock()).open()
    capfd.readouterr()
