"""Saving a shop's calibration so that nothing is ever lost: every version, who replaced what, why.

Owns the files ``calibration.json``, ``calibration/history/`` and the reference pictures beside it.
The version that is replaced is copied to the history first, and the new one put in its place in one
step, so a power cut leaves either the old or the new, whole. Times come from outside.

::

    shop/calibration.json
    shop/calibration/history/0001.json ...     the versions that were replaced, oldest first
    shop/calibration/history/record.jsonl      one line a change: when, by whom, why, checksums
    shop/calibration/reference/<camera>.png    what the camera saw when it was placed
    shop/calibration/history/0001-<camera>.png, 0001-planogram.json    what was replaced then
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from calibration.format import (
    Calibration,
    CalibrationError,
    Closed,
    first_complaint,
    read_calibration,
)
from calibration.pictures import read_picture
from calibration.planogram import Planogram


class Change(Closed):
    """One line of the record.

    Attributes:
        number: From 1.
        at: When, ISO 8601 with its zone.
        by: Who, or what.
        why: In words.
        before: SHA-256 of the version that was replaced; None for the first.
        after: SHA-256 of the new one.
    """

    number: int
    at: str
    by: str
    why: str
    before: str | None
    after: str


def save_calibration(path: Path, calibration: Calibration, at: str, by: str, why: str) -> Change:
    """Save a new version beside all older ones.

    Args:
        path: The ``calibration.json``.
        calibration: The new version.
        at: When, ISO 8601 with its zone.
        by: Who, or what.
        why: In words.

    Raises:
        CalibrationError: The files cannot be written.
    """
    folder = path.parent / "calibration" / "history"
    content = (calibration.model_dump_json(indent=2) + "\n").encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        old = path.read_bytes() if path.exists() else None
        number = len(read_record(path)) + 1
        if old is not None:
            _write_whole(folder / f"{number:04d}.json", old)
        change = Change(
            number=number,
            at=at,
            by=by,
            why=why,
            before=None if old is None else hashlib.sha256(old).hexdigest(),
            after=hashlib.sha256(content).hexdigest(),
        )
        # The record first: a line whose version never came into place is harmless, a version
        # without a line is a riddle.
        with (folder / "record.jsonl").open("a", encoding="utf-8") as record:
            record.write(change.model_dump_json() + "\n")
            record.flush()
            os.fsync(record.fileno())
        _write_whole(path, content)
    except OSError as err:
        raise CalibrationError(f"{path}: cannot be saved: {err.strerror or err}") from err
    return change


def read_record(path: Path) -> tuple[Change, ...]:
    """All changes of a ``calibration.json``, the oldest first.

    Raises:
        CalibrationError: The record is damaged.
    """
    record = path.parent / "calibration" / "history" / "record.jsonl"
    if not record.exists():
        return ()
    changes = []
    for number, line in enumerate(record.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            changes.append(Change.model_validate(json.loads(line)))
        except json.JSONDecodeError as err:
            raise CalibrationError(f"{record}: line {number} is not JSON: {err.msg}") from err
        except ValidationError as err:
            raise CalibrationError(f"{record}: line {number}: {first_complaint(err)}") from err
    return tuple(changes)


def version_before(path: Path, number: int) -> Calibration:
    """The version that change `number` replaced.

    Raises:
        CalibrationError: There is none, or it cannot be read.
    """
    return read_calibration(path.parent / "calibration" / "history" / f"{number:04d}.json")


def save_reference(path: Path, camera: str, grey: NDArray[np.uint8]) -> Path:
    """Keep what a camera saw when it was placed: drift is measured against it.

    The picture that is replaced stays in the history, under the number of the newest change.

    Args:
        path: The ``calibration.json``.
        camera: Its name.
        grey: uint8 ``(H, W)``.

    Raises:
        CalibrationError: It cannot be written.
    """
    target = reference_path(path, camera)
    good, encoded = cv2.imencode(".png", grey)
    if not good:
        raise CalibrationError(f"{camera}: its picture cannot be encoded")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            number = len(read_record(path))
            history = path.parent / "calibration" / "history"
            history.mkdir(parents=True, exist_ok=True)
            _write_whole(history / f"{number:04d}-{camera}.png", target.read_bytes())
        _write_whole(target, encoded.tobytes())
    except OSError as err:
        raise CalibrationError(f"{target}: cannot be saved: {err.strerror or err}") from err
    return target


def read_reference(path: Path, camera: str) -> NDArray[np.uint8]:
    """What a camera saw when it was placed, uint8 ``(H, W)``.

    Raises:
        PictureError: There is none, or it cannot be read.
    """
    return read_picture(reference_path(path, camera))


def save_planogram(path: Path, planogram: Planogram) -> None:
    """Save a planogram; the one that it replaces stays in the history as the newest change's.

    Args:
        path: The ``planogram.json``.
        planogram: The new one.

    Raises:
        CalibrationError: It cannot be written.
    """
    content = (planogram.model_dump_json(indent=2) + "\n").encode()
    try:
        if path.exists() and path.read_bytes() != content:
            history = path.parent / "calibration" / "history"
            history.mkdir(parents=True, exist_ok=True)
            number = len(read_record(path)) + 1
            _write_whole(history / f"{number:04d}-planogram.json", path.read_bytes())
        _write_whole(path, content)
    except OSError as err:
        raise CalibrationError(f"{path}: cannot be saved: {err.strerror or err}") from err


def reference_path(path: Path, camera: str) -> Path:
    """Where a camera's reference picture lies, whether there is one or not."""
    return path.parent / "calibration" / "reference" / f"{camera}.png"


def _write_whole(path: Path, content: bytes) -> None:
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
