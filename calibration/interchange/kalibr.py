"""Kalibr's ``camchain.yaml``: lenses, and where each camera is against the one before it.

Owns reading. Only ``pinhole`` with ``radtan`` has a place in a shop; others are refused by name.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calibration.format import CalibrationError
from calibration.interchange.documents import distortion, field, numbers, parse_yaml
from calibration.lens import Lens, matrix3


def from_kalibr(text: str, name: str) -> dict[str, Lens]:
    """The lenses of a chain, by Kalibr's names (``cam0``, ``cam1``).

    Raises:
        CalibrationError: It is no chain, or holds a model that shops do not have.
    """
    lenses = {}
    for key, camera in parse_yaml(text, name).items():
        where = f"{name}: {key}"
        if not isinstance(camera, dict):
            raise CalibrationError(f"{where}: is no camera; is this a camchain.yaml?")
        models = (camera.get("camera_model"), camera.get("distortion_model"))
        if models != ("pinhole", "radtan"):
            raise CalibrationError(
                f"{where}: {models[0]} with {models[1]} cannot be used; run Kalibr with "
                "--models pinhole-radtan"
            )
        fx, fy, cx, cy = numbers(field(camera, "intrinsics", where), 4, f"{where}: intrinsics")
        width, height = numbers(field(camera, "resolution", where), 2, f"{where}: resolution")
        lenses[str(key)] = Lens(
            image_size_px=(int(width), int(height)),
            matrix=matrix3(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])),
            distortion=distortion(
                field(camera, "distortion_coeffs", where), f"{where}: distortion_coeffs"
            ),
        )
    return lenses


def chain(text: str, name: str) -> dict[str, NDArray[np.float64]]:
    """Where each camera is: first camera to this one, ``(4, 4)``, metres.

    Raises:
        CalibrationError: A link is missing or no motion.
    """
    found: dict[str, NDArray[np.float64]] = {}
    motion = np.eye(4)
    for place, (key, camera) in enumerate(sorted(parse_yaml(text, name).items())):
        if place:
            where = f"{name}: {key}"
            link = numbers(field(camera, "T_cn_cnm1", where), 16, f"{where}: T_cn_cnm1")
            motion = np.array(link).reshape(4, 4) @ motion
        found[str(key)] = motion
    return found
