from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bench.load import Demand, most_that, play
from edge.bench.power import board_watts, card_watts, peak_memory_mib
from edge.bench.video import FPS, decode_ms, film
from edge.errors import SourceError


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("video") / "shelf.mp4"
    film(target)
    return target


class _Counting:
    """Recognises nothing, and remembers how much it was asked."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.pictures: set[bytes] = set()

    def recognise_many(self, items: Sequence[Sequence[NDArray[np.uint8]]]) -> None:
        self.shapes += [item[0].shape for item in items]
        self.pictures |= {item[0].tobytes() for item in items}


def test_every_frame_is_cut_into_as_many_crops_as_asked(video: Path) -> None:
    counting = _Counting()
    done = play(counting, video, Demand(cameras=2, fps=FPS, crops_a_frame=3, seconds=1.0))
    assert set(counting.shapes) == {(288, 281, 3)}
    assert len(counting.shapes) >= done.frames_seen * 3
    assert done.frames_seen > 0
    assert 0 <= done.late_p50_ms <= done.late_p99_ms < 5000
    assert done.memory_mib > 10


def test_crops_that_stay_are_cut_at_the_same_places_of_a_picture_that_stands_still(
    tmp_path: Path,
) -> None:
    standing = tmp_path / "standing.avi"
    writer = cv2.VideoWriter(str(standing), cv2.VideoWriter.fourcc(*"FFV1"), FPS, (640, 360))
    picture = np.random.default_rng(0).integers(0, 256, (360, 640, 3)).astype(np.uint8)
    for _ in range(30):
        writer.write(picture)
    writer.release()
    numbers = {}
    for still in (True, False):
        counting = _Counting()
        play(counting, standing, Demand(cameras=1, fps=FPS, seconds=1.0, still=still))
        numbers[still] = len(counting.pictures)
    assert numbers[True] == 3
    assert numbers[False] > 10


def test_decoding_alone_is_told_with_the_videos_rate(video: Path) -> None:
    frame_ms, rate = decode_ms(video)
    assert rate == FPS
    assert frame_ms > 0


def test_a_file_that_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"no video")
    with pytest.raises(SourceError, match="no video that can be played"):
        decode_ms(tmp_path / "no.mp4")


@pytest.mark.parametrize("carried", [0, 1, 2, 5, 8, 9, 31, 64, 100])
def test_the_number_of_cameras_that_are_carried_is_found(carried: int) -> None:
    tried: list[int] = []

    def works(cameras: int) -> bool:
        tried.append(cameras)
        return cameras <= carried

    assert most_that(works, 64) == min(carried, 64)
    assert max(tried) <= 64
    assert len(tried) == len(set(tried))


def test_a_board_tells_what_it_draws(tmp_path: Path) -> None:
    sensor = tmp_path / "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    sensor.mkdir(parents=True)
    for name, text in (
        ("in1_label", "VDD_IN\n"),
        ("in1_input", "4984\n"),
        ("curr1_input", "1504\n"),
        ("in2_label", "VDD_CPU_GPU_CV\n"),
        ("in2_input", "4984\n"),
        ("curr2_input", "400\n"),
    ):
        (sensor / name).write_text(text)
    assert board_watts(tmp_path) == pytest.approx(7.496, abs=0.01)
    (sensor / "curr1_input").write_text("")
    assert board_watts(tmp_path) is None


def test_a_card_tells_what_it_draws(tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 71.25\n")
    tool.chmod(0o755)
    assert card_watts(str(tool)) == pytest.approx(71.25)
    assert card_watts(str(tmp_path / "none")) is None
    assert peak_memory_mib() > 10
