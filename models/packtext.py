"""Reading the words on a pack, by trainer and device alike: PP-OCR by RapidOCR, an optional extra.

Slow beside an embedding (a good part of a second on a CPU), so a device asks only about reviews
that words could settle, and the trainer reads a few photos of each product once.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

_LEAST_CONFIDENCE: Final = 0.6
# Small print on a crop of some hundred pixels is found better enlarged.
_READ_AT_PX: Final = 640
_SHORTEST_WORD: Final = 3


class PackTextError(Exception):
    """Words cannot be read here."""


def normalised_words(texts: Iterable[str]) -> frozenset[str]:
    """Words as they are compared: lower case, without accents, of three letters or more.

    Args:
        texts: Lines as read or as listed; split at whatever is no letter or digit.
    """
    words: set[str] = set()
    for text in texts:
        plain = unicodedata.normalize("NFKD", text.casefold())
        letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
        words.update(re.findall(r"[^\W_]+", letters))
    return frozenset(word for word in words if len(word) >= _SHORTEST_WORD)


class PackTextReader:
    """Reads words on crops.

    Raises:
        PackTextError: The extra is not installed.
    """

    def __init__(self) -> None:
        try:
            rapidocr = importlib.import_module("rapidocr_onnxruntime")
        except ImportError as err:
            raise PackTextError(
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
