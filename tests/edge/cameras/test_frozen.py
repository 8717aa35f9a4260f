from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cameras.frozen import PictureWatch

Image = NDArray[np.uint8]


def _shelf(noise_grey: float = 0.0, seed: int = 0, moved_px: int = 0) -> Image:
    picture = np.full((180, 320, 3), 90, np.float64)
    picture[50:150, 40 + moved_px : 200 + moved_px] = (40, 160, 220)
    picture += np.random.default_rng(seed).normal(0, noise_grey, picture.shape)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def test_the_same_picture_again_and_again_is_frozen_since_it_came() -> None:
    watch = PictureWatch()
    assert watch.unchanged_s(5.0) == 0
    for second in range(10):
        watch.look(_shelf(), float(second))
    assert watch.unchanged_s(9.0) == 9.0


def test_the_noise_of_a_sensor_is_a_change_though_nothing_moves() -> None:
    watch = PictureWatch()
    assert all(watch.look(_shelf(0.5, seed), float(seed)) for seed in range(40))


def test_something_that_moves_without_noise_is_a_change() -> None:
    watch = PictureWatch()
    assert all(watch.look(_shelf(moved_px=7 * step), float(step)) for step in range(10))


def test_a_frozen_picture_that_is_encoded_over_and_over_is_still_frozen() -> None:
    watch = PictureWatch()
    for second in range(40):
        quality = (95, 80, 70, 75)[second % 4]
        _, coded = cv2.imencode(".jpg", _shelf(3.0), [cv2.IMWRITE_JPEG_QUALITY, quality])
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
        watch.look(picture, float(second))
    assert watch.unchanged_s(40.0) >= 36


def test_another_resolution_is_a_change() -> None:
    watch = PictureWatch()
    watch.look(_shelf(), 0.0)
    assert watch.look(_shelf()[:90, :160], 1.0)
