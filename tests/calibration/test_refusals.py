"""Pictures that make no lens, each refused with what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from calibration.__main__ import app
from calibration.board import fit_board
from calibration.format import CalibrationError
from calibration.intrinsics.solve import choose_lens
from calibration.lens import Lens
from calibration.pictures import PictureError, read_pictures
from calibration.targets import Charuco, Chessboard, Missed, View
from tests.simulators.calibration import (
    Flat,
    Grey,
    Photographer,
    chessboard_texture,
    held_board,
    poses_in_front,
)

SPEC = fit_board("A4")
LENS = Lens(image_size_px=(640, 480), matrix=((600, 0, 320), (0, 600, 240), (0, 0, 1)))


@pytest.fixture(scope="module")
def photographer() -> Photographer:
    return Photographer(LENS, 1)


@pytest.fixture(scope="module")
def shown(photographer: Photographer) -> Grey:
    return straight(photographer, 0.0)


def straight(photographer: Photographer, sideways_m: float, soft_px: float = 0.6) -> Grey:
    board = held_board(SPEC)
    shift = np.array([-0.09 + sideways_m, -0.117, 0.35])
    return photographer.picture([board], np.eye(3), shift, soft_px=soft_px)


def missed(found: View | Missed) -> str:
    assert isinstance(found, Missed), "a view was found"
    return found.reason


def test_a_whole_board_is_found(shown: Grey) -> None:
    found = Charuco(SPEC).find(shown, "a")
    assert isinstance(found, View)
    assert len(found.ids) == SPEC.corners


def test_another_charuco_board_is_named_as_such(shown: Grey) -> None:
    small = Charuco(fit_board("A4", squares_x=5, squares_y=5))
    assert "another board: marker" in missed(small.find(shown, "a"))


def test_a_chessboard_of_another_size_is_named_with_its_size(photographer: Photographer) -> None:
    sheet = Flat(chessboard_texture(9, 6), 80 / 0.02, np.zeros(3), np.eye(3)[0], np.eye(3)[1])
    grey = photographer.picture([sheet], np.eye(3), np.array([-0.12, -0.09, 0.35]))
    assert isinstance(Chessboard(9, 6, 0.02).find(grey, "a"), View)
    assert "9 x 6 inner corners are seen, not 7 x 5" in missed(
        Chessboard(7, 5, 0.02).find(grey, "a")
    )


def test_a_chessboard_half_out_of_view_is_refused_and_a_charuco_board_is_used(
    photographer: Photographer, shown: Grey
) -> None:
    half = straight(photographer, 0.17)
    found = Charuco(SPEC).find(half, "a")
    assert isinstance(found, View)
    assert len(found.ids) < SPEC.corners
    sheet = Flat(chessboard_texture(9, 6), 80 / 0.02, np.zeros(3), np.eye(3)[0], np.eye(3)[1])
    grey = photographer.picture([sheet], np.eye(3), np.array([0.05, -0.09, 0.35]))
    assert "all of it must be in the picture" in missed(Chessboard(9, 6, 0.02).find(grey, "a"))


def test_a_mirrored_picture_is_called_mirrored(shown: Grey) -> None:
    flipped = np.ascontiguousarray(shown[:, ::-1])
    assert "mirrored" in missed(Charuco(SPEC).find(flipped, "a"))


def test_a_blurred_picture_is_refused_with_how_wide_its_edges_are(
    photographer: Photographer,
) -> None:
    blurred = straight(photographer, 0.0, soft_px=2.6)
    assert "blurred: edges are" in missed(Charuco(SPEC).find(blurred, "a"))


def test_pictures_without_a_board_say_how_many_corners_they_show() -> None:
    empty = np.full((480, 640), 120, np.uint8)
    assert "only 0 of 48 corners" in missed(Charuco(SPEC).find(empty, "a"))


def test_too_few_views_and_views_of_two_sizes_make_no_lens(shown: Grey) -> None:
    view = Charuco(SPEC).find(shown, "a")
    assert isinstance(view, View)
    with pytest.raises(CalibrationError, match="2 usable views are too few"):
        choose_lens([view, view])
    large = Charuco(SPEC).find(cv2.resize(shown, (1280, 960)).astype(np.uint8), "b")
    assert isinstance(large, View)
    with pytest.raises(CalibrationError, match="different picture sizes"):
        choose_lens([view, large])


def test_a_folder_of_mixed_resolutions_is_refused_with_both_names(
    tmp_path: Path, shown: Grey
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), shown)
    cv2.imwrite(str(tmp_path / "b.png"), shown[:240])
    with pytest.raises(PictureError, match=r"b\.png is 640 x 240, a\.png is 640 x 480"):
        list(read_pictures(tmp_path))


def test_corrupt_empty_and_missing_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8 no picture")
    with pytest.raises(PictureError, match=r"a\.jpg: is empty or no picture"):
        list(read_pictures(tmp_path))
    (tmp_path / "a.jpg").write_bytes(b"")
    with pytest.raises(PictureError, match=r"a\.jpg: is empty or no picture"):
        list(read_pictures(tmp_path))
    with pytest.raises(PictureError, match="cannot be read"):
        list(read_pictures(tmp_path / "missing.jpg"))
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(PictureError, match="holds no pictures"):
        list(read_pictures(tmp_path))


def test_a_zero_length_and_a_corrupt_video_are_refused(tmp_path: Path) -> None:
    for content in (b"", b"not a video at all" * 100):
        video = tmp_path / "board.mp4"
        video.write_bytes(content)
        result = CliRunner().invoke(
            app, ["intrinsics", str(video), "--out", str(tmp_path / "lens.json")]
        )
        assert result.exit_code == 2
        assert "board.mp4: is empty or no video; record it again" in result.stderr
        assert not (tmp_path / "lens.json").exists()


def test_a_fisheye_lens_is_refused_as_one(photographer: Photographer) -> None:
    k = np.array([[230.0, 0, 320], [0, 230.0, 240], [0, 0, 1]])
    d = np.array([-0.02, 0.01, 0.0, 0.0])
    wide = Lens(image_size_px=(640, 480), matrix=((230, 0, 320), (0, 230, 240), (0, 0, 1)))
    spec = fit_board("A3")
    places = np.array(
        [(x, y, 0.0) for y in range(1, spec.squares_y) for x in range(1, spec.squares_x)]
    ) * (spec.square_mm / 1000)
    rng = np.random.default_rng(3)
    views = []
    for number, (rotation, shift) in enumerate(poses_in_front(wide, spec, 12, 4)):
        shift = shift * 0.55
        turn = cv2.Rodrigues(rotation)[0]
        seen, _ = cv2.fisheye.projectPoints(places[:, None], turn, shift, k, d)
        pixels = np.asarray(seen).reshape(-1, 2)
        inside = ((pixels > 0) & (pixels < (640, 480))).all(axis=1)
        inside &= (places @ rotation.T + shift)[:, 2] > 0.02
        pixels = pixels + rng.normal(0, 0.05, pixels.shape)
        if inside.sum() > 20:
            ids = np.flatnonzero(inside)[::2]
            views.append(View(str(number), ids, places[ids], pixels[ids], (640, 480), 2.0))
    with pytest.raises(CalibrationError, match="fisheye lens"):
        choose_lens(views)
