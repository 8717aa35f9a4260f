"""What the numbers of the usual detector families mean: outputs to boxes, pure.

One function a family. Every one takes the network's outputs for one picture and returns boxes in
pixels of the network's input, shape ``(N, 4)``, left, top, right, bottom, with one score each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import DetectorError

Boxes = tuple[NDArray[np.float64], NDArray[np.float64]]
Output = NDArray[np.float32]

_STRIDES: Final = (8, 16, 32)
_DETECTNET_NORM: Final = 35.0


def decode_yolox(outputs: Sequence[Output], size_px: tuple[int, int], person: int) -> Boxes:
    """YOLOX: offsets from the cells of three grids (Ge et al. 2021; its ONNX export's default).

    Args:
        outputs: One of shape ``(1, cells, 5 + classes)``: x, y, log w, log h, objectness, classes.
        size_px: Width and height of the input.
        person: Number of the class.
    """
    raw = _one(outputs, 3, "YOLOX")[0].astype(np.float64)
    width, height = size_px
    grids = [
        np.column_stack([np.tile(np.arange(width // s), height // s),
                         np.repeat(np.arange(height // s), width // s),
                         np.full((width // s) * (height // s), s)])
        for s in _STRIDES
    ]  # fmt: skip
    cells = np.concatenate(grids)
    if raw.shape[0] != len(cells) or raw.shape[1] < 6 + person:
        raise _unlike("YOLOX", f"(1, {len(cells)}, {6 + person} or more)", raw.shape)
    stride = cells[:, 2:]
    centres = (raw[:, :2] + cells[:, :2]) * stride
    sizes = np.exp(np.minimum(raw[:, 2:4], 12.0)) * stride
    return _corners(centres, sizes), raw[:, 4] * raw[:, 5 + person]


def decode_yolov8(outputs: Sequence[Output], size_px: tuple[int, int], person: int) -> Boxes:
    """YOLOv8 and what follows its export: centres and sizes in pixels, no objectness.

    Args:
        outputs: One of shape ``(1, 4 + classes, N)``.
        size_px: Not needed; boxes are in pixels of the input already.
        person: Number of the class.
    """
    raw = _one(outputs, 3, "YOLOv8")[0].astype(np.float64).T
    if raw.shape[1] < 5 + person:
        raise _unlike("YOLOv8", f"(1, {5 + person} or more, N)", raw.T.shape)
    return _corners(raw[:, :2], raw[:, 2:4]), raw[:, 4 + person]


def decode_detr(outputs: Sequence[Output], size_px: tuple[int, int], person: int) -> Boxes:
    """RT-DETR, D-FINE and their kin: normalised centres and sizes, no suppression needed.

    Args:
        outputs: Boxes ``(1, N, 4)`` and either logits ``(1, N, classes)``, or labels ``(1, N)``
            (whole numbers) and scores ``(1, N)``, in any order.
        size_px: Width and height of the input.
        person: Number of the class.
    """
    raw, scores = _detr_outputs(outputs, person)
    raw = raw * np.array([*size_px, *size_px])
    return _corners(raw[:, :2], raw[:, 2:]), scores


def decode_detr_corners(outputs: Sequence[Output], size_px: tuple[int, int], person: int) -> Boxes:
    """The same for networks exported with their last step, which takes the picture's size.

    Args:
        outputs: As for ``decode_detr``, but boxes are corners, as shares of the picture: the
            network was told that its picture is 1 x 1.
        size_px: Width and height of the input.
        person: Number of the class.
    """
    raw, scores = _detr_outputs(outputs, person)
    return raw * np.array([*size_px, *size_px]), scores


def _detr_outputs(outputs: Sequence[Output], person: int) -> Boxes:
    flat = [each for each in outputs if each.ndim == 2]
    deep = sorted((each for each in outputs if each.ndim == 3), key=lambda e: e.shape[2] != 4)
    if len(deep) == 1 and len(flat) == 2 and deep[0].shape[2] == 4:
        whole = [np.issubdtype(each.dtype, np.integer) for each in flat]
        if whole.count(True) != 1:
            raise DetectorError(
                "the network's labels and scores cannot be told apart: exactly one of them must "
                "be whole numbers; export it again with integer labels"
            )
        labels, scores = flat if whole[0] else flat[::-1]
        certain = np.where(labels[0] == person, scores[0], 0.0)
        return deep[0][0].astype(np.float64), certain.astype(np.float64)
    if len(deep) == 2 and not flat and deep[0].shape[2] == 4 and deep[1].shape[2] > person:
        logits = deep[1][0, :, person].astype(np.float64)
        return deep[0][0].astype(np.float64), 1 / (1 + np.exp(-logits))
    raise _unlike(
        "DETR",
        f"boxes (1, N, 4) with logits (1, N, {person + 1} or more), or with labels and scores",
        [each.shape for each in outputs],
    )


def decode_detectnet(outputs: Sequence[Output], size_px: tuple[int, int], person: int) -> Boxes:
    """PeopleNet and other DetectNet_v2 networks: a coverage and four distances a grid cell.

    Args:
        outputs: Coverage ``(1, classes, rows, columns)`` and boxes ``(1, 4 classes, rows,
            columns)``, in any order; distances from the cell's centre in units of 35 pixels.
        size_px: Width and height of the input.
        person: Number of the class.
    """
    deep = sorted((each for each in outputs if each.ndim == 4), key=lambda each: each.shape[1])
    if len(deep) != 2 or deep[1].shape[1] != 4 * deep[0].shape[1] or deep[0].shape[1] <= person:
        raise _unlike(
            "DetectNet_v2",
            "coverage (1, classes, rows, columns) and boxes (1, 4 classes, rows, columns)",
            [each.shape for each in outputs],
        )
    coverage, distances = deep[0][0, person], deep[1][0, 4 * person : 4 * person + 4]
    rows, columns = coverage.shape
    across = (np.arange(columns) * (size_px[0] / columns) + 0.5) / _DETECTNET_NORM
    down = (np.arange(rows) * (size_px[1] / rows) + 0.5) / _DETECTNET_NORM
    left, top, right, bottom = distances.astype(np.float64)
    corners = np.stack(
        [across - left, down[:, None] - top, across + right, down[:, None] + bottom], axis=-1
    )
    return corners.reshape(-1, 4) * _DETECTNET_NORM, coverage.astype(np.float64).ravel()


def _corners(centres: NDArray[np.float64], sizes: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)


def _one(outputs: Sequence[Output], axes: int, family: str) -> Output:
    if len(outputs) != 1 or outputs[0].ndim != axes:
        raise _unlike(family, f"one output of {axes} axes", [each.shape for each in outputs])
    return outputs[0]


def _unlike(family: str, expected: str, found: object) -> DetectorError:
    return DetectorError(
        f"the network's outputs are not those of a {family} detector: expected {expected}, found "
        f"{found}; set the family or the person class that the network has"
    )
