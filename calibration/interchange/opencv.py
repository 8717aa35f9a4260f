"""OpenCV's YAML, as ``cv2.FileStorage`` and OpenCV's calibration sample read and write it.

Owns both ways. Numbers are written with all their digits, so a lens comes back bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.interchange.documents import distortion, field, numbers, parse_yaml
from calibration.lens import Lens, matrix3


def to_opencv(lens: Lens) -> str:
    """A document that ``cv2.FileStorage`` reads."""
    width, height = lens.image_size_px
    return "\n".join(
        [
            "%YAML:1.0",
            "---",
            f"image_width: {width}",
            f"image_height: {height}",
            *_matrix("camera_matrix", 3, 3, [each for row in lens.matrix for each in row]),
            *_matrix("distortion_coefficients", 5, 1, lens.distortion),
            "",
        ]
    )


def from_opencv(text: str, name: str) -> Lens:
    """Read a document of OpenCV's calibration.

    Raises:
        CalibrationError: It is none, or has more distortion terms than shops have.
    """
    document = parse_yaml(text, name)
    width, height = (field(document, each, name) for each in ("image_width", "image_height"))
    matrix = field(field(document, "camera_matrix", name), "data", f"{name}: camera_matrix")
    terms = field(document, "distortion_coefficients", name)
    return Lens(
        image_size_px=(width, height),
        matrix=matrix3(np.array(numbers(matrix, 9, f"{name}: camera_matrix"))),
        distortion=distortion(field(terms, "data", name), f"{name}: distortion_coefficients"),
    )


def _matrix(name: str, rows: int, columns: int, values: Sequence[float]) -> list[str]:
    listed = ", ".join(repr(float(each)) for each in values)
    return [
        f"{name}: !!opencv-matrix",
        f"   rows: {rows}",
        f"   cols: {columns}",
        "   dt: d",
        f"   data: [ {listed} ]",
    ]
