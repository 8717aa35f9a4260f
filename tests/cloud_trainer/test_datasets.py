"""Photos kept in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cloud_trainer.datasets import PhotoStore
from models.catalogue import Catalogue, load_catalogue
from models.photos import PhotoError
from tests.simulators.photos import make_catalogue


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    return load_catalogue(make_catalogue(tmp_path_factory.mktemp("photos"), products=3, photos=12))


def test_kept_photos_are_no_larger_than_training_can_use(catalogue: Catalogue) -> None:
    assert min(PhotoStore(50).pixels(catalogue.photos[0].path).shape[:2]) == 50


def test_photos_beyond_the_budget_are_decoded_anew_and_equal(catalogue: Catalogue) -> None:
    path = catalogue.photos[0].path
    none_kept, kept = PhotoStore(50, budget_bytes=0), PhotoStore(50)
    assert none_kept.pixels(path) is not none_kept.pixels(path)
    assert kept.pixels(path) is kept.pixels(path)
    assert np.array_equal(none_kept.pixels(path), kept.pixels(path))


def test_loading_counts_every_photo_and_refuses_a_broken_one(
    catalogue: Catalogue, tmp_path: Path
) -> None:
    seen: list[int] = []
    PhotoStore(50).load(catalogue.photos, lambda: seen.append(1))
    assert len(seen) == len(catalogue.photos)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 not a photo")
    with pytest.raises(PhotoError):
        PhotoStore(50).pixels(broken)
