from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.annotate import COLOUR_BGR, annotate, annotate_result, annotate_video, lines_of
from edge.matching.recogniser import Recogniser
from edge.recognise import Result, Sampling, recognise_sources
from edge.sources import find_sources
from models.bundle import Bundle
from tests.edge.bundles import embedder_of, look_at, photo_file, with_thresholds
from tests.edge.videos import frame_count, product_frames, write_clip

NAMES = {f"carton-{product:02d}": f"Fläderblomssaft {product}" for product in range(6)}


@pytest.mark.parametrize(
    ("outcome", "tl", "th"), [("accept", 1.9, 2.0), ("review", -9.0, 2.0), ("reject", -9.0, 0.0)]
)
def test_the_frame_and_the_headline_have_the_colour_of_the_decision(
    bundle: Bundle, outcome: str, tl: float, th: float
) -> None:
    judged = Recogniser([with_thresholds(bundle, tl, tl, th)], [embedder_of(bundle)])
    recognition = judged.recognise([look_at(bundle, 2, 0)])
    assert recognition.decision.outcome == outcome
    drawn = annotate(np.full((90, 120, 3), 128, np.uint8), recognition, NAMES)
    assert drawn.shape == (960, 1280, 3)
    for corner in (drawn[0, 0], drawn[-1, -1], drawn[3, 3]):
        assert tuple(int(level) for level in corner) == COLOUR_BGR[outcome]


def test_the_words_name_the_product_the_decision_and_the_distances(bundle: Bundle) -> None:
    recogniser = Recogniser([with_thresholds(bundle, 1.9, 1.9, 2)], [embedder_of(bundle)])
    recognition = recogniser.recognise([look_at(bundle, 2, 0)])
    headline, candidates = lines_of(recognition, NAMES)
    assert headline == "Carton 2: accepted"
    assert len(candidates) == 3
    assert candidates[0].endswith("Fläderblomssaft 2")
    assert candidates[0].startswith(f"{recognition.decision.distance:.3f}")


@pytest.mark.parametrize("shape", [(1, 1, 3), (4, 900, 3), (900, 4, 3), (3000, 2000, 3)])
def test_pictures_of_any_shape_can_be_drawn_in(bundle: Bundle, shape: tuple[int, ...]) -> None:
    recogniser = Recogniser([bundle], [embedder_of(bundle)])
    recognition = recogniser.recognise([look_at(bundle, 0, 0)])
    names = {sku: name * 30 for sku, name in NAMES.items()}
    assert max(annotate(np.zeros(shape, np.uint8), recognition, names).shape[:2]) == 1280


def _results(bundle: Bundle, path: Path, sampling: Sampling) -> list[Result]:
    recogniser = Recogniser([bundle], [embedder_of(bundle)])
    sources, _ = find_sources([path])
    outcomes = recognise_sources(recogniser, sources, sampling)
    return [outcome for outcome in outcomes if isinstance(outcome, Result)]


def test_annotated_photos_keep_their_folders_and_never_overwrite_a_photo(
    bundle: Bundle, tmp_path: Path
) -> None:
    photo = photo_file(tmp_path / "shelf" / "1.png", 1)
    before = photo.read_bytes()
    (result,) = _results(bundle, tmp_path, Sampling())
    (written,) = annotate_result(result, tmp_path, NAMES)
    assert written == tmp_path / "shelf" / "1.png.annotated.jpg"
    assert cv2.imread(str(written)) is not None
    assert photo.read_bytes() == before


def test_an_annotated_video_has_every_frame(bundle: Bundle, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", product_frames(1, 14))
    results = _results(bundle, clip, Sampling(pool=2, every=3))
    written = annotate_video(results, tmp_path / "out", NAMES)
    assert written.name == "clip.avi.annotated.mp4"
    assert frame_count(written) == 14
