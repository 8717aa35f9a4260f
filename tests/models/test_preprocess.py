from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from models.preprocess import Preprocessing, photo_region, prepare, prepare_batch
from tests.simulators.photos import draw_photo

SIZE_PX = 64


def _prepared(crop: NDArray[np.uint8], size_px: int = SIZE_PX) -> NDArray[np.uint8]:
    out = np.zeros((size_px, size_px, 3), np.uint8)
    prepare(crop, out)
    return out


def _plain(height: int, width: int, level: int = 200) -> NDArray[np.uint8]:
    return np.full((height, width, 3), level, np.uint8)


@pytest.mark.parametrize(
    ("height", "width", "content_rows", "content_columns"),
    [
        (40, 80, slice(16, 48), slice(0, 64)),  # wide: grey above and below
        (80, 40, slice(0, 64), slice(16, 48)),  # tall: grey left and right
        (300, 600, slice(16, 48), slice(0, 64)),
        (20, 20, slice(0, 64), slice(0, 64)),
        (1, 1000, slice(31, 32), slice(0, 64)),  # never thinner than a pixel
    ],
)
def test_a_crop_keeps_its_aspect_and_stands_in_the_middle_of_grey(
    height: int, width: int, content_rows: slice, content_columns: slice
) -> None:
    expected = _plain(SIZE_PX, SIZE_PX, 127)
    expected[content_rows, content_columns] = 200

    np.testing.assert_array_equal(_prepared(_plain(height, width)), expected)


def test_a_square_crop_is_a_bare_resize() -> None:
    crop = draw_photo(0, 0, size_px=100)

    np.testing.assert_array_equal(
        _prepared(crop), cv2.resize(crop, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_LINEAR)
    )


def test_much_larger_crops_are_averaged_so_that_fine_print_does_not_flicker() -> None:
    crop = draw_photo(0, 0, size_px=300)

    np.testing.assert_array_equal(
        _prepared(crop), cv2.resize(crop, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA)
    )


def test_channels_stay_blue_green_red() -> None:
    crop = np.zeros((30, 30, 3), np.uint8)
    crop[..., 0] = 250

    assert _prepared(crop)[5, 5].tolist() == [250, 0, 0]


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    size_px=st.sampled_from([16, 63, 64, 224]),
)
@settings(max_examples=60, deadline=None)
def test_the_same_crop_gives_the_same_bits_whatever_was_in_the_buffer(
    height: int, width: int, size_px: int
) -> None:
    crop = np.random.default_rng((height, width)).integers(0, 256, (height, width, 3), np.uint8)
    dirty = np.full((size_px, size_px, 3), 255, np.uint8)
    prepare(crop, dirty)

    np.testing.assert_array_equal(dirty, _prepared(crop, size_px))
    np.testing.assert_array_equal(dirty, prepare_batch([crop], size_px)[0])


def test_a_view_into_a_frame_is_prepared_like_a_copy() -> None:
    frame = draw_photo(1, 0)
    view = frame[30:150, 20:90]

    np.testing.assert_array_equal(_prepared(view), _prepared(view.copy()))


def test_the_buffer_is_written_in_place_and_the_crop_left_alone() -> None:
    batch = np.zeros((2, SIZE_PX, SIZE_PX, 3), np.uint8)
    crop = draw_photo(0, 0)
    before = crop.copy()
    prepare(crop, batch[1])

    assert batch[1].any()
    assert not batch[0].any()
    np.testing.assert_array_equal(crop, before)


@pytest.mark.parametrize(
    "crop",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
        np.zeros((8, 0, 3), np.uint8),
    ],
)
def test_what_is_no_crop_is_refused(crop: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="crop is"):
        _prepared(crop)


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((8, 9, 3), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8), np.uint8),
        np.zeros((1, 8, 8, 3), np.uint8),
    ],
)
def test_a_target_of_another_shape_is_refused(out: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="target is"):
        prepare(_plain(20, 20), out)


def test_a_batch_holds_one_input_a_crop() -> None:
    assert prepare_batch([], SIZE_PX).shape == (0, SIZE_PX, SIZE_PX, 3)
    assert prepare_batch([_plain(9, 20)] * 3, SIZE_PX).shape == (3, SIZE_PX, SIZE_PX, 3)


def test_of_a_photo_the_middle_is_looked_at_without_copying() -> None:
    photo = np.arange(120 * 60 * 3, dtype=np.uint8).reshape(120, 60, 3)
    region = photo_region(photo, Preprocessing())

    assert region.shape == (90, 45, 3)
    np.testing.assert_array_equal(region, photo[15:105, 7:52])
    assert np.shares_memory(region, photo)


def test_the_smallest_photo_still_has_a_middle() -> None:
    region = photo_region(_plain(1, 1), Preprocessing(photo_crop_share=0.01))

    assert region.shape == (1, 1, 3)


@pytest.mark.parametrize(
    "wrong", [{"input_size_px": 0}, {"photo_crop_share": 1.5}, {"pad_value": 256}, {"mean": 0.5}]
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Preprocessing.model_validate(wrong)
