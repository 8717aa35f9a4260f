"""ROS ``camera_info`` YAML, as ``camera_calibration_parsers`` reads and writes it.

Owns both ways. Numbers are written with all their digits, so a lens comes back bit by bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.format import CalibrationError
from calibration.interchange.documents import distortion, field, numbers, parse_yaml
from calibration.lens import Lens, matrix3


def to_ros(lens: Lens, name: str) -> str:
    """A ``camera_info`` document."""
    width, height = lens.image_size_px
    flat = [each for row in lens.matrix for each in row]
    projection = [each for row in lens.matrix for each in (*row, 0.0)]
    return "\n".join(
        [
            f"image_width: {width}",
            f"image_height: {height}",
            f"camera_name: {name}",
            *_matrix("camera_matrix", 3, 3, flat),
            "distortion_model: plumb_bob",
            *_matrix("distortion_coefficients", 1, 5, lens.distortion),
            *_matrix("rectification_matrix", 3, 3, np.eye(3).ravel().tolist()),
            *_matrix("projection_matrix", 3, 4, projection),
            "",
        ]
    )


def from_ros(text: str, name: str) -> Lens:
    """Read a ``camera_info`` document.

    Raises:
        CalibrationError: It is none, or of another distortion model.
    """
    document = parse_yaml(text, name)
    model = document.get("distortion_model", "plumb_bob")
    if model != "plumb_bob":
        raise CalibrationError(
            f"{name}: distortion_model {model} cannot be used; calibrate with plumb_bob"
        )
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
    return [f"{name}:", f"  rows: {rows}", f"  cols: {columns}", f"  data: [{listed}]"]
