from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from edge.cameras.address import with_login, without_login
from edge.cameras.clock import RecordingStart, SystemClock
from edge.cameras.file import FileCamera
from edge.cameras.gstreamer import GstreamerCamera
from edge.cameras.rtsp import RtspCamera
from edge.cameras.settings import CameraSettings, RtspSettings, open_camera
from edge.cameras.usb import UsbCamera
from tests.edge.cameras.clips import HandClock, number_in, write_numbered

ADAPTER: TypeAdapter[CameraSettings] = TypeAdapter(CameraSettings)
SECRET = "p@s/s:w%rd"
URL = "rtsp://joe:p%40s%2Fs%3Aw%25rd@cam-1.shop:554/stream?channel=2"


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ({"kind": "file", "path": "shelf-1.mp4"}, FileCamera),
        ({"kind": "rtsp", "url": "rtsp://cam-1/stream"}, RtspCamera),
        ({"kind": "usb", "device": 0}, UsbCamera),
        ({"kind": "usb", "device": "/dev/v4l/by-path/usb-1"}, UsbCamera),
        ({"kind": "gstreamer", "template": "file", "path": "a.mp4"}, GstreamerCamera),
        ({"kind": "gstreamer", "template": "csi", "sensor": 0}, GstreamerCamera),
        ({"kind": "gstreamer", "template": "rtsp", "url": "rtsp://c/1"}, GstreamerCamera),
        ({"kind": "gstreamer", "template": "custom", "pipeline": "videotestsrc"}, GstreamerCamera),
    ],
)
def test_each_kind_makes_its_camera(written: dict[str, Any], made: type) -> None:
    camera = open_camera("shelf-1", ADAPTER.validate_python(written), SystemClock())
    assert type(camera) is made
    assert camera.name == "shelf-1"
    assert not camera.is_open
    assert camera.is_live == (written["kind"] != "file" and written.get("template") != "file")


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({"kind": "film", "path": "a.mp4"}, "kind"),
        ({"kind": "file", "path": "a.mp4", "speed": 2}, "speed"),
        ({"kind": "file"}, "path"),
        ({"kind": "file", "path": "a.mp4", "stall_after_s": 0}, "stall_after_s"),
        ({"kind": "rtsp", "url": "http://cam-1/stream"}, "url"),
        ({"kind": "rtsp", "url": "rtsp://"}, "url"),
        ({"kind": "usb", "device": -1}, "device"),
        ({"kind": "usb", "device": "video0"}, "device"),
        ({"kind": "gstreamer", "template": "file"}, "template file needs path"),
        ({"kind": "gstreamer", "template": "custom", "url": "rtsp://c"}, "takes no url"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(written: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ADAPTER.validate_python(written)


def test_a_password_in_the_address_is_moved_out_of_sight() -> None:
    settings = ADAPTER.validate_python({"kind": "rtsp", "url": URL})
    assert isinstance(settings, RtspSettings)
    assert (settings.username, settings.secret) == ("joe", SECRET)
    assert settings.url == "rtsp://cam-1.shop:554/stream?channel=2"
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert "p%40s" not in shown
        assert SECRET not in shown


def test_a_refused_setting_does_not_show_the_password() -> None:
    for written in ({"url": URL, "read_timeout_s": -1}, {"url": f"{URL} x"}, {"url": URL, "x": 1}):
        with pytest.raises(ValidationError) as raised:
            ADAPTER.validate_python({"kind": "rtsp", **written})
        assert "p%40s" not in str(raised.value)
        assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("user", "password"), [(None, None), ("joe", None), ("joe", ""), ("j@:e", SECRET)]
)
def test_a_login_survives_the_way_into_an_address_and_out(
    user: str | None, password: str | None
) -> None:
    bare = "rtsp://cam-1.shop:554/stream?a=b@c"
    assert without_login(with_login(bare, user, password)) == (bare, user, password)


def test_paths_are_relative_to_the_folder_of_the_shop(tmp_path: Path) -> None:
    write_numbered(tmp_path / "shelf-1.mp4", 3)
    settings = ADAPTER.validate_python({"kind": "file", "path": "shelf-1.mp4"})
    start = RecordingStart(100.0, 5000.0)
    camera = open_camera("shelf-1", settings, HandClock(), folder=tmp_path, start=start)
    camera.open()
    frame = camera.read()
    assert (number_in(frame.image), frame.wall_time_s) == (0, 5000.0)
    camera.close()


def test_the_schema_can_be_published() -> None:
    schema = ADAPTER.json_schema()
    assert set(schema["discriminator"]["mapping"]) == {"file", "rtsp", "usb", "gstreamer"}
    assert all(schema["$defs"][name]["additionalProperties"] is False for name in schema["$defs"])
