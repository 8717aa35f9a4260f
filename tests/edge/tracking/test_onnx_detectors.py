from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.errors import DetectorError, RuntimeUnavailableError
from edge.tracking.detector import PersonDetection
from edge.tracking.onnx_detectors import Family, OnnxDetectorSettings, OnnxPersonDetector
from tests.edge.tracking.picture import REFERENCE, VIDEO

PERSON = (120.0, 40.0, 200.0, 220.0)  # in a picture of 320 x 240


def network(
    folder: Path,
    outputs: Sequence[NDArray[Any]],
    size_px: tuple[int, int] = (160, 160),
    sizes: bool = False,
) -> Path:
    """A network that takes a picture and always answers the same."""
    inputs = [
        helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, size_px[1], size_px[0]])
    ]
    if sizes:
        inputs.append(helper.make_tensor_value_info("sizes", TensorProto.INT64, [1, 2]))
    names = [f"out{k}" for k in range(len(outputs))]
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value))
        for name, value in zip(names, outputs, strict=True)
    ]
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for name, v in zip(names, outputs, strict=True)
    ]
    return save(folder, nodes, inputs, infos)


def save(folder: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any]) -> Path:
    graph = helper.make_graph(nodes, "detector", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    path = folder / "detector.onnx"
    onnx.save(model, str(path))
    return path


def detector(family: Family, path: Path, **more: object) -> OnnxPersonDetector:
    return OnnxPersonDetector(OnnxDetectorSettings(family=family, network=path, **more))  # type: ignore[arg-type]


def blank() -> NDArray[np.uint8]:
    return np.full((240, 320, 3), 90, np.uint8)


def assert_is_the_person(
    found: tuple[PersonDetection, ...], score: float, off_px: float = 0.5
) -> None:
    assert len(found) == 1
    np.testing.assert_allclose(found[0].box_px, PERSON, atol=off_px)
    assert found[0].score == pytest.approx(score, abs=1e-3)


def test_yolox_boxes_come_from_their_grid_cells(tmp_path: Path) -> None:
    cells = 20 * 20 + 10 * 10 + 5 * 5
    raw = np.zeros((1, cells, 7), np.float32)
    # A letterboxed picture: 320 x 240 at half size. Centre (80, 65), 40 x 90 pixels of the input.
    for cell, stride, score in ((8 * 20 + 10, 8, 0.9), (400 + 4 * 10 + 5, 16, 0.8)):
        column, row = ((cell if stride == 8 else cell - 400) % (160 // stride),
                       (cell if stride == 8 else cell - 400) // (160 // stride))  # fmt: skip
        raw[0, cell] = [80 / stride - column, 65 / stride - row, np.log(40 / stride),
                        np.log(90 / stride), score, 0.95, 0.1]  # fmt: skip
    raw[0, 0] = [0, 0, 0, 0, 0.9, 0.05, 0.95]  # another class
    assert_is_the_person(detector("yolox", network(tmp_path, [raw])).detect(blank()), 0.9 * 0.95)


def test_yolov8_boxes_are_centres_and_sizes_in_pixels(tmp_path: Path) -> None:
    raw = np.zeros((1, 6, 50), np.float32)
    raw[0, :, 3] = [80, 65, 40, 90, 0.8, 0.0]
    raw[0, :, 4] = [81, 66, 40, 90, 0.7, 0.0]  # the same person again
    raw[0, :, 5] = [20, 30, 10, 10, 0.1, 0.9]  # another class
    assert_is_the_person(detector("yolov8", network(tmp_path, [raw])).detect(blank()), 0.8)


def test_detr_boxes_with_logits_are_shares_of_a_stretched_picture(tmp_path: Path) -> None:
    boxes, logits = np.zeros((1, 10, 4), np.float32), np.full((1, 10, 3), -9, np.float32)
    boxes[0, 2] = [0.5, 130 / 240, 80 / 320, 180 / 240]
    logits[0, 2, 1] = 2.0
    orders: list[list[NDArray[Any]]] = [[boxes, logits], [logits, boxes]]
    for outputs in orders:
        found = detector("detr", network(tmp_path, outputs), person_class=1).detect(blank())
        assert_is_the_person(found, 1 / (1 + np.exp(-2.0)))


def test_detr_boxes_with_labels_and_scores_are_read_in_any_order(tmp_path: Path) -> None:
    boxes = np.zeros((1, 10, 4), np.float32)
    boxes[0, 2] = [0.5, 130 / 240, 80 / 320, 180 / 240]
    labels, scores = np.zeros((1, 10), np.int64), np.zeros((1, 10), np.float32)
    scores[0, 2], scores[0, 3], labels[0, 3] = 0.77, 0.9, 5
    orders: list[list[NDArray[Any]]] = [[labels, boxes, scores], [scores, labels, boxes]]
    for outputs in orders:
        assert_is_the_person(detector("detr", network(tmp_path, outputs)).detect(blank()), 0.77)


def test_detr_networks_that_ask_for_the_pictures_size_give_corners(tmp_path: Path) -> None:
    boxes = np.zeros((1, 10, 4), np.float32)
    boxes[0, 2] = [120 / 320, 40 / 240, 200 / 320, 220 / 240]
    labels, scores = np.zeros((1, 10), np.int64), np.zeros((1, 10), np.float32)
    scores[0, 2] = 0.77
    path = network(tmp_path, [labels, boxes, scores], sizes=True)
    assert_is_the_person(detector("detr", path).detect(blank()), 0.77)


def test_detectnet_looks_at_a_stretched_rgb_picture_and_counts_in_35_pixels(tmp_path: Path) -> None:
    """Coverage is the red channel at every 16th pixel; every cell spans 2 x 3 units around it."""
    width, height, rows, columns = 320, 160, 10, 20
    ends = {"from": [0, 0, 0], "to": [1, height, width], "axes": [1, 2, 3], "step": [1, 16, 16]}
    constants = [
        helper.make_node(
            "Constant", [], [name], value=numpy_helper.from_array(np.array(v, np.int64))
        )
        for name, v in ends.items()
    ]
    distances = np.ones((1, 4, rows, columns), np.float32)
    distances[0, 1::2] = 1.5
    nodes = [
        *constants,
        helper.make_node("Slice", ["images", *ends], ["coverage"]),
        helper.make_node("Constant", [], ["boxes"], value=numpy_helper.from_array(distances)),
    ]
    path = save(
        tmp_path,
        nodes,
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, height, width])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 4, rows, columns]),
            helper.make_tensor_value_info("coverage", TensorProto.FLOAT, [1, 1, rows, columns]),
        ],
    )
    image = np.zeros((320, 640, 3), np.uint8)
    image[..., 0] = 255  # blue all over says nothing
    image[150:170, 310:330] = (0, 0, 230)  # red around column 10, row 5 of the grid
    [found] = detector("detectnet", path).detect(image)
    # Centre (160.5, 80.5) in the input, doubled in the picture; 35 and 52.5 pixels to each side.
    np.testing.assert_allclose(found.box_px, (251, 56, 391, 266), atol=1.5)
    assert found.score == pytest.approx(230 / 255, abs=0.02)


def test_letterboxing_keeps_proportions_of_tall_and_wide_pictures(tmp_path: Path) -> None:
    raw = np.zeros((1, 5, 8), np.float32)
    raw[0, :, 0] = [40, 80, 40, 80, 0.9]
    path = network(tmp_path, [raw])
    [tall] = detector("yolov8", path).detect(np.zeros((640, 320, 3), np.uint8))
    np.testing.assert_allclose(tall.box_px, (80, 160, 240, 480), atol=0.5)
    [wide] = detector("yolov8", path).detect(np.zeros((320, 640, 3), np.uint8))
    np.testing.assert_allclose(wide.box_px, (80, 160, 240, 320), atol=0.5)  # cut at the border


@pytest.mark.parametrize("family", ["yolox", "yolov8", "detr", "detectnet"])
def test_a_network_of_another_family_is_refused_by_name(tmp_path: Path, family: Family) -> None:
    path = network(tmp_path, [np.zeros((1, 3, 7, 2, 2), np.float32)])
    with pytest.raises(DetectorError, match="not those of a .* detector"):
        detector(family, path).detect(blank())


def test_a_person_class_that_the_network_lacks_is_refused(tmp_path: Path) -> None:
    path = network(tmp_path, [np.zeros((1, 6, 50), np.float32)])
    with pytest.raises(DetectorError, match="person class"):
        detector("yolov8", path, person_class=2).detect(blank())


def test_numbers_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    raw = np.zeros((1, 5, 4), np.float32)
    raw[0, :, 0] = [np.nan, 80, 40, 80, 0.9]
    with pytest.raises(DetectorError, match="not finite"):
        detector("yolov8", network(tmp_path, [raw])).detect(blank())


def test_files_and_pictures_that_do_not_fit_are_errors_that_say_so(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"cannot open .*nowhere\.onnx"):
        detector("yolox", tmp_path / "nowhere.onnx")
    path = network(tmp_path, [np.zeros((1, 5, 4), np.float32)])
    with pytest.raises(RuntimeUnavailableError, match="pip install"):
        detector("yolov8", path, providers=("OpenVINOExecutionProvider",))
    with pytest.raises(DetectorError, match="uint8 BGR pictures"):
        detector("yolov8", path).detect(np.zeros((4, 4), np.uint8))
    open_size = save(
        tmp_path,
        [helper.make_node("Identity", ["images"], ["out"])],
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3, "h", "w"])],
    )
    with pytest.raises(DetectorError, match="set input_size_px"):
        detector("yolov8", open_size)


@pytest.mark.skipif(
    not (REFERENCE.is_file() and VIDEO.is_file()),
    reason=f"needs {REFERENCE.name} (set WALKOUT_DETECTORS) and Debian's opencv-doc",
)
def test_the_reference_network_finds_the_people_of_a_real_video() -> None:
    capture = cv2.VideoCapture(str(VIDEO))
    found = detector("yolox", REFERENCE)
    counts = []
    for k in range(121):
        ok, image = capture.read()
        assert ok
        if k % 40 == 0:
            people = found.detect(np.asarray(image, np.uint8))
            counts.append(len(people))
            for each in people:
                left, top, right, bottom = each.box_px
                assert 1.0 < (bottom - top) / (right - left) < 5.0
    capture.release()
    assert min(counts) >= 3
    assert max(counts) <= 14
