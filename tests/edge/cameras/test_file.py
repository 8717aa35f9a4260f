from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edge.cameras.clock import RecordingStart, SystemClock
from edge.cameras.file import FileCamera, Pace
from edge.errors import CameraEndedError, CameraSetupError
from edge.events import Frame
from tests.edge.cameras.clips import HandClock, number_in, write_numbered
from tests.simulators.rtsp import require_gstreamer

START = RecordingStart(monotonic_s=100.0, wall_time_s=1_700_000_000.0)
FAST: Pace = "as_fast_as_possible"


def _read_all(camera: FileCamera, most: int = 1000) -> list[Frame]:
    camera.open()
    frames: list[Frame] = []
    try:
        while len(frames) < most:
            frames.append(camera.read())
    except CameraEndedError:
        pass
    camera.close()
    return frames


def test_as_fast_as_possible_every_frame_comes_in_order_with_its_moment(tmp_path: Path) -> None:
    clock = HandClock()
    path = write_numbered(tmp_path / "shelf-1.mp4", 40, fps=15)
    frames = _read_all(FileCamera("shelf-1", path, clock, START, pace=FAST))

    assert [number_in(frame.image) for frame in frames] == list(range(40))
    assert [frame.index for frame in frames] == list(range(40))
    assert [frame.captured_at_s for frame in frames] == [number / 15 for number in range(40)]
    assert frames[30].wall_time_s == 1_700_000_000.0 + 30 / 15
    assert {frame.camera for frame in frames} == {"shelf-1"}
    assert not clock.slept_s


def test_reading_twice_gives_the_same_to_the_bit(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", 12)
    camera = FileCamera("a", path, SystemClock(), START, pace=FAST)
    first, second = _read_all(camera), _read_all(camera)
    assert [(f.index, f.captured_at_s, f.image.tobytes()) for f in first] == [
        (f.index, f.captured_at_s, f.image.tobytes()) for f in second
    ]
    assert len(first) == 12


def test_in_real_time_no_frame_comes_before_it_was_taken(tmp_path: Path) -> None:
    clock = HandClock(now_s=98.0)
    camera = FileCamera("a", write_numbered(tmp_path / "a.mp4", 10, fps=10), clock, START)
    camera.open()
    for number in range(10):
        assert camera.read().index == number
        assert clock.now_s == pytest.approx(100 + number / 10)


def test_a_late_reader_gets_what_is_due_at_once(tmp_path: Path) -> None:
    clock = HandClock(now_s=100.0)
    camera = FileCamera("a", write_numbered(tmp_path / "a.mp4", 20, fps=10), clock, START)
    camera.open()
    camera.read()
    clock.now_s = 101.0
    for _ in range(10):
        camera.read()
    assert clock.now_s == 101.0
    assert camera.read().captured_at_s == pytest.approx(1.1)
    assert clock.now_s == pytest.approx(101.1)


def test_a_camera_opened_while_its_recording_plays_joins_where_it_is(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", 90, fps=15)
    clock = HandClock(now_s=START.monotonic_s + 4.02)
    camera = FileCamera("a", path, clock, START)
    frames = _read_all(camera)
    # The frame of 4.0 s had been played, the next has a twentieth of a second to go.
    assert [number_in(frame.image) for frame in frames] == list(range(61, 90))
    assert frames[0].index == 61
    assert frames[0].captured_at_s == pytest.approx(61 / 15)
    assert camera.counters.frames_missed == 61
    late = FileCamera("a", path, HandClock(now_s=START.monotonic_s + 60), START)
    assert _read_all(late) == []


def test_two_cameras_of_a_shop_run_side_by_side(tmp_path: Path) -> None:
    clock = HandClock(now_s=100.0)
    path = write_numbered(tmp_path / "a.mp4", 5, fps=5)
    early, late = (FileCamera(name, path, clock, START) for name in ("early", "late"))
    early.open()
    early.read()
    early.read()
    late.open()
    assert late.read().captured_at_s == 0.0
    assert late.read().captured_at_s == early.read().captured_at_s - 0.2
    assert clock.now_s == pytest.approx(100.4)


def test_a_loop_goes_on_in_number_and_moment(tmp_path: Path) -> None:
    path = write_numbered(tmp_path / "a.mp4", 6, fps=12)
    camera = FileCamera("a", path, HandClock(), START, pace=FAST, loop=True)
    frames = _read_all(camera, most=20)
    assert [number_in(frame.image) for frame in frames] == [number % 6 for number in range(20)]
    assert [frame.index for frame in frames] == list(range(20))
    moments = [number / 12 for number in range(20)]
    assert [frame.captured_at_s for frame in frames] == pytest.approx(moments)


def test_a_varying_frame_rate_is_taken_from_the_timestamps(tmp_path: Path) -> None:
    require_gstreamer()
    path = tmp_path / "varying.mp4"
    subprocess.run(
        [
            *("gst-launch-1.0", "-q", "videotestsrc", "num-buffers=60", "!"),
            *("video/x-raw,width=64,height=48,framerate=20/1", "!"),
            *("identity", "drop-probability=0.4", "!", "x264enc", "!", "mp4mux", "!"),
            *("filesink", f"location={path}"),
        ],
        check=True,
        capture_output=True,
    )
    frames = _read_all(FileCamera("a", path, HandClock(), START, pace=FAST))
    ticks = [frame.captured_at_s * 20 for frame in frames]
    assert len(frames) < 60
    assert ticks == pytest.approx([round(tick) for tick in ticks], abs=0.02)
    steps = {round(later - earlier) for earlier, later in zip(ticks, ticks[1:], strict=False)}
    assert len(steps) > 1, "no frame was left out, so nothing was tested"
    assert min(steps) == 1


def test_the_end_is_clean_and_says_how_far_it_came(tmp_path: Path) -> None:
    camera = FileCamera(
        "a", write_numbered(tmp_path / "a.mp4", 7), HandClock(), START, pace="as_fast_as_possible"
    )
    camera.open()
    for _ in range(7):
        camera.read()
    with pytest.raises(CameraEndedError, match="ended after 7 frames"):
        camera.read()


def test_a_file_that_was_cut_off_is_read_as_far_as_it_goes_and_said_to_be_short(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_numbered(tmp_path / "a.avi", 40)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    frames = _read_all(FileCamera("a", path, HandClock(), START, pace=FAST))
    assert 5 < len(frames) < 40
    assert [number_in(frame.image) for frame in frames[:-1]] == list(range(len(frames) - 1))
    assert f"ended after {len(frames)} of 40 frames" in caplog.text


def test_what_is_no_video_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CameraSetupError, match=r"there is no video .*nowhere\.mp4"):
        FileCamera("a", tmp_path / "nowhere.mp4", HandClock(), START).open()
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    with pytest.raises(CameraSetupError, match="no video that can be read"):
        FileCamera("a", text, HandClock(), START).open()
