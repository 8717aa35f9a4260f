"""Words on packs: what is printed is kept, what was misread or stands beside it is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cloud_trainer.errors import WalkoutTrainerError
from cloud_trainer.words import with_words, words_on_packs
from models.bundle import Bundle, open_bundle
from models.catalogue import Catalogue, load_catalogue
from tests.simulators.bundles import make_bundle
from tests.simulators.photos import make_catalogue, sku_of


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_bundle(tmp_path_factory.mktemp("bundle") / "b", products=2)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return load_catalogue(make_catalogue(tmp_path / "photos", products=2, photos=6))


class Reader:
    """Reads on one photo after the other what is given here, and then nothing."""

    def __init__(self, *lines: Sequence[str]) -> None:
        self._left: Iterator[Sequence[str]] = iter(lines)
        self.pictures: list[tuple[int, ...]] = []

    def __call__(self, picture: NDArray[np.uint8]) -> Sequence[str]:
        self.pictures.append(picture.shape)
        return next(self._left, ())


def test_words_of_several_photos_are_kept_and_those_of_one_are_not(
    bundle: Bundle, catalogue: Catalogue
) -> None:
    read = Reader(
        ["Havregryn EKO", "1 liter"], ["havregrýn", "Mjolk"], ["eko", "EKO eko"], ["xyz"], [], []
    )
    advanced: list[None] = []
    words = words_on_packs(bundle, catalogue, read, 6, lambda: advanced.append(None))
    assert words == {sku_of(0): ("eko", "havregryn")}
    assert len(advanced) == 12
    assert len(read.pictures) == 12


def test_no_more_photos_are_read_than_asked_for_and_broken_ones_are_passed_over(
    bundle: Bundle, catalogue: Catalogue
) -> None:
    first = next(photo for photo in catalogue.photos if photo.sku == sku_of(0))
    first.path.write_bytes(b"no picture")
    read = Reader(["milk"], ["milk"], ["tea"], ["tea"], ["tea"])
    words = words_on_packs(bundle, catalogue, read, 3)
    assert len(read.pictures) == 5
    assert words == {sku_of(0): ("milk",), sku_of(1): ("tea",)}


def test_a_bundle_with_words_is_the_next_revision_of_the_same_space(
    bundle: Bundle, tmp_path: Path
) -> None:
    first = with_words(bundle, {sku_of(0): ("oats",), sku_of(1): ("rye",)}, tmp_path / "first")
    second = with_words(first, {sku_of(1): ("bran", "rye")}, tmp_path / "second")
    opened = open_bundle(tmp_path / "second")
    assert dict(opened.text) == {sku_of(0): ("oats",), sku_of(1): ("bran", "rye")}
    assert opened.manifest.space_id == bundle.manifest.space_id
    assert len({each.manifest.version for each in (bundle, first, second)}) == 3


def test_where_nothing_was_read_it_says_so(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(WalkoutTrainerError, match="no word was read on several photos"):
        with_words(bundle, {}, tmp_path / "none")
    assert not (tmp_path / "none").exists()
