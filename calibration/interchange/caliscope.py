"""caliscope's ``camera_array.toml``: lenses, and world to camera where it was found.

Owns reading. Fields as caliscope writes them: ``[cameras.N]`` (``[cam_N]`` in older files) with
``size``, ``matrix``, ``distortions``, and ``rotation`` (a rotation vector) and ``translation``
(metres) of a camera that has its place.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.format import CalibrationError
from calibration.interchange.documents import distortion, field, numbers
from calibration.lens import Lens, matrix3

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class CaliscopeCamera:
    """One camera of caliscope's.

    Attributes:
        lens: Its intrinsics.
        rotation: World to camera ``(3, 3)``; None if it has no place yet.
        translation_m: World to camera ``(3,)``; None if it has no place yet.
    """

    lens: Lens
    rotation: NDArray[np.float64] | None
    translation_m: NDArray[np.float64] | None


def from_caliscope(text: str, name: str) -> dict[str, CaliscopeCamera]:
    """The calibrated cameras of a file, by their name there, else ``cam_N``.

    Raises:
        CalibrationError: It is no such file, or holds a fisheye, or no calibrated camera.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        raise CalibrationError(f"{name}: is not TOML: {err}") from err
    tables: dict[str, Mapping[str, Any]] = {
        f"cam_{key}": each for key, each in document.get("cameras", {}).items()
    }
    tables |= {key: each for key, each in document.items() if key.startswith("cam_")}
    found = {}
    for key, camera in tables.items():
        where = f"{name}: {key}"
        if not isinstance(camera, Mapping):
            raise CalibrationError(f"{where}: is no camera")
        if camera.get("fisheye"):
            raise CalibrationError(f"{where}: is a fisheye, which cannot be used")
        if "matrix" not in camera:
            continue  # listed by caliscope before it was calibrated
        width, height = numbers(field(camera, "size", where), 2, f"{where}: size")
        placed = "rotation" in camera and "translation" in camera
        rotation = translation = None
        if placed:
            vector = np.array(numbers(camera["rotation"], 3, f"{where}: rotation"))
            rotation = np.asarray(cv2.Rodrigues(vector)[0], np.float64)
            translation = np.array(numbers(camera["translation"], 3, f"{where}: translation"))
        lens = Lens(
            image_size_px=(int(width), int(height)),
            matrix=matrix3(np.array(numbers(camera["matrix"], 9, f"{where}: matrix"))),
            distortion=distortion(field(camera, "distortions", where), f"{where}: distortions"),
        )
        found[str(camera.get("name", key))] = CaliscopeCamera(lens, rotation, translation)
    if not found:
        raise CalibrationError(
            f"{name}: holds no calibrated camera; calibrate it in caliscope first"
        )
    return found
