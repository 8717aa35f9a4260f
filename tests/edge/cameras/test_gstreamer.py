from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cameras.clock import RecordingStart, SystemClock
from edge.cameras.gstreamer import GstreamerCamera
from edge.cameras.pipelines import (
    Pipeline,
    csi_pipeline,
    custom_pipeline,
    file_pipeline,
    rtsp_pipeline,
)
from edge.errors import CameraEndedError, CameraLostError, CameraSetupError, CameraUnavailableError
from edge.events import Frame
from tests.edge.cameras.clips import HandClock, number_in, write_numbered
from tests.simulators.rtsp import free_port, require_gstreamer, rtsp_server

START = RecordingStart(monotonic_s=0.0, wall_time_s=1_700_000_000.0)


def _camera(pipeline: Pipeline, read_timeout_s: float = 5.0) -> GstreamerCamera:
    require_gstreamer()
    return GstreamerCamera(
        "shelf-1",
        pipeline,
        SystemClock(),
        START,
        open_timeout_s=20.0,
        read_timeout_s=read_timeout_s,
    )


def _read_all(camera: GstreamerCamera) -> list[Frame]:
    camera.open()
    frames: list[Frame] = []
    with pytest.raises(CameraEndedError):
        while True:
            frames.append(camera.read())
    return frames


def _as_h264(source: Path, target: Path) -> Path:
    """Encode a video anew, as the cameras of a shop do."""
    subprocess.run(
        [
            *("gst-launch-1.0", "-q", "filesrc", f"location={source}", "!", "decodebin", "!"),
            *("videoconvert", "!", "x264enc", "bframes=0", "!", "mp4mux", "!"),
            *("filesink", f"location={target}"),
        ],
        check=True,
        capture_output=True,
    )
    return target


def test_every_frame_of_an_h264_file_comes_in_order(tmp_path: Path) -> None:
    require_gstreamer()
    clip = write_numbered(tmp_path / "clip.mp4", 30, fps=15)
    path = _as_h264(clip, tmp_path / 'shelf "one" & two.mp4')
    frames = _read_all(_camera(file_pipeline(path)))
    assert [number_in(frame.image) for frame in frames] == list(range(30))
    assert [frame.index for frame in frames] == list(range(30))
    assert [f.captured_at_s for f in frames] == pytest.approx([n / 15 for n in range(30)])
    assert frames[15].wall_time_s == START.wall_time_s + 1


def test_a_file_in_real_time_waits_for_the_moment_of_each_frame(tmp_path: Path) -> None:
    require_gstreamer()
    path = _as_h264(write_numbered(tmp_path / "a.mp4", 6, fps=6), tmp_path / "b.mp4")
    clock = HandClock(now_s=50.0)
    start = RecordingStart(50.0, 0.0)
    camera = GstreamerCamera("a", file_pipeline(path), clock, start, real_time=True)
    camera.open()
    for number in range(6):
        camera.read()
        assert clock.now_s == pytest.approx(50 + number / 6)
    camera.close()


@pytest.mark.parametrize(("width", "height"), [(320, 240), (322, 242), (321, 241), (318, 238)])
def test_pictures_are_right_at_any_size(width: int, height: int) -> None:
    text = (
        "videotestsrc num-buffers=3 pattern=smpte75 "
        f"! video/x-raw,width={width},height={height},framerate=10/1"
    )
    frames = _read_all(_camera(custom_pipeline(text, is_live=False)))
    assert len(frames) == 3
    for frame in frames:
        assert frame.image.shape == (height, width, 3)
        bars = frame.image[height // 4, [(2 * bar + 1) * width // 14 for bar in range(7)]]
        black_and_full = np.array(
            # white, yellow, cyan, green, magenta, red, blue at 75 %, BGR
            [[1, 1, 1], [0, 1, 1], [1, 1, 0], [0, 1, 0], [1, 0, 1], [0, 0, 1], [1, 0, 0]]
        )
        assert np.abs(bars.astype(int) - 191 * black_and_full).max() < 20


def test_a_recording_of_a_single_frame_is_a_recording() -> None:
    text = "videotestsrc num-buffers=1 ! video/x-raw,width=322,height=242,framerate=10/1"
    assert len(_read_all(_camera(custom_pipeline(text, is_live=False)))) == 1


def test_frames_that_are_only_grabbed_are_passed_over() -> None:
    text = "videotestsrc num-buffers=9 ! video/x-raw,width=64,height=48,framerate=9/1"
    camera = _camera(custom_pipeline(text, is_live=False))
    camera.open()
    for _ in range(7):
        camera.grab()
    assert camera.read().index == 7
    camera.close()
    counted = camera.counters
    assert (counted.frames_grabbed, counted.frames_retrieved) == (8, 1)


def test_a_live_pipeline_that_dies_is_lost_and_starts_again_with_a_gap() -> None:
    text = "videotestsrc num-buffers=4 is-live=true ! video/x-raw,width=64,height=48"
    camera = _camera(custom_pipeline(text, is_live=True))
    indices = []
    for _ in range(2):
        camera.open()
        with pytest.raises(CameraLostError, match="ended with status 0"):
            while True:
                indices.append(camera.read().index)
    first_of_second = next(i for i, index in enumerate(indices) if i and index > indices[i - 1] + 1)
    assert first_of_second >= 2
    assert indices == sorted(set(indices))
    assert camera.counters.frames_missed >= 1


def test_a_live_pipeline_that_stops_sending_is_lost_in_time() -> None:
    text = "videotestsrc num-buffers=3 is-live=true ! video/x-raw,width=64,height=48,framerate=30/1"
    stuck = f"{text} ! identity sleep-time=400000"
    camera = _camera(custom_pipeline(stuck, is_live=True), read_timeout_s=0.15)
    camera.open()
    with pytest.raises(CameraLostError, match=r"no frame for 0\.15 s"):
        for _ in range(3):
            camera.read()


def test_closing_leaves_no_process_behind() -> None:
    text = "videotestsrc is-live=true ! video/x-raw,width=64,height=48"
    camera = _camera(custom_pipeline(text, is_live=True))
    camera.open()
    camera.read()
    children = _children()
    camera.close()
    assert children - _children()
    camera.close()


def _children() -> set[str]:
    listed = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()
    return set(listed.split())


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("nosuchsource", CameraSetupError, "no element nosuchsource"),
        ("videotestsrc ! ! fakesink", CameraSetupError, "correct the pipeline"),
        ("videotestsrc pattern=nosuch", CameraSetupError, "correct the pipeline"),
        ("v4l2src device=/dev/video97", CameraUnavailableError, "/dev/video97"),
    ],
)
def test_a_pipeline_that_cannot_run_says_why(text: str, error: type[Exception], words: str) -> None:
    camera = _camera(custom_pipeline(text, is_live=True))
    with pytest.raises(error, match=words):
        camera.open()
    assert not camera.is_open


def test_a_jetson_decoder_on_another_machine_names_the_package_it_comes_with(
    tmp_path: Path,
) -> None:
    require_gstreamer()
    if shutil.which("nvgstcapture-1.0"):
        pytest.skip("this is a Jetson")
    clip = write_numbered(tmp_path / "clip.mp4", 2)
    with pytest.raises(CameraSetupError, match="nvv4l2decoder; install nvidia-l4t-gstreamer"):
        _camera(file_pipeline(clip, decoder="jetson")).open()


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(CameraSetupError, match=r"gone\.mp4.*check the file"):
        _camera(file_pipeline(tmp_path / "gone.mp4")).open()


def test_without_gstreamer_the_packages_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    camera = GstreamerCamera("shelf-1", file_pipeline(tmp_path / "a.mp4"), SystemClock(), START)
    with pytest.raises(CameraSetupError, match="gst-launch-1.0 is not installed") as raised:
        camera.open()
    for package in ("tools", "libav", "plugins-base", "plugins-good", "plugins-bad"):
        assert f"gstreamer1.0-{package}" in str(raised.value)


def test_a_network_camera_is_decoded_by_the_same_template() -> None:
    with rtsp_server("--pattern", "smpte", "--gop", "15") as server:
        camera = _camera(rtsp_pipeline(server.url))
        camera.open()
        frames = [camera.read() for _ in range(5)]
        camera.close()
    red_bar = frames[-1].image[60, 5 * 320 // 7 + 20]
    assert np.abs(red_bar.astype(int) - (0, 0, 255)).max() < 60
    assert cv2.Laplacian(frames[-1].image, cv2.CV_64F).std() > 5


def test_a_password_is_in_no_message() -> None:
    url = f"rtsp://127.0.0.1:{free_port()}/camera"
    camera = _camera(rtsp_pipeline(url, user="joe", password="s3cret-word"))
    with pytest.raises(CameraUnavailableError) as raised:
        camera.open()
    assert "s3cret-word" not in str(raised.value)
    assert Pipeline(("a",), True, ("s3cret",)).masked("user-pw=s3cret!") == "user-pw=***!"


def test_jetson_templates_decode_with_the_jetson() -> None:
    words = " ".join(rtsp_pipeline("rtsp://c/1", codec="h265", decoder="jetson").words)
    assert "rtph265depay ! h265parse ! nvv4l2decoder ! nvvidconv ! video/x-raw,format=I420" in words
    assert "avdec" not in words
    assert "protocols=tcp" in words
    ribbon = " ".join(csi_pipeline(1, 1280, 720, 15).words)
    assert ribbon.startswith("nvarguscamerasrc sensor-id=1 ! video/x-raw(memory:NVMM),width=1280")


def test_only_live_pipelines_drop_frames(tmp_path: Path) -> None:
    assert "leaky=downstream" in rtsp_pipeline("rtsp://c/1").words
    assert "leaky=downstream" not in file_pipeline(tmp_path / "a.mp4").words
    assert "leaky=downstream" not in custom_pipeline("videotestsrc", is_live=False).words


def test_what_no_template_reads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CameraSetupError, match="kind: file"):
        file_pipeline(tmp_path / "a.avi")
    with pytest.raises(CameraSetupError, match="cannot be read"):
        custom_pipeline('filesrc location="a', is_live=False)
