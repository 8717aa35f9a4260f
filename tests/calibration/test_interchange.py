"""Other tools' files: bit by bit there and back, and clear refusals."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from calibration.format import CalibrationError
from calibration.interchange.caliscope import from_caliscope
from calibration.interchange.kalibr import chain, from_kalibr
from calibration.interchange.opencv import from_opencv, to_opencv
from calibration.interchange.ros import from_ros, to_ros
from calibration.lens import Lens

LENS = Lens(
    image_size_px=(1280, 720),
    matrix=((984.9642122048244, 0, 644.62), (0, 1 / 3 * 2955, 357.34), (0, 0, 1)),
    distortion=(-0.1734899802095857, 1e-17, 0.0006, -0.0005, 0.1 + 0.2),
)

CAMCHAIN = """
cam0:
  camera_model: pinhole
  intrinsics: [461.629, 460.152, 362.680, 246.049]
  distortion_model: radtan
  distortion_coeffs: [-0.27695497, 0.06712482, 0.00087538, 0.00011556]
  resolution: [752, 480]
cam1:
  T_cn_cnm1:
  - [1.0, 0.0, 0.0, -0.11]
  - [0.0, 1.0, 0.0, 0.0]
  - [0.0, 0.0, 1.0, 0.0]
  - [0.0, 0.0, 0.0, 1.0]
  camera_model: pinhole
  intrinsics: [460.0, 459.0, 360.0, 245.0]
  distortion_model: radtan
  distortion_coeffs: [-0.27, 0.06, 0.0, 0.0]
  resolution: [752, 480]
"""

CAMERA_ARRAY = """
[cameras.0]
cam_id = 0
size = [1920, 1080]
rotation_count = 0
error = 0.21
matrix = [[1000.0, 0.0, 960.0], [0.0, 1001.0, 540.0], [0.0, 0.0, 1.0]]
distortions = [-0.1, 0.02, 0.0, 0.0, 0.0]
translation = [0.1, 0.2, 3.0]
rotation = [0.0, 3.14159, 0.0]
grid_count = 24
fisheye = false

[cameras.1]
cam_id = 1
size = [1920, 1080]
"""


def test_a_lens_comes_back_from_ros_bit_by_bit_and_any_yaml_reader_can_read_it() -> None:
    text = to_ros(LENS, "shelf-1")
    assert from_ros(text, "a.yaml") == LENS
    plain = yaml.safe_load(text)
    assert plain["camera_name"] == "shelf-1"
    assert plain["distortion_model"] == "plumb_bob"
    assert plain["projection_matrix"]["data"][2] == 644.62


def test_a_lens_comes_back_from_opencv_bit_by_bit_and_opencv_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "lens.yml"
    path.write_text(to_opencv(LENS), encoding="ascii")
    assert from_opencv(path.read_text(encoding="ascii"), "lens.yml") == LENS
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)
    assert (storage.getNode("camera_matrix").mat() == LENS.k).all()
    assert (storage.getNode("distortion_coefficients").mat().ravel() == LENS.d).all()
    storage.release()


def test_what_opencv_itself_wrote_is_read(tmp_path: Path) -> None:
    path = tmp_path / "lens.yml"
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 1280)
    storage.write("image_height", 720)
    storage.write("camera_matrix", LENS.k)
    storage.write("distortion_coefficients", LENS.d.reshape(5, 1))
    storage.release()
    assert from_opencv(path.read_text(encoding="ascii"), "lens.yml") == LENS


def test_opencvs_published_intrinsics_are_read() -> None:
    path = Path("/usr/share/doc/opencv-doc/examples/data/left_intrinsics.yml")
    if not path.exists():
        pytest.skip("needs Debian's opencv-doc")
    lens = from_opencv(path.read_text(encoding="ascii"), path.name)
    assert lens.image_size_px == (640, 480)
    assert lens.matrix[0][0] == 535.9157339616320


def test_kalibrs_chain_gives_lenses_and_where_cameras_are() -> None:
    lenses = from_kalibr(CAMCHAIN, "camchain.yaml")
    assert lenses["cam0"].matrix[0][0] == 461.629
    assert lenses["cam0"].distortion == (-0.27695497, 0.06712482, 0.00087538, 0.00011556, 0.0)
    assert chain(CAMCHAIN, "camchain.yaml")["cam1"][0, 3] == -0.11


def test_caliscopes_array_gives_calibrated_cameras_and_their_places() -> None:
    cameras = from_caliscope(CAMERA_ARRAY, "camera_array.toml")
    assert list(cameras) == ["cam_0"]
    camera = cameras["cam_0"]
    assert camera.lens.matrix[1][1] == 1001.0
    assert camera.rotation is not None
    assert camera.rotation == pytest.approx(np.diag([-1.0, 1.0, -1.0]), abs=1e-4)
    assert camera.translation_m is not None
    assert camera.translation_m.tolist() == [0.1, 0.2, 3.0]


@pytest.mark.parametrize(
    ("read", "text", "complaint"),
    [
        (from_ros, "image_width: 3", "image_height is missing"),
        (from_ros, to_ros(LENS, "a").replace("plumb_bob", "equidistant"), "equidistant cannot"),
        (from_ros, "a: [", "line 1 is not YAML"),
        (from_ros, "- 3", "holds no fields"),
        (from_opencv, to_opencv(LENS).replace("0.0, 0.0, 1.0 ]", "0.0 ]"), "must be 9 numbers"),
        (from_kalibr, CAMCHAIN.replace("radtan", "equidistant"), "pinhole with equidistant"),
        (from_kalibr, CAMCHAIN.replace("[752, 480]", "[752]"), "resolution must be 2 numbers"),
        (from_caliscope, CAMERA_ARRAY.replace("= false", "= true"), "is a fisheye"),
        (from_caliscope, "[cameras.0]\ncam_id = 0", "no calibrated camera"),
        (from_caliscope, "[[", "is not TOML"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(read: object, text: str, complaint: str) -> None:
    with pytest.raises(CalibrationError, match=complaint):
        read(text, "file")  # type: ignore[operator]
