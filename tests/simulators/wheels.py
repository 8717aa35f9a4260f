"""Wheels: drawn ones for tests of what travels, and of this very checkout under other versions."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_PACKAGES: Final = ("calibration", "cloud_trainer", "edge", "models", "web")


def write_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> Path:
    """Write a pure wheel of some files (PEP 427)."""
    folder.mkdir(parents=True, exist_ok=True)
    information = f"{name}-{version}.dist-info"
    contents = {
        **files,
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_hash(text)},{len(text.encode())}\n" for path, text in
                     contents.items())  # fmt: skip
    contents[f"{information}/RECORD"] = f"{record}{information}/RECORD,,\n"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, text in contents.items():
            archive.writestr(zipfile.ZipInfo(each, (2026, 1, 1, 0, 0, 0)), text)
    return path


def walkout_wheel(folder: Path, version: str, starts: str = "") -> Path:
    """A wheel that says it is Walkout, and does what a script says when it is started."""
    script = starts or "def main():\n    print(VERSION)"
    body = f"VERSION = {version!r}\n{script}\n"
    wheel = write_wheel(folder, "walkout", version, {"drawn_walkout.py": body})
    information = f"walkout-{version}.dist-info/entry_points.txt"
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(information, "[console_scripts]\nwalkout-edge = drawn_walkout:main\n")
    return wheel


def this_checkout(folder: Path, version: str, sabotage: dict[str, str] | None = None) -> Path:
    """The wheel of this checkout under another version, without the networks that it ships.

    Args:
        folder: Where to.
        version: The version that it says.
        sabotage: Text that is put after that of a file, by path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / ".source"
    shutil.rmtree(source, ignore_errors=True)
    for package in _PACKAGES:
        leave = shutil.ignore_patterns("__pycache__", "*.onnx", "weights.bin", "golden")
        shutil.copytree(ROOT / package, source / package, ignore=leave)
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    project = re.sub(r'^version = ".*"$', f'version = "{version}"', project, flags=re.MULTILINE)
    (source / "pyproject.toml").write_text(project, "utf-8")
    for path, text in (sabotage or {}).items():
        file = source / path
        file.write_text(f"{file.read_text('utf-8')}\n{text}\n", "utf-8")
    build = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(source)
    (wheel,) = folder.glob("walkout-*.whl")
    return wheel


def what_it_needs(folder: Path) -> Path:
    """A wheel that lends a slot the packages of this very environment, whatever they are."""
    here = sysconfig.get_paths()["purelib"]
    return write_wheel(folder, "walkout_test_needs", "1.0", {"walkout_test_needs.pth": f"{here}\n"})


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
