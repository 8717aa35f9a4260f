from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import SourceError
from edge.matching.recogniser import Recogniser
from edge.recognise import Result, Sampling, recognise_sources, sample_frames
from edge.sources import SetAside, Source, find_sources
from models.bundle import Bundle
from tests.edge.bundles import embedder_of, photo_file, with_fields
from tests.edge.videos import product_frames, write_clip


@pytest.fixture(scope="module")
def recogniser(bundle: Bundle) -> Recogniser:
    return Recogniser([bundle], [embedder_of(bundle)])


def _recognise(
    recogniser: Recogniser, path: Path, sampling: Sampling
) -> tuple[list[Result], list[SetAside]]:
    outcomes = list(recognise_sources(recogniser, find_sources([path])[0], sampling))
    return (
        [outcome for outcome in outcomes if isinstance(outcome, Result)],
        [outcome for outcome in outcomes if isinstance(outcome, SetAside)],
    )


def test_a_folder_of_more_photos_than_a_batch_comes_back_in_order(
    recogniser: Recogniser, tmp_path: Path
) -> None:
    for number in range(37):
        photo_file(tmp_path / f"{number}.jpg", number % 6, number // 6 % 4)
    results, aside = _recognise(recogniser, tmp_path, Sampling())
    assert [result.files[0].stem for result in results] == [str(number) for number in range(37)]
    nearest = [result.recognition.decision.candidates[0].sku for result in results]
    right = sum(sku == f"carton-{number % 6:02d}" for number, sku in enumerate(nearest))
    assert right >= 33
    assert aside == []
    assert all(result.elapsed_ms > 0 and result.over == "one photo" for result in results)


def test_a_broken_jpeg_is_set_aside_with_its_reason(recogniser: Recogniser, tmp_path: Path) -> None:
    good = photo_file(tmp_path / "1.jpg", 1)
    (tmp_path / "0.jpg").write_bytes(good.read_bytes()[:200])
    (tmp_path / "2.jpg").write_bytes(b"")
    (tmp_path / "3.jpg").write_text("not a picture")
    results, aside = _recognise(recogniser, tmp_path, Sampling())
    assert [result.files for result in results] == [(good,)]
    assert sorted(each.path.name for each in aside) == ["0.jpg", "2.jpg", "3.jpg"]
    assert all(each.reason for each in aside)


def test_consecutive_photos_are_pooled_and_a_broken_one_leaves_its_group(
    recogniser: Recogniser, tmp_path: Path
) -> None:
    for number in range(7):
        photo_file(tmp_path / f"{number}.jpg", number // 3, number % 3)
    (tmp_path / "1.jpg").write_bytes(b"broken")
    results, aside = _recognise(recogniser, tmp_path, Sampling(pool=3))
    assert [len(result.files) for result in results] == [2, 3, 1]
    assert results[1].over == "3 photos"
    assert results[1].recognition.decision.candidates[0].sku == "carton-01"
    assert [each.path.name for each in aside] == ["1.jpg"]


@pytest.mark.parametrize("suffix", [".avi", ".mp4"])
def test_a_clip_makes_one_decision_over_all_of_it(
    recogniser: Recogniser, tmp_path: Path, suffix: str
) -> None:
    clip = write_clip(tmp_path / f"clip{suffix}", product_frames(3, 60))
    (result,), _ = _recognise(recogniser, clip, Sampling())
    assert result.recognition.decision.candidates[0].sku == "carton-03"
    assert result.recognition.crops_given == 30
    assert result.frames == (0, 58)
    assert result.over == "the whole clip, every 2nd frame looked at"


def test_a_window_slides_over_sampled_frames(recogniser: Recogniser, tmp_path: Path) -> None:
    frames = product_frames(1, 24) + product_frames(4, 24)
    clip = write_clip(tmp_path / "clip.avi", frames)
    results, _ = _recognise(recogniser, clip, Sampling(pool=3))
    assert [result.frames for result in results][:2] == [(0, 8), (4, 12)]
    assert len(results) == 10
    named = [result.recognition.decision.candidates[0].sku for result in results]
    assert (named[0], named[-1]) == ("carton-01", "carton-04")
    assert results[0].over == "windows of 3 sampled frames, every 4th frame looked at"


def test_a_clip_shorter_than_its_window_still_makes_a_decision(
    recogniser: Recogniser, tmp_path: Path
) -> None:
    clip = write_clip(tmp_path / "clip.avi", product_frames(2, 3))
    (result,), _ = _recognise(recogniser, clip, Sampling(pool=10))
    assert result.recognition.crops_given == 3


def test_every_so_many_frames_are_looked_at(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", product_frames(2, 11))
    every, frames = sample_frames(clip, Sampling(every=5))
    assert (every, [number for number, _ in frames]) == (5, [0, 5, 10])


def test_a_broken_video_is_set_aside_and_the_rest_goes_on(
    recogniser: Recogniser, tmp_path: Path
) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    write_clip(tmp_path / "b.avi", product_frames(0, 4))
    photo_file(tmp_path / "c.jpg", 0)
    results, aside = _recognise(recogniser, tmp_path, Sampling())
    assert sorted(result.files[0].name for result in results) == ["b.avi", "c.jpg"]
    assert "cannot be opened as a video" in aside[0].reason


def test_the_whole_picture_is_looked_at_when_asked(recogniser: Recogniser, tmp_path: Path) -> None:
    photo_file(tmp_path / "1.jpg", 1)
    (centre,), _ = _recognise(recogniser, tmp_path, Sampling())
    (whole,), _ = _recognise(recogniser, tmp_path, Sampling(whole_picture=True))
    assert centre.recognition.decision.distance != whole.recognition.decision.distance


def test_bundles_that_look_at_different_parts_of_a_photo_are_refused(
    bundle: Bundle, tmp_path: Path
) -> None:
    preprocessing = bundle.manifest.preprocessing.model_copy(update={"photo_crop_share": 0.5})
    other = with_fields(bundle, category="other", preprocessing=preprocessing)
    both = Recogniser([bundle, other], [embedder_of(bundle)])
    photo = photo_file(tmp_path / "1.jpg", 1)
    source = Source(photo, "photo", Path("1.jpg"))
    with pytest.raises(SourceError, match="--whole-picture"):
        list(recognise_sources(both, [source], Sampling()))
    assert len(list(recognise_sources(both, [source], Sampling(whole_picture=True)))) == 1
