"""Lenses from published pictures of real boards, against the figures known for them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.coverage import coverage_of
from calibration.intrinsics.solve import Choice, choose_lens
from calibration.intrinsics.trust import judge, split_halves
from calibration.pictures import read_picture
from calibration.targets import Chessboard, View
from tests.calibration.pose2sim import pictures, reference_focal_px

OPENCV = Path("/usr/share/doc/opencv-doc/examples/data")
NUMBERS = [each for each in range(1, 15) if each != 10]
BOARD = Chessboard(9, 6, 0.025)

needs_opencv_doc = pytest.mark.skipif(
    not (OPENCV / "left01.jpg").exists(), reason="needs Debian's opencv-doc"
)


def views(side: str) -> list[View]:
    found = []
    for number in NUMBERS:
        name = f"{side}{number:02d}.jpg"
        view = BOARD.find(read_picture(OPENCV / name), name)
        assert isinstance(view, View), view
        found.append(view)
    return found


@pytest.fixture(scope="module")
def left() -> Choice:
    return choose_lens(views("left"))


@needs_opencv_doc
def test_opencvs_left_camera_fits_to_a_fifth_of_a_pixel_and_its_halves_agree(left: Choice) -> None:
    assert len(left.views) == 13
    assert left.fit.rms_px <= 0.20
    verdict = judge(left, coverage_of(left.views), BOARD.lines())
    assert verdict.light == "green"
    assert verdict.halves is not None
    assert verdict.halves.p95_px <= 2.0
    assert verdict.focal_sigma <= 0.003


@needs_opencv_doc
def test_terms_that_do_not_earn_their_place_are_left_out(left: Choice) -> None:
    # k3 lowers the RMS by a thousandth of a pixel and makes the halves disagree three times more.
    assert left.fit.model == "k1 k2 p1 p2"
    plain, with_k3 = (split_halves(left.views, each) for each in (left.fit.model, "k1 k2 p1 p2 k3"))
    assert plain is not None
    assert with_k3 is not None
    assert with_k3.p95_px > 2 * plain.p95_px


@needs_opencv_doc
def test_opencvs_stereo_pair_fits_to_022_pixels(left: Choice) -> None:
    right = choose_lens(views("right"))
    one, other = left.fit.lens, right.fit.lens
    rms, *_ = cv2.stereoCalibrate(
        [view.points_m.astype(np.float32) for view in left.views],
        [view.pixels.astype(np.float32) for view in left.views],
        [view.pixels.astype(np.float32) for view in right.views],
        one.k,
        one.d,
        other.k,
        other.d,
        one.image_size_px,
        flags=cv2.CALIB_FIX_INTRINSIC,
    )
    assert rms <= 0.22


@pytest.mark.parametrize("camera", ["cam01", "cam02", "cam03", "cam04"])
def test_four_real_cameras_have_their_reference_focal_lengths_within_1_percent(camera: str) -> None:
    folder = pictures()
    if folder is None:
        pytest.skip("needs pose2sim's pictures from a package registry")
    target = Chessboard(4, 7, 0.06)
    found = []
    for path in sorted((folder / "intrinsics" / f"int_{camera}_img").glob("*.jpg")):
        view = target.find(read_picture(path), path.name)
        if isinstance(view, View):
            found.append(view)
    fit = choose_lens(found).fit
    reference = reference_focal_px(folder)[camera]
    assert fit.lens.matrix[0][0] == pytest.approx(reference, rel=0.01)
    assert fit.lens.matrix[1][1] == pytest.approx(reference, rel=0.01)
