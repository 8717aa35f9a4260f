"""Person detectors from ONNX files of the usual families, in ONNX Runtime.

Owns how a picture is prepared for each family and what is done with the boxes afterwards; what a
family's outputs mean is ``decoding``'s. Sessions are opened as the embedders' are, with the same
refusal of silent fallbacks. No weights travel with Walkout: the file is the shop's.

==============  =========================  ==================================================
family          picture                    networks
==============  =========================  ==================================================
``yolox``       BGR 0..255, letterboxed    YOLOX
``yolov8``      RGB 0..1, letterboxed      YOLOv8, v9, v11 without built-in suppression
``detr``        RGB 0..1, stretched        RT-DETR, D-FINE and their kin
``detectnet``   RGB 0..1, stretched        PeopleNet and other DetectNet_v2
==============  =========================  ==================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import Field

from calibration.format import Closed
from edge.errors import DetectorError
from edge.runtime.onnxruntime import (
    CPU_PROVIDER,
    ORT_ERRORS,
    first_line,
    require_installed,
    require_providers,
    session_options,
)
from edge.tracking.decoding import (
    Boxes,
    Output,
    decode_detectnet,
    decode_detr,
    decode_detr_corners,
    decode_yolov8,
    decode_yolox,
)
from edge.tracking.detector import PersonDetection, PersonDetector

Family = Literal["yolox", "yolov8", "detr", "detectnet"]

_LETTERBOX_GREY: Final = 114


class OnnxDetectorSettings(Closed):
    """A person detector, by configuration.

    Attributes:
        family: What its outputs mean.
        network: The ONNX file.
        person_class: Number of the class of people (0 in COCO and in PeopleNet).
        least_score: Surer than this is a person.
        most_overlap: Of two boxes that overlap by more (intersection over union) the surer stays.
        input_size_px: Width and height, for networks that leave them open.
        providers: Execution providers, first choice first.
        threads: Threads inside one operator; ``None`` takes every core.
    """

    family: Family
    network: Path
    person_class: Annotated[int, Field(ge=0)] = 0
    least_score: Annotated[float, Field(gt=0, lt=1)] = 0.4
    most_overlap: Annotated[float, Field(gt=0, le=1)] = 0.6
    input_size_px: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]] | None = None
    providers: tuple[str, ...] = (CPU_PROVIDER,)
    threads: Annotated[int, Field(ge=1)] | None = 1


@dataclass(frozen=True)
class _Preparation:
    decode: Callable[[Sequence[Output], tuple[int, int], int], Boxes]
    letterboxed: bool
    rgb_to_one: bool


_FAMILIES: Final[dict[Family, _Preparation]] = {
    "yolox": _Preparation(decode_yolox, letterboxed=True, rgb_to_one=False),
    "yolov8": _Preparation(decode_yolov8, letterboxed=True, rgb_to_one=True),
    "detr": _Preparation(decode_detr, letterboxed=False, rgb_to_one=True),
    "detectnet": _Preparation(decode_detectnet, letterboxed=False, rgb_to_one=True),
}


class OnnxPersonDetector(PersonDetector):
    """A detector network in an ONNX Runtime session.

    Raises:
        RuntimeUnavailableError: A provider is not installed or was silently not used.
        DetectorError: The network cannot be opened or has no picture input of a known size.
    """

    def __init__(self, settings: OnnxDetectorSettings) -> None:
        self._settings = settings
        self._preparation = _FAMILIES[settings.family]
        require_installed(settings.providers)
        try:
            self._session = onnxruntime.InferenceSession(
                str(settings.network),
                session_options(settings.threads),
                providers=list(settings.providers),
            )
        except ORT_ERRORS as err:
            raise DetectorError(
                f"ONNX Runtime cannot open {settings.network}: {first_line(err)}; "
                "check the path and export the network again"
            ) from err
        require_providers(settings.providers, self._session.get_providers())
        self._input, self._size_px = self._picture_input()
        self._wants_sizes = [
            each.name
            for each in self._session.get_inputs()
            if each.name != self._input and each.type == "tensor(int64)"
        ]
        finished = settings.family == "detr" and self._wants_sizes
        self._decode = decode_detr_corners if finished else self._preparation.decode

    def _picture_input(self) -> tuple[str, tuple[int, int]]:
        pictures = [each for each in self._session.get_inputs() if len(each.shape) == 4]
        if len(pictures) != 1 or pictures[0].type != "tensor(float)":
            raise DetectorError(
                f"{self._settings.network} has no single float picture input (1, 3, H, W); "
                "export it with one"
            )
        height, width = pictures[0].shape[2:]
        if self._settings.input_size_px is not None:
            width, height = self._settings.input_size_px
        if not (isinstance(width, int) and isinstance(height, int)):
            raise DetectorError(
                f"{self._settings.network} leaves its picture size open; set input_size_px"
            )
        return pictures[0].name, (width, height)

    def _find(self, image: NDArray[np.uint8]) -> list[PersonDetection]:
        picture, scale = self._prepare(image)
        # Networks with the picture's size as a second input scale their boxes by it.
        feed = {self._input: picture} | {
            name: np.ones((1, 2), np.int64) for name in self._wants_sizes
        }
        try:
            outputs = self._session.run(None, feed)
        except ORT_ERRORS as err:
            raise DetectorError(
                f"ONNX Runtime failed on a picture: {first_line(err)}; check input_size_px"
            ) from err
        settings = self._settings
        boxes, scores = self._decode(outputs, self._size_px, settings.person_class)
        sure = scores > settings.least_score
        boxes, scores = boxes[sure] / np.tile(scale, 2), scores[sure]
        return [
            PersonDetection(
                (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
                min(1.0, float(score)),
            )
            for box, score in _suppressed(boxes, scores, settings.most_overlap)
        ]

    def _prepare(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """The network's input ``(1, 3, H, W)`` and its pixels a pixel of the picture, x and y."""
        width, height = self._size_px
        scale = np.array([width / image.shape[1], height / image.shape[0]])
        if self._preparation.letterboxed:
            scale[:] = scale.min()
        inside = (round(image.shape[1] * scale[0]), round(image.shape[0] * scale[1]))
        canvas = np.full((height, width, 3), _LETTERBOX_GREY, np.uint8)
        canvas[: inside[1], : inside[0]] = cv2.resize(image, inside)
        planes = canvas.transpose(2, 0, 1)[None].astype(np.float32)
        if self._preparation.rgb_to_one:
            planes = planes[:, ::-1] / np.float32(255)
        return np.ascontiguousarray(planes), scale


def _suppressed(
    boxes: NDArray[np.float64], scores: NDArray[np.float64], most_overlap: float
) -> list[tuple[NDArray[np.float64], float]]:
    """Greedy non-maximum suppression, surest first."""
    if not len(boxes):
        return []
    sizes = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    kept = cv2.dnn.NMSBoxes(sizes.tolist(), scores.tolist(), 0.0, most_overlap)
    return [(boxes[int(k)], float(scores[int(k)])) for k in kept]
