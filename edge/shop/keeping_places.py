"""The worker that keeps cameras' places true: new calibrations taken up, small moves put right.

Owns when that is tried. A shelf camera that is red is placed anew by its fixture's markers, where
it has them, without a person: three looks must say the same, the move must be small
(``calibration.drift.repair``), and the record says what was done. Everything larger is left to the
technician.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.drift.registration import angle_deg
from calibration.drift.repair import Repair, repair_by_markers
from calibration.format import Calibration, CalibrationError, read_calibration
from calibration.history import save_calibration, save_reference
from calibration.markers import find_markers
from edge.shop.places import Places
from edge.workers import Pulse

_LOGGER: Final = logging.getLogger(__name__)
_EVERY_S: Final = 2.0
_AGREEING: Final = 3
_SAME_TURN_DEG: Final = 0.1
_SAME_PLACE_M: Final = 0.005
BY: Final = "the device, by markers"


@dataclass(frozen=True, eq=False)
class _Tried:
    at_s: float
    repair: Repair
    grey: NDArray[np.uint8]


class KeepingPlaces:
    """Keeps the places of a device's cameras.

    Args:
        places: Of the cameras.
        repairs: Whether small moves are put right by markers.
        wall_time_s: Seconds since 1970, now.
    """

    def __init__(self, places: Places, repairs: bool, wall_time_s: Callable[[], float]) -> None:
        self._places = places
        self._repairs = repairs
        self._wall_time_s = wall_time_s
        self._tried: dict[str, deque[_Tried]] = {}
        self._refused: dict[str, str] = {}

    def run(self, pulse: Pulse) -> None:
        """Work until told to stop; the body of a worker."""
        while not pulse.stop.wait(_EVERY_S):
            pulse.beat()
            self.step()

    def step(self) -> None:
        """Once around."""
        self._places.read_again()
        if not self._repairs:
            return
        for name in self._places.names:
            if self._places.state(name).light == "red" and self._has_markers(name):
                self._try(name)
            else:
                self._tried.pop(name, None)

    def _has_markers(self, name: str) -> bool:
        fixtures = self._places.calibration.fixtures.values()
        return any(name in each.cameras and each.markers for each in fixtures)

    def _try(self, name: str) -> None:
        looked = self._places.place(name).picture
        tried = self._tried.setdefault(name, deque(maxlen=_AGREEING))
        if looked is None or (tried and tried[-1].at_s == looked[0]):
            return
        at_s, grey = looked
        try:
            repair = repair_by_markers(name, self._places.calibration, find_markers(grey))
        except CalibrationError as err:
            if self._refused.get(name) != str(err):
                _LOGGER.warning("camera %s cannot be put right by itself: %s", name, err)
            self._refused[name] = str(err)
            tried.clear()
            return
        tried.append(_Tried(at_s, repair, grey))
        if len(tried) == _AGREEING and _agree(tried):
            self._save(name, tuple(tried))
            tried.clear()

    def _save(self, name: str, tried: tuple[_Tried, ...]) -> None:
        path, repair = self._places.path, tried[-1].repair
        why = (
            f"{name} had turned by {repair.turn_deg:.2f} degrees and moved by "
            f"{repair.moved_m * 1000:.0f} mm; put right by {repair.by}"
        )
        # Whoever walked by is in one of the pictures only.
        grey = np.median(np.stack([each.grey for each in tried]), axis=0).astype(np.uint8)
        at = datetime.fromtimestamp(self._wall_time_s(), timezone.utc)
        try:
            written = read_calibration(path)
            if written.cameras.get(name) != self._places.calibration.cameras[name]:
                return  # somebody has just calibrated it
            changed = Calibration.model_validate(
                written.model_copy(
                    update={"cameras": {**written.cameras, name: repair.camera}}
                ).model_dump()
            )
            save_calibration(path, changed, at.isoformat(timespec="seconds"), BY, why)
            save_reference(path, name, grey)
        except CalibrationError as err:
            _LOGGER.error("camera %s cannot be put right: %s", name, err)
            return
        _LOGGER.warning("%s", why)
        self._places.read_again(at_once=True)


def _agree(tried: deque[_Tried]) -> bool:
    first = tried[0].repair.camera
    for each in tried:
        camera = each.repair.camera
        turn = np.array(camera.rotation) @ np.array(first.rotation).T
        moved_m = float(np.linalg.norm(camera.position_m - first.position_m))
        if angle_deg(turn) > _SAME_TURN_DEG or moved_m > _SAME_PLACE_M:
            return False
    return True
