"""Reading the words on a pack: PP-OCR by RapidOCR, an optional extra.

Slow beside an embedding (a good part of a second on a CPU), so it is asked only about reviews that
words could settle.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import RuntimeUnavailableError

_LEAST_CONFIDENCE: Final = 0.6
# Small print on a crop of some hundred pixels is found better enlarged.
_READ_AT_PX: Final = 640


class PackTextReader:
    """Reads words on crops.

    Raises:
        RuntimeUnavailableError: The extra is not installed.
    """

    def __init__(self) -> None:
        try:
            rapidocr = importlib.import_module("rapidocr_onnxruntime")
        except ImportError as err:
            raise RuntimeUnavailableError(
                "reading pack text needs RapidOCR: pip install 'walkout[packtext]'"
            ) from err
        self._ocr: Any = rapidocr.RapidOCR()

    def __call__(self, crop_bgr: NDArray[np.uint8]) -> tuple[str, ...]:
        """Lines of text on a crop ``(H, W, 3)``, uint8 BGR, that were read with confidence."""
        scale = _READ_AT_PX / max(crop_bgr.shape[:2])
        if scale > 1:
            crop_bgr = np.asarray(
                cv2.resize(crop_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC),
                np.uint8,
            )
        lines, _ = self._ocr(crop_bgr)
        return tuple(str(text) for _, text, score in lines or () if score >= _LEAST_CONFIDENCE)
