"""The real chessboard pictures of four cameras that PyPI's `pose2sim` carries, with its reference.

Owns fetching them: the wheel (51 MB, BSD-3) is downloaded once, without its many dependencies, and
only its calibration pictures are kept, in `build/`.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSION = "0.10.49"
SHA256 = "403e0dc4065898ba6a595e72a8970950310979253d60e24c2e00b16b36bf21e1"
_KEPT = "Pose2Sim/Demo_SinglePerson/calibration/"
_CACHE = Path(__file__).parents[2] / "build" / f"pose2sim-{VERSION}"


def pictures() -> Path | None:
    """The folder with the pictures; None where no package registry can be reached."""
    if not _CACHE.is_dir():
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            command += ["--disable-pip-version-check", "--dest", folder, f"pose2sim=={VERSION}"]
            if subprocess.run(command, capture_output=True, check=False).returncode != 0:
                return None
            wheel = next(Path(folder).glob("*.whl"))
            if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
                raise ValueError(f"pose2sim {VERSION} is not the wheel these tests were made for")
            part = _CACHE.with_name(_CACHE.name + ".part")
            with zipfile.ZipFile(wheel) as archive:
                wanted = [each for each in archive.namelist() if each.startswith(_KEPT)]
                archive.extractall(part, [each for each in wanted if "_ext" not in each])
            part.rename(_CACHE)
    return _CACHE / _KEPT


def reference_focal_px(folder: Path) -> dict[str, float]:
    """The focal lengths of the reference calibration by camera; it counts in 64ths of a pixel."""
    text = (folder / "Calib.qca.txt").read_text(encoding="ascii")
    names = re.findall(r'serial="(cam\d+)"', text)
    focal = re.findall(r'focalLengthU="([\d.]+)"', text)
    return {name: float(each) / 64 for name, each in zip(names, focal, strict=True)}
